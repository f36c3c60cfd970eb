package bridge_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// serve runs a handler over loopback HTTP and gives a client for it.
func serve(t testing.TB, h http.Handler) *bridge.Client {
	t.Helper()
	server := httptest.NewServer(h)
	c := &bridge.Client{URL: server.URL + "/crm/contact_sync", Auth: credentials}
	t.Cleanup(func() {
		c.CloseIdleConnections()
		server.Close()
	})
	return c
}

// A trip answers requests without a network.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering returns a client of a bridge that always answers the same.
func answering(status int, body string, header ...string) *bridge.Client {
	return &bridge.Client{URL: "http://bridge.test/contact_sync", Auth: credentials, HTTP: &http.Client{
		Transport: trip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.WriteString(body)
			res := w.Result()
			res.Request = r
			return res, nil
		}),
	}}
}

func ask1(c *bridge.Client) (*bridge.Page, error) {
	return c.Page(context.Background(), bridge.PageRequest{})
}

func TestClientFollowsARun(t *testing.T) {
	m := numbered(5)
	m.entries[3].deleted = true
	c := serve(t, handlerOf(m, bridge.Limits{Contacts: 2}))
	var ids, deleted []string
	q := bridge.PageRequest{SupportsDeletions: true}
	for more := true; more; more = q.Offset != "" {
		p, err := c.Page(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, contact := range p.Contacts {
			ids = append(ids, contact.ID)
		}
		deleted = append(deleted, p.Deleted...)
		q.Offset, q.Checkpoint = p.NextOffset, p.Checkpoint
	}
	if got := strings.Join(ids, " ") + " -" + strings.Join(deleted, " "); got != "1 2 3 5 -4" {
		t.Errorf("got %s", got)
	}
	p, err := c.Page(t.Context(), q)
	if err != nil || len(p.Contacts) != 0 || p.Checkpoint != q.Checkpoint {
		t.Errorf("nothing new: %+v, %v", p, err)
	}
}

func TestRequestAsTheProtocolHasIt(t *testing.T) {
	var got *http.Request
	var body string
	c := &bridge.Client{URL: "http://bridge.test/contact_sync", Auth: bridge.Auth{"user": "<a>", "b": "é"}, HTTP: &http.Client{
		Transport: trip(func(r *http.Request) (*http.Response, error) {
			b, err := io.ReadAll(r.Body)
			got, body = r, string(b)
			return nil, errors.Join(err, io.ErrClosedPipe)
		}),
	}}
	for _, tc := range []struct {
		in   bridge.PageRequest
		want string
	}{
		{bridge.PageRequest{}, `{"auth":{"b":"é","user":"<a>"},"meta":{"synchronization_checkpoint":null,"offset":null,"context":null}}`},
		{
			bridge.PageRequest{Checkpoint: "c&", Offset: "2", Context: json.RawMessage(`{"n":1.00,"s":"<&>"}`), SupportsDeletions: true},
			`{"auth":{"b":"é","user":"<a>"},"meta":{"synchronization_checkpoint":"c&","offset":"2","context":{"n":1.00,"s":"<&>"},"supports_deletions":true}}`,
		},
	} {
		_, _ = c.Page(t.Context(), tc.in)
		if strings.TrimSpace(body) != tc.want {
			t.Errorf("got  %s\nwant %s", body, tc.want)
		}
	}
	if got.Method != http.MethodPost || got.Header.Get("Content-Type") != "application/json" ||
		got.Header.Get("Accept") != "application/json" || got.Header.Get("X-Request-Id") == "" || got.Header.Get("User-Agent") != "contactbridge" {
		t.Errorf("%s %v", got.Method, got.Header)
	}
	c.Auth = nil
	_, _ = c.Page(t.Context(), bridge.PageRequest{})
	if !strings.HasPrefix(body, `{"auth":{},`) {
		t.Errorf("without credentials: %s", body)
	}
	if _, err := c.Page(t.Context(), bridge.PageRequest{Context: json.RawMessage(`{`)}); bridge.CodeOf(err) != bridge.CodeBadRequest {
		t.Errorf("damaged context: %v", err)
	}
}

// D1: what others write is read leniently.
func TestPageIsReadLeniently(t *testing.T) {
	jane := []contact.Contact{{ID: "1", Name: "Jane"}}
	for name, tc := range map[string]struct {
		in   string
		want bridge.Page
	}{
		"P6, last page":               {`{"contacts":[{"id":"1","name":"Jane"}],"next_offset":null,"synchronization_checkpoint":"c","context":null}`, bridge.Page{Contacts: jane, Checkpoint: "c"}},
		"P6, more":                    {`{"contacts":[],"next_offset":"2","context":{"a":[1, 2]}}`, bridge.Page{NextOffset: "2", Context: json.RawMessage(`{"a":[1, 2]}`)}},
		"numbers":                     {`{"next_offset":2,"synchronization_checkpoint":1354361260,"contacts":[{"id":1,"name":"Jane"}],"deleted_contacts":[7,"8",null,""]}`, bridge.Page{Contacts: jane, NextOffset: "2", Checkpoint: "1354361260", Deleted: []string{"7", "8"}}},
		"empty is absent":             {`{"contacts":[],"next_offset":"","synchronization_checkpoint":""}`, bridge.Page{}},
		"unknown fields":              {`{"x":{"contacts":[{"id":"9"}]},"contacts":[{"id":"1","name":"Jane","age":5}],"y":[]}`, bridge.Page{Contacts: jane}},
		"no contacts but a next page": {`{"next_offset":"2"}`, bridge.Page{NextOffset: "2"}},
		"no contacts but a checkpoint": {
			`{"contacts":null,"synchronization_checkpoint":"c"}`, bridge.Page{Checkpoint: "c"},
		},
		"no contacts but rejections": {
			`{"rejected_contacts":[{"id":"1","reason":"r"},{"id":7},"x",{"reason":"line 4"}]}`,
			bridge.Page{Rejected: []bridge.Rejected{
				{ID: "1", Reason: "r"},
				{ID: "7", Reason: "was left out by the bridge, which gave no reason"},
				{Reason: "was left out by the bridge, which gave no reason"},
				{Reason: "line 4"},
			}},
		},
		"no contacts but deletions":    {`{"deleted_contacts":["1"]}`, bridge.Page{Deleted: []string{"1"}}},
		"error is null":                {`{"error":null,"contacts":[]}`, bridge.Page{}},
		"D6, no name":                  {`{"contacts":[{"id":"1","company":"Jane"}]}`, bridge.Page{Contacts: []contact.Contact{{ID: "1", Name: "Jane", Company: "Jane"}}}},
		"D6, bad contacts":             {`{"contacts":[{"name":"x"},{"id":"1","name":"Jane"},null,{"id":"7","phones":{}}]}`, bridge.Page{Contacts: jane, Rejected: []bridge.Rejected{{Reason: "has no id"}, {Reason: "is null, not an object"}, {ID: "7", Reason: "phones is an object, not an array of strings"}}}},
		"a byte order mark and spaces": {"\xef\xbb\xbf\n {\"contacts\":[]}\n\n", bridge.Page{}},
		"contacts twice: none is lost": {`{"contacts":[{"id":"1","name":"Jane"}],"contacts":[{"id":"2","name":"Jim"}]}`, bridge.Page{Contacts: []contact.Contact{{ID: "1", Name: "Jane"}, {ID: "2", Name: "Jim"}}}},
		"ISO-8859-1":                   {"{\"contacts\":[],\"next_offset\":\"\xff\",\"context\":\"\xff\"}", bridge.Page{NextOffset: "ÿ", Context: json.RawMessage(`"ÿ"`)}},
	} {
		for _, status := range []int{200, 201} {
			got, err := ask1(answering(status, tc.in, "Content-Type", "text/plain"))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			tc.want.Bytes = int64(len(tc.in))
			if diff := cmp.Diff(&tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

// T11: a failure is never read as emptiness.
func TestWhatIsNoPageIsABadAnswer(t *testing.T) {
	for in, want := range map[string]string{
		``:                     "is empty",
		"  \n":                 "is empty",
		`{}`:                   "no contacts",
		`{"contacts":null}`:    "no contacts",
		`{"next_offset":null}`: "no contacts",
		`{"contacts":null,"next_offset":"","synchronization_checkpoint":null}`: "no contacts",
		`{"context":{"a":1}}`:                 "no contacts",
		`{"status":"ok"}`:                     "no contacts",
		`{"message":"failed"}`:                "no contacts",
		`[]`:                                  "a JSON array",
		`[{"id":"1"}]`:                        "a JSON array",
		`"x"`:                                 "a single JSON value",
		`12`:                                  "a single JSON value",
		`null`:                                "not JSON",
		`Fatal error: out of memory`:          "not JSON",
		`{"contacts":{}}`:                     "contacts is an object, not an array of objects",
		`{"contacts":"none"}`:                 "contacts is a string",
		`{"contacts":[],"next_offset":{}}`:    "next_offset is an object, not a string",
		`{"contacts":[],"next_offset":false}`: "next_offset is a boolean",
		`{"contacts":[],"synchronization_checkpoint":[]}`: "synchronization_checkpoint is an array",
		`{"contacts":[],"deleted_contacts":"1"}`:          "deleted_contacts is a string",
		`{"contacts":[],"deleted_contacts":[{}]}`:         "an entry of deleted_contacts is an object",
		`{"contacts":[]}<br>Notice`:                       "something follows",
		`{"contacts":[]}{"contacts":[]}`:                  "something follows",
		`{"contacts":[},]}`:                               "not valid JSON",
		`{"contacts":[{"id":"1"}<b>Warning</b>`:           "not valid JSON",
		`{'contacts':[]}`:                                 "not valid JSON",
		`{"error":{"code":"x","message":"it broke"}}`:     "answers 200 with an error: it broke",
		`{"error":"it broke","contacts":[]}`:              "answers 200 with an error: it broke",
		`{"contacts":[],"error":true}`:                    "answers 200 with an error",
		`<!DOCTYPE html><title>Log &amp; in</title>`:      `an HTML page titled "Log & in"`,
		"\n <html><body>Bad gateway</body></html>":        "an HTML page, not JSON",
	} {
		p, err := ask1(answering(200, in))
		checkClientError(t, in, err, bridge.CodeBadAnswer, false, want)
		if p != nil {
			t.Errorf("%s: a page beside the error", in)
		}
	}
}

// checkClientError checks what an operator gets to see.
func checkClientError(t *testing.T, name string, err error, code bridge.Code, retryable bool, message string) {
	t.Helper()
	e, ok := errors.AsType[*bridge.Error](err)
	if !ok {
		t.Errorf("%.80s: got %v", name, err)
		return
	}
	if e.Code != code || bridge.Retryable(err) != retryable || !strings.Contains(e.Message, message) {
		t.Errorf("%.80s: got %s, retryable %v: %v\nwant %s, %v: %s", name, e.Code, bridge.Retryable(err), err, code, retryable, message)
	}
	if e.Hint == "" || e.RequestID == "" {
		t.Errorf("%.80s: incomplete: %+v", name, e)
	}
	if shown := fmt.Sprintf("%v %+v %q", err, *e, e.Err); strings.Contains(shown, "pass-word-7") {
		t.Errorf("%.80s: tells the password: %s", name, shown)
	}
}

func TestStatusesAreReadBack(t *testing.T) {
	ours := func(code bridge.Code) string {
		return `{"error":{"code":"` + string(code) + `","message":"the reason","hint":"the remedy","request_id":"id-9"}}`
	}
	for _, tc := range []struct {
		status    int
		body      string
		code      bridge.Code
		retryable bool
		message   string
	}{
		{400, ours(bridge.CodeInvalidOffset), bridge.CodeInvalidOffset, false, "the reason"},
		{400, ours(bridge.CodeInvalidCheckpoint), bridge.CodeInvalidCheckpoint, false, "the reason"},
		{400, ours(bridge.CodeBadRequest), bridge.CodeBadRequest, false, "the reason"},
		{400, ours("something_else"), bridge.CodeBadRequest, false, "the reason"},
		{400, ours(bridge.CodeInternal), bridge.CodeBadRequest, false, "the reason"}, // a code that its status belies
		{400, `{"error":{"code":"invalid_offset"}}`, bridge.CodeInvalidOffset, false, "400 Bad Request"},
		{400, `{"error":{"code":400,"message":"bad offset"}}`, bridge.CodeBadRequest, false, "bad offset"},
		{400, `{"error":"bad offset"}`, bridge.CodeBadRequest, false, "bad offset"},
		{422, `{"message":"bad offset"}`, bridge.CodeBadRequest, false, "bad offset"},
		{400, `no JSON`, bridge.CodeBadRequest, false, "400 Bad Request: no JSON"},
		{401, ``, bridge.CodeUnauthorized, false, "401 Unauthorized"},
		{403, ``, bridge.CodeUnauthorized, false, "403 Forbidden"},
		{404, `<title>404 Not Found</title>`, bridge.CodeNotFound, false, ""},
		{405, ``, bridge.CodeMethodNotAllowed, false, "405"},
		{408, ``, bridge.CodeTimeout, true, "408"},
		{410, ``, bridge.CodeNotFound, false, "410"},
		{413, ``, bridge.CodeBodyTooLarge, false, "413"},
		{415, ``, bridge.CodeUnsupportedMediaType, false, "415"},
		{429, ``, bridge.CodeRateLimited, true, "429"},
		{500, `Traceback (most recent call last)`, bridge.CodeInternal, true, "500 Internal Server Error: Traceback"},
		{500, ours(bridge.CodeInternal), bridge.CodeInternal, true, "the reason"},
		{502, `<html><title>502 Bad Gateway</title>`, bridge.CodeSourceBroken, true, `an HTML page titled "502 Bad Gateway", so it may come from a proxy`},
		{503, ours(bridge.CodeSourceUnavailable), bridge.CodeSourceUnavailable, true, "the reason"},
		{504, ``, bridge.CodeSourceTimeout, true, "504"},
		{520, ``, bridge.CodeInternal, true, "520"},
	} {
		name := fmt.Sprintf("%d %s", tc.status, tc.body)
		_, err := ask1(answering(tc.status, tc.body))
		checkClientError(t, name, err, tc.code, tc.retryable, tc.message)
		e, _ := errors.AsType[*bridge.Error](err)
		if e == nil || e.Status != tc.status {
			t.Errorf("%s: %+v", name, e)
		} else if strings.Contains(tc.body, "the remedy") && (e.Hint != "the remedy" || e.RequestID != "id-9") {
			t.Errorf("%s: hint %q, request id %q", name, e.Hint, e.RequestID)
		}
	}
}

// What the handler refuses the client understands, over real HTTP.
func TestClientUnderstandsTheHandler(t *testing.T) {
	h := handlerOf(numbered(1), bridge.Limits{})
	h.UnknownCheckpoint = bridge.RefuseUnknown
	c := serve(t, h)
	_, err := c.Page(t.Context(), bridge.PageRequest{Offset: "2"})
	checkClientError(t, "offset", err, bridge.CodeInvalidOffset, false, "the offset was not issued")
	_, err = c.Page(t.Context(), bridge.PageRequest{Checkpoint: "x"})
	checkClientError(t, "checkpoint", err, bridge.CodeInvalidCheckpoint, false, "the checkpoint was not issued")
	c.URL += "x"
	_, err = c.Page(t.Context(), bridge.PageRequest{})
	checkClientError(t, "path", err, bridge.CodeNotFound, false, "404")
	limited := serve(t, handlerOf(&memory{onOpen: func(context.Context) error {
		return &bridge.Error{Code: bridge.CodeRateLimited, Message: "slow down", Hint: "wait", RetryAfter: time.Minute}
	}}, bridge.Limits{}))
	_, err = limited.Page(t.Context(), bridge.PageRequest{})
	checkClientError(t, "limit", err, bridge.CodeRateLimited, true, "slow down")
	if bridge.RetryAfter(err) != time.Minute {
		t.Errorf("retry after %v", bridge.RetryAfter(err))
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	inAnHour := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999": 24 * time.Hour, inAnHour: time.Hour,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0,
	} {
		_, err := ask1(answering(429, "", "Retry-After", value))
		if got := bridge.RetryAfter(err); (want - got).Abs() > 2*time.Second {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
	if bridge.RetryAfter(errors.New("x")) != 0 || bridge.Retryable(errors.New("x")) || bridge.Retryable(nil) {
		t.Error("other errors are not retryable")
	}
}

// A page that was cut off anywhere, for any reason, is not a page; asking again may help.
func TestTruncatedAnswersAreRetryable(t *testing.T) {
	whole := `{"next_offset":"2","contacts":[{"id":"1","name":"Jane","phones":["+1"]}],"synchronization_checkpoint":"c"}`
	for cut := 1; cut < len(whole); cut++ {
		_, err := ask1(answering(200, whole[:cut])) // ends as if it were whole
		checkClientError(t, whole[:cut], err, bridge.CodeUnreachable, true, "breaks off")
	}
	for cut := 0; cut < len(whole); cut += 10 {
		for name, header := range map[string]string{"length": "Content-Length", "chunked": "X-None"} {
			c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(header, fmt.Sprint(len(whole)))
				_, _ = io.WriteString(w, whole[:cut])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}))
			_, err := ask1(c)
			checkClientError(t, fmt.Sprint(name, cut), err, bridge.CodeUnreachable, true, "")
		}
	}
}

func TestAnswersThatAreTooBigAreNotReadToTheirEnd(t *testing.T) {
	const limit = 1 << 20
	var written atomic.Int64
	write := func(w io.Writer) {
		line := []byte(`{"id":"1","name":"` + strings.Repeat("x", 10000) + `"},`)
		_, _ = io.WriteString(w, `{"contacts":[`)
		for range 10000 { // 100 MB
			n, err := w.Write(line)
			if written.Add(int64(n)); err != nil {
				return
			}
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"chunked":  func(w http.ResponseWriter, _ *http.Request) { write(w) },
		"declared": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "100000000"); write(w) },
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			write(z)
		},
		"one contact": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"contacts":[{"id":"`)
			for range 10000 {
				n, err := w.Write(bytes.Repeat([]byte("x"), 10000))
				if written.Add(int64(n)); err != nil {
					return
				}
			}
		},
	} {
		written.Store(0)
		c := serve(t, h)
		c.MaxBody = limit
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		c.HTTP = &http.Client{Transport: transport}
		_, err := ask1(c)
		checkClientError(t, name, err, bridge.CodeAnswerTooBig, false, "larger than 1 MiB")
		if n := written.Load(); n > 50<<20 && name != "compressed" {
			t.Errorf("%s: the bridge got rid of %d bytes", name, n)
		}
	}
}

func TestABodyOfExactlyTheLimitIsTaken(t *testing.T) {
	body := `{"contacts":[]}`
	c := answering(200, body)
	c.MaxBody = int64(len(body))
	if _, err := ask1(c); err != nil {
		t.Error(err)
	}
	c = answering(200, body)
	c.MaxBody = int64(len(body)) - 1
	_, err := ask1(c)
	checkClientError(t, "one more", err, bridge.CodeAnswerTooBig, false, "")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var requests atomic.Int32
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			w.Header().Set("Location", "https://login.example.com/in?token=secret-99&password=pass-word-7")
			w.WriteHeader(status)
		}))
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		own := &http.Client{Transport: transport}
		c.HTTP = own
		_, err := ask1(c)
		checkClientError(t, fmt.Sprint(status), err, bridge.CodeRedirected, false, "https://login.example.com")
		if requests.Load() != 1 || strings.Contains(err.Error(), "secret-99") {
			t.Errorf("%d requests, %v", requests.Load(), err)
		}
		if own.CheckRedirect != nil {
			t.Error("the caller's client was changed")
		}
	}
	_, err := ask1(answering(304, ""))
	checkClientError(t, "304", err, bridge.CodeRedirected, false, "status 304")
}

// P12: no complete answer in time, be it that none starts or that one drips.
func TestSlowAnswersTimeOut(t *testing.T) {
	for name, start := range map[string]string{"nothing": "", "some": `{"contacts":[`} {
		synctest.Test(t, func(t *testing.T) {
			c := &bridge.Client{URL: "http://bridge.test", Auth: credentials, HTTP: &http.Client{Transport: trip(
				func(r *http.Request) (*http.Response, error) {
					if start == "" {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Body: io.NopCloser(&drip{ctx: r.Context(), start: start})}, nil
				},
			)}}
			var err error
			took := timed(func() { _, err = ask1(c) })
			checkClientError(t, name, err, bridge.CodeTimeout, true, "within 10s")
			if took != 10*time.Second {
				t.Errorf("%s: after %v", name, took)
			}
		})
	}
}

// A drip gives some bytes, then a space each second, as long as its request lives.
type drip struct {
	ctx   context.Context
	start string
}

func (d *drip) Read(b []byte) (int, error) {
	if d.start != "" {
		n := copy(b, d.start)
		d.start = d.start[n:]
		return n, nil
	}
	if err := wait(d.ctx, time.Second); err != nil {
		return 0, err
	}
	b[0] = ' '
	return 1, nil
}

func TestAGivenUpRequestIsNotRepeated(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice who goes
		cancel()
		<-r.Context().Done()
	}))
	_, err := c.Page(ctx, bridge.PageRequest{})
	checkClientError(t, "canceled", err, bridge.CodeCanceled, false, "given up")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A bridge that echoes the credentials must not get them into our errors, and so into logs.
func TestCredentialsAreTakenOutOfErrors(t *testing.T) {
	for name, c := range map[string]*bridge.Client{
		"D5":        answering(401, `{"error":{"code":"unauthorized","message":"agent / pass-word-7 is wrong","hint":"not pass-word-7"}}`),
		"text":      answering(500, `SELECT 'pass-word-7' FROM users`),
		"title":     answering(200, `<title>No pass-word-7</title>`),
		"entity":    answering(200, `<title>No pass&#45;word-7</title>`),
		"200":       answering(200, `{"error":"pass-word-7"}`),
		"field":     answering(200, `{"contacts":[],"pass-word-7":1} x pass-word-7`),
		"broken":    answering(200, `{"contacts":[pass-word-7]}`),
		"transport": {URL: "http://bridge.test", Auth: credentials, HTTP: &http.Client{Transport: trip(func(*http.Request) (*http.Response, error) { return nil, errors.New("bad header pass-word-7") })}},
		"url":       {URL: "http://agent:pass-word-7@\x7f/", Auth: credentials},
		"query":     {URL: "http://127.0.0.1:1/?p=pass-word-7", Auth: credentials, HTTP: &http.Client{Transport: trip(func(*http.Request) (*http.Response, error) { return nil, io.ErrClosedPipe })}},
	} {
		_, err := ask1(c)
		shown := fmt.Sprintf("%v %+v", err, *err.(*bridge.Error)) //nolint:errorlint // the client's own
		if strings.Contains(shown, "pass-word-7") {
			t.Errorf("%s: %s", name, shown)
		}
	}
	c := answering(500, `user x1 of a b, pass+word%2F7 and pass%20word%2F7; xylophone`)
	c.Auth = bridge.Auth{"u": "x1", "p": "pass word/7", "short": "x"}
	_, err := ask1(c)
	if got, want := err.Error(), "the bridge answers 500 Internal Server Error: user [redacted] of a b, [redacted] and [redacted]; xylophone"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNoConnectionSaysWhatToLookAt(t *testing.T) {
	failing := func(err error) *bridge.Client {
		dial := func(context.Context, string, string) (net.Conn, error) { return nil, err }
		return &bridge.Client{URL: "http://bridge.test", HTTP: &http.Client{Transport: &http.Transport{DialContext: dial}}}
	}
	_, err := ask1(failing(&net.DNSError{Err: "no such host", Name: "bridge.test", IsNotFound: true}))
	checkClientError(t, "DNS", err, bridge.CodeUnreachable, true, `"bridge.test" cannot be resolved`)
	_, err = ask1(failing(errors.New("wire cut")))
	checkClientError(t, "other", err, bridge.CodeUnreachable, true, "cannot be reached")

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err = ask1(&bridge.Client{URL: gone.URL})
	checkClientError(t, "refused", err, bridge.CodeUnreachable, true, "nothing listens")

	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	_, err = ask1(&bridge.Client{URL: secure.URL})
	checkClientError(t, "unknown authority", err, bridge.CodeUnreachable, false, "certificate is not valid")

	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, err = ask1(&bridge.Client{URL: strings.Replace(plain.URL, "http://", "https://", 1)})
	checkClientError(t, "no TLS", err, bridge.CodeUnreachable, false, "does not speak HTTPS")

	for _, address := range []string{"", "bridge.test/contact_sync", "ftp://bridge.test", "http://", "://"} {
		if _, err := ask1(&bridge.Client{URL: address}); bridge.CodeOf(err) != bridge.CodeNotFound || bridge.Retryable(err) {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

// P13: 200 and 204 are good, and a 200 may carry more to send from then on.
func TestValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		extra  bridge.Auth
		code   bridge.Code // empty: good
	}{
		"204":           {204, "", nil, ""},
		"200":           {200, "", nil, ""},
		"200, object":   {200, `{}`, nil, ""},
		"extra fields":  {200, `{"token":"t","expires":3600,"admin":true,"none":null}`, bridge.Auth{"token": "t", "expires": "3600", "admin": "true"}, ""},
		"401":           {401, "", nil, bridge.CodeUnauthorized},
		"500":           {500, "", nil, bridge.CodeInternal},
		"not flat":      {200, `{"token":{"a":"b"}}`, nil, bridge.CodeBadAnswer},
		"login page":    {200, `<html>`, nil, bridge.CodeBadAnswer},
		"array":         {200, `[]`, nil, bridge.CodeBadAnswer},
		"error":         {200, `{"error":"no"}`, nil, bridge.CodeBadAnswer},
		"cut off":       {200, `{"token":"t`, nil, bridge.CodeUnreachable},
		"with more":     {200, `{"token":"t"} x`, nil, bridge.CodeBadAnswer},
		"redirect":      {302, ``, nil, bridge.CodeRedirected},
		"unknown field": {200, `{"x":[1]}`, nil, bridge.CodeBadAnswer},
	} {
		extra, err := answering(tc.status, tc.body).Validate(t.Context(), "http://bridge.test/auth_validation")
		if diff := cmp.Diff(tc.extra, extra); diff != "" || (err == nil) != (tc.code == "") || err != nil && bridge.CodeOf(err) != tc.code {
			t.Errorf("%s: got %v, %v", name, extra, err)
		}
	}
	h := handlerOf(numbered(1), bridge.Limits{})
	c := serve(t, h)
	address := strings.Replace(c.URL, "contact_sync", "auth_validation", 1)
	if extra, err := c.Validate(t.Context(), address); extra != nil || err != nil {
		t.Errorf("our own: %v, %v", extra, err)
	}
	c.Auth = bridge.Auth{"username": "agent", "password": "wrong"}
	if _, err := c.Validate(t.Context(), address); bridge.CodeOf(err) != bridge.CodeUnauthorized {
		t.Errorf("our own, wrong password: %v", err)
	}
}

// Whatever a bridge answers, the client gives a page that can be stored or an error that can be shown; and it gives a page
// without anything in it only where the answer has an array of contacts or goes on.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`{"contacts":[{"id":1,"phones":"1"}],"next_offset":2,"context":{},"deleted_contacts":["1"]}`))
	f.Add(200, []byte(`{"error":null,"contacts":null,"synchronization_checkpoint":"c"}`))
	f.Add(200, []byte(`<title>x</title>`))
	f.Add(400, []byte(`{"error":{"code":"invalid_offset","message":"m","hint":"h"}}`))
	f.Add(503, []byte(`{"error":[],"message":1}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		status = 100 + (status%500+500)%500
		if status < 200 {
			status = 200
		}
		c := answering(status, string(body))
		p, err := ask1(c)
		if err != nil {
			if e, ok := errors.AsType[*bridge.Error](err); !ok || e.Message == "" || e.Hint == "" || p != nil {
				t.Errorf("got %#v, %v", err, p)
			}
			return
		}
		for _, contact := range p.Contacts {
			if contact.Validate() != nil || contact.Name == "" {
				t.Errorf("cannot be stored: %+v", contact)
			}
		}
		if p.Context != nil && !json.Valid(p.Context) {
			t.Errorf("context %q", p.Context)
		}
		if !bytes.Contains(body, []byte(`"`)) || status >= 300 {
			t.Errorf("a page out of %d %q", status, body)
		}
		if len(p.Contacts)+len(p.Deleted)+len(p.Rejected) == 0 && p.NextOffset+p.Checkpoint == "" && !bytes.Contains(body, []byte("[")) {
			t.Errorf("emptiness out of %q", body)
		}
	})
}

// D8, D10: the first page of a run that was restarted says so, and a bridge may declare that its offsets are exact.
func TestPageSaysRestartedAndExact(t *testing.T) {
	for body, want := range map[string]bridge.Page{
		`{"contacts":[],"restarted":true,"exact":true}`:      {Restarted: true, Exact: true},
		`{"contacts":[],"restarted":false,"exact":null}`:     {},
		`{"contacts":[],"restarted":"true","exact":{"a":1}}`: {}, // D1: what is not a flag is ignored
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		}))
		client := &bridge.Client{URL: server.URL}
		page, err := client.Page(t.Context(), bridge.PageRequest{})
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		if page.Restarted != want.Restarted || page.Exact != want.Exact {
			t.Errorf("%s: restarted %v, exact %v", body, page.Restarted, page.Exact)
		}
	}
}

// Valid JSON that is nested too deeply is not called invalid.
func TestTooDeepAnAnswerIsCalledThat(t *testing.T) {
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, body := range []string{`{"contacts":[{"id":"1","custom_fields":` + deep + `}]}`, `{"other":` + deep + `,"contacts":[]}`, `{"contacts":[],"context":` + deep + `}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		_, err := (&bridge.Client{URL: server.URL}).Page(t.Context(), bridge.PageRequest{})
		server.Close()
		if bridge.CodeOf(err) != bridge.CodeBadAnswer || !strings.Contains(err.Error(), "nested too deeply") {
			t.Errorf("%v", err)
		}
	}
}
