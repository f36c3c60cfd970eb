package vendors

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

var kustomerHeader = map[string]string{"Authorization": "Bearer kustomer-acme"}

func kustomerCall(query, body string) call {
	return call{method: http.MethodPost, url: "https://acme.api.kustomerapp.com/v1/customers/search?" + query, header: kustomerHeader, body: body}
}

func kustomerSearchOf(operator string, at time.Time, sort string) string {
	return fmt.Sprintf(`{"and": [{"customer_updated_at": {%q: %q}}], "or": [], "sort": [%s], "queryContext": "customer", "timeZone": "UTC"}`, operator, at.Format(isoMillis), sort)
}

func TestKustomerIsStrict(t *testing.T) {
	k := NewKustomer(nil, "acme")
	all := `{"and": [], "queryContext": "customer"}`
	refuses(t, k, http.StatusBadRequest, map[string]call{
		"an unknown parameter":          kustomerCall("limit=10", all),
		"too large a page":              kustomerCall("pageSize=301", all),
		"more than 10,000 customers":    kustomerCall("page=51&pageSize=200", all),
		"no context":                    kustomerCall("", `{"and": []}`),
		"an unknown key":                kustomerCall("", `{"and": [], "queryContext": "customer", "limit": 1}`),
		"an unknown attribute":          kustomerCall("", `{"and": [{"updatedAt": {"gte": "2026-01-01T00:00:00.000Z"}}], "queryContext": "customer"}`),
		"an unknown operator":           kustomerCall("", kustomerSearchOf("after", noon, "")),
		"a date without milliseconds":   kustomerCall("", `{"and": [{"customer_updated_at": {"gte": "2026-01-01T00:00:00Z"}}], "queryContext": "customer"}`),
		"the order of ids":              kustomerCall("", kustomerSearchOf("gte", noon, `{"customer_id": "asc"}`)),
		"a direction of no kind":        kustomerCall("", kustomerSearchOf("gte", noon, `{"customer_updated_at": "up"}`)),
		"a list by more than a hundred": {url: "https://acme.api.kustomerapp.com/v1/customers?pageSize=101", header: kustomerHeader},
	})
	wrong := kustomerCall("", all)
	wrong.header = map[string]string{"Authorization": "kustomer-acme"}
	refuses(t, k, http.StatusUnauthorized, map[string]call{"a key without Bearer": wrong})
	refuses(t, k, http.StatusNotFound, map[string]call{"no such path": {url: "https://acme.api.kustomerapp.com/v1/contacts", header: kustomerHeader}})
}

func TestKustomerSearchesByTheMillisecond(t *testing.T) {
	k := NewKustomer(nil, "acme")
	for i := range 5 {
		k.Put(noon.Add(time.Duration(i)*time.Millisecond), fmt.Sprint("c", i), Fields{"name": fmt.Sprint("Doe ", i)})
	}
	k.Put(time.Time{}, "none", Fields{"name": "No stamp"})
	k.Delete(noon.Add(9*time.Millisecond), "c1") // a deleted customer is found, and has a new time
	up := `{"customer_updated_at": "asc"}`
	body := ok(t, k, kustomerCall("page=1&pageSize=3", kustomerSearchOf("gte", noon.Add(2*time.Millisecond), up)))
	want(t, column(at(body, "data"), "id"), "c2 c3 c4")
	want(t, at(body, "meta", "total"), 4.0)
	want(t, at(body, "links", "next"), "/v1/customers/search?page=2&pageSize=3")
	body = ok(t, k, kustomerCall("page=2&pageSize=3", kustomerSearchOf("gte", noon.Add(2*time.Millisecond), up)))
	want(t, column(at(body, "data"), "id"), "c1")
	want(t, at(body, "data", 0, "attributes", "deleted"), true)
	want(t, at(body, "data", 0, "attributes", "updatedAt"), "2026-03-01T12:00:00.009Z")
	want(t, at(body, "links", "next"), nil)
	// Of two keys the last one counts.
	body = ok(t, k, kustomerCall("", kustomerSearchOf("gte", noon, up+`, {"customer_name": "desc"}`)))
	want(t, column(at(body, "data"), "id"), "c4 c3 c2 c1 c0")
	want(t, column(at(ok(t, k, call{url: "https://acme.api.kustomerapp.com/v1/customers?pageSize=2", header: kustomerHeader}), "data"), "id"), "c0 c2")
}

func TestKustomerSaysWhenThereAreMoreRequests(t *testing.T) {
	clock := new(Clock)
	k := NewKustomer(clock.Now, "acme")
	all := kustomerCall("", `{"and": [], "queryContext": "customer"}`)
	for range 300 {
		ok(t, k, all)
	}
	status, header, _ := do(t, k, all)
	want(t, status, http.StatusTooManyRequests)
	want(t, header.Get("Retry-After"), "")
	reset, err := strconv.ParseInt(header.Get("X-Ratelimit-Reset"), 10, 64)
	if wait := time.Unix(reset, 0).Sub(clock.Now()); err != nil || wait < 59*time.Second || wait > 62*time.Second {
		t.Errorf("there are more requests after %v, %v", wait, err)
	}
	clock.Advance(time.Minute)
	ok(t, k, all)
}
