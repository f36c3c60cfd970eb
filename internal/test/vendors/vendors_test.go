package vendors

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A call is one raw request of a test.
type call struct {
	method, url string // method GET if empty
	header      map[string]string
	body        string // JSON, if there is no Content-Type in header
}

// do sends a request through a cloud with one tenant, and returns the status, the header, and the body as JSON.
func do(t *testing.T, s Simulator, c call) (status int, header http.Header, body any) {
	t.Helper()
	cloud := new(Cloud)
	cloud.Add(s)
	if c.method == "" {
		c.method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(t.Context(), c.method, c.url, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	answer, err := (&http.Client{Transport: cloud}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &body); err != nil {
			t.Fatalf("%s %s: %v in %s", c.method, c.url, err, text)
		}
	}
	return answer.StatusCode, answer.Header, body
}

// ok is do for a request that must be answered.
func ok(t *testing.T, s Simulator, c call) any {
	t.Helper()
	status, header, body := do(t, s, c)
	if status != http.StatusOK {
		t.Fatalf("%s %s: status %d, %v, %v", c.method, c.url, status, body, header)
	}
	return body
}

// refuses checks the status of requests that are wrong, by what is wrong with them.
func refuses(t *testing.T, s Simulator, status int, calls map[string]call) {
	t.Helper()
	for what, c := range calls {
		if got, _, body := do(t, s, c); got != status {
			t.Errorf("%s: %s %s: status %d, want %d: %v", what, c.method, c.url, got, status, body)
		}
	}
}

// at returns a value within a body: by names of objects and numbers of lists.
func at(body any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := body.(map[string]any)
			body = m[step]
		case int:
			list, _ := body.([]any)
			if step >= len(list) {
				return nil
			}
			body = list[step]
		}
	}
	return body
}

// column returns one value of every record of a list, as text.
func column(body any, name string) string {
	list, _ := body.([]any)
	var values []string
	for _, r := range list {
		values = append(values, textOf(at(r, name)))
	}
	return strings.Join(values, " ")
}

// want compares a value with what is expected.
func want(t *testing.T, got, wanted any) {
	t.Helper()
	if got != wanted {
		t.Errorf("got %v, want %v", got, wanted)
	}
}

// noon is the time of the first record of tests.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestFaultsAreOrdered(t *testing.T) {
	e := NewEspoCRM(nil)
	get := call{url: "https://crm.example.com/api/v1/Contact", header: map[string]string{"X-Api-Key": e.APIKey}}
	statuses := func(n int) string {
		var list []string
		for range n {
			status, _, _ := do(t, e, get)
			list = append(list, http.StatusText(status))
		}
		return strings.Join(list, ", ")
	}
	e.Throttle(2)
	want(t, statuses(3), "Too Many Requests, Too Many Requests, OK")
	e.Fail(1, 2, http.StatusBadGateway)
	want(t, statuses(4), "OK, Bad Gateway, Bad Gateway, OK")
	e.Expire(1)
	want(t, statuses(3), "OK, Unauthorized, Unauthorized")
	e.Renew()
	want(t, statuses(1), "OK")
	e.Forbid("Contact")
	want(t, statuses(1), "Forbidden")
	traffic := e.Traffic()
	want(t, traffic.Requests, 12)
	want(t, traffic.Throttled, 2)
	want(t, traffic.Unauthorized, 2)
	want(t, traffic.Refused, 3)
}

func TestLimitsAreCountedInAWindow(t *testing.T) {
	clock := new(Clock)
	e := NewEspoCRM(clock.Now)
	e.SetLimits(&Limit{Name: "minute", Requests: 3, Window: time.Minute})
	get := call{url: "https://crm.example.com/api/v1/Contact", header: map[string]string{"X-Api-Key": e.APIKey}}
	for range 3 {
		ok(t, e, get)
	}
	status, header, _ := do(t, e, get)
	want(t, status, http.StatusTooManyRequests)
	want(t, header.Get("Retry-After"), "60")
	clock.Advance(time.Minute)
	ok(t, e, get)
}

func TestLateChangesShowTheirOldVersionFirst(t *testing.T) {
	clock := new(Clock)
	e := NewEspoCRM(clock.Now)
	e.Put(noon, "a", Fields{"title": "old"})
	e.Lag(time.Minute)
	e.Put(noon.Add(time.Hour), "a", Fields{"title": "new"})
	e.Put(noon.Add(time.Hour), "b", Fields{"title": "new"})
	get := call{url: "https://crm.example.com/api/v1/Contact", header: map[string]string{"X-Api-Key": e.APIKey}}
	want(t, column(at(ok(t, e, get), "list"), "title"), "old")
	clock.Advance(time.Minute)
	want(t, column(at(ok(t, e, get), "list"), "title"), "new new")
}

func TestACloudKnowsItsHosts(t *testing.T) {
	cloud := new(Cloud)
	e := NewEspoCRM(nil)
	cloud.Add(e)
	for _, url := range []string{"https://other.example.com/", "http://crm.example.com/"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := cloud.RoundTrip(r); err == nil {
			t.Errorf("%s is answered: %s", url, answer.Status)
		}
	}
	e.Disconnect(true)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://crm.example.com/", http.NoBody)
	if _, err := cloud.RoundTrip(r); err == nil {
		t.Error("a vendor that is down answers")
	}
}

// basic is the header of Basic authentication.
func basic(user, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}
