package console

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

const clientSecret = "client_secret" // among the auth values; not sent to the bridge

func (c *Console) newIntegration(q *request) error {
	f := view.IntegrationForm{
		New: true, Account: q.chosen(), Action: "/integrations/new", Back: q.page.In("/integrations"), When: "every",
		Rows: firstRows(),
	}
	f.NewAccount = len(q.page.Accounts) == 0
	fillDefaults(&f, registry.Integration{})
	f.Callback = c.callback(q)
	return q.showForm(http.StatusOK, f, nil)
}

func (q *request) showForm(status int, f view.IntegrationForm, result *hub.TestResult) error {
	q.page.Section = view.SectionIntegrations
	title := "Add an integration"
	if !f.New {
		title = "Change " + f.Name
	}
	return q.show(status, title, view.IntegrationFormPage(q.page, f, result))
}

// fillDefaults shows what is configured, or what holds without it.
func fillDefaults(f *view.IntegrationForm, i registry.Integration) {
	every, guard, limits := i.Schedule.Every, i.Guard, i.Limits
	if every == 0 {
		every = registry.DefaultEvery
	}
	guard = guard.OrDefault()
	f.Every, f.Cron, f.Full = shortDuration(every), i.Schedule.Cron, days(i.Schedule.Full)
	f.GuardShare, f.GuardMin = strconv.FormatFloat(guard.Share*100, 'g', 6, 64), fmt.Sprint(guard.Min)
	f.Priority, f.Role, f.Ask = orDefault(int64(i.Priority)), i.Role, i.Ask
	f.Pages, f.PageMiB, f.Timeout = orDefault(limits.Pages), inUnits(limits.PageBytes, 1<<20), inUnits(int64(limits.Timeout), int64(time.Second))
}

func orDefault(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// inUnits writes how many units n is; nothing for 0.
func inUnits(n, unit int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(n)/float64(unit), 'g', 6, 64)
}

// shortDuration is 30m rather than 30m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	if text == "" {
		return "0s"
	}
	return text
}

func (c *Console) editIntegration(q *request) error {
	found, err := c.hub.Integration(q.Context(), q.key())
	if err != nil {
		return err
	}
	return q.showForm(http.StatusOK, c.formOf(q, found.Integration), nil)
}

// formOf shows an integration as a form. Values are never shown, only that there are some.
func (c *Console) formOf(q *request, i registry.Integration) view.IntegrationForm {
	at := view.IntegrationPath(i.Key)
	f := view.IntegrationForm{
		Account: i.Account, Name: i.Key.Integration, Bridge: i.Bridge, Source: i.Source, Validation: i.Validation, Agents: i.Agents, When: "every", Paused: i.Paused,
		Version: strconv.FormatInt(i.Version, 10), Action: at + "/edit", Back: at, SecretSet: slices.Contains(i.AuthSet, clientSecret), Callback: c.callback(q),
	}
	switch {
	case i.Schedule.Off:
		f.When = "off"
	case i.Schedule.Cron != "":
		f.When = "cron"
	}
	fillDefaults(&f, i)
	for _, field := range i.Fields {
		f.Rows = append(f.Rows, view.AuthRow{Field: field, Set: slices.Contains(i.AuthSet, field.Name)})
	}
	for _, name := range i.AuthSet {
		described := slices.ContainsFunc(i.Fields, func(field registry.Field) bool { return field.Name == name })
		if !described && (name != clientSecret || i.OAuth == nil) {
			f.Rows = append(f.Rows, view.AuthRow{Field: registry.Field{Name: name, Type: "password"}, Set: true})
		}
	}
	if o := i.OAuth; o != nil {
		f.Grant, f.Authorize, f.TokenURL, f.ClientID, f.Scopes = o.Grant, o.AuthorizeURL, o.TokenURL, o.ClientID, strings.Join(o.Scopes, " ")
	}
	return f
}

// readForm reads what was typed.
func (q *request) readForm(f *view.IntegrationForm) {
	get := func(name string) string { return strings.TrimSpace(q.PostForm.Get(name)) }
	f.Bridge, f.Validation, f.When, f.Every, f.Cron, f.Full = get("bridge"), get("validation"), get("when"), get("every"), get("cron"), get("full")
	f.Agents = get("agents")
	f.GuardShare, f.GuardMin, f.Pages, f.PageMiB, f.Timeout = get("guard-share"), get("guard-min"), get("pages"), get("page-mib"), get("timeout")
	f.Grant, f.Authorize, f.TokenURL, f.ClientID, f.Scopes = get("grant"), get("authorize"), get("token-url"), get("client-id"), get("scopes")
	if q.PostForm.Has("role") {
		f.Priority, f.Role, f.Ask = get("priority"), get("role"), get("ask") != ""
	}
	if f.New {
		f.Account, f.Region, f.TimeZone, f.Name = get("account"), get("region"), get("time_zone"), get("name")
		if f.Name == "" || f.Name == get("guessed") { // a guess goes with the URL that it was made from
			f.Name = nameFrom(f.Bridge)
			f.Guessed = f.Name
		}
	}
	if version := get("version"); version != "" {
		f.Version = version
	}
	f.Rows = nil
	for n := 0; ; n++ { // as many as were sent: one that was not read would be removed
		part := func(name string) string { return get(fmt.Sprintf("auth-%d-%s", n, name)) }
		if _, there := q.PostForm[fmt.Sprintf("auth-%d-name", n)]; !there {
			break
		}
		f.Rows = append(f.Rows, view.AuthRow{
			Field: registry.Field{
				Name: part("name"), Type: part("type"), Display: part("display"), Help: part("help"), Format: part("format"), Mandatory: part("mandatory") != "",
			},
			Value: q.PostForm.Get(fmt.Sprintf("auth-%d-value", n)), // blanks may belong to it
		})
	}
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// nameFrom suggests a name out of a bridge's URL: what stands before contact_sync, or else the host, or, where that is a number
// or this machine, bridge.
func nameFrom(bridge string) string {
	u, err := url.Parse(bridge)
	if err != nil {
		return ""
	}
	name := path.Base(path.Dir(u.Path))
	if name == "." || name == "/" {
		name = strings.Split(u.Hostname(), ".")[0]
		if _, err := netip.ParseAddr(u.Hostname()); err == nil || name == "localhost" {
			name = "bridge"
		}
	}
	return strings.Trim(unfit.ReplaceAllString(name, "-"), "-_")
}

// integrationOf is the integration that a form describes, with the auth values that were typed.
func integrationOf(f view.IntegrationForm, was registry.Integration) (registry.Integration, map[string]string, *view.Problem) {
	i := was
	i.Key = directory.Key{Account: f.Account, Integration: f.Name}
	i.Bridge, i.Validation, i.Agents, i.Fields = f.Bridge, f.Validation, f.Agents, nil
	auth := map[string]string{}
	var problem *view.Problem
	for n, row := range f.Rows {
		switch {
		case row.Name == "" && row.Value == "":
			continue
		case row.Name == "":
			problem = problem.With(&view.Problem{Field: fmt.Sprintf("auth-%d-name", n), Message: "a credential has a value but no key", Hint: "The key is what the bridge calls it, such as password."})
			continue
		}
		i.Fields = append(i.Fields, withUnshown(row.Field, was.Fields))
		if row.Value != "" {
			auth[row.Name] = row.Value
		}
	}
	var shown view.IntegrationForm
	fillDefaults(&shown, was)
	schedule, wrong := scheduleOf(f, shown, was.Schedule)
	i.Schedule = schedule
	problem = problem.With(wrong, readNumbers(f, shown, &i))
	i.OAuth = oauthOf(f, was.OAuth)
	if version, err := strconv.ParseInt(f.Version, 10, 64); err == nil {
		i.Version = version
	}
	return i, auth, problem
}

// withUnshown returns a field with what the form does not show of it, as it was.
func withUnshown(f registry.Field, was []registry.Field) registry.Field {
	for _, old := range was {
		if old.Name == f.Name {
			f.Default, f.Source, f.Store = old.Default, old.Source, old.Store
		}
	}
	return f
}

// scheduleOf reads when an integration runs. shown is the form as it was before anything was typed: what still says the same stays as it was,
// for a text may be rounded, or a default.
func scheduleOf(f, shown view.IntegrationForm, was registry.Schedule) (registry.Schedule, *view.Problem) {
	s := registry.Schedule{Full: was.Full}
	var problem *view.Problem
	switch f.When {
	case "off":
		s.Off = true
	case "cron":
		if s.Cron = f.Cron; s.Cron == "" {
			problem = &view.Problem{Field: "cron", Message: "the cron schedule is missing", Hint: "Write one, such as 15 6-20 * * 1-5, or choose an interval."}
		}
	default:
		if f.Every == shown.Every {
			s.Every = was.Every
			break
		}
		every, err := time.ParseDuration(f.Every)
		if err != nil {
			problem = &view.Problem{Field: "every", Message: fmt.Sprintf("%q is not an interval", f.Every), Hint: "Write it as 30m, 2h or 45s."}
		}
		s.Every = every
	}
	if f.Full != shown.Full {
		n, err := strconv.ParseFloat(f.Full, 64)
		if err != nil || n < 0 || n > 3650 {
			return s, problem.With(&view.Problem{Field: "full", Message: fmt.Sprintf("%q is not a number of days", f.Full), Hint: "Write 7 for a week, or 0 for never by itself."})
		}
		s.Full = time.Duration(n * 24 * float64(time.Hour))
		if n == 0 {
			s.Full = -1
		}
	}
	return s, problem
}

// readNumbers reads the guard, the priority, the role and the limits. What says what was shown stays as it was, as in [scheduleOf].
func readNumbers(f, shown view.IntegrationForm, i *registry.Integration) *view.Problem {
	problem := readGuard(f, shown, i)
	var err error
	i.Role, i.Ask = f.Role, f.Ask
	i.Priority = 0
	if f.Priority != "" {
		if i.Priority, err = strconv.Atoi(f.Priority); err != nil || i.Priority < 1 {
			problem = problem.With(&view.Problem{Field: "priority", Message: fmt.Sprintf("%q is not a priority", f.Priority), Hint: "Write a whole number from 1 on, or nothing."})
		}
	}
	limit := func(field, text, shown string, was *int64, unit float64) {
		number, err := strconv.ParseFloat(text, 64)
		switch {
		case text == shown:
		case text == "":
			*was = 0
		case err != nil || !(number*unit >= 1 && number*unit < 1<<62) || unit == 1 && number != math.Trunc(number):
			problem = problem.With(&view.Problem{Field: field, Message: fmt.Sprintf("%q is not a limit", text), Hint: "Write a number above 0, or nothing for the default."})
		default:
			*was = int64(number * unit)
		}
	}
	limit("pages", f.Pages, shown.Pages, &i.Limits.Pages, 1)
	limit("page-mib", f.PageMiB, shown.PageMiB, &i.Limits.PageBytes, 1<<20)
	limit("timeout", f.Timeout, shown.Timeout, (*int64)(&i.Limits.Timeout), float64(time.Second))
	return problem
}

func readGuard(f, shown view.IntegrationForm, i *registry.Integration) *view.Problem {
	if f.GuardShare == shown.GuardShare && f.GuardMin == shown.GuardMin {
		return nil
	}
	var problem *view.Problem
	share, err := strconv.ParseFloat(strings.TrimSuffix(f.GuardShare, "%"), 64)
	if err != nil || !(share >= 0 && share <= 100) {
		problem = problem.With(&view.Problem{Field: "guard-share", Message: fmt.Sprintf("%q is not a share of the contacts", f.GuardShare), Hint: "Write per cent from 0 to 100: 20. With 0 the hub asks before any deletion."})
	}
	least, err := strconv.ParseInt(f.GuardMin, 10, 64)
	if err != nil || least < 0 {
		problem = problem.With(&view.Problem{Field: "guard-min", Message: fmt.Sprintf("%q is not a number of contacts", f.GuardMin), Hint: "Write a whole number: 10."})
	}
	if f.GuardShare == shown.GuardShare {
		share = i.Guard.OrDefault().Share * 100
	}
	if problem == nil {
		i.Guard = directory.NewGuard(share/100, least)
	}
	return problem
}

func oauthOf(f view.IntegrationForm, was *registry.OAuth) *registry.OAuth {
	if f.Grant == "" {
		return nil
	}
	o := registry.OAuth{}
	if was != nil {
		o = *was
	}
	o.Grant, o.AuthorizeURL, o.TokenURL, o.ClientID, o.Scopes = f.Grant, f.Authorize, f.TokenURL, f.ClientID, strings.Fields(f.Scopes)
	return &o
}

// refuse shows the form again, without the secrets that were typed.
func (q *request) refuse(f view.IntegrationForm, problem *view.Problem) error {
	f.Problem = problem
	forgetSecrets(&f)
	return q.showForm(http.StatusUnprocessableEntity, f, nil)
}

func forgetSecrets(f *view.IntegrationForm) {
	for n := range f.Rows {
		if f.Rows[n].Type == "password" {
			f.Rows[n].Value = ""
		}
	}
}

// addIntegration tries, adds a field to, or saves what was typed.
func (c *Console) addIntegration(q *request) error {
	f := view.IntegrationForm{New: true, NewAccount: len(q.page.Accounts) == 0, Action: "/integrations/new", Back: q.page.In("/integrations"), Callback: c.callback(q)}
	q.readForm(&f)
	if q.PostForm.Get("do") == "add-field" {
		f.Rows = append(f.Rows, view.AuthRow{})
		forgetSecrets(&f)
		return q.showForm(http.StatusOK, f, nil)
	}
	i, auth, problem := integrationOf(f, registry.Integration{})
	q.addSecret(auth)
	a := registry.Account{Name: f.Account, Region: f.Region, TimeZone: f.TimeZone, Created: c.clock()}
	if f.NewAccount {
		problem = renamed(problemOf(hub.CheckAccount(a)), accountFields).With(problem)
	}
	test := q.PostForm.Get("do") == "test"
	checked := i
	if test && checked.Key.Integration == "" { // it may be tried before it has a name
		checked.Key.Integration = "draft"
	}
	problem = problem.With(renamed(problemOf(c.hub.CheckIntegration(q.Context(), checked, auth)), f.FieldOf))
	if problem != nil {
		return q.refuseOrTell(f, problem)
	}
	if test {
		return c.tryDraft(q, f, i, auth)
	}
	if f.NewAccount {
		if err := c.hub.PutAccount(q.Context(), a); err != nil {
			return q.refuseFor(f, err, accountFields)
		}
	}
	if err := c.hub.AddIntegration(q.Context(), i, auth); err != nil {
		if f.NewAccount { // it was made a moment ago
			f.NewAccount, q.page.Accounts = false, []string{f.Account}
		}
		return q.refuseFor(f, err, f.FieldOf)
	}
	// The user wants to see it work, whatever its schedule says; if a person must connect it first, that comes first.
	if i.OAuth == nil || i.OAuth.Grant != hub.AuthorizationCode {
		if err := c.hub.Ask(q.Context(), i.Key, registry.Ask{Run: true}); err != nil {
			return err
		}
	}
	return q.redirect(view.IntegrationPath(i.Key), "added")
}

func (q *request) addSecret(auth map[string]string) {
	if secret := q.PostForm.Get("client-secret"); secret != "" {
		auth[clientSecret] = secret
	}
}

// refuseFor shows the form again with what the hub said; other errors are passed on. field is the form's name of a field.
func (q *request) refuseFor(f view.IntegrationForm, err error, field func(string) string) error {
	problem := renamed(problemOf(err), field)
	if problem == nil {
		return err
	}
	return q.refuse(f, problem)
}

// accountFields names the fields of an account as the form that adds an integration does.
func accountFields(field string) string {
	if field == "name" {
		return "account"
	}
	return field
}

// renamed is a problem, and the others that were found with it, with the form's names of their fields.
func renamed(p *view.Problem, field func(string) string) *view.Problem {
	if p == nil {
		return nil
	}
	p.Field = field(p.Field)
	for n := range p.Others {
		p.Others[n].Field = field(p.Others[n].Field)
	}
	return p
}

// refuseOrTell shows the form again, or only the problem where htmx asked.
func (q *request) refuseOrTell(f view.IntegrationForm, problem *view.Problem) error {
	if q.live() {
		return q.part(http.StatusOK, view.Problems(problem))
	}
	return q.refuse(f, problem)
}

// tryDraft tries what is not saved yet.
func (c *Console) tryDraft(q *request, f view.IntegrationForm, i registry.Integration, auth map[string]string) error {
	result, err := c.hub.TestDraft(q.Context(), i, auth)
	if err != nil {
		if problem := renamed(problemOf(err), f.FieldOf); problem != nil {
			return q.refuseOrTell(f, problem)
		}
		return err
	}
	if q.live() {
		return q.part(http.StatusOK, view.TestResult(q.page, &result))
	}
	forgetSecrets(&f)
	return q.showForm(http.StatusOK, f, &result)
}

// toBridge shows the form by which an integration gets a bridge in place of its source.
func (c *Console) toBridge(q *request) error {
	found, err := c.hub.Integration(q.Context(), q.key())
	if err != nil {
		return err
	}
	return q.showForm(http.StatusOK, c.bridgeForm(q, found), nil)
}

// bridgeForm is the form of an integration that gets a bridge in place of its source.
func (c *Console) bridgeForm(q *request, found hub.IntegrationView) view.IntegrationForm {
	is := found.Integration
	is.Source, is.OAuth = "", nil
	f := c.formOf(q, is)
	f.Action, f.Back = view.IntegrationPath(is.Key, "bridge"), view.IntegrationPath(is.Key, "source")
	if found.Source != "" {
		f.Says = whatAnotherSourceDoes(q, found)
	}
	if len(f.Rows) == 0 {
		f.Rows = firstRows()
	}
	return f
}

// firstRows are the auth fields that most bridges have.
func firstRows() []view.AuthRow {
	return []view.AuthRow{{Field: registry.Field{Name: "username", Type: "text"}}, {Field: registry.Field{Name: "password", Type: "password"}}}
}

func (c *Console) changeIntegration(q *request) error {
	found, err := c.hub.Integration(q.Context(), q.key())
	if err != nil {
		return err
	}
	return c.change(q, found.Integration, c.formOf(q, found.Integration))
}

// changeToBridge gives an integration a bridge in place of its source.
func (c *Console) changeToBridge(q *request) error {
	found, err := c.hub.Integration(q.Context(), q.key())
	if err != nil {
		return err
	}
	was := found.Integration
	was.Source, was.OAuth = "", nil
	return c.change(q, was, c.bridgeForm(q, found))
}

// change saves, tries, or adds a field to what was typed. was is the integration as far as the form does not say it.
func (c *Console) change(q *request, was registry.Integration, f view.IntegrationForm) error {
	q.readForm(&f)
	for n := range f.Rows {
		f.Rows[n].Set = slices.Contains(was.AuthSet, f.Rows[n].Name)
	}
	if q.PostForm.Get("do") == "add-field" {
		f.Rows = append(f.Rows, view.AuthRow{})
		forgetSecrets(&f)
		return q.showForm(http.StatusOK, f, nil)
	}
	i, auth, problem := integrationOf(f, was)
	q.addSecret(auth)
	if problem != nil {
		return q.refuseOrTell(f, problem.With(renamed(problemOf(c.hub.CheckChange(q.Context(), i, auth)), f.FieldOf)))
	}
	if q.PostForm.Get("do") == "test" {
		all, err := c.withKept(q, was, i, auth)
		if err != nil {
			return err
		}
		return c.tryDraft(q, f, i, all)
	}
	for _, name := range was.AuthSet { // what has no row any more is removed
		gone := !slices.ContainsFunc(f.Rows, func(row view.AuthRow) bool { return row.Name == name })
		if _, given := auth[name]; gone && !given && name != clientSecret {
			auth[name] = ""
		}
	}
	if err := c.hub.ChangeIntegration(q.Context(), i, auth); err != nil {
		return q.refuseFor(f, err, f.FieldOf)
	}
	return q.redirect(view.IntegrationPath(i.Key), "changed")
}

// withKept adds the values that are kept to those that were typed, to try a change with. They go only where they went before.
func (c *Console) withKept(q *request, was, is registry.Integration, typed map[string]string) (map[string]string, error) {
	if !q.actor.May(registry.ScopeWrite, was.Account) {
		return typed, nil
	}
	now, kept, err := c.hub.Registry.Configured(q.Context(), was.Key)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(kept)
	maps.Copy(all, typed)
	if hub.NewDestination(now, kept, is, all) != "" {
		return typed, nil
	}
	return all, nil
}
