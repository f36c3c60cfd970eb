package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// CheckIntegration says all that is wrong with an integration that is to be added, without its account; see [Errors].
func (h *Hub) CheckIntegration(ctx context.Context, i registry.Integration, auth map[string]string) error {
	return errors.Join(h.checkOrigin(ctx, i, auth), checkIntegration(i, auth), h.checkCeilings(ctx, registry.Limits{}, i.Limits))
}

// AddIntegration adds an integration; auth holds its auth values, and client_secret where OAuth needs one.
func (h *Hub) AddIntegration(ctx context.Context, i registry.Integration, auth map[string]string) error {
	if err := permit(ctx, registry.ScopeWrite, i.Account); err != nil {
		return err
	}
	if _, err := h.Account(ctx, i.Account); err != nil {
		return err
	}
	if err := h.CheckIntegration(ctx, i, auth); err != nil {
		return err
	}
	if err := missingInput(i, auth); err != nil {
		return err
	}
	auth, learned, err := h.activate(ctx, i, nil, auth)
	if err != nil {
		return err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	i.Managed = managed(ctx, i.Managed)
	if i, err = h.withFiles(ctx, i, auth); err != nil {
		return err
	}
	auth, pending, err := h.takeGrant(ctx, i, auth)
	if err != nil {
		return err
	}
	if err := h.Registry.AddConnected(ctx, i, auth, pending); err != nil {
		switch {
		case errors.Is(err, registry.ErrChanged):
			return usedGrant()
		case errors.Is(err, registry.ErrExists):
			return &failure.Error{
				Code: failure.Conflict, Field: "name", Message: fmt.Sprintf("there is an integration %q in the account %s already", i.Key.Integration, i.Account),
				Hint: "Choose another name, or change that one.",
			}
		case errors.Is(err, registry.ErrGoing):
			return &failure.Error{
				Code: failure.Conflict, Field: "name", Message: fmt.Sprintf("an integration %q is still being removed from the account %s", i.Key.Integration, i.Account),
				Hint: "Try again in a moment, or choose another name.",
			}
		}
		return err
	}
	h.accounts.forget(i.Account)
	if err := h.learn(ctx, i, learned); err != nil {
		return err
	}
	from := "host " + hostOf(i.Bridge)
	if i.Source != "" {
		from = "source " + i.Source
	}
	return h.Note(ctx, "integration.add", i.Account, i.Key.Integration, from)
}

// CheckChange says all that is wrong with a change of an integration; see [Errors]. auth are the auth values that are named.
func (h *Hub) CheckChange(ctx context.Context, i registry.Integration, auth map[string]string) error {
	if err := permit(ctx, registry.ScopeWrite, i.Account); err != nil {
		return err
	}
	was, err := h.integration(ctx, i.Key)
	if err != nil {
		return err
	}
	all, err := h.Registry.Auth(ctx, i.Key)
	if err != nil {
		return err
	}
	all = maps.Clone(all)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, auth)
	return errors.Join(h.checkOrigin(ctx, i, all), checkIntegration(i, all), h.checkCeilings(ctx, was.Limits, i.Limits))
}

const changeAttempts = 8 // of a change that meets others

// ChangeIntegration replaces an integration's configuration, and the auth values that are named: all of it or nothing, whatever
// becomes of the caller. Where i.Version is not 0 and the integration has another version by now, another user has changed it,
// and this is a [failure.Conflict].
func (h *Hub) ChangeIntegration(ctx context.Context, i registry.Integration, auth map[string]string) error {
	if err := permit(ctx, registry.ScopeWrite, i.Account); err != nil {
		return err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := h.changeIntegration(ctx, i, auth)
		if !errors.Is(err, registry.ErrChanged) {
			return err
		}
		if i.Version != 0 || attempt == changeAttempts {
			return &failure.Error{
				Code: failure.Conflict, Message: "the integration " + i.Key.Integration + " was changed by another user meanwhile",
				Hint: "Look at how it is now, and make your change again.",
			}
		}
	}
}

// changeIntegration changes an integration if it is still as it was judged: what may be sent where depends on all of it.
func (h *Hub) changeIntegration(ctx context.Context, i registry.Integration, auth map[string]string) error {
	was, kept, err := h.configured(ctx, i.Key)
	if err != nil {
		return err
	}
	if i.Version != 0 && i.Version != was.Version {
		return registry.ErrChanged
	}
	if err := unmanaged(ctx, was.Managed, "the integration "+i.Key.Integration); err != nil {
		return err
	}
	if was.OAuth != nil && i.OAuth == nil {
		auth = without(clientSecret, kept, auth)
	}
	if was.Source != "" && i.Source == "" {
		auth = without(registry.SourceValue, kept, auth)
	}
	all := map[string]string{}
	maps.Copy(all, kept)
	maps.Copy(all, auth)
	if err := errors.Join(h.checkOrigin(ctx, i, all), checkIntegration(i, all), h.checkCeilings(ctx, was.Limits, i.Limits)); err != nil {
		return err
	}
	if err := errors.Join(staysPut(was, kept, i, all, auth), staysWithSource(was, kept, i, all, auth)); err != nil {
		return err
	}
	named := auth
	auth, learned, err := h.activate(ctx, i, kept, auth)
	if err != nil {
		return err
	}
	i.Managed, i.Version = managed(ctx, i.Managed), was.Version
	if i, err = h.withFiles(ctx, i, all); err != nil {
		return err
	}
	auth, pending, err := h.takeGrant(ctx, i, auth)
	if err != nil {
		return err
	}
	// Tokens that a provider gave were not given for a new place either, nor for another client.
	elsewhere := NewDestination(was, kept, i, all) != "" || h.otherService(was, kept, i, all)
	change := registry.Change{Auth: auth, Pending: pending, ForgetTokens: elsewhere || otherTokens(was.OAuth, i.OAuth) || otherOwner(i, kept, all)}
	if err := h.Registry.ChangeIntegration(ctx, i, change); err != nil {
		return err
	}
	h.accounts.forget(i.Account) // look-ups go by it
	if change.ForgetTokens {
		h.unsaved.Delete(owner(i.Key))
	}
	if err := h.learn(ctx, i, learned); err != nil {
		return err
	}
	if was.Status.Health == registry.HealthBroken {
		if err := h.Registry.Ask(ctx, i.Key, registry.Ask{Run: true}); err != nil { // it may be mended now
			return err
		}
		h.wake()
	}
	return h.Note(ctx, "integration.change", i.Account, i.Key.Integration, strings.Join(changes(was, i, named), ", "))
}

// without takes a value away with what it was for, such as the client's secret with OAuth: the bridge would be sent it otherwise.
func without(name string, kept, given map[string]string) map[string]string {
	_, there := kept[name]
	if _, anew := given[name]; anew || !there {
		return given
	}
	given = maps.Clone(given)
	if given == nil {
		given = map[string]string{}
	}
	given[name] = ""
	return given
}

// changes names what a change touches, without any value that might be secret.
func changes(was, is registry.Integration, auth map[string]string) (what []string) {
	for _, c := range []struct {
		name    string
		changed bool
	}{
		{"bridge", was.Bridge != is.Bridge},
		{"source", was.Source != is.Source || auth[registry.SourceValue] != ""},
		{"validation", was.Validation != is.Validation},
		{"agents", was.Agents != is.Agents},
		{"schedule", was.Schedule != is.Schedule},
		{"limits", was.Limits != is.Limits},
		{"guard", was.Guard != is.Guard},
		{"paused", was.Paused != is.Paused},
		{"fields", !slices.Equal(was.Fields, is.Fields)},
		{"oauth", !reflect.DeepEqual(was.OAuth, is.OAuth)},
	} {
		if c.changed {
			what = append(what, c.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(auth)) {
		if name != registry.SourceValue && name != registry.GrantValue {
			what = append(what, "auth "+name)
		}
	}
	return what
}

// integration returns an integration, or an error that says that it does not exist.
func (h *Hub) integration(ctx context.Context, key directory.Key) (registry.Integration, error) {
	if !visible(ctx, key.Account) {
		return registry.Integration{}, missing("account", key.Account)
	}
	i, err := h.Registry.Integration(ctx, key)
	if errors.Is(err, registry.ErrNotFound) {
		return i, missing("integration", key.Integration)
	}
	return i, err
}

// configured is integration with the auth values of the same moment.
func (h *Hub) configured(ctx context.Context, key directory.Key) (registry.Integration, map[string]string, error) {
	if !visible(ctx, key.Account) {
		return registry.Integration{}, nil, missing("account", key.Account)
	}
	i, given, err := h.Registry.Configured(ctx, key)
	if errors.Is(err, registry.ErrNotFound) {
		return i, nil, missing("integration", key.Integration)
	}
	return i, given, err
}

// Integration returns one.
func (h *Hub) Integration(ctx context.Context, key directory.Key) (IntegrationView, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return IntegrationView{}, err
	}
	i, err := h.integration(ctx, key)
	if err != nil {
		return IntegrationView{}, err
	}
	state, err := h.store.State(ctx, key)
	return IntegrationView{Integration: asKnown(i, h.storage.problems()), State: state}, err
}

// Integrations lists an account's by name; all that the actor may see where account is empty. At most limit (0: all) after
// a key.
func (h *Hub) Integrations(ctx context.Context, account string, after directory.Key, limit int) ([]IntegrationView, error) {
	if account != "" {
		if err := permitAny(ctx, account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
			return nil, err
		}
	}
	list, err := ofAccounts(ctx, account, readable, func(one string) ([]registry.Integration, error) {
		from := after
		switch {
		case account != "" || one == "" || one == after.Account:
		case one < after.Account:
			return nil, nil
		default:
			from = directory.Key{Account: one}
		}
		return h.Registry.Integrations(ctx, one, from, limit)
	})
	if err != nil {
		return nil, err
	}
	if limit > 0 {
		list = list[:min(len(list), limit)]
	}
	states, err := h.states(ctx, account)
	if err != nil {
		return nil, err
	}
	views, unwritten := make([]IntegrationView, 0, len(list)), h.storage.problems()
	for _, i := range list {
		state, ok := states[i.Key]
		if !ok {
			state.Key = i.Key
		}
		views = append(views, IntegrationView{Integration: asKnown(i, unwritten), State: state})
	}
	return views, nil
}

func (h *Hub) states(ctx context.Context, account string) (map[directory.Key]directory.State, error) {
	list, err := h.store.States(ctx, account)
	states := make(map[directory.Key]directory.State, len(list))
	for _, s := range list {
		states[s.Key] = s
	}
	return states, err
}

// Ask asks for a run, a full one, or the end of the run under way.
func (h *Hub) Ask(ctx context.Context, key directory.Key, ask registry.Ask) error {
	if err := permit(ctx, registry.ScopeControl, key.Account); err != nil {
		return err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return err
	}
	if ask.Full {
		ask.Run = true
	}
	if err := h.Registry.Ask(ctx, key, ask); err != nil {
		return err
	}
	if ask.Cancel {
		h.working.stop(key, errCancelled)
	}
	action := "integration.run"
	switch {
	case ask.Full:
		action = "integration.full_run"
	case ask.Cancel:
		action = "integration.cancel"
	}
	h.wake()
	return h.Note(ctx, action, key.Account, key.Integration, "")
}

// Pause pauses or resumes an integration.
func (h *Hub) Pause(ctx context.Context, key directory.Key, paused bool) error {
	if err := permit(ctx, registry.ScopeControl, key.Account); err != nil {
		return err
	}
	i, err := h.integration(ctx, key)
	if err != nil {
		return err
	}
	if err := unmanaged(ctx, i.Managed, "the integration "+key.Integration); err != nil {
		return err
	}
	if err := h.Registry.Pause(ctx, key, paused); err != nil {
		return err
	}
	h.accounts.forget(key.Account) // paused sources are not asked
	action := "integration.resume"
	if paused {
		action = "integration.pause"
	}
	h.wake()
	return h.Note(ctx, action, key.Account, key.Integration, "")
}

// Runs lists an integration's runs, newest first: those before an ID, or from the newest on where it is 0.
func (h *Hub) Runs(ctx context.Context, key directory.Key, before int64, limit int) ([]directory.Run, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return nil, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return nil, err
	}
	return h.store.Runs(ctx, key, before, limit)
}

// Rejected lists what an integration's newest runs could not take, newest first: those before a Seq, or from the newest on
// where it is 0.
func (h *Hub) Rejected(ctx context.Context, key directory.Key, before int64, limit int) ([]directory.Rejected, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return nil, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return nil, err
	}
	return h.store.Rejected(ctx, key, before, limit)
}

// checkOrigin says all that is wrong with what an integration's contacts come from, and with asking it.
func (h *Hub) checkOrigin(ctx context.Context, i registry.Integration, auth map[string]string) error {
	if err := h.checkSource(ctx, i, auth); err != nil {
		return err
	}
	return h.checkAsk(ctx, i, auth)
}

// checkIntegration refuses what cannot be meant; auth are all of its auth values.
func checkIntegration(i registry.Integration, auth map[string]string) error {
	problems := []error{checkName("name", i.Key.Integration), checkFields(i.Fields), checkPassing(i)}
	sent, err := authValues(i, auth)
	if err != nil {
		problems = append(problems, err) // an address may hold the missing value: it is judged when that is there
	} else if i.Source == "" {
		problems = append(problems, checkURL("bridge", i.Bridge, sent))
		if i.Validation != "" {
			problems = append(problems, checkURL("validation", i.Validation, sent))
		}
		if i.Agents != "" {
			problems = append(problems, checkURL("agents", i.Agents, sent))
		}
	}
	problems = append(problems, checkSchedule(i.Schedule), checkOAuth(i.OAuth, auth))
	if i.Guard.Share < 0 || i.Guard.Share > 1 || i.Guard.Min < 0 {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: "guard", Message: "the guard's share must be from 0 to 1, and its least number not below 0", Hint: "0.2 is 20 %."})
	}
	if i.Limits.Pages < 0 || i.Limits.PageBytes < 0 || i.Limits.Timeout < 0 || i.Limits.Run < 0 {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: "limits", Message: "a limit is below 0", Hint: "Leave it out for its default."})
	}
	if _, err := caller.ParseRole(i.Role); err != nil {
		problems = append(problems, err)
	}
	if i.Priority < 0 {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: "priority", Message: "the priority is below 0", Hint: "1 goes before 2; 0 is none."})
	}
	return errors.Join(problems...)
}

// fieldTypes are the types that an auth field may have.
var fieldTypes = []string{"", "text", "password", "uri"}

// fieldSources are the sources that an auth field may have.
var fieldSources = []string{"", registry.SourceInput, registry.SourceDefault, registry.SourceValidation}

// checkPassing refuses fields that make sense only where the bridge validates.
func checkPassing(i registry.Integration) error {
	for n, f := range i.Fields {
		passing := f.Store == registry.NotKept
		field := fmt.Sprintf("fields[%d]", n)
		switch {
		case i.Validation == "" && (passing || f.Source == registry.SourceValidation):
			return &failure.Error{
				Code: failure.Invalid, Field: field, Message: "the field " + f.Name + " needs the URL of an auth_validation endpoint",
				Hint: "Set validation: a value that is not kept is sent there, and a value of the source auth_validation comes from there.",
			}
		case passing && i.Managed:
			return &failure.Error{
				Code: failure.Invalid, Field: field, Message: "the field " + f.Name + " is not kept, so a person has to type it in",
				Hint: "Add the integration in the console, by the API or on the command line, or leave store out.",
			}
		}
	}
	return nil
}

func checkFields(fields []registry.Field) error {
	seen := map[string]bool{}
	for n, f := range fields {
		invalid := func(field, message, hint string) error {
			return &failure.Error{Code: failure.Invalid, Field: fmt.Sprintf("fields[%d].%s", n, field), Message: message, Hint: hint}
		}
		switch {
		case !fieldName.MatchString(f.Name):
			return invalid("name", fmt.Sprintf("%q cannot be the name of an auth field", f.Name), "Use letters, digits, underscore, hyphen and dot, at most 64.")
		case seen[f.Name]:
			return invalid("name", fmt.Sprintf("there are two auth fields %q", f.Name), "Describe each field once.")
		case !slices.Contains(fieldTypes, f.Type):
			return invalid("type", fmt.Sprintf("unknown type %q", f.Type), "Choose text, password or uri.")
		case !slices.Contains(fieldSources, f.Source):
			return invalid("source", fmt.Sprintf("unknown source %q", f.Source), "Choose input, default or auth_validation.")
		case f.Source == registry.SourceDefault && f.Default == "":
			return invalid("default", "a field with the source default needs one", "Write its value as default, or let a person give it: input.")
		case f.Format != "" && len(placeholder.FindAllString(f.Format, -1)) != 1:
			return invalid("format", "the format does not say where what is typed goes", "Write one {{name}} into it: https://{{account}}.example.com")
		}
		seen[f.Name] = true
	}
	return nil
}

var fieldName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func checkSchedule(s registry.Schedule) error {
	ways := 0
	for _, set := range []bool{s.Every != 0, s.Cron != "", s.Off} {
		if set {
			ways++
		}
	}
	switch {
	case s.Cron != "" && ways > 1:
		return &failure.Error{Code: failure.Invalid, Field: "schedule", Message: "it has more than one schedule", Hint: "Choose one of every, cron and off."}
	case s.Every != 0 && s.Every < registry.MinEvery:
		return &failure.Error{Code: failure.Invalid, Field: "every", Message: fmt.Sprintf("it cannot run every %s", s.Every), Hint: fmt.Sprintf("The least is %s.", registry.MinEvery)}
	case s.Every > 366*24*time.Hour:
		return &failure.Error{Code: failure.Invalid, Field: "every", Message: fmt.Sprintf("every %s is too seldom to be meant", s.Every), Hint: "The most is a year. To run it only when asked, say off."}
	}
	if s.Cron != "" {
		if _, err := cron.ParseStandard(s.Cron); err != nil {
			return &failure.Error{
				Code: failure.Invalid, Field: "cron", Message: fmt.Sprintf("%q is not a schedule", s.Cron),
				Hint: "Write minute, hour, day of the month, month and day of the week: 15 6-20 * * 1-5",
			}
		}
	}
	return nil
}

// checkURL checks an address with its placeholders filled in.
func checkURL(field, text string, values map[string]string) error {
	filled, err := fill(text, values)
	if err != nil {
		return &failure.Error{Code: failure.Invalid, Field: field, Message: "the " + field + " URL " + err.Error(), Hint: "Give that auth field a value, or correct its name in the URL."}
	}
	u, err := url.Parse(filled)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return &failure.Error{Code: failure.Invalid, Field: field, Message: "the " + field + " is not an http or https URL", Hint: "Write it as " + exampleOf(field)}
	case u.User != nil:
		hint := "Put them into auth."
		if field == "url" { // a webhook's
			hint = "Leave them out: the receiver knows the hub by the signature."
		}
		return &failure.Error{Code: failure.Invalid, Field: field, Message: "the " + field + " URL holds credentials, which would be shown", Hint: hint}
	}
	return nil
}

// exampleOf is an address that would do for a field.
func exampleOf(field string) string {
	switch field {
	case "bridge":
		return "https://bridge.example.com/crm/contact_sync"
	case "validation":
		return "https://bridge.example.com/crm/auth_validation"
	case "agents":
		return "https://bridge.example.com/crm/agent_sync"
	case "token_url", "authorize_url":
		return "https://login.example.com/oauth"
	}
	return "https://example.com/path"
}

var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}`)

// fill puts values where {{name}} stands.
func fill(text string, values map[string]string) (string, error) {
	var unknown string
	filled := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name := placeholder.FindStringSubmatch(match)[1]
		value, ok := values[name]
		if !ok || value == "" {
			unknown = name
		}
		return value
	})
	if unknown != "" {
		return "", fmt.Errorf("needs the auth field %s, which has no value", unknown)
	}
	return filled, nil
}

// authValues returns the values that are sent: every field in its format, with its default where nothing was given. What no field describes
// is sent as it is.
func authValues(i registry.Integration, given map[string]string) (map[string]string, error) {
	values := map[string]string{}
	for name, value := range given {
		if value != "" && name != registry.SourceValue && name != registry.GrantValue {
			values[name] = value
		}
	}
	var missing []error
	for _, f := range i.Fields {
		value := values[f.Name]
		if value == "" || f.Source == registry.SourceDefault {
			value = f.Default
		}
		if value == "" {
			if f.Mandatory && f.Source != registry.SourceValidation && f.Store == registry.Kept {
				missing = append(missing, &failure.Error{Code: failure.Invalid, Field: "auth." + f.Name, Message: fmt.Sprintf("the auth field %s has no value", label(f)), Hint: hintFor(f)})
			}
			continue
		}
		values[f.Name] = formatted(f, value)
	}
	if len(missing) > 0 {
		return nil, errors.Join(missing...)
	}
	return values, nil
}

func label(f registry.Field) string {
	if f.Display != "" && f.Display != f.Name {
		return fmt.Sprintf("%s (%s)", f.Name, f.Display)
	}
	return f.Name
}

func hintFor(f registry.Field) string {
	if f.Help != "" {
		return f.Help
	}
	return "The bridge needs it."
}

// formatted is a field's value in its format, https://{{account}}.example.com; a user who typed the whole of it meant that.
func formatted(f registry.Field, value string) string {
	m := placeholder.FindStringIndex(f.Format)
	if m == nil {
		return value
	}
	before, after := f.Format[:m[0]], f.Format[m[1]:]
	if strings.HasPrefix(value, before) && strings.HasSuffix(value, after) {
		return value
	}
	return before + value + after
}
