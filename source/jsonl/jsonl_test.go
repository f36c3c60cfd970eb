package jsonl

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
)

const sample = "\xef\xbb\xbf{\"id\":9007199254740993,\"name\":{\"first\":\"J\\u00e4ne\",\"last\":\"Doe\"},\"phones\":[\"+447700900001\",{\"value\":\"+447700900002\"}],\"n\":1e+10,\"x\":null}\n" +
	"\n" +
	"{\"id\":2,\"name\":\"Bob\",\"name\":\"Rob\",\"ok\":true,\"a.b\":{\"c\":-0.50}}\r\n" +
	"[1,2]\n" +
	"{\"id\":3,\"name\":\"bad\" \"x\"}\n" +
	"{\"id\":4,\"name\":\"Z\xe9\"}\n" +
	"{\"id\":5,\"na"

func TestRecords(t *testing.T) {
	columns, records := filetest.Run(t, format{}, []byte(sample))
	if got := strings.Join(columns, " "); got != "id name.first name.last phones n x name ok a.b.c" {
		t.Errorf("columns %s", got)
	}
	want := []string{
		`9007199254740993|Jäne|Doe|["+447700900001",{"value":"+447700900002"}]|1e+10||||`,
		"2||||||Rob|true|-0.50", "fault: no_object", "fault: invalid_json", "4||||||Z\xe9||", "fault: invalid_json",
	}
	if !slices.Equal(records, want) {
		t.Errorf("records\n%s\nwant\n%s", strings.Join(records, "\n"), strings.Join(want, "\n"))
	}
}

func TestJoinedFilesAndTextsOfDOS(t *testing.T) {
	_, records := filetest.Run(t, format{}, []byte("\xef\xbb\xbf{\"id\":1}\r\n\xef\xbb\xbf{\"id\":2}\r\n\x1a"))
	if !slices.Equal(records, []string{"1", "2"}) {
		t.Errorf("records %q", records)
	}
}

func TestRecordsThatAreTooLongOrDeepCostNoOther(t *testing.T) {
	content := "{\"id\":1}\n{\"id\":\"" + strings.Repeat("x", 1<<20) + "\"}\n" +
		"{\"id\":2,\"l\":" + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n" +
		"{\"id\":3,\"o\":" + strings.Repeat("{\"o\":", 20000) + "1" + strings.Repeat("}", 20000) + "}\n{\"id\":4}"
	_, records := filetest.Run(t, format{}, []byte(content))
	for i, want := range []string{"1", "fault: too_long", "fault: too_deep", "fault: too_deep", "4"} {
		if len(records) != 5 || strings.TrimRight(records[i], "|") != want {
			t.Fatalf("%d records; %d is %.40q, want %q", len(records), i, records[min(i, len(records)-1)], want)
		}
	}
}

func TestKeysThatNoRecordHas(t *testing.T) {
	in := file.Input{ReaderAt: strings.NewReader(`{"id":1,"address":{"city":"Rome"}}`), Size: 34, Wanted: []string{"deleted_at", "id", "address", `first(a, "b") + address.city`}}
	table, err := format{}.Open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	_, problems := table.Describe()
	if got := strings.Join(table.Columns(), " "); got != "id address.city address a deleted_at" || len(problems) != 1 || problems[0].Message != "no record has a, deleted_at" {
		t.Errorf("columns %s, problems %v", got, problems)
	}
	records, err := table.Records(in)
	if err != nil {
		t.Fatal(err)
	}
	var rec file.Record
	if err := records.Next(&rec); err != nil || string(rec.Values[2]) != `{"city":"Rome"}` {
		t.Errorf("%v, the object is %q", err, rec.Values[2])
	}
}

func TestWhatIsNoJSONLinesIsRefusedWithAHint(t *testing.T) {
	for content, want := range map[string]string{
		"[{\"id\":1}]":                          "Use kind: json.",
		"\xff\xfe{\x00":                         "Save it in UTF-8.",
		"%PDF-1.7\n":                            "Export the contacts as CSV instead.",
		"id,name\n1,Ann\n2,Bob\n3,Eve\n4,Zoe\n": "Write one object a line",
	} {
		_, err := format{}.Open(t.Context(), file.Input{ReaderAt: strings.NewReader(content), Size: int64(len(content)), Name: "a"})
		if err == nil || !strings.Contains(err.Error()+failure.Of(err).Hint, want) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
}

// With no fields and no id the usual names are taken, also those of keys within objects.
func TestUsualKeysWithinObjects(t *testing.T) {
	content := `{"uuid":"u1","name":{"first":"Jane","last":"Doe"},"company":{"id":7,"name":"Acme"},"emails":[{"type":"work","value":"j@x.example"}],` +
		`"phones":{"home":"+447700900001","mobile":"+447700900002"},"address":{"street":"1 Low St","city":"Leeds","country":"UK"}}` + "\n"
	var got []string
	filetest.Serve(t, "a.jsonl", content, func(folder string) (source.Factory, error) {
		template, err := source.ParseTemplate("a.jsonl")
		if err != nil {
			return nil, err
		}
		return New(Config{Config: file.Config{Path: template}}, source.Deps{Folder: folder})
	}, func(c *bridge.Change) {
		got = append(got, strings.Join([]string{c.Contact.ID, c.Contact.Name, c.Contact.Company, c.Contact.Address, strings.Join(c.Contact.Phones, " "), strings.Join(c.Contact.Emails, " ")}, "|"))
	})
	want := `u1|Jane Doe|Acme|1 Low St, Leeds, UK|+447700900001 +447700900002|[{"type":"work","value":"j@x.example"}]`
	if len(got) != 1 || got[0] != want {
		t.Errorf("contacts %q, want %s", got, want)
	}
}

// FuzzRecords checks that whatever a file holds, reading it from any record on gives the same records.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("{}\n{\"a\":{\"b\":[1,{\"c\":null}]}}\n{\"a\":\"\\ud800\"}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := (format{}).Open(t.Context(), file.Input{ReaderAt: strings.NewReader(string(content)), Size: int64(len(content))}); err != nil {
			return
		}
		filetest.Run(t, format{}, content)
	})
}
