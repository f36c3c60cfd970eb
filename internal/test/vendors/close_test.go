package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func closeCall(path string) call {
	return call{url: "https://api.close.com/api/v1/" + path, header: map[string]string{"Authorization": basic("api_acme", "")}}
}

func TestCloseIsStrict(t *testing.T) {
	c := NewClose(nil, "acme")
	c.SetLimits()
	refuses(t, c, http.StatusBadRequest, map[string]call{
		"an unknown parameter":       closeCall("contact/?limit=5"),
		"an unknown filter":          closeCall("contact/?date_modified__gte=2026-01-01T00:00:00Z"),
		"a date of no kind":          closeCall("contact/?date_updated__gte=yesterday"),
		"too large a page":           closeCall("contact/?_limit=201"),
		"too far a skip":             closeCall("contact/?_skip=10001"),
		"an unknown order":           closeCall("contact/?_order_by=updated"),
		"too large a page of events": closeCall("event/?object_type=contact&action=deleted&_limit=51"),
		"all events":                 closeCall("event/"),
		"a cursor of no kind":        closeCall("event/?object_type=contact&action=deleted&_cursor=x"),
	})
	wrong := closeCall("me/")
	wrong.header = map[string]string{"Authorization": "Bearer api_acme"}
	refuses(t, c, http.StatusUnauthorized, map[string]call{"the key as a token": wrong})
	c.Throttle(1)
	_, header, body := do(t, c, closeCall("me/"))
	want(t, header.Get("RateLimit"), "limit=60, remaining=0, reset=1")
	want(t, at(body, "error", "rate_reset"), 1.0)
	c.Lenient = true // parameters that it does not know may be ignored, and everything comes
	c.Put(noon, "cont_1", Fields{"name": "Doe"})
	want(t, column(at(ok(t, c, closeCall("contact/?date_update__gte=2099-01-01T00:00:00Z")), "data"), "name"), "Doe")
}

func TestCloseListsContacts(t *testing.T) {
	c := NewClose(nil, "acme")
	for n := range 5 {
		c.Put(noon.Add(time.Duration(n/2)*time.Microsecond), fmt.Sprint("cont_", n), Fields{"name": fmt.Sprint("Doe ", n), "custom.cf_1": "x"})
	}
	list := func(query string) any { return at(ok(t, c, closeCall("contact/?"+query)), "data") }
	want(t, column(list("date_updated__gte=2026-03-01T12:00:00.000001Z&date_updated__lt=2026-03-01T12:00:00.000002Z&_order_by=-id"), "id"), "cont_3 cont_2")
	want(t, column(list("id__gt=cont_2&_order_by=id"), "id"), "cont_3 cont_4")
	newest := list("_order_by=-date_updated&_limit=1&_fields=id,date_updated,custom.cf_1")
	want(t, at(newest, 0, "date_updated"), "2026-03-01T12:00:00.000002+00:00")
	want(t, at(newest, 0, "custom.cf_1"), "x")
	want(t, at(newest, 0, "name"), nil)
	want(t, at(ok(t, c, closeCall("contact/?_skip=3&_limit=1")), "has_more"), true)
	want(t, at(ok(t, c, closeCall("contact/?_skip=4&_limit=1")), "has_more"), false)
}

func TestCloseKeepsEventsForAMonth(t *testing.T) {
	clock := new(Clock)
	c := NewClose(clock.Now, "acme")
	for n := range 3 {
		c.Put(clock.Now(), fmt.Sprint("cont_", n), Fields{})
		c.Delete(clock.Now(), fmt.Sprint("cont_", n))
		clock.Advance(time.Hour)
	}
	body := ok(t, c, closeCall("event/?object_type=contact&action=deleted&_limit=2"))
	want(t, column(at(body, "data"), "object_id"), "cont_2 cont_1")
	body = ok(t, c, closeCall(fmt.Sprintf("event/?object_type=contact&action=deleted&_cursor=%v", at(body, "cursor_next"))))
	want(t, column(at(body, "data"), "object_id"), "cont_0")
	want(t, at(body, "cursor_next"), nil)
	clock.Advance(29*24*time.Hour + 22*time.Hour)
	want(t, column(at(ok(t, c, closeCall("event/?object_type=contact&action=deleted")), "data"), "object_id"), "cont_2")
}

// closeSearchCall is a search of contacts from a day on.
func closeSearchCall(day, more string) call {
	field := `{"type":"regular_field","object_type":"contact","field_name":"date_updated"}`
	return call{
		method: http.MethodPost, url: "https://api.close.com/api/v1/data/search/", header: map[string]string{"Authorization": basic("api_acme", "")},
		body: fmt.Sprintf(`{"query":{"type":"and","queries":[{"type":"object_type","object_type":"contact"},{"type":"field_condition","field":%s,
			"condition":{"type":"moment_range","on_or_after":{"type":"fixed_local_date","value":%q,"which":"start"}}}]},"sort":[{"direction":"asc","field":%[1]s}]%[3]s}`, field, day, more),
	}
}

func TestCloseSearchesByDays(t *testing.T) {
	clock := new(Clock)
	c := NewClose(clock.Now, "acme")
	c.Zone, c.MostFound = time.FixedZone("", 9*60*60), 3
	for n := range 5 { // from 21:00 of the organization on, every 2 hours
		c.Put(noon.Add(time.Duration(n)*2*time.Hour), fmt.Sprint("cont_", n), Fields{"name": "Doe"})
	}
	refuses(t, c, http.StatusBadRequest, map[string]call{
		"a time": closeSearchCall("2026-03-01T00:00:00Z", ""), "too large a page": closeSearchCall("2026-03-01", `,"_limit":201`), "a cursor of no kind": closeSearchCall("2026-03-01", `,"cursor":"x"`),
		"an unknown key": closeSearchCall("2026-03-01", `,"_skip":2`),
	})
	want(t, column(at(ok(t, c, closeSearchCall("2026-03-02", "")), "data"), "id"), "cont_2 cont_3 cont_4")
	body := ok(t, c, closeSearchCall("2026-03-01", `,"_limit":2,"_fields":{"contact":["name"]}`))
	want(t, at(body, "data", 1, "name"), "Doe")
	want(t, at(body, "data", 1, "date_updated"), nil)
	next := fmt.Sprintf(`,"_limit":2,"cursor":%q`, at(body, "cursor"))
	body = ok(t, c, closeSearchCall("2026-03-01", next))
	want(t, column(at(body, "data"), "id"), "cont_2") // no more than 3, without a word
	want(t, at(body, "cursor"), nil)
	clock.Advance(31 * time.Second)
	refuses(t, c, http.StatusBadRequest, map[string]call{"an old cursor": closeSearchCall("2026-03-01", next)})
}
