package hubconfig

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// DeclaredAccounts are the accounts of the file, by name.
func (cfg *Config) DeclaredAccounts() []registry.Account {
	var accounts []registry.Account
	for _, name := range slices.Sorted(maps.Keys(cfg.Accounts)) {
		a := cfg.Accounts[name]
		accounts = append(accounts, registry.Account{Name: name, Region: strings.ToUpper(a.Region), TimeZone: a.TimeZone, Managed: true, Callers: a.Callers.registry()})
	}
	return accounts
}

func (c Callers) registry() registry.Callers {
	r := registry.Callers{Policy: c.Policy, Ranges: c.Ranges, NoDerive: !c.Derive, Keep: time.Duration(c.Calls.Keep), Unmasked: !c.Calls.Mask}
	switch r.Keep {
	case 0:
		r.Keep = -1 // registry.Callers: none
	case registry.DefaultKeepCalls:
		r.Keep = 0
	}
	return r
}

// Ceilings returns the most that integrations' limits may be that the file does not declare.
func (cfg *Config) Ceilings() registry.Limits {
	return registry.Limits{Pages: cfg.Limits.Pages, PageBytes: int64(cfg.Limits.PageBytes), Timeout: cfg.Limits.Timeout, Run: cfg.Limits.Run}
}

// Clients returns the hub's registrations at external services.
func (cfg *Config) Clients() map[string]hub.OAuthClient {
	clients := map[string]hub.OAuthClient{}
	for name, c := range cfg.OAuthClients {
		clients[name] = hub.OAuthClient(c)
	}
	return clients
}

// A DeclaredIntegration is an integration of the file with its auth values.
type DeclaredIntegration struct {
	registry.Integration
	Auth map[string]string
}

// DeclaredIntegrations are the integrations of the file, by account and name.
func (cfg *Config) DeclaredIntegrations() []DeclaredIntegration {
	var declared []DeclaredIntegration
	for _, account := range slices.Sorted(maps.Keys(cfg.Accounts)) {
		integrations := cfg.Accounts[account].Integrations
		for _, name := range slices.Sorted(maps.Keys(integrations)) {
			declared = append(declared, integrations[name].declared(directory.Key{Account: account, Integration: name}))
		}
	}
	return declared
}

func (i Integration) declared(key directory.Key) DeclaredIntegration {
	full := i.Full
	if full == 0 {
		full = -1 // registry.Schedule: never
	}
	auth, kind := i.Auth, ""
	if i.hasSource() {
		auth, kind = maps.Clone(i.Auth), i.kind()
		if auth == nil {
			auth = map[string]string{}
		}
		auth[registry.SourceValue], _ = i.source() // the configuration was checked
	}
	return DeclaredIntegration{Auth: auth, Integration: registry.Integration{
		Key: key, Bridge: i.Bridge, Source: kind, Validation: i.Validation, Agents: i.Agents, Fields: i.fields(), OAuth: i.OAuth.registry(), Paused: i.Paused, Managed: true,
		Schedule: registry.Schedule{Every: i.Every, Cron: i.Cron, Off: i.Off, Full: full},
		Limits:   registry.Limits{Pages: i.Limits.Pages, PageBytes: int64(i.Limits.PageBytes), Timeout: i.Limits.Timeout, Run: i.Limits.Run},
		Guard:    directory.NewGuard(float64(i.Guard.Share), i.Guard.Min),
		Priority: i.Priority, Role: strings.TrimPrefix(i.Role, "contacts"),
	}}
}

func (o *OAuth) registry() *registry.OAuth {
	if o == nil {
		return nil
	}
	r := &registry.OAuth{
		Grant: o.Grant, Client: o.Client, AuthorizeURL: o.AuthorizeURL, TokenURL: o.TokenURL, ClientID: o.ClientID, Scopes: o.Scopes, Params: o.Params, Field: o.Field,
	}
	if r.Client != "" {
		r.Field = "" // the default is for a bridge
	}
	return r
}

// hasSource reports whether the contacts come from a source inside the hub.
func (i Integration) hasSource() bool { return !i.Source.IsZero() || i.Sources != nil }

// kind is the source's.
func (i Integration) kind() string {
	if i.Sources != nil {
		return "sources"
	}
	kind, _ := i.Source.Text("kind")
	return kind
}

// source is the text of the source, as package inside reads it.
func (i Integration) source() (string, error) {
	parts := map[string]strictyaml.Raw{"source": i.Source, "agents": i.ItsAgents, "phones": i.Phones, "page": i.Page}
	if i.Sources != nil {
		parts["sources"] = i.Sources.Raw()
	}
	return strictyaml.Compose(parts)
}

func (i Integration) fields() []registry.Field {
	var fields []registry.Field
	for _, f := range i.Fields {
		fields = append(fields, registry.Field{
			Name: f.Name, Display: f.Display, Mandatory: f.Mandatory, Type: f.Type, Help: f.Help, Format: f.Format, Default: f.Default, Source: f.Source,
		})
	}
	return fields
}

// A DeclaredToken is a token of the file with its value.
type DeclaredToken struct {
	registry.Token
	Value string
}

// DeclaredTokens are the tokens of the file, by name.
func (cfg *Config) DeclaredTokens() []DeclaredToken {
	var tokens []DeclaredToken
	for _, name := range slices.Sorted(maps.Keys(cfg.Tokens)) {
		t := cfg.Tokens[name]
		token := registry.Token{Name: name, Account: t.Account, Managed: true}
		for _, scope := range t.Scopes {
			token.Scopes = append(token.Scopes, registry.Scope(scope))
		}
		tokens = append(tokens, DeclaredToken{token, t.Value})
	}
	return tokens
}

// A DeclaredWebhook is a webhook of the file with its signing secret. Its ID is made of its name.
type DeclaredWebhook struct {
	registry.Webhook
	Secret string
}

// DeclaredWebhooks are the webhooks of the file, by name.
func (cfg *Config) DeclaredWebhooks() []DeclaredWebhook {
	var webhooks []DeclaredWebhook
	for _, name := range slices.Sorted(maps.Keys(cfg.Webhooks)) {
		w := cfg.Webhooks[name]
		webhooks = append(webhooks, DeclaredWebhook{registry.Webhook{ID: "file-" + name, Account: w.Account, URL: w.URL, Kinds: w.Events, Managed: true}, w.Secret})
	}
	return webhooks
}
