package record_test

import (
	"slices"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source/record"
)

// encodedMappers are mappers over the columns a to f whose contacts are written from the values.
func encodedMappers(t testing.TB) []*record.Mapper {
	columns := []string{"a", "b", "c", "d", "e", "f"}
	all := record.Fields{
		Name: "a", Title: "b", Company: "c", Emails: record.Expressions{"b", "c", "d"}, Phones: record.Expressions{"d", "e"},
		Websites: record.Expressions{"e", "e", "f"}, PhotoURL: "b", Address: "c", Twitter: "d", URL: "e", Country: "f",
		CustomFields: record.CustomFields{{Key: "Plan", Expression: "b"}, {Key: `"` + "\u2028\xff", Expression: "c"}, {Key: "Plan", Expression: "d"}},
	}
	var list []*record.Mapper
	for _, fields := range []record.Fields{
		all,
		{Name: "f"},
		{Name: "b", Country: "a", CustomFields: record.CustomFields{{Key: "k", Expression: "c"}}},
		{Name: "a", Phones: record.Expressions{"b"}, URL: "c"},
		{Name: "a", Websites: record.Expressions{"b", "c", "d", "e", "f"}},
	} {
		for _, compiler := range []record.Compiler{{}, {Lists: true}} {
			m, err := compiler.Mapper(fields, columns)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, m)
		}
	}
	return list
}

// checkEncoded checks that the JSON that is written of values is that of the contact that is made of them. It reports whether any is.
func checkEncoded(t testing.TB, m *record.Mapper, id string, values [][]byte) (encoded bool) {
	t.Helper()
	var short, row record.Row
	got, ok := m.AppendJSON([]byte("before"), &short, id, values)
	if !ok {
		return false
	}
	row.Start(id, false)
	if err := m.Fill(&row, values); err != nil {
		t.Fatalf("%q is written, but it cannot be read: %v", values, err)
	}
	c := row.Contact
	if want := "before" + string(c.AppendJSON(nil)); string(got) != want {
		t.Errorf("%q is written as\n%s, want\n%s", values, got, want)
	}
	if err := c.Validate(); err != nil || c.FillName() {
		t.Errorf("%q is written, but it is not sent as it is: %v", values, err)
	}
	s := short.Contact
	if s.ID != id || !slices.Equal(s.Emails, c.Emails) || !slices.Equal(s.Phones, c.Phones) || !slices.Equal(s.Websites, c.Websites) || s.Country != c.Country {
		t.Errorf("of %q the row has %+v, want the lists of %+v", values, s, c)
	}
	return true
}

func FuzzEncodedIsTheContact(f *testing.F) {
	mappers := encodedMappers(f)
	f.Add("1", "Jane Doe", "CTO", "Acme", "a@x", "", "\x00")
	f.Add("1", " \u00a0", "b", "b", "b", "b", "b")
	f.Add(" ", "a", "[\"x\"]", "{}", "=\"1\"", " 2 ", "\u2029\"\\\n")
	f.Add("é", "Jürgen Müller", "東京", "\xe2\x80", "", "long enough for words of eight bytes", "🦊")
	f.Fuzz(func(t *testing.T, id, a, b, c, d, e, last string) {
		values := bytesOf(a, b, c, d, e, last)
		for _, m := range mappers {
			for n := range len(values) + 1 { // a record may be shorter than the header
				checkEncoded(t, m, id, values[:n])
			}
		}
	})
}

func TestPlainColumnsAreEncoded(t *testing.T) {
	values := bytesOf("Jane Doe", "CTO", "Büro \"Nord\"", "4155552671", "x", "US")
	for i, m := range encodedMappers(t) {
		if !checkEncoded(t, m, "1", values) {
			t.Errorf("mapper %d does not write %q", i, values)
		}
	}
	m := encodedMappers(t)[0]
	var row record.Row
	text, _ := m.AppendJSON(nil, &row, "1", values)
	if n := testing.AllocsPerRun(100, func() { text, _ = m.AppendJSON(text[:0], &row, "1", values) }); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func TestWhatIsMoreThanPlainColumnsIsNotEncoded(t *testing.T) {
	columns := []string{"a", "b", "First Name", "Last Name"}
	plain := bytesOf("a", "b", "c", "d")
	large := bytesOf("a", string(make([]byte, 70_000)), "c", "d")
	for name, test := range map[string]struct {
		fields record.Fields
		id     string
		values [][]byte
	}{
		"an expression":          {record.Fields{Name: "a + b"}, "1", plain},
		"no name":                {record.Fields{Title: "a"}, "1", plain},
		"a name in parts":        {record.Fields{}, "1", plain},
		"an empty name":          {record.Fields{Name: "a"}, "1", bytesOf(" ")},
		"no id":                  {record.Fields{Name: "a"}, "\u00a0", plain},
		"a long id":              {record.Fields{Name: "a"}, string(slices.Repeat([]byte{'1'}, contact.MaxID+1)), plain},
		"a large contact":        {record.Fields{Name: "a", Title: "b"}, "1", large},
		"a large country":        {record.Fields{Name: "a", Country: "b"}, "1", large},
		"a custom field's value": {record.Fields{Name: "a", CustomFields: record.CustomFields{{Key: "k", Expression: `upper(a)`}}}, "1", plain},
	} {
		m, err := record.Compile(test.fields, columns)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var row record.Row
		if text, ok := m.AppendJSON(nil, &row, test.id, test.values); ok {
			t.Errorf("%s: %s", name, text)
		}
	}
}
