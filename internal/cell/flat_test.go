package cell

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// checkFlat compares the short way through a list with the long one.
func checkFlat(t *testing.T, text string) {
	t.Helper()
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return
	}
	values, ok := flat(text)
	if !ok {
		return
	}
	want, good := document(text)
	if !slices.Equal(values, want) || !good || !json.Valid([]byte(text)) {
		t.Errorf("%q: %q, want %q", text, values, want)
	}
}

func TestFlatListsAreReadAsAnyDocument(t *testing.T) {
	for _, test := range []struct {
		text string
		flat bool
	}{
		{`["+1 415","a"]`, true},
		{"[ \"a\" ,\t\"b\"\r\n]", true},
		{`["", "é 😀", ""]`, true},
		{`[""]`, true},
		{`["\u2028"]`, false},
		{"[\"\u2028\", \"\x7f\"]", true},
		{`[]`, false},
		{`["a",]`, false},
		{`[,"a"]`, false},
		{`["a" "b"]`, false},
		{`["a"]]`, false},
		{`["a]`, false},
		{`["a", 1]`, false},
		{`["a", ["b"]]`, false},
		{`["a\n"]`, false},
		{"[\"a\nb\"]", false},
		{"[\"caf\xe9\"]", false},
		{"[\"a\"\v]", false},
		{"[\u00a0\"a\"]", false},
		{`{"a": "b"}`, false},
	} {
		if _, ok := flat(test.text); ok != test.flat {
			t.Errorf("%q: %v", test.text, ok)
		}
		checkFlat(t, test.text)
	}
}

func FuzzFlat(f *testing.F) {
	f.Add(`["+1 415 555 2671", "a@x.example"]`)
	f.Add("[ \"\", \"\\u0000\" ]")
	f.Fuzz(checkFlat)
}

// What is plain is one value for each of the readers.
func FuzzPlain(f *testing.F) {
	f.Add("jane.doe@x.example")
	f.Add("www.x.example")
	f.Fuzz(func(t *testing.T, text string) {
		if !isPlain(text) {
			return
		}
		for _, read := range []func(string) []string{Emails, Websites} {
			if list := read(text); len(list) != 1 || list[0] != text {
				t.Errorf("%q: %q", text, list)
			}
		}
	})
}

func TestDistinctKeepsTheFirst(t *testing.T) {
	for _, n := range []int{0, 1, few, few + 1, 100} {
		var list, want []string
		for i := range n {
			list = append(list, strings.Repeat("x", i%7))
			if i < 7 {
				want = append(want, strings.Repeat("x", i))
			}
		}
		if got := distinct(list); !slices.Equal(got, want) {
			t.Errorf("%d: %q", n, got)
		}
	}
}
