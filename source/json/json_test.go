package json

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
)

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name, content string
		path          []string
		columns       string
		records       []string
	}{
		{"an array", "\xef\xbb\xbf [{\"id\":1},\n{\"id\":9007199254740993,\"a\":{\"b\":\"}]\\\"\"}} ] \n", nil, "id a.b", []string{"1|", `9007199254740993|}]"`}},
		{"no element", "[]", nil, "", nil},
		{"an array in an object", `{"meta":{"tags":["x"],"n":[]},"data":{"list":[{"id":1}],"more":[{"id":2}]}}`, nil, "id", []string{"1"}},
		{"at a path", `{"data":{"list":[{"id":1}],"more":[{"id":2}]},"more":[{"id":3}]}`, []string{"data", "more"}, "id", []string{"2"}},
		{"an empty array in an object", `{"meta":{"n":1},"contacts":[]}`, nil, "", nil},
		{"records that are none", `[{"id":1},7,"x",{"id":tru},{"id":2},null,[{"id":5}],{"id":3}]`, nil, "id", []string{"1", "fault: no_object", "fault: no_object", "fault: invalid_json", "2", "fault: no_object", "fault: no_object", "3"}},
		{"cut off within", `{"c":[{"id":1},{"id":2`, nil, "id", []string{"1", "fault: cut_off"}},
		{"cut off after", `[{"id":1},{"id":2}`, nil, "id", []string{"1", "2", "fault: cut_off"}},
		{"cut off after a comma", `[{"id":1},`, nil, "id", []string{"1", "fault: cut_off"}},
		{"cut off in a list", `[{"id":1},[2]`, nil, "id", []string{"1", "fault: cut_off"}},
		{"wrong brackets", `[{"id":1},}{"id":2}]`, nil, "id", []string{"1", "fault: cut_off"}},
		{"two documents", `[{"id":1}][{"id":2}]`, nil, "id", []string{"1", "fault: cut_off"}},
		{"too long", `[{"id":1},{"id":"` + strings.Repeat("x", 1<<20) + `"},{"id":3}]`, nil, "id", []string{"1", "fault: too_long", "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			columns, records := filetest.Run(t, format{c.path}, []byte(c.content))
			if got := strings.Join(columns, " "); got != c.columns || !slices.Equal(records, c.records) {
				t.Errorf("columns %s, records %q, want %s, %q", got, records, c.columns, c.records)
			}
		})
	}
}

func TestWhatIsNoDocumentIsRefusedWithAHint(t *testing.T) {
	for content, want := range map[string]string{
		"":                             "An export without contacts is an empty array",
		"{\"id\":1}\n{\"id\":2}\n":     "kind: jsonl",
		`{"phones":[{"v":1}]} {"a":1}`: "kind: jsonl",
		`{"a":[1]}`:                    "Its arrays are at a.",
		"\xff\xfe[\x00":                "Save it in UTF-8.",
		"id,name\n":                    "Check that path names the right file.",
		"%PDF-1.7\n":                   "Export the contacts as CSV instead.",
		`{"a" 1}`:                      "Write the file with a JSON library",
	} {
		_, err := format{}.Open(t.Context(), file.Input{ReaderAt: strings.NewReader(content), Size: int64(len(content)), Name: "a"})
		if err == nil || !strings.Contains(err.Error()+failure.Of(err).Hint, want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
	in := `{"data":[{"id":1}]}`
	_, err := format{[]string{"contacts"}}.Open(t.Context(), file.Input{ReaderAt: strings.NewReader(in), Size: int64(len(in)), Name: "a"})
	if err == nil || !strings.Contains(failure.Of(err).Hint, "Its arrays are at data.") {
		t.Errorf("a path that is not there: %v", err)
	}
}

func TestOtherArraysAreSaid(t *testing.T) {
	in := `{"data":[{"id":1}],"old":[{"id":2}]}`
	table, err := format{}.Open(t.Context(), file.Input{ReaderAt: strings.NewReader(in), Size: int64(len(in)), Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if what, problems := table.Describe(); !strings.HasPrefix(what, "the array at data, ") || len(problems) != 1 || !strings.Contains(problems[0].Message, "data is read, and not old") {
		t.Errorf("%s %v", what, problems)
	}
}

func TestTheEndOfADOSTextIsNoBrokenDocument(t *testing.T) {
	for _, content := range []string{"[{\"id\":1}]\r\n\x1a", "{\"a\":[{\"id\":1}]}\x1a"} {
		if _, records := filetest.Run(t, format{}, []byte(content)); len(records) != 1 || records[0] != "1" {
			t.Errorf("%q: records %q", content, records)
		}
	}
}

// FuzzRecords checks that whatever a file holds, reading it from any record on gives the same records.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"a":[{"id":1,"x":["y"]},7,{"id":2}]}`))
	f.Add([]byte(`[{"id":1},{"id":"\"]"},{"id":{"b":null}},]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := (format{}).Open(t.Context(), file.Input{ReaderAt: strings.NewReader(string(content)), Size: int64(len(content))}); err != nil {
			return
		}
		filetest.Run(t, format{}, content)
	})
}
