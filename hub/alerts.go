package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Alerts say what receivers are told of. Zero fields mean their defaults.
type Alerts struct {
	Stale  time.Duration // how old contacts may be beyond their integration's schedule; default 4 h
	After  time.Duration // how long something must be wrong before it is told, and well before that is; default 5 min
	Repeat time.Duration // how often it is told again while it lasts; default 24 h; negative: never
}

// A Mail is what a receiver of alerts is sent by e-mail.
type Mail struct {
	To      string // an address
	Subject string // one line
	Text    string // lines, plain
	ID      string // the same for every attempt, so that a reader can tell one that came twice
}

const (
	alertEvery    = 30 * time.Second // how often it is looked for what is wrong, at most
	alertRight    = "alerts"         // only one process at a time does
	alertHold     = 2 * time.Minute  // and another one may, after so long without a sign of life
	alertFailures = 3                // runs that fail in a row before that is something to tell
	alertNames    = 20               // integrations that a message names; it counts the others
)

func (a Alerts) orDefault() Alerts {
	return Alerts{Stale: cmp.Or(a.Stale, 4*time.Hour), After: cmp.Or(a.After, 5*time.Minute), Repeat: cmp.Or(a.Repeat, 24*time.Hour)}
}

// interval is how often it is looked for what is wrong.
func (a Alerts) interval() time.Duration {
	return max(time.Second, min(alertEvery, a.orDefault().After/2))
}

// An alertLine is one integration in a message. What its contacts are, and the words of an external service, are not in it: it goes
// through the hands of others.
type alertLine struct {
	Account     string             `json:"account"`
	Integration string             `json:"integration"`
	Condition   registry.Condition `json:"condition"`
	Code        string             `json:"code,omitempty"` // of the problem
	Since       time.Time          `json:"since"`
}

// An alertList is a part of a message.
type alertList struct {
	Count int         `json:"count"`
	First []alertLine `json:"first"` // at most [alertNames]
}

func (l *alertList) add(line alertLine) {
	if l.Count++; len(l.First) < alertNames {
		l.First = append(l.First, line)
	}
}

// An alertMessage is the data of an event of kind [registry.AlertEvent].
type alertMessage struct {
	Test     bool      `json:"test,omitempty"`
	By       string    `json:"by,omitempty"` // of a test
	Raised   alertList `json:"raised"`
	Again    alertList `json:"again"` // told before, and still so
	Resolved alertList `json:"resolved"`
}

// checkAlerts looks for what is wrong with integrations, and has it told. One process at a time does.
func (h *Hub) checkAlerts(ctx context.Context) error {
	holder := h.Name()
	if has, err := h.Registry.Hold(ctx, alertRight, holder, alertHold); err != nil || !has {
		return err
	}
	now, err := h.Registry.Now(ctx)
	if err != nil {
		return err
	}
	options := h.Options.Alerts.orDefault()
	unwell, err := h.Registry.Unwell(ctx, alertFailures, now.Add(-options.Stale))
	if err != nil {
		return err
	}
	kept, err := h.Registry.Alerts(ctx)
	if err != nil {
		return err
	}
	zones, err := h.zones(ctx)
	if err != nil {
		return err
	}
	j := &alertJudge{now: now, options: options, messages: map[string]*alertMessage{}}
	j.judge(unwell, kept, zones)
	if err := h.settleAlerts(ctx, j); err != nil {
		return err
	}
	if len(j.changed)+len(j.over) == 0 {
		return nil
	}
	tellings, err := j.tellings()
	if err != nil {
		return err
	}
	err = h.Registry.Tell(ctx, alertRight, holder, j.changed, j.over, tellings)
	if errors.Is(err, registry.ErrClaimLost) {
		return nil // another process looks by now
	}
	h.announce()
	return err
}

// zones are the time zones of the accounts.
func (h *Hub) zones(ctx context.Context) (map[string]*time.Location, error) {
	accounts, err := h.Registry.Accounts(ctx)
	zones := map[string]*time.Location{}
	for _, a := range accounts {
		if zone, err := time.LoadLocation(a.TimeZone); err == nil {
			zones[a.Name] = zone
		}
	}
	return zones, err
}

// settleAlerts tells of the integrations that nothing is wrong with any more. Alerts of those that were removed or paused are forgotten: whoever
// did that knows.
func (h *Hub) settleAlerts(ctx context.Context, j *alertJudge) error {
	for _, a := range j.well {
		i, err := h.Registry.Integration(ctx, a.Key)
		switch {
		case errors.Is(err, registry.ErrNotFound), err == nil && i.Paused:
			j.over = append(j.over, a.Key)
		case err != nil:
			return err
		default:
			j.recover(a)
		}
	}
	return nil
}

// An alertJudge decides what is told.
type alertJudge struct {
	now      time.Time
	options  Alerts
	changed  []registry.Alert
	over     []directory.Key
	well     []registry.Alert         // nothing is wrong with these any more
	messages map[string]*alertMessage // by account; "" is all
}

// judge compares what is wrong with what was told.
func (j *alertJudge) judge(unwell []registry.Integration, kept []registry.Alert, zones map[string]*time.Location) {
	known := make(map[directory.Key]registry.Alert, len(kept))
	for _, a := range kept {
		known[a.Key] = a
	}
	for _, i := range unwell {
		is := j.conditionOf(i, zones[i.Account])
		if is == "" {
			continue
		}
		was, there := known[i.Key]
		delete(known, i.Key)
		j.wrong(i, is, was, there)
	}
	for _, a := range kept {
		if _, left := known[a.Key]; left {
			j.well = append(j.well, a)
		}
	}
}

// conditionOf returns the worst that is wrong with an integration; empty: nothing that is to be told.
func (j *alertJudge) conditionOf(i registry.Integration, zone *time.Location) registry.Condition {
	fresh := i.Status.Fresh
	if fresh.IsZero() {
		fresh = i.Created
	}
	if zone == nil {
		zone = time.UTC
	}
	switch {
	case i.Status.Health == registry.HealthBroken:
		return registry.ConditionBroken
	case i.Status.Health == registry.HealthGuarded:
		return registry.ConditionGuarded
	case i.Status.Failures >= alertFailures:
		return registry.ConditionFailing
	}
	due := next(i.Schedule, i.Key, zone, fresh) // by the schedule, whatever it was put off for
	if !due.IsZero() && j.now.Sub(due) > j.options.Stale {
		return registry.ConditionStale
	}
	return ""
}

var severity = map[registry.Condition]int{registry.ConditionStale: 1, registry.ConditionFailing: 2, registry.ConditionGuarded: 3, registry.ConditionBroken: 4}

// wrong takes note of something that is wrong: it is told once it has lasted, or when it becomes worse, and then now and again.
func (j *alertJudge) wrong(i registry.Integration, is registry.Condition, was registry.Alert, there bool) {
	a := was
	if !there {
		a = registry.Alert{Key: i.Key, First: j.now}
	}
	if a.Is != is {
		a.Is, a.Since = is, j.now
	}
	lasts := j.now.Sub(a.Since) >= j.options.After
	line := alertLine{Account: i.Account, Integration: i.Key.Integration, Condition: is, Since: a.First}
	if i.Status.Problem != nil && is != registry.ConditionStale {
		line.Code = i.Status.Problem.Code
	}
	switch {
	case lasts && severity[is] > severity[a.Said]:
		a.Said, a.Told = is, j.now
		j.message(i.Account, func(m *alertMessage) { m.Raised.add(line) })
	case a.Said != "" && j.options.Repeat > 0 && j.now.Sub(a.Told) >= j.options.Repeat:
		a.Said, a.Told = is, j.now
		j.message(i.Account, func(m *alertMessage) { m.Again.add(line) })
	}
	if a != was {
		j.changed = append(j.changed, a)
	}
}

// recover takes note that nothing is wrong any more: that is told once it has lasted, if anything was.
func (j *alertJudge) recover(a registry.Alert) {
	switch {
	case a.Said == "":
		j.over = append(j.over, a.Key)
	case a.Is != "":
		a.Is, a.Since = "", j.now
		j.changed = append(j.changed, a)
	case j.now.Sub(a.Since) >= j.options.After:
		j.over = append(j.over, a.Key)
		line := alertLine{Account: a.Account, Integration: a.Integration, Condition: a.Said, Since: a.First}
		j.message(a.Account, func(m *alertMessage) { m.Resolved.add(line) })
	}
}

// message writes into the message to an account's receivers, and into the one to those of all accounts.
func (j *alertJudge) message(account string, write func(*alertMessage)) {
	for _, to := range []string{account, ""} {
		if j.messages[to] == nil {
			j.messages[to] = &alertMessage{}
		}
		write(j.messages[to])
	}
}

func (j *alertJudge) tellings() ([]registry.Telling, error) {
	var all []registry.Telling
	for account, m := range j.messages {
		data, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		all = append(all, registry.Telling{Account: account, Data: data})
	}
	slices.SortFunc(all, func(a, b registry.Telling) int { return cmp.Compare(a.Account, b.Account) })
	return all, nil
}

// What conditions are called, and what to do.
var conditionWords = map[registry.Condition][2]string{
	registry.ConditionBroken:  {"is broken", "It is not tried again until somebody mends it."},
	registry.ConditionGuarded: {"waits for a decision about deletions", "Its contacts stay until somebody decides."},
	registry.ConditionFailing: {"fails", "It is tried again by itself."},
	registry.ConditionStale:   {"is stale", "No run was complete for too long."},
}

// textOf is an alert's message in words: one line that sums it up, and all of it.
func (h *Hub) textOf(e registry.Event) (subject, text string, err error) {
	var m alertMessage
	if err := json.Unmarshal(e.Data, &m); err != nil {
		return "", "", fmt.Errorf("read the alert: %w", err)
	}
	if m.Test {
		text = "This is a test of contactbridge's alerts, sent by " + m.By + ". Nothing is wrong."
		return "contactbridge: a test", h.signed(text), nil
	}
	var b strings.Builder
	for _, part := range []struct {
		title string
		list  alertList
		well  bool
	}{{"", m.Raised, false}, {"Still so", m.Again, false}, {"Resolved", m.Resolved, true}} {
		if part.list.Count == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		if part.title != "" {
			b.WriteString(part.title + ":\n")
		}
		for _, line := range part.list.First {
			b.WriteString(h.lineOf(line, part.well) + "\n")
		}
		if others := part.list.Count - len(part.list.First); others > 0 {
			fmt.Fprintf(&b, "and %s.\n", plural(int64(others), "other integration"))
		}
	}
	return subjectOf(m), h.signed(strings.TrimRight(b.String(), "\n")), nil
}

func subjectOf(m alertMessage) string {
	one := func(l alertList, words func(alertLine) string, several string) string {
		if l.Count == 1 {
			return "contactbridge: " + l.First[0].Integration + " of " + l.First[0].Account + " " + words(l.First[0])
		}
		return fmt.Sprintf("contactbridge: %d integrations %s", l.Count, several)
	}
	is := func(l alertLine) string { return conditionWords[l.Condition][0] }
	switch {
	case m.Raised.Count > 0:
		return one(m.Raised, is, "need attention")
	case m.Again.Count > 0:
		return one(m.Again, func(l alertLine) string { return "still " + is(l) }, "still need attention")
	}
	return one(m.Resolved, func(alertLine) string { return "works again" }, "work again")
}

func (h *Hub) lineOf(l alertLine, well bool) string {
	words, what := conditionWords[l.Condition], "works again"
	if !well {
		what = words[0]
		if l.Code != "" && l.Condition != registry.ConditionGuarded {
			what += " (" + l.Code + ")"
		}
	}
	said := fmt.Sprintf("%s of %s %s; it began at %s UTC.", l.Integration, l.Account, what, l.Since.UTC().Format("2006-01-02 15:04"))
	if !well {
		said += " " + words[1]
	}
	if h.Options.PublicURL != "" {
		if at, err := url.JoinPath(h.Options.PublicURL, "integrations", l.Account, l.Integration); err == nil {
			said += " " + at
		}
	}
	return said
}

// signed adds who says so.
func (h *Hub) signed(text string) string {
	if h.Options.PublicURL == "" {
		return text + "\n\ncontactbridge"
	}
	return text + "\n\ncontactbridge, " + h.Options.PublicURL
}

// sendChat posts an alert's text as Slack, Mattermost, Teams and others take it.
func (h *Hub) sendChat(ctx context.Context, d registry.Delivery, to string) (registry.Sending, error) {
	_, text, err := h.textOf(d.Event)
	if err != nil {
		return registry.Sending{}, err
	}
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return registry.Sending{}, err
	}
	how, err := h.post(ctx, to, body, map[string][]string{})
	return how, hideAddress(err, to)
}

// TryReceiver tells a receiver of alerts, which need not be declared yet, that this is a test. Nothing of it is kept.
func (h *Hub) TryReceiver(ctx context.Context, w registry.Webhook, secret string) (registry.Sending, error) {
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	by := "the hub"
	if a, ok := ActorOf(ctx); ok {
		by = a.Name
	}
	data, err := json.Marshal(alertMessage{Test: true, By: by})
	if err != nil {
		return registry.Sending{}, err
	}
	began := h.now()
	e := registry.Event{ID: began.UnixMicro(), Kind: registry.AlertEvent, Time: began, Data: data}
	how, err := h.sendBy(ctx, registry.Delivery{Webhook: w, Event: e}, []byte(secret))
	how.Took = max(0, h.now().Sub(began))
	return how, err
}

// hideAddress takes a chat's address out of an error: whoever has it can write there.
func hideAddress(err error, address string) error {
	if err == nil || !strings.Contains(err.Error(), address) {
		return err
	}
	return &failure.Error{Message: strings.ReplaceAll(err.Error(), address, "its address"), Hint: failure.Of(err).Hint}
}

// sendMail sends an alert's text by e-mail.
func (h *Hub) sendMail(ctx context.Context, d registry.Delivery) (registry.Sending, error) {
	if h.Mail == nil {
		return registry.Sending{}, &failure.Error{Message: "this process knows no mail server", Hint: "Set alerts.smtp in its configuration file."}
	}
	subject, text, err := h.textOf(d.Event)
	if err != nil {
		return registry.Sending{}, err
	}
	return h.Mail(ctx, Mail{To: strings.TrimPrefix(d.Webhook.URL, "mailto:"), Subject: subject, Text: text, ID: fmt.Sprintf("alert-%d-%d", d.Event.ID, d.ID)})
}
