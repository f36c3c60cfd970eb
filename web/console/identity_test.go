package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/test/pace"
	"github.com/contactbridge/contactbridge/web/console"
)

// fromMany makes this machine a proxy, which says where requests come from.
func fromMany(o *console.Options) {
	o.Proxies = listener.ParseProxies([]string{"127.0.0.0/8", "::1/128"})
}

// tries sends a name and a password to the sign-in from an address.
func (v *visitor) tries(name, word, address string) int {
	v.t.Helper()
	r := v.request("POST", "/sign-in", url.Values{"csrf": {v.token("/sign-in")}, "name": {name}, "password": {word}})
	r.Header.Set("X-Forwarded-For", address)
	return v.do(r).StatusCode
}

// spellings writes a name in n ways that the registry takes for the same: ſ and K fold to s and k, and no case is another.
func spellings(name string, n int) (all []string) {
	other := strings.NewReplacer("s", "ſ", "k", "\u212a")
	for i := range n {
		var b strings.Builder
		for at, r := range name {
			one := string(r)
			switch (i >> (at % 6)) & 1 {
			case 1:
				one = other.Replace(one)
			default:
				if (i>>((at+3)%6))&1 == 1 {
					one = strings.ToUpper(one)
				}
			}
			b.WriteString(one)
		}
		all = append(all, b.String())
	}
	return all
}

// A name that is written otherwise is the same user's, and their tries count together, from however many addresses.
func TestWrongPasswordsCountByTheUserHoweverTheNameIsWritten(t *testing.T) {
	s := newSite(t, fromMany)
	admin := s.administrator(t)
	const name = "jessica.klassens@sisters.example"
	s.user(t, admin, name, registry.RoleReader)
	stranger := s.visitor(t)
	let := 0
	for i, spelling := range spellings(name, 60) {
		if stranger.tries(spelling, "wrong password", fmt.Sprintf("198.51.100.%d", i)) == http.StatusUnprocessableEntity {
			let++
		}
	}
	if let > 30 {
		t.Errorf("%d wrong passwords were judged, want 30 at most", let)
	}
	// Nor does the right password let in by another spelling while the name is held off.
	if status := stranger.tries(strings.ReplaceAll(name, "s", "ſ"), password+" too", "203.0.113.7"); status != http.StatusTooManyRequests {
		t.Error("another spelling is let in:", status)
	}
	// From one address there are five tries, whatever they look like.
	s = newSite(t, fromMany)
	s.user(t, s.administrator(t), name, registry.RoleReader)
	stranger, let = s.visitor(t), 0
	for _, spelling := range spellings(name, 20) {
		if stranger.tries(spelling, "wrong password", "198.51.100.1") == http.StatusUnprocessableEntity {
			let++
		}
	}
	if let != 5 {
		t.Errorf("%d wrong passwords were judged from one address, want 5", let)
	}
}

// Guesses of a user's password from many addresses must not keep them out of the browser that they use.
func TestGuessersDoNotKeepAUserOutOfTheirOwnBrowser(t *testing.T) {
	s := newSite(t, fromMany)
	admin := s.administrator(t)
	const name = "bob"
	bob := s.user(t, admin, name, registry.RoleReader)
	bob.goes("/", "/sign-out")
	stranger := s.visitor(t)
	for i := range 40 {
		stranger.tries(name, "wrong password", fmt.Sprintf("198.51.100.%d", i))
	}
	if status := s.visitor(t).tries(name, password+" too", "203.0.113.7"); status != http.StatusTooManyRequests {
		t.Error("an unknown browser is let in while the name is held off:", status)
	}
	if status := bob.tries(name, password+" too", "203.0.113.7"); status != http.StatusSeeOther {
		t.Error("the user's own browser is held off as well:", status)
	}
	// What the browser keeps lets nobody guess for ever, and nobody else's browser has it.
	bob.goes("/", "/sign-out")
	let := 0
	for i := range 40 {
		if bob.tries(name, "wrong password", fmt.Sprintf("203.0.113.%d", i)) == http.StatusUnprocessableEntity {
			let++
		}
	}
	if let > 20 {
		t.Errorf("%d wrong passwords were judged from a known browser", let)
	}
	eve := s.user(t, admin, "eve", registry.RoleReader)
	eve.goes("/", "/sign-out")
	if status := eve.tries(name, password+" too", "203.0.113.99"); status != http.StatusTooManyRequests {
		t.Error("another user's browser is taken for one of theirs:", status)
	}
}

// api asks the API with a token.
func (s *site) api(t testing.TB, method, path, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// A locked, demoted or removed administrator must not come back by a token that they made, nor by one that this one made.
func TestAnAdministratorsTokensEndWithThem(t *testing.T) {
	for name, end := range map[string]func(admin *visitor, id string){
		"locked": func(admin *visitor, id string) {
			admin.goes("/users/"+id, "/users/"+id, "name", "eve", "role", "admin", "accounts", "acme", "disabled", "yes")
		},
		"demoted": func(admin *visitor, id string) {
			admin.goes("/users/"+id, "/users/"+id, "name", "eve", "role", "operator", "accounts", "acme")
		},
		"moved": func(admin *visitor, id string) {
			admin.goes("/users/"+id, "/users/"+id, "name", "eve", "role", "admin", "accounts", "beta")
		},
		"removed": func(admin *visitor, id string) { admin.goes("/users/"+id+"/remove", "/users/"+id+"/remove") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.furnish(t)
			if err := s.hub.PutAccount(t.Context(), registry.Account{Name: "beta"}); err != nil {
				t.Fatal(err)
			}
			admin := s.administrator(t)
			eve := s.user(t, admin, "eve", registry.RoleAdmin, "acme")
			made := secretInput.FindStringSubmatch(eve.post("/tokens", "/tokens", "name", "mine", "account", "acme", "scope", "admin").text)
			if made == nil {
				t.Fatal("no token")
			}
			status, text := s.api(t, "POST", "/api/v1/tokens", made[1], `{"name":"second","scopes":["admin"]}`)
			var second struct {
				Value  string
				MadeBy string `json:"made_by"`
			}
			if err := json.Unmarshal([]byte(text), &second); err != nil || status != http.StatusCreated || second.MadeBy != "token mine" {
				t.Fatal(status, text)
			}
			if page := admin.must("/tokens").text; !strings.Contains(page, "made by user eve") || !strings.Contains(page, "made by token mine") {
				t.Error("the list does not say who made the tokens")
			}
			u, err := s.hub.Registry.UserByName(t.Context(), "eve")
			if err != nil {
				t.Fatal(err)
			}
			if page := admin.must("/users/" + u.ID + "/remove").text; !strings.Contains(page, "mine, second") {
				t.Error("it does not say which tokens end")
			}
			end(admin, u.ID)
			for _, value := range []string{made[1], second.Value} {
				if status, text := s.api(t, "GET", "/api/v1/tokens?account=acme", value, ""); status != http.StatusUnauthorized {
					t.Error("GET:", status, text)
				}
				if status, text := s.api(t, "POST", "/api/v1/tokens?account=acme", value, `{"name":"third","scopes":["admin"]}`); status != http.StatusUnauthorized {
					t.Error("POST:", status, text)
				}
			}
			if page := admin.must("/audit").text; !strings.Contains(page, "token.end") {
				t.Error("the audit log does not tell of their end")
			}
		})
	}
}

// listen reads a stream until it ends, and says when its first line came and what came at all.
func listen(t testing.TB, client *http.Client, r *http.Request) (lines <-chan string) {
	t.Helper()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	t.Cleanup(func() { response.Body.Close() })
	c := make(chan string, 1000)
	go func() {
		defer close(c)
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			c <- scanner.Text()
		}
	}()
	return c
}

// ended waits for a stream's end, and reports how many events came before.
func ended(lines <-chan string, within time.Duration) (events int, is bool) {
	late := time.After(within)
	for {
		select {
		case line, more := <-lines:
			if !more {
				return events, true
			}
			if strings.HasPrefix(line, "data:") || strings.HasPrefix(line, "event:") {
				events++
			}
		case <-late:
			return events, false
		}
	}
}

// A stream ends with what it was opened by: at once, and nothing is told after that, whichever process ended it.
func TestRevocationEndsStreamsAtOnce(t *testing.T) {
	ctx := context.Background()
	for _, where := range []string{"this process", "another process"} {
		for name, c := range map[string]struct {
			path  string
			token bool
			end   func(r *registry.DB, user, token string) error
		}{
			"a removed token":       {"/api/v1/events/stream", true, func(r *registry.DB, _, token string) error { return r.DeleteToken(ctx, token) }},
			"its maker is locked":   {"/api/v1/events/stream", true, lock},
			"its maker is removed":  {"/api/v1/events/stream", true, func(r *registry.DB, user, _ string) error { return r.DeleteUser(ctx, user) }},
			"a locked user":         {"/live", false, lock},
			"signed out everywhere": {"/live", false, func(r *registry.DB, user, _ string) error { return r.DeleteSessions(ctx, user, nil) }},
			"a demoted user": {"/integrations/acme/crm/live", false, func(r *registry.DB, user, _ string) error {
				return r.ChangeUser(ctx, registry.User{ID: user, Name: "eve", Role: registry.RoleReader, Accounts: []string{"acme"}})
			}},
			"a moved user": {"/integrations/acme/crm/live", false, func(r *registry.DB, user, _ string) error {
				return r.ChangeUser(ctx, registry.User{ID: user, Name: "eve", Role: registry.RoleAdmin, Accounts: []string{"beta"}})
			}},
		} {
			t.Run(name+" by "+where, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.furnish(t)
				admin := s.administrator(t)
				eve := s.user(t, admin, "eve", registry.RoleAdmin, "acme")
				made := secretInput.FindStringSubmatch(eve.post("/tokens", "/tokens", "name", "mine", "account", "acme", "scope", "admin").text)
				u, err := s.hub.Registry.UserByName(ctx, "eve")
				if err != nil {
					t.Fatal(err)
				}
				tokens, err := s.hub.Registry.Tokens(ctx, "acme")
				if err != nil || len(tokens) != 1 {
					t.Fatal(tokens, err)
				}
				r := eve.request("GET", c.path, nil)
				client := eve.client
				if c.token {
					r.Header.Set("Authorization", "Bearer "+made[1])
					client = http.DefaultClient
				}
				lines := listen(t, client, r)
				for <-lines == "" { // it has begun
				}
				registrar, within := s.hub.Registry, pace.Limit(900*time.Millisecond)
				if where == "another process" {
					registrar, within = s.again(t), pace.Limit(3*time.Second)
				}
				if _, is := ended(lines, 500*time.Millisecond); is {
					t.Fatal("it ends by itself")
				}
				if err := c.end(registrar, u.ID, tokens[0].ID); err != nil {
					t.Fatal(err)
				}
				for range 3 { // events that happen at the same moment
					if err := s.hub.Registry.AddEvent(ctx, &registry.Event{Kind: "run.failed", Account: "acme", Subject: "crm"}); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.hub.PutAccount(ctx, registry.Account{Name: "acme", Region: "GB"}); err != nil {
					t.Fatal(err)
				}
				if events, is := ended(lines, within); !is || events > 0 {
					t.Errorf("after it, ended: %v, and %d lines of events came", is, events)
				}
			})
		}
	}
}

func lock(r *registry.DB, user, _ string) error {
	return r.ChangeUser(context.Background(), registry.User{ID: user, Name: "eve", Role: registry.RoleAdmin, Accounts: []string{"acme"}, Disabled: true})
}
