package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/web"
)

func TestOnlyProxiesSayWhomTheyAskFor(t *testing.T) {
	of := web.ClientAddress([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")})
	for _, c := range []struct {
		from      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1/32"},
		{"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1/32"}, // anybody can write that
		{"127.0.0.1:5", nil, "127.0.0.1/32"},
		{"127.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7/32"},
		{"127.0.0.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7/32"},
		{"127.0.0.1:5", []string{"203.0.113.9", "198.51.100.7, 10.1.2.3"}, "198.51.100.7/32"},
		{"127.0.0.1:5", []string{"nonsense"}, "127.0.0.1/32"},
		{"127.0.0.1:5", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		{"[::ffff:127.0.0.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7/32"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.from
		for _, value := range c.forwarded {
			r.Header.Add("X-Forwarded-For", value)
		}
		if got := of(r); got.String() != c.want {
			t.Errorf("%s for %q: %s, want %s", c.from, c.forwarded, got, c.want)
		}
	}
}

// What one answers must not be shown as a page, framed, guessed at, or told to others.
func TestEveryAnswerSaysWhatABrowserMayDoWithIt(t *testing.T) {
	f := newFixture(t, func(o *web.Options) { o.Secure = true })
	for _, path := range []string{
		"/", "/nothing", "/healthz", "/readyz", "/metrics", "/callerid?number=1", "/oauth/callback", "/api/v1/openapi.json", "/api/v1/accounts", "/api/v1/nothing",
		"/api/v1/callers/1",
	} {
		r := f.ask(t, "GET", path, "", "")
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if r.header.Get("Server") != "" || r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, r.header)
		}
		if got := r.header.Get("Content-Disposition"); strings.HasPrefix(path, "/api/") && got != `attachment; filename="api.json"` {
			t.Errorf("%s: Content-Disposition is %q", path, got)
		}
		if r.header.Get("Content-Type") == "" {
			t.Errorf("%s has no type", path)
		}
	}
}
