package vendors

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func shopifyCall(query string, variables map[string]any) call {
	body, _ := json.Marshal(map[string]any{"query": query, "variables": variables}) // it cannot fail
	return call{
		method: http.MethodPost, url: "https://acme.myshopify.com/admin/api/2026-07/graphql.json", body: string(body), header: map[string]string{"X-Shopify-Access-Token": "shpat_acme"},
	}
}

// shopifyCustomers is a query of customers with these arguments.
func shopifyCustomers(arguments string) string {
	return "{ customers(" + arguments + ") { nodes { legacyResourceId updatedAt defaultAddress { city } } pageInfo { hasNextPage endCursor } } }"
}

func TestShopifyIsStrict(t *testing.T) {
	s := NewShopify(nil, "acme")
	for what, c := range map[string]struct{ query, code string }{
		"an unknown field":             {"{ customers(first: 1) { nodes { phone } } }", "undefinedField"},
		"an unknown list":              {"{ contacts(first: 1) { nodes { id } } }", "undefinedField"},
		"an object without fields":     {"{ customers(first: 1) { nodes { defaultAddress } } }", "selectionMismatch"},
		"fields of a text":             {"{ customers(first: 1) { nodes { displayName { id } } } }", "selectionMismatch"},
		"no size":                      {shopifyCustomers("sortKey: ID"), "argumentLiteralsIncompatible"},
		"too large a page":             {shopifyCustomers("first: 251"), "argumentLiteralsIncompatible"},
		"too dear a page":              {"{ customers(first: 250) { nodes { defaultAddress { city } image { url } defaultPhoneNumber { phoneNumber } defaultEmailAddress { emailAddress } } } }", "MAX_COST_EXCEEDED"},
		"an unknown order":             {shopifyCustomers("first: 1, sortKey: MODIFIED"), "argumentLiteralsIncompatible"},
		"a direction as text":          {shopifyCustomers(`first: 1, reverse: "true"`), "argumentLiteralsIncompatible"},
		"an unknown argument":          {shopifyCustomers("first: 1, page: 2"), "argumentNotAccepted"},
		"an empty cursor":              {shopifyCustomers(`first: 1, after: ""`), "BAD_REQUEST"},
		"an unknown term":              {shopifyCustomers(`first: 1, query: "modified_at:>=2026"`), "BAD_REQUEST"},
		"a term without a value":       {shopifyCustomers(`first: 1, query: "updated_at:"`), "BAD_REQUEST"},
		"a time of no kind":            {shopifyCustomers(`first: 1, query: "updated_at:>='yesterday'"`), "BAD_REQUEST"},
		"half a query":                 {"{ customers(first: 1) { nodes { id }", ""},
		"a variable that is not known": {"{ customers(first: $n) { nodes { id } } }", ""},
		"a variable that is not used":  {"query($n: Int) { customers(first: 1) { nodes { id } } }", "variableNotUsed"},
	} {
		status, _, body := do(t, s, shopifyCall(c.query, map[string]any{"n": 1}))
		if got := at(body, "errors", 0, "extensions", "code"); status != http.StatusOK || got != c.code {
			t.Errorf("%s: status %d, code %v, want %q: %v", what, status, got, c.code, body)
		}
	}
	wrong := shopifyCall(shopifyCustomers("first: 1"), nil)
	wrong.header = map[string]string{"Authorization": "Bearer shpat_acme"}
	refuses(t, s, http.StatusUnauthorized, map[string]call{"a bearer token": wrong})
	old := shopifyCall(shopifyCustomers("first: 1"), nil)
	old.url = strings.Replace(old.url, "2026-07", "v60", 1)
	refuses(t, s, http.StatusNotFound, map[string]call{"a version of no kind": old})
	s.Forbid("read_customers")
	want(t, at(ok(t, s, shopifyCall(shopifyCustomers("first: 1"), nil)), "errors", 0, "extensions", "code"), "ACCESS_DENIED")
}

func TestShopifySearchesAndGoesOn(t *testing.T) {
	s := NewShopify(nil, "acme")
	for n := range 5 {
		s.Put(noon.Add(time.Duration(n/3)*time.Second), fmt.Sprint(n+8), Fields{"firstName": fmt.Sprint("Doe ", n), "defaultAddress": map[string]any{"city": "Ottawa"}})
	}
	query := "query($q: String, $after: String) " + shopifyCustomers("first: 2, query: $q, after: $after, sortKey: UPDATED_AT")
	get := func(query string, variables map[string]any) any {
		return at(ok(t, s, shopifyCall(query, variables)), "data", "customers")
	}
	body := get(query, map[string]any{"q": "updated_at:>='2026-03-01T12:00:00Z' id:>8"})
	want(t, column(at(body, "nodes"), "legacyResourceId"), "9 10")
	want(t, at(body, "nodes", 0, "defaultAddress", "city"), "Ottawa")
	want(t, at(body, "pageInfo", "hasNextPage"), true)
	s.Put(noon.Add(time.Hour), "10", Fields{})
	body = get(query, map[string]any{"q": "updated_at:>='2026-03-01T12:00:00Z' AND id:>8", "after": at(body, "pageInfo", "endCursor")})
	want(t, column(at(body, "nodes"), "legacyResourceId"), "11 12")
	want(t, column(at(get(shopifyCustomers(`first: 3, reverse: true, query: "updated_at:<'2026-03-01T12:00:01Z'"`), nil), "nodes"), "legacyResourceId"), "9 8")
	s.Lenient = true // as the vendor is: a misspelt term is left out, and everything comes
	want(t, len(at(get(shopifyCustomers(`first: 9, query: "updated:>='2099-01-01T00:00:00Z'"`), nil), "nodes").([]any)), 5)
}

func TestShopifyCountsPoints(t *testing.T) {
	clock := new(Clock)
	s := NewShopify(clock.Now, "acme")
	s.Most, s.Rate = 1000, 50
	s.Put(noon, "1", Fields{})
	query := shopifyCall(shopifyCustomers("first: 200"), nil) // 402 points, of which 4 are used
	body := ok(t, s, query)
	want(t, at(body, "extensions", "cost", "requestedQueryCost"), 402.0)
	want(t, at(body, "extensions", "cost", "actualQueryCost"), 4.0)
	s.left, s.asked = 100, clock.Now()
	body = ok(t, s, query)
	want(t, at(body, "errors", 0, "extensions", "code"), "THROTTLED")
	want(t, at(body, "extensions", "cost", "throttleStatus", "restoreRate"), 50.0)
	clock.Advance(7 * time.Second)
	want(t, at(ok(t, s, query), "errors"), nil)
	want(t, s.Traffic().Throttled, 1)
}
