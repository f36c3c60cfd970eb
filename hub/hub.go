// Package hub is the synchronizer as a service: it runs many integrations by their schedules, answers who is calling, and
// keeps account of what was done and by whom. The HTTP API, the console and the command line all work through a [Hub], so
// what is allowed and what is written into the audit log is decided here, once.
package hub

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A Hub is one process's part of a hub: several on one database work together.
type Hub struct {
	// Registry and Store are the hub's databases.
	Registry *registry.DB
	Store    directory.Store
	// Outbound sends every request to an address that somebody typed: bridges, token endpoints, webhooks.
	Outbound http.RoundTripper
	Logger   *slog.Logger // nil logs nothing
	Options  Options
	// Observe is told of every run that ended in this process, whatever came of it, before its claim is given back; nil:
	// nobody is.
	Observe func(directory.Run)

	hubState
}

// hubState is what a hub keeps in memory.
type hubState struct{}

// Options say how a hub works. Zero fields mean their defaults.
type Options struct {
	Name       string        // of this process among those on one database; default: host name and pid
	Workers    int           // runs at once in this process; default 8
	PerHost    int           // runs at once against one bridge host in this process; default 4
	KeepRuns   time.Duration // history of runs, events and rejections; default 90 days
	KeepAudit  time.Duration // default and least: a year
	PublicURL  string        // where browsers reach the hub, for OAuth; empty: what listens
	RetryFirst time.Duration // before a failed run is tried again; doubles up to the schedule's interval; default 30 s
}

// An Error is what a hub says where somebody can do something about it.
type Error struct {
	Kind    ErrorKind
	Message string // what happened
	Hint    string // what to do
	Field   string // what it is about, as the API calls it; empty: the whole
	Err     error  // the cause; may be nil
}

// An ErrorKind decides the HTTP status and a command's exit status.
type ErrorKind string

// The kinds of error.
const (
	Invalid  ErrorKind = "invalid"   // 422: what was given cannot be
	NotFound ErrorKind = "not_found" // 404
	Conflict ErrorKind = "conflict"  // 409: exists already, is under way
	Managed  ErrorKind = "managed"   // 409: declared by the configuration file
	Denied   ErrorKind = "denied"    // 403
)

// Error returns the message and, where there is one, the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// An Actor is who does something, for the audit log and for what is allowed.
type Actor struct {
	Name     string // "user jane", "token pbx", "file hub.yaml", "command line"
	Accounts []string
	All      bool // every account
	Scopes   []registry.Scope
	File     bool // the configuration file: may change what it declares
}

// WithActor gives a context to everything that the actor does. What a hub does without one, it does by itself, and may.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is who does something; ok is false where the hub does it by itself.
func ActorOf(ctx context.Context) (a Actor, ok bool) {
	a, ok = ctx.Value(actorKey{}).(Actor)
	return a, ok
}

type actorKey struct{}

// May reports whether the actor may do something in an account; empty: in all of them.
func (a Actor) May(scope registry.Scope, account string) bool { return false }

var errNotBuilt = errors.New("not built")

// Work runs what is due until ctx is done, then waits for the runs under way to stop at a page's end: schedules, retries,
// take-over, events, webhooks, pruning.
func (h *Hub) Work(ctx context.Context) error { return errNotBuilt }

// PutAccount makes or changes an account.
func (h *Hub) PutAccount(ctx context.Context, a registry.Account) error { return errNotBuilt }

// Account returns one account.
func (h *Hub) Account(ctx context.Context, name string) (registry.Account, error) {
	return registry.Account{}, errNotBuilt
}

// Accounts lists the accounts that the actor may see, by name.
func (h *Hub) Accounts(ctx context.Context) ([]registry.Account, error) { return nil, errNotBuilt }

// RemoveAccount removes an account with everything in it.
func (h *Hub) RemoveAccount(ctx context.Context, name string) error { return errNotBuilt }

// AddIntegration adds an integration; auth holds its auth values, and client_secret where OAuth needs one.
func (h *Hub) AddIntegration(ctx context.Context, i registry.Integration, auth map[string]string) error {
	return errNotBuilt
}

// ChangeIntegration replaces an integration's configuration, and the auth values that are named.
func (h *Hub) ChangeIntegration(ctx context.Context, i registry.Integration, auth map[string]string) error {
	return errNotBuilt
}

// RemoveIntegration removes an integration and its contacts.
func (h *Hub) RemoveIntegration(ctx context.Context, key directory.Key) error { return errNotBuilt }

// An IntegrationView is an integration and how it stands.
type IntegrationView struct {
	registry.Integration
	State directory.State // contacts, checkpoint, newest run
}

// Integration returns one.
func (h *Hub) Integration(ctx context.Context, key directory.Key) (IntegrationView, error) {
	return IntegrationView{}, errNotBuilt
}

// Integrations lists an account's by name; all that the actor may see where account is empty. At most limit (0: all) behind
// a key.
func (h *Hub) Integrations(ctx context.Context, account string, after directory.Key, limit int) ([]IntegrationView, error) {
	return nil, errNotBuilt
}

// A TestResult says what came of trying an integration.
type TestResult struct {
	OK       bool              `json:"ok"`
	Checked  string            `json:"checked"`            // what was asked: "auth_validation" or "first page"
	Contacts int               `json:"contacts,omitempty"` // on the first page
	Sample   []contact.Contact `json:"sample,omitempty"`   // the first few of them
	Stored   []string          `json:"stored,omitempty"`   // names of the auth values that the bridge gave and that are sent from now on (P13)
	Problem  *registry.Problem `json:"problem,omitempty"`
	Seconds  float64           `json:"seconds"`
}

// Test tries an integration's credentials: its auth validation endpoint where it has one, whose 200 may give values that are
// kept (P13); or else the first page. What is wrong with the bridge is the result's Problem, not an error.
func (h *Hub) Test(ctx context.Context, key directory.Key) (TestResult, error) {
	return TestResult{}, errNotBuilt
}

// TestDraft is Test for an integration that is not kept yet; nothing is stored.
func (h *Hub) TestDraft(ctx context.Context, i registry.Integration, auth map[string]string) (TestResult, error) {
	return TestResult{}, errNotBuilt
}

// Ask asks for a run, a full one, a yes to guarded deletions, or the end of the run under way.
func (h *Hub) Ask(ctx context.Context, key directory.Key, ask registry.Ask) error {
	return errNotBuilt
}

// Pause pauses or resumes an integration.
func (h *Hub) Pause(ctx context.Context, key directory.Key, paused bool) error { return errNotBuilt }

// Runs lists an integration's runs, newest first.
func (h *Hub) Runs(ctx context.Context, key directory.Key, limit int) ([]directory.Run, error) {
	return nil, errNotBuilt
}

// Rejected lists what an integration's newest runs could not take.
func (h *Hub) Rejected(ctx context.Context, key directory.Key, limit int) ([]directory.Rejected, error) {
	return nil, errNotBuilt
}

// A Progress is how far a run under way has come; it is known in the process that works on it.
type Progress struct {
	directory.Key
	Run  directory.Run
	Rate float64 // contacts a second, lately
	Note string  // "waiting 4 s for the bridge", …; empty while pages flow
}

// Running lists the runs under way in this process.
func (h *Hub) Running() []Progress { return nil }

// Lookup says who a number belongs to. The account's region is where it was dialled unless region says another.
func (h *Hub) Lookup(ctx context.Context, account, number, region string, opts caller.Options) (caller.Answer, error) {
	return caller.Answer{}, errNotBuilt
}

// Attribute finds the caller's own record in one integration.
func (h *Hub) Attribute(ctx context.Context, key directory.Key, subject caller.Subject) (caller.Attribution, error) {
	return caller.Attribution{}, errNotBuilt
}

// Search finds contacts while somebody types.
func (h *Hub) Search(ctx context.Context, account string, query directory.Query) ([]directory.Entry, error) {
	return nil, errNotBuilt
}

// Contact returns one contact.
func (h *Hub) Contact(ctx context.Context, key directory.Key, id string) (directory.Entry, error) {
	return directory.Entry{}, errNotBuilt
}

// A Person is one human being as all sources know them: the records that share a number or an e-mail address with the first
// one, and what they share.
type Person struct {
	Entry  directory.Entry
	Others []Kin // the nearest first
}

// Kin is another record of a person.
type Kin struct {
	directory.Entry
	Shares []string // the numbers (E.164) and addresses that both records have
}

// Person returns a contact with every other record of the same person.
func (h *Hub) Person(ctx context.Context, key directory.Key, id string) (Person, error) {
	return Person{}, errNotBuilt
}

// A PurgeResult says what a purge did.
type PurgeResult struct {
	Purged int64           `json:"purged"` // records
	Refs   []directory.Ref `json:"refs"`
}

// Purge deletes records of a person from everywhere in the hub, and keeps later runs from bringing them back (privacy
// request). The audit log says that it was done, and by whom, but not to whom.
func (h *Hub) Purge(ctx context.Context, account string, refs []directory.Ref) (PurgeResult, error) {
	return PurgeResult{}, errNotBuilt
}

// CreateToken makes a token and returns its value, which is shown this once. An empty value makes a random one.
func (h *Hub) CreateToken(ctx context.Context, t registry.Token, value string) (registry.Token, string, error) {
	return registry.Token{}, "", errNotBuilt
}

// Tokens lists an account's tokens.
func (h *Hub) Tokens(ctx context.Context, account string) ([]registry.Token, error) {
	return nil, errNotBuilt
}

// RemoveToken ends a token at once, or in other processes within ten seconds.
func (h *Hub) RemoveToken(ctx context.Context, id string) error { return errNotBuilt }

// Authenticate returns the actor of a token's value, cached for ten seconds, or an [*Error] of kind [Denied].
func (h *Hub) Authenticate(ctx context.Context, value string) (Actor, error) {
	return Actor{}, errNotBuilt
}

// AddWebhook adds a webhook and returns the secret that its deliveries are signed with, shown this once.
func (h *Hub) AddWebhook(ctx context.Context, w registry.Webhook) (registry.Webhook, string, error) {
	return registry.Webhook{}, "", errNotBuilt
}

// Webhooks lists an account's webhooks.
func (h *Hub) Webhooks(ctx context.Context, account string) ([]registry.Webhook, error) {
	return nil, errNotBuilt
}

// RemoveWebhook removes one.
func (h *Hub) RemoveWebhook(ctx context.Context, id string) error { return errNotBuilt }

// Events lists events, ascending, that the actor may see.
func (h *Hub) Events(ctx context.Context, f registry.Filter) ([]registry.Event, error) {
	return nil, errNotBuilt
}

// Subscribe returns a channel that gets a value when there may be new events, this process's at once and others' within two
// seconds, until ctx is done.
func (h *Hub) Subscribe(ctx context.Context) <-chan struct{} { return nil }

// Audit lists audit entries, newest first.
func (h *Hub) Audit(ctx context.Context, f registry.Filter) ([]registry.AuditEntry, error) {
	return nil, errNotBuilt
}

// Samples lists how many contacts an account had, by day.
func (h *Hub) Samples(ctx context.Context, account string, since time.Time) ([]registry.Sample, error) {
	return nil, errNotBuilt
}

// An Overview sums up what an actor may see.
type Overview struct {
	Contacts     int64
	Integrations int
	ByHealth     map[registry.Health]int
	Attention    []IntegrationView // broken, guarded and failing ones, the worst first; at most 100
	Stalest      []IntegrationView // the others, the least fresh first; at most 100
}

// Overview sums up an account; everything where account is empty.
func (h *Hub) Overview(ctx context.Context, account string) (Overview, error) {
	return Overview{}, errNotBuilt
}

// BeginOAuth returns where a browser must go to let the hub in (authorization code with PKCE).
func (h *Hub) BeginOAuth(ctx context.Context, key directory.Key, redirect string) (string, error) {
	return "", errNotBuilt
}

// FinishOAuth takes what the browser brought back, and reports whose it is.
func (h *Hub) FinishOAuth(ctx context.Context, state, code string) (directory.Key, error) {
	return directory.Key{}, errNotBuilt
}

// Ready reports whether the databases answer.
func (h *Hub) Ready(ctx context.Context) error { return errNotBuilt }

var _ = synchronizer.DefaultLease
