package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// byLink and byCursor are changes that go on by what stands at next.
const (
	byLink   = "\nchanges: {path: /api/people, query: {limit: \"{{limit}}\"}, records: data, order: none, page: {by: link, size: 1, next: next}}\ndeletions: {by: none}\n"
	byCursor = "\nchanges: {path: /api/people, query: {after: \"{{cursor}}\"}, records: data, order: none, page: {by: cursor, next: next}}\ndeletions: {by: none}\n"
)

// A link leads on from the address that was asked, wherever the API's own address ends (RFC 3986, 5.1.3).
func TestALinkIsRelativeToWhatWasAsked(t *testing.T) {
	for link, want := range map[string]string{
		"?page=2": "/api/people?page=2", "people?page=2": "/api/people?page=2", "next/2": "/api/next/2", "/people?page=2": "/people?page=2",
		"../people?page=2": "/people?page=2", "//api.example.com/x?page=2": "/x?page=2", "https://api.example.com/y?a=%2F": "/y?a=%2F",
	} {
		for _, inHeader := range []bool{false, true} {
			var asked []string
			text := byLink
			if inHeader {
				text = strings.Replace(text, "next: next", "next: 'header:Link'", 1)
			}
			ids, err := askedWithHeader(t, text, func(r *http.Request) (string, string) {
				if asked = append(asked, r.URL.RequestURI()); len(asked) > 1 {
					return `{"data": [{"id": "b"}]}`, ""
				}
				if inHeader {
					return `{"data": [{"id": "a"}]}`, "<" + link + `>; Rel="prefetch next"`
				}
				return fmt.Sprintf(`{"data": [{"id": "a"}], "next": %q}`, link), ""
			})
			if err != nil || !slices.Equal(ids, []string{"a", "b"}) || !slices.Equal(asked[1:], []string{want}) {
				t.Errorf("%s: %v, %v, asked %q; want %s", link, ids, err, asked, want)
			}
		}
	}
}

// askedWithHeader is askedService with the header Link of answers.
func askedWithHeader(t *testing.T, text string, answers func(r *http.Request) (body, link string)) (ids []string, err error) {
	t.Helper()
	s, err := open(t.Context(), "rest", serviceText+text, roundTripperOf(func(r *http.Request) (*http.Response, error) {
		body, link := "{}", ""
		if r.URL.Path != "/me" {
			body, link = answers(r)
		}
		header := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
		if link != "" {
			header.Set("Link", link)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids, _, _, err = readAll(t.Context(), s, bridge.Checkpoint(""))
	return ids, err
}

// What an answer has where it says how it goes on is followed, says that there is no more, or is an error: a run that ended because of
// it would take whoever it has not read for gone.
func TestHowAnAnswerGoesOn(t *testing.T) {
	for _, c := range []struct{ text, said, want string }{
		{byCursor, `"c2"`, "followed"},
		{byCursor, `"0"`, "followed"}, // it may be any text
		{byCursor, `7`, "followed"},
		{byCursor, `-1`, "followed"},
		{byCursor, `12345678901234567890`, "followed"},
		{byLink, `"/api/people?page=2"`, "followed"},
		{byLink, `"0"`, "followed"},

		{byCursor, `null`, "the end"},
		{byCursor, `false`, "the end"},
		{byCursor, `""`, "the end"},
		{byCursor, `0`, "the end"},
		{byCursor, `0.0`, "the end"},
		{byCursor, `[ ]`, "the end"},
		{byCursor, `{}`, "the end"},
		{byLink, `null`, "the end"},
		{byLink, `false`, "the end"},
		{byLink, `""`, "the end"},
		{byLink, `0`, "the end"},

		{byCursor, `{"after": "c2"}`, "has an object at next, which page.next names"},
		{byCursor, `["c2"]`, "has a list at next, which page.next names"},
		{byCursor, `true`, "has true at next, which page.next names"},
		{byLink, `{"href": "/people?page=2"}`, "has an object at next, which page.next names, and not an address"},
		{byLink, `2`, "has 2 at next, which page.next names, and not an address"},
	} {
		asked := 0
		ids, err := askedService(t, c.text, func(*http.Request, string) (int, string) {
			if asked++; asked == 1 {
				return http.StatusOK, `{"data": [{"id": "a"}], "next": ` + c.said + `}`
			}
			return http.StatusOK, `{"data": [{"id": "b"}]}`
		})
		got := "the end"
		switch {
		case err != nil:
			got = err.Error()
			if hint := failure.Of(err).Hint; bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(hint, "page.next") {
				t.Errorf("%s: %v, %q", c.said, err, hint)
			}
		case len(ids) == 2:
			got = "followed"
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s; want %s", c.said, got, c.want)
		}
	}
}

// The same is true of what says only whether there is more.
func TestWhetherThereIsMore(t *testing.T) {
	for said, want := range map[string]string{
		`true`: "more", `1`: "more", `"yes"`: "more", `false`: "the end", `0`: "the end", `null`: "the end", `""`: "the end", `{}`: "the end", `[]`: "the end",
		`{"after": 2}`: "has an object at more, which page.more names", `[2]`: "has a list at more, which page.more names",
	} {
		asked := 0
		ids, err := askedService(t, `
changes: {path: /people, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 100, more: more}}
deletions: {by: none}
`, func(*http.Request, string) (int, string) {
			if asked++; asked == 1 {
				return http.StatusOK, `{"data": [{"id": "a"}], "more": ` + said + `}`
			}
			return http.StatusOK, `{"data": [{"id": "b"}]}`
		})
		got := "the end"
		switch {
		case err != nil:
			got = err.Error()
		case len(ids) == 2:
			got = "more"
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s; want %s", said, got, want)
		}
	}
}

// An answer that says that there is more, and not where, is no end, and does not lead to the beginning either.
func TestThereIsMoreAndNoCursor(t *testing.T) {
	ids, err := askedService(t, strings.Replace(byCursor, "next: next", "next: next, more: more", 1), func(*http.Request, string) (int, string) {
		return http.StatusOK, `{"data": [{"id": "a"}], "more": true}`
	})
	if bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(err.Error(), "says that there is more, at more, and has no next page at next") {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestALinkHeaderThatCannotBeReadIsAnError(t *testing.T) {
	for _, text := range []string{
		strings.Replace(byLink, "next: next", "next: 'header:link'", 1),
		"\nchanges: {path: /people, query: {page: \"{{page}}\"}, records: data, order: none, page: {by: number, size: 100, more: 'header:Link'}}\ndeletions: {by: none}\n",
	} {
		ids, err := askedWithHeader(t, text, func(*http.Request) (string, string) { return `{"data": [{"id": "a"}]}`, `</people?page=2; rel="next"` })
		if bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(err.Error(), "the header Link") {
			t.Errorf("%v, %v", ids, err)
		}
	}
}

// What to do about a link that is refused depends on why it is.
func TestARefusedLinkSaysWhatHelps(t *testing.T) {
	for link, hint := range map[string]string{
		"https://files.example.net/people?page=2":   "add what it ends in to hosts",
		"https://api.example.com:8443/people?p=2":   "write that scheme and port in url",
		"http://api.example.com:8080/people?page=2": "write that scheme and port in url",
		"http://eu.example.org/people?page=2":       "by https and at its usual port only",
		"https://eu.example.org:8443/people?page=2": "by https and at its usual port only",
		"https://jane@api.example.com/people?p=2":   "a host and no user",
		"mailto:jane@example.com":                   "a host and no user",
	} {
		_, err := askedService(t, "hosts: [.example.org]"+byLink, func(*http.Request, string) (int, string) {
			return http.StatusOK, fmt.Sprintf(`{"data": [{"id": "a"}], "next": %q}`, link)
		})
		if said := failure.Of(err); said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Hint, hint) || strings.Contains(said.Message, "jane") {
			t.Errorf("%s: %v, %q; want %q", link, err, said.Hint, hint)
		}
	}
}
