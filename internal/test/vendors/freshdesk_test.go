package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func freshdeskCall(query string) call {
	return call{url: "https://acme.freshdesk.com/api/v2/contacts?" + query, header: map[string]string{"Authorization": basic("freshdesk-acme", "X")}}
}

func TestFreshdeskIsStrict(t *testing.T) {
	f := NewFreshdesk(nil, "acme")
	refuses(t, f, http.StatusBadRequest, map[string]call{
		"the parameter of tickets": freshdeskCall("updated_since=2026-01-01T00:00:00Z"),
		"an order":                 freshdeskCall("order_by=updated_at"),
		"too large a page":         freshdeskCall("per_page=101"),
		"a page before the first":  freshdeskCall("page=0"),
		"a date with an offset":    freshdeskCall("_updated_since=2026-01-01T00:00:00%2B01:00"),
		"a state of no kind":       freshdeskCall("state=gone"),
	})
	wrong := freshdeskCall("")
	wrong.header = map[string]string{"Authorization": "Bearer freshdesk-acme"}
	refuses(t, f, http.StatusUnauthorized, map[string]call{"a bearer token": wrong})
	f.Lenient = true // as the vendor is: a misspelt parameter is ignored, and everything comes
	f.Put(noon, "1", Fields{"name": "Doe"})
	want(t, column(ok(t, f, freshdeskCall("updated_since=2099-01-01T00:00:00Z")), "name"), "Doe")
}

func TestFreshdeskListsByName(t *testing.T) {
	f := NewFreshdesk(nil, "acme")
	for i := range 5 {
		f.Put(noon.Add(time.Duration(i)*time.Second), fmt.Sprint(i+1), Fields{"name": fmt.Sprint("Doe ", 5-i), "avatar": map[string]any{"avatar_url": "x"}})
	}
	status, header, body := do(t, f, freshdeskCall("per_page=2&page=1&_updated_since=2026-03-01T12:00:01Z"))
	want(t, status, http.StatusOK)
	want(t, column(body, "name"), "Doe 1 Doe 2")
	want(t, at(body, 0, "avatar"), nil)
	want(t, header.Get("Link"), `<https://acme.freshdesk.com/api/v2/contacts?_updated_since=2026-03-01T12%3A00%3A01Z&page=2&per_page=2>; rel="next"`)
	_, header, body = do(t, f, freshdeskCall("per_page=2&page=2&_updated_since=2026-03-01T12:00:01Z"))
	want(t, column(body, "name"), "Doe 3 Doe 4")
	want(t, header.Get("Link"), "")
	f.Delete(time.Now(), "3")
	want(t, column(ok(t, f, freshdeskCall("state=deleted")), "deleted"), "true")
	want(t, len(ok(t, f, freshdeskCall("")).([]any)), 4)
	one := ok(t, f, call{url: "https://acme.freshdesk.com/api/v2/contacts/1", header: freshdeskCall("").header})
	want(t, at(one, "avatar", "avatar_url"), "x")
}
