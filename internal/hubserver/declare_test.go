package hubserver_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// full declares one of everything.
const full = `
data: ./data
accounts:
  acme:
    region: GB
    time_zone: Europe/London
    callers: {policy: [company], ranges: ["+4420794600xx: Example Ltd"], calls: {keep: 5d}}
    integrations:
      crm:
        bridge: https://bridge.example.com/crm/contact_sync
        validation: https://bridge.example.com/crm/auth_validation
        auth: {username: agent, password: old, old_key: gone, client_secret: hush}
        fields: [{name: username, display: User, mandatory: true, type: text, help: Who, format: "{{username}}@x", default: me}]
        oauth: {grant: authorization_code, authorize_url: https://x.example.com/a, token_url: https://x.example.com/t, client_id: old-client,
                scopes: [contacts.read], params: {audience: x}, field: access_token}
        every: 30m
        full: 100h
        limits: {pages: 10, page_bytes: 1MiB, timeout: 5s, run: 1h}
        guard: {share: 10%, min: 5}
  other: {}
tokens:
  pbx: {account: acme, scopes: [callers:read], value: "0123456789abcdef-old"}
webhooks:
  ops: {account: acme, url: "https://ops.example.com/hook", events: [run.failed], secret: "0123456789abcdef-old"}
`

// changes are other values of everything that a file can declare, by its place: how a file's owner changes it.
func changes() map[string]func(*hubconfig.Config) {
	all := map[string]func(*hubconfig.Config){
		"tokens.*.account": func(c *hubconfig.Config) { t := c.Tokens["pbx"]; t.Account = "other"; c.Tokens["pbx"] = t },
		"tokens.*.scopes": func(c *hubconfig.Config) {
			t := c.Tokens["pbx"]
			t.Scopes = []string{"contacts:read"}
			c.Tokens["pbx"] = t
		},
		"tokens.*.value":     func(c *hubconfig.Config) { t := c.Tokens["pbx"]; t.Value = "0123456789abcdef-new"; c.Tokens["pbx"] = t },
		"webhooks.*.account": func(c *hubconfig.Config) { w := c.Webhooks["ops"]; w.Account = "other"; c.Webhooks["ops"] = w },
		"webhooks.*.url": func(c *hubconfig.Config) {
			w := c.Webhooks["ops"]
			w.URL = "https://new.example.com/hook"
			c.Webhooks["ops"] = w
		},
		"webhooks.*.events": func(c *hubconfig.Config) { w := c.Webhooks["ops"]; w.Events = nil; c.Webhooks["ops"] = w },
		"webhooks.*.secret": func(c *hubconfig.Config) {
			w := c.Webhooks["ops"]
			w.Secret = "0123456789abcdef-new"
			c.Webhooks["ops"] = w
		},
		"accounts.*.region": func(c *hubconfig.Config) { a := c.Accounts["acme"]; a.Region = "US"; c.Accounts["acme"] = a },
		"accounts.*.time_zone": func(c *hubconfig.Config) {
			a := c.Accounts["acme"]
			a.TimeZone = "America/New_York"
			c.Accounts["acme"] = a
		},
	}
	for place, change := range map[string]func(*hubconfig.Callers){
		"policy":     func(c *hubconfig.Callers) { c.Policy = []string{"newest"} },
		"ranges":     func(c *hubconfig.Callers) { c.Ranges = []string{"+4420794601xx: Another Ltd"} },
		"derive":     func(c *hubconfig.Callers) { c.Derive = !c.Derive },
		"calls.keep": func(c *hubconfig.Callers) { c.Calls.Keep = 0 },
		"calls.mask": func(c *hubconfig.Callers) { c.Calls.Mask = !c.Calls.Mask },
	} {
		all["accounts.*.callers."+place] = func(c *hubconfig.Config) { a := c.Accounts["acme"]; change(&a.Callers); c.Accounts["acme"] = a }
	}
	for place, change := range map[string]func(*hubconfig.Integration){
		"priority":            func(i *hubconfig.Integration) { i.Priority = 3 },
		"role":                func(i *hubconfig.Integration) { i.Role = "block" },
		"source":              withSource("{source: {kind: memory, contacts: [{id: a, name: b}]}}"),
		"sources.*":           withSource("{sources: {a: {kind: memory, contacts: [{id: a, name: b}]}}}"),
		"ask":                 withSource("{source: {kind: memory, contacts: [{id: a, name: b, phones: ['020 7946 0018']}]}, ask: true}"),
		"phones":              withSource("{source: {kind: memory, contacts: [{id: a, name: b}]}, phones: {region: GB}}"),
		"page":                withSource("{source: {kind: memory, contacts: [{id: a, name: b}]}, page: {contacts: 7}}"),
		"source_agents":       withSource("{source: {kind: memory, contacts: [{id: a, name: b}]}, source_agents: {kind: memory, contacts: [{id: c, name: d}]}}"),
		"bridge":              func(i *hubconfig.Integration) { i.Bridge = "https://bridge.example.com/new/contact_sync" },
		"validation":          func(i *hubconfig.Integration) { i.Validation = "" },
		"agents":              func(i *hubconfig.Integration) { i.Agents = "https://bridge.example.com/crm/agent_sync" },
		"fields.*.source":     func(i *hubconfig.Integration) { i.Fields[0].Source = "auth_validation" },
		"auth":                func(i *hubconfig.Integration) { i.Auth["password"] = "new"; delete(i.Auth, "old_key") },
		"every":               func(i *hubconfig.Integration) { i.Every = time.Hour },
		"cron":                func(i *hubconfig.Integration) { i.Every, i.Cron = 0, "15 6 * * *" },
		"off":                 func(i *hubconfig.Integration) { i.Every, i.Off = 0, true },
		"paused":              func(i *hubconfig.Integration) { i.Paused = true },
		"full":                func(i *hubconfig.Integration) { i.Full = 0 },
		"limits.pages":        func(i *hubconfig.Integration) { i.Limits.Pages = 11 },
		"limits.page_bytes":   func(i *hubconfig.Integration) { i.Limits.PageBytes = 2 << 20 },
		"limits.timeout":      func(i *hubconfig.Integration) { i.Limits.Timeout = time.Hour },
		"limits.run":          func(i *hubconfig.Integration) { i.Limits.Run = 1000 * time.Hour },
		"guard.share":         func(i *hubconfig.Integration) { i.Guard.Share = 0.5 },
		"guard.min":           func(i *hubconfig.Integration) { i.Guard.Min = 50 },
		"fields.*.name":       func(i *hubconfig.Integration) { i.Fields[0].Name = "password" },
		"fields.*.display":    func(i *hubconfig.Integration) { i.Fields[0].Display = "Login" },
		"fields.*.mandatory":  func(i *hubconfig.Integration) { i.Fields[0].Mandatory = false },
		"fields.*.type":       func(i *hubconfig.Integration) { i.Fields[0].Type = "password" },
		"fields.*.help":       func(i *hubconfig.Integration) { i.Fields[0].Help = "" },
		"fields.*.format":     func(i *hubconfig.Integration) { i.Fields[0].Format = "{{username}}@y" },
		"fields.*.default":    func(i *hubconfig.Integration) { i.Fields[0].Default = "you" },
		"oauth.grant":         func(i *hubconfig.Integration) { i.OAuth.Grant = "client_credentials" },
		"oauth.authorize_url": func(i *hubconfig.Integration) { i.OAuth.AuthorizeURL = "https://x.example.com/other" },
		"oauth.token_url":     func(i *hubconfig.Integration) { i.OAuth.TokenURL = "https://y.example.com/t" },
		"oauth.client_id":     func(i *hubconfig.Integration) { i.OAuth.ClientID = "new-client" },
		"oauth.scopes":        func(i *hubconfig.Integration) { i.OAuth.Scopes = []string{"contacts.read", "more"} },
		"oauth.params":        func(i *hubconfig.Integration) { i.OAuth.Params = nil },
		"oauth.field":         func(i *hubconfig.Integration) { i.OAuth.Field = "bearer" },
	} {
		all["accounts.*.integrations.*."+place] = func(c *hubconfig.Config) {
			i := c.Accounts["acme"].Integrations["crm"]
			change(&i)
			c.Accounts["acme"].Integrations["crm"] = i
		}
	}
	all["accounts.*.integrations.*.oauth.client"] = func(c *hubconfig.Config) {
		i := c.Accounts["acme"].Integrations["crm"]
		c.OAuthClients = map[string]hubconfig.OAuthClient{"hubspot": {ClientID: "hub", ClientSecret: "hush"}}
		withSource("{source: {kind: hubspot}, oauth: {client: hubspot}}")(&i)
		c.Accounts["acme"].Integrations["crm"] = i
	}
	return all
}

// withSource is the change of a bridge into a source inside the hub.
func withSource(text string) func(*hubconfig.Integration) {
	return func(i *hubconfig.Integration) {
		cfg, err := hubconfig.Parse("", []byte("{oauth_clients: {hubspot: {client_id: hub}}, accounts: {a: {integrations: {b: "+text+"}}}}"), strictyaml.Environment{})
		if err != nil {
			panic(err)
		}
		of := cfg.Accounts["a"].Integrations["b"]
		i.Bridge, i.Validation, i.Source, i.Sources, i.ItsAgents, i.Phones, i.Page, i.Ask = "", "", of.Source, of.Sources, of.ItsAgents, of.Phones, of.Page, of.Ask
		if of.OAuth != nil {
			i.OAuth = of.OAuth
		}
	}
}

// places lists the keys of a type of the configuration, down to their values.
func places(of reflect.Type, at string) (all []string) {
	for f := range fieldsOf(of) {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		kind, place := f.Type, at+key
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Map || kind.Kind() == reflect.Slice {
			if kind.Kind() != reflect.Pointer && kind.Elem().Kind() == reflect.Struct {
				place += ".*"
			}
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Struct && kind.PkgPath() != reflect.TypeFor[strictyaml.Raw]().PkgPath() {
			all = append(all, places(kind, place+".")...)
		} else {
			all = append(all, place)
		}
	}
	return all
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for n := range t.NumField() {
			if !yield(t.Field(n)) {
				return
			}
		}
	}
}

// snapshot is everything that a file can decide, as JSON.
func snapshot(t *testing.T, s *hubserver.Server) string {
	t.Helper()
	ctx, all := t.Context(), map[string]any{}
	accounts, err := s.Hub.Accounts(ctx)
	check(t, err)
	for _, a := range accounts {
		a.Created = time.Time{}
		all["account "+a.Name] = a
	}
	list, err := s.Hub.Registry.Integrations(ctx, "", directory.Key{}, 0)
	check(t, err)
	for _, i := range list {
		auth, err := s.Hub.Registry.Auth(ctx, i.Key)
		check(t, err)
		i.Created, i.Updated, i.Version, i.Status = time.Time{}, time.Time{}, 0, registry.Status{}
		all["integration "+i.Key.Integration], all["auth"] = i, auth
	}
	for _, value := range []string{"0123456789abcdef-old", "0123456789abcdef-new"} {
		digest := sha256.Sum256([]byte(value))
		token, err := s.Hub.Registry.TokenByDigest(ctx, digest[:])
		token.ID, token.Created = "", time.Time{}
		all["token "+value] = fmt.Sprintf("%+v %v", token, err != nil)
	}
	webhooks, err := s.Hub.Webhooks(ctx, "")
	check(t, err)
	for _, w := range webhooks {
		secret, err := s.Hub.Registry.Secret(ctx, registry.WebhookOwner(w.ID), "signing")
		check(t, err)
		w.Created = time.Time{}
		all["webhook "+w.ID] = fmt.Sprintf("%+v %s", w, secret)
	}
	text, err := json.MarshalIndent(all, "", " ")
	check(t, err)
	return string(text)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, cfg *hubconfig.Config) *hubserver.Server {
	t.Helper()
	s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
	check(t, err)
	return s
}

// A file that was changed makes the same hub of an old one as of a new one, whatever was changed in it; and once it is applied,
// nothing changes any more.
func TestAChangedFileIsAppliedWhole(t *testing.T) {
	changes := changes()
	for _, of := range []struct {
		at string
		of any
	}{{"accounts.*.", hubconfig.Account{}}, {"tokens.*.", hubconfig.Token{}}, {"webhooks.*.", hubconfig.Webhook{}}} {
		for _, place := range places(reflect.TypeOf(of.of), of.at) {
			if changes[place] == nil {
				t.Errorf("%s can be declared, and no test changes it: see to it that a hub applies it, and add it here", place)
			}
		}
	}
	original := snapshot(t, freshOf(t, full))
	for _, place := range slices.Sorted(maps.Keys(changes)) {
		t.Run(place, func(t *testing.T) {
			dir := t.TempDir()
			check(t, start(t, parse(t, dir, full)).Close())
			changed := parse(t, dir, full)
			changes[place](changed)
			s := start(t, changed)
			got := snapshot(t, s)
			entries, err := s.Hub.Audit(t.Context(), registry.Filter{})
			check(t, err)
			check(t, s.Close())
			again := start(t, changed)
			more, err := again.Hub.Audit(t.Context(), registry.Filter{})
			check(t, err)
			if len(more) != len(entries) {
				t.Errorf("the same file changed something again: %+v", more[0])
			}
			check(t, again.Close())
			changed.Data = filepath.Join(t.TempDir(), "fresh")
			fresh := start(t, changed)
			defer fresh.Close()
			if want := snapshot(t, fresh); got != want {
				t.Error(cmp.Diff(want, got))
			}
			if original == got {
				t.Error("this changes nothing: the test needs another value")
			}
		})
	}
}

func freshOf(t *testing.T, text string) *hubserver.Server {
	t.Helper()
	s := start(t, parse(t, t.TempDir(), text))
	t.Cleanup(func() { s.Close() })
	return s
}

// Values that the bridge gave stay while it is asked with the same, and go when it is not.
func TestWhatABridgeGaveStaysWhileItIsAskedWithTheSame(t *testing.T) {
	dir, key := t.TempDir(), directory.Key{Account: "acme", Integration: "crm"}
	s := start(t, parse(t, dir, full))
	check(t, s.Hub.Registry.LearnAuth(t.Context(), key, map[string]string{"tenant": "7"}, 0))
	check(t, s.Close())
	for _, c := range []struct {
		change func(*hubconfig.Integration)
		tenant string
	}{
		{func(*hubconfig.Integration) {}, "7"},
		{func(i *hubconfig.Integration) { i.Every = time.Hour }, "7"},
		{func(i *hubconfig.Integration) { delete(i.Auth, "old_key") }, "7"},
		{func(i *hubconfig.Integration) { i.Auth["username"] = "other" }, ""},
	} {
		cfg := parse(t, dir, full)
		i := cfg.Accounts["acme"].Integrations["crm"]
		c.change(&i)
		cfg.Accounts["acme"].Integrations["crm"] = i
		s := start(t, cfg)
		auth, err := s.Hub.Registry.Auth(t.Context(), key)
		check(t, err)
		if auth["tenant"] != c.tenant {
			t.Errorf("tenant %q of %v", auth["tenant"], slices.Sorted(maps.Keys(auth)))
		}
		check(t, s.Close())
	}
}

// hanging returns a bridge that takes requests and says nothing until the test ends.
func hanging(t *testing.T) string {
	t.Helper()
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(end) })
	return s.URL + "/crm/contact_sync"
}

// soon waits for what must come about.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about that %s", what)
		}
	}
}

// A hub starts while another process runs what the file does not declare any more: that run is cancelled, and the integration goes
// when it has stopped. One of the same name is added afterwards.
func TestAHubStartsWhileWhatIsRemovedRuns(t *testing.T) {
	t.Parallel()
	where := "database: " + server.Database(t).DSN // an embedded hub is one process
	dir, key := t.TempDir(), directory.Key{Account: "acme", Integration: "crm"}
	declared := strings.Replace(everyday(hanging(t), ""), "data: ./data", where, 1)
	_, running, _ := serve(t, parse(t, dir, declared))
	soon(t, "the run is under way", func() bool { return len(running.Hub.Running()) == 1 })
	began := time.Now()
	next := start(t, parse(t, dir, where+"\nlisten: 127.0.0.1:0\n"))
	if took := time.Since(began); took > pace.Limit(5*time.Second) {
		t.Errorf("it started after %s", took)
	}
	check(t, next.Close())
	_, again, _ := serve(t, parse(t, dir, declared)) // the same name, at once
	soon(t, "it is removed and added again", func() bool {
		i, err := again.Hub.Registry.Integration(t.Context(), key)
		return err == nil && i.Version == 1
	})
}

// Integrations that hang keep no other account's from running where a queue carries the work.
func TestAnAccountDoesNotTakeAllWorkersOfAQueue(t *testing.T) {
	t.Parallel()
	text := strings.Replace(everyday(crm(t), "workers: 4\n"), "data: ./data", "database: "+server.Database(t).DSN, 1)
	cfg := parse(t, t.TempDir(), text)
	stuck := hubconfig.Account{Integrations: map[string]hubconfig.Integration{}}
	for n := range 30 {
		i := cfg.Accounts["acme"].Integrations["crm"]
		i.Bridge, i.Limits.Timeout = hanging(t), time.Minute
		stuck.Integrations[fmt.Sprintf("stuck%02d", n)] = i
	}
	late := cfg.Accounts["acme"]
	cfg.Accounts = map[string]hubconfig.Account{"other": stuck, "acme": {Region: "GB"}}
	address, s, _ := serve(t, cfg)
	soon(t, "they hang", func() bool { return len(s.Hub.Running()) >= 2 })
	time.Sleep(3 * time.Second) // and fill the queue
	i := late.Integrations["crm"]
	check(t, s.Hub.AddIntegration(t.Context(), registry.Integration{Key: directory.Key{Account: "acme", Integration: "crm"}, Bridge: i.Bridge}, i.Auth))
	knows(t, address)
	if n := len(s.Hub.Running()); n > 3 {
		t.Errorf("%d runs of 4 workers hang", n)
	}
}
