package rest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// Stamps may be finer than the times that requests write. What requests cannot tell apart is one time: it is read by ids, or the error says
// that times are written too coarsely.
func TestTimesThatAreWrittenCoarserThanStamps(t *testing.T) {
	second := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	type person struct {
		id string
		at time.Time
	}
	var people []person
	for i := range 9 {
		people = append(people, person{fmt.Sprint("p", 9-i), second.Add(time.Duration(i) * 40 * time.Millisecond)})
	}
	people = append(people, person{"z", second.Add(time.Minute)})
	answer := func(limit int, keep func(p person) bool) string {
		var list []string
		for _, p := range people {
			if keep(p) && len(list) < limit {
				list = append(list, fmt.Sprintf(`{"id": %q, "updated": %q}`, p.id, p.at.Format("2006-01-02T15:04:05.000Z")))
			}
		}
		return `{"data": [` + strings.Join(list, ",") + `]}`
	}
	transport := roundTripper(func(r *http.Request) (int, string) {
		q := r.URL.Query()
		from, _ := time.Parse(time.RFC3339, q.Get("from")) // none is the year 1
		before, _ := time.Parse(time.RFC3339, q.Get("before"))
		switch r.URL.Path {
		case "/people":
			return http.StatusOK, answer(4, func(p person) bool { return !p.at.Before(from) })
		case "/by_id":
			sorted := slices.Clone(people)
			slices.SortFunc(sorted, func(a, b person) int { return strings.Compare(a.id, b.id) })
			people, sorted = sorted, people
			defer func() { people = sorted }()
			return http.StatusOK, answer(4, func(p person) bool { return !p.at.Before(from) && p.at.Before(before) && p.id > q.Get("after") })
		}
		return http.StatusOK, "{}"
	})
	const byID = `by_id: {path: /by_id, query: {from: "{{from}}", before: "{{before}}", after: "{{after_id}}"}, records: data, order: id, ids: bytes, first_id: "0", page: {by: keyset, size: 4}}` + "\n"
	for name, c := range map[string]struct {
		text    string
		read    int
		message string
	}{
		"by ids":                 {byID, len(people), ""},
		"without ids":            {"", 0, "more records than a page holds were changed within 1s from 2025-03-04T05:06:07"},
		"without ids, but finer": {"MS", len(people), ""},
	} {
		text := strings.Replace(serviceText, "fields", "updated: {path: updated, precision: 1ms}\ndeletions: {by: none}\nfields", 1)
		filter := ""
		if c.text == "MS" {
			filter, c.text = "|rfc3339_ms", ""
		}
		text += `changes: {path: /people, query: {from: "{{since` + filter + `}}"}, records: data, order: updated, page: {by: keyset, size: 4}}` + "\n" + c.text
		s, err := open(t.Context(), "rest", text, transport, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids, _, _, err := readAll(t.Context(), s, "")
		slices.Sort(ids)
		if c.message == "" && (err != nil || len(slices.Compact(ids)) != c.read) {
			t.Errorf("%s: %v, %v", name, ids, err)
		}
		if said := failure.Of(err); c.message != "" && (said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Message, c.message) || !strings.Contains(said.Hint, "{{since|rfc3339_ms}}")) {
			t.Errorf("%s: %v, %q", name, err, said.Hint)
		}
		_ = s.Close()
	}
}
