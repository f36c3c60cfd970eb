package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func suiteCall(s *SuiteCRM, query string) call {
	return call{url: "https://suite.example.com/legacy/Api/V8/module/Contacts?" + query, header: map[string]string{"Authorization": "Bearer " + s.OAuth.Token()}}
}

func TestSuiteCRMIsStrict(t *testing.T) {
	s := NewSuiteCRM(nil)
	refuses(t, s, http.StatusBadRequest, map[string]call{
		"an unknown parameter":    suiteCall(s, "limit=10"),
		"an unknown field":        suiteCall(s, "filter[modified][gte]=2026-01-01"),
		"an unknown operator":     suiteCall(s, "filter[date_modified][since]=2026-01-01"),
		"a field without one":     suiteCall(s, "filter[date_modified]=2026-01-01"),
		"a date of ISO":           suiteCall(s, "filter[date_modified][gte]="+escape("2026-01-01T00:00:00Z")),
		"two keys of an order":    suiteCall(s, "sort=date_modified,id"),
		"fields of none":          suiteCall(s, "fields[Contacts]=modified"),
		"fields of another":       suiteCall(s, "fields[Accounts]=name"),
		"an operator that is not": suiteCall(s, "filter[operator]=or&filter[last_name][eq]=Doe"),
		"a page before the first": suiteCall(s, "page[number]=0"),
	})
	wrong := suiteCall(s, "")
	wrong.header = map[string]string{"Authorization": "Bearer x"}
	refuses(t, s, http.StatusUnauthorized, map[string]call{"a wrong token": wrong})
	refuses(t, s, http.StatusNotFound, map[string]call{"a module that is none": {url: "https://suite.example.com/legacy/Api/V8/module/Contact", header: suiteCall(s, "").header}})
}

func TestSuiteCRMGivesTokensForJSON(t *testing.T) {
	s := NewSuiteCRM(nil)
	ask := func(body string) call {
		return call{method: http.MethodPost, url: "https://suite.example.com/legacy/Api/access_token", body: body}
	}
	token := ok(t, s, ask(`{"grant_type": "client_credentials", "client_id": "suite-client", "client_secret": "suite-secret"}`))
	want(t, at(token, "expires_in"), 3600.0)
	token = ok(t, s, ask(`{"grant_type": "password", "client_id": "suite-client", "client_secret": "suite-secret", "username": "sync", "password": "suite-password"}`))
	ok(t, s, call{url: "https://suite.example.com/legacy/Api/V8/module/Contacts", header: map[string]string{"Authorization": "Bearer " + at(token, "access_token").(string)}})
	form := ask("grant_type=client_credentials&client_id=suite-client&client_secret=suite-secret")
	form.header = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	refuses(t, s, http.StatusBadRequest, map[string]call{"a form": form, "an unknown grant": ask(`{"grant_type": "refresh_token"}`)})
	refuses(t, s, http.StatusUnauthorized, map[string]call{
		"a wrong secret":   ask(`{"grant_type": "client_credentials", "client_id": "suite-client", "client_secret": "x"}`),
		"a wrong password": ask(`{"grant_type": "password", "client_id": "suite-client", "client_secret": "suite-secret", "username": "sync", "password": "x"}`),
	})
}

func TestSuiteCRMListsDeletedContactsApart(t *testing.T) {
	s := NewSuiteCRM(nil)
	s.Zone = time.FixedZone("", 3600)
	for i := range 5 {
		s.Put(noon.Add(time.Duration(i)*time.Second), fmt.Sprint(i+1), Fields{"last_name": fmt.Sprint("Doe ", i)})
	}
	s.Delete(noon.Add(time.Hour), "2")
	since := "filter[operator]=and&filter[date_modified][gte]=" + escape("2026-03-01 12:00:01")
	body := ok(t, s, suiteCall(s, since+"&filter[date_modified][lt]="+escape("2026-03-01 12:00:04")+"&filter[id][gt]=3&sort=-id&fields[Contacts]=last_name,date_modified"))
	want(t, column(at(body, "data"), "id"), "4")
	want(t, at(body, "data", 0, "attributes", "date_modified"), "2026-03-01T12:00:03+01:00") // of UTC, with the offset of the server
	want(t, at(body, "data", 0, "attributes", "title"), nil)
	body = ok(t, s, suiteCall(s, since+"&sort=date_modified&page[size]=2&page[number]=2"))
	want(t, column(at(body, "data"), "id"), "5")
	want(t, at(body, "meta", "total-pages"), 2.0)
	body = ok(t, s, suiteCall(s, since+"&filter[deleted][eq]=1"))
	want(t, column(at(body, "data"), "id"), "2")
	want(t, at(body, "data", 0, "attributes", "date_modified"), "2026-03-01T13:00:00+01:00")
	body = ok(t, s, suiteCall(s, "filter[last_name][eq]=Nobody"))
	want(t, len(at(body, "data").([]any)), 0)
	want(t, at(body, "meta", "message"), "There is no data in this list")
}
