package hub_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/source/memory"
)

// staff gives a crm's bridge agents.
func (c *crm) staff(agents ...directory.Agent) {
	users := memory.NewStore(nil)
	for _, a := range agents {
		users.Put(contact.Contact{ID: a.ID, Name: a.Name, Emails: []string{a.Email}})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handler.(*bridge.Handler).Agents = users.Factory().Open
}

func withAgents(c *crm) func(*registry.Integration) {
	return func(i *registry.Integration) { i.Agents = strings.Replace(c.url, "contact_sync", "agent_sync", 1) }
}

var (
	ann  = directory.Agent{ID: "7", Name: "Ann", Email: "Ann@example.com"}
	bob  = directory.Agent{ID: "8", Name: "Bob", Email: "bob@example.com"}
	twin = directory.Agent{ID: "9", Name: "Bob too", Email: "BOB@example.com"}
)

// Agents are fetched with every run, linked to users by e-mail address, and say to whom an activity belongs.
func TestAgentsAreSynchronizedAndAttributed(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	c.staff(ann, bob, twin)
	f.add(t, c, withAgents(c))
	ctx := t.Context()
	for _, u := range []registry.User{
		{ID: "1", Name: "annie", Role: registry.RoleReader, Email: "ann@EXAMPLE.com"}, {ID: "2", Name: "bob@example.com", Role: registry.RoleReader},
		{ID: "3", Name: "elsewhere", Role: registry.RoleReader, Email: "ann@example.com", Accounts: []string{"other"}},
	} {
		must(t, f.Registry.PutUser(ctx, u))
	}
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	list, err := f.Agents(ctx, crmKey, "", 10)
	must(t, err)
	want := []hub.AgentView{
		{AgentEntry: directory.AgentEntry{Key: crmKey, Agent: ann}, User: "annie"},
		{AgentEntry: directory.AgentEntry{Key: crmKey, Agent: bob}, User: "bob@example.com"},
		{AgentEntry: directory.AgentEntry{Key: crmKey, Agent: twin}, User: "bob@example.com"},
	}
	if !slices.Equal(list, want) {
		t.Errorf("%+v", list)
	}
	found, err := f.Attribute(ctx, crmKey, caller.Subject{Number: "(415) 555-0001", AgentEmail: " ann@example.com "})
	must(t, err)
	if found.Record == nil || found.Record.ID != "c001" || found.Agent == nil || *found.Agent != (caller.Agent{Integration: "crm", ID: "7", Name: "Ann", Email: "Ann@example.com", User: "annie"}) {
		t.Errorf("%+v", found)
	}
	for address, reason := range map[string]string{"bob@example.com": "2 agents of crm share", "nobody@example.com": "No agent of crm has"} {
		found, err := f.Attribute(ctx, crmKey, caller.Subject{AgentEmail: address})
		must(t, err)
		if found.Agent != nil || !strings.Contains(found.AgentReason, reason) || found.Record != nil || found.Reason != "" {
			t.Errorf("%s: %+v", address, found)
		}
	}

	// The next run replaces them; one that was purged stays away.
	result, err := f.Purge(ctx, "acme", []directory.Ref{{Integration: "crm", ID: "8", Agent: true}})
	if err != nil || result.Purged != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	c.staff(bob, twin)
	must(t, f.Ask(ctx, crmKey, registry.Ask{Run: true}))
	eventually(t, "the agents are replaced", func() bool {
		list, err := f.Agents(ctx, crmKey, "", 10)
		return err == nil && len(list) == 1 && list[0].Agent == twin
	})

	must(t, f.RemoveIntegration(ctx, crmKey))
	if found, err := f.AgentsByEmail(ctx, "acme", "bob@example.com"); err != nil || len(found) != 0 {
		t.Errorf("after the removal: %v, %v", found, err)
	}
}

// Agents that cannot be fetched are told of, once, and cost no contact.
func TestAgentsThatFailDoNotConcernContacts(t *testing.T) {
	f, c := newHub(t), newCRM(t, 3)
	f.add(t, c, withAgents(c)) // the bridge has none: 404
	work(t, f.Hub)
	v := f.until(t, registry.HealthOK)
	eventually(t, "the failure is noted", func() bool { v = f.view(t); return v.State.Agents.Error != "" })
	if v.State.Contacts != 3 || !strings.Contains(v.State.Agents.Hint, "URL of agents") {
		t.Errorf("%+v", v.State)
	}
	f.clock.move(11 * time.Minute)
	eventually(t, "it has run again", func() bool { return len(f.runs(t)) > 1 && f.view(t).Status.Worker == "" })
	if n := count(f.events(t), "agents.failed"); n != 1 {
		t.Errorf("told of %d times", n)
	}
	c.staff(ann)
	f.clock.move(11 * time.Minute)
	eventually(t, "it is mended", func() bool { a := f.view(t).State.Agents; return a.Error == "" && a.Count == 1 })
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// Agents are people: who may not read callers, contacts or integrations sees none, and kept values do not go where agents are said to be.
func TestAgentsKeepToWhatIsAllowed(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	f.add(t, c, withAgents(c))
	limited := hub.WithActor(t.Context(), hub.Actor{Name: "token", Accounts: []string{"acme"}, Scopes: []registry.Scope{registry.ScopeWrite}})
	if _, err := f.Agents(limited, crmKey, "", 10); failure.Of(err).Code != failure.Denied {
		t.Errorf("listed: %v", err)
	}
	i := f.view(t).Integration
	i.Agents = "https://elsewhere.example.com/agent_sync"
	if err := f.ChangeIntegration(t.Context(), i, nil); err == nil || !strings.Contains(err.Error(), "elsewhere.example.com") {
		t.Errorf("the password would go there: %v", err)
	}
}

// exchange is a bridge that gives a token for a password, and then takes the token only (P13).
func exchange(t *testing.T) (*crm, func() []string) {
	t.Helper()
	c := newCRM(t, 2)
	var asked []string
	c.answer(func(w http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		text := string(body)
		c.mu.Lock()
		asked = append(asked, text)
		c.mu.Unlock()
		switch {
		case strings.HasSuffix(r.URL.Path, "/auth_validation"):
			if !strings.Contains(text, `"password":"typed"`) && !strings.Contains(text, `"token":"t0ken"`) {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"token":"t0ken"}`)
		case !strings.Contains(text, `"token":"t0ken"`) || strings.Contains(text, "typed"):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"contacts":[{"id":"1","name":"Ann"}],"synchronization_checkpoint":"1"}`)
		}
		return true
	})
	return c, func() []string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.Clone(asked)
	}
}

func exchanging(c *crm, store registry.Store) registry.Integration {
	return registry.Integration{
		Key: crmKey, Bridge: c.url, Validation: strings.Replace(c.url, "contact_sync", "auth_validation", 1), Schedule: registry.Schedule{Every: 10 * time.Minute},
		Fields: []registry.Field{
			{Name: "user", Mandatory: true}, {Name: "password", Mandatory: true, Type: "password", Store: store},
			{Name: "token", Mandatory: true, Source: registry.SourceValidation}, {Name: "region", Source: registry.SourceDefault, Default: "eu", Mandatory: true},
		},
	}
}

// A value that is not kept is sent to the validation, whose answer takes its place.
func TestAValueThatIsNotKept(t *testing.T) {
	f := newHub(t)
	c, asked := exchange(t)
	i := exchanging(c, registry.NotKept)
	ctx := t.Context()
	if err := f.AddIntegration(ctx, i, map[string]string{"user": "ann"}); err == nil || failure.Of(err).Field != "auth.password" {
		t.Errorf("without the password: %v", err)
	}
	if err := f.AddIntegration(ctx, i, map[string]string{"user": "ann", "password": "wrong"}); err == nil || !strings.Contains(err.Error(), "does not take these values") {
		t.Errorf("with a wrong one: %v", err)
	}
	must(t, f.AddIntegration(ctx, i, map[string]string{"user": "ann", "password": "typed"}))
	kept, err := f.Registry.Auth(ctx, crmKey)
	must(t, err)
	if len(kept) != 2 || kept["user"] != "ann" || kept["token"] != "t0ken" {
		t.Errorf("kept: %v", kept)
	}
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	all := asked()
	if last := all[len(all)-1]; strings.Contains(last, "password") || !strings.Contains(last, `"region":"eu"`) {
		t.Errorf("sent: %s", last)
	}
	result, err := f.Test(ctx, crmKey)
	if err != nil || !result.OK || result.Checked != "first page" {
		t.Errorf("%+v, %v", result, err)
	}
	if err := f.ChangeIntegration(ctx, f.view(t).Integration, map[string]string{"password": "wrong"}); err == nil {
		t.Error("a wrong password was taken")
	}
	must(t, f.ChangeIntegration(ctx, f.view(t).Integration, map[string]string{"password": "typed"}))
	if kept, _ := f.Registry.Auth(ctx, crmKey); kept["password"] != "" || kept["token"] != "t0ken" {
		t.Errorf("kept: %v", kept)
	}
}

// A value that only the validation gives is asked for when a run needs it.
func TestAValueThatTheValidationGives(t *testing.T) {
	f := newHub(t)
	c, _ := exchange(t)
	ctx := t.Context()
	must(t, f.AddIntegration(ctx, exchanging(c, registry.Kept), map[string]string{"user": "ann", "password": "typed"}))
	work(t, f.Hub)
	eventually(t, "the token is there", func() bool {
		kept, err := f.Registry.Auth(ctx, crmKey)
		return err == nil && kept["token"] == "t0ken"
	})
	if v := f.view(t); !slices.Equal(v.Learned, []string{"token"}) {
		t.Errorf("learned %v", v.Learned)
	}
}

func TestFieldsThatMakeNoSense(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	for said, change := range map[string]func(*registry.Integration){
		"needs the URL of an auth_validation": func(i *registry.Integration) { i.Validation = "" },
		"unknown source":                      func(i *registry.Integration) { i.Fields[0].Source = "moon" },
		"needs one":                           func(i *registry.Integration) { i.Fields[3].Default = "" },
		"a person has to type it":             func(i *registry.Integration) { i.Managed = true },
	} {
		i := exchanging(c, registry.NotKept)
		change(&i)
		if err := f.CheckIntegration(t.Context(), i, map[string]string{"user": "ann", "password": "typed"}); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", said, err)
		}
	}
}

// oauth2_password: user name and password go to the token endpoint only, and the bridge is sent the token.
func TestThePasswordGrant(t *testing.T) {
	f, c, p := newHub(t), newCRM(t, 3), newProvider(t)
	var sent string
	c.handler.(*bridge.Handler).Authenticate = func(auth bridge.Auth) error {
		sent = strings.Join(sortedKeys(auth), ",")
		if auth["access_token"] != p.current() {
			return &bridge.Error{Code: bridge.CodeUnauthorized, Message: "stale"}
		}
		return nil
	}
	ctx := t.Context()
	i := registry.Integration{Key: crmKey, Bridge: c.url, Schedule: registry.Schedule{Every: 10 * time.Minute}, OAuth: &registry.OAuth{Grant: hub.PasswordGrant, TokenURL: p.url, ClientID: "hub"}}
	if err := f.AddIntegration(ctx, i, map[string]string{"username": "ann", "client_secret": "hush"}); err == nil {
		t.Error("added without a password")
	}
	must(t, f.AddIntegration(ctx, i, map[string]string{"username": "ann", "password": "typed", "client_secret": "hush", "tenant": "7"}))
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	asked := p.requests()
	first := asked[len(asked)-1]
	if first.Get("grant_type") != "password" || first.Get("username") != "ann" || first.Get("password") != "typed" || sent != "access_token,tenant" {
		t.Errorf("asked %v, sent %s", first, sent)
	}
	p.expire() // the bridge answers 401, and the refresh token is tried first
	must(t, f.Ask(ctx, crmKey, registry.Ask{Run: true}))
	eventually(t, "the token is renewed", func() bool { list := p.requests(); return list[len(list)-1].Get("grant_type") == "refresh_token" })
	f.until(t, registry.HealthOK)
	p.mu.Lock()
	p.refresh = "none is good any more"
	p.mu.Unlock()
	p.expire()
	must(t, f.Ask(ctx, crmKey, registry.Ask{Run: true}))
	eventually(t, "the password is used again", func() bool { list := p.requests(); return list[len(list)-1].Get("grant_type") == "password" })
	f.until(t, registry.HealthOK)

	// Another user's tokens are not gone on with.
	n := len(p.requests())
	must(t, f.ChangeIntegration(ctx, f.view(t).Integration, map[string]string{"username": "bob"}))
	must(t, f.Ask(ctx, crmKey, registry.Ask{Run: true}))
	eventually(t, "bob signs in", func() bool { list := p.requests(); return len(list) > n && list[len(list)-1].Get("username") == "bob" })
}

func sortedKeys(auth bridge.Auth) (keys []string) {
	for key := range auth {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
