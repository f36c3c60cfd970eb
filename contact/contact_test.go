package contact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/contact"
)

// jane has something in every field.
func jane() contact.Contact {
	return contact.Contact{
		ID: "1", Name: "Jane Doe", Title: "CTO", Company: "Example Corp.",
		Emails: []string{"jane@example.com", "jd@example.org"}, Phones: []string{"+15555555555"},
		Websites: []string{"https://example.com"}, PhotoURL: "https://example.com/jane.png",
		Address: "37, Famous St., New York, US", Twitter: "jane_doe", URL: "https://crm.example.com/1",
		CustomFields: []contact.CustomField{{Key: "Plan", Value: "Gold"}},
	}
}

// anyContact draws a contact from all that a source may yield, invalid UTF-8 and empty entries included.
func anyContact(t *rapid.T) contact.Contact {
	text := rapid.OneOf(
		rapid.Just(""), rapid.StringMatching(`[a-zA-Z0-9 +@.]{1,20}`), rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
	)
	list := rapid.SliceOfN(text, 0, 3)
	field := rapid.Custom(func(t *rapid.T) contact.CustomField {
		return contact.CustomField{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")}
	})
	return contact.Contact{
		ID: text.Draw(t, "id"), Name: text.Draw(t, "name"), Title: text.Draw(t, "title"),
		Company: text.Draw(t, "company"), Emails: list.Draw(t, "emails"), Phones: list.Draw(t, "phones"),
		Websites: list.Draw(t, "websites"), PhotoURL: text.Draw(t, "photo_url"), Address: text.Draw(t, "address"),
		Twitter: text.Draw(t, "twitter"), URL: text.Draw(t, "url"),
		CustomFields: rapid.SliceOfN(field, 0, 3).Draw(t, "custom_fields"),
	}
}

// asRead returns what a reader gets of a contact that was written: bytes that are not UTF-8 replaced, empty entries gone.
func asRead(c contact.Contact) contact.Contact {
	text := func(s string) string { return string([]rune(s)) }
	list := func(in []string) (out []string) {
		for _, s := range in {
			if s != "" {
				out = append(out, text(s))
			}
		}
		return out
	}
	var fields []contact.CustomField
	for _, f := range c.CustomFields {
		if f.Key != "" && f.Value != "" {
			fields = append(fields, contact.CustomField{Key: text(f.Key), Value: text(f.Value)})
		}
	}
	return contact.Contact{
		ID: text(c.ID), Name: text(c.Name), Title: text(c.Title), Company: text(c.Company), Emails: list(c.Emails),
		Phones: list(c.Phones), Websites: list(c.Websites), PhotoURL: text(c.PhotoURL), Address: text(c.Address),
		Twitter: text(c.Twitter), URL: text(c.URL), CustomFields: fields,
	}
}

func TestValidateAsksForAnID(t *testing.T) {
	c := jane()
	if err := c.Validate(); err != nil {
		t.Errorf("complete contact: %v", err)
	}
	for _, id := range []string{"", " ", "\t\n"} {
		c.ID = id
		if err := c.Validate(); !errors.Is(err, contact.ErrNoID) {
			t.Errorf("id %q: got %v", id, err)
		}
	}
}

func TestFillNameTakesTheBestThereIs(t *testing.T) {
	cases := []struct {
		in    contact.Contact
		name  string
		given bool
	}{
		{contact.Contact{ID: "1", Name: "Jane", Company: "Example"}, "Jane", false},
		{contact.Contact{ID: "1", Company: "Example", Emails: []string{"a@b.c"}}, "Example", true},
		{contact.Contact{ID: "1", Company: " ", Emails: []string{"", "a@b.c"}, Phones: []string{"+1"}}, "a@b.c", true},
		{contact.Contact{ID: "1", Name: "  ", Phones: []string{" ", "+1"}}, "+1", true},
		{contact.Contact{ID: "1"}, "1", true},
	}
	for _, c := range cases {
		got := c.in
		if given := got.FillName(); given != c.given || got.Name != c.name {
			t.Errorf("%+v: got %q, %v", c.in, got.Name, given)
		}
	}
}

func TestProblemsNameTheField(t *testing.T) {
	whole := jane()
	if found := whole.Problems(); found != nil {
		t.Errorf("complete contact: %v", found)
	}
	bad := contact.Contact{
		Emails: []string{"not an email", ""}, Title: "caf\xe9", URL: "crm/1", PhotoURL: "ftp://x",
		CustomFields: []contact.CustomField{{Key: "k", Value: "\xff"}},
	}
	var got []string
	for _, p := range bad.Problems() {
		got = append(got, p.Code+" "+p.Field)
	}
	want := []string{
		"no_id id", "no_name name", "no_phones phones", "bad_text title", "bad_text custom_fields",
		"bad_email emails", "empty_item emails", "bad_url photo_url", "bad_url url",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyContact(t)
		if d := c.Clone(); !reflect.DeepEqual(c, d) {
			t.Fatal(cmp.Diff(c, d))
		}
	})
	c := jane()
	d := c.Clone()
	c.Phones[0], c.Emails[1], c.CustomFields[0].Value = "x", "x", "x"
	if want := jane(); !reflect.DeepEqual(d, want) {
		t.Error(cmp.Diff(want, d))
	}
}

func TestHashTellsContentsApart(t *testing.T) {
	base := jane()
	seen := map[[16]byte]string{base.Hash(): "the contact itself"}
	changes := map[string]func(*contact.Contact){
		"id":            func(c *contact.Contact) { c.ID = "2" },
		"name":          func(c *contact.Contact) { c.Name = "Jane" },
		"title":         func(c *contact.Contact) { c.Title = "" },
		"title moved":   func(c *contact.Contact) { c.Title, c.Company = "", "CTOExample Corp." },
		"company":       func(c *contact.Contact) { c.Company = "Example" },
		"emails":        func(c *contact.Contact) { c.Emails = c.Emails[:1] },
		"order":         func(c *contact.Contact) { c.Emails = []string{c.Emails[1], c.Emails[0]} },
		"joined":        func(c *contact.Contact) { c.Emails = []string{c.Emails[0] + c.Emails[1]} },
		"moved":         func(c *contact.Contact) { c.Phones, c.Websites = append(c.Phones, c.Websites...), nil },
		"phones":        func(c *contact.Contact) { c.Phones = []string{"+15555555556"} },
		"websites":      func(c *contact.Contact) { c.Websites = nil },
		"photo":         func(c *contact.Contact) { c.PhotoURL = "" },
		"address":       func(c *contact.Contact) { c.Address = "" },
		"twitter":       func(c *contact.Contact) { c.Twitter = "" },
		"url":           func(c *contact.Contact) { c.URL = "" },
		"custom fields": func(c *contact.Contact) { c.CustomFields = nil },
		"custom value":  func(c *contact.Contact) { c.CustomFields[0] = contact.CustomField{Key: "PlanGold"} },
	}
	for name, change := range changes {
		c := jane()
		change(&c)
		if other, found := seen[c.Hash()]; found {
			t.Errorf("%s hashes as %s", name, other)
		}
		seen[c.Hash()] = name
	}
}

func TestHashIsStable(t *testing.T) {
	c := jane()
	if got := c.Hash(); got != c.Hash() {
		t.Error("two hashes of one contact differ")
	}
	empty, none := contact.Contact{ID: "1", Phones: []string{}}, contact.Contact{ID: "1"}
	if empty.Hash() != none.Hash() {
		t.Error("an empty list and none differ")
	}
	// The value is written down: directories keep hashes across releases.
	want := [16]byte{0x4a, 0xfe, 0xaf, 0x72, 0xa0, 0x6c, 0xc8, 0xdf, 0x17, 0x60, 0x73, 0x39, 0xc, 0xf7, 0xfd, 0xb1}
	if got := c.Hash(); got != want {
		t.Errorf("got %#v", got)
	}
}

func TestWrittenStrictly(t *testing.T) {
	whole := jane()
	cases := []struct {
		name string
		in   contact.Contact
		want string
	}{
		{"P10, every field", whole, `{"id":"1","name":"Jane Doe","title":"CTO","company":"Example Corp.",` +
			`"emails":["jane@example.com","jd@example.org"],"phones":["+15555555555"],` +
			`"photo_url":"https://example.com/jane.png","address":"37, Famous St., New York, US",` +
			`"websites":["https://example.com"],"twitter":"jane_doe","url":"https://crm.example.com/1",` +
			`"custom_fields":[{"key":"Plan","value":"Gold"}]}`},
		{"D1, absent rather than empty", contact.Contact{
			ID: "1", Name: "J", Emails: []string{}, Phones: []string{"", ""},
			CustomFields: []contact.CustomField{{Key: "k"}, {Value: "v"}},
		}, `{"id":"1","name":"J"}`},
		{"empty entries are passed over", contact.Contact{
			ID: "1", Name: "J", Phones: []string{"", "1", "", "2"},
			CustomFields: []contact.CustomField{{}, {Key: "a", Value: "b"}, {}, {Key: "c", Value: "d"}},
		}, `{"id":"1","name":"J","phones":["1","2"],"custom_fields":[{"key":"a","value":"b"},{"key":"c","value":"d"}]}`},
		{"escapes", contact.Contact{ID: "\"\\\n\r\t\x00\x1f", Name: "a\u2028b\u2029c é 😀 <&>"}, `{"id":"\"\\\n\r\t\u0000\u001f","name":"a\u2028b\u2029c é 😀 <&>"}`},
		{"invalid UTF-8", contact.Contact{ID: "caf\xe9", Name: "\xff\xfe \xe2\x82"}, "{\"id\":\"caf\uFFFD\",\"name\":\"\uFFFD\uFFFD \uFFFD\uFFFD\"}"},
	}
	for _, c := range cases {
		if got := string(c.in.AppendJSON(nil)); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
	if got, err := json.Marshal(whole); err != nil || string(got) != cases[0].want {
		t.Errorf("json.Marshal: %s, %v", got, err)
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	c := jane()
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = c.AppendJSON(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var hash [16]byte
	if n := testing.AllocsPerRun(100, func() { hash = c.Hash() }); n != 0 {
		t.Errorf("hash %x: %v allocations", hash, n)
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyContact(t)
		c.ID = "i" + c.ID
		checkRoundTrip(t, c)
		checkSameAsStandard(t, c)
	})
}

// wire is a contact as encoding/json writes it, in the order of the protocol.
type wire struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Title        string   `json:"title,omitempty"`
	Company      string   `json:"company,omitempty"`
	Emails       []string `json:"emails,omitempty"`
	Phones       []string `json:"phones,omitempty"`
	PhotoURL     string   `json:"photo_url,omitempty"`
	Address      string   `json:"address,omitempty"`
	Websites     []string `json:"websites,omitempty"`
	Twitter      string   `json:"twitter,omitempty"`
	URL          string   `json:"url,omitempty"`
	CustomFields []field  `json:"custom_fields,omitempty"`
}

type field struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// checkSameAsStandard compares what is written, byte for byte, with what encoding/json writes of the same contact.
func checkSameAsStandard(t rapid.TB, c contact.Contact) {
	t.Helper()
	r := asRead(c)
	w := wire{
		ID: r.ID, Name: r.Name, Title: r.Title, Company: r.Company, Emails: r.Emails, Phones: r.Phones, PhotoURL: r.PhotoURL,
		Address: r.Address, Websites: r.Websites, Twitter: r.Twitter, URL: r.URL,
	}
	for _, f := range r.CustomFields {
		w.CustomFields = append(w.CustomFields, field(f))
	}
	if got, want := string(c.AppendJSON(nil)), standard(t, w); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// standard returns what encoding/json writes without its escapes for HTML.
func standard(t rapid.TB, value any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Every byte, and some characters of more than one, at every place of texts of up to two words of the encoder and more.
func TestStringsAreWrittenAsTheStandardDoes(t *testing.T) {
	odd := []string{"é", "\u07ff", "\u0800", "東", "\u2027", "\u2030", "\ud7ff", "\ue000", "\xed\xa0\x80", "\xe0\x80\x80", "\xc1\xbf", "\xdf", "\xe3\x81", "😀", "\u2028", "\u2029", "\uFFFD", "\xe2\x80", "\xe2\x80\xa8\xff", "\x00\x01\x21\x22\x23"}
	for b := range 256 {
		odd = append(odd, string([]byte{byte(b)}))
	}
	for _, text := range odd {
		for _, beside := range []string{"a", "!", "]", "\x7f", "\"", "\x1f", "\x80"} {
			for length := range 26 {
				for at := range length + 1 {
					s := strings.Repeat(beside, at) + text + strings.Repeat(beside, length-at)
					if got, want := string(contact.AppendString(nil, s)), standard(t, string([]rune(s))); got != want {
						t.Fatalf("%q: got %s, want %s", s, got, want)
					}
				}
			}
		}
	}
}

// checkRoundTrip writes a contact and reads it with encoding/json and with Decode.
func checkRoundTrip(t rapid.TB, c contact.Contact) {
	t.Helper()
	wire := c.AppendJSON(nil)
	if !utf8.Valid(wire) {
		t.Fatalf("not UTF-8: %q", wire)
	}
	if !json.Valid(wire) {
		t.Fatalf("not JSON: %q", wire)
	}
	var got contact.Contact
	if err := json.Unmarshal(wire, &got); err != nil {
		t.Fatalf("%v: %s", err, wire)
	}
	if want := asRead(c); !reflect.DeepEqual(want, got) {
		t.Fatal(cmp.Diff(want, got))
	}
	var generic struct{ ID, Name string }
	if err := json.Unmarshal(wire, &generic); err != nil || generic.ID != got.ID || generic.Name != got.Name {
		t.Fatalf("encoding/json reads %+v, %v", generic, err)
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("1", "Jane\u2028", "a\x00b", "\xff", "k", "v")
	f.Fuzz(func(t *testing.T, id, name, phone, email, key, value string) {
		if strings.TrimSpace(id) == "" {
			id = "1"
		}
		c := contact.Contact{
			ID: id, Name: name, Phones: []string{phone, name}, Emails: []string{email},
			CustomFields: []contact.CustomField{{Key: key, Value: value}},
		}
		checkRoundTrip(t, c)
		checkSameAsStandard(t, c)
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	c := jane()
	buf := c.AppendJSON(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = c.AppendJSON(buf[:0])
	}
}

func BenchmarkHash(b *testing.B) {
	c := jane()
	b.ReportAllocs()
	for b.Loop() {
		c.Hash()
	}
}

func BenchmarkClone(b *testing.B) {
	c := jane()
	b.ReportAllocs()
	for b.Loop() {
		c.Clone()
	}
}
