package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func sugarCall(s *SugarCRM, body string) call {
	return call{method: http.MethodPost, url: "https://sugar.example.com/rest/v11_24/Contacts/filter", header: map[string]string{"OAuth-Token": s.OAuth.Token()}, body: body}
}

func TestSugarCRMIsStrict(t *testing.T) {
	s := NewSugarCRM(nil)
	refuses(t, s, http.StatusUnprocessableEntity, map[string]call{
		"an unknown key":       sugarCall(s, `{"limit": 10}`),
		"too large a page":     sugarCall(s, `{"max_num": 1001}`),
		"an unknown field":     sugarCall(s, `{"filter": [{"modified": {"$gte": "2026-01-01T00:00:00+00:00"}}]}`),
		"an unknown operator":  sugarCall(s, `{"filter": [{"date_modified": {"$since": "2026-01-01T00:00:00+00:00"}}]}`),
		"a time without zone":  sugarCall(s, `{"filter": [{"date_modified": {"$gte": "2026-01-01 00:00:00"}}]}`),
		"an unknown order":     sugarCall(s, `{"order_by": "modified:asc"}`),
		"an unknown direction": sugarCall(s, `{"order_by": "id:up"}`),
		"fields of none":       sugarCall(s, `{"fields": "id,modified"}`),
	})
	wrong := sugarCall(s, `{}`)
	wrong.header = map[string]string{"OAuth-Token": "x"}
	refuses(t, s, http.StatusUnauthorized, map[string]call{"a wrong token": wrong})
	refuses(t, s, http.StatusNotFound, map[string]call{"another version": {url: "https://sugar.example.com/rest/v10/me", header: sugarCall(s, "").header}})
	ask := func(body string) call {
		return call{method: http.MethodPost, url: "https://sugar.example.com/rest/v11_24/oauth2/token", body: body}
	}
	refuses(t, s, http.StatusUnauthorized, map[string]call{
		"a wrong password": ask(`{"grant_type": "password", "client_id": "sugar", "client_secret": "", "username": "sync", "password": "x", "platform": "base"}`),
		"a wrong client":   ask(`{"grant_type": "password", "client_id": "candy", "client_secret": "", "username": "sync", "password": "sugar-password", "platform": "base"}`),
	})
	token := ok(t, s, ask(`{"grant_type": "password", "client_id": "sugar", "client_secret": "", "username": "sync", "password": "sugar-password", "platform": "base"}`))
	ok(t, s, call{url: "https://sugar.example.com/rest/v11_24/me", header: map[string]string{"Authorization": "Bearer " + at(token, "access_token").(string)}})
}

func TestSugarCRMListsDeletedContactsAmongTheOthers(t *testing.T) {
	s := NewSugarCRM(nil)
	for i := range 5 {
		s.Put(noon.Add(time.Duration(i/2)*time.Second), fmt.Sprint(i+1), Fields{"last_name": fmt.Sprint("Doe ", i)})
	}
	s.Delete(noon.Add(time.Hour), "2")
	since := `"filter": [{"date_modified": {"$gte": "2026-03-01T13:00:00+01:00"}}], "order_by": "date_modified:asc,id:asc"`
	body := ok(t, s, sugarCall(s, `{`+since+`, "max_num": 3, "fields": "last_name"}`))
	want(t, column(at(body, "records"), "id"), "1 3 4")
	want(t, at(body, "records", 0, "last_name"), "Doe 0")
	want(t, at(body, "records", 0, "date_modified"), "2026-03-01T12:00:00+00:00")
	want(t, at(body, "next_offset"), 3.0)
	body = ok(t, s, sugarCall(s, `{`+since+`, "max_num": 3, "offset": 3, "deleted": true}`))
	want(t, column(at(body, "records"), "id"), "5 2")
	want(t, at(body, "records", 1, "deleted"), true)
	want(t, at(body, "records", 1, "last_name"), nil)
	want(t, at(body, "next_offset"), -1.0)
	body = ok(t, s, sugarCall(s, `{"filter": [{"id": {"$gt": "2"}}, {"date_modified": {"$lt": "2026-03-01T12:00:02+00:00"}}], "order_by": "id:desc"}`))
	want(t, column(at(body, "records"), "id"), "4 3")
}
