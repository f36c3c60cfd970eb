package vendors

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func pipedriveCall(query string) call {
	return call{url: "https://acme.pipedrive.com/api/v2/persons?" + query, header: map[string]string{"X-Api-Token": "pipedrive-acme"}}
}

func TestPipedriveIsStrict(t *testing.T) {
	p := NewPipedrive(nil, "acme")
	p.SetLimits()
	refuses(t, p, http.StatusBadRequest, map[string]call{
		"an unknown parameter":   pipedriveCall("since=2026-01-01T00:00:00Z"),
		"too large a page":       pipedriveCall("limit=501"),
		"a date without a zone":  pipedriveCall("updated_since=2026-01-01%2000:00:00"),
		"an unknown order":       pipedriveCall("sort_by=name"),
		"a direction of no kind": pipedriveCall("sort_direction=ascending"),
		"a foreign cursor":       pipedriveCall("cursor=x"),
		"too many custom fields": pipedriveCall("custom_fields=" + strings.Repeat("a,", 15) + "a"),
	})
	wrong := pipedriveCall("")
	wrong.header = map[string]string{"Authorization": "Bearer x"}
	refuses(t, p, http.StatusUnauthorized, map[string]call{"a wrong token": wrong})
	refuses(t, p, http.StatusNotFound, map[string]call{"version 1": {url: "https://acme.pipedrive.com/v1/persons", header: pipedriveCall("").header}})
}

func TestPipedriveListsByCursor(t *testing.T) {
	clock := new(Clock)
	p := NewPipedrive(clock.Now, "acme")
	custom := strings.Repeat("a", 40)
	for i := range 5 {
		p.Put(noon.Add(time.Duration(i/2)*time.Second), fmt.Sprint(i+8), Fields{"name": fmt.Sprint("Doe ", i), custom: "gold"})
	}
	p.Put(time.Time{}, "99", Fields{"name": "No stamp"})
	query := "updated_since=2026-03-01T12:00:00Z&updated_until=2026-03-01T12:00:02Z&sort_by=update_time&sort_direction=asc"
	first := ok(t, p, pipedriveCall(query+"&limit=3"))
	want(t, column(at(first, "data"), "id"), "8 9 10")
	want(t, at(first, "data", 0, "custom_fields", custom), "gold")
	cursor := at(first, "additional_data", "next_cursor").(string)
	p.Delete(clock.Now(), "8")
	second := ok(t, p, pipedriveCall(query+"&cursor="+cursor))
	want(t, column(at(second, "data"), "id"), "11")
	want(t, at(second, "additional_data", "next_cursor"), nil)
	refuses(t, p, http.StatusBadRequest, map[string]call{"a cursor of another list": pipedriveCall("cursor=" + cursor)})
	want(t, column(at(ok(t, p, pipedriveCall("sort_by=id&sort_direction=desc")), "data"), "id"), "99 12 11 10 9")
}

func TestPipedriveThrottlesBySeconds(t *testing.T) {
	clock := new(Clock)
	p := NewPipedrive(clock.Now, "acme")
	for range 20 {
		ok(t, p, pipedriveCall(""))
	}
	status, header, _ := do(t, p, pipedriveCall(""))
	want(t, status, http.StatusTooManyRequests)
	want(t, header.Get("X-Ratelimit-Reset"), "2")
	want(t, header.Get("Retry-After"), "")
	clock.Advance(2 * time.Second)
	ok(t, p, pipedriveCall(""))
}
