package api

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// IntegrationSettings are an integration's settings: everything but its names and its auth values.
type IntegrationSettings struct {
	Bridge     string           `json:"bridge,omitempty" maxLength:"2048" doc:"URL of the contact_sync endpoint. It may hold {{field}} placeholders of the fields' values. Absent where there is a source."`
	Source     map[string]any   `json:"source,omitempty" doc:"Instead of bridge: the external service, which the hub reads itself: kind, and that kind's keys as in a bridge's configuration. All of it is sealed, so that only the kind is shown; sent with nothing but its kind, it stays as it is."`
	Phones     map[string]any   `json:"phones,omitempty" doc:"Of a source: what happens to phone numbers, as in a bridge's configuration. Sealed with the source, and given with it."`
	ItsAgents  map[string]any   `json:"source_agents,omitempty" doc:"Of a source: what its agents come from, as agents in a bridge's configuration. Sealed with the source, and given with it."`
	Page       map[string]any   `json:"page,omitempty" doc:"Of a source: when a page ends, as in a bridge's configuration. Sealed with the source, and given with it."`
	Validation string           `json:"validation,omitempty" maxLength:"2048" doc:"URL of the auth_validation endpoint. Absent: credentials are tried on the first page."`
	Agents     string           `json:"agents,omitempty" maxLength:"2048" doc:"URL of the agent_sync endpoint. Absent: agents are not synchronized."`
	Fields     []registry.Field `json:"fields,omitempty" maxItems:"50" doc:"What the auth object holds. Absent: whatever values are set."`
	OAuth      *registry.OAuth  `json:"oauth,omitempty" doc:"How it gets an access token. Absent: it needs none."`
	Schedule   scheduleView     `json:"schedule,omitzero" doc:"When it runs. Default: every 30 minutes."`
	Limits     limitsView       `json:"limits,omitzero" doc:"What one run may take, up to the ceilings of the hub's configuration."`
	Guard      *guardView       `json:"guard,omitempty" doc:"Stands in front of deletions. Default: 20 % and more than 10 contacts."`
	Priority   int              `json:"priority,omitempty" minimum:"1" maximum:"1000000" doc:"Of its contacts where several have the number of a call: 1 goes before 2. Absent: after all that have one."`
	Role       string           `json:"role,omitempty" enum:"contacts,block,allow" doc:"What its contacts are. block: numbers to block. allow: numbers that are not blocked, whatever block lists say. Default: contacts."`
	Paused     bool             `json:"paused,omitempty" doc:"It runs only when it is asked to."`
}

type scheduleView struct {
	Every *duration `json:"every,omitempty" doc:"How often: 10s or more. Default: 30m."`
	Cron  string    `json:"cron,omitempty" maxLength:"200" doc:"When, instead of every: five fields, in the account's time zone."`
	Off   bool      `json:"off,omitempty" doc:"Only when it is asked to."`
	Full  *duration `json:"full,omitempty" doc:"Age of the last complete run at which the next one reads everything. 0s: never. Default: 168h."`
}

type limitsView struct {
	Pages     int64     `json:"pages,omitempty" minimum:"1" doc:"Pages of one run. Default: 1000000."`
	PageBytes int64     `json:"page_bytes,omitempty" minimum:"1" doc:"Bytes of one page. Default: 32 MiB."`
	Timeout   *duration `json:"timeout,omitempty" doc:"How long one answer may take. Default: 10s."`
	Run       *duration `json:"run,omitempty" doc:"How long a run may take; the next one goes on where it stopped. Default: 12h."`
}

type guardView struct {
	Share float64 `json:"share" minimum:"0" maximum:"1" doc:"A run that would delete more than this share of the contacts asks first: 0.2 is 20 %. 0: before any deletion."`
	Min   int64   `json:"min" minimum:"0" doc:"And more than so many of them."`
}

func (s IntegrationSettings) integration(key directory.Key) registry.Integration {
	i := registry.Integration{
		Key: key, Bridge: s.Bridge, Source: s.kind(), Validation: s.Validation, Agents: s.Agents, Fields: s.Fields, OAuth: s.OAuth, Paused: s.Paused,
		Priority: s.Priority, Role: strings.TrimPrefix(s.Role, "contacts"),
		Schedule: registry.Schedule{Every: s.Schedule.Every.orZero(), Cron: s.Schedule.Cron, Off: s.Schedule.Off, Full: s.Schedule.Full.orZero()},
		Limits: registry.Limits{
			Pages: s.Limits.Pages, PageBytes: s.Limits.PageBytes, Timeout: s.Limits.Timeout.orZero(), Run: s.Limits.Run.orZero(),
		},
	}
	if full := s.Schedule.Full; full != nil && *full == 0 {
		i.Schedule.Full = -1
	}
	if s.Guard != nil {
		i.Guard = directory.NewGuard(s.Guard.Share, s.Guard.Min)
	}
	return i
}

// kind is the source's; empty if there is none.
func (s IntegrationSettings) kind() string {
	kind, _ := s.Source["kind"].(string)
	if kind == "" && s.Source != nil {
		return "missing" // said when the source is read
	}
	return kind
}

// withSource returns the auth values with the source, where all of it is given.
func (s IntegrationSettings) withSource(auth map[string]string) (map[string]string, error) {
	if _, reserved := auth[registry.GrantValue]; reserved {
		return nil, invalid("auth", "auth: "+registry.GrantValue+" is not a name of a value.", "Write it as grant.")
	}
	_, reserved := auth[registry.SourceValue]
	if reserved {
		return nil, invalid("auth", "auth: "+registry.SourceValue+" is not a name of a value.", "Write the source below source.")
	}
	if len(s.Source) == 0 || len(s.Source) == 1 && s.kind() != "missing" {
		if s.Phones != nil || s.Page != nil || s.ItsAgents != nil {
			return nil, invalid("source", "source: phones, page and source_agents are sealed with the source, and given with it.", "Write all of the source as well.")
		}
		return auth, nil
	}
	text, err := s.sourceText()
	if err != nil {
		return nil, err
	}
	return with(auth, registry.SourceValue, text), nil
}

// sourceText is the source as package inside reads it.
func (s IntegrationSettings) sourceText() (string, error) {
	parts := map[string]any{"source": s.Source}
	if s.Phones != nil {
		parts["phones"] = s.Phones
	}
	if s.Page != nil {
		parts["page"] = s.Page
	}
	if s.ItsAgents != nil {
		parts["agents"] = s.ItsAgents
	}
	text, err := json.Marshal(parts)
	return string(text), err
}

// with returns auth values with one more.
func with(auth map[string]string, name, value string) map[string]string {
	auth = maps.Clone(auth)
	if auth == nil {
		auth = map[string]string{}
	}
	auth[name] = value
	return auth
}

// withGrant returns auth values with what a person's sign-in gave.
func withGrant(auth map[string]string, grant string) map[string]string {
	if grant == "" {
		return auth
	}
	return with(auth, registry.GrantValue, grant)
}

func viewSettings(i registry.Integration) IntegrationSettings {
	s := IntegrationSettings{
		Bridge: i.Bridge, Validation: i.Validation, Agents: i.Agents, Fields: i.Fields, OAuth: i.OAuth, Paused: i.Paused, Priority: i.Priority, Role: i.Role,
		Schedule: scheduleView{Every: someDuration(i.Schedule.Every), Cron: i.Schedule.Cron, Off: i.Schedule.Off, Full: someDuration(i.Schedule.Full)},
		Limits: limitsView{
			Pages: i.Limits.Pages, PageBytes: i.Limits.PageBytes, Timeout: someDuration(i.Limits.Timeout), Run: someDuration(i.Limits.Run),
		},
	}
	if i.Source != "" {
		s.Source = map[string]any{"kind": i.Source}
	}
	if i.Schedule.Full < 0 {
		s.Schedule.Full = new(duration)
	}
	if i.Guard != (directory.Guard{}) {
		s.Guard = &guardView{Share: i.Guard.Share, Min: i.Guard.Min}
	}
	return s
}

// An integrationView is an integration and how it stands.
type integrationView struct {
	Account string `json:"account" doc:"The account."`
	Name    string `json:"name" doc:"The integration's name, unique in its account."`
	IntegrationSettings
	Managed    bool       `json:"managed,omitempty" doc:"Declared by the configuration file, and changed there only."`
	Created    time.Time  `json:"created,omitzero" doc:"When it was added."`
	Updated    time.Time  `json:"updated,omitzero" doc:"When its settings were changed."`
	Version    int64      `json:"version" doc:"Counts changes of its settings and auth values. Send it as If-Match with a change that must not meet another one."`
	AuthSet    []string   `json:"auth_set" doc:"Names of the auth values that are set. The values are never shown."`
	Status     statusView `json:"status" doc:"How it stands."`
	Contacts   int64      `json:"contacts" doc:"Contacts in the directory."`
	Checkpoint string     `json:"checkpoint,omitempty" doc:"Where the next run starts, as the bridge says it. Absent: at the beginning."`
	Held       heldView   `json:"held,omitzero" doc:"Deletions that wait for a decision. Absent where none do."`
	LastRun    *runView   `json:"last_run,omitempty" doc:"The newest run."`
	AgentsNow  agentsNow  `json:"agents_status,omitzero" doc:"How its agents stand. Absent where they were never synchronized."`
}

// agentsNow says how agents stand.
type agentsNow struct {
	Agents int64     `json:"agents" doc:"Agents in the directory."`
	Synced time.Time `json:"synced,omitzero" doc:"When they were synchronized last."`
	Error  string    `json:"error,omitempty" doc:"Why the last attempt failed."`
	Hint   string    `json:"hint,omitempty" doc:"What to do about it."`
}

type statusView struct {
	Health   string            `json:"health" enum:"new,ok,failing,guarded,broken" doc:"new: never ran. ok. failing: tried again by itself. guarded: deletions wait for a decision. broken: not tried again until a user mends it."`
	Problem  *registry.Problem `json:"problem,omitempty" doc:"What keeps it from working."`
	Failures int               `json:"failures,omitempty" doc:"Runs that failed in a row."`
	Due      time.Time         `json:"due,omitzero" doc:"When it runs next. Absent: not by itself."`
	Fresh    time.Time         `json:"fresh,omitzero" doc:"Everything that was committed before is in the directory. Absent: no run was complete yet."`
	LastFull time.Time         `json:"last_full,omitzero" doc:"Start of the last complete run that read everything."`
	Worker   string            `json:"worker,omitempty" doc:"The process that works on it."`
	Until    time.Time         `json:"until,omitzero" doc:"When its claim ends if it shows no sign of life."`
	Asked    registry.Ask      `json:"asked" doc:"What was asked for and has not happened yet."`
}

func viewIntegration(i hub.IntegrationView) integrationView {
	v := integrationView{
		Account: i.Account, Name: i.Integration.Integration, IntegrationSettings: viewSettings(i.Integration), Managed: i.Managed, Created: i.Created,
		Held: heldView(i.State.Held), Updated: i.Updated, Version: i.Version, AuthSet: append([]string{}, i.AuthSet...), Contacts: i.State.Contacts, Checkpoint: i.State.Checkpoint,
		Status: statusView{
			Health: string(i.Status.Health), Problem: i.Status.Problem, Failures: i.Status.Failures, Due: i.Status.Due, Fresh: i.Status.Fresh,
			LastFull: i.Status.LastFull, Worker: i.Status.Worker, Until: i.Status.Until, Asked: i.Status.Asked,
		},
	}
	if v.Status.Health == "" {
		v.Status.Health = string(registry.HealthNew)
	}
	v.AgentsNow = agentsNow{Agents: i.State.Agents.Count, Synced: i.State.Agents.Synced, Error: i.State.Agents.Error, Hint: i.State.Agents.Hint}
	if i.State.LastRun != nil {
		run := viewRun(*i.State.LastRun)
		v.LastRun = &run
	}
	return v
}

// A runView is one pass over an integration's pages.
type runView struct {
	ID         int64     `json:"id" doc:"Its number."`
	Kind       string    `json:"kind" enum:"initial,incremental" doc:"initial: every contact. incremental: those that changed."`
	State      string    `json:"state" enum:"running,done,failed,guarded,abandoned" doc:"How it stands. guarded: complete, but its deletions wait for a decision. abandoned: a newer run took its place."`
	Started    time.Time `json:"started,omitzero" doc:"When it started."`
	Finished   time.Time `json:"finished,omitzero" doc:"When it ended. Absent while it is under way."`
	Seconds    float64   `json:"seconds" doc:"How long it took, so far."`
	Error      string    `json:"error,omitempty" doc:"Why it failed, or why its deletions wait."`
	Hint       string    `json:"hint,omitempty" doc:"What to do about the error."`
	Resumed    bool      `json:"resumed,omitempty" doc:"It went on from where it had died or failed."`
	Since      string    `json:"since,omitempty" doc:"The checkpoint that it started from."`
	Checkpoint string    `json:"checkpoint,omitempty" doc:"The last checkpoint of its pages."`
	Pages      int64     `json:"pages" doc:"Pages."`
	Contacts   int64     `json:"contacts" doc:"Contacts that were stored or found unchanged."`
	Created    int64     `json:"created" doc:"New ones."`
	Updated    int64     `json:"updated" doc:"Changed ones."`
	Unchanged  int64     `json:"unchanged" doc:"Unchanged ones."`
	Deleted    int64     `json:"deleted" doc:"Deleted ones."`
	Rejected   int64     `json:"rejected" doc:"Those that could not be taken."`
	Bytes      int64     `json:"bytes" doc:"Bytes of the answers."`
	Judged     bool      `json:"judged" doc:"It was complete and could tell who is gone: contacts that it did not show were deleted, or wait for a decision."`
	Doubt      string    `json:"doubt,omitempty" enum:"incremental,interrupted,offset_refused,rejected_without_id" doc:"Why it cannot tell. incremental: it asks only for what changed. interrupted: it was resumed at an offset that is not known to be an exact position. offset_refused: it went on from a checkpoint. rejected_without_id: a contact without an id could not be taken."`
}

func viewRun(r directory.Run) runView {
	v := runView{
		ID: r.ID, Kind: string(r.Kind), State: string(r.State), Started: r.Started, Finished: r.Finished, Error: r.Error, Hint: r.Hint, Resumed: r.Resumed,
		Since: r.Since, Checkpoint: r.Checkpoint, Pages: r.Pages, Contacts: r.Contacts, Created: r.Created, Updated: r.Counts.Updated,
		Unchanged: r.Unchanged, Deleted: r.Deleted, Rejected: r.Rejected, Bytes: r.Bytes, Judged: r.Judged(), Doubt: string(r.Evidence.Doubt),
	}
	end := r.Finished
	if end.IsZero() {
		end = r.Updated
	}
	if !r.Started.IsZero() && end.After(r.Started) {
		v.Seconds = end.Sub(r.Started).Seconds()
	}
	return v
}
