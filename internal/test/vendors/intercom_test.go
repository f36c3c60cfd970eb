package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func intercomSearchCall(body string) call {
	return call{
		method: http.MethodPost, url: "https://api.intercom.io/contacts/search", body: body,
		header: map[string]string{"Authorization": "Bearer intercom-acme", "Intercom-Version": "2.15"},
	}
}

// intercomSince is the body of a search by updated_at.
func intercomSince(operator string, since time.Time, more string) string {
	return fmt.Sprintf(`{"query":{"operator":"AND","value":[{"field":"updated_at","operator":%q,"value":%d}]},"sort":{"field":"updated_at","order":"ascending"}%s}`, operator, since.Unix(), more)
}

func TestIntercomIsStrict(t *testing.T) {
	i := NewIntercom(nil, "acme")
	list := func(query string) call {
		return call{url: "https://api.intercom.io/contacts?" + query, header: map[string]string{"Authorization": "Bearer intercom-acme"}}
	}
	refuses(t, i, http.StatusBadRequest, map[string]call{
		"at or after a date":    intercomSearchCall(intercomSince(">=", noon, "")),
		"another than a date":   intercomSearchCall(intercomSince("!=", noon, "")),
		"a date of ISO":         intercomSearchCall(`{"query":{"field":"updated_at","operator":">","value":"2026-01-01T00:00:00Z"}}`),
		"too large a page":      intercomSearchCall(intercomSince(">", noon, `,"pagination":{"per_page":151}`)),
		"a cursor of no kind":   intercomSearchCall(intercomSince(">", noon, `,"pagination":{"starting_after":"2"}`)),
		"an unknown key":        intercomSearchCall(intercomSince(">", noon, `,"limit":2`)),
		"an unknown field":      intercomSearchCall(`{"query":{"field":"modified_at","operator":">","value":1}}`),
		"an unknown operator":   intercomSearchCall(`{"query":{"operator":"NOT","value":[]}}`),
		"no query":              intercomSearchCall(`{}`),
		"a direction of SQL":    intercomSearchCall(`{"query":{"field":"role","operator":"=","value":"user"},"sort":{"field":"updated_at","order":"asc"}}`),
		"a filter of the list":  list("updated_since=1"),
		"too large a list":      list("per_page=200"),
		"a version of no kind":  {url: "https://api.intercom.io/contacts", header: map[string]string{"Authorization": "Bearer intercom-acme", "Intercom-Version": "3"}},
		"a page number of text": list("page=x"),
	})
	refuses(t, i, http.StatusUnauthorized, map[string]call{"another workspace's token": {url: "https://api.intercom.io/me", header: map[string]string{"Authorization": "Bearer x"}}})
	i.Throttle(1)
	status, header, body := do(t, i, list(""))
	want(t, status, http.StatusTooManyRequests)
	want(t, at(body, "errors", 0, "code"), "rate_limit_exceeded")
	want(t, header.Get("Retry-After") == "" && header.Get("X-RateLimit-Reset") != "", true)
}

func TestIntercomSearchesByDays(t *testing.T) {
	i := NewIntercom(nil, "acme")
	i.Zone = time.FixedZone("", -5*60*60)
	for n := range 5 { // from noon UTC on, which is 7 in the workspace: every 6 hours
		i.Put(noon.Add(time.Duration(n)*6*time.Hour), fmt.Sprint("c", n), Fields{"name": fmt.Sprint("Doe ", n)})
	}
	ids := func(operator string, since time.Time) string {
		return column(at(ok(t, i, intercomSearchCall(intercomSince(operator, since, ""))), "data"), "id")
	}
	want(t, ids(">", noon.Add(-time.Hour)), "c3 c4") // from midnight of the workspace on
	want(t, ids("=", noon.Add(time.Hour)), "c0 c1 c2")
	want(t, ids("<", noon.Add(24*time.Hour)), "c0 c1 c2")
	i.Seconds = true
	want(t, ids(">", noon), "c1 c2 c3 c4")
}

func TestIntercomGoesOnAfterARecord(t *testing.T) {
	clock := new(Clock)
	i := NewIntercom(clock.Now, "acme")
	for n := range 5 {
		i.Put(noon.Add(time.Duration(n/3)*time.Second), fmt.Sprint("c", n), Fields{"name": fmt.Sprint("Doe ", n)})
	}
	since := noon.Add(-48 * time.Hour)
	body := ok(t, i, intercomSearchCall(intercomSince(">", since, `,"pagination":{"per_page":2}`)))
	want(t, column(at(body, "data"), "id"), "c0 c1")
	next := at(body, "pages", "next", "starting_after")
	i.Put(noon.Add(time.Hour), "c1", Fields{"name": "moved"})
	i.Delete(noon, "c0")
	body = ok(t, i, intercomSearchCall(intercomSince(">", since, fmt.Sprintf(`,"pagination":{"per_page":3,"starting_after":%q}`, next))))
	want(t, column(at(body, "data"), "id"), "c2 c3 c4")
	want(t, at(body, "pages", "page"), 2.0)
	body = ok(t, i, intercomSearchCall(intercomSince(">", since, fmt.Sprintf(`,"pagination":{"per_page":3,"starting_after":%q}`, at(body, "pages", "next", "starting_after")))))
	want(t, column(at(body, "data"), "id"), "c1")
	want(t, at(body, "pages", "next"), nil)
}

func TestIntercomFindsANewContactLate(t *testing.T) {
	clock := new(Clock)
	i := NewIntercom(clock.Now, "acme")
	i.Create(Fields{"name": "Doe"})
	i.Merge(i.Create(Fields{"name": "twin"}), i.Create(Fields{"name": "twin"}))
	list := call{url: "https://api.intercom.io/contacts?per_page=10", header: map[string]string{"Authorization": "Bearer intercom-acme"}}
	want(t, column(at(ok(t, i, list), "data"), "name"), "Doe twin")
	search := intercomSearchCall(intercomSince(">", noon.Add(-1e18), ""))
	want(t, at(ok(t, i, search), "total_count"), 0.0)
	clock.Advance(2 * time.Minute)
	want(t, column(at(ok(t, i, search), "data"), "name"), "Doe twin")
}
