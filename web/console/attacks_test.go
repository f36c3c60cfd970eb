package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// Who may ask for a page at least, and of which account.
const (
	anyone     = "anybody"
	member     = "any user who is signed in"
	reader     = "a reader of acme"
	operator   = "an operator of acme"
	admin      = "an administrator of acme"
	everything = "an administrator of all accounts"
)

const (
	one  = "/integrations/{account}/{integration}"
	book = "/phonebooks-of/{account}/{phonebook}"
)

// access says who may ask for what. A form may be looked at by anyone who may see what it changes. A new route must be added here,
// or the test fails.
var access = map[string]string{
	"GET /setup": anyone, "POST /setup": anyone, "GET /sign-in": anyone, "POST /sign-in": anyone, "POST /sign-out": anyone, "/": anyone,
	"GET /sign-in/openid": anyone, "GET /sign-in/openid/callback": anyone,
	"GET /{$}": member, "GET /overview/live": member, "GET /live": member, "GET /calling": member, "GET /integrations": member,
	"GET /contacts": member, "GET /contacts/found": member, "GET /accounts": member,
	"GET /settings": member, "POST /settings/password": member, "POST /settings/sessions": member,
	"GET " + one: reader, "GET " + one + "/state": reader, "GET " + one + "/history": reader, "GET " + one + "/live": reader, "GET /person": reader,
	"GET /accounts/{account}": reader,
	"GET /phonebooks-of":      member, "GET /phonebooks-of/new": reader, "POST /phonebooks-of/new": admin,
	"GET " + book: reader, "GET " + book + "/edit": reader, "POST " + book + "/edit": admin, "GET " + book + "/remove": reader, "POST " + book + "/remove": admin,
	"POST " + book + "/credentials": admin, "GET " + book + "/credentials/{credential}/revoke": reader, "POST " + book + "/credentials/{credential}/revoke": admin,
	"GET /catalogue": member, "GET /catalogue/found": member, "GET /catalogue/{kind}": member, "POST /catalogue/{kind}": operator,
	"GET /drafts/{draft}": operator, "POST /drafts/{draft}": operator,
	"GET /drafts/{draft}/things": operator, "POST /drafts/{draft}/things": operator,
	"GET /drafts/{draft}/contacts": operator, "POST /drafts/{draft}/contacts": operator,
	"GET /drafts/{draft}/signed-in": operator,
	"GET /files":                    reader, "GET /files/replace": operator, "POST /files/replace": operator,
	"GET /files/staged/{file}": operator, "POST /files/staged/{file}": operator, "POST /files/staged/{file}/discard": operator,
	"GET /files/remove": reader, "POST /files/remove": operator,
	"GET " + one + "/bridge": reader, "POST " + one + "/bridge": operator,
	"GET " + one + "/source": reader, "POST " + one + "/source": operator,
	"GET /integrations/new":      reader,
	"POST /integrations/new":     operator,
	"GET " + one + "/edit":       reader,
	"POST " + one + "/edit":      operator,
	"POST " + one + "/test":      operator,
	"POST " + one + "/oauth":     operator,
	"POST " + one + "/run":       operator,
	"POST " + one + "/cancel":    operator,
	"POST " + one + "/pause":     operator,
	"POST " + one + "/resume":    operator,
	"GET " + one + "/full":       reader,
	"POST " + one + "/full":      operator,
	"GET " + one + "/accept":     reader,
	"POST " + one + "/accept":    operator,
	"POST " + one + "/keep":      operator,
	"GET " + one + "/held.csv":   reader,
	"GET " + one + "/remove":     reader,
	"POST " + one + "/remove":    operator,
	"GET /person/purge":          reader,
	"POST /person/purge":         operator,
	"POST /accounts/{account}":   admin,
	"GET /tokens":                admin,
	"POST /tokens":               admin,
	"GET /tokens/{id}/remove":    admin,
	"POST /tokens/{id}/remove":   admin,
	"GET /webhooks":              admin,
	"POST /webhooks":             admin,
	"GET /webhooks/{id}/remove":  admin,
	"POST /webhooks/{id}/remove": admin,
	"GET /audit":                 admin,
	"GET /accounts/new":          everything, "POST /accounts/new": everything,
	"POST /audit.csv":    admin,
	"GET /webhooks/{id}": admin, "POST /webhooks/{id}/test": admin, "POST /webhooks/{id}/enable": admin,
	"POST /webhooks/{id}/deliveries/{delivery}/retry": admin,
	"GET " + one + "/runs/{run}":                      reader, "GET " + one + "/runs/{run}/live": reader,
	"GET /accounts/{account}/remove": reader, "POST /accounts/{account}/remove": everything,
	"GET /users": everything, "GET /users/new": everything, "POST /users/new": everything, "GET /users/{id}": everything, "POST /users/{id}": everything,
	"GET /users/{id}/password": everything, "POST /users/{id}/password": everything, "GET /users/{id}/remove": everything, "POST /users/{id}/remove": everything,
}

// routes returns the console's, as its source says.
func routes(t *testing.T) (all []string) {
	t.Helper()
	source, err := os.ReadFile("routes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`c\.(?:page|live|stream|open|upload)\(("[^,]+),`).FindAllStringSubmatch(string(source), -1) {
		pattern := strings.NewReplacer(`"+one+"`, one, `"+one`, one, `"+book+"`, book, `"+book`, book, `"`, "").Replace(found[1])
		if strings.Contains(pattern, "pattern string") {
			continue
		}
		all = append(all, pattern)
		if access[pattern] == "" {
			t.Errorf("nobody says who may ask for %s", pattern)
		}
	}
	if len(all) != len(access) {
		t.Errorf("%d routes, and %d of which it is said who may ask for them", len(all), len(access))
	}
	return all
}

// attacked returns a site with something of everything, and the ids of what routes name.
func attacked(t *testing.T) (s *site, admins *visitor, fill func(pattern string) (method, path string)) {
	s = withPhonebook(t)
	ctx := context.Background()
	if err := s.hub.PutAccount(ctx, registry.Account{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	admins = s.administrator(t)
	token, _, err := s.hub.CreateToken(ctx, registry.Token{Name: "switchboard-7", Account: "acme", Scopes: []registry.Scope{registry.ScopeCallers}}, "")
	if err != nil {
		t.Fatal(err)
	}
	hook, _, err := s.hub.AddWebhook(ctx, registry.Webhook{URL: "https://example.com/our-own-hook", Account: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.hub.PutPhonebook(ctx, registry.Phonebook{Account: "acme", Name: "lobby", Settings: registry.PhonebookSettings{HTTP: &registry.PhonebookHTTP{Title: "Foyer telephones"}}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.hub.AddKey(ctx, "acme", "lobby", "handset-7", registry.KeyPassword); err != nil {
		t.Fatal(err)
	}
	bob := registry.User{ID: "bobs-id", Name: "bob", Role: registry.RoleReader}
	if err := s.hub.Registry.PutUser(ctx, bob); err != nil {
		t.Fatal(err)
	}
	return s, admins, func(pattern string) (string, string) {
		method, path, found := strings.Cut(pattern, " ")
		if !found {
			return "GET", "/no/such/page"
		}
		id := map[string]string{"tokens": token.ID, "webhooks": hook.ID, "users": bob.ID}[strings.SplitN(path, "/", 3)[1]]
		path = strings.NewReplacer("{account}", "acme", "{integration}", "crm", "{id}", id, "{kind}", "mysql", "{phonebook}", "lobby", "{credential}", "handset-7", "{draft}", "no-such-draft", "{file}", "no-such-file", "{run}", "1", "{delivery}", "1", "{$}", "").Replace(path)
		if strings.HasPrefix(path, "/person") {
			path += "?account=acme&integration=crm&id=jane-7"
		} else if !strings.Contains(path, "acme") {
			path += "?account=acme"
		}
		return method, path
	}
}

// fingerprint describes everything that a refused request must not change.
func (s *site) fingerprint(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	var b strings.Builder
	users, err := s.hub.Registry.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		b.WriteString(u.ID + u.Name + string(u.Role) + u.Password)
	}
	audit, err := s.hub.Registry.Audit(ctx, registry.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString(strings.Repeat("x", len(audit)))
	books, err := s.hub.Registry.Phonebooks(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := s.hub.Registry.Keys(ctx, "acme", "lobby")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal([]any{books, keys})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	return b.String()
}

// Every route is asked by everybody: whom it is not for gets nothing, and changes nothing.
func TestEveryRouteIsForWhomItIsFor(t *testing.T) {
	s, admins, fill := attacked(t)
	people := []struct {
		name string
		*visitor
		may map[string]bool
	}{
		{"nobody", s.visitor(t), map[string]bool{anyone: true}},
		{"a reader of other", s.user(t, admins, "r-other", registry.RoleReader, "other"), map[string]bool{anyone: true, member: true}},
		{"an administrator of other", s.user(t, admins, "a-other", registry.RoleAdmin, "other"), map[string]bool{anyone: true, member: true}},
		{"a reader", s.user(t, admins, "rea", registry.RoleReader, "acme"), map[string]bool{anyone: true, member: true, reader: true}},
		{"an operator", s.user(t, admins, "oto", registry.RoleOperator, "acme"), map[string]bool{anyone: true, member: true, reader: true, operator: true}},
		{"an administrator of acme", s.user(t, admins, "adm", registry.RoleAdmin, "acme"), map[string]bool{anyone: true, member: true, reader: true, operator: true, admin: true}},
		{"an administrator", admins, map[string]bool{anyone: true, member: true, reader: true, operator: true, admin: true, everything: true}},
	}
	before := s.fingerprint(t)
	requests := 0
	for _, pattern := range routes(t) {
		method, path := fill(pattern)
		for _, who := range people {
			allowed := who.may[access[pattern]]
			if method == "POST" && (allowed || access[pattern] == anyone) || strings.HasSuffix(pattern, "/live") && allowed {
				continue // what they may do is done in other tests
			}
			if pattern == "POST /audit.csv" && who.name == "an administrator of other" {
				continue // they get their own account's
			}
			requests++
			var a answer
			if method == "GET" {
				a = who.get(path)
			} else {
				page := "/settings"
				if who.name == "nobody" {
					page = "/sign-in"
				}
				a = who.post(page, path, "account", "acme", "name", "eve", "role", "admin", "scope", "admin", "integration", "crm", "id", "jane-7", "ref", "crm jane-7")
			}
			elsewhere := strings.HasSuffix(who.name, "of other") // to whom acme is not there; lists of theirs are
			switch {
			case allowed && a.StatusCode >= 400 && a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusConflict:
				t.Errorf("%s for %s: %d %s", pattern, who.name, a.StatusCode, problemIn(a.text))
			case allowed || access[pattern] == member:
			case who.name == "nobody" && (a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusSeeOther && strings.HasPrefix(a.to(), "/sign-in")):
			case a.StatusCode == http.StatusForbidden || a.StatusCode == http.StatusNotFound:
			case method == "POST" && a.StatusCode == http.StatusUnprocessableEntity: // what was sent is looked at first
			case elsewhere && pattern == "GET /integrations/new": // of their own account
			case elsewhere && method == "GET" && a.StatusCode == http.StatusOK && !strings.Contains(path, "acme/"):
			default:
				t.Errorf("%s for %s: %d %s", pattern, who.name, a.StatusCode, a.to())
			}
			for _, text := range []string{"Jane Doe", s.bridge.url(), "our-own-hook", "switchboard-7", "DAVx5", deskPage, "Foyer telephones"} {
				if (elsewhere || who.name == "nobody") && strings.Contains(a.text, text) {
					t.Errorf("%s shows %s what is acme's: %s", pattern, who.name, text)
				}
			}
		}
	}
	if s.fingerprint(t) != before {
		t.Error("something was changed by whom it is not for")
	}
	t.Log(requests, "requests")
}

// Every form of every page is refused that did not come from a page of ours in this browser.
func TestEveryFormMustComeFromAPageOfOurs(t *testing.T) {
	s, admins, fill := attacked(t)
	stranger := s.visitor(t)
	own, foreign := admins.token("/settings"), stranger.token("/sign-in")
	before := s.fingerprint(t)
	for _, pattern := range routes(t) {
		method, path := fill(pattern)
		if method != "POST" {
			continue
		}
		for name, forge := range map[string]func(*http.Request, url.Values){
			"no token":        func(_ *http.Request, f url.Values) { f.Del("csrf") },
			"an empty token":  func(_ *http.Request, f url.Values) { f.Set("csrf", "") },
			"somebody else's": func(_ *http.Request, f url.Values) { f.Set("csrf", foreign) },
			"two tokens":      func(_ *http.Request, f url.Values) { f["csrf"] = []string{foreign, own} },
			"in the query only": func(r *http.Request, f url.Values) {
				f.Del("csrf")
				r.URL.RawQuery += "&x=1&csrf=" + url.QueryEscape(own)
			},
			"as text":              func(r *http.Request, _ url.Values) { r.Header.Set("Content-Type", "text/plain") },
			"another site":         func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "https://evil.example") },
			"a null origin":        func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "null") },
			"a cross-site request": func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"a sister site":        func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		} {
			form, forged := url.Values{"csrf": {own}, "account": {"acme"}, "name": {"eve"}, "role": {"admin"}}, admins.request("POST", path, nil)
			forged.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			forge(forged, form)
			r := admins.request("POST", forged.URL.RequestURI(), form)
			r.Header = forged.Header
			if a := admins.do(r); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %s: %d %s", pattern, name, a.StatusCode, a.to())
			}
		}
	}
	if s.fingerprint(t) != before {
		t.Error("something was changed")
	}
	if a := admins.get("/settings"); a.StatusCode != http.StatusOK {
		t.Error("somebody signed them out:", a.StatusCode)
	}
}
