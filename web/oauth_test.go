package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/hub"
)

// What comes back from an external service is taken from the browser that was sent there, and leads to the page that was said when it
// began, whatever the address says.
func TestTheCallbackIsForTheBrowserThatBegan(t *testing.T) {
	f := newFixture(t)
	begin := func() (state, binding string) {
		begun, err := f.hub.BeginSignIn(t.Context(), hub.SignInRequest{
			Draft: hub.SourceDraft{Account: "acme", Text: "source: {kind: hubspot}", Client: "hubspot"}, Redirect: f.server.URL + "/oauth/callback", Back: "/catalogue?kind=hubspot", Bound: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(begun.URL)
		if err != nil {
			t.Fatal(err)
		}
		return to.Query().Get("state"), begun.Binding
	}
	state, binding := begin()
	denied := "/oauth/callback?error=access_denied&back=//evil.example&state="
	for what, cookie := range map[string]string{"no cookie": "", "another browser's": "contactbridge_sign_in=guessed"} {
		r := f.ask(t, http.MethodGet, denied+state, "", "", "Cookie", cookie)
		if r.status != http.StatusBadRequest || !strings.Contains(r.body, "did not begin") {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
	}
	r := f.ask(t, http.MethodGet, denied+state, "", "", "Cookie", "contactbridge_sign_in="+binding)
	if to := r.header.Get("Location"); r.status != http.StatusSeeOther || to != "/catalogue?kind=hubspot&sign_in=refused" {
		t.Errorf("%d to %s: %s", r.status, to, r.body)
	}
	if r := f.ask(t, http.MethodGet, denied+state, "", "", "Cookie", "contactbridge_sign_in="+binding); r.status != http.StatusBadRequest {
		t.Errorf("again: %d to %s", r.status, r.header.Get("Location"))
	}
	for _, query := range []string{"", "?code=x", "?state=x", "?code=x&state=unknown", "?error=%3Cscript%3E&state=unknown"} {
		if r := f.ask(t, http.MethodGet, "/oauth/callback"+query, "", ""); r.status != http.StatusBadRequest || strings.Contains(r.body, "script") {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	if r := f.ask(t, http.MethodPost, "/oauth/callback?code=x&state=y", "", ""); r.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", r.status)
	}
}
