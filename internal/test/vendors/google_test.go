package vendors

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestGoogleIsStrict(t *testing.T) {
	g := NewGoogle(nil, "1001")
	g.SetLimits()
	header := map[string]string{"Authorization": "Bearer " + g.OAuth.Token()}
	get := func(query string) call {
		return call{url: "https://people.googleapis.com/v1/people/me/connections?" + query, header: header}
	}
	refuses(t, g, http.StatusBadRequest, map[string]call{
		"no fields":            get("pageSize=10"),
		"an unknown field":     get("personFields=names,phones"),
		"too large a page":     get("personFields=names&pageSize=1001"),
		"an unknown parameter": get("personFields=names&since=1"),
		"an unknown order":     get("personFields=names&sortOrder=ID"),
		"a foreign token":      get("personFields=names&syncToken=x"),
	})
	refuses(t, g, http.StatusUnauthorized, map[string]call{"no token": {url: get("personFields=names").url}})
	g.Forbid("contacts.readonly")
	_, _, body := do(t, g, get("personFields=names"))
	want(t, at(body, "error", "status"), "PERMISSION_DENIED")
}

func TestGoogleTellsChangesByToken(t *testing.T) {
	clock := new(Clock)
	g := NewGoogle(clock.Now, "1001")
	for i := range 5 {
		g.Put(noon, fmt.Sprint("c", i), Fields{"names": []any{map[string]any{"givenName": "Doe"}}, "urls": []any{}})
	}
	header := map[string]string{"Authorization": "Bearer " + g.OAuth.Token()}
	get := func(query string) call {
		return call{url: "https://people.googleapis.com/v1/people/me/connections?personFields=names,metadata&pageSize=2" + query, header: header}
	}
	body := ok(t, g, get("&requestSyncToken=true"))
	all := column(at(body, "connections"), "resourceName")
	for at(body, "nextPageToken") != nil {
		want(t, at(body, "nextSyncToken"), nil)
		body = ok(t, g, get("&requestSyncToken=true&pageToken="+at(body, "nextPageToken").(string)))
		all += " " + column(at(body, "connections"), "resourceName")
	}
	want(t, len(strings.Fields(all)), 5)
	want(t, at(body, "connections", 0, "urls"), nil)
	want(t, at(body, "connections", 0, "metadata", "sources", 0, "updateTime"), "2026-03-01T12:00:00Z")
	token := at(body, "nextSyncToken").(string)
	refuses(t, g, http.StatusBadRequest, map[string]call{"other parameters": {
		url: "https://people.googleapis.com/v1/people/me/connections?personFields=names&pageSize=2&syncToken=" + token, header: header,
	}})
	g.Delete(clock.Now(), "c3")
	body = ok(t, g, get("&requestSyncToken=true&syncToken="+token))
	want(t, column(at(body, "connections"), "resourceName"), "people/c3")
	want(t, at(body, "connections", 0, "metadata", "deleted"), true)
	body = ok(t, g, get("&syncToken="+at(body, "nextSyncToken").(string)))
	if connections, is := at(body, "connections").([]any); is {
		t.Errorf("nothing was changed, and the answer has connections: %v", connections)
	}
	clock.Advance(8 * 24 * time.Hour)
	header["Authorization"] = "Bearer " + g.OAuth.Token()
	status, _, body := do(t, g, get("&syncToken="+token))
	want(t, status, http.StatusBadRequest)
	want(t, at(body, "error", "details", 0, "reason"), "EXPIRED_SYNC_TOKEN")
	g.Gone = true
	refuses(t, g, http.StatusGone, map[string]call{"an expired token": get("&syncToken=" + token)})
}

func TestGoogleHasAQuotaForFirstPages(t *testing.T) {
	g := NewGoogle(nil, "1001")
	c := call{url: "https://people.googleapis.com/v1/people/me/connections?personFields=names&requestSyncToken=true", header: map[string]string{"Authorization": "Bearer " + g.OAuth.Token()}}
	for range 20 {
		ok(t, g, c)
	}
	status, header, body := do(t, g, c)
	want(t, status, http.StatusTooManyRequests)
	want(t, at(body, "error", "status"), "RESOURCE_EXHAUSTED")
	want(t, header.Get("Retry-After"), "")
}
