package vendors

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestZohoIsStrict(t *testing.T) {
	z := NewZoho(nil, "7001")
	z.Put(noon, "1", Fields{"Last_Name": "Doe"})
	token := "Zoho-oauthtoken " + z.OAuth.Token()
	get := func(query, since string) call {
		c := call{url: "https://www.zohoapis.eu/crm/v8/Contacts?" + query, header: map[string]string{"Authorization": token}}
		if since != "" {
			c.header["If-Modified-Since"] = since
		}
		return c
	}
	coql := func(query string) call {
		return call{method: http.MethodPost, url: "https://www.zohoapis.eu/crm/v8/coql", header: map[string]string{"Authorization": token}, body: fmt.Sprintf(`{"select_query":%q}`, query)}
	}
	refuses(t, z, http.StatusBadRequest, map[string]call{
		"no fields":            get("per_page=10", ""),
		"too many fields":      get("fields="+strings.Repeat("a,", 51), ""),
		"too large a page":     get("fields=id&per_page=201", ""),
		"an unknown parameter": get("fields=id&limit=10", ""),
		"an unknown order":     get("fields=id&sort_by=Last_Name", ""),
		"a date without zone":  get("fields=id", "2026-01-01T00:00:00"),
		"a date with fraction": get("fields=id", "2026-01-01T00:00:00.000+00:00"),
		"a page after 2,000":   get("fields=id&page=11", ""),
		"a foreign token":      get("fields=id&page_token=x", ""),
		"a page and a token":   get("fields=id&page_token=x&page=1", ""),
		"a query without from": coql("select id where id > 1"),
		"without a condition":  coql("select id from Contacts limit 10"),
		"and beside or":        coql("select id from Contacts where id > 1 and id < 3 or id = 5"),
		"a date of no kind":    coql("select id from Contacts where Modified_Time > '2026-01-01 00:00:00'"),
		"too large a limit":    coql("select id from Contacts where id > 1 limit 0,2001"),
		"another module":       coql("select id from Kontakte where id > 1"),
	})
	bearer := get("fields=id", "")
	bearer.header["Authorization"] = "Bearer " + strings.Fields(token)[1]
	refuses(t, z, http.StatusUnauthorized, map[string]call{"a bearer token": bearer})
	z.Throttle(1)
	status, header, _ := do(t, z, get("fields=id", ""))
	want(t, status, http.StatusTooManyRequests)
	want(t, header.Get("Retry-After"), "")
}

func TestZohoListsAndQueries(t *testing.T) {
	clock := new(Clock)
	z := NewZoho(clock.Now, "7001")
	for i := range 5 {
		z.Put(noon.Add(time.Duration(i/2)*time.Second), fmt.Sprint(i+8), Fields{"Last_Name": fmt.Sprint("Doe ", i)})
	}
	header := map[string]string{"Authorization": "Zoho-oauthtoken " + z.OAuth.Token(), "If-Modified-Since": "2026-03-01T12:00:00+00:00"}
	url := "https://www.zohoapis.eu/crm/v8/Contacts"
	body := ok(t, z, call{header: header, url: url + "?fields=Last_Name,Modified_Time&sort_by=Modified_Time&sort_order=asc&per_page=2"})
	want(t, column(at(body, "data"), "Modified_Time"), "2026-03-01T14:00:01+02:00 2026-03-01T14:00:01+02:00")
	body = ok(t, z, call{header: header, url: url + "?fields=Last_Name,Modified_Time&sort_by=Modified_Time&sort_order=asc&per_page=2&page_token=" + at(body, "info", "next_page_token").(string)})
	want(t, column(at(body, "data"), "id"), "12")
	want(t, at(body, "info", "more_records"), false)
	header["If-Modified-Since"] = "2026-03-01T12:00:02Z"
	refuses(t, z, http.StatusNotModified, map[string]call{"nothing new": {header: header, url: url + "?fields=id"}})
	delete(header, "If-Modified-Since")
	refuses(t, z, http.StatusNoContent, map[string]call{"nothing deleted": {header: header, url: url + "/deleted?type=all"}})
	z.Delete(clock.Now(), "9")
	want(t, column(at(ok(t, z, call{header: header, url: url + "/deleted?type=all"}), "data"), "id"), "9")
	query := "select Last_Name from Contacts where (Modified_Time = '2026-03-01T12:00:00+00:00' and id > 7) or Modified_Time > '2026-03-01T12:00:00+00:00' order by Modified_Time asc, id asc limit 0,3"
	body = ok(t, z, call{method: http.MethodPost, header: header, url: "https://www.zohoapis.eu/crm/v8/coql", body: fmt.Sprintf(`{"select_query":%q}`, query)})
	want(t, column(at(body, "data"), "id"), "8 10 11")
	want(t, at(body, "info", "more_records"), true)
}
