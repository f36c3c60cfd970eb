package vendors

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func zendeskCall(path string) call {
	return call{url: "https://acme.zendesk.com/api/v2/" + path, header: map[string]string{"Authorization": basic("sync@example.com/token", "zendesk-acme")}}
}

func TestZendeskIsStrict(t *testing.T) {
	z := NewZendesk(nil, "acme")
	z.SetLimits()
	refuses(t, z, http.StatusBadRequest, map[string]call{
		"an unknown parameter": zendeskCall("incremental/users/cursor?start_time=0&limit=10"),
		"too large a page":     zendeskCall("incremental/users/cursor?start_time=0&per_page=1001"),
		"a time of ISO":        zendeskCall("incremental/users/cursor?start_time=2026-01-01T00:00:00Z"),
		"no start":             zendeskCall("incremental/users/cursor"),
		"a cursor and a start": zendeskCall("incremental/users/cursor?start_time=0&cursor=x"),
		"a foreign cursor":     zendeskCall("incremental/users/cursor?cursor=x"),
		"no such sideload":     zendeskCall("incremental/users/cursor?start_time=0&include=groups"),
		"too many users":       zendeskCall("users?page[size]=101"),
		"an unknown role":      zendeskCall("users?role=user"),
		"deleted in one page":  zendeskCall("deleted_users?page[size]=101"),
	})
	recent := zendeskCall(fmt.Sprint("incremental/users/cursor?start_time=", time.Now().Unix()-50))
	refuses(t, z, http.StatusUnprocessableEntity, map[string]call{"a start of the last minute": recent})
	wrong := zendeskCall("users/me")
	wrong.header = map[string]string{"Authorization": basic("sync@example.com", "zendesk-acme")}
	refuses(t, z, http.StatusUnauthorized, map[string]call{"a password": wrong})
	z.Forbid("admin")
	refuses(t, z, http.StatusForbidden, map[string]call{"an agent": zendeskCall("incremental/users/cursor?start_time=0")})
}

func TestZendeskExportsByCursor(t *testing.T) {
	clock := new(Clock)
	z := NewZendesk(clock.Now, "acme")
	var ids []string
	for i := range 5 {
		ids = append(ids, z.Create(Fields{"name": fmt.Sprint("Doe ", i), "identities": []any{1}}))
	}
	want(t, column(at(ok(t, z, zendeskCall("incremental/users/cursor?start_time=0")), "users"), "name"), "")
	clock.Advance(62 * time.Second)
	first := ok(t, z, zendeskCall("incremental/users/cursor?start_time=0&per_page=3"))
	want(t, column(at(first, "users"), "name"), "Doe 0 Doe 1 Doe 2")
	want(t, at(first, "end_of_stream"), false)
	want(t, at(first, "users", 0, "identities"), nil)
	next := func(body any) any {
		return ok(t, z, zendeskCall("incremental/users/cursor?cursor="+escape(at(body, "after_cursor").(string))))
	}
	second := next(first)
	want(t, column(at(second, "users"), "name"), "Doe 3 Doe 4")
	want(t, at(second, "end_of_stream"), true)
	z.Merge(ids[0], ids[1])
	z.Delete(clock.Now(), ids[2])
	empty := next(second)
	want(t, column(at(empty, "users"), "name"), "")
	clock.Advance(62 * time.Second)
	third := next(empty)
	want(t, column(at(third, "users"), "name"), "Doe 0 Doe 1 Doe 2")
	want(t, column(at(third, "users"), "active"), "false true false")
	want(t, column(at(ok(t, z, zendeskCall("deleted_users")), "deleted_users"), "id"), ids[0]+" "+ids[2])
}

func TestZendeskThrottlesTheExport(t *testing.T) {
	clock := new(Clock)
	z := NewZendesk(clock.Now, "acme")
	for range 10 {
		ok(t, z, zendeskCall("incremental/users/cursor?start_time=0"))
	}
	status, header, _ := do(t, z, zendeskCall("incremental/users/cursor?start_time=0"))
	want(t, status, http.StatusTooManyRequests)
	want(t, header.Get("Retry-After"), "60")
	ok(t, z, zendeskCall("users/me"))
}

func TestZendeskListsUsersByCursor(t *testing.T) {
	z := NewZendesk(nil, "acme")
	for i := range 5 {
		z.Create(Fields{"name": fmt.Sprint("Doe ", i)})
	}
	z.Create(Fields{"name": "Agent", "role": "agent"})
	first := ok(t, z, zendeskCall("users?role=end-user&page[size]=3"))
	want(t, column(at(first, "users"), "name"), "Doe 0 Doe 1 Doe 2")
	next, _ := at(first, "links", "next").(string)
	second := ok(t, z, call{url: next, header: zendeskCall("").header})
	want(t, column(at(second, "users"), "name"), "Doe 3 Doe 4")
	want(t, at(second, "meta", "has_more"), false)
}
