package vendors

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func freshsalesCall(path string) call {
	return call{url: "https://acme.myfreshworks.com/crm/sales/api/contacts/" + path, header: map[string]string{"Authorization": "Token token=freshsales-acme"}}
}

func TestFreshsalesIsStrict(t *testing.T) {
	f := NewFreshsales(nil, "acme")
	view := func(query string) call { return freshsalesCall("view/402000000001?" + query) }
	refuses(t, f, http.StatusBadRequest, map[string]call{
		"a filter by time": view("updated_since=2026-01-01"), "an unknown order": view("sort=modified_at"), "a direction of no kind": view("sort=updated_at&sort_type=ascending"), "page 0": view("page=0"),
	})
	refuses(t, f, http.StatusNotFound, map[string]call{"an unknown view": freshsalesCall("view/1"), "another list": freshsalesCall("")})
	wrong := view("")
	wrong.header = map[string]string{"Authorization": "Bearer freshsales-acme"}
	status, _, body := do(t, f, wrong)
	want(t, status, http.StatusUnauthorized)
	want(t, at(body, "login"), "failed")
}

func TestFreshsalesListsViews(t *testing.T) {
	f := NewFreshsales(nil, "acme")
	for n := range 5 {
		f.Put(noon.Add(time.Duration(n/2)*time.Second), fmt.Sprint(n+8), Fields{"first_name": fmt.Sprint("Doe ", n), "sales_accounts": []any{map[string]any{"id": 7, "name": "Acme"}}})
	}
	get := func(path string) any { return ok(t, f, freshsalesCall(path)) }
	want(t, at(get("filters"), "filters", 0, "name"), "All Contacts")
	body := get("view/402000000001?sort=updated_at&sort_type=desc&per_page=2&page=2&include=sales_accounts")
	want(t, column(at(body, "contacts"), "id"), "10 9")
	want(t, at(body, "contacts", 0, "sales_accounts", 0, "name"), "Acme")
	want(t, at(body, "contacts", 0, "updated_at"), "2026-03-01T17:30:01+05:30")
	want(t, at(body, "meta", "total_pages"), 3.0)
	want(t, at(get("view/402000000001?per_page=1"), "contacts", 0, "sales_accounts"), nil)
	f.PerPage = 3 // less than is asked for, without a word
	want(t, strings.Count(column(at(get("view/402000000001?per_page=100&sort=updated_at&sort_type=asc"), "contacts"), "id"), " "), 2)
	f.Delete(noon, "8")
	want(t, column(at(get("view/402000000009"), "contacts"), "is_deleted"), "true")
	want(t, len(at(get("view/402000000001?page=2"), "contacts").([]any)), 1)
	want(t, len(at(get("view/402000000001?page=9"), "contacts").([]any)), 0)
}
