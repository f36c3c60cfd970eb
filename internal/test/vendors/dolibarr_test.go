package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestDolibarrIsStrict(t *testing.T) {
	d := NewDolibarr(nil)
	get := func(query string) call {
		return call{url: "https://erp.example.com/api/index.php/contacts?" + query, header: map[string]string{"DOLAPIKEY": d.APIKey}}
	}
	filters := map[string]call{
		"a date of ISO":       get("sqlfilters=" + escape("(t.tms:>=:'2026-01-01T00:00:00Z')")),
		"no parentheses":      get("sqlfilters=" + escape("t.tms:>=:'2026-01-01 00:00:00'")),
		"an unknown column":   get("sqlfilters=" + escape("(t.modified:>=:'2026-01-01 00:00:00')")),
		"an unknown operator": get("sqlfilters=" + escape("(t.tms:after:'2026-01-01 00:00:00')")),
		"an open text":        get("sqlfilters=" + escape("(t.tms:>=:'2026-01-01 00:00:00)")),
	}
	refuses(t, d, http.StatusBadRequest, filters)
	refuses(t, d, http.StatusBadRequest, map[string]call{"an unknown parameter": get("size=3"), "a page in words": get("page=next")})
	refuses(t, d, http.StatusServiceUnavailable, map[string]call{"an unknown order": get("sortfield=t.modified"), "a direction of no kind": get("sortorder=UP")})
	refuses(t, d, http.StatusUnauthorized, map[string]call{"no key": {url: "https://erp.example.com/api/index.php/contacts"}})
	d.Old = true
	refuses(t, d, http.StatusServiceUnavailable, filters)
	refuses(t, d, http.StatusNotFound, map[string]call{"an empty list": get("limit=10")})
	d.Old = false
	want(t, len(ok(t, d, get("limit=10")).([]any)), 0)
}

func TestDolibarrFiltersInItsTimeZone(t *testing.T) {
	d := NewDolibarr(nil)
	d.Zone = time.FixedZone("UTC+1", 3600)
	for i := range 4 {
		d.Put(noon.Add(time.Duration(i/2)*time.Second), fmt.Sprint(i+9), Fields{"lastname": "Doe"})
	}
	list := func(filter string) any {
		return ok(t, d, call{
			url:    "https://erp.example.com/api/index.php/contacts?sortfield=t.tms,t.rowid&sortorder=ASC,ASC&limit=3&page=0&sqlfilters=" + escape(filter),
			header: map[string]string{"DOLAPIKEY": d.APIKey},
		})
	}
	body := list("(t.tms:>=:'2026-03-01 13:00:00')")
	want(t, column(body, "id"), "9 10 11")
	want(t, at(body, 0, "date_modification"), float64(noon.Unix()))
	want(t, column(list("(t.tms:>:'2026-03-01 13:00:00') or ((t.tms:=:'2026-03-01 13:00:00') and (t.rowid:>:9))"), "id"), "10 11 12")
	want(t, column(list("(t.tms:>:'2026-03-01 13:00:01')"), "id"), "")
}
