package vendors

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// serviceNowCall asks for a table; params are name and value, one after the other.
func serviceNowCall(params ...string) call {
	query := url.Values{}
	for i := 0; i < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	return call{url: "https://acme.service-now.com/api/now/table/sys_user?" + query.Encode(), header: map[string]string{"Authorization": basic("sync", "servicenow-acme")}}
}

func TestServiceNowIsStrict(t *testing.T) {
	s := NewServiceNow(nil, "acme")
	s.SetLimits()
	query := func(text string) call { return serviceNowCall("sysparm_query", text) }
	table := serviceNowCall()
	table.url = strings.Replace(table.url, "sys_user", "contacts", 1)
	refuses(t, s, http.StatusBadRequest, map[string]call{
		"an unknown parameter": serviceNowCall("limit", "5"), "too large a page": serviceNowCall("sysparm_limit", "10001"), "an unknown column": query("updated>=2026-01-01 00:00:00"),
		"a date of ISO": query("sys_updated_on>=2026-01-01T00:00:00Z"), "a condition without an operator": query("active"), "an order of no column": query("ORDERBYupdated"),
		"a table that is not there": table, "another script": query("sys_updated_on>=javascript:gs.now()"),
	})
	wrong := serviceNowCall()
	wrong.header = map[string]string{"Authorization": basic("sync", "x")}
	status, _, body := do(t, s, wrong)
	want(t, status, http.StatusUnauthorized)
	want(t, at(body, "error", "message"), "User Not Authenticated")
	s.Lenient = true // as the vendor is: a misspelt column is left out of the query, and everything comes
	s.Put(noon, "1", Fields{"name": "Doe"})
	want(t, column(at(ok(t, s, query("sys_updated>=2099-01-01 00:00:00")), "result"), "name"), "Doe")
}

func TestServiceNowReadsTimesInTheUsersZone(t *testing.T) {
	s := NewServiceNow(nil, "acme")
	s.Zone = time.FixedZone("", -8*60*60)
	for n := range 4 {
		s.Put(noon.Add(time.Duration(n/2)*time.Second), fmt.Sprint("a", n), Fields{"name": fmt.Sprint("Doe ", n), "company": "c1", "company.name": "Acme"})
	}
	get := func(query string) any {
		return at(ok(t, s, serviceNowCall("sysparm_query", query, "sysparm_fields", "sys_id,sys_updated_on,company.name,nothing", "sysparm_display_value", "false")), "result")
	}
	result := get("sys_updated_on>=2026-03-01 04:00:01^ORDERBYsys_updated_on^ORDERBYsys_id")
	want(t, column(result, "sys_id"), "a2 a3")
	want(t, at(result, 0, "sys_updated_on"), "2026-03-01 12:00:01")
	want(t, at(result, 0, "company.name"), "Acme")
	want(t, at(result, 0, "nothing"), nil)
	want(t, column(get("sys_updated_on>=javascript:gs.dateGenerate('2026-03-01','04:00:01')^ORDERBYDESCsys_id"), "sys_id"), "a3 a2")
	want(t, column(get("sys_updated_on>2026-03-01 04:00:00^NQsys_updated_on=2026-03-01 04:00:00^sys_id>a0^ORDERBYsys_id"), "sys_id"), "a1 a2 a3")
	want(t, column(get("sys_id=a0^ORsys_id=a2^ORDERBYsys_id"), "sys_id"), "a0 a2")
}

func TestServiceNowsPagesCountWhatTheUserMayNotSee(t *testing.T) {
	s := NewServiceNow(nil, "acme")
	for n := range 6 {
		s.Put(noon, fmt.Sprint("a", n), Fields{"name": fmt.Sprint("Doe ", n)})
	}
	s.Hidden = func(r *Record) bool { return r.ID < "a3" }
	status, header, body := do(t, s, serviceNowCall("sysparm_query", "ORDERBYsys_id", "sysparm_limit", "4", "sysparm_fields", "sys_id,name"))
	want(t, status, http.StatusOK)
	want(t, column(at(body, "result"), "sys_id"), "a3")
	want(t, header.Get("X-Total-Count"), "6")
	want(t, strings.Contains(header.Get("Link"), `sysparm_fields=sys_id,name&sysparm_limit=4&sysparm_offset=4&sysparm_query=ORDERBYsys_id>;rel="next"`), true)
	status, header, _ = do(t, s, serviceNowCall("sysparm_query", "ORDERBYsys_id", "sysparm_limit", "4", "sysparm_offset", "4"))
	want(t, status, http.StatusOK)
	want(t, header.Get("Link"), "")
	s.Cancel = 1
	body = ok(t, s, serviceNowCall("sysparm_query", "ORDERBYsys_id"))
	want(t, at(body, "error", "message"), "Transaction cancelled: maximum execution time exceeded")
	want(t, len(at(body, "result").([]any)), 1)
}
