package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

// espo returns an EspoCRM with contacts, and what opens its source.
func espo(t *testing.T, contacts int) (*vendors.EspoCRM, func() fullSource) {
	t.Helper()
	clock := new(vendors.Clock)
	e := vendors.NewEspoCRM(clock.Now)
	for i := range contacts {
		e.Put(clock.Now().Add(-24*time.Hour+time.Duration(i)*time.Second), fmt.Sprintf("c%04d", i), vendors.Fields{"name": fmt.Sprint("Doe ", i), "phoneNumber": "+14155550100"})
	}
	cloud := new(vendors.Cloud)
	cloud.Add(e)
	return e, func() fullSource {
		s, err := open(t.Context(), "espocrm", "url: https://crm.example.com\napi_key: espo-key\nchanges: {page: {size: 20}}\n", cloud, clock, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
}

// readAll reads a run from its begin.
func readAll(ctx context.Context, s bridge.Source, since bridge.Checkpoint) (changes []string, at bridge.Position, run bridge.Run, err error) {
	if run, err = s.Begin(ctx, since); err != nil {
		return nil, nil, run, err
	}
	for c, err := range s.Read(ctx, run, nil, 0) {
		if err != nil {
			return changes, at, run, err
		}
		changes, at = append(changes, c.Contact.ID), c.Position
	}
	return changes, at, run, nil
}

// Each failure of the service says which one it is, and what to do.
func TestErrorsSayWhichAndWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		spoil         func(e *vendors.EspoCRM)
		code          bridge.Code
		message, hint string
	}{
		"wrong key":     {func(e *vendors.EspoCRM) { e.APIKey = "another" }, bridge.CodeUnauthorized, "credentials are not valid", "api_key"},
		"missing right": {func(e *vendors.EspoCRM) { e.Forbid("Contact") }, bridge.CodeUnauthorized, "lack a right", "role"},
		"wrong tenant":  {func(e *vendors.EspoCRM) { e.Hostname = "other.example.com" }, bridge.CodeSourceUnavailable, "crm.example.com", "address"},
		"throttled":     {func(e *vendors.EspoCRM) { e.Throttle(100) }, bridge.CodeRateLimited, "too many requests", "Try again later"},
		"down":          {func(e *vendors.EspoCRM) { e.Fail(0, 100, http.StatusBadGateway) }, bridge.CodeSourceUnavailable, "EspoCRM answered 502", "Try again later"},
		"changed API":   {func(e *vendors.EspoCRM) { e.Rename("modifiedAt", "modified") }, bridge.CodeSourceBroken, "does not understand the request", "may have changed"},
	} {
		t.Run(name, func(t *testing.T) {
			e, opened := espo(t, 3)
			s := opened()
			c.spoil(e)
			_, _, _, err := readAll(t.Context(), s, "")
			said := failure.Of(err)
			if said.Code != c.code || !strings.Contains(said.Message, c.message) || !strings.Contains(said.Hint, c.hint) {
				t.Errorf("%v: code %s, hint %q; want %s, %q, %q", err, said.Code, said.Hint, c.code, c.message, c.hint)
			}
			if strings.Contains(fmt.Sprint(err, said.Hint), "espo-key") {
				t.Errorf("the error holds the credential: %v", err)
			}
		})
	}
}

// A failure in the middle of a run keeps what was read, and the run goes on from there.
func TestARunGoesOnAfterAFailure(t *testing.T) {
	e, opened := espo(t, 90)
	s := opened()
	run, err := s.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	e.Fail(2, 1, http.StatusServiceUnavailable)
	seen := map[string]int{}
	var at bridge.Position
	read := func() (err error) {
		for c, e := range s.Read(t.Context(), run, at, 0) {
			if err = e; err != nil {
				return err
			}
			seen[c.Contact.ID]++
			at = c.Position
		}
		return nil
	}
	if err := read(); bridge.CodeOf(err) != bridge.CodeSourceUnavailable || len(seen) == 0 || len(seen) == 90 {
		t.Fatalf("%d contacts, then %v", len(seen), err)
	}
	if err := read(); err != nil || len(seen) != 90 {
		t.Errorf("%d contacts of 90: %v", len(seen), err)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}

// An access token that expires in the middle of a run is fetched again, once.
func TestTokensAreRefreshedInTheMiddleOfARun(t *testing.T) {
	var lock sync.Mutex
	issued, valid, uses := 0, "", 0
	transport := roundTripper(func(r *http.Request) (int, string) {
		lock.Lock()
		defer lock.Unlock()
		if r.URL.Path == "/token" {
			if err := r.ParseForm(); err != nil || r.Form.Get("client_secret") != "secret" || r.Form.Get("grant_type") != "client_credentials" {
				return http.StatusBadRequest, `{"error": "invalid_client"}`
			}
			issued++
			valid, uses = fmt.Sprint("t", issued), 0
			return http.StatusOK, fmt.Sprintf(`{"access_token": %q, "expires_in": 3600}`, valid)
		}
		if uses++; r.Header.Get("Authorization") != "Bearer "+valid || uses > 3 {
			return http.StatusUnauthorized, `{}`
		}
		if r.URL.Path == "/me" {
			return http.StatusOK, `{}`
		}
		page := r.URL.Query().Get("page")
		more := page != "9"
		return http.StatusOK, fmt.Sprintf(`{"data": [{"id": "a%s"}, {"id": "b%s"}], "more": %t}`, page, page, more)
	})
	const text = `
language: 1
url: https://api.example.com
connection: [{name: secret, title: Secret, secret: true}]
values: {secret: "{{auth.secret}}"}
auth: [{by: client_credentials, token_url: /token, client_id: me, client_secret: "{{secret}}"}]
verify: {path: /me}
id: id
changes: {path: /people, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 2, more: more}}
deletions: {by: none}
fields: {name: id}
`
	s, err := open(t.Context(), "rest", text, transport, nil, bridge.Auth{"secret": "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	changes, _, _, err := readAll(t.Context(), s, "")
	if err != nil || len(changes) != 18 || issued < 3 {
		t.Errorf("%d contacts with %d tokens: %v", len(changes), issued, err)
	}
	wrong, err := open(t.Context(), "rest", text, transport, nil, bridge.Auth{"secret": "wrong"})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if err := wrong.Probe(t.Context()); bridge.CodeOf(err) != bridge.CodeUnauthorized || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("a wrong secret: %v", err)
	}
}

// A token file that somebody else renews is read again.
func TestTokenFileIsReadAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	transport := roundTripper(func(r *http.Request) (int, string) {
		if r.Header.Get("Authorization") != "Bearer second" {
			return http.StatusUnauthorized, `{}`
		}
		return http.StatusOK, `{"data": []}`
	})
	if err := os.WriteFile(name, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "language: 1\nurl: https://api.example.com\nauth: [{by: bearer, token_file: " + name + "}]\nverify: {path: /me}\nid: id\n" +
		"changes: {path: /people, records: data, order: none, page: {by: none}}\ndeletions: {by: none}\nfields: {name: id}\n"
	s, err := open(t.Context(), "rest", text, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Probe(t.Context()); bridge.CodeOf(err) != bridge.CodeUnauthorized {
		t.Fatalf("with the first token: %v", err)
	}
	if err := os.WriteFile(name, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("with the second token: %v", err)
	}
}

// A link of an answer leads only where hosts permits: credentials go nowhere else.
func TestLinksStayWithTheService(t *testing.T) {
	for link, good := range map[string]bool{
		"https://api.example.com/people?page=2":   true,
		"/people?page=2":                          true,
		"https://eu.api.example.org/people":       true,
		"https://evil.example/people":             false,
		"https://api.example.com.evil.example/":   false,
		"https://evilapi.example.org/people":      false,
		"https://user@eu.api.example.org/people":  false,
		"http://eu.api.example.org/people":        false,
		"https://eu.api.example.org:8443/people":  false,
		"http://api.example.com/people?page=2":    true, // by https: see what is asked
		"http://api.example.com:80/people?page=2": true,
		"http://api.example.com:8080/people":      false,
		"https://api.example.com:8443/people":     false,
		"https://API.Example.com/people?page=2":   true,
		"https://api.example.com:443/people?p=2":  true,
		"https://EU.api.example.org:443/people":   true,
		"mailto:people@api.example.com":           false,
		"//evil.example/people":                   false,
		"https://api.example.com\\@evil.example/": false,
	} {
		asked := map[string]bool{}
		transport := roundTripper(func(r *http.Request) (int, string) {
			asked[r.URL.Scheme+"://"+r.URL.Host] = true
			if r.URL.Scheme != "https" {
				t.Errorf("%s: %s is asked with credentials", link, r.URL)
			}
			if len(r.URL.Query()) == 0 && r.URL.Path == "/people" && r.URL.Host == "api.example.com" {
				return http.StatusOK, fmt.Sprintf(`{"data": [{"id": "a"}], "next": %q}`, link)
			}
			return http.StatusOK, `{"data": [{"id": "b"}]}`
		})
		text := "language: 1\nurl: https://api.example.com\nhosts: [.api.example.org]\nauth: [{by: bearer, token: secret}]\nverify: {path: /me}\nid: id\n" +
			"changes: {path: /people, records: data, order: none, page: {by: link, next: next}}\ndeletions: {by: none}\nfields: {name: id}\n"
		s, err := open(t.Context(), "rest", text, transport, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, _, err = readAll(t.Context(), s, "")
		if (err == nil) != good || !good && len(asked) > 1 {
			t.Errorf("%s: %v, asked %v", link, err, asked)
		}
		_ = s.Close()
	}
}

// roundTripper answers requests with a status and a body.
type roundTripper func(r *http.Request) (status int, body string)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status, body := f(r)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: readCloser{strings.NewReader(body)},
		ContentLength: int64(len(body)), Request: r,
	}, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// 200 tenants of one service in one bridge: its limit is obeyed for each, and nobody starves.
func TestManyTenantsAreServedWithinTheLimits(t *testing.T) {
	const tenants, limit = 200, 20
	clock := new(vendors.Clock)
	cloud := new(vendors.Cloud)
	var list []*vendors.EspoCRM
	for i := range tenants {
		e := vendors.NewEspoCRM(clock.Now)
		e.APIKey = fmt.Sprintf("key-%d", i)
		e.SetLimits(&vendors.Limit{Name: "second", Requests: limit, Window: 200 * time.Millisecond})
		for n := range 10 + rand.IntN(5) {
			e.Put(clock.Now().Add(-time.Hour+time.Duration(n)*time.Second), fmt.Sprintf("c%03d", n), vendors.Fields{"name": "Doe"})
		}
		list = append(list, e)
		cloud.Add(e)
	}
	factory, err := newFactory("espocrm", "url: https://crm.example.com\napi_key: \"{{auth.key}}\"\nchanges: {page: {size: 2}}\nthrottle: {requests: 10, per: 200ms}\n", cloud, clock)
	if err != nil {
		t.Fatal(err)
	}
	defer factory.Close()
	var wait sync.WaitGroup
	for _, e := range list {
		wait.Go(func() {
			s, err := factory.Open(t.Context(), bridge.Auth{"key": e.APIKey})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if changes, _, _, err := readAll(t.Context(), s, ""); err != nil || len(changes) != e.Live() {
				t.Errorf("%s: %d contacts of %d: %v", e.APIKey, len(changes), e.Live(), err)
			}
		})
	}
	wait.Wait()
	for _, e := range list {
		if traffic := e.Traffic(); traffic.Throttled > 0 {
			t.Errorf("%s: %d of %d requests were too many", e.APIKey, traffic.Throttled, traffic.Requests)
		}
	}
}

// What is damaged after the records may have said that there are more.
func TestAnAnswerThatIsDamagedAfterItsRecordsIsNoPage(t *testing.T) {
	const records = `{"data": [{"id": "a", "updated": "2025-01-01T00:00:00Z"}]`
	for _, rest := range []string{"", ",", `, "more"`, `, "more": tr`, `, "more": true`, `]`, `}}`, `} {}`, "}\x00", `, {"a": 1}}`} {
		transport := roundTripper(func(*http.Request) (int, string) { return http.StatusOK, records + rest })
		text := peopleText + "deleted: gone\ndeletions: {by: inline}\nchanges: {path: /people, records: data, order: none, page: {by: none}}\n"
		s, err := open(t.Context(), "rest", text, transport, nil, bridge.Auth{"key": "x"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := readAll(t.Context(), s, ""); bridge.CodeOf(err) != bridge.CodeSourceBroken {
			t.Errorf("%q after the records: %v", rest, err)
		}
		_ = s.Close()
	}
}

// Any JSON in any place: the record is reported and left out, and nothing is deleted by mistake.
func FuzzRecords(f *testing.F) {
	for _, record := range []string{
		`{"id": "b", "updated": "2026-01-01T00:00:00Z", "person": {"name": "Jane"}}`, `null`, `[]`, `"b"`, `{}`, `""]`, `{"id": null}`, `{"id": ""}`,
		`{"id": {"a": 1}, "updated": 5}`, `{"id": ["b"], "updated": "2026-01-01T00:00:00Z"}`, `{"id": "b", "updated": "tomorrow"}`,
		`{"id": "b", "updated": "2026-01-01T00:00:00Z", "gone": {}}`, `{"id": 1e400, "updated": "9999-12-31T23:59:59Z"}`, `{"id": "b", "person": [1, 2]}`,
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000), `{"id": "b", "updated": "2026-01-01T00:00:00Z", "person": {"name": {"x": [null, {}]}}}`,
	} {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record string) {
		transport := roundTripper(func(r *http.Request) (int, string) {
			if r.URL.Path != "/people" {
				return http.StatusOK, `{}`
			}
			return http.StatusOK, `{"data": [{"id": "a", "updated": "2025-01-01T00:00:00Z"}, ` + record + `, {"id": "z", "updated": "2026-06-01T00:00:00Z"}]}`
		})
		for _, order := range []string{"updated, page: {by: keyset, size: 10}", "none, page: {by: none}"} {
			text := peopleText + "deleted: gone\ndeletions: {by: inline}\nchanges: {path: /people, records: data, order: " + order + "}\n"
			s, err := open(t.Context(), "rest", text, transport, nil, bridge.Auth{"key": "x"})
			if err != nil {
				t.Fatal(err)
			}
			fuzzed(t, s, record)
			_ = s.Close()
		}
	})
}

func fuzzed(t *testing.T, s fullSource, record string) {
	t.Helper()
	run, err := s.Begin(t.Context(), "2024-01-01T00:00:00.000000Z")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for c, err := range s.Read(t.Context(), run, nil, 0) {
		if err != nil {
			if bridge.CodeOf(err) != bridge.CodeSourceBroken {
				t.Errorf("%q: %v", record, err)
			}
			return // the whole answer is no JSON, or its order is wrong
		}
		seen[c.Contact.ID] = true
		if c.Deleted && (c.Contact.ID == "a" || c.Contact.ID == "z") && !strings.Contains(record, c.Contact.ID) {
			t.Errorf("%q: %s is told as deleted", record, c.Contact.ID)
		}
	}
	if json.Valid([]byte(record)) && (!seen["a"] || !seen["z"]) { // any other may close the list
		t.Errorf("%q: the records beside it are missing: %v", record, seen)
	}
}
