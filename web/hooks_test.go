package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A hook starts runs of its integration, with its own token, and does nothing else.
func TestAHookStartsARun(t *testing.T) {
	f := newFixture(t)
	key := directory.Key{Account: "acme", Integration: "shop"} // nobody has asked for its run yet
	if err := f.hub.AddIntegration(t.Context(), registry.Integration{Key: key, Bridge: f.bridge}, nil); err != nil {
		t.Fatal(err)
	}
	token, err := f.hub.NewHook(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, token string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, f.server.URL+path, strings.NewReader(`[{"anything": true}]`))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	asked := func() bool {
		i, err := f.hub.Registry.Integration(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return i.Status.Asked.Run
	}
	const hook = "/hooks/acme/shop"
	for name, c := range map[string]struct {
		method, path, token string
		want                int
	}{
		"no token":              {"POST", hook, "", 401},
		"another token":         {"POST", hook, token + "x", 401},
		"an API token":          {"POST", hook, f.admin, 401},
		"another integration":   {"POST", "/hooks/acme/nothing", token, 401},
		"another account":       {"POST", "/hooks/other/shop", token, 401},
		"a path below":          {"POST", hook + "/more", token, 401},
		"a GET":                 {"GET", hook, token, 405},
		"the API with it":       {"GET", "/api/v1/integrations?account=acme", token, 401},
		"a handshake of others": {"POST", hook + "?validationToken=hello", "", 401},
	} {
		if status, body := send(c.method, c.path, c.token); status != c.want {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, body := send("POST", hook+"?validationToken=a%20b%3Cc%3E", token); status != 200 || body != "a b<c>" {
		t.Errorf("the handshake: %d %q", status, body)
	}
	if asked() {
		t.Error("a run is asked for")
	}
	if status, _ := send("POST", hook+"?token="+token, ""); status != http.StatusAccepted || !asked() {
		t.Error("no run is asked for:", status)
	}
	if strings.Contains(f.log.String(), token) {
		t.Error("the token is in the log")
	}
	if err := f.hub.RemoveHook(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if status, _ := send("POST", hook, token); status != 401 {
		t.Error("it works after its end:", status)
	}
}
