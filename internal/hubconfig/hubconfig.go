// Package hubconfig is the hub's configuration: one strict YAML file, all of it optional. Loading it tells of everything that
// is wrong with it at once. The reference in docs/hub-configuration.md is generated from the tags in this file.
package hubconfig

import (
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// Config is a whole configuration file.
type Config struct {
	Listen     string      `yaml:"listen" jsonschema:"default=127.0.0.1:8090" jsonschema_description:"Where the hub listens: host:port, :port for every address of the machine, port 0 for any free one (the start-up line tells which), or unix:/path/to/socket."`
	TLS        TLS         `yaml:"tls" jsonschema_description:"Serve HTTPS, with a certificate of yours or one that the hub gets by itself. Without it the hub speaks plain HTTP: put a reverse proxy that has one in front, unless it listens on this machine only."`
	PublicURL  string      `yaml:"public_url" jsonschema_description:"Where browsers and OAuth providers reach the hub, such as https://contacts.example.com. Default: the address it listens on."`
	Log        config.Log  `yaml:"log" jsonschema_description:"What is written to standard error."`
	Data       string      `yaml:"data" jsonschema:"default=./data" jsonschema_description:"Folder of the embedded hub: directory.db, hub.db and hub.key. A relative name starts from the configuration file's folder. Not used with database, except for hub.key."`
	Database   string      `yaml:"database" jsonschema_description:"A PostgreSQL database instead of the embedded one: postgres://user:password@host/name. Any number of hubs may share it."`
	Role       string      `yaml:"role" jsonschema:"default=all,enum=all,enum=web,enum=worker" jsonschema_description:"What this process does: web answers requests, worker runs integrations, all does both. web and worker need a database."`
	Workers    int         `yaml:"workers" jsonschema:"default=8,minimum=1,maximum=1000" jsonschema_description:"Runs at once in this process."`
	PerAccount int         `yaml:"per_account" jsonschema:"minimum=1,maximum=1000" jsonschema_description:"Runs of one account at once in this process, so that no account keeps the others waiting. Default: half of workers where there is more than one account, otherwise all."`
	PerHost    int         `yaml:"per_host" jsonschema:"default=4,minimum=1,maximum=1000" jsonschema_description:"Runs at once against bridges on one host, in this process."`
	Answers    config.Size `yaml:"answers" jsonschema:"default=256MiB" jsonschema_description:"Memory for all pages that bridges have answered and that are not stored yet, in this process. A page that has no room waits for its turn. It is counted as eight times the page's size, so that one page of 32 MiB has all of the default."`
	Limits     Ceilings    `yaml:"limits" jsonschema_description:"The most that integrations may take that are added or changed in the console, by the API or on the command line. Integrations of this file may go beyond."`
	Files      Files       `yaml:"files" jsonschema_description:"Uploaded files, which sources inside the hub read. They are kept in the hub's database."`

	OAuthClients map[string]OAuthClient `yaml:"oauth_clients" jsonschema_description:"The hub's registrations at external services, by which people sign in there: hubspot, google, microsoft, salesforce, zoho, pipedrive… The address to register is PUBLIC_URL/oauth/callback."`

	Accounts   map[string]Account   `yaml:"accounts" jsonschema_description:"Contact centres, by name: letters, digits, hyphen and underscore. What stands here is shown as managed by the file, and cannot be changed elsewhere; what is added elsewhere stays."`
	Tokens     map[string]Token     `yaml:"tokens" jsonschema_description:"API tokens, by name."`
	Webhooks   map[string]Webhook   `yaml:"webhooks" jsonschema_description:"Who is told of events, by name."`
	Alerts     Alerts               `yaml:"alerts" jsonschema_description:"Who is told, by e-mail or in a chat, that an integration is broken, waits for a decision, fails or is stale, and that it works again. See below."`
	Phonebooks map[string]Phonebook `yaml:"phonebooks" jsonschema_description:"Selections of the accounts' contacts for telephones and address books, by name. Others are made in the console."`
	LDAP       *LDAP                `yaml:"ldap" jsonschema_description:"Serve phonebooks over LDAP that are made in the console. Without it they are served over HTTP and CardDAV only."`
	Network    Network              `yaml:"network" jsonschema_description:"Which addresses the hub may ask, and whom it believes. People type bridge URLs: without this, they could have the hub ask the machines beside it."`
	Secrets    Secrets              `yaml:"secrets" jsonschema_description:"The key that seals credentials at rest. Choose one; default is the file hub.key in data, made at the first start."`
	Metrics    string               `yaml:"metrics" jsonschema:"default=local,enum=local,enum=token,enum=off" jsonschema_description:"Who may read /metrics, which names accounts and integrations: local is this machine by a loopback address, and others with an administrator's token; token is only holders of one, not even this machine, which other users or a proxy without X-Forwarded-For may share; off closes it."`
	Keep       Keep                 `yaml:"keep" jsonschema_description:"How long history is kept."`
	Folder     string               `yaml:"-"` // that relative names start from
	SignIn     SignIn               `yaml:"sign_in" jsonschema_description:"Signing in to the console with OpenID Connect, besides passwords."`
}

// TLS is a certificate and its key, or how the hub gets them.
type TLS struct {
	Cert string            `yaml:"cert" jsonschema_description:"The certificate and its chain, a PEM file. A relative name starts from the configuration file's folder."`
	Key  string            `yaml:"key" jsonschema_description:"The private key, a PEM file."`
	ACME *config.Authority `yaml:"acme" jsonschema_description:"Instead of cert and key: get the certificate, and renew it, by itself. See below."`
}

// Enabled reports whether the hub speaks HTTPS.
func (t TLS) Enabled() bool { return t.Cert != "" && t.Key != "" || t.ACME != nil }

// Account is one contact centre.
type Account struct {
	Region       string                 `yaml:"region" jsonschema_description:"Country of numbers that are written without a country code: its two letters, such as GB."`
	TimeZone     string                 `yaml:"time_zone" jsonschema:"default=UTC" jsonschema_description:"IANA name, such as Europe/London: of cron schedules, and of the times that the console shows."`
	Callers      Callers                `yaml:"callers" jsonschema_description:"How callers are named, and which look-ups are kept."`
	Integrations map[string]Integration `yaml:"integrations" jsonschema_description:"The bridges that its contacts come from, by name."`
}

// Callers say how callers are named.
type Callers struct {
	Policy []string `yaml:"policy" jsonschema_description:"What decides where several contacts have the number of a call, in this order: priority (of their integrations), company (if all share one, its name), newest (the contact that changed last). Default: [priority, company, newest]. Where it does not decide, nobody is named."`
	Ranges []string `yaml:"ranges" jsonschema_description:"Numbers that belong to a company, besides those that are derived: \"+4420794600xx: Example Ltd\"."`
	Derive bool     `yaml:"derive" jsonschema:"default=true" jsonschema_description:"Name an unknown number by the company of which three contacts or more share all but its last two to four digits."`
	Calls  Calls    `yaml:"calls" jsonschema_description:"The last look-ups, with their explanation."`
}

// Calls say which look-ups are kept.
type Calls struct {
	Keep Span `yaml:"keep" jsonschema:"default=30d" jsonschema_description:"How long. 0s: none is kept. At most 20 a second and the last 20000 of an account are."`
	Mask bool `yaml:"mask" jsonschema:"default=true" jsonschema_description:"Keep numbers without their last four digits, and no names."`
}

// Integration is one bridge, or one source inside the hub.
type Integration struct {
	Bridge     string            `yaml:"bridge" jsonschema_description:"URL of the bridge's contact_sync endpoint. It may hold {{field}} for a value of auth."`
	Source     strictyaml.Raw    `yaml:"source" jsonschema_description:"Instead of a bridge: the external service, as in a bridge's configuration. The hub reads it itself. See below."`
	Sources    strictyaml.RawMap `yaml:"sources" jsonschema_description:"Several sources as one, as in a bridge's configuration."`
	Phones     strictyaml.Raw    `yaml:"phones" jsonschema_description:"Of a source: what happens to phone numbers, as in a bridge's configuration."`
	ItsAgents  strictyaml.Raw    `yaml:"source_agents" jsonschema_description:"Of a source: what its agents come from, as agents in a bridge's configuration: a source of users, with fields.email."`
	Page       strictyaml.Raw    `yaml:"page" jsonschema_description:"Of a source: when a page ends, as in a bridge's configuration."`
	Validation string            `yaml:"validation" jsonschema_description:"URL of its auth_validation endpoint, if it has one: how credentials are tested, and what it answers is sent from then on."`
	Agents     string            `yaml:"agents" jsonschema_description:"URL of its agent_sync endpoint, if it has one: who of the external service's users are agents."`
	Auth       map[string]string `yaml:"auth" jsonschema_description:"What the bridge wants to be sent as auth, such as username and password. Values are sealed at rest and never shown."`
	Fields     []Field           `yaml:"fields" jsonschema_description:"What the bridge wants to be sent, described for people who fill it in. Not needed for values that stand in auth."`
	OAuth      *OAuth            `yaml:"oauth" jsonschema_description:"How it gets an access token, where the bridge wants one. The client's secret is auth's client_secret."`
	Every      time.Duration     `yaml:"every" jsonschema_description:"How often it runs: 10s or more. Default: 30m."`
	Cron       string            `yaml:"cron" jsonschema_description:"When it runs, instead of every: five fields, in the account's time zone, such as  15 6-20 * * 1-5 ."`
	Off        bool              `yaml:"off" jsonschema:"default=false" jsonschema_description:"Run only when asked to."`
	Paused     bool              `yaml:"paused" jsonschema:"default=false" jsonschema_description:"Run only when asked to, for the time being."`
	Full       time.Duration     `yaml:"full" jsonschema:"default=168h" jsonschema_description:"Age of the last complete run at which the next one reads everything, which finds deletions that a bridge does not tell of. 0s: never."`
	Limits     Limits            `yaml:"limits" jsonschema_description:"What one run may take."`
	Priority   int               `yaml:"priority" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"Of its contacts where several have the number of a call: 1 goes before 2. Without it: after all that have one."`
	Role       string            `yaml:"role" jsonschema:"default=contacts,enum=contacts,enum=block,enum=allow" jsonschema_description:"What its contacts are: contacts; block, numbers to block; allow, numbers that are not blocked whatever block lists say. The API and /callerid?format=json say the list that a number stands on."`
	Ask        bool              `yaml:"ask" jsonschema:"default=false" jsonschema_description:"Of a source that can be asked: where no contact has the number of a call, the source is asked, if the look-up allows it to wait (/callerid?wait=1s). See why-was-this-call-named.md#ask-at-the-source."`
	Guard      Guard             `yaml:"guard" jsonschema_description:"A run that would delete more than this stops and asks."`
}

// Field describes one auth field.
type Field struct {
	Name      string `yaml:"name" jsonschema:"required" jsonschema_description:"Its key in auth."`
	Display   string `yaml:"display" jsonschema_description:"Its label. Default: name."`
	Mandatory bool   `yaml:"mandatory" jsonschema:"default=false" jsonschema_description:"It must have a value."`
	Type      string `yaml:"type" jsonschema:"default=text,enum=text,enum=password,enum=uri" jsonschema_description:"How it is typed in."`
	Help      string `yaml:"help" jsonschema_description:"A sentence for anyone who fills it in."`
	Format    string `yaml:"format" jsonschema_description:"What is sent, where only a part is typed: https://{{account}}.example.com."`
	Default   string `yaml:"default" jsonschema_description:"Its value where none is given."`

	Source string `yaml:"source" jsonschema:"enum=input,enum=default,enum=auth_validation" jsonschema_description:"Where its value comes from: input is what stands in auth; default is always default; auth_validation is what the validation endpoint answers, which is asked when it is missing. Default: input."`
}

// OAuth says how an access token is got (RFC 6749).
type OAuth struct {
	Client       string            `yaml:"client" jsonschema_description:"Of a source: the key of oauth_clients by which people sign in at its external service, and nothing else of oauth. A person signs in in the console, or with  contactbridge hub integration connect NAME ."`
	Grant        string            `yaml:"grant" jsonschema:"enum=client_credentials,enum=authorization_code,enum=password" jsonschema_description:"client_credentials; authorization_code: then a user connects it in the console once; or password, with auth's username and password, which the bridge is not sent then."`
	AuthorizeURL string            `yaml:"authorize_url" jsonschema_description:"Where people permit the hub's access. Needed for authorization_code."`
	TokenURL     string            `yaml:"token_url" jsonschema_description:"Where tokens are given and refreshed."`
	ClientID     string            `yaml:"client_id" jsonschema_description:"Of the hub at the provider."`
	Scopes       []string          `yaml:"scopes" jsonschema_description:"What is asked for."`
	Params       map[string]string `yaml:"params" jsonschema_description:"More parameters of the authorization request."`
	Field        string            `yaml:"field" jsonschema:"default=access_token" jsonschema_description:"The auth field that carries the token."`
}

// OAuthClient is the hub's registration at an external service.
type OAuthClient struct {
	ClientID     string   `yaml:"client_id" jsonschema:"required" jsonschema_description:"What the service calls the hub."`
	ClientSecret string   `yaml:"client_secret" jsonschema_description:"As ${NAME} or ${file:PATH}."`
	AuthorizeURL string   `yaml:"authorize_url" jsonschema_description:"Where people permit the access, instead of the address that the preset says: that of a single tenant at Microsoft, for example."`
	TokenURL     string   `yaml:"token_url" jsonschema_description:"Where tokens are given, instead of the address that the preset says."`
	Scopes       []string `yaml:"scopes" jsonschema_description:"What is asked for, instead of what the preset says."`
}

// Files bound uploaded files.
type Files struct {
	Size    config.Size `yaml:"size" jsonschema:"default=64MiB" jsonschema_description:"The largest file."`
	Account config.Size `yaml:"account" jsonschema:"default=256MiB" jsonschema_description:"All files of one account together."`
}

// Limits bound one run.
type Limits struct {
	Pages     int64         `yaml:"pages" jsonschema:"default=1000000,minimum=1" jsonschema_description:"Pages of a run; a longer one counts as endless."`
	PageBytes config.Size   `yaml:"page_bytes" jsonschema:"default=32MiB" jsonschema_description:"Size of one answer."`
	Timeout   time.Duration `yaml:"timeout" jsonschema:"default=10s" jsonschema_description:"How long one answer may take."`
	Run       time.Duration `yaml:"run" jsonschema:"default=12h" jsonschema_description:"How long a run may take; the next one goes on where it stopped."`
}

// Ceilings bound the limits of integrations that are not this file's.
type Ceilings struct {
	Pages     int64         `yaml:"pages" jsonschema:"default=1000000,minimum=1" jsonschema_description:"Pages of a run."`
	PageBytes config.Size   `yaml:"page_bytes" jsonschema:"default=32MiB" jsonschema_description:"Size of one answer. Raise answers to eight times as much with it: the process needs about three times that."`
	Timeout   time.Duration `yaml:"timeout" jsonschema:"default=1m" jsonschema_description:"How long one answer may take."`
	Run       time.Duration `yaml:"run" jsonschema:"default=24h" jsonschema_description:"How long a run may take."`
}

// Guard stands in front of deletions.
type Guard struct {
	Share Percent `yaml:"share" jsonschema:"default=20%" jsonschema_description:"Of the integration's contacts. 0% asks before any deletion."`
	Min   int64   `yaml:"min" jsonschema:"default=10,minimum=0" jsonschema_description:"And of contacts, in number."`
}

// Token lets a program in.
type Token struct {
	Account string   `yaml:"account" jsonschema_description:"The account that it sees. Without it: all of them, which needs the scope admin."`
	Scopes  []string `yaml:"scopes" jsonschema:"required" jsonschema_description:"What it may do: callers:read, contacts:read, contacts:purge, integrations:read, integrations:control, integrations:write, admin."`
	Value   string   `yaml:"value" jsonschema:"required" jsonschema_description:"The token itself, 16 characters or more; as ${NAME} or ${file:PATH}. Only a digest of it is kept." hint:"Make one with  openssl rand -hex 24  and write  value: ${PBX_TOKEN}"`
}

// Webhook is told of events.
type Webhook struct {
	Account string   `yaml:"account" jsonschema_description:"The account with the events that it is told. Without it: all."`
	URL     string   `yaml:"url" jsonschema:"required" jsonschema_description:"Where events are sent by POST."`
	Events  []string `yaml:"events" jsonschema_description:"Kinds of event, such as run.failed. Default: all."`
	Secret  string   `yaml:"secret" jsonschema:"required" jsonschema_description:"What deliveries are signed with, 16 characters or more; as ${NAME} or ${file:PATH}." hint:"Make one with  openssl rand -hex 24  and write  secret: ${WEBHOOK_SECRET}"`
}

// Network says which addresses may be asked.
type Network struct {
	AllowPrivate bool     `yaml:"allow_private" jsonschema:"default=false" jsonschema_description:"Allow addresses of private networks and of this machine."`
	Allow        []string `yaml:"allow" jsonschema_description:"Allow these networks besides the public internet: 10.1.0.0/16, 127.0.0.1/32."`
	Proxies      []string `yaml:"proxies" jsonschema_description:"Networks of the reverse proxies in front of the hub, such as 127.0.0.1/32: their X-Forwarded-For tells clients apart, so that wrong passwords and tokens are counted for each of them. Without it all callers of one proxy count as one."`
	PerAddress   int      `yaml:"per_address" jsonschema:"default=256,minimum=1" jsonschema_description:"Connections that one address may have open: an IPv4 address, or a /64 network of IPv6. More are closed at once. Proxies, and a Unix socket, may have any number. No address gets more than a quarter of the files that the process may open."`
}

// Secrets say where the key is that seals credentials: base64 of 32 bytes a line; the first seals, the others only open.
type Secrets struct {
	KeyFile    string   `yaml:"key_file" jsonschema_description:"A file with the key."`
	KeyEnv     string   `yaml:"key_env" jsonschema_description:"Name of an environment variable that holds the key."`
	KeyCommand []string `yaml:"key_command" jsonschema_description:"A command that prints the key: how a key management service or Vault is asked, such as [aws, kms, decrypt, …]."`
}

// Keep says how long history is kept.
type Keep struct {
	Runs  time.Duration `yaml:"runs" jsonschema:"default=2160h" jsonschema_description:"Runs, what they rejected, and events."`
	Audit time.Duration `yaml:"audit" jsonschema:"default=8760h" jsonschema_description:"The audit log: a year or more."`
}

// SignIn is OpenID Connect.
type SignIn struct {
	Issuer       string `yaml:"issuer" jsonschema_description:"URL of the provider. A user of the hub with the same name as the provider's verified e-mail address is signed in."`
	ClientID     string `yaml:"client_id" jsonschema_description:"Of the hub at the provider."`
	ClientSecret string `yaml:"client_secret" jsonschema_description:"As ${NAME} or ${file:PATH}."`
	Name         string `yaml:"name" jsonschema:"default=single sign-on" jsonschema_description:"What the button says: Sign in with …"`
}

// A Span is a time that may be written in days: 30d, or 12h as other times.
type Span time.Duration

// UnmarshalText reads a span.
func (s *Span) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	if number, ok := strings.CutSuffix(word, "d"); ok {
		if days, err := strconv.Atoi(number); err == nil && days >= 0 && days <= mostDays {
			*s = Span(time.Duration(days) * 24 * time.Hour)
			return nil
		}
	}
	d, err := time.ParseDuration(word)
	if err != nil || d < 0 || d > mostDays*24*time.Hour {
		return &failure.Error{Code: failure.Invalid, Message: "this is not a time", Hint: "Write days or hours: 30d, 12h. 0s is none. The most is 3650d."}
	}
	*s = Span(d)
	return nil
}

const mostDays = 3650

// A Percent is a share, from 0 to 1, written as 20% or 20.
type Percent float64

// UnmarshalText reads a share.
func (p *Percent) UnmarshalText(text []byte) error {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(string(text), "%")), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return &failure.Error{Code: failure.Invalid, Message: "this is not a share", Hint: "Write per cent, from 0% to 100%: 20%."}
	}
	*p = Percent(n / 100)
	return nil
}
