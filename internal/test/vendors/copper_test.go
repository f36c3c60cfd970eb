package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

var copperHeaders = map[string]string{
	"X-PW-AccessToken": "copper-4711", "X-PW-Application": "developer_api", "X-PW-UserEmail": "sync@example.com", "Content-Type": "application/json",
}

func copperCall(body string) call {
	return call{method: http.MethodPost, url: "https://api.copper.com/developer_api/v1/people/search", header: copperHeaders, body: body}
}

func TestCopperIsStrict(t *testing.T) {
	c := NewCopper(nil, 4711)
	c.SetLimits()
	refuses(t, c, http.StatusBadRequest, map[string]call{
		"an unknown parameter": copperCall(`{"updated_since": 1}`),
		"a date as a text":     copperCall(`{"minimum_modified_date": "2026-01-01"}`),
		"a body cut off":       copperCall(`{"page_size": 20`),
	})
	refuses(t, c, http.StatusUnprocessableEntity, map[string]call{
		"too large a page":             copperCall(`{"page_size": 201}`),
		"a page before the first":      copperCall(`{"page_number": 0}`),
		"a page beyond 100,000 people": copperCall(`{"page_number": 501, "page_size": 200}`),
		"the order of ids":             copperCall(`{"sort_by": "id"}`),
		"a direction of no kind":       copperCall(`{"sort_by": "name", "sort_direction": "up"}`),
	})
	for _, missing := range []string{"X-PW-AccessToken", "X-PW-Application", "X-PW-UserEmail"} {
		wrong := copperCall(`{}`)
		wrong.header = map[string]string{"Content-Type": "application/json"}
		for name, value := range copperHeaders {
			if name != missing {
				wrong.header[name] = value
			}
		}
		refuses(t, c, http.StatusUnauthorized, map[string]call{"without " + missing: wrong})
	}
	account := call{url: "https://api.copper.com/developer_api/v1/account", header: copperHeaders}
	want(t, at(ok(t, c, account), "id"), 4711.0)
	account.header = map[string]string{"X-PW-AccessToken": "copper-4711", "X-PW-Application": "developer_api", "X-PW-UserEmail": "sync@example.com"}
	refuses(t, c, http.StatusUnsupportedMediaType, map[string]call{"a GET without a type": account})
	refuses(t, c, http.StatusNotFound, map[string]call{"no such path": {url: "https://api.copper.com/developer_api/v1/contacts", header: copperHeaders}})
}

func TestCopperSearchesByTheSecond(t *testing.T) {
	c := NewCopper(nil, 4711)
	for i := range 5 {
		c.Put(noon.Add(time.Duration(i/2)*time.Second+300*time.Millisecond), fmt.Sprint(i+1), Fields{"name": fmt.Sprint("Doe ", i)})
	}
	c.Put(time.Time{}, "9", Fields{"name": "No stamp"})
	c.Delete(noon, "5")
	from := noon.Unix() + 1
	want(t, column(ok(t, c, copperCall(fmt.Sprintf(`{"minimum_modified_date": %d, "sort_by": "name"}`, from))), "id"), "3 4") // inclusive
	want(t, column(ok(t, c, copperCall(fmt.Sprintf(`{"maximum_modified_date": %d, "sort_by": "name", "sort_direction": "desc"}`, from))), "id"), "4 3 2 1")
	status, header, body := do(t, c, copperCall(`{"sort_by": "date_modified", "page_size": 2, "page_number": 3}`))
	want(t, status, http.StatusOK)
	want(t, header.Get("X-PW-TOTAL"), "5")
	want(t, len(body.([]any)), 1)
	want(t, at(ok(t, c, copperCall(`{"name": "Doe 0"}`)), 0, "date_modified"), float64(noon.Unix()))
}

func TestCopperThrottlesWithoutAHeader(t *testing.T) {
	clock := new(Clock)
	c := NewCopper(clock.Now, 4711)
	for range 180 {
		ok(t, c, copperCall(`{}`))
	}
	status, header, body := do(t, c, copperCall(`{}`))
	want(t, status, http.StatusTooManyRequests)
	want(t, header.Get("Retry-After"), "")
	want(t, at(body, "message"), "Rate limit exceeded")
	clock.Advance(time.Minute)
	ok(t, c, copperCall(`{}`))
}
