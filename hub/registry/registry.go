// Package registry keeps what a hub is told and what it has done: accounts, integrations with their sealed credentials and
// schedules, tokens, users, webhooks, events, and who changed what. Contacts and runs are the directory's. It speaks SQL that
// SQLite and PostgreSQL both understand.
package registry

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
)

// An Account is one contact centre.
type Account struct {
	Name     string // letters, digits, hyphen and underscore, at most 64; case matters
	Region   string // country of numbers that are written without a country code, ISO 3166-1 alpha-2; empty: none
	TimeZone string // IANA name; empty: UTC
	Managed  bool   // declared by the configuration file; changed there only
	Created  time.Time
	Callers  Callers
}

// Callers say how an account names its callers, and which look-ups are kept. The zero value holds the defaults.
type Callers struct {
	Policy   []string      `json:"policy,omitempty"`   // see caller.ParsePolicy; empty: the default
	Ranges   []string      `json:"ranges,omitempty"`   // see caller.ParseRange
	NoDerive bool          `json:"noderive,omitempty"` // no ranges are derived from contacts
	Keep     time.Duration `json:"keep,omitempty"`     // of the last look-ups; 0: [DefaultKeepCalls]; negative: none is kept
	Unmasked bool          `json:"unmasked,omitempty"` // they are kept with names and whole numbers
}

// DefaultKeepCalls is how long look-ups are kept where an account says nothing.
const DefaultKeepCalls = 30 * 24 * time.Hour

// An Integration is a bridge that an account's contacts come from.
type Integration struct {
	directory.Key
	Bridge     string   // URL of the contact_sync endpoint; may hold {{field}} placeholders of Fields' values; empty where there is a source
	Source     string   // kind of the source inside the hub, whose configuration is the auth value [SourceValue]; empty where there is a bridge
	Validation string   // URL of the auth_validation endpoint (P13); empty: none, credentials are tried on the first page
	Agents     string   // URL of the agent_sync endpoint (A1); empty: agents are not synchronized
	Fields     []Field  // what the auth object holds; empty: whatever values are set
	OAuth      *OAuth   // nil: none
	Schedule   Schedule // when it runs
	Limits     Limits
	Guard      directory.Guard // zero: the default one (D7)
	Priority   int             // of its contacts where several have one number: 1 before 2; 0: after all that have one
	Role       string          // what its contacts are: contacts, block or allow; empty: contacts
	Files      []string        // names of the account's uploaded files that its source reads, sorted
	Ask        bool            // its source, which is inside the hub, is asked for callers of whom no contact is known
	Paused     bool            // runs only when asked to
	Managed    bool            // declared by the configuration file; changed there only
	Created    time.Time
	Updated    time.Time
	AuthSet    []string // names of the auth fields that have a value, sorted; read only: values are never shown
	Learned    []string // those of them that the bridge gave (P13); read only
	Version    int64    // counts changes of configuration and auth values; of a change: what it must still be, 0 for any
	Status     Status   // read only
}

// SourceValue is the name of the auth value that holds the configuration of a source inside the hub: sealed with the others, and sent to
// nobody. No bridge can want a value of this name.
const SourceValue = "(source)"

// GrantValue is the name under which what a sign-in gave is handed over with an integration's auth values. It is not kept.
const GrantValue = "(grant)"

// A Field describes one auth field the way the platform describes them, so that it can be asked for.
type Field struct {
	Name      string `json:"name" yaml:"name"`                     // key in the auth object
	Display   string `json:"display,omitempty" yaml:"display"`     // label; empty: Name
	Mandatory bool   `json:"mandatory,omitempty" yaml:"mandatory"` //
	Type      string `json:"type,omitempty" yaml:"type"`           // text (default), password or uri
	Help      string `json:"help,omitempty" yaml:"help"`           // a sentence
	Format    string `json:"format,omitempty" yaml:"format"`       // template of the value: https://{{account}}.example.com, where account is typed
	Default   string `json:"default,omitempty" yaml:"default"`     //
	Source    string `json:"source,omitempty" yaml:"source"`       // see [SourceInput]
	Store     Store  `json:"store,omitzero" yaml:"store"`          // false: see [NotKept]
}

// An OAuth says how an integration gets its access token (RFC 6749). The client's secret, the tokens and the pending state
// are kept with the sealed auth values.
type OAuth struct {
	Grant string `json:"grant,omitempty"` // authorization_code, client_credentials or password
	// Client names the operator's registration at the external service, by which people sign in there. It and what the kind of the
	// source says take the place of every other field. Empty: none.
	Client       string            `json:"client,omitempty"`
	AuthorizeURL string            `json:"authorize_url,omitempty"`
	TokenURL     string            `json:"token_url,omitempty"`
	ClientID     string            `json:"client_id,omitempty"`
	Scopes       []string          `json:"scopes,omitempty"`
	Params       map[string]string `json:"params,omitempty"` // more parameters of the authorization request
	Field        string            `json:"field,omitempty"`  // auth field that carries the access token; empty: access_token
}

// A Schedule says when an integration runs. The zero value is every 30 minutes (P14), a full run every week.
type Schedule struct {
	Every time.Duration // 0: 30 minutes, where Cron is empty and Off is not set
	Cron  string        // five fields, in the account's time zone; instead of Every
	Off   bool          // only when asked to
	Full  time.Duration // a complete run when the last one is older; 0: a week; negative: never by itself
}

// The defaults of [Schedule] and the bounds of Every.
const (
	DefaultEvery = 30 * time.Minute
	DefaultFull  = 7 * 24 * time.Hour
	MinEvery     = 10 * time.Second
)

// Limits bound what one run may take. Zero fields mean their defaults.
type Limits struct {
	Pages     int64         // of one run; 0: those of hub.DefaultLimits
	PageBytes int64         // of one answer; 0: 32 MiB
	Timeout   time.Duration // of one request; 0: 10 s (P12)
	Run       time.Duration // of one run; 0: none
}

// Health says how an integration fares.
type Health string

// The states of health, the worst last.
const (
	HealthNew     Health = "new"     // never ran
	HealthOK      Health = "ok"      // the last run was complete
	HealthFailing Health = "failing" // the last run failed; it is tried again by itself
	HealthGuarded Health = "guarded" // deletions wait for a decision (D9); runs go on
	HealthBroken  Health = "broken"  // it is not tried again until a user mends it: credentials, a bridge that refuses
)

// A Problem keeps an integration from working.
type Problem struct {
	Code    string    `json:"code"`    // as in [bridge.Code], or "guarded"
	Message string    `json:"message"` // what happened
	Hint    string    `json:"hint"`    // what to do
	Since   time.Time `json:"since"`
}

// A Status is how an integration stands.
type Status struct {
	Health   Health
	Problem  *Problem  // nil without a problem
	Failures int       // runs that failed in a row
	Due      time.Time // when it runs next; zero: not by itself
	Fresh    time.Time // everything that was committed before is in the directory: start of the last complete run; zero: never
	LastFull time.Time // start of the last complete initial run; zero: never
	Worker   string    // process that works on it; empty: none
	Until    time.Time // when its claim ends if it shows no sign of life
	Asked    Ask       // what a user asked for and no run has answered yet
	AskedFor time.Time // when that run may begin; zero: not before what broke it is corrected, or no run is asked for
}

// An Ask is a user's wish for a run besides the schedule.
type Ask struct {
	Run    bool `json:"run,omitempty"`    // as soon as there is a worker
	Full   bool `json:"full,omitempty"`   // and everything, whatever checkpoint there is
	Resume bool `json:"resume,omitempty"` // a full run that was asked for is half done: it may be gone on with
	Cancel bool `json:"cancel,omitempty"` // the run that is under way
}

// A Claim is one worker's right to run one integration.
type Claim struct {
	Integration
	Token string    // proves the claim; another's renewal and release are refused
	Late  time.Time // when it was due: how late it is
}

// An Outcome says how a worker ended its work when it gives its claim back.
type Outcome struct {
	Health   Health
	Problem  *Problem
	Failures int
	Due      time.Time // next; zero: not by itself
	Fresh    time.Time // zero: as it was
	LastFull time.Time // zero: as it was
	Again    Ask       // what is still asked for, not before Due; Cancel is nothing
}

// A Scope is something that a token may do.
type Scope string

// The scopes. A token of one account sees that account only.
const (
	ScopeCallers  Scope = "callers:read"  // callers, attributions, callerid
	ScopeContacts Scope = "contacts:read" // search and read contacts
	ScopePurge    Scope = "contacts:purge"
	ScopeRead     Scope = "integrations:read"    // integrations, runs, rejected, events
	ScopeControl  Scope = "integrations:control" // run, pause, cancel, accept
	ScopeWrite    Scope = "integrations:write"   // add, change, remove
	ScopeAdmin    Scope = "admin"                // everything, accounts, tokens, users, audit log included; of all accounts where Account is empty
)

// Scopes are all there are.
var Scopes = []Scope{ScopeCallers, ScopeContacts, ScopePurge, ScopeRead, ScopeControl, ScopeWrite, ScopeAdmin}

// A Token lets a program in. Only a digest of its value is kept.
type Token struct {
	ID      string // random, shown
	Name    string // unique in its account
	Account string // empty: all accounts; only with [ScopeAdmin]
	Scopes  []Scope
	Managed bool
	Created time.Time
	Expires time.Time // zero: never
	Used    time.Time // about when it was last used, to the minute; zero: never
	Maker   string    // id of the user who made it, themselves or by a token of theirs; empty: the machine's operator
	Parent  string    // id of the token that made it; empty: none did
	MadeBy  string    // name of who made it, as the audit log writes it; empty: not known
}

// A Role says what a user may do in the console.
type Role string

// The roles. Each may do what those before it may.
const (
	RoleReader   Role = "reader"   // look at everything but secrets
	RoleOperator Role = "operator" // run, pause, add and change integrations; purge
	RoleAdmin    Role = "admin"    // users, tokens, accounts, settings
)

// A User signs in to the console.
type User struct {
	ID       string
	Name     string // sign-in name, compared without case
	Role     Role
	Accounts []string // empty: all
	Password string   // encoded argon2id hash; empty: cannot sign in with a password. Never shown
	Email    string   // by which agents of external services are known to be them; empty: Name, where that is an address
	Subject  string   // of OpenID Connect, "issuer subject"; empty: none
	Disabled bool
	Created  time.Time
	LastSeen time.Time
}

// A Session is a user's browser. Only a digest of its cookie is kept.
type Session struct {
	Digest  []byte // SHA-256 of the cookie's value
	User    string // ID
	Created time.Time
	Expires time.Time
	Agent   string // browser, as it says
}

// An Event is something that happened to an integration.
type Event struct {
	ID      int64 // ascending; a reader continues after the last one that it saw
	Time    time.Time
	Kind    string // run.finished, run.failed, integration.broken, integration.mended, integration.guarded, contact.purged, …
	Account string
	Subject string          // integration, or what else it is about
	Data    json.RawMessage // object
}

// The ways to tell a [Webhook]. Those besides [WayEvents] are told of alerts only.
const (
	WayEvents = ""      // each event by POST, signed
	WayChat   = "chat"  // by POST, as chat programs take it; the secret is the whole address
	WayEmail  = "email" // by e-mail
)

// A Webhook is told of events by POST, or of alerts.
type Webhook struct {
	ID       string
	Account  string   // empty: all accounts
	URL      string   // of a chat only its host, of e-mail mailto: and the address
	Kinds    []string // empty: all
	Managed  bool
	Disabled bool
	Created  time.Time
	Way      string // see [WayEvents]
}

// A Delivery is an event on its way to a webhook.
type Delivery struct {
	ID       int64
	Webhook  Webhook
	Event    Event
	Attempts int  // so far
	Failing  bool // the webhook did not take the last one
}

// An AuditEntry says who changed what. Entries are never changed.
type AuditEntry struct {
	ID      int64
	Time    time.Time
	Actor   string // "user jane", "token pbx", "file hub.yaml", "command line", "hub"
	Action  string // integration.add, token.create, contact.purge, …
	Account string
	Subject string
	Detail  string // a phrase, without secrets
}

// A File is an uploaded file, which sources inside the hub read.
type File struct {
	ID       string // random; of one content
	Account  string
	Name     string // unique in its account, but for those that are staged
	Kind     string // of the sources that read it: csv, xlsx, vcard, jsonl, json
	Size     int64  // bytes
	Digest   string // SHA-256 of the content, hexadecimal
	Uploaded time.Time
	Uploader string // who uploaded it, as the audit log writes it
	Staged   bool   // it waits to take the place of the one of its name
	Over     string // of a staged one: digest of the one that it was compared with
}

// A Sample is how many contacts an account had at a time, for a chart.
type Sample struct {
	Day      time.Time // midnight UTC
	Account  string
	Contacts int64
}

// A Call is a look-up that was kept.
type Call struct {
	ID       int64 // ascending
	Account  string
	Time     time.Time
	Number   string          // as it is kept: masked or not
	Reason   string          // a word of package caller
	Answer   json.RawMessage // with its explanation
	Contacts []directory.Ref // that it tells of
}

// A Recognition counts the calls of an account on one day. Those that are neither named nor ambiguous nor unknown showed no number.
type Recognition struct {
	Day                              time.Time // midnight UTC
	Account                          string
	Asked, Named, Ambiguous, Unknown int64
}

// A Filter chooses events or audit entries.
type Filter struct {
	Account string // empty: all
	Subject string // empty: all
	After   int64  // events: ids greater than this, ascending
	Before  int64  // audit: ids less than this, descending; 0: from the newest
	Limit   int    // 0: 100

	Actor  string    // audit: who, as it is written there; empty: anyone
	Action string    // audit: how what was done begins: "session." is all of sessions; empty: everything
	Since  time.Time // not before this; zero: from the beginning
	Until  time.Time // before this; zero: to the end
}

// Errors of a registry. They are wrapped; compare with errors.Is.
var (
	ErrNotFound error = &failure.Error{
		Code: failure.NotFound, Message: "not found", Hint: "Check the name; another user may have removed it.",
	}
	ErrExists error = &failure.Error{
		Code: failure.Conflict, Message: "there is one of this name already", Hint: "Choose another name, or change the one there is.",
	}
	ErrClaimLost = errors.New("the claim belongs to another worker now")
	ErrChanged   = errors.New("was changed meanwhile")
	ErrGoing     = errors.New("is being removed")
	ErrQuota     = errors.New("the account's files take too much room")
)
