package web_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/web"
)

// What one answers must not be shown as a page, framed, guessed at, or told to others.
func TestEveryAnswerSaysWhatABrowserMayDoWithIt(t *testing.T) {
	f := newFixture(t, func(o *web.HandlerOptions) { o.Secure = true })
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
