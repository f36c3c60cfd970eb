package rest_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
)

// serviceText is the part of a configuration that the services of these tests have in common.
const serviceText = `
language: 1
url: https://api.example.com
auth: [{by: none}]
verify: {path: /me}
id: id
fields: {name: id}
`

// askedService opens a service of kind rest, and reads an initial run. answers is asked for every request but verify.
func askedService(t *testing.T, text string, answers func(r *http.Request, body string) (int, string)) (ids []string, err error) {
	t.Helper()
	s, err := open(t.Context(), "rest", serviceText+text, roundTripper(func(r *http.Request) (int, string) {
		if r.URL.Path == "/me" {
			return http.StatusOK, `{}`
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		return answers(r, string(body))
	}), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids, _, _, err = readAll(t.Context(), s, bridge.Checkpoint(""))
	return ids, err
}

func TestAnEmptyOptionalValueIsNotInTheBody(t *testing.T) {
	var bodies []string
	ids, err := askedService(t, `
changes:
  path: /people
  body: {after: "{{cursor|optional}}", list: ["{{cursor|optional}}"], text: "from {{cursor|optional}}", empty: "{{cursor}}"}
  records: data
  order: none
  page: {by: cursor, next: next}
deletions: {by: none}
`, func(_ *http.Request, body string) (int, string) {
		if bodies = append(bodies, body); len(bodies) == 1 {
			return http.StatusOK, `{"data": [{"id": "a"}], "next": "c1"}`
		}
		return http.StatusOK, `{"data": [{"id": "b"}]}`
	})
	if err != nil || !slices.Equal(ids, []string{"a", "b"}) {
		t.Fatalf("%v, %v", ids, err)
	}
	want := []string{`{"empty":"","list":[],"text":"from "}`, `{"after":"c1","empty":"c1","list":["c1"],"text":"from c1"}`}
	if !slices.Equal(bodies, want) {
		t.Errorf("sent %q, want %q", bodies, want)
	}
}

// A service may read times in the zone of its user and write them in another one.
func TestTimesAreReadInAnotherZoneThanTheyAreAskedForIn(t *testing.T) {
	var asked []string
	ids, err := askedService(t, `
updated: {path: updated, zone: Asia/Tokyo, read_zone: UTC}
changes: {path: /people, query: {since: "{{since|datetime}}"}, records: data, order: updated, page: {by: keyset, size: 2}}
deletions: {by: none}
`, func(r *http.Request, _ string) (int, string) {
		asked = append(asked, r.URL.Query().Get("since"))
		return http.StatusOK, [...]string{
			`{"data": [{"id": "a", "updated": "2026-01-01 20:00:00"}, {"id": "b", "updated": "2026-01-01 20:00:01"}]}`, `{"data": [{"id": "b", "updated": "2026-01-01 20:00:01"}]}`, `{"data": []}`,
		}[min(len(asked), 3)-1]
	})
	if err != nil || !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("%v, %v", ids, err)
	}
	if want := []string{"1970-01-01 09:00:00", "2026-01-02 05:00:00"}; len(asked) < 2 || !slices.Equal(asked[:2], want) {
		t.Errorf("asked for %q, want %q first", asked, want)
	}
}

func TestZonesThatAreUnknownAreToldByTheirKeys(t *testing.T) {
	_, err := newFactory("rest", serviceText+`
updated: {path: updated, zone: Europe/Pariss, read_zone: UTD}
changes: {path: /people, records: data, order: none, page: {by: none}}
deletions: {by: none}
`, nil, nil)
	if found := failure.All(err); len(found) != 2 || found[0].Field != "updated.zone" || found[1].Field != "updated.read_zone" {
		t.Errorf("%v", err)
	}
}

// A service that counts points tells how many a query costs and how many are left: the next query waits for them, and is not refused.
func TestPointsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cost, rate, most = 400.0, 100.0, 1000.0
		left, last := most, time.Now()
		pages, refused := 0, 0
		ids, err := askedService(t, `
changes: {path: /people, query: {page: "{{page}}"}, records: data.people, order: none, page: {by: number, size: 1, more: data.more}}
deletions: {by: none}
throttle: {points: {cost: extensions.cost, left: extensions.status.left, rate: extensions.status.rate}}
errors: [{path: errors.0.code, is: THROTTLED, then: throttled}]
`, func(*http.Request, string) (int, string) {
			left, last = min(most, left+rate*time.Since(last).Seconds()), time.Now()
			said := func() string {
				return fmt.Sprintf(`{"cost": %v, "status": {"left": %v, "rate": %v}}`, cost, left, rate)
			}
			if pages == 3 && refused == 0 { // somebody else has used them
				left = 200
				refused++
				return http.StatusOK, `{"errors": [{"code": "THROTTLED"}], "extensions": ` + said() + `}`
			}
			if left < cost {
				t.Errorf("page %d is asked for with %v points left", pages, left)
			}
			left -= cost
			pages++
			return http.StatusOK, fmt.Sprintf(`{"data": {"people": [{"id": "p%d"}], "more": %v}, "extensions": %s}`, pages, pages < 10, said())
		})
		if err != nil || len(ids) != 10 || refused != 1 {
			t.Errorf("%v, %v", ids, err)
		}
	})
}

// A service may give fewer records than it is asked for, with more on the next page.
func TestAPageThatIsNotFullIsNotTheLast(t *testing.T) {
	for paging, want := range map[string]string{
		"{by: number, size: 100, to_empty: true}": "a b c", "{by: offset, size: 100, to_empty: true}": "a b c", "{by: number, size: 100}": "a b", "{by: number, size: 2, to_empty: true, recheck: true}": "a b c",
	} {
		ids, err := askedService(t, `
changes: {path: /people, query: {page: "{{page}}", offset: "{{offset}}"}, records: data, order: none, page: `+paging+`}
deletions: {by: none}
`, func(r *http.Request, _ string) (int, string) {
			at := map[bool]string{true: "page", false: "offset"}[strings.Contains(paging, "number")]
			return http.StatusOK, map[string]string{
				"page 1": `{"data": [{"id": "a"}, {"id": "b"}]}`, "page 2": `{"data": [{"id": "c"}]}`, "page 3": `{"data": []}`,
				"offset 0": `{"data": [{"id": "a"}, {"id": "b"}]}`, "offset 2": `{"data": [{"id": "c"}]}`, "offset 3": `{"data": []}`,
			}[at+" "+r.URL.Query().Get(at)]
		})
		if got := strings.Join(ids, " "); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", paging, got, err, want)
		}
	}
}

// A page of which the user may see nothing is no end: what comes after it cannot be reached, which the run says.
func TestAPageOfHiddenRecordsIsNoEnd(t *testing.T) {
	ids, err := askedService(t, `
updated: {path: updated}
changes: {path: /people, query: {since: "{{since}}"}, records: data, order: updated, page: {by: keyset, size: 2, more: more}}
deletions: {by: none}
`, func(*http.Request, string) (int, string) { return http.StatusOK, `{"data": [], "more": true}` })
	if said := failure.Of(err); len(ids) > 0 || said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Message, "has no records, but says that there are more") || !strings.Contains(said.Hint, "read all") {
		t.Errorf("%v, %v, hint %q", ids, err, said.Hint)
	}
}

// A list of deletions may not tell of all of them: a run over all contacts finds the others, every so often.
func TestAListOfDeletionsAndARunOverAllContacts(t *testing.T) {
	p := newPeople()
	s, err := p.service(`
changes: {path: /people, query: {since: "{{since}}", page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4}}
deletions: {by: request, path: /deleted, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4, zero: true}, at: updated, every: 24h}
`).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	people := []contact.Contact{{ID: "a", Name: "Ann"}, {ID: "b", Name: "Bob"}, {ID: "c", Name: "Cy"}}
	if err := p.put(p.clock.Now(), people...); err != nil {
		t.Fatal(err)
	}
	d := directory{contacts: map[string]contact.Contact{}}
	for _, step := range []struct {
		what   string
		do     func()
		wanted string
	}{
		{"an initial run", func() { p.clock.Advance(time.Hour) }, "a b c"},
		{"a deletion that is told", func() { _ = p.delete(p.clock.Now(), "a") }, "b c"},
		{"one that leaves no trace", func() {
			p.changes = slices.DeleteFunc(p.changes, func(c change) bool { return c.ID == "b" })
			p.clock.Advance(22 * time.Hour)
		}, "b c"},
		{"a day after the initial run", func() { p.clock.Advance(2 * time.Hour) }, "c"},
		{"right after that", func() {
			p.changes = slices.DeleteFunc(p.changes, func(c change) bool { return c.ID == "c" })
		}, "c"},
	} {
		step.do()
		if err := d.sync(t.Context(), s, 10, nil); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(d.contacts)), " "); got != step.wanted {
			t.Errorf("%s: %q is left, want %q", step.what, got, step.wanted)
		}
	}
}

// A service may end its pages where it gives no more records for one query, as if there were no others: that is no end.
func TestACapIsNoEnd(t *testing.T) {
	for most, want := range map[int]bool{4: true, 5: false, 0: false} {
		ids, err := askedService(t, fmt.Sprintf(`
changes: {path: /people, query: {cursor: "{{cursor}}"}, records: data, order: none, page: {by: cursor, next: next, most: %d}}
deletions: {by: none}
`, most), func(r *http.Request, _ string) (int, string) {
			if r.URL.Query().Get("cursor") == "" {
				return http.StatusOK, `{"data": [{"id": "a"}, {"id": "b"}], "next": "x"}`
			}
			return http.StatusOK, `{"data": [{"id": "c"}, {"id": "d"}]}`
		})
		if said := failure.Of(err); (said.Code == bridge.CodeSourceBroken && strings.Contains(said.Message, "no more than 4 records")) != want || len(ids) != 4 {
			t.Errorf("at most %d: %v, %v", most, ids, err)
		}
	}
}

// A contact that is deleted while a run reads, before its place was read, is told as deleted by that run, however few requests it made.
func TestWhatIsDeletedDuringARunIsToldByIt(t *testing.T) {
	p := newPeople()
	s, err := p.service(`
changes: {path: /people, query: {since: "{{since}}", page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4}}
deletions: {by: request, path: /deleted, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4, zero: true}, at: updated}
`).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := directory{contacts: map[string]contact.Contact{}}
	read := func(deleting ...string) {
		t.Helper()
		if err := d.sync(t.Context(), s, 1, func() {
			for _, id := range deleting {
				_ = p.delete(p.clock.Now(), id) // it cannot fail
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	people := []contact.Contact{{ID: "a", Name: "Ann"}, {ID: "b", Name: "Bob"}}
	_ = p.put(p.clock.Now(), people...)
	p.clock.Advance(time.Hour)
	read()
	_ = p.put(p.clock.Now(), people...)
	p.clock.Advance(time.Hour)
	read("b")
	if !slices.Contains(d.gone, "b") || len(d.contacts) != 1 {
		t.Errorf("deleted are %v, and %d contacts are left", d.gone, len(d.contacts))
	}
}

// What an answer has as a number or truth value is one in expressions, and what it has as a text is a text.
func TestExpressionsKnowTheTypesOfAnAnswer(t *testing.T) {
	text := strings.Replace(peopleOnce, "{name: name}", `{name: '(score == 1 and rank > floor and code != "1.0" and not off) ? "yes" : "no"'}`, 1)
	got, err := namesRead(t, text, answeringPeople(`{"data": [{"id": "a", "score": 1.0, "rank": 10, "floor": 9, "code": "1.00", "off": false}, {"id": "b", "score": 1, "rank": 10, "floor": 9, "code": "1.0", "off": false},
		{"id": "c", "score": 1, "rank": 10, "floor": 9, "off": true}, {"id": "d", "score": 1.5, "rank": 10, "floor": 9}, {"id": "e", "score": 1, "rank": 10, "floor": 1e1}]}`, "application/json"))
	if err != nil || got != "yes|no|no|no|no" {
		t.Errorf("%s, %v", got, err)
	}
}
