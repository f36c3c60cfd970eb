package vendors

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func hubSpotSearchCall(body string) call {
	return call{
		method: http.MethodPost, url: "https://api.hubapi.com/crm/v3/objects/contacts/search", body: body,
		header: map[string]string{"Authorization": "Bearer pat-na1-7"},
	}
}

func TestHubSpotIsStrict(t *testing.T) {
	h := NewHubSpot(nil, 7)
	h.SetLimits()
	filter := `{"filterGroups":[{"filters":[{"propertyName":"%s","operator":"%s","value":"%s"}]}]}`
	refuses(t, h, http.StatusBadRequest, map[string]call{
		"an unknown key":         hubSpotSearchCall(`{"size":10}`),
		"too large a page":       hubSpotSearchCall(`{"limit":201}`),
		"results after the cap":  hubSpotSearchCall(`{"limit":200,"after":"9900"}`),
		"a cursor of no number":  hubSpotSearchCall(`{"after":"NTI1Cg"}`),
		"a date without a time":  hubSpotSearchCall(fmt.Sprintf(filter, "lastmodifieddate", "GTE", "yesterday")),
		"an unknown property":    hubSpotSearchCall(fmt.Sprintf(filter, "hs_lastmodified", "GTE", "1")),
		"an unknown operator":    hubSpotSearchCall(fmt.Sprintf(filter, "lastmodifieddate", "AFTER", "1")),
		"two sorts":              hubSpotSearchCall(`{"sorts":[{"propertyName":"email","direction":"ASCENDING"},{"propertyName":"phone","direction":"ASCENDING"}]}`),
		"a direction of no kind": hubSpotSearchCall(`{"sorts":[{"propertyName":"email","direction":"asc"}]}`),
		"too long a request":     hubSpotSearchCall(`{"properties":["` + strings.Repeat("x", 3000) + `"]}`),
	})
	list := func(query string) call {
		return call{url: "https://api.hubapi.com/crm/v3/objects/contacts?" + query, header: map[string]string{"Authorization": "Bearer pat-na1-7"}}
	}
	refuses(t, h, http.StatusBadRequest, map[string]call{
		"too large a page of the list": list("limit=200"), "a filter of the list": list("updatedAfter=1"), "archived as a number": list("archived=1"),
	})
	wrong := list("")
	wrong.header = map[string]string{"Authorization": "Bearer x"}
	status, _, body := do(t, h, wrong)
	want(t, status, http.StatusUnauthorized)
	want(t, at(body, "category"), "INVALID_AUTHENTICATION")
	h.Forbid("crm.objects.contacts.read")
	_, _, body = do(t, h, list(""))
	want(t, at(body, "category"), "MISSING_SCOPES")
}

func TestHubSpotSearchesAndLists(t *testing.T) {
	clock := new(Clock)
	h := NewHubSpot(clock.Now, 7)
	h.SetLimits()
	for i := range 6 {
		h.Put(noon.Add(time.Duration(i/3)*time.Millisecond), fmt.Sprint(i+98), Fields{"lastname": fmt.Sprint("Doe ", i), "phone": ""})
	}
	since := fmt.Sprint(noon.Add(time.Millisecond).UnixMilli())
	body := ok(t, h, hubSpotSearchCall(`{"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"EQ","value":"`+since+`"},
		{"propertyName":"hs_object_id","operator":"GT","value":"101"}]}],"sorts":[{"propertyName":"hs_object_id","direction":"ASCENDING"}],"properties":["lastname","phone"],"limit":1}`))
	want(t, at(body, "results", 0, "id"), "102")
	want(t, at(body, "results", 0, "properties", "lastmodifieddate"), "2026-03-01T12:00:00.001Z")
	want(t, at(body, "results", 0, "properties", "phone"), nil)
	want(t, at(body, "results", 0, "properties", "email"), nil)
	want(t, at(body, "paging", "next", "after"), "1")
	want(t, at(body, "total"), 2.0)

	h.Delete(clock.Now(), "99")
	h.Merge("103", "98")
	get := func(query string) any {
		return ok(t, h, call{url: "https://api.hubapi.com/crm/v3/objects/contacts?" + query, header: map[string]string{"Authorization": "Bearer pat-na1-7"}})
	}
	first := get("limit=2&properties=hs_merged_object_ids")
	want(t, column(at(first, "results"), "id"), "98 100")
	want(t, at(first, "results", 0, "properties", "hs_merged_object_ids"), "103")
	want(t, column(at(get("limit=2&after="+at(first, "paging", "next", "after").(string)), "results"), "id"), "101 102")
	gone := get("archived=true")
	want(t, column(at(gone, "results"), "id"), "99")
	if at(gone, "results", 0, "archivedAt") == nil {
		t.Error("an archived contact has no archivedAt")
	}
	clock.Advance(91 * 24 * time.Hour)
	want(t, column(at(get("archived=true"), "results"), "id"), "")
}

func TestHubSpotThrottlesWithoutRetryAfter(t *testing.T) {
	clock := new(Clock)
	h := NewHubSpot(clock.Now, 7)
	for range 5 {
		ok(t, h, hubSpotSearchCall(`{}`))
	}
	status, header, body := do(t, h, hubSpotSearchCall(`{}`))
	want(t, status, http.StatusTooManyRequests)
	want(t, header.Get("Retry-After"), "")
	want(t, at(body, "policyName"), "SECONDLY")
	clock.Advance(time.Second)
	ok(t, h, hubSpotSearchCall(`{}`))
}

func TestHubSpotRefreshesTokens(t *testing.T) {
	clock := new(Clock)
	h := NewHubSpot(clock.Now, 7)
	form := func(refresh string) call {
		return call{
			method: http.MethodPost, url: "https://api.hubapi.com/oauth/v1/token", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			body: "grant_type=refresh_token&client_id=hubspot-7-client&client_secret=hubspot-7-secret&refresh_token=" + refresh,
		}
	}
	token, _ := at(ok(t, h, form(h.OAuth.Refresh())), "access_token").(string)
	read := call{url: "https://api.hubapi.com/crm/v3/objects/contacts", header: map[string]string{"Authorization": "Bearer " + token}}
	ok(t, h, read)
	clock.Advance(31 * time.Minute)
	refuses(t, h, http.StatusUnauthorized, map[string]call{"an expired token": read})
	refuses(t, h, http.StatusBadRequest, map[string]call{"a wrong refresh token": form("x")})
}
