package rest_test

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
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
