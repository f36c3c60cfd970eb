package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// pagedText returns changes that go on in a way.
func pagedText(query, page string) string {
	return "\nchanges: {path: /people, query: {" + query + "}, records: data, order: none, page: " + page + "}\ndeletions: {by: none}\n"
}

// doesNotMoveOn reports whether an error says that pages do not move on.
func doesNotMoveOn(err error) bool {
	return bridge.CodeOf(err) == bridge.CodeSourceBroken && strings.Contains(err.Error(), "does not move on")
}

// A service that does not know the parameter for pages gives the first page again and again, and says that there are more.
func TestAServiceThatIgnoresThePageIsAnError(t *testing.T) {
	for _, text := range []string{
		pagedText(`p: "{{page}}"`, "{by: number, size: 2}"), pagedText(`o: "{{offset}}"`, "{by: offset, size: 2}"),
		pagedText(`p: "{{page}}"`, "{by: number, size: 2, recheck: true}"), pagedText(`p: "{{page}}"`, "{by: number, size: 9, more: more}"),
		pagedText(`p: "{{page}}"`, "{by: number, size: 9, to_empty: true}"),
	} {
		asked := 0
		ids, err := askedService(t, text, func(*http.Request, string) (int, string) {
			if asked++; asked > 20 {
				return http.StatusInternalServerError, ""
			}
			return http.StatusOK, `{"data": [{"id": "a"}, {"id": "b"}], "more": true}`
		})
		if !doesNotMoveOn(err) {
			t.Errorf("%s: %v, %v", text, ids, err)
		}
	}
}

// The same is found where a request is answered in parts, whatever their size.
func TestAServiceThatIgnoresThePageIsFoundInParts(t *testing.T) {
	for limit := 1; limit < 8; limit++ {
		s, err := open(t.Context(), "rest", serviceText+pagedText(`p: "{{page}}"`, "{by: number, size: 3}"), roundTripper(func(*http.Request) (int, string) {
			return http.StatusOK, `{"data": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}`
		}), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := readInParts(t, s, limit); !doesNotMoveOn(err) {
			t.Errorf("by %d: %v", limit, err)
		}
		_ = s.Close()
	}
}

// readInParts reads an initial run by so many changes at a time, 50 times at most.
func readInParts(t *testing.T, s bridge.Source, limit int) error {
	t.Helper()
	run, err := s.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var at bridge.Position
	for range 50 {
		n := 0
		for c, err := range s.Read(t.Context(), run, at, limit) {
			if err != nil {
				return err
			}
			n++
			if len(c.Position) > 0 {
				at = slices.Clone(c.Position)
			}
		}
		if n == 0 {
			return nil
		}
	}
	return fmt.Errorf("a run by %d has not ended", limit)
}

// Records move while a list is read: a page may have just those of the page before, some of them, or others in their order.
func TestPagesThatRepeatRecordsByChanceAreRead(t *testing.T) {
	for name, lists := range map[string][]string{
		"others came before them":     {"a b c d", "x y a b c d"},
		"one of them stays":           {"a b c d e", "a x b c d e"},
		"they came and went":          {"a b c d", "x y a b c d", "a b c d", "c d"},
		"a page in another order":     {"a b c d", "x y b a c d"},
		"the same records, once more": {"a b a b"},
	} {
		asked := 0
		shown := map[string]bool{}
		ids, err := askedService(t, pagedText(`p: "{{page}}"`, "{by: number, size: 2}"), func(r *http.Request, _ string) (int, string) {
			list := strings.Fields(lists[min(asked, len(lists)-1)])
			asked++
			page, _ := strconv.Atoi(r.URL.Query().Get("p"))
			var records []string
			for _, id := range list[min(2*page-2, len(list)):min(2*page, len(list))] {
				records = append(records, fmt.Sprintf(`{"id": %q}`, id))
			}
			return http.StatusOK, `{"data": [` + strings.Join(records, ",") + `]}`
		})
		for _, id := range ids {
			shown[id] = true
		}
		if name == "the same records, once more" {
			if !doesNotMoveOn(err) {
				t.Errorf("%s: %v, %v", name, ids, err)
			}
			continue
		}
		if err != nil || !shown["a"] || !shown["b"] {
			t.Errorf("%s: %v, %v", name, ids, err)
		}
	}
}

// Cursors that lead round are found, however long the circle is and wherever it begins, and however the run is cut; a long way is not.
func TestCursorsThatLeadRoundAreAnError(t *testing.T) {
	for _, by := range []string{"cursor", "link"} {
		for _, way := range [][2]int{{0, 1}, {0, 2}, {1, 2}, {3, 5}, {7, 1}, {2, 9}, {40, 0}} { // pages before the circle, and in it
			for _, limit := range []int{0, 1, 2, 3} {
				last := way[0] + way[1] - 1
				text := pagedText(`c: "{{cursor}}"`, "{by: cursor, next: next}")
				if by == "link" {
					text = pagedText("", "{by: link, next: next}")
				}
				s, err := open(t.Context(), "rest", serviceText+text, roundTripper(func(r *http.Request) (int, string) {
					page, _ := strconv.Atoi(r.URL.Query().Get("c"))
					next := page + 1
					if page == last {
						next = way[0]
					}
					said := fmt.Sprintf("%q", strconv.Itoa(next))
					if by == "link" {
						said = fmt.Sprintf(`"?c=%d"`, next)
					}
					if page == last && way[1] == 0 {
						said = "null"
					}
					return http.StatusOK, fmt.Sprintf(`{"data": [{"id": "p%d"}], "next": %s}`, page, said)
				}), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if limit == 0 {
					_, _, _, err = readAll(t.Context(), s, "")
				} else {
					err = readInParts(t, s, limit)
				}
				if way[1] == 0 && err != nil || way[1] > 0 && !doesNotMoveOn(err) {
					t.Errorf("by %s, %v, %d at a time: %v", by, way, limit, err)
				}
				_ = s.Close()
			}
		}
	}
}

// A request that asks for every page alike is refused before anything is asked.
func TestARequestThatCannotAskForItsPagesIsRefused(t *testing.T) {
	for page, name := range map[string]string{"{by: number, size: 5}": "page", "{by: offset, size: 5}": "offset", "{by: cursor, next: next}": "cursor"} {
		_, err := newFactory("rest", serviceText+pagedText(`per_page: "{{limit}}"`, page), nil, nil)
		found := failure.All(err)
		if len(found) != 1 || found[0].Field != "changes.page.by" || !strings.Contains(found[0].Message, "{{"+name+"}} stands nowhere") {
			t.Errorf("%s: %v", page, err)
		}
		for _, text := range []string{
			pagedText(`p: "{{`+name+`}}"`, page),
			strings.Replace(pagedText("", page), "query: {}", `body: {list: [{p: "{{`+name+`|optional}}"}]}`, 1),
			strings.Replace(pagedText("", page), "/people, query: {}", `"/people/{{`+name+`}}"`, 1),
		} {
			if _, err := newFactory("rest", serviceText+text, nil, nil); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// Pages by id that begin at their first record again and again are an error, also where the order of ids is not known.
func TestPagesByIDThatBeginAgainAreAnError(t *testing.T) {
	for limit := 1; limit < 7; limit++ {
		s, err := open(t.Context(), "rest", serviceText+`
updated: {path: updated}
changes: {path: /changes, query: {since: "{{since}}"}, records: data, order: updated, page: {by: keyset, size: 3}}
by_id: {path: /by_id, query: {after: "{{after_id}}", from: "{{from}}", before: "{{before}}"}, records: data, order: id, page: {by: keyset, size: 3}}
deletions: {by: none}
`, roundTripper(func(*http.Request) (int, string) {
			const at = `"updated": "2025-01-01T00:00:00Z"`
			return http.StatusOK, `{"data": [{"id": "a", ` + at + `}, {"id": "b", ` + at + `}, {"id": "c", ` + at + `}]}`
		}), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := readInParts(t, s, limit); bridge.CodeOf(err) != bridge.CodeSourceBroken {
			t.Errorf("by %d: %v", limit, err)
		}
		_ = s.Close()
	}
}

// A service that answers with pages without a record, and always another cursor, is not late.
func TestPagesWithoutRecordsSayWhatIsTrue(t *testing.T) {
	text := pagedText(`c: "{{cursor}}"`, "{by: cursor, next: next}")
	asked := 0
	ids, err := askedService(t, text, func(*http.Request, string) (int, string) {
		asked++
		return http.StatusOK, fmt.Sprintf(`{"data": [], "next": "c%d"}`, asked)
	})
	if bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(err.Error(), "pages in a row have no record") {
		t.Errorf("%v, %v", ids, err)
	}

	synctest.Test(t, func(t *testing.T) { // a service that needs a second for a page
		s, err := open(t.Context(), "rest", serviceText+text, roundTripper(func(r *http.Request) (int, string) {
			if r.URL.Path == "/me" {
				return http.StatusOK, "{}"
			}
			time.Sleep(time.Second)
			asked++
			return http.StatusOK, fmt.Sprintf(`{"data": [], "next": "c%d"}`, asked)
		}), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second+100*time.Millisecond)
		defer cancel()
		_, _, _, err = readAll(ctx, s, "")
		if ctx.Err() != nil || bridge.CodeOf(err) != bridge.CodeSourceTimeout || !strings.Contains(err.Error(), "9 pages, all that the service gave") {
			t.Errorf("%v, with %v left", err, ctx.Err())
		}
	})
}

// Some empty pages between others are no end, and no error.
func TestEmptyPagesBetweenOthersAreRead(t *testing.T) {
	ids, err := askedService(t, pagedText(`c: "{{cursor}}"`, "{by: cursor, next: next}"), func(r *http.Request, _ string) (int, string) {
		page, _ := strconv.Atoi(r.URL.Query().Get("c"))
		switch page {
		case 1500:
			return http.StatusOK, `{"data": [{"id": "b"}]}`
		case 700:
			return http.StatusOK, `{"data": [{"id": "a"}], "next": "701"}`
		}
		return http.StatusOK, fmt.Sprintf(`{"data": [], "next": "%d"}`, page+1)
	})
	if err != nil || !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("%v, %v", ids, err)
	}
}
