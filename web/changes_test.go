package web_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/contactbridge/contactbridge/hub/registry"
)

const crmPath = "/api/v1/integrations/crm?account=acme"

// version returns an integration's, as the API tells it.
func (f *fixture) version(t *testing.T) int {
	t.Helper()
	var view struct{ Version int }
	r := f.ask(t, "GET", crmPath, f.admin, "")
	if err := json.Unmarshal([]byte(r.body), &view); err != nil || view.Version == 0 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return view.Version
}

// Changes at the same moment are made one after the other: none takes another one back.
func TestChangesAtTheSameMomentAreAllMade(t *testing.T) {
	f := newFixture(t)
	patches := []string{`{"schedule":{"every":"7m"}}`, `{"limits":{"pages":77}}`, `{"guard":{"share":0.7,"min":7}}`, `{"auth":{"extra":"7"}}`}
	var all sync.WaitGroup
	for _, patch := range patches {
		all.Go(func() {
			if r := f.ask(t, "PATCH", crmPath, f.admin, patch); r.status != http.StatusOK {
				t.Errorf("%s: %d %s", patch, r.status, r.body)
			}
		})
	}
	all.Wait()
	r := f.ask(t, "GET", crmPath, f.admin, "")
	for _, part := range []string{`"every":"7m"`, `"pages":77`, `"share":0.7`, `"extra"`} {
		if !strings.Contains(r.body, part) {
			t.Errorf("lost: %s", part)
		}
	}
}

// A change that names the version that was read does not change another one.
func TestAChangeOfAnotherVersionIsRefused(t *testing.T) {
	f := newFixture(t)
	read := fmt.Sprint(f.version(t))
	if r := f.ask(t, "PATCH", crmPath, f.admin, `{"limits":{"pages":5}}`, "If-Match", `"`+read+`"`); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	r := f.ask(t, "PATCH", crmPath, f.admin, `{"limits":{"pages":6}}`, "If-Match", read)
	if p := r.problem(t); r.status != http.StatusConflict || p.Code != "conflict" || p.Hint == "" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := f.ask(t, "PATCH", crmPath, f.admin, `{"limits":{"pages":6}}`, "If-Match", "yesterday"); r.status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := f.ask(t, "GET", crmPath, f.admin, ""); !strings.Contains(r.body, `"pages":5`) {
		t.Error(r.body)
	}
}

// A tenant's token cannot have more than the operator allows, however it asks.
func TestATokenCannotRaiseTheCeilings(t *testing.T) {
	f := newFixture(t)
	tenant := f.token(t, "acme", registry.ScopeWrite)
	for field, limits := range map[string]string{
		"limits.timeout":    `{"timeout":"87600h"}`,
		"limits.page_bytes": `{"page_bytes":4611686018427387904}`,
		"limits.pages":      `{"pages":4611686018427387904}`,
		"limits.run":        `{"run":"87600h"}`,
	} {
		for what, r := range map[string]reply{
			"add":    f.ask(t, "POST", "/api/v1/integrations", tenant, `{"name":"greedy","bridge":"`+f.bridge+`","limits":`+limits+`}`),
			"try":    f.ask(t, "POST", "/api/v1/drafts/test", tenant, `{"bridge":"`+f.bridge+`","limits":`+limits+`}`),
			"change": f.ask(t, "PATCH", "/api/v1/integrations/crm", tenant, `{"limits":`+limits+`}`),
		} {
			if p := r.problem(t); r.status != http.StatusUnprocessableEntity || p.Field != field || !strings.Contains(p.Message, "more than this hub allows") {
				t.Errorf("%s with %s: %d %s", what, limits, r.status, r.body)
			}
		}
	}
}

// A removed integration is gone with the answer: not listed, not found, and nobody's calls are answered from it.
func TestARemovedIntegrationIsGoneWithTheAnswer(t *testing.T) {
	f := newFixture(t)
	number := "/api/v1/callers/02079460958?account=acme"
	if r := f.ask(t, "GET", number, f.admin, ""); !strings.Contains(r.body, `"crm"`) {
		t.Fatalf("before: %d %s", r.status, r.body)
	}
	if r := f.ask(t, "DELETE", crmPath, f.admin, ""); r.status != http.StatusNoContent {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for path, want := range map[string]string{crmPath: "not_found", "/api/v1/integrations?account=acme": `"integrations":[]`, number: ""} {
		if r := f.ask(t, "GET", path, f.admin, ""); !strings.Contains(r.body, want) || strings.Contains(r.body, `"integration":"crm"`) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := f.ask(t, "POST", "/api/v1/integrations?account=acme", f.admin, `{"name":"crm","bridge":"`+f.bridge+`"}`); r.status != http.StatusCreated {
		t.Errorf("another one of its name: %d %s", r.status, r.body)
	}
}

// What is wrong with what somebody wants to look at is told, as a test and a preview tell it: it is no failure of the hub.
func TestALookSaysWhatIsWrong(t *testing.T) {
	f := newFixture(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody answers there
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"empty.csv": "\n\n\n", "none.json": "{}"} {
		if r := f.ask(t, "POST", "/api/v1/files/"+name+"?account=acme", f.admin, content); r.status != http.StatusCreated {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	for _, source := range []string{
		`{"kind":"csv","path":"upload:missing.csv"}`,
		`{"kind":"csv","path":"upload:empty.csv"}`,
		`{"kind":"json","path":"upload:none.json"}`,
		`{"kind":"mysql","dsn":"mysql://u:p@` + nobody + `/x"}`,
		`{"kind":"postgres","dsn":"postgres://u:p@` + nobody + `/x"}`,
		`{"kind":"ldap","url":"ldap://` + nobody + `"}`,
		`{"kind":"carddav","url":"http://` + nobody + `/","username":"u","password":"p"}`,
		`{"kind":"espocrm","url":"http://` + nobody + `","api_key":"x"}`,
		`{"kind":"mysql","dsn":"mysql://u:p@` + nobody + `"}`,
		`{"kind":"mysql"}`, `{"kind":"ldap"}`, `{"kind":"carddav"}`, `{"kind":"csv"}`, `{"kind":"nothing"}`,
	} {
		r := f.ask(t, "POST", "/api/v1/drafts/look?account=acme", f.admin, `{"source":`+source+`}`)
		if r.status == http.StatusOK && strings.Contains(source, "espocrm") {
			continue // it has one thing, whoever answers
		}
		if p := r.problem(t); r.status != http.StatusUnprocessableEntity || p.Code != "invalid" || p.Message == "" || p.Hint == "" || strings.Contains(r.body, "u:p@") {
			t.Errorf("%s: %d %s", source, r.status, r.body)
		}
	}
}
