package contact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/contact"
)

func TestReadLeniently(t *testing.T) {
	cases := []struct {
		name string
		in   string
		want contact.Contact
	}{
		{"null is absent", `{"id":"1","name":null,"title":null,"emails":null,"custom_fields":null}`, contact.Contact{ID: "1"}},
		{"empty is absent", `{"id":"1","name":"","emails":[],"phones":["",null],"custom_fields":[]}`, contact.Contact{ID: "1"}},
		{"a number as id is taken literally", `{"id":12345678901234567890,"name":"J"}`, contact.Contact{ID: "12345678901234567890", Name: "J"}},
		{"so is one with an exponent", `{"id":1e3}`, contact.Contact{ID: "1e3"}},
		{"unknown fields are ignored", `{"x":{"id":"2","y":[1,{}]},"id":"1","z":null}`, contact.Contact{ID: "1"}},
		{
			"a string is a list of one", `{"id":"1","phones":"+1","emails":"a@b.c","websites":""}`,
			contact.Contact{ID: "1", Phones: []string{"+1"}, Emails: []string{"a@b.c"}},
		},
		{"a number is a phone", `{"id":"1","phones":[15550100,"+1"]}`, contact.Contact{ID: "1", Phones: []string{"15550100", "+1"}}},
		{"one number is a list of phones", `{"id":"1","phones":15550100}`, contact.Contact{ID: "1", Phones: []string{"15550100"}}},
		{
			"custom values become text", `{"id":"1","custom_fields":[{"key":"a","value":1.50},{"value":true,"key":"b"},null,` +
				`{"key":"c","value":null},{"key":"d","value":"x","more":[1]},{"value":"no key"}]}`,
			contact.Contact{ID: "1", CustomFields: []contact.CustomField{{"a", "1.50"}, {"b", "true"}, {"d", "x"}}},
		},
		{"duplicate keys: the last wins", `{"id":"1","id":"2","phones":["1"],"phones":["2"]}`, contact.Contact{ID: "2", Phones: []string{"2"}}},
		{"invalid UTF-8 is mended", "{\"id\":\"caf\xe9\",\"na\xffme\":1,\"name\":\"\\ud800\"}", contact.Contact{ID: "caf\uFFFD", Name: "\uFFFD"}},
		{"escapes", `{"\u0069d":"\u00e9\n\ud83d\ude00","na\\me":"x"}`, contact.Contact{ID: "é\n😀"}},
		{"white space", " {\n\t\"id\" : \"1\" , \"phones\" : [ \"2\" , \"3\" ] } ", contact.Contact{ID: "1", Phones: []string{"2", "3"}}},
	}
	for _, c := range cases {
		var got contact.Contact
		reason, err := got.Decode(contact.NewDecoder(strings.NewReader(c.in)))
		if err != nil || reason != "" {
			t.Errorf("%s: %q, %v", c.name, reason, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// rejected are contacts that cannot be taken: the JSON, the id that is known all the same, and the reason.
var rejected = []struct{ in, id, reason string }{
	{`{}`, "", "has no id"},
	{`{"id":null,"name":"J"}`, "", "has no id"},
	{`{"id":"  "}`, "  ", "has no id"},
	{`{"id":{"x":1},"name":"J"}`, "", "id is an object, not a string"},
	{`{"id":[1]}`, "", "id is an array, not a string"},
	{`{"id":true}`, "", "id is a boolean, not a string"},
	{`{"name":[],"id":"7"}`, "7", "name is an array, not a string"},
	{`{"phones":{"a":"b"},"emails":false,"id":"7"}`, "7", "phones is an object, not an array of strings"},
	{`{"phones":["1",["2"],"3"],"id":"7"}`, "7", "phones holds something that is not a string"},
	{`{"id":"7","custom_fields":{"a":"b"}}`, "7", "custom_fields is an object, not an array"},
	{`{"id":"7","custom_fields":[{"key":"a","value":"b"},"x",{"key":"c","value":"d"}]}`, "7", "custom_fields is a string, not an array of objects"},
	{`{"id":"7","custom_fields":[{"key":"a","value":[1]}]}`, "7", "a custom field's value is an array, not a string"},
	{`{"id":"7","custom_fields":[{"key":{},"value":1}]}`, "7", "a custom field's key is an object, not a string"},
	{`null`, "", "is null, not an object"},
	{`"7"`, "", "is a string, not an object"},
	{`[{"id":"7"}]`, "", "is an array, not an object"},
	{`12`, "", "is a number, not an object"},
}

// D6: a bad contact never stops the page, so the decoder must stand exactly after it.
func TestABadContactGivesAReasonAndReadingGoesOn(t *testing.T) {
	for _, c := range rejected {
		dec := contact.NewDecoder(strings.NewReader(c.in + `{"id":"next"}`))
		var got contact.Contact
		reason, err := got.Decode(dec)
		if err != nil || reason != c.reason || got.ID != c.id {
			t.Errorf("%s: got id %q, reason %q, error %v; want %q, %q", c.in, got.ID, reason, err, c.id, c.reason)
		}
		if reason, err := got.Decode(dec); err != nil || reason != "" || got.ID != "next" {
			t.Errorf("%s: next contact: id %q, reason %q, error %v", c.in, got.ID, reason, err)
		}
	}
}

func TestWhatIsNotJSONIsAnErrorNotAReason(t *testing.T) {
	whole := jane()
	wire := whole.AppendJSON(nil)
	for cut := range wire {
		var c contact.Contact
		reason, err := c.Decode(contact.NewDecoder(bytes.NewReader(wire[:cut])))
		if err == nil {
			t.Fatalf("cut at %d: no error, reason %q", cut, reason)
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	for _, in := range []string{`{"id"}`, `{"id":}`, `{"id":"1",}`, `{"id":"1" "name":"x"}`, `{id:1}`, `{"phones":[1,]}`, `{"id":01}`, `<html>`, `{"custom_fields":[{]}`} {
		var c contact.Contact
		if reason, err := c.Decode(contact.NewDecoder(strings.NewReader(in))); err == nil {
			t.Errorf("%s: no error, reason %q", in, reason)
		}
	}
}

func TestUnmarshalJSONTakesOneWholeContact(t *testing.T) {
	var c contact.Contact
	if err := json.Unmarshal([]byte(`{"id":1}`), &c); err != nil || c.ID != "1" {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, in := range []string{`{}`, `[]`, `{"id":"1"} {}`, `{"id":`} {
		if err := c.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%s: no error", in)
		}
	}
}

func FuzzRead(f *testing.F) {
	whole := jane()
	f.Add(whole.AppendJSON(nil))
	for _, c := range rejected {
		f.Add([]byte(c.in))
	}
	f.Add([]byte("{\"id\":\"\\ud800\xff\",\"phones\":\"1\",\"custom_fields\":[{\"key\":\"a\",\"value\":1}]}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var c contact.Contact
		reason, err := c.Decode(contact.NewDecoder(bytes.NewReader(in)))
		if err != nil || reason != "" {
			return
		}
		wire := c.AppendJSON(nil)
		if !utf8.Valid(wire) || !json.Valid(wire) {
			t.Fatalf("written as %q", wire)
		}
		var again contact.Contact
		if err := json.Unmarshal(wire, &again); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%v\n%s", err, cmp.Diff(c, again))
		}
		if c.Hash() != again.Hash() {
			t.Fatal("the same contact hashes differently")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	c := jane()
	wire := bytes.Repeat(append(c.AppendJSON(nil), '\n'), 1000)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		dec := contact.NewDecoder(bytes.NewReader(wire))
		for range 1000 {
			if reason, err := c.Decode(dec); err != nil || reason != "" {
				b.Fatal(reason, err)
			}
		}
	}
}
