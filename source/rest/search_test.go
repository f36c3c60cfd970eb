package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
)

// asksFor is a question for a number.
func asksFor(number string) bridge.Search {
	n := phone.Parse(number, "")
	return bridge.Search{Spellings: phone.Spellings(n, n.Region), Digits: []string{n.National}}
}

// searched are numbers of specimens, as a call brings them.
var searched = map[string]string{
	"hubspot": "+491701234567", "salesforce": "+49307654321", "salesforce_leads": "+18506444200", "zoho": "+491701234567", "odoo": "",
}

// A vendor with a search is asked for a number; the record is mapped as a run maps it.
func TestVendorsAreAskedForANumber(t *testing.T) {
	all := specimens()
	for _, v := range ofVendors() {
		number, ok := searched[v.kind]
		t.Run(v.kind, func(t *testing.T) {
			clock := new(vendors.Clock)
			simulator, store := v.new(clock.Now)
			cloud := new(vendors.Cloud)
			cloud.Add(simulator)
			text := credentialsOf(v)
			factory, err := newFactory(v.kind, text, cloud, clock)
			if err != nil {
				t.Fatal(err)
			}
			defer factory.Close()
			if err := factory.(source.SearchChecker).CheckSearch(); (err == nil) != ok {
				t.Fatalf("it can be asked: %t; %v", ok, err)
			} else if !ok {
				if failure.Of(err).Hint == "" {
					t.Errorf("no hint: %v", err)
				}
				return
			}
			want := all[v.kind]
			if number == "" {
				number = phone.Parse(want.want.Phones[0], "DE").E164
			}
			store.Put(clock.Now(), want.id, want.fields)
			store.Create(want.least)
			clock.Advance(20 * time.Minute)
			src, err := factory.Open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			found, err := src.(bridge.Searcher).Search(t.Context(), asksFor(number))
			if err != nil || len(found) != 1 {
				t.Fatalf("%s: %d contacts, %v", number, len(found), err)
			}
			if diff := cmp.Diff(want.want, found[0], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, other := range []string{"+493012345678", "+14155552671"} {
				if found, err := src.(bridge.Searcher).Search(t.Context(), asksFor(other)); err != nil || len(found) > 0 {
					t.Errorf("%s: %v, %v", other, found, err)
				}
			}
			store.Delete(clock.Now(), want.id)
			clock.Advance(20 * time.Minute)
			if found, err := src.(bridge.Searcher).Search(t.Context(), asksFor(number)); err != nil || len(found) > 0 {
				t.Errorf("a deleted record is found: %v, %v", found, err)
			}
		})
	}
}

// A question waits for the service's limit as a run does, and gives up at once where there is no time for that.
func TestAQuestionTakesItsTurn(t *testing.T) {
	v := hubSpot()
	clock := new(vendors.Clock)
	simulator, _ := v.new(clock.Now)
	cloud := new(vendors.Cloud)
	cloud.Add(simulator)
	factory, err := newFactory(v.kind, credentialsOf(v)+"throttle: {requests: 1, per: 1m, burst: 1}\n", cloud, clock)
	if err != nil {
		t.Fatal(err)
	}
	defer factory.Close()
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := src.Begin(t.Context(), ""); err != nil { // as a run does
		t.Fatal(err)
	}
	_, err = src.(bridge.Searcher).Search(t.Context(), asksFor("+442079460018"))
	if bridge.CodeOf(err) != bridge.CodeRateLimited {
		t.Errorf("it does not wait for its turn: %v", err)
	}
}

// What a configuration of kind rest says of a search is checked.
func TestASearchIsChecked(t *testing.T) {
	const base = `language: 1
url: https://api.example.com
auth: [{by: none}]
verify: {path: /me}
id: id
changes: {path: /people, records: data, order: none, page: {by: none}}
deletions: {by: none}
fields: {name: name, phones: phone}
`
	for _, c := range []struct{ search, wrong string }{
		{"search: {path: /find, query: {q: '{{number}}'}, records: $}", ""},
		{"search: {path: /find, query: {q: '{{spellings|join:;}}'}, records: $, most: 2}", ""},
		{"search: {path: /find, query: {q: '{{number}}'}}", "search.records"},
		{"search: {path: /find, query: {q: all}, records: $}", "search"},
		{"search: {path: /find, query: {q: '{{nummer}}'}, records: $}", "search.query.q"},
		{"search: {path: /find, query: {q: '{{spellings|join}}'}, records: $}", "search.query.q"},
		{"list: {path: /find, query: {q: '{{number}}'}, records: $, order: none, page: {by: none}}", "list.query.q"},
	} {
		_, err := newFactory("rest", base+c.search+"\n", nil, new(vendors.Clock))
		var fields []string
		for _, each := range failure.All(err) {
			fields = append(fields, each.Field)
		}
		if got := strings.Join(fields, " "); !strings.Contains(got, c.wrong) || (err == nil) != (c.wrong == "") {
			t.Errorf("%s: %v", c.search, err)
		}
	}
}
