package rest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/source"
)

// withoutUsers are the presets whose vendors have contacts only, or show users to few apps.
var withoutUsers = []string{"google", "shopify"}

// agentsOf reads what stands below agents, of a kind with a text, as a bridge does.
func agentsOf(t *testing.T, kind, text string, simulators ...vendors.Simulator) ([]bridge.Agent, []string, error) {
	t.Helper()
	i := slices.IndexFunc(kinds(), func(k source.Kind) bool { return k.Name == kind })
	cloud := new(vendors.Cloud)
	cloud.Add(simulators...)
	factory, err := kinds()[i].NewAgents(decode(text), source.Deps{Transport: cloud})
	if err != nil {
		t.Fatal(err)
	}
	defer factory.Close()
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return bridge.ReadAgents(t.Context(), src)
}

// TestUsersAreReadAsAgents reads 450 users of every vendor: those who are active and have an e-mail address are agents.
func TestUsersAreReadAsAgents(t *testing.T) {
	for _, v := range append(ofVendors(), espoCRM(), dolibarr(), odoo()) {
		if slices.Contains(withoutUsers, v.kind) {
			continue
		}
		t.Run(v.kind, func(t *testing.T) {
			simulator, _ := v.new(nil)
			var users []vendors.User
			var want []bridge.Agent
			for n := range 450 {
				u := vendors.User{ID: fmt.Sprint(100_000 + n), Name: fmt.Sprint("Ada Agent", n), Email: fmt.Sprintf("ada%d@example.com", n), Inactive: n%50 == 7}
				if n == 123 {
					u.Email = ""
				}
				users = append(users, u)
				if !u.Inactive && u.Email != "" {
					want = append(want, bridge.Agent{ID: u.ID, Name: u.Name, Email: u.Email})
				}
			}
			simulator.Common().SetUsers(users...)
			text, _, _ := strings.Cut(credentialsOf(v), "fields:") // which are those of contacts
			agents, leftOut, err := agentsOf(t, v.kind, text, simulator)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, agents); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !slices.Equal(leftOut, []string{"100123"}) {
				t.Errorf("left out are %v", leftOut)
			}
			if traffic := simulator.Common().Traffic(); traffic.Refused > 0 && v.kind != "dolibarr" {
				t.Errorf("%d requests were refused", traffic.Refused)
			}
		})
	}
}

// Whoever knows better changes the request and what is made of it, in words of contacts.
func TestTheAgentsOfAPresetCanBeChanged(t *testing.T) {
	p := vendors.NewPipedrive(nil, "acme")
	p.SetUsers(vendors.User{ID: "1", Name: "Ada Agent", Email: "ada@example.com"}, vendors.User{ID: "2", Name: "Gone", Email: "gone@example.com", Inactive: true})
	agents, _, err := agentsOf(t, "pipedrive", "company: acme\napi_token: pipedrive-acme\nkeep: \"\"\nfields: {name: 'upper(name)'}\n", p)
	if err != nil {
		t.Fatal(err)
	}
	want := []bridge.Agent{{ID: "1", Name: "ADA AGENT", Email: "ada@example.com"}, {ID: "2", Name: "GONE", Email: "gone@example.com"}}
	if diff := cmp.Diff(want, agents); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Contacts are no agents: a preset that knows no users says so, unless it is told what to ask for.
func TestAPresetWithoutUsersReadsNoContactsAsAgents(t *testing.T) {
	all := kinds()
	for kind, text := range map[string]string{"google": "access_token: x\n", "shopify": "shop: acme\naccess_token: x\n"} {
		create := all[slices.IndexFunc(all, func(k source.Kind) bool { return k.Name == kind })].NewAgents
		_, err := create(decode(text), source.Deps{})
		if wrong, ok := errors.AsType[*source.ConfigError](err); !ok || wrong.Key != "kind" || wrong.Hint == "" {
			t.Errorf("%s reads contacts as agents: %v", kind, err)
		}
		factory, err := create(decode(text+"changes: {path: /staff, records: staff}\nfields: {name: name, emails: email}\n"), source.Deps{})
		if err != nil {
			t.Errorf("%s that is told what to ask for: %v", kind, err)
			continue
		}
		if err := factory.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A wrong credential is no empty list.
func TestAgentsNeedACredential(t *testing.T) {
	p := vendors.NewPipedrive(nil, "acme")
	p.SetUsers(vendors.User{ID: "1", Name: "Ada", Email: "ada@example.com"})
	if _, _, err := agentsOf(t, "pipedrive", "company: acme\napi_token: wrong\n", p); bridge.CodeOf(err) != bridge.CodeUnauthorized {
		t.Errorf("with a wrong token: %v", err)
	}
}

// The text of a preset in kind rest has the same users, and the same contacts.
func TestKindRestHasAgents(t *testing.T) {
	text := strings.Replace(peopleText, `"{{auth.key}}"`, "right", 1) + `
changes: {path: /people, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4}}
deletions: {by: none}
`
	people := newPeople()
	if err := people.put(people.clock.Now(), person("Doe", 1)); err != nil {
		t.Fatal(err)
	}
	kind := kinds()[slices.IndexFunc(kinds(), func(k source.Kind) bool { return k.Name == "rest" })]
	for _, c := range []struct {
		what, agents string
		want         []bridge.Agent
	}{
		{"without agents the contacts are read", "", nil},
		{"with agents these", "agents: {path: /newest, query: {page: \"{{offset}}\"}, records: data, page: {by: offset, size: 4, more: more}, id: person.name, name: person.title, email: 'person.name + \"@example.com\"'}\n", nil},
	} {
		factory, err := kind.NewAgents(decode(text+c.agents), source.Deps{Transport: people})
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		src, err := factory.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		agents, leftOut, err := bridge.ReadAgents(t.Context(), src)
		if err != nil || len(agents)+len(leftOut) != 1 {
			t.Errorf("%s: %v, %v, %v", c.what, agents, leftOut, err)
		}
		_, _ = src.Close(), factory.Close()
	}
	for text, what := range map[string]string{
		"agents: {path: /u, records: data, page: {by: none}}":                               "agents.email is missing",
		"agents: {path: /u, records: data, page: {by: keyset, size: 1}, email: e}":          "agents cannot go by keyset",
		"agents: {path: /u, records: data, email: e}":                                       "agents.page is missing",
		"agents: {path: '/{{nobody}}', records: data, page: {by: none}, email: e, name: n}": "nothing stands for {{nobody}}",
	} {
		if _, err := kind.New(decode(peopleText+"changes: {path: /p, records: d, order: none, page: {by: none}}\ndeletions: {by: none}\n"+text), source.Deps{}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v, want %s", text, err, what)
		}
	}
}

// TestAnEndpointSendsTheVendorsUsersAsAgents asks a bridge, whose contacts and agents are of one vendor.
func TestAnEndpointSendsTheVendorsUsersAsAgents(t *testing.T) {
	p := vendors.NewPipedrive(nil, "acme")
	p.SetUsers(vendors.User{ID: "1", Name: "Ada Agent", Email: "ada@example.com"})
	p.Create(vendors.Fields{"name": "A Customer", "emails": list{object{"value": "customer@example.com"}}})
	cloud := new(vendors.Cloud)
	cloud.Add(p)
	cfg, err := config.Parse("bridge.yaml", []byte(`
endpoints:
  crm:
    auth: none
    source: {kind: pipedrive, company: acme, api_token: pipedrive-acme}
    agents: {kind: pipedrive, company: acme, api_token: pipedrive-acme}
`), strictyaml.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := bridgeserver.New(cfg, bridgeserver.Options{Transport: cloud})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	listening := httptest.NewServer(server)
	defer listening.Close()
	for address, want := range map[string]string{"agent_sync": `{"agents":[{"id":"1","name":"Ada Agent","email":"ada@example.com"}]}`, "contact_sync": `"A Customer"`} {
		answer, err := http.Post(listening.URL+"/crm/"+address, "application/json", strings.NewReader(`{"auth": {}, "meta": {}}`)) //nolint:noctx // it is answered at once
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s, %v; want %s", address, answer.StatusCode, body, err, want)
		}
	}
}
