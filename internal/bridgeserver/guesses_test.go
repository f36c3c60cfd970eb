package bridgeserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// behindProxy is a configuration with two endpoints; their callers are told apart by X-Forwarded-For.
const behindProxy = `
listen: 127.0.0.1:0
network: {proxies: [127.0.0.1/32]}
endpoints:
  crm:
    auth: {username: agent, password: s3cret}
    source: {kind: memory, contacts: [{id: "1", name: Jane}]}
  erp:
    auth: {password: other}
    source: {kind: memory, contacts: [{id: "1", name: Jane}]}
`

func TestGuessesAreHeldOff(t *testing.T) {
	clock := &handClock{}
	r := serve(t, parse(t, behindProxy), clock)
	ask := func(from, path, auth string) answer {
		t.Helper()
		return r.do(t, http.MethodPost, path, `{"auth":`+auth+`}`, "X-Forwarded-For", from)
	}
	const right = `{"username":"agent","password":"s3cret"}`
	guess := func(i int) string { return fmt.Sprintf(`{"username":"agent","password":"guess%d"}`, i) }
	// The synchronizer has been here before; another one, at an address of its own, has not.
	if a := ask("192.0.2.1", "/crm/contact_sync", right); a.status != http.StatusOK {
		t.Fatalf("the synchronizer: %d %s", a.status, a.body)
	}
	looked := 0
	var last answer
	for i := range 100 {
		path := []string{"/crm/contact_sync", "/crm/auth_validation"}[i%2]
		if last = ask("192.0.2.1", path, guess(i)); last.status == http.StatusUnauthorized {
			looked++
		}
	}
	if looked > 20 || last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" || last.page.Error.Code != "rate_limited" {
		t.Errorf("%d of 100 guesses were looked at; the last one: %d %s", looked, last.status, last.body)
	}
	for name, a := range map[string]answer{
		"the synchronizer at the same address": ask("192.0.2.1", "/crm/contact_sync", right),
		"another synchronizer":                 ask("192.0.2.2", "/crm/contact_sync", right),
		"the other endpoint":                   ask("192.0.2.1", "/erp/contact_sync", `{"password":"other"}`),
	} {
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// A spoofed hop before the proxy's own does not make another address.
	if a := ask("203.0.113.7, 192.0.2.1", "/crm/contact_sync", guess(0)); a.status != http.StatusTooManyRequests {
		t.Errorf("with a spoofed hop: %d", a.status)
	}
	clock.pass(3 * time.Second)
	if a := ask("192.0.2.1", "/crm/contact_sync", guess(1)); a.status != http.StatusUnauthorized {
		t.Errorf("after a while: %d", a.status)
	}
	if a := ask("192.0.2.1", "/crm/contact_sync", guess(2)); a.status != http.StatusTooManyRequests {
		t.Errorf("and at once again: %d", a.status)
	}
}

// The metrics, and which endpoints there are, are this machine's, a token's, anyone's or nobody's.
func TestMetricsAndNamesAreNotForStrangers(t *testing.T) {
	const token = "0123456789abcdef0123"
	cases := []struct {
		metrics                string
		local, stranger, token bool
	}{
		{"{}", true, false, false},
		{"{access: local, token: " + token + "}", true, false, true},
		{"{access: off, token: " + token + "}", false, false, true},
		{"{access: off}", false, false, false},
		{"{access: any}", true, true, true},
	}
	for _, c := range cases {
		r := serve(t, parse(t, strings.Replace(behindProxy, "network: {proxies: [127.0.0.1/32]}", "metrics: "+c.metrics, 1)), nil)
		r.do(t, http.MethodPost, "/crm/contact_sync", `{}`)
		for who, shown := range map[string]bool{"": c.local, "X-Forwarded-For": c.stranger, "Authorization": c.token} {
			value := map[string]string{"X-Forwarded-For": "192.0.2.1", "Authorization": "Bearer " + token}[who]
			header := []string{who, value}
			if who == "Authorization" {
				header = append(header, "Via", "1.1 proxy") // not from this machine
			}
			if who == "" {
				header = nil
			}
			metrics, ready := r.do(t, http.MethodGet, "/metrics", "", header...), r.do(t, http.MethodGet, "/readyz", "", header...)
			if got := metrics.status == http.StatusOK && strings.Contains(metrics.body, `endpoint="crm"`); got != shown {
				t.Errorf("%s: metrics with %q: %d", c.metrics, who, metrics.status)
			}
			if got := strings.Contains(ready.body, "crm"); got != shown || ready.status != http.StatusOK {
				t.Errorf("%s: readyz with %q: %d %s", c.metrics, who, ready.status, ready.body)
			}
			if !shown && strings.Contains(metrics.body, "crm") {
				t.Errorf("%s: metrics name an endpoint with %q", c.metrics, who)
			}
		}
		wrong := r.do(t, http.MethodGet, "/metrics", "", "Authorization", "Bearer "+token[1:]+"x", "Via", "1.1 proxy")
		if (wrong.status == http.StatusOK) != c.stranger {
			t.Errorf("%s: metrics with a wrong token: %d", c.metrics, wrong.status)
		}
	}
}

// Paths are exact: nothing but an endpoint's own paths leads to it, and no path tells which endpoints there are.
func TestNoPathLeadsElsewhere(t *testing.T) {
	r := serve(t, parse(t, behindProxy), nil)
	for _, path := range []string{
		"/../crm/contact_sync", "/crm/../crm/contact_sync", "/crm/./contact_sync", "/crm//contact_sync", "//crm/contact_sync", "/crm/contact_sync/",
		"/crm/contact_sync/..", "/%2e%2e/crm/contact_sync", "/crm/%2e%2e/erp/contact_sync", "/crm/..%2ferp/contact_sync",
		"/crm/contact_sync%00", "/crm%00/contact_sync", "/CRM/contact_sync", "/crm/contact_sync;x=1", "/crm/contact%5fsync/x", `/crm\contact_sync`,
		"/../../../../etc/passwd", "/crm/../../../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/....//....//etc/passwd",
		"/metrics/..", "/metrics/../crm/contact_sync", "/healthz/../metrics",
	} {
		request := httptest.NewRequest(http.MethodPost, "http://bridge.example/", strings.NewReader(`{"auth":{"username":"agent","password":"s3cret"}}`))
		request.URL = &url.URL{Path: path}
		if parsed, err := url.ParseRequestURI(path); err == nil {
			request.URL = parsed
		}
		w := httptest.NewRecorder()
		r.server.ServeHTTP(w, request)
		if w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "Jane") || strings.Contains(w.Body.String(), "root:") || strings.Contains(w.Body.String(), "erp") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
