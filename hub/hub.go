// Package hub is the synchronizer as a service: it runs many integrations by their schedules, answers who is calling, and
// keeps account of what was done and by whom. The HTTP API, the console and the command line all work through a [Hub], so
// what is allowed and what is written into the audit log is decided here, once.
package hub

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A Hub is one process's part of a hub: several on one database work together. Use [New]; set the exported fields, all of which
// may be left as they are, before anything is done with it.
type Hub struct {
	Registry *registry.DB
	// store holds the contacts. All reads from outside go through [Hub.shown], which leaves out what is being removed.
	store directory.Store
	// Outbound sends every request to an address that a user typed: bridges, token endpoints, webhooks.
	Outbound http.RoundTripper
	// Inside serves the sources of integrations that have no bridge; nil: there can be none.
	Inside  Inside
	Logger  *slog.Logger // nil logs nothing
	Options Options
	// Answers bounds the memory of the pages that bridges have answered; nil does not bound it.
	Answers *bridge.Budget
	// Observe is told of every run that ended in this process, whatever came of it, before its claim is given back; nil:
	// nothing is told.
	Observe func(directory.Run)
	// Dispatcher brings what is due to workers; nil: this process runs what it claims.
	Dispatcher Dispatcher
	// Synchronize does one run of a claimed integration, with its auth values and its account's region, and returns early, at a
	// page's end, when the context is done; nil: a [synchronizer.Synchronizer] over the integration's bridge or source does. What
	// is around a run (claims, schedules, health, events) stays the hub's.
	Synchronize func(ctx context.Context, c registry.Claim, auth map[string]string, region string) (synchronizer.Report, error)
	// Mail sends an e-mail, and says how the server took it; nil: this process sends none.
	Mail func(context.Context, Mail) (registry.Sending, error)
	// Background does what a run does, such as on threads that requests go before, and returns when it has; nil: the run's own
	// goroutines do it.
	Background func(func())

	hubState
}

// New returns a hub on its two databases.
func New(r *registry.DB, store directory.Store) *Hub {
	h := &Hub{Registry: r, store: store}
	h.newBooks()
	return h
}

// Options say how a hub works. Zero fields mean their defaults.
type Options struct {
	Name       string           // of this process among those on one database; default: host name and pid
	Workers    int              // runs at once in this process; default 8
	PerAccount int              // runs of one account at once in this process; default half of the workers, all where there is one account only
	PerHost    int              // runs at once against one bridge host in this process; default 4
	KeepRuns   time.Duration    // history of runs, events and rejections; default 90 days
	KeepAudit  time.Duration    // default and least: a year
	PublicURL  string           // where browsers reach the hub, for OAuth; empty: what listens
	RetryFirst time.Duration    // before a failed run is tried again; doubles up to the schedule's interval; default 30 s
	Clock      func() time.Time // nil: time.Now
	// Ceilings are the most that an integration's limits may be, except for those that the configuration file declares. Zero
	// fields mean those of [DefaultCeilings].
	Ceilings registry.Limits
	// OAuthClients are the operator's registrations at external services, by which people sign in there.
	OAuthClients map[string]OAuthClient
	FileBytes    int64   // the largest uploaded file; default [DefaultFileBytes]
	FilesBytes   int64   // of all files of one account; default [DefaultFilesBytes]
	Alerts       *Alerts // nil: nobody is told what is wrong
}

// An OAuthClient is the operator's registration at an external service.
type OAuthClient struct {
	ClientID, ClientSecret string
	AuthorizeURL, TokenURL string   // instead of those that the kind of a source says; empty: those
	Scopes                 []string // instead of those that the kind says; none: those
}

// An Actor is who does something, for the audit log and for what is allowed.
type Actor struct {
	Name     string // "user jane", "token pbx", "file hub.yaml", "command line"
	Accounts []string
	All      bool // every account
	Scopes   []registry.Scope
	File     bool   // the configuration file: may change what it declares
	User     string // id of the user who acts, directly or by a token; empty: the machine's operator
	Token    string // id of the token that does it; empty: none
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

// An IntegrationView is an integration and how it stands.
type IntegrationView struct {
	registry.Integration
	State directory.State // contacts, checkpoint, newest run
}

// A TestResult says what came of trying an integration.
type TestResult struct {
	Inside   bool              `json:"-"` // a source inside the hub was tried, no bridge
	OK       bool              `json:"ok"`
	Checked  string            `json:"checked"`            // what was asked: "auth_validation" or "first page"
	Contacts int               `json:"contacts,omitempty"` // on the first page
	Sample   []contact.Contact `json:"sample,omitempty"`   // the first few of them
	Stored   []string          `json:"stored,omitempty"`   // names of the auth values that the bridge gave and that are sent from now on (P13)
	Problem  *registry.Problem `json:"problem,omitempty"`
	Seconds  float64           `json:"seconds"`
}

// A Progress is how far a run under way has come; it is known in the process that works on it.
type Progress struct {
	directory.Key
	Run  directory.Run
	Rate float64 // contacts a second, lately
	Note string  // "waiting 4 s for the bridge", …; empty while pages flow
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
	// Same says that it is surely the same human being: the same page of the external service under the same id, or the same
	// name with a number or an address that is not a line of several people.
	Same bool
}

// A PurgeResult says what a purge did.
type PurgeResult struct {
	Purged int64           `json:"purged"` // records
	Refs   []directory.Ref `json:"refs"`
	Files  []string        `json:"files,omitempty"` // uploaded files that the records came from: the person is still in them
	// Phonebooks are those that showed a contact which was purged.
	Phonebooks []ErasedFrom `json:"phonebooks,omitempty"`
}

// An Overview sums up what an actor may see.
type Overview struct {
	Contacts     int64
	Integrations int
	ByHealth     map[registry.Health]int
	Attention    []IntegrationView // broken, guarded and failing ones, the worst first; at most 100
	Stalest      []IntegrationView // the others, the least fresh first; at most 100
}
