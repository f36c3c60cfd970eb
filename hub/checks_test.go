package hub_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestWhatCannotBeMeantIsRefusedWithTheFieldsName(t *testing.T) {
	f := newHub(t)
	const url = "https://bridge.example.com/crm/contact_sync"
	for _, c := range []struct {
		field string
		i     registry.Integration
	}{
		{"bridge", registry.Integration{Bridge: "ftp://bridge.example.com"}},
		{"validation", registry.Integration{Bridge: url, Validation: "x"}},
		{"schedule", registry.Integration{Bridge: url, Schedule: registry.Schedule{Every: time.Hour, Cron: "* * * * *"}}},
		{"every", registry.Integration{Bridge: url, Schedule: registry.Schedule{Every: time.Second}}},
		{"cron", registry.Integration{Bridge: url, Schedule: registry.Schedule{Cron: "61 * * * *"}}},
		{"fields[0].name", registry.Integration{Bridge: url, Fields: []registry.Field{{Display: "User"}}}},
		{"fields[1].name", registry.Integration{Bridge: url, Fields: []registry.Field{{Name: "user"}, {Name: "user"}}}},
		{"fields[0].type", registry.Integration{Bridge: url, Fields: []registry.Field{{Name: "user", Type: "blob"}}}},
		{"fields[0].format", registry.Integration{Bridge: url, Fields: []registry.Field{{Name: "user", Format: "https://example.com"}}}},
		{"auth.user", registry.Integration{Bridge: url, Fields: []registry.Field{{Name: "user", Mandatory: true}}}},
		{"oauth.grant", registry.Integration{Bridge: url, OAuth: &registry.OAuth{Grant: "password"}}},
		{"token_url", registry.Integration{Bridge: url, OAuth: &registry.OAuth{Grant: hub.AuthorizationCode, ClientID: "hub"}}},
	} {
		c.i.Key = directory.Key{Account: "acme", Integration: "shop"}
		err := f.AddIntegration(t.Context(), c.i, nil)
		if e := failure.Of(err); e.Code != failure.Invalid || e.Field != c.field || e.Hint == "" {
			t.Errorf("%s: %#v", c.field, err)
		}
	}
	_, _, err := f.AddWebhook(t.Context(), registry.Webhook{URL: "https://example.com/hook", Kinds: []string{"run.faild"}})
	if e := failure.Of(err); e.Field != "kinds" || !strings.Contains(e.Hint, "run.failed") {
		t.Errorf("a kind of event that there is not: %v", err)
	}
}

func TestEveryEventIsOfAKindThatWebhooksMayChoose(t *testing.T) {
	f := newHub(t)
	if _, _, err := f.AddWebhook(t.Context(), registry.Webhook{URL: "https://example.com/hook", Kinds: hub.EventKinds()}); err != nil {
		t.Error(err)
	}
}

func TestAFieldsFormatIsFilledIn(t *testing.T) {
	f, c := newHub(t), newCRM(t, 1)
	must(t, f.AddIntegration(t.Context(), registry.Integration{
		Key: crmKey, Bridge: c.url, Schedule: registry.Schedule{Off: true}, Fields: []registry.Field{
			{Name: "username", Mandatory: true, Default: "agent"}, {Name: "password", Type: "password", Mandatory: true, Format: "s3{{rest}}"},
		},
	}, map[string]string{"password": "cret"}))
	if r := f.test(t); !r.OK {
		t.Errorf("%+v", r.Problem)
	}
}

// P13: what a 200 of auth_validation holds is sent from then on.
func TestWhatAuthValidationGivesIsSentFromThenOn(t *testing.T) {
	f := newHub(t)
	var mu sync.Mutex
	var last map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Auth map[string]string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		mu.Lock()
		last = body.Auth
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "auth_validation") {
			_, _ = io.WriteString(w, `{"instance":"eu-7"}`)
			return
		}
		_, _ = io.WriteString(w, `{"contacts":[]}`)
	}))
	t.Cleanup(server.Close)
	must(t, f.AddIntegration(t.Context(), registry.Integration{
		Key: crmKey, Bridge: server.URL + "/contact_sync", Validation: server.URL + "/auth_validation", Schedule: registry.Schedule{Off: true},
	}, good))
	if r := f.test(t); !r.OK || r.Checked != "auth_validation" || len(r.Stored) != 1 || r.Stored[0] != "instance" {
		t.Fatalf("%+v", r)
	}
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	mu.Lock()
	defer mu.Unlock()
	if last["instance"] != "eu-7" || last["username"] != "agent" {
		t.Errorf("the run sent %v", last)
	}
}

func TestWebhooksAreSignedAndSentAgain(t *testing.T) {
	t.Parallel()
	f, c := newHub(t), newCRM(t, 1)
	type sent struct{ signature, body string }
	got := make(chan sent, 9)
	var refused atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- sent{r.Header.Get("Contactbridge-Signature"), string(body)}
		if refused.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	_, secret, err := f.AddWebhook(t.Context(), registry.Webhook{Account: "acme", URL: server.URL, Kinds: []string{"run.finished"}})
	must(t, err)
	f.add(t, c)
	work(t, f.Hub)
	await := func() (s sent) {
		t.Helper()
		eventually(t, "something is sent", func() bool {
			select {
			case s = <-got:
				return true
			default:
				f.clock.move(100 * time.Millisecond)
				return false
			}
		})
		return s
	}
	first := await()
	second := await()
	if first.body != second.body || !strings.Contains(first.body, `"kind":"run.finished"`) {
		t.Errorf("first %s, then %s", first.body, second.body)
	}
	at, mac, _ := strings.Cut(strings.TrimPrefix(second.signature, "t="), ",v1=")
	if mac != hub.Sign([]byte(secret), at, []byte(second.body)) {
		t.Errorf("the signature is %s", second.signature)
	}
}
