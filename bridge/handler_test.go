package bridge_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/contactbridge/contactbridge/bridge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// credentials satisfy the tests' endpoints.
var credentials = bridge.Auth{"username": "agent", "password": "pass-word-7"}

const goodAuth = `{"username":"agent","password":"pass-word-7"}`

// handlerOf returns a handler over a memory source, with its credentials.
func handlerOf(m *memory, limits bridge.Limits) *bridge.Handler {
	return &bridge.Handler{
		Name: "crm", Open: m.open, Authenticate: bridge.RequireAuth(credentials), Digest: "memory", Limits: limits,
	}
}

// An answer is the response, read strictly.
type answer struct {
	status int
	header http.Header
	body   string

	Contacts   *[]sent  `json:"contacts"`
	NextOffset *string  `json:"next_offset"`
	Checkpoint *string  `json:"synchronization_checkpoint"`
	Deleted    []string `json:"deleted_contacts"`
	Rejected   []struct {
		ID     string `json:"id"`
		Reason string `json:"reason"`
	} `json:"rejected_contacts"`
	Restarted bool `json:"restarted"`
	Exact     bool `json:"exact"`
	Error     *struct {
		Code      bridge.Code `json:"code"`
		Message   string      `json:"message"`
		Hint      string      `json:"hint"`
		RequestID string      `json:"request_id"`
	} `json:"error"`
}

type sent struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Company string   `json:"company"`
	Address string   `json:"address"`
	Phones  []string `json:"phones"`
}

func (a answer) ids() string {
	var ids []string
	if a.Contacts != nil {
		for _, c := range *a.Contacts {
			ids = append(ids, c.ID)
		}
	}
	return strings.Join(ids, " ")
}

func (a answer) offset() string     { return orEmpty(a.NextOffset) }
func (a answer) checkpoint() string { return orEmpty(a.Checkpoint) }

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// ask sends one request straight to a handler.
func ask(t testing.TB, h http.Handler, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return readAnswer(t, w.Result())
}

func readAnswer(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(body)}
	if len(body) == 0 {
		return a
	}
	if length := res.Header.Get("Content-Length"); length != strconv.Itoa(len(body)) {
		t.Errorf("Content-Length %s with a body of %d", length, len(body))
	}
	if kind := res.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("P11: Content-Type %q", kind)
	}
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if (res.StatusCode == http.StatusOK) != (a.Contacts != nil) || (res.StatusCode >= 400) != (a.Error != nil) {
		t.Errorf("status %d with %s", res.StatusCode, body)
	}
	return a
}

func post(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// syncBody asks for one page.
func syncBody(checkpoint, offset string) string {
	body, err := json.Marshal(map[string]any{
		"auth": credentials, "meta": map[string]any{"synchronization_checkpoint": checkpoint, "offset": offset},
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// page asks for one page.
func page(t testing.TB, h http.Handler, checkpoint, offset string) answer {
	t.Helper()
	return ask(t, h, post("/crm/contact_sync", syncBody(checkpoint, offset)))
}

func TestEveryErrorHasItsStatusAndBody(t *testing.T) {
	good := syncBody("", "")
	typed := func(r *http.Request, kind string) *http.Request {
		r.Header.Set("Content-Type", kind)
		return r
	}
	compressed := post("/crm/contact_sync", good)
	compressed.Header.Set("Content-Encoding", "gzip")
	cases := []struct {
		name   string
		in     *http.Request
		status int
		code   bridge.Code
	}{
		{"malformed JSON", post("/crm/contact_sync", `{"auth":`), 400, bridge.CodeBadRequest},
		{"wrong types", post("/crm/contact_sync", `{"auth":{"username":[]}}`), 400, bridge.CodeBadRequest},
		{"no body", post("/crm/contact_sync", ""), 400, bridge.CodeBadRequest},
		{"foreign offset", post("/crm/contact_sync", syncBody("", "2")), 400, bridge.CodeInvalidOffset},
		{"foreign checkpoint", post("/crm/contact_sync", syncBody("2012-11-20 23:01:00 UTC", "")), 400, bridge.CodeInvalidCheckpoint},
		{"P13, missing auth", post("/crm/contact_sync", `{"meta":{}}`), 401, bridge.CodeUnauthorized},
		{"P13, empty auth", post("/crm/contact_sync", `{"auth":{}}`), 401, bridge.CodeUnauthorized},
		{"P13, wrong password", post("/crm/contact_sync", `{"auth":{"username":"agent","password":"x"}}`), 401, bridge.CodeUnauthorized},
		{"P13, no password", post("/crm/contact_sync", `{"auth":{"username":"agent"}}`), 401, bridge.CodeUnauthorized},
		{"P13 comes before the offset", post("/crm/contact_sync", `{"auth":{},"meta":{"offset":"2"}}`), 401, bridge.CodeUnauthorized},
		{"P13, validation", post("/crm/auth_validation", `{"auth":{"username":"agent","password":"x"}}`), 401, bridge.CodeUnauthorized},
		{"unknown path", post("/crm/contacts", good), 404, bridge.CodeNotFound},
		{"path with a trailing slash", post("/crm/contact_sync/x", good), 404, bridge.CodeNotFound},
		{"GET", httptest.NewRequest(http.MethodGet, "/crm/contact_sync", nil), 405, bridge.CodeMethodNotAllowed},
		{"PUT", httptest.NewRequest(http.MethodPut, "/crm/auth_validation", strings.NewReader(good)), 405, bridge.CodeMethodNotAllowed},
		{"body too large", post("/crm/contact_sync", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`), 413, bridge.CodeBodyTooLarge},
		{"form", typed(post("/crm/contact_sync", good), "application/x-www-form-urlencoded"), 415, bridge.CodeUnsupportedMediaType},
		{"plain text", typed(post("/crm/contact_sync", good), "text/plain"), 415, bridge.CodeUnsupportedMediaType},
		{"no media type at all", typed(post("/crm/contact_sync", good), ";;"), 415, bridge.CodeUnsupportedMediaType},
		{"compressed", compressed, 415, bridge.CodeUnsupportedMediaType},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := handlerOf(numbered(3), bridge.Limits{})
			h.UnknownCheckpoint = bridge.RefuseUnknown
			a := ask(t, h, c.in)
			checkError(t, a, c.status, c.code)
			if c.status == 405 && a.header.Get("Allow") != "POST" {
				t.Errorf("Allow: %q", a.header.Get("Allow"))
			}
		})
	}
}

// checkError checks an error's status and body (D5).
func checkError(t testing.TB, a answer, status int, code bridge.Code) {
	t.Helper()
	if a.status != status || a.Error == nil || a.Error.Code != code {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	if a.Error.Message == "" || a.Error.Hint == "" || a.Error.RequestID == "" || a.Error.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("incomplete: %s, X-Request-Id %q", a.body, a.header.Get("X-Request-Id"))
	}
	if strings.Contains(a.body, "pass-word-7") || strings.Contains(a.body, "goroutine") {
		t.Errorf("tells too much: %s", a.body)
	}
}

// What goes wrong in a source is told by its code (D5), and where the code is unknown it is not told at all.
func TestSourceErrorsHaveTheirStatus(t *testing.T) {
	cases := []struct {
		name       string
		err        error
		status     int
		code       bridge.Code
		retryAfter string
	}{
		{"limited", &bridge.Error{Code: bridge.CodeRateLimited, Message: "m", Hint: "h", RetryAfter: 1500 * time.Millisecond}, 429, bridge.CodeRateLimited, "2"},
		{"limited, for an unknown time", &bridge.Error{Code: bridge.CodeRateLimited, Message: "m", Hint: "h"}, 429, bridge.CodeRateLimited, "30"},
		{"broken", &bridge.Error{Code: bridge.CodeSourceBroken, Message: "m", Hint: "h"}, 502, bridge.CodeSourceBroken, "30"},
		{"down", &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "m", Hint: "h"}, 503, bridge.CodeSourceUnavailable, "30"},
		{"slow", &bridge.Error{Code: bridge.CodeSourceTimeout, Message: "m", Hint: "h"}, 504, bridge.CodeSourceTimeout, "30"},
		{"credentials", &bridge.Error{Code: bridge.CodeUnauthorized, Message: "m", Hint: "h"}, 401, bridge.CodeUnauthorized, ""},
		{"a place it does not know", &bridge.Error{Code: bridge.CodeInvalidOffset, Message: "m", Hint: "h"}, 400, bridge.CodeInvalidOffset, ""},
		{"cause not told", &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "m", Hint: "h", Err: errors.New("password pass-word-7")}, 503, bridge.CodeSourceUnavailable, "30"},
		{"unknown", errors.New("password pass-word-7"), 500, bridge.CodeInternal, ""},
		{"its own deadline", context.DeadlineExceeded, 504, bridge.CodeSourceTimeout, "30"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fail := func(context.Context) error { return c.err }
			for place, m := range map[string]*memory{
				"open": {onOpen: fail}, "begin": {onBegin: fail},
				"read": {entries: numbered(1).entries, onRead: func(context.Context, int) error { return c.err }},
			} {
				a := page(t, handlerOf(m, bridge.Limits{}), "", "")
				checkError(t, a, c.status, c.code)
				if got := a.header.Get("Retry-After"); got != c.retryAfter {
					t.Errorf("%s: Retry-After %q, want %q", place, got, c.retryAfter)
				}
			}
		})
	}
}

func TestPanicsAreTheBridgesOwnFault(t *testing.T) {
	boom := func() { panic("boom pass-word-7") }
	panicking := func(context.Context) error { boom(); return nil }
	var log bytes.Buffer
	for place, h := range map[string]*bridge.Handler{
		"open":    handlerOf(&memory{onOpen: panicking}, bridge.Limits{}),
		"begin":   handlerOf(&memory{onBegin: panicking}, bridge.Limits{}),
		"read":    handlerOf(&memory{entries: numbered(9).entries, onRead: func(_ context.Context, i int) error { return panicking(nil) }}, bridge.Limits{}),
		"later":   handlerOf(&memory{entries: numbered(9).entries, onRead: func(_ context.Context, i int) error { return panickingAt(i, 5) }}, bridge.Limits{}),
		"prepare": withPrepare(handlerOf(numbered(1), bridge.Limits{}), boom),
	} {
		log.Reset()
		h.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		checkError(t, page(t, h, "", ""), 500, bridge.CodeInternal)
		if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), "handler_test.go") {
			t.Errorf("%s: the log does not say where: %s", place, log.String())
		}
	}
	h := handlerOf(&memory{probe: panicking}, bridge.Limits{})
	checkError(t, ask(t, h, post("/crm/auth_validation", syncBody("", ""))), 500, bridge.CodeInternal)
	h.Authenticate = func(bridge.Auth) error { boom(); return nil }
	checkError(t, page(t, h, "", ""), 500, bridge.CodeInternal)
}

func panickingAt(i, at int) error {
	if i == at {
		panic("boom")
	}
	return nil
}

func TestOnlyTheRightCredentialsGetIn(t *testing.T) {
	cases := []struct {
		name     string
		check    func(bridge.Auth) error
		auth     bridge.Auth
		accepted bool
	}{
		{"exact", bridge.RequireAuth(credentials), credentials, true},
		{"more than asked for", bridge.RequireAuth(credentials), bridge.Auth{"username": "agent", "password": "pass-word-7", "more": "x"}, true},
		{"one wrong", bridge.RequireAuth(credentials), bridge.Auth{"username": "agent", "password": "pass-word-8"}, false},
		{"swapped", bridge.RequireAuth(credentials), bridge.Auth{"username": "pass-word-7", "password": "agent"}, false},
		{"one missing", bridge.RequireAuth(credentials), bridge.Auth{"username": "agent"}, false},
		{"none", bridge.RequireAuth(credentials), nil, false},
		{"nothing is expected", bridge.RequireAuth(nil), credentials, false},
		{"nothing is expected or given", bridge.RequireAuth(nil), nil, false},
		{"an empty value is expected", bridge.RequireAuth(bridge.Auth{"password": ""}), bridge.Auth{"password": ""}, false},
		{"no check", nil, credentials, false},
		{"anyone", bridge.AllowAnyone, nil, true},
	}
	for _, c := range cases {
		m := numbered(1)
		h := handlerOf(m, bridge.Limits{})
		h.Authenticate = c.check
		body, _ := json.Marshal(map[string]any{"auth": c.auth})
		for path, good := range map[string]int{"/contact_sync": 200, "/auth_validation": 204} {
			a := ask(t, h, post(path, string(body)))
			if (a.status == good) != c.accepted || !c.accepted && a.status != 401 {
				t.Errorf("%s: %s answers %d %s", c.name, path, a.status, a.body)
			}
		}
		if !c.accepted && len(m.opened) > 0 {
			t.Errorf("%s: the source was opened", c.name)
		}
	}
}

func TestValidationAsksTheSource(t *testing.T) {
	refused := &bridge.Error{Code: bridge.CodeUnauthorized, Message: "refused", Hint: "h"}
	refuse := func(context.Context) error { return refused }
	accept := func(context.Context) error { return nil }
	for name, c := range map[string]struct {
		m      *memory
		status int
	}{
		"prober accepts":          {&memory{probe: accept, onBegin: refuse}, 204},
		"prober refuses":          {&memory{probe: refuse}, 401},
		"begin accepts":           {numbered(1), 204},
		"begin refuses":           {&memory{onBegin: refuse}, 401},
		"open refuses":            {&memory{onOpen: refuse}, 401},
		"the database is not up":  {&memory{onOpen: func(context.Context) error { return &bridge.Error{Code: bridge.CodeSourceUnavailable} }}, 503},
		"contacts are not looked": {&memory{onRead: func(context.Context, int) error { panic("read") }}, 204},
	} {
		a := ask(t, handlerOf(c.m, bridge.Limits{}), post("/crm/auth_validation", `{"auth":`+goodAuth+`}`))
		if a.status != c.status || a.status == 204 && a.body != "" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
		if c.m.onOpen == nil {
			c.m.waitUntilClosed(t, 1)
		}
	}
}

func TestSourceIsOpenedWithTheCallersCredentials(t *testing.T) {
	m := numbered(1)
	h := handlerOf(m, bridge.Limits{})
	h.Authenticate = bridge.AllowAnyone
	ask(t, h, post("/contact_sync", `{"auth":{"name":"tenant-1","n":7}}`))
	if len(m.opened) != 1 || m.opened[0]["name"] != "tenant-1" || m.opened[0]["n"] != "7" {
		t.Errorf("opened with %v", m.opened)
	}
}

func TestContentTypeIsReadLeniently(t *testing.T) {
	for _, kind := range []string{"", "application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json", "text/json"} {
		r := post("/crm/contact_sync", syncBody("", ""))
		r.Header.Del("Content-Type")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		if a := ask(t, handlerOf(numbered(1), bridge.Limits{}), r); a.status != 200 {
			t.Errorf("%q: got %d %s", kind, a.status, a.body)
		}
	}
}

func TestRequestIDIsKeptIfSane(t *testing.T) {
	for given, kept := range map[string]bool{
		"abc-123_x.y:z": true, "": false, "a b": false, "<script>": false, "a\u00e9": false, strings.Repeat("a", 129): false,
	} {
		var log bytes.Buffer
		h := handlerOf(numbered(1), bridge.Limits{})
		h.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		r := post("/crm/contact_sync", syncBody("", ""))
		r.Header.Set("X-Request-Id", given)
		got := ask(t, h, r).header.Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("%q: got %q", given, got)
		}
		if !strings.Contains(log.String(), `"request_id":"`+got+`"`) {
			t.Errorf("%q is not in the log: %s", got, log.String())
		}
	}
}

func TestLargeAnswersAreCompressedForWhoTakesThat(t *testing.T) {
	cases := []struct {
		accepts string
		n       int
		want    bool
	}{
		{"gzip", 100, true},
		{"deflate, gzip;q=0.5, br", 100, true},
		{"*", 100, true},
		{"gzip", 1, false},
		{"", 100, false},
		{"identity", 100, false},
		{"gzip;q=0", 100, false},
		{"gzip; q=0.0", 100, false},
		{"br", 100, false},
	}
	for _, c := range cases {
		r := post("/crm/contact_sync", syncBody("", ""))
		if c.accepts != "" {
			r.Header.Set("Accept-Encoding", c.accepts)
		}
		w := httptest.NewRecorder()
		handlerOf(numbered(c.n), bridge.Limits{}).ServeHTTP(w, r)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != c.want {
			t.Errorf("%q, %d contacts: compressed %v", c.accepts, c.n, got)
			continue
		}
		if w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
			t.Errorf("%q: Content-Length %s with a body of %d", c.accepts, w.Header().Get("Content-Length"), w.Body.Len())
		}
		body := io.Reader(w.Body)
		if c.want {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		var a answer
		if err := json.NewDecoder(body).Decode(&a); err != nil || len(*a.Contacts) != c.n {
			t.Errorf("%q: %v", c.accepts, err)
		}
	}
}

func TestEachRequestIsObservedAndLoggedOnceWithoutItsCredentials(t *testing.T) {
	var log bytes.Buffer
	var seen []bridge.Observation
	m := numbered(3)
	m.entries[0].contact.ID = ""
	m.entries[1].contact.Name = ""
	m.entries[2].deleted = true
	h := handlerOf(m, bridge.Limits{})
	h.OnDelete = bridge.BlankDeleted
	h.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	h.Observe = func(o bridge.Observation) { seen = append(seen, o) }

	a := page(t, h, "", "")
	ask(t, h, post("/crm/auth_validation", `{"auth":{"username":"agent","password":"other-word-8"}}`))
	if len(seen) != 2 {
		t.Fatalf("observed %+v", seen)
	}
	want := bridge.Observation{
		Endpoint: "crm", Path: "contact_sync", Status: 200, Duration: seen[0].Duration, Initial: true, Contacts: 2, Deleted: 1,
		LeftOut: 1, Unnamed: 1, Bytes: len(a.body), Cut: bridge.CutEnd,
	}
	if seen[0] != want {
		t.Errorf("got  %+v\nwant %+v", seen[0], want)
	}
	want = bridge.Observation{Endpoint: "crm", Path: "auth_validation", Code: bridge.CodeUnauthorized, Status: 401, Duration: seen[1].Duration}
	if seen[1] != want {
		t.Errorf("got  %+v\nwant %+v", seen[1], want)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 2 || strings.Contains(log.String(), "-word-") {
		t.Errorf("log: %s", log.String())
	}
	if !strings.Contains(log.String(), `"without_id":1`) || !strings.Contains(log.String(), `"without_name_ids":["2"]`) {
		t.Errorf("D6: the log does not name the contacts: %s", log.String())
	}
}

// The cause of an error may hold what the caller sent; the log gets it without that.
func TestTheCauseIsLoggedWithoutCredentials(t *testing.T) {
	var log bytes.Buffer
	cause := errors.New("login of agent with pass-word-7 failed")
	m := numbered(3)
	m.onRead = func(_ context.Context, i int) error {
		if i == 2 {
			return cause
		}
		return nil
	}
	for name, m := range map[string]*memory{"request": {onOpen: func(context.Context) error { return cause }}, "rest of the page": m} {
		log.Reset()
		h := handlerOf(m, bridge.Limits{})
		h.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		page(t, h, "", "")
		if got := log.String(); !strings.Contains(got, "login of [redacted] with [redacted] failed") || strings.Contains(got, "pass-word-7") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWriteErrorServesTheRestOfAProgram(t *testing.T) {
	w := httptest.NewRecorder()
	bridge.WriteError(w, httptest.NewRequest(http.MethodGet, "/", nil), &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "busy", Hint: "wait", RetryAfter: time.Minute, Err: errors.New("pass-word-7"),
	})
	a := readAnswer(t, w.Result())
	checkError(t, a, 503, bridge.CodeSourceUnavailable)
	if a.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
}

// A body that trickles in must not hold the handler up for ever.
func TestABodyThatDoesNotArriveIsGivenUp(t *testing.T) {
	server := httptest.NewServer(handlerOf(numbered(1), bridge.Limits{Time: 10 * time.Millisecond, Hard: 20 * time.Millisecond}))
	defer server.Close()
	body, writer := io.Pipe()
	defer writer.Close()
	go func() { _, _ = writer.Write([]byte(`{"auth":`)) }()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/crm/contact_sync", body)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, readAnswer(t, res), 400, bridge.CodeBadRequest)
}
