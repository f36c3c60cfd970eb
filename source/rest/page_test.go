package rest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// A page is kept for a moment, and is known by the times that it was asked for: groups of contacts that were changed within one second,
// each too many for a page, are read by their ids, each group by itself.
func TestTimesWithinOneSecondAreToldApart(t *testing.T) {
	for _, v := range append(ofVendors(), espoCRM(), dolibarr(), odoo()) {
		if v.token {
			continue // its requests name no times
		}
		for _, size := range []string{"3", "50"} {
			s := newScene(t, v, strings.ReplaceAll(strings.ReplaceAll(v.text, "WRONG", ""), "by_id: {page: {size: 3}", "by_id: {page: {size: "+size+"}"))
			if s.store.Granularity >= time.Second {
				continue // such a vendor has no two times within a second
			}
			t.Run(v.kind+" by pages of "+size, func(t *testing.T) {
				second := s.clock.Now().Add(time.Minute).Truncate(time.Second)
				const groups, each = 4, 6 // a page of changes has 5
				for n := range groups * each {
					s.store.Put(second.Add(time.Duration(n%groups)*100*time.Millisecond), s.store.NewID(n+1), v.fields(person("Doe", n)))
				}
				s.clock.Advance(time.Hour)
				if err := s.directory.sync(t.Context(), s.source, 100, nil); err != nil {
					t.Fatal(err)
				}
				if n := len(s.directory.contacts); n != groups*each {
					t.Errorf("%d of %d contacts were read", n, groups*each)
				}
			})
		}
	}
}

// A page of a list by number, in which records move between two requests, is read on as it was when it was read first: a run by small
// pages ends.
func TestAPageThatChangesIsReadToItsEnd(t *testing.T) {
	fetched := 0
	transport := roundTripper(func(r *http.Request) (int, string) {
		if r.URL.Path != "/people" {
			return http.StatusOK, `{}`
		}
		if r.URL.Query().Get("page") != "1" {
			return http.StatusOK, `{"data": []}`
		}
		if fetched++; fetched%2 == 0 {
			return http.StatusOK, `{"data": [{"id": "b"}, {"id": "a"}]}`
		}
		return http.StatusOK, `{"data": [{"id": "a"}, {"id": "b"}]}`
	})
	s, err := open(t.Context(), "rest", `
language: 1
url: https://api.example.com
auth: [{by: none}]
verify: {path: /me}
id: id
changes: {path: /people, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 2}}
deletions: {by: none}
fields: {name: id}
`, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run, err := s.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var at bridge.Position
	for n := 0; ; n++ {
		if n == 20 {
			t.Fatal("after 20 contacts a run over 2 has not ended")
		}
		read := 0
		for c, err := range s.Read(t.Context(), run, at, 1) {
			if err != nil {
				t.Fatal(err)
			}
			read, at = read+1, slices.Clone(c.Position)
		}
		if read == 0 {
			return
		}
	}
}

// Where the service's token says that an answer is the last one, an answer without it is no end: nobody is taken for gone.
func TestAnAnswerWithoutItsTokenIsNoEnd(t *testing.T) {
	for _, body := range []string{`{"data": []}`, `{"data": [{"id": "a", "updated": "2025-01-01T00:00:00Z"}]}`} {
		s, err := open(t.Context(), "rest", peopleText+feedText, roundTripper(func(*http.Request) (int, string) { return http.StatusOK, body }), nil, bridge.Auth{"key": "x"})
		if err != nil {
			t.Fatal(err)
		}
		if people, _, _, err := readAll(t.Context(), s, ""); bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(err.Error(), "no token at token") {
			t.Errorf("%s: %d contacts, %v", body, len(people), err)
		}
		_ = s.Close()
	}
}

// A record says what it lacks. One without a time of change lacks nothing that a contact needs: it is sent (E9).
func TestARecordSaysWhatItLacks(t *testing.T) {
	for record, want := range map[string]string{
		`{"id": "a"}`: "", `{"id": "a", "updated": null}`: "", `{"updated": "2025-01-01T00:00:00Z"}`: "it has no id", `{"id": "a", "updated": "1.5.2025"}`: `its time of change is not a time: "1.5.2025" (updated)`,
	} {
		text := peopleText + "changes: {path: /people, records: data, order: updated, page: {by: keyset, size: 10}}\ndeletions: {by: none}\n"
		s, err := open(t.Context(), "rest", text, roundTripper(func(*http.Request) (int, string) { return http.StatusOK, `{"data": [` + record + `]}` }), nil, bridge.Auth{"key": "x"})
		if err != nil {
			t.Fatal(err)
		}
		run, err := s.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range s.Read(t.Context(), run, nil, 0) {
			if err != nil || c.Rejected != want {
				t.Errorf("%s: %q, %v; want %q", record, c.Rejected, err, want)
			}
		}
		_ = s.Close()
	}
}

// Records in an order that is another one for each request: a run by pages that are smaller than the service's comes to its end, and brings
// all of them (E8).
func TestARunEndsWhereEveryRequestHasAnotherOrder(t *testing.T) {
	const size, people = 5, 15
	random := rand.New(rand.NewPCG(1, 2))
	transport := roundTripper(func(r *http.Request) (int, string) {
		if r.URL.Path != "/people" {
			return http.StatusOK, `{}`
		}
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		var records []string
		for n := (page - 1) * size; n < min(page*size, people); n++ {
			records = append(records, fmt.Sprintf(`{"id": "p%d"}`, n))
		}
		random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		return http.StatusOK, `{"data": [` + strings.Join(records, ",") + `]}`
	})
	s, err := open(t.Context(), "rest", `
language: 1
url: https://api.example.com
auth: [{by: none}]
verify: {path: /me}
id: id
changes: {path: /people, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 5, recheck: true}}
deletions: {by: none}
fields: {name: id}
`, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run, err := s.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	var at bridge.Position
	for reads := 0; ; reads++ {
		if reads == 5*people {
			t.Fatalf("a run over %d people has not ended after %d reads: %d were shown", people, reads, len(shown))
		}
		n := 0
		for c, err := range s.Read(t.Context(), run, at, 1) {
			if err != nil {
				t.Fatal(err)
			}
			shown[strings.Clone(c.Contact.ID)] = true
			n, at = n+1, slices.Clone(c.Position)
		}
		if n == 0 {
			break
		}
	}
	if len(shown) != people {
		t.Errorf("%d of %d people were shown", len(shown), people)
	}
}

// Contacts without a time of change are sent, and named in nothing else; a page that is full of them cannot be passed.
func TestContactsWithoutATimeOfChangeAreSent(t *testing.T) {
	const nulls, timed = `{"id": "n1", "updated": null}, {"id": "n2"}`, `{"id": "a", "updated": "2025-01-01T00:00:00Z"}`
	for name, c := range map[string]struct {
		size int
		body string
		want []string
		code bridge.Code
	}{
		"a page with others":  {4, nulls + ", " + timed, []string{"a", "n1", "n2"}, ""},
		"nothing else":        {4, nulls, []string{"n1", "n2"}, ""},
		"a page full of them": {2, nulls, []string{"n1", "n2"}, bridge.CodeSourceBroken},
	} {
		text := serviceText + fmt.Sprintf("updated: {path: updated}\ndeletions: {by: none}\nchanges: {path: /people, records: data, order: updated, page: {by: keyset, size: %d}}\n", c.size)
		s, err := open(t.Context(), "rest", text, roundTripper(func(*http.Request) (int, string) { return http.StatusOK, `{"data": [` + c.body + `]}` }), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		run, err := s.Begin(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var sent []string
		for change, wrong := range s.Read(t.Context(), run, nil, 1000) {
			if err = wrong; err != nil {
				break
			}
			if change.Rejected != "" {
				t.Errorf("%s: %s: %s", name, change.Contact.ID, change.Rejected)
			}
			if !change.Again {
				sent = append(sent, change.Contact.ID)
			}
		}
		slices.Sort(sent)
		if bridge.CodeOf(err) != c.code && err != nil || (err == nil) != (c.code == "") || !slices.Equal(sent, c.want) {
			t.Errorf("%s: %v, %v", name, sent, err)
		}
		_ = s.Close()
	}
}
