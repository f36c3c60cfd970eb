// Package config is the bridge's configuration: one strict YAML file. Loading it tells of everything that is wrong with it
// at once. The reference in docs/configuration.md and the JSON Schema are generated from the tags in this file and those of
// the source kinds.
package config

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// Config is a whole configuration file.
type Config struct {
	Listen    string              `yaml:"listen" jsonschema:"default=127.0.0.1:8080" jsonschema_description:"Where the bridge listens: host:port, :port for every address of the machine, port 0 for any free one (the start-up line tells which), or unix:/path/to/socket."`
	TLS       TLS                 `yaml:"tls" jsonschema_description:"Serve HTTPS, with a certificate of yours or one that the bridge gets by itself. Without it the bridge speaks plain HTTP: put a reverse proxy that has a certificate in front, since credentials travel in every request."`
	Log       Log                 `yaml:"log" jsonschema_description:"What is written to standard error."`
	Network   Network             `yaml:"network" jsonschema_description:"Who may ask how much."`
	Metrics   Metrics             `yaml:"metrics" jsonschema_description:"Who may read /metrics, which names the endpoints."`
	Endpoints map[string]Endpoint `yaml:"endpoints" jsonschema:"required" jsonschema_description:"One entry for each external service, or part of one. The name stands in the URL: the endpoint crm answers POST /crm/contact_sync, POST /crm/auth_validation and, where it has agents, POST /crm/agent_sync. Letters, digits, hyphen and underscore." hint:"Below endpoints, give each external service a name, and below the name its auth and source: see the files in examples/."`
}

// TLS is a certificate and its key, or how the bridge gets them.
type TLS struct {
	Cert string `yaml:"cert" jsonschema_description:"The certificate and its chain, a PEM file. A relative name starts from the configuration file's folder."`
	Key  string `yaml:"key" jsonschema_description:"The private key, a PEM file."`
	ACME *ACME  `yaml:"acme" jsonschema_description:"Instead of cert and key: get the certificate, and renew it, by itself. See below."`
}

// Enabled reports whether the bridge speaks HTTPS.
func (t TLS) Enabled() bool { return t.Cert != "" && t.Key != "" || t.ACME != nil }

// ACME says how the bridge gets its certificates, and where it keeps them.
type ACME struct {
	Authority `yaml:",inline"`

	Storage string `yaml:"storage" jsonschema:"default=./certificates" jsonschema_description:"Where keys and certificates are kept: a folder, or a PostgreSQL database as postgres://user:password@host/name. Several processes with the same storage share one certificate, and any of them answers the authority."`
	SealKey string `yaml:"seal_key" jsonschema_description:"With a database: the key that seals what is kept there, as ${NAME} or ${file:PATH}. Every process needs the same one. Make it with  openssl rand -base64 32"`
}

// Authority says which certificates are got from whom.
type Authority struct {
	Domains   []string `yaml:"domains" jsonschema:"required" jsonschema_description:"The names that the certificates are for, such as bridge.example.com. Their DNS records must lead to this machine." hint:"Write  domains: [bridge.example.com]"`
	Email     string   `yaml:"email" jsonschema_description:"Where the authority writes to if something is wrong with your certificates."`
	Directory string   `yaml:"directory" jsonschema:"default=https://acme-v02.api.letsencrypt.org/directory" jsonschema_description:"URL of the authority's ACME directory: Let's Encrypt, or one of your own. By naming domains you agree to its terms of service."`
	Roots     string   `yaml:"roots" jsonschema_description:"A PEM file with the certificates that the directory's own HTTPS is checked with. Needed for an authority of your own."`
	HTTP      string   `yaml:"http" jsonschema_description:"A second address to listen on, such as :80 . There the authority is answered (HTTP-01), and browsers are sent on to HTTPS. Without it the authority must reach listen at port 443 (TLS-ALPN-01)."`
}

// Network says who may ask how much.
type Network struct {
	Proxies    []string `yaml:"proxies" jsonschema_description:"Networks of the reverse proxies in front of the bridge, such as 127.0.0.1/32: their X-Forwarded-For says which caller a wrong credential is counted against. Without it all callers of one proxy count as one."`
	PerAddress int      `yaml:"per_address" jsonschema:"default=256,minimum=1" jsonschema_description:"Connections that one address may have open: an IPv4 address, or a /64 network of IPv6. More are closed at once. Proxies, and a Unix socket, may have any number. No address gets more than a quarter of the files that the process may open."`
}

// Metrics says who may read the metrics, and which endpoints there are.
type Metrics struct {
	Access string `yaml:"access" jsonschema:"default=local,enum=local,enum=any,enum=off" jsonschema_description:"local is this machine, asked by a loopback address with no proxy between; any is anyone who can reach the bridge; off is no one. Callers who may not read them see no endpoint's name in /readyz either."`
	Token  string `yaml:"token" jsonschema_description:"Lets in from anywhere with  Authorization: Bearer TOKEN ; 16 characters or more, as ${NAME} or ${file:PATH}."`
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level" jsonschema:"default=info,enum=debug,enum=info,enum=warn,enum=error" jsonschema_description:"The least severe messages that are written. A request is logged as info, one that was refused as warn, one that failed as error."`
	Format string `yaml:"format" jsonschema:"default=text,enum=text,enum=json" jsonschema_description:"text for people, json for programs."`
}

// SlogLevel returns the level as log/slog has it.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// Endpoint is one external service, or part of one, as callers see it.
type Endpoint struct {
	Auth     Auth              `yaml:"auth" jsonschema:"required" jsonschema_description:"Who may ask: a mapping of what the caller's auth object must hold, such as username and password; or  none  for anyone; or  source  where the external service decides: {{auth.name}} in the source then stands for what the caller sent. Values are compared in constant time." hint:"Choose one: a mapping of what callers must send (username: agent, password: ${NAME}); none, to let in anyone; source, to let the external service judge {{auth.name}}."`
	Source   strictyaml.Raw    `yaml:"source" jsonschema_description:"The external service. Its key kind says which one it is and which other keys there are. Default: sources."`
	Sources  strictyaml.RawMap `yaml:"sources" jsonschema_description:"Several external services as one, in place of source: a mapping of names to sources, which are read one after the other. See below."`
	Agents   strictyaml.Raw    `yaml:"agents" jsonschema_description:"Who of the external service's users may be agents of the contact centre: a source of any kind, as below source. See below."`
	Page     Page              `yaml:"page" jsonschema_description:"When a page ends: by whichever comes first."`
	Phones   Phones            `yaml:"phones" jsonschema_description:"What happens to phone numbers."`
	OnDelete bridge.OnDelete   `yaml:"on_delete" jsonschema:"default=skip,enum=skip,enum=blank" jsonschema_description:"What a deleted contact becomes for a synchronizer that does not ask for deletions: skip sends nothing, so the contact stays as it is over there; blank sends it with its id, its name and nothing that a call could find."`

	UnknownCheckpoint bridge.UnknownCheckpoint `yaml:"unknown_checkpoint" jsonschema:"default=restart,enum=restart,enum=refuse" jsonschema_description:"The answer to a checkpoint that was issued for something else: another table, mapping, phone settings or database, another bridge, or a version with a different mapping. restart sends every contact again, as in an initial run; refuse answers 400 invalid_checkpoint."`

	Registration Registration `yaml:"registration" jsonschema_description:"What the contact centre's platform asks for when an integration is registered; contactbridge describe writes it. See below."`

	// Name is the endpoint's key in the file.
	Name string `yaml:"-"`
	// Kind is the source's.
	Kind source.Kind `yaml:"-"`
	// Title names what the source reads, in a word or two for the start-up line; empty if it has no name.
	Title string `yaml:"-"`
	// New makes the factory that opens the endpoint's sources. It connects to nothing.
	New func(deps source.Deps) (source.Factory, error) `yaml:"-"`
	// SourceAuth names the fields of the caller's auth that the source uses, or the agents, sorted.
	SourceAuth []string `yaml:"-"`
	// AgentsKind and AgentsTitle say what the agents are read from, as Kind and Title do of the contacts.
	AgentsKind  source.Kind `yaml:"-"`
	AgentsTitle string      `yaml:"-"`
	// NewAgents makes the factory that opens the agents' sources; nil where the endpoint has no agents.
	NewAgents func(deps source.Deps) (source.Factory, error) `yaml:"-"`

	ofAgents bool // its source is that of agents
}

// Digest stands for what the endpoint makes of the source's contacts. Checkpoints belong to it and to what the source says of
// itself (D10).
func (e Endpoint) Digest() string {
	return e.Phones.settings().Digest()
}

// The ways to say who may ask without saying what they must send.
const (
	AuthNone   = "none"   // anyone
	AuthSource = "source" // the external service decides
)

// Auth says who may ask.
type Auth struct {
	Mode   string      // AuthNone, AuthSource, or empty where Fields decide
	Fields bridge.Auth // what the caller must send
}

// UnmarshalYAML reads a mapping of texts, none or source.
func (a *Auth) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode && (node.Value == AuthNone || node.Value == AuthSource) {
		*a = Auth{Mode: node.Value}
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return strictyaml.At(node, "expected a mapping of what callers must send, or none, or source", authChoices)
	}
	fields := bridge.Auth{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind != yaml.ScalarNode {
			return strictyaml.At(key, fmt.Sprintf("the value of %s must be a text", key.Value), "")
		}
		if value.Tag == "!!null" || value.Value == "" {
			return strictyaml.At(key, key.Value+" is empty, so every caller would be refused", "Write what callers must send, such as ${NAME}.")
		}
		fields[key.Value] = value.Value
	}
	if len(fields) == 0 {
		return strictyaml.At(node, "it is empty, so every caller would be refused", authChoices)
	}
	*a = Auth{Fields: fields}
	return nil
}

const authChoices = "Choose one: a mapping of what callers must send (username: agent, password: ${NAME}); none, to let in anyone; " +
	"source, to let the external service judge {{auth.name}}."

// JSONSchema describes the three forms.
func (Auth) JSONSchema() *jsonschema.Schema {
	one := uint64(1)
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string", Enum: []any{AuthNone, AuthSource}},
		{Type: "object", MinProperties: &one, AdditionalProperties: &jsonschema.Schema{Type: "string"}},
	}}
}

// Page says when a page ends.
type Page struct {
	Contacts int           `yaml:"contacts" jsonschema:"default=1000,minimum=1,maximum=100000" jsonschema_description:"The most contacts in a page."`
	Bytes    Size          `yaml:"bytes" jsonschema:"default=1MiB" jsonschema_description:"The most bytes in a page, before compression: 1KiB to 64MiB. A single contact that is larger makes a larger page."`
	Time     time.Duration `yaml:"time" jsonschema:"default=7s" jsonschema_description:"When a page ends with what it has: 100ms to 9s. The protocol fails a request after 10 s."`
}

// The least and most that a page may be given.
const (
	minBytes = 1 << 10
	maxBytes = 64 << 20
	minTime  = 100 * time.Millisecond
	maxTime  = 9 * time.Second
)

// Limits returns the handler's: a source that has nothing to show when a page's time is up is waited for a little longer, within the protocol's 10 s (P12).
func (p Page) Limits() bridge.Limits {
	return bridge.Limits{Contacts: p.Contacts, Bytes: int(p.Bytes), Time: p.Time, Hard: max(9*time.Second, p.Time+500*time.Millisecond)}
}

// A Size is a number of bytes, written with or without a unit: 500000, 512KiB, 1MiB, 2MB.
type Size int

var units = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1000}, {"KB", 1000}, {"MB", 1_000_000}, {"GB", 1_000_000_000}, {"B", 1}, {"", 1}}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range units {
		number, ok := strings.CutSuffix(strings.TrimSpace(string(text)), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<40)/unit.bytes {
			break
		}
		*s = Size(n * unit.bytes)
		return nil
	}
	return &failure.Error{Code: failure.Invalid, Message: "this is not a size", Hint: "Write a whole number with its unit: 512KiB, 1MiB, 2MB."}
}

// JSONSchema describes a size.
func (Size) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: "0"},
		{Type: "string", Pattern: `^\s*[0-9]+\s*([KMG]iB|[kKMG]?B)?\s*$|\$\{`},
	}}
}
