package rest_test

import (
	"net/http"
	"slices"
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

// A record says what it lacks.
func TestARecordWithoutATimeOfChangeIsReported(t *testing.T) {
	for record, want := range map[string]string{`{"id": "a"}`: "it has no time of change", `{"updated": "2025-01-01T00:00:00Z"}`: "it has no id"} {
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
