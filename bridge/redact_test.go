package bridge_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

// A password that is a word of a sentence does not take the sentence apart, which would also tell the password to anyone who
// knows the sentence. Where it stands as a value, it is taken out all the same.
func TestAPasswordThatIsAWordLeavesSentencesWhole(t *testing.T) {
	server := httptest.NewServer(&bridge.Handler{Open: numbered(1).open, Authenticate: bridge.RequireAuth(bridge.Auth{"username": "agent", "password": "right"})})
	defer server.Close()
	for _, password := range []string{"wrong", "credentials", "the", "bridge", "values", "auth", "unauthorized", "configuration", "an", "a"} {
		c := &bridge.Client{URL: server.URL + "/crm/contact_sync", Auth: bridge.Auth{"username": "agent", "password": password}}
		_, err := ask1(c)
		e := err.(*bridge.Error) //nolint:errorlint // the client's own
		if want := "the bridge answers 401 Unauthorized: the credentials are wrong"; e.Message != want || strings.Contains(e.Hint, "[") || strings.Contains(e.Hint, "redacted") {
			t.Errorf("%s: %s; %s", password, e.Message, e.Hint)
		}
	}
	for body, want := range map[string]string{
		`{"error":{"code":"unauthorized","message":"the password hunter of agent is wrong","hint":"not \"hunter\""}}`: "the password [redacted] of agent is wrong; not \"[redacted]\"",
		`{"error":{"code":"unauthorized","message":"login failed: hunter"}}`:                                          "login failed: [redacted]; ",
		`{"error":{"code":"unauthorized","message":"agent / hunter is wrong"}}`:                                       "agent / [redacted] is wrong; ",
		`{"error":{"code":"unauthorized","message":"hunter"}}`:                                                        "[redacted]; ",
		`{"error":{"code":"unauthorized","message":"auth={'password':'hunter'}"}}`:                                    "auth={'password':'[redacted]'}; ",
		`hunter is no good here, says hunter, a headhunter`:                                                           "[redacted] is no good here, says [redacted], a headhunter; ",
		`{"error":"no hunter"}`: "no [redacted]; ",
		`{"error":{"code":"teapot","message":"the user hunter is not here"}}`: "the user [redacted] is not here; ",
	} {
		c := answering(401, body)
		c.Auth = bridge.Auth{"username": "", "password": "hunter"}
		_, err := ask1(c)
		e := err.(*bridge.Error) //nolint:errorlint // the client's own
		hint := e.Hint
		if strings.HasPrefix(hint, "Check the credentials") {
			hint = ""
		}
		if got := strings.TrimPrefix(e.Message, "the bridge answers 401 Unauthorized: ") + "; " + hint; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", body, got, want)
		}
	}
}

// The bridge's log tells of a refused caller in whole sentences too.
func TestTheLogOfARefusedCallerIsASentence(t *testing.T) {
	var log bytes.Buffer
	h := handlerOf(numbered(1), bridge.Limits{})
	h.Authenticate = bridge.RequireAuth(bridge.Auth{"password": "right"})
	h.Logger = slog.New(slog.NewTextHandler(&log, nil))
	ask(t, h, post("/crm/contact_sync", fmt.Sprintf(`{"auth":{"password":%q},"meta":{}}`, "wrong")))
	if !strings.Contains(log.String(), `error="the credentials are wrong"`) {
		t.Error(log.String())
	}
}
