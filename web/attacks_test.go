package web_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// Every operation is asked with every scope of every account, about every account, on both stores: what the document says is
// what is let in. An operation that is added is asked as well.
func TestEveryOperationKeepsToItsScopesAndAccounts(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		c := newContract(t)
		type key struct {
			value, account string
			scope          registry.Scope
		}
		keys := []key{{f.admin, "", registry.ScopeAdmin}}
		for _, account := range []string{"acme", "other"} {
			for _, scope := range registry.Scopes {
				keys = append(keys, key{f.token(t, account, scope), account, scope})
			}
		}
		requests := 0
		for _, o := range c.operations {
			for _, k := range keys {
				for _, account := range []string{"", "acme", "other", "nosuch"} {
					path, body := harmless(o)
					inPath := strings.Contains(o.path, "{account}")
					if inPath {
						path = strings.Replace(path, "acme", account, 1)
					} else if account != "" {
						path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "account=" + account
					}
					if inPath && account == "" || o.id == "removeAccount" && k.account == "" {
						continue // it would be done
					}
					r := f.ask(t, o.method, path, k.value, body)
					requests++
					may := k.scope == registry.ScopeAdmin || slices.Contains(o.scopes, k.scope)
					own := k.account == "" || account == "" || account == k.account
					switch refused := r.status == http.StatusForbidden || inPath && r.status == http.StatusNotFound; {
					case r.status >= 500 || r.status == http.StatusUnauthorized || r.status == http.StatusTooManyRequests:
						t.Errorf("%s %s with %s of %q: %d %s", o.method, path, k.scope, k.account, r.status, r.body)
					case !may && !refused, !own && o.id != "listAccounts" && !refused:
						t.Errorf("%s %s is let in with %s of %q: %d %s", o.method, path, k.scope, k.account, r.status, r.body)
					case may && own && refused && !inPath && o.id != "callerID":
						t.Errorf("%s %s is refused with %s of %q: %d %s", o.method, path, k.scope, k.account, r.status, r.body)
					}
					if k.account == "other" && (strings.Contains(r.body, "Jane") || strings.Contains(r.body, f.bridge)) {
						t.Errorf("%s %s tells other of acme: %s", o.method, path, r.body)
					}
				}
			}
		}
		if _, err := f.hub.Registry.Account(t.Context(), "acme"); err != nil {
			t.Error(err)
		}
		t.Log(requests, "requests")
	})
}

// What answers under /api/ stands in the document, which the walks above go by, or is open on purpose.
func TestNoRouteOfTheAPIIsLeftOutOfTheDocument(t *testing.T) {
	open := []string{"GET /api/v1/openapi.json", "GET /api/v1/openapi.yaml", "/api/"}
	c := newContract(t)
	files, err := filepath.Glob("api/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	raw, registered := regexp.MustCompile(`\.mux\.Handle(?:Func)?\(([^,]+),`), regexp.MustCompile(`\bid: "(\w+)", method`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range raw.FindAllStringSubmatch(string(text), -1) {
			pattern := strings.Trim(found[1], `"`)
			if !slices.Contains(open, pattern) && found[1] != `"GET "+o.path` { // the stream's, which is described
				t.Errorf("%s serves %s, which no walk asks", file, found[1])
			}
		}
		for _, found := range registered.FindAllStringSubmatch(string(text), -1) {
			if !slices.ContainsFunc(c.operations, func(o *described) bool { return o.id == found[1] }) {
				t.Errorf("%s registers %s, which the document does not have", file, found[1])
			}
		}
	}
}

// Nothing that only looks like a token lets in.
func TestForgedTokensLetNobodyIn(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		good := f.token(t, "acme", registry.Scopes...)
		list, err := f.hub.Registry.Tokens(t.Context(), "acme")
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		forged := []string{
			"", " ", "cb_", good + "x", "x" + good, good[1:], good[:len(good)-1], strings.ToUpper(good), strings.ToLower(good), good + "\x00", good + "=",
			good + good, "' OR '1'='1", "%", "_", "*", `"`, `\`, "admin", "null", "undefined", "cb_" + strings.Repeat("A", 32), strings.Repeat("A", 1<<16), list[0].ID, list[0].Name,
		}
		for i := range good {
			for _, with := range []byte{'A', 'z', '0', '_', good[i] ^ 1} {
				if with != good[i] {
					forged = append(forged, good[:i]+string(with)+good[i+1:])
				}
			}
		}
		for range 1000 {
			forged = append(forged, "cb_"+rand.Text()[:26]+"abcdef")
		}
		for _, value := range forged {
			actor, err := f.hub.Authenticate(t.Context(), value)
			if failure.Of(err).Code != failure.Denied || actor.All || len(actor.Scopes) > 0 {
				t.Errorf("%.40q lets in %+v: %v", value, actor, err)
			}
		}
		if _, err := f.hub.Authenticate(t.Context(), good); err != nil {
			t.Error(err)
		}
		for _, header := range []string{"Basic " + good, "Token " + good, good, "Bearer", "Bearer ", "Bearer Bearer " + good, "Bearer " + good + " x"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.server.URL+"/api/v1/accounts", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", header)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%q: %d", strings.ReplaceAll(header, good, "TOKEN"), answer.StatusCode)
			}
		}
	})
}

// No path leads to a file, nor around the API's tokens.
func TestNoPathLeadsOut(t *testing.T) {
	f := newFixture(t)
	at := strings.TrimPrefix(f.server.URL, "http://")
	up := []string{"../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", `..\`, "..%c0%af", "..;/", "....//", "%252e%252e%252f", "..%00/", "/"}
	var paths []string
	for _, base := range []string{"/", "/static/", "/api/", "/api/v1/", "/api/v1/contacts/crm/", "/callerid/", "/integrations/acme/"} {
		for _, dots := range up {
			paths = append(paths, base+strings.Repeat(dots, 6)+"etc/passwd", base+strings.Repeat(dots, 6)+"hub.db", base+dots+"api/v1/accounts")
		}
	}
	for _, path := range append(paths, "//api/v1/accounts", "/api/v1//accounts", "/api/v1/./accounts", "/API/v1/accounts", "/api/v1/accounts/", "/api/v1/accounts;x", "/api/v1/accounts%20", "http://"+at+"/api/v1/accounts") {
		response, err := http.ReadResponse(bufio.NewReader(exchangeWith(t, at, "GET "+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")), nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode == http.StatusOK && !strings.Contains(path, "callerid") || response.StatusCode >= 500 || strings.Contains(string(body), "root:") || strings.Contains(string(body), `"acme"`) {
			t.Errorf("%s: %s %.80q", path, response.Status, body)
		}
	}
}

// One request is never taken for two, whatever it says of its length.
func TestARequestIsFramedOneWay(t *testing.T) {
	f := newFixture(t)
	at, smuggled := strings.TrimPrefix(f.server.URL, "http://"), "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, head := range map[string]string{
		"two lengths":             "Content-Length: 5\r\nContent-Length: 6\r\n",
		"lengths in a list":       "Content-Length: 5, 6\r\n",
		"a signed length":         "Content-Length: +5\r\n",
		"a negative length":       "Content-Length: -5\r\n",
		"a length in hexadecimal": "Content-Length: 0x5\r\n",
		"two encodings":           "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"another encoding":        "Transfer-Encoding: xchunked\r\n",
		"chunked twice":           "Transfer-Encoding: chunked, chunked\r\n",
		"a blank before a colon":  "Content-Length : 5\r\n",
		"a null in a name":        "Content\x00-Length: 5\r\n",
		"no host":                 "",
		"two hosts":               "Host: a\r\n",
	} {
		host := "Host: h\r\n"
		if name == "no host" {
			host = ""
		}
		all := answersTo(t, at, "POST /api/v1/purge HTTP/1.1\r\n"+host+head+"\r\nabcde"+smuggled)
		if answers := strings.Count(string(all), "HTTP/1.1 "); answers != 1 || strings.HasPrefix(string(all), "HTTP/1.1 2") {
			t.Errorf("%s: %d answers: %.60q", name, answers, all)
		}
	}
	// With both, the chunks count, as the standard says.
	all := answersTo(t, at, "POST /api/v1/purge HTTP/1.1\r\nHost: h\r\nContent-Length: 43\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+smuggled)
	if answers := strings.Count(string(all), "HTTP/1.1 "); answers != 2 {
		t.Errorf("length and chunks: %d answers: %q", answers, all)
	}
}

// answersTo sends bytes as they are and returns the answer, until the connection is closed or nothing comes for a second.
func answersTo(t *testing.T, at, text string) (all []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	all, _ = io.ReadAll(conn) // what came until then
	return all
}

// A body that nests deeply, or lies about what it is, is an answer in a moment, not a stack that grows.
func TestHostileBodiesAreRefusedQuickly(t *testing.T) {
	f := newFixture(t)
	n := 300_000
	for name, body := range map[string]string{
		"lists":             strings.Repeat("[", n),
		"closed lists":      strings.Repeat("[", n) + strings.Repeat("]", n),
		"objects":           strings.Repeat(`{"a":`, n/2),
		"in a field":        `{"name":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`,
		"in auth":           `{"auth":` + strings.Repeat(`{"a":`, n/4) + "1" + strings.Repeat("}", n/4) + `}`,
		"a long number":     `{"name":` + strings.Repeat("9", 2*n) + `}`,
		"a great exponent":  `{"limits":{"pages":1e999999999}}`,
		"no UTF-8":          "{\"name\":\"\xff\xfe\"}",
		"half a surrogate":  `{"name":"\ud800"}`,
		"nulls":             `{"name":"a\u0000b"}`,
		"the same key":      `{"name":"a","name":"b","bridge":1}`,
		"two documents":     `{}{}`,
		"nothing but blank": strings.Repeat(" ", 2*n),
	} {
		for _, path := range []string{"/api/v1/integrations?account=acme", "/api/v1/drafts/test?account=acme", "/api/v1/tokens?account=acme", "/api/v1/purge?account=acme", "/api/v1/webhooks"} {
			began := time.Now()
			r := f.ask(t, "POST", path, f.admin, body)
			if r.status < 400 || r.status >= 500 || time.Since(began) > pace.Limit(5*time.Second) {
				t.Errorf("%s to %s: %d after %v: %.100s", name, path, r.status, time.Since(began), r.body)
			}
		}
	}
}

// At the most talkative level, no line holds a credential, whatever is done with it and however it fails.
func TestNoDebugLineHoldsASecret(t *testing.T) {
	f := newFixture(t)
	const bad, client, hook = "Wr0ng-Passw0rd", "cl1ent-s3cret", "h00k-s3cret-of-16"
	pbx := f.token(t, "acme", registry.ScopeCallers)
	draft := func(name string) string {
		return fmt.Sprintf(`{"name":%q,"bridge":%q,"auth":{"username":"agent","password":%q,"client_secret":%q},"oauth":{"grant":"client_credentials","token_url":%q,"client_id":"me"}}`,
			name, f.bridge, bad, client, f.bridge)
	}
	for _, s := range []step{
		{method: "POST", path: "/api/v1/drafts/test?account=acme", body: draft("")},
		{method: "POST", path: "/api/v1/integrations?account=acme", body: draft("shop")},
		{method: "POST", path: "/api/v1/integrations/shop/test?account=acme"},
		{method: "POST", path: "/api/v1/integrations/shop/run?account=acme"},
		{method: "PATCH", path: "/api/v1/integrations/shop?account=acme", body: `{"auth":{"password":"` + bad + `2"},"oauth":null}`},
		{method: "POST", path: "/api/v1/integrations?account=acme", body: `{"name":"bad","bridge":"http://user:` + bad + `@127.0.0.1:1/contact_sync"}`},
		{method: "POST", path: "/api/v1/integrations?account=acme", body: `{"name":"worse","bridge":"http://127.0.0.1:1/{{key}}/contact_sync","auth":{"key":"` + bad + `"}}`},
		{method: "POST", path: "/api/v1/integrations/worse/run?account=acme"},
		{method: "POST", path: "/api/v1/tokens?account=acme", body: `{"name":"mine","scopes":["callers:read"],"value":"` + hook + `"}`},
		{method: "POST", path: "/api/v1/webhooks?account=acme", body: `{"url":"http://127.0.0.1:1/` + hook + `"}`},
		{method: "GET", path: "/callerid?number=1&token=" + pbx},
		{method: "GET", path: "/api/v1/callers/1?token=" + pbx},
		{method: "GET", path: "/oauth/callback?code=" + bad + "&state=" + client},
		{method: "POST", path: "/api/v1/integrations/shop/run?account=acme"},
	} {
		f.ask(t, s.method, s.path, f.admin, s.body)
	}
	eventually(t, func() bool {
		for _, name := range []string{"shop", "worse"} {
			r := f.ask(t, "GET", "/api/v1/integrations/"+name+"?account=acme", f.admin, "")
			if !strings.Contains(r.body, `"failing"`) && !strings.Contains(r.body, `"broken"`) {
				return false
			}
		}
		return true
	})
	text := f.log.String()
	if !strings.Contains(text, "level=INFO") || len(text) < 1000 {
		t.Fatalf("there is no log to look at: %s", text)
	}
	for _, secret := range []string{bad, client, hook, pbx, f.admin, "s3cret"} {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("the log holds %q: …%s…", secret, text[max(0, at-200):min(len(text), at+100)])
		}
	}
}
