package vendors

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"testing"
	"time"
)

func TestEspoCRMIsStrict(t *testing.T) {
	e := NewEspoCRM(nil)
	key := map[string]string{"X-Api-Key": e.APIKey}
	get := func(query string) call {
		return call{url: "https://crm.example.com/api/v1/Contact?" + query, header: key}
	}
	since := "where[0][type]=greaterThanOrEquals&where[0][attribute]=modifiedAt&where[0][value]="
	refuses(t, e, http.StatusBadRequest, map[string]call{
		"an unknown parameter":  get("limit=10"),
		"a date of ISO":         get(since + escape("2026-01-01T00:00:00Z")),
		"an unknown type":       get("where[0][type]=newer&where[0][attribute]=modifiedAt&where[0][value]=1"),
		"an unknown attribute":  get("where[0][type]=equals&where[0][attribute]=modified&where[0][value]=1"),
		"an order of no kind":   get("orderBy=modifiedAt&order=up"),
		"an offset in words":    get("offset=next"),
		"a parameter twice":     get("maxSize=1&maxSize=2"),
		"search that is no map": get("searchParams=" + escape(`[]`)),
	})
	refuses(t, e, http.StatusForbidden, map[string]call{
		"too large a page":            get("maxSize=201"),
		"an order of no such field":   get("orderBy=modified"),
		"too large a page, in search": get("searchParams=" + escape(`{"maxSize":201}`)),
	})
	refuses(t, e, http.StatusUnauthorized, map[string]call{
		"no credential":    {url: "https://crm.example.com/api/v1/Contact"},
		"a wrong key":      {url: "https://crm.example.com/api/v1/Contact", header: map[string]string{"X-Api-Key": "other"}},
		"a wrong password": {url: "https://crm.example.com/api/v1/Contact", header: map[string]string{"Authorization": "Basic eDp5"}},
	})
	refuses(t, e, http.StatusNotFound, map[string]call{"no such path": {url: "https://crm.example.com/api/v1/Contacts", header: key}})
	e.Lenient = true
	ok(t, e, get("limit=10"))
}

func TestEspoCRMListsInOrder(t *testing.T) {
	e := NewEspoCRM(nil)
	for i := range 5 {
		e.Put(noon.Add(time.Duration(i/2)*time.Second), string(rune('a'+i)), Fields{
			"lastName": "Doe", "emailAddressData": []any{map[string]any{"emailAddress": "a@example.com", "primary": true}},
		})
	}
	e.Delete(noon, "e")
	key := map[string]string{"X-Api-Key": e.APIKey, "X-No-Total": "true"}
	body := ok(t, e, call{header: key, url: "https://crm.example.com/api/v1/Contact?orderBy=modifiedAt&order=asc&maxSize=2&offset=2&select=lastName,modifiedAt"})
	want(t, at(body, "list", 0, "modifiedAt"), "2026-03-01 12:00:01")
	want(t, at(body, "list", 0, "title"), nil)
	want(t, len(at(body, "list").([]any)), 2)
	want(t, at(body, "total"), -2.0)
	// The keyset of a tie: one stamp, and the ids after one.
	body = ok(t, e, call{header: key, url: "https://crm.example.com/api/v1/Contact?orderBy=id&order=asc&maxSize=1&searchParams=" + escape(
		`{"where":[{"type":"or","value":[{"type":"greaterThan","attribute":"modifiedAt","value":"2026-03-01 12:00:01"},
		{"type":"and","value":[{"type":"equals","attribute":"modifiedAt","value":"2026-03-01 12:00:00"},{"type":"greaterThan","attribute":"id","value":"a"}]}]}]}`)})
	want(t, column(at(body, "list"), "id"), "b")
	want(t, at(body, "list", 0, "emailAddressData"), nil)
	one := ok(t, e, call{header: key, url: "https://crm.example.com/api/v1/Contact/b"})
	want(t, at(one, "emailAddressData", 0, "emailAddress"), "a@example.com")
	refuses(t, e, http.StatusNotFound, map[string]call{"a deleted record": {header: key, url: "https://crm.example.com/api/v1/Contact/e"}})
}

func TestEspoCRMTakesHMAC(t *testing.T) {
	e := NewEspoCRM(nil)
	mac := hmac.New(sha256.New, []byte(e.Secret))
	mac.Write([]byte("GET /Contact"))
	signed := base64.StdEncoding.EncodeToString(append([]byte(e.APIKey+":"), mac.Sum(nil)...))
	ok(t, e, call{url: "https://crm.example.com/api/v1/Contact", header: map[string]string{"X-Hmac-Authorization": signed}})
	refuses(t, e, http.StatusUnauthorized, map[string]call{
		"a signature of another path": {url: "https://crm.example.com/api/v1/Contact/1", header: map[string]string{"X-Hmac-Authorization": signed}},
	})
}
