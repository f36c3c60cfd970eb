package console_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	xhtml "golang.org/x/net/html"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console"
)

func TestEveryPageSaysWhatABrowserMayDoWithIt(t *testing.T) {
	s := newSite(t, func(o *console.Options) { o.Secure, o.SetupCode = true, "let-me-in" })
	for _, path := range []string{"/", "/setup", "/sign-in", "/nothing", "/static/none.css"} {
		a := s.visitor(t).get(path)
		policy := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s", path, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: %s", path, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		for _, c := range a.Cookies() {
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
				t.Errorf("%s: cookie %v", path, c)
			}
		}
	}
}

var inline = regexp.MustCompile(`(?i)<style|\sstyle=|<script(?:\s[^>]*)?>[^<]|\son[a-z]+=|javascript:|hx-on|(?:src|href|action)="(?:https?:)?//`)

func TestNoPageHoldsAnInlineScriptOrStyleOrLoadsFromElsewhere(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	for _, path := range everyPage(key) {
		page := strings.ReplaceAll(v.must(path).text, `href="https://crm.example.com`, "") // where the contact lives
		if found := inline.FindString(page); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
	}
}

// everyPage are the pages of a furnished site, for an administrator.
func everyPage(key directory.Key) []string {
	one := console.IntegrationPage(key)
	return []string{
		"/", "/integrations", "/catalogue", "/catalogue/mysql", "/integrations/new", one, one + "/edit", one + "/source", one + "/full", one + "/remove", one + "/runs/1",
		"/contacts", "/contacts?q=jane", "/calling?number=02079460958", "/calling?number=123456789",
		"/person?account=acme&integration=crm&id=jane-7", "/person/purge?account=acme&integration=crm&id=jane-7",
		"/accounts", "/accounts/new", "/accounts/acme", "/accounts/acme/remove", "/users", "/users/new", "/tokens", "/webhooks", "/files", "/audit", "/settings",
	}
}

func TestFilesAreKeptForEverUnderNamesOfTheirContent(t *testing.T) {
	s := newSite(t)
	page := s.visitor(t).must("/setup").text
	links := regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) != 5 {
		t.Fatal(links)
	}
	for _, l := range links {
		a := s.visitor(t).must(l[1])
		if got := a.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Error(l[1], got)
		}
		if !regexp.MustCompile(`\.[0-9a-f]{12}\.`).MatchString(l[1]) {
			t.Error(l[1], "has no digest in its name")
		}
	}
}

func TestNothingIsChangedWithoutAFormOfOurOwn(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	for name, change := range map[string]func(*http.Request, url.Values){
		"no token": func(_ *http.Request, f url.Values) { f.Del("csrf") },
		"a wrong token": func(_ *http.Request, f url.Values) {
			f.Set("csrf", base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
		},
		"another visitor's token":      func(_ *http.Request, f url.Values) { f.Set("csrf", s.visitor(t).token("/sign-in")) },
		"another site, says Origin":    func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "https://evil.example") },
		"another site, says Sec-Fetch": func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a sister site":                func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") },
	} {
		form := url.Values{"csrf": {v.token("/")}}
		r := v.request("POST", console.IntegrationPage(key)+"/pause", nil)
		change(r, form)
		r = withBody(v, r, form)
		if a := v.do(r); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if i, err := s.hub.Integration(context.Background(), key); err != nil || i.Paused {
		t.Fatal("it was paused all the same", err)
	}
	v.goes("/", console.IntegrationPage(key)+"/pause")
	if i, err := s.hub.Integration(context.Background(), key); err != nil || !i.Paused {
		t.Fatal("our own form does not work", err)
	}
	for _, path := range []string{"/pause", "/run", "/resume"} {
		if a := v.get(console.IntegrationPage(key) + path); a.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, a.StatusCode)
		}
	}
}

func withBody(v *visitor, r *http.Request, form url.Values) *http.Request {
	made := v.request(r.Method, r.URL.Path, form)
	for name, values := range r.Header {
		made.Header[name] = values
	}
	made.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return made
}

func TestWrongPasswordsAreHeldOffWithASentence(t *testing.T) {
	s := newSite(t)
	s.administrator(t)
	v := s.visitor(t)
	try := func(name, word string) answer { return v.post("/sign-in", "/sign-in", "name", name, "password", word) }
	unknown := try("nobody", "whatever it is")
	for n := range 4 {
		if a := try("ada", fmt.Sprint("wrong ", n)); a.StatusCode != http.StatusUnprocessableEntity || problemIn(a.text) != problemIn(unknown.text) {
			t.Fatal(n, a.StatusCode, problemIn(a.text), problemIn(unknown.text))
		}
	}
	if a := try("ada", password); a.StatusCode != http.StatusSeeOther {
		t.Fatal("four wrong tries keep the right one out:", a.StatusCode)
	}
	for n := range 5 {
		v = s.visitor(t)
		if a := try("Ada", fmt.Sprint("wrong ", n)); a.StatusCode != http.StatusUnprocessableEntity {
			t.Fatal(n, a.StatusCode)
		}
	}
	a := try("ada", password)
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(a.text, "Try again in") {
		t.Fatal(a.StatusCode, problemIn(a.text))
	}
	s.clock.advance(20 * time.Second)
	if a := try("ada", password); a.StatusCode != http.StatusSeeOther {
		t.Fatal("after the wait:", a.StatusCode, problemIn(a.text))
	}
}

func TestASessionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(s *site, v *visitor)
		alive bool
	}{
		"not, while a user is there": {func(s *site, v *visitor) {
			for range 5 {
				s.clock.advance(11 * time.Hour)
				v.must("/settings")
			}
		}, true},
		"after twelve hours without a page": {func(s *site, _ *visitor) { s.clock.advance(12*time.Hour + time.Minute) }, false},
		"after a week": {func(s *site, v *visitor) {
			for range 15 {
				s.clock.advance(11 * time.Hour)
				v.get("/settings")
			}
			s.clock.advance(4 * time.Hour)
		}, false},
		"with signing out": {func(_ *site, v *visitor) { v.goes("/settings", "/sign-out") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.administrator(t)
			cookies := v.client.Jar.Cookies(v.request("GET", "/", nil).URL)
			c.end(s, v)
			again := s.visitor(t)
			again.client.Jar.SetCookies(again.request("GET", "/", nil).URL, cookies) // a copy of the cookie is not an use either
			if a := again.get("/settings"); (a.StatusCode == http.StatusOK) != c.alive {
				t.Error(a.StatusCode)
			}
		})
	}
}

func TestAChangedPasswordEndsEveryOtherSession(t *testing.T) {
	s := newSite(t)
	here := s.administrator(t)
	there := s.visitor(t)
	there.goes("/sign-in", "/sign-in", "name", "ADA", "password", password)
	old := here.client.Jar.Cookies(here.request("GET", "/", nil).URL)
	const fresh = "another horse entirely stapled"
	for field, form := range map[string][]string{
		"is not your present password": {"password", "wrong wrong wrong", "new-password", fresh, "again", fresh},
		"Use 12 or more":               {"password", password, "new-password", "short", "again", "short"},
		"the two passwords differ":     {"password", password, "new-password", fresh, "again", fresh + "!"},
		"holds the name":               {"password", password, "new-password", "ada lovelace forever", "again", "ada lovelace forever"},
		"among the first":              {"password", password, "new-password", "Password1234!", "again", "Password1234!"},
		"is the password that":         {"password", password, "new-password", password, "again", password},
	} {
		a := here.post("/settings", "/settings/password", form...)
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(strings.ToLower(a.text), strings.ToLower(field)) {
			t.Errorf("%s: %d %s", field, a.StatusCode, problemIn(a.text))
		}
	}
	here.goes("/settings", "/settings/password", "password", password, "new-password", fresh, "again", fresh)
	here.must("/settings")
	if a := there.get("/settings"); a.StatusCode != http.StatusSeeOther {
		t.Error("the other browser is still signed in:", a.StatusCode)
	}
	copied := s.visitor(t)
	copied.client.Jar.SetCookies(copied.request("GET", "/", nil).URL, old)
	if a := copied.get("/settings"); a.StatusCode != http.StatusSeeOther {
		t.Error("the old cookie still works:", a.StatusCode)
	}
	if a := s.visitor(t).post("/sign-in", "/sign-in", "name", "ada", "password", password); a.StatusCode == http.StatusSeeOther {
		t.Error("the old password still works")
	}
}

func TestAGivenPasswordMustBeReplaced(t *testing.T) {
	s := newSite(t)
	admin := s.administrator(t)
	made := admin.post("/users/new", "/users/new", "name", "bob", "role", "operator", "sign-in", "password")
	given := secretInput.FindStringSubmatch(made.text)
	if given == nil {
		t.Fatal(made.StatusCode, made.text)
	}
	if again := admin.must("/users").text; strings.Contains(again, given[1]) {
		t.Error("the password is shown twice")
	}
	bob := s.visitor(t)
	bob.goes("/sign-in", "/sign-in", "name", "bob", "password", given[1])
	for _, page := range []string{"/", "/contacts", "/settings"} {
		if a := bob.must(page); !strings.Contains(a.text, "Choose your password") {
			t.Error(page, "is shown before the password is replaced")
		}
	}
	bob.goes("/", "/settings/password", "password", given[1], "new-password", password, "again", password)
	if a := bob.must("/"); strings.Contains(a.text, "Choose your password") {
		t.Error(a.text)
	}
	admin.post("/users/new", "/users/new", "name", "eve", "role", "reader", "sign-in", "password")
	late := secretInput.FindStringSubmatch(admin.post("/users/new", "/users/new", "name", "kim", "role", "reader", "sign-in", "password").text)
	s.clock.advance(8 * 24 * time.Hour)
	if a := s.visitor(t).post("/sign-in", "/sign-in", "name", "kim", "password", late[1]); !strings.Contains(a.text, "expired") {
		t.Error("a given password lets in after a week:", a.StatusCode)
	}
}

func TestRolesAreEnforcedWhateverThePageShows(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	admin := s.administrator(t)
	if err := s.hub.PutAccount(context.Background(), registry.Account{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	reader, operator := s.user(t, admin, "rea", registry.RoleReader), s.user(t, admin, "oto", registry.RoleOperator)
	elsewhere := s.user(t, admin, "else", registry.RoleAdmin, "other")
	one := console.IntegrationPage(key)
	for _, c := range []struct {
		method, path                             string
		reader, operator, elsewhere, administers int
	}{
		{"GET", one, 200, 200, 404, 200},
		{"GET", "/contacts?account=acme&q=jane", 200, 200, 200, 200}, // of the account that they may see
		{"GET", "/person?account=acme&integration=crm&id=jane-7", 200, 200, 404, 200},
		{"POST", one + "/resume", 403, 303, 404, 303},
		{"POST", one + "/run", 403, 303, 404, 303},
		{"POST", one + "/test", 403, 200, 404, 200},
		{"POST", "/integrations/new", 403, 422, 404, 422},
		{"POST", "/person/purge", 403, 422, 404, 422},
		{"GET", "/users", 403, 403, 403, 200},
		{"GET", "/users/new", 403, 403, 403, 200},
		{"POST", "/users/new", 403, 403, 403, 422},
		{"GET", "/tokens?account=acme", 403, 403, 200, 200},
		{"POST", "/tokens", 403, 403, 404, 422},
		{"GET", "/webhooks?account=acme", 403, 403, 200, 200},
		{"GET", "/audit?account=acme", 403, 403, 200, 200},
		{"POST", "/accounts/acme", 403, 403, 404, 303},
		{"GET", "/accounts/new", 403, 403, 403, 200},
		{"POST", "/accounts/new", 403, 403, 403, 303},
		{"POST", "/accounts/other/remove", 403, 403, 403, 303},
	} {
		for _, who := range []struct {
			name string
			*visitor
			want int
		}{{"reader", reader, c.reader}, {"operator", operator, c.operator}, {"admin of other", elsewhere, c.elsewhere}, {"admin", admin, c.administers}} {
			var a answer
			if c.method == "GET" {
				a = who.get(c.path)
			} else {
				a = who.post("/settings", c.path, "account", "acme", "bridge", s.bridge.url(), "name", "crm", "every", "30m", "full", "7", "guard-share", "20", "guard-min", "10",
					"auth-0-name", "username", "auth-0-value", "agent", "time_zone", "Europe/London", "region", "GB")
			}
			if a.StatusCode != who.want {
				t.Errorf("%s %s as %s: %d, want %d: %s", c.method, c.path, who.name, a.StatusCode, who.want, problemIn(a.text))
			}
			if who.name == "admin of other" && strings.Contains(a.text, "Jane Doe") {
				t.Error(c.path, "shows another account's contacts")
			}
		}
	}
}

func TestAChangedRoleHoldsAtOnce(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	admin := s.administrator(t)
	bob := s.user(t, admin, "bob", registry.RoleAdmin)
	bob.must("/users")
	users, err := s.hub.Registry.Users(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	id := users[slices.IndexFunc(users, func(u registry.User) bool { return u.Name == "bob" })].ID
	self := users[slices.IndexFunc(users, func(u registry.User) bool { return u.Name == "ada" })].ID
	admin.goes("/users/"+id, "/users/"+id, "name", "bob", "role", "reader")
	if a := bob.get("/users"); a.StatusCode != http.StatusSeeOther {
		t.Error("bob is still signed in:", a.StatusCode)
	}
	for path, form := range map[string][]string{
		"/users/" + self:               {"name", "ada", "role", "reader"},
		"/users/" + self + "/remove":   nil,
		"/users/" + self + "/password": nil,
	} {
		if a := admin.post("/users/"+self, path, form...); a.StatusCode == http.StatusSeeOther || a.StatusCode == http.StatusOK {
			t.Error("nobody is left:", path, a.StatusCode)
		}
	}
	admin.goes("/users/"+id, "/users/"+id+"/remove")
	log := admin.must("/audit").text
	for _, want := range []string{"user.add", "user.change", "user.remove"} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
}

func TestContactsCannotWriteOurPages(t *testing.T) {
	s := newSite(t)
	const script = `<script>alert(1)</script>`
	s.bridge.contacts().Put(contact.Contact{
		ID: `x"><img src=x onerror=alert(2)>`, Name: "Mallory " + script, Company: `"><svg onload=alert(3)>`, Title: script, Phones: []string{"020 7946 0999", script},
		Emails: []string{`"` + script + `"@example.com`}, URL: "javascript:alert(4)", Websites: []string{"data:text/html," + script, "https://ok.example.com/?a=\"b"},
		PhotoURL: "https://evil.example/track.png", Address: script, Twitter: script, CustomFields: []contact.CustomField{{Key: script, Value: script}},
	})
	s.furnish(t)
	v := s.administrator(t)
	id := url.QueryEscape(`x"><img src=x onerror=alert(2)>`)
	for _, path := range []string{
		"/contacts?q=mallory", "/contacts?q=" + url.QueryEscape(script), "/calling?number=02079460999", "/calling?number=" + url.QueryEscape(script),
		"/person?account=acme&integration=crm&id=" + id, "/person/purge?account=acme&integration=crm&id=" + id, "/sign-in?next=javascript:alert(5)",
		"/nothing/" + url.PathEscape(script), "/?done=" + url.QueryEscape(script), "/?account=" + url.QueryEscape(script),
	} {
		page := v.get(path).text
		for _, bad := range []string{"<script>", "<img", "<svg onload", `href="javascript:`, `href="data:`, "track.png"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s holds %s", path, bad)
			}
		}
	}
	if page := v.must("/person?account=acme&integration=crm&id=" + id).text; !strings.Contains(page, `href="https://ok.example.com/?a=&#34;b" target="_blank" rel="noopener noreferrer"`) {
		t.Error("a good link is lost")
	}
}

// Whatever contacts, bridges and other people say, on every page that links lead to: nothing of it becomes an element, an attribute
// or a link that a browser would run.
func TestNoPageThatLinksLeadToIsWrittenByOthers(t *testing.T) {
	hostile := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg/onload=alert(1)>`, `</title><script>alert(1)</script>`,
		`</textarea><iframe src=javascript:alert(1)>`, `--><script>alert(1)</script>`, `" autofocus onfocus=alert(1) x="`, `javascript:alert(1)//`,
		"java\tscript:alert(1)", `&lt;script&gt;&#60;img src=x onerror=alert(1)>`, `{{constructor.constructor('alert(1)')()}}`, "\u2028<base href=//evil.example>",
	}
	s := newSite(t)
	for i, h := range hostile {
		s.bridge.contacts().Put(contact.Contact{
			ID: fmt.Sprint(i) + h, Name: "Mallory " + h, Company: h, Title: h, Phones: []string{fmt.Sprintf("020 7946 09%02d", i), h, "020 7946 0999"},
			Emails: []string{h + "@example.com", "mallory@example.com"}, URL: h, Websites: []string{h, "javascript:alert(1)", "https://" + h},
			PhotoURL: h, Address: h, Twitter: h, CustomFields: []contact.CustomField{{Key: h, Value: h}},
		})
	}
	s.furnish(t)
	v := s.administrator(t)
	saying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": "internal", "message": strings.Join(hostile[:3], " "), "hint": hostile[1]}})
	}))
	defer saying.Close()
	key := directory.Key{Account: "acme", Integration: "shop"}
	fields := []registry.Field{{Name: "key", Display: hostile[0], Help: hostile[1], Default: hostile[6]}}
	if err := s.hub.AddIntegration(t.Context(), registry.Integration{Key: key, Bridge: saying.URL, Fields: fields}, map[string]string{"key": "x"}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, key, registry.HealthFailing)
	for i, h := range hostile {
		_ = s.hub.Registry.PutUser(t.Context(), registry.User{ID: fmt.Sprintf("u%d", i), Name: h, Role: registry.RoleReader})
		v.post("/tokens", "/tokens", "name", h, "account", "acme", "scope", "callers:read", "days", "30")
	}
	seen, next := map[string]bool{}, []string{"/", "/contacts?q=mallory", "/calling?number=02079460999", "/audit", "/events", "/users", "/tokens", "/webhooks", "/settings", "/integrations/new", "/purge?q=mallory"}
	for len(next) > 0 && len(seen) < 300 {
		path := next[0]
		next = next[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		a := v.get(path)
		if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			continue
		}
		for _, bad := range written(t, a.text) {
			t.Errorf("%s holds %s", path, bad)
		}
		for _, to := range ownLink.FindAllStringSubmatch(a.text, -1) {
			next = append(next, html.UnescapeString(to[1]))
		}
	}
	for _, page := range hostile[1:4] { // the test would see it
		if len(written(t, page)) == 0 {
			t.Errorf("%s was not noticed", page)
		}
	}
	if len(seen) < 39 {
		t.Errorf("only %d pages were seen", len(seen))
	}
}

var ownLink = regexp.MustCompile(`href="(/[^/"][^"#]*)"`)

// written lists what of a page no page of ours holds.
func written(t *testing.T, page string) (bad []string) {
	t.Helper()
	for z := xhtml.NewTokenizer(strings.NewReader(page)); z.Next() != xhtml.ErrorToken; {
		token := z.Token()
		if token.Type != xhtml.StartTagToken && token.Type != xhtml.SelfClosingTagToken {
			continue
		}
		src := ""
		for _, a := range token.Attr {
			value := strings.ToLower(strings.Map(func(r rune) rune {
				if r <= ' ' {
					return -1
				}
				return r
			}, a.Val))
			link := a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction"
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" ||
				link && (strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "data:") || strings.HasPrefix(value, "vbscript:")) {
				bad = append(bad, token.String())
			}
			if a.Key == "src" {
				src = a.Val
			}
		}
		foreign := src != "" && (!strings.HasPrefix(src, "/") || strings.HasPrefix(src, "//"))
		if token.Data == "iframe" || token.Data == "base" || token.Data == "object" || token.Data == "embed" || token.Data == "script" && src == "" || foreign {
			bad = append(bad, token.String())
		}
	}
	return bad
}

func TestAfterSigningInOnlyOurOwnPagesFollow(t *testing.T) {
	s := newSite(t)
	s.administrator(t)
	for next, want := range map[string]string{
		"/contacts?q=a": "/contacts?q=a", "https://evil.example/": "/", "//evil.example/": "/", `/\evil.example/`: "/", "javascript:alert(1)": "/", "": "/",
	} {
		v := s.visitor(t)
		if a := v.goes("/sign-in", "/sign-in", "name", "ada", "password", password, "next", next); a.to() != want {
			t.Errorf("%q leads to %q", next, a.to())
		}
	}
}

func TestOnlyThisMachineOrTheCodeMakesTheFirstAdministrator(t *testing.T) {
	form := []string{"name", "ada", "new-password", password, "again", password}
	s := newSite(t)
	for name, change := range map[string]func(*http.Request){
		"a page whose name means this machine": func(r *http.Request) { r.Host = "evil.example" },
		"a proxy":                              func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") },
	} {
		v := s.visitor(t)
		r := v.request("POST", "/setup", url.Values{"csrf": {v.token("/setup")}, "name": {"eve"}, "new-password": {password}, "again": {password}})
		change(r)
		if a := v.do(r); a.StatusCode != http.StatusForbidden {
			t.Error(name, a.StatusCode)
		}
	}
	s = newSite(t, func(o *console.Options) { o.SetupCode = "right-code" })
	v := s.visitor(t)
	if a := v.post("/setup", "/setup", append(form, "code", "wrong")...); a.StatusCode != http.StatusUnprocessableEntity {
		t.Error("a wrong code:", a.StatusCode)
	}
	if a := v.post("/setup", "/setup", form...); a.StatusCode != http.StatusUnprocessableEntity {
		t.Error("no code:", a.StatusCode)
	}
	if a := v.post("/setup", "/setup", append(form, "code", " right-code ")...); a.StatusCode != http.StatusSeeOther {
		t.Error("the right code:", a.StatusCode)
	}
}

func TestSecretsAreShownOnceAndNeverLogged(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	made := secretInput.FindStringSubmatch(v.post("/tokens", "/tokens", "name", "pbx", "account", "acme", "scope", "callers:read", "days", "30").text)
	hook := secretInput.FindStringSubmatch(v.post("/webhooks", "/webhooks", "url", "https://example.com/hook", "account", "acme").text)
	if made == nil || hook == nil {
		t.Fatal(made, hook)
	}
	secrets := []string{made[1], hook[1], "s3cret", password}
	for _, path := range everyPage(key) {
		page := v.must(path).text
		for _, secret := range secrets {
			if strings.Contains(page, secret) {
				t.Errorf("%s shows %s", path, secret)
			}
		}
	}
	// Digits enough that no identifier of a request holds them by chance.
	log := s.log.String()
	for _, secret := range append(secrets, "Jane", "79460958") {
		if strings.Contains(log, secret) || strings.Contains(strings.ReplaceAll(log, " ", ""), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

func TestLiveRequestsOfWhoIsNotSignedInLeadToTheSignIn(t *testing.T) {
	s := newSite(t)
	s.administrator(t)
	v := s.visitor(t)
	r := v.request("GET", "/overview/live", nil)
	r.Header.Set("HX-Request", "true")
	if a := v.do(r); a.StatusCode != http.StatusUnauthorized || a.Header.Get("HX-Redirect") != "/sign-in" {
		t.Error(a.StatusCode, a.Header)
	}
}

// Whoever leads another person to a service in their own name must not get that person's account connected to an integration.
func TestOnlyTheBrowserThatBeganLetsTheHubIn(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"let-in","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(service.Close)
	key := directory.Key{Account: "acme", Integration: "shop"}
	if err := s.hub.AddIntegration(t.Context(), registry.Integration{
		Key: key, Bridge: s.bridge.url(), Schedule: registry.Schedule{Off: true},
		OAuth: &registry.OAuth{Grant: hub.AuthorizationCode, AuthorizeURL: service.URL + "/authorize", TokenURL: service.URL + "/token", ClientID: "hub"},
	}, map[string]string{"client_secret": "hush"}); err != nil {
		t.Fatal(err)
	}
	v := s.administrator(t)
	page := console.IntegrationPage(key)
	begin := func() (state string) {
		t.Helper()
		a := v.post(page, page+"/oauth")
		link := regexp.MustCompile(`href="(` + regexp.QuoteMeta(service.URL) + `/authorize[^"]*)"`).FindStringSubmatch(a.text)
		if a.StatusCode != http.StatusOK || link == nil {
			t.Fatal(a.StatusCode, problemIn(a.text))
		}
		to, err := url.Parse(html.UnescapeString(link[1]))
		if err != nil {
			t.Fatal(err)
		}
		return to.Query().Get("state")
	}
	back := "/oauth/callback?code=the-code&state=" + begin()
	other := s.user(t, v, "grace", registry.RoleAdmin)
	for who, somebody := range map[string]*visitor{"nobody": s.visitor(t), "another administrator": other} {
		if a := somebody.get(back); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.text, "did not begin the sign-in") {
			t.Errorf("%s: %d to %s: %s", who, a.StatusCode, a.to(), a.text)
		}
	}
	if kept, err := s.hub.Registry.Secret(t.Context(), registry.Owner(key), registry.OAuthTokens); err != nil || kept != nil {
		t.Error("somebody else let the hub in", err)
	}
	a := v.get(back)
	if a.StatusCode != http.StatusSeeOther || a.to() != page || len(a.Cookies()) != 1 || a.Cookies()[0].MaxAge >= 0 {
		t.Errorf("who began: %d to %s with %v: %s", a.StatusCode, a.to(), a.Cookies(), a.text)
	}
	if kept, err := s.hub.Registry.Secret(t.Context(), registry.Owner(key), registry.OAuthTokens); err != nil || !strings.Contains(string(kept), "let-in") {
		t.Error("the hub was not let in", err)
	}
	if a := v.get(back); a.StatusCode != http.StatusBadRequest {
		t.Error("a way back is good twice:", a.StatusCode)
	}
}
