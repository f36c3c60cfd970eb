package rest_test

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
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
