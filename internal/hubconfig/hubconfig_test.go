package hubconfig_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

func environment() strictyaml.Environment {
	values := map[string]string{"CRM_BRIDGE_PASSWORD": "s3cret", "PBX_TOKEN": "0123456789abcdef0123"}
	return strictyaml.Environment{
		Folder: "/etc/contactbridge", ReadFile: os.ReadFile,
		Lookup: func(name string) (string, bool) { value, ok := values[name]; return value, ok },
	}
}

const everyday = `
listen: 127.0.0.1:8090
data: ./data                    # or  database: postgres://…
accounts:
  acme:
    region: gb
    integrations:
      crm:
        bridge: http://127.0.0.1:8080/crm/contact_sync
        auth: {username: agent, password: "${CRM_BRIDGE_PASSWORD}"}
        every: 30m
tokens:
  pbx: {account: acme, scopes: [callers:read], value: "${PBX_TOKEN}"}
network: {allow_private: true}
`

func TestAnEverydayFile(t *testing.T) {
	cfg, err := hubconfig.Parse("hub.yaml", []byte(everyday), environment())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Data != "/etc/contactbridge/data" || !cfg.Network.AllowPrivate || cfg.Role != "all" || cfg.Workers != 8 {
		t.Errorf("%+v", cfg)
	}
	if got, want := cfg.DeclaredAccounts(), []registry.Account{{Name: "acme", Region: "GB", TimeZone: "UTC", Managed: true}}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	integrations := []hubconfig.DeclaredIntegration{{
		Auth: map[string]string{"username": "agent", "password": "s3cret"},
		Integration: registry.Integration{
			Key: directory.Key{Account: "acme", Integration: "crm"}, Bridge: "http://127.0.0.1:8080/crm/contact_sync", Managed: true,
			Schedule: registry.Schedule{Every: 30 * time.Minute, Full: 7 * 24 * time.Hour},
			Limits:   registry.Limits{Pages: 1_000_000, PageBytes: 32 << 20, Timeout: 10 * time.Second, Run: 12 * time.Hour},
			Guard:    directory.Guard{Share: 0.2, Min: 10},
		},
	}}
	if got := cfg.DeclaredIntegrations(); !cmp.Equal(got, integrations) {
		t.Error(cmp.Diff(integrations, got))
	}
	tokens := []hubconfig.DeclaredToken{{
		Token: registry.Token{Name: "pbx", Account: "acme", Scopes: []registry.Scope{registry.ScopeCallers}, Managed: true}, Value: "0123456789abcdef0123",
	}}
	if got := cfg.DeclaredTokens(); !cmp.Equal(got, tokens) {
		t.Error(cmp.Diff(tokens, got))
	}
}

func TestWithoutAFileEverythingIsEmbedded(t *testing.T) {
	cfg := hubconfig.Default()
	if cfg.Listen != "127.0.0.1:8090" || cfg.Data != "data" || cfg.Database != "" || cfg.Role != "all" || cfg.Keep.Runs != 90*24*time.Hour {
		t.Errorf("%+v", cfg)
	}
}

func TestEveryProblemIsToldWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"listen: nowhere":                                 "1:9: listen cannot be",
		"role: worker":                                    "1:7: role: worker needs a database",
		"database: mysql://x":                             "1:11: database must be a postgres:// URL",
		"acounts: {}":                                     "1:1: unknown key",
		"accounts: {a b: {}}":                             "cannot be a name",
		"accounts: {a: {region: XX}}":                     "unknown region",
		"accounts: {a: {time_zone: Mars/X}}":              "unknown time zone",
		"accounts: {a: {integrations: {c: {every: 5m}}}}": "neither bridge nor source",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', source: {kind: memory}}}}}":                                                    "both a bridge and a source",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', phones: {region: GB}}}}}":                                                      "phones is for a source",
		"accounts: {a: {integrations: {c: {source: {kind: sqlite, path: x, tabl: t}}}}}":                                                        `1:73: unknown key "tabl"`,
		"accounts: {a: {integrations: {c: {source: {kind: mysqll}}}}}":                                                                          "there is no kind of source",
		"accounts: {a: {integrations: {c: {source: {kind: memory, contacts: [{id: a, name: b}]}, page: {time: 1h}}}}}":                          "a page cannot take",
		"accounts: {a: {integrations: {c: {bridge: ftp://x}}}}":                                                                                 "not an http or https URL",
		"accounts: {a: {integrations: {c: {bridge: 'http://u:p@x/y'}}}}":                                                                        "holds credentials",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', every: 1s}}}}":                                                                 "cannot run every 1s",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', every: 1m, cron: '* * * * *'}}}}":                                              "more than one schedule",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', cron: 'often'}}}}":                                                             "is not a schedule",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', guard: {share: 120%}}}}}":                                                      "not a share",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', oauth: {grant: implicit, token_url: 'http://x/t', client_id: a}}}}}":           "implicit",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', oauth: {grant: authorization_code, token_url: 'http://x/t', client_id: a}}}}}": "needs authorize_url",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', fields: [{display: User}]}}}}":                                                 "name is missing",
		"tokens: {t: {scopes: [callers:read], value: 0123456789abcdef}}":                                                                        "needs the scope admin",
		"tokens: {t: {scopes: [all], value: 0123456789abcdef, account: b}}":                                                                     "unknown scope",
		"tokens: {t: {scopes: [admin], value: short}}":                                                                                          "fewer than 16",
		"tokens: {t: {scopes: [callers:read], account: nobody, value: 0123456789abcdef}}":                                                       "is not in this file",
		"webhooks: {w: {url: 'https://example.com/x', secret: x}}":                                                                              "fewer than 16",
		"network: {allow: [10.0.0.0]}":                                 "is not a network",
		"secrets: {key_env: A, key_file: b}":                           "only one key",
		"keep: {audit: 24h}":                                           "a year at least",
		"sign_in: {client_id: x}":                                      "needs issuer",
		"tls: {cert: x}":                                               "both cert and key",
		"tls: {acme: {}}":                                              "domains is missing",
		"tls: {acme: {domains: [a]}}":                                  "not a domain",
		"tls: {acme: {domains: [a.example.com], storage: x}}":          "unknown key",
		"tls: {cert: x, key: y, acme: {domains: [a.example.com]}}":     "both a certificate and acme",
		"{listen: 'unix:/x', tls: {acme: {domains: [a.example.com]}}}": "Unix socket",
		"public_url: example.com":                                      "not an http or https URL",
		"accounts: {a: {integrations: {c: {bridge: 'http://x/y', auth: {password: '${NOT_SET_ANYWHERE}'}}}}}": "NOT_SET_ANYWHERE",
	} {
		_, err := hubconfig.Parse("hub.yaml", []byte(text), environment())
		problems, ok := errors.AsType[*strictyaml.Problems](err)
		if !ok || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "hub.yaml:1:") {
			t.Errorf("%s: %v, want %q", text, err, want)
			continue
		}
		if problems.List[0].Hint == "" {
			t.Errorf("%s: no word on what to do: %v", text, err)
		}
	}
}

// What does not fit, what cannot be and where references lead nowhere are told at once, each key once.
func TestAllProblemsAreToldAtOnce(t *testing.T) {
	text := `listn: nowhere
public_url: example.com
keep: {audit: soon}
limits: {page_bytes: 0}
accounts:
  a:
    region: XX
    integrations:
      c: {every: 1s}
tokens:
  t: {scopes: [admin], value: "${NOT_SET_ANYWHERE}"}
`
	_, err := hubconfig.Parse("hub.yaml", []byte(text), environment())
	var told []string
	for _, said := range failure.All(err) {
		told = append(told, said.Field+": "+said.Message)
		if said.Code != failure.Invalid || said.Hint == "" {
			t.Errorf("%+v: expected the code %s and a hint", said, failure.Invalid)
		}
	}
	want := []string{
		`listn: unknown key "listn"`,
		"public_url: this is not an http or https URL",
		`keep.audit: audit must be a duration, not "soon"`,
		"limits.page_bytes: the ceiling must be more than 0",
		`accounts.a.region: unknown region "XX"`,
		"accounts.a.integrations.c: accounts.a.integrations.c has neither bridge nor source",
		"accounts.a.integrations.c.every: it cannot run every 1s",
		"tokens.t.value: the environment variable NOT_SET_ANYWHERE is not set",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFieldsAndOAuthAreDeclared(t *testing.T) {
	text := `
accounts:
  a:
    integrations:
      c:
        bridge: https://bridge.example.com/contact_sync
        auth: {client_secret: "0123"}
        fields: [{name: site, display: Site, mandatory: true, type: uri, format: "https://{{site}}.example.com"}]
        oauth: {grant: client_credentials, token_url: https://login.example.com/token, client_id: hub, scopes: [contacts]}
`
	cfg, err := hubconfig.Parse("hub.yaml", []byte(text), environment())
	if err != nil {
		t.Fatal(err)
	}
	got := cfg.DeclaredIntegrations()[0]
	fields := []registry.Field{{Name: "site", Display: "Site", Mandatory: true, Type: "uri", Format: "https://{{site}}.example.com"}}
	oauth := &registry.OAuth{Grant: "client_credentials", TokenURL: "https://login.example.com/token", ClientID: "hub", Scopes: []string{"contacts"}, Field: "access_token"}
	if !cmp.Equal(got.Fields, fields) || !cmp.Equal(got.OAuth, oauth) {
		t.Error(cmp.Diff(fields, got.Fields), cmp.Diff(oauth, got.OAuth))
	}
}

func TestAnAddressWithPlaceholdersIsTaken(t *testing.T) {
	text := "accounts: {a: {integrations: {c: {bridge: 'https://{{site}}.example.com/contact_sync', auth: {site: acme}}}}}"
	if _, err := hubconfig.Parse("hub.yaml", []byte(text), environment()); err != nil {
		t.Error(err)
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	want, err := hubconfig.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "hub-configuration.md"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/hub-configuration.md is not current (%v): go generate ./internal/hubconfig", err)
	}
}

// Whatever stands in the file: a configuration or problems, and never a secret in them.
func FuzzParse(f *testing.F) {
	f.Add(everyday)
	f.Add("accounts: {a: {region: GB, integrations: {c: {bridge: 'https://x/y', auth: {k: '${CRM_BRIDGE_PASSWORD}'}, every: 1m, guard: {share: 20%}}}}}")
	f.Add("tokens: {t: {scopes: [admin], value: 0123456789abcdef}}\nwebhooks: {w: {url: 'https://example.com/x', secret: '${PBX_TOKEN}', events: [run.failed]}}")
	f.Add("network: {allow: [10.0.0.0/8], hosts: {a: 1}}\nsecrets: {key_env: A}\nkeep: {runs: 1h}\nsign_in: {issuer: 'https://x', client_id: x}")
	f.Add("a: &a [*a, *a]")
	f.Fuzz(func(t *testing.T, text string) {
		env := environment()
		env.ReadFile = func(string) ([]byte, error) { return []byte("s3cret"), nil }
		cfg, err := hubconfig.Parse("f.yaml", []byte(text), env)
		if (cfg == nil) == (err == nil) {
			t.Errorf("configuration %v, error %v", cfg, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") && !strings.Contains(text, "s3cr") {
			t.Errorf("a secret shows: %v", err)
		}
		if cfg == nil {
			return
		}
		for _, i := range cfg.DeclaredIntegrations() {
			if i.Account == "" || i.Key.Integration == "" || i.Bridge == "" {
				t.Errorf("an integration without a name or a bridge: %+v", i)
			}
		}
	})
}

// D9: a share of zero always asks; it is not the default.
func TestAGuardOfZeroIsMeant(t *testing.T) {
	for text, want := range map[string]directory.Guard{
		"{share: 0%, min: 0}": {Always: true},
		"{share: 0}":          {Min: 10, Always: true},
		"{min: 0}":            {Share: 0.2},
		"{share: 100%}":       {Share: 1, Min: 10},
	} {
		file := strings.Replace(everyday, "bridge: ", "guard: "+text+"\n        bridge: ", 1)
		cfg, err := hubconfig.Parse("hub.yaml", []byte(file), environment())
		if err != nil {
			t.Fatalf("%v\n%s", err, file)
		}
		if got := cfg.DeclaredIntegrations()[0].Guard; got != want || got == (directory.Guard{}) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}
