package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// harmless is a request of an operation that changes nothing, with any sender: what it is about does not exist, or its body
// cannot be.
func harmless(o *described) (path, body string) {
	path = strings.NewReplacer("{integration}", "nosuch", "{id}", "nosuch", "{number}", "12345678", "{account}", "acme", "{delivery}", "1", "{file}", "nosuch", "{replacement}", "nosuch").Replace(o.path)
	switch o.id {
	case "attributeCaller":
		path += "?integration=nosuch&number=12345678"
	case "callerID":
		path += "?number=12345678"
	case "searchContacts":
		path += "?q=nobody"
	case "streamEvents":
		path += "?after=never"
	}
	if o.method == http.MethodPost || o.method == http.MethodPut || o.method == http.MethodPatch {
		body = `{"no_such_field":1}`
	}
	return path, body
}

func TestEveryOperationLetsInItsScopesAndNoOthers(t *testing.T) {
	f, c := newFixture(t), newContract(t)
	tokens := map[registry.Scope]string{}
	for _, s := range registry.Scopes {
		tokens[s] = f.token(t, "acme", s)
	}
	for _, o := range c.operations {
		path, body := harmless(o)
		if o.id == "removeAccount" {
			path = strings.Replace(path, "acme", "nosuch", 1) // nobody's to remove
		}
		for scope, token := range tokens {
			r := f.ask(t, o.method, path, token, body)
			refused := r.status == http.StatusForbidden
			want := scope != registry.ScopeAdmin && !slices.Contains(o.scopes, scope)
			if o.id == "removeAccount" {
				want = true
			}
			if refused != want || r.status == http.StatusUnauthorized || r.status >= 500 {
				t.Errorf("%s %s with %s: %d %s", o.method, path, scope, r.status, r.body)
			}
			c.judge(t, o, r)
		}
	}
}

func TestNobodyGetsInWithoutAToken(t *testing.T) {
	f, c := newFixture(t), newContract(t)
	f.ask(t, "GET", "/api/v1/accounts", f.admin, "")
	for _, o := range c.operations {
		path, body := harmless(o)
		for _, token := range []string{"", "wrong"} {
			r := f.ask(t, o.method, path, token, body)
			c.judge(t, o, r)
			limited := r.status == http.StatusTooManyRequests && r.header.Get("Retry-After") != ""
			refused := r.status == http.StatusUnauthorized && r.header.Get("WWW-Authenticate") != ""
			if !refused && !limited || token == "" && limited {
				t.Errorf("%s %s with token %q: %d %s", o.method, path, token, r.status, r.body)
			}
		}
	}
	if r := f.ask(t, "GET", "/api/v1/accounts", f.admin, ""); r.status != http.StatusOK {
		t.Errorf("the address's good token is held off, too: %d %s", r.status, r.body)
	}
}

func TestATokenOfOneAccountSeesNoOther(t *testing.T) {
	f, c := newFixture(t), newContract(t)
	stranger := f.token(t, "other", registry.Scopes...)
	for _, o := range c.operations {
		path, body := harmless(o)
		path = strings.Replace(path, "nosuch", "crm", 1)
		if strings.Contains(o.path, "/contacts/") {
			path = strings.Replace(path, "nosuch", "7", 1)
		}
		// In its own account there is nothing of the other one's.
		r := f.ask(t, o.method, path, stranger, body)
		c.judge(t, o, r)
		if strings.Contains(r.body, "Jane") || strings.Contains(r.body, "acme") && !strings.Contains(path, "acme") {
			t.Errorf("%s %s: %s", o.method, path, r.body)
		}
		if o.id == "listAccounts" || strings.Contains(o.path, "{account}") {
			continue
		}
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		r = f.ask(t, o.method, path+separator+"account=acme", stranger, body)
		c.judge(t, o, r)
		if r.status != http.StatusForbidden {
			t.Errorf("%s %s in another account: %d %s", o.method, path, r.status, r.body)
		}
	}
	for _, id := range []string{"readAccount", "putAccount", "removeAccount"} {
		i := slices.IndexFunc(c.operations, func(o *described) bool { return o.id == id })
		path, _ := harmless(c.operations[i])
		if r := f.ask(t, c.operations[i].method, path, stranger, "{}"); r.status != http.StatusForbidden && r.status != http.StatusNotFound {
			t.Errorf("%s of another account: %d %s", id, r.status, r.body)
		}
	}
	if r := f.ask(t, "GET", "/api/v1/accounts", stranger, ""); !strings.Contains(r.body, "other") || strings.Contains(r.body, "acme") {
		t.Errorf("it sees the accounts %s", r.body)
	}
}
