package rest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// peopleOnce is an API that gives all people in one answer.
const peopleOnce = "language: 1\nurl: https://api.example.com\nauth: [{by: none}]\nverify: {path: /me}\nid: id\n" +
	"changes: {path: /people, records: data, order: none, page: {by: none}}\ndeletions: {by: none}\nfields: {name: name}\n"

// answeringPeople answers the request for people with a body as it is, and every other with an empty object.
func answeringPeople(body, contentType string) roundTripperOf {
	return func(r *http.Request) (*http.Response, error) {
		header := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}, "Content-Type": {contentType}}
		sent := body
		if r.URL.Path != "/people" {
			sent = "{}"
		}
		return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(sent)), ContentLength: int64(len(sent)), Request: r}, nil
	}
}

// namesRead returns the names of an initial run, and what is said of those that were rejected.
func namesRead(t *testing.T, text string, transport http.RoundTripper) (string, error) {
	t.Helper()
	s, err := open(t.Context(), "rest", text, transport, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run, err := s.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for c, err := range s.Read(t.Context(), run, nil, 0) {
		switch {
		case err != nil:
			return strings.Join(names, "|"), err
		case c.Rejected != "":
			names = append(names, "-"+c.Contact.ID+" "+c.Rejected)
		default:
			names = append(names, c.Contact.Name)
		}
	}
	return strings.Join(names, "|"), nil
}

// inUTF16 returns a text in UTF-16, with a byte order mark or without one.
func inUTF16(text, mark string, bigEndian bool) string {
	b := []byte(mark)
	for _, unit := range utf16.Encode([]rune(text)) {
		low, high := byte(unit), byte(unit>>8)
		if bigEndian {
			low, high = high, low
		}
		b = append(b, low, high)
	}
	return string(b)
}

// JSON is UTF-8, and some services answer in another character set: its name or the bytes say which one.
func TestAnswersInOtherCharacterSetsAreDecoded(t *testing.T) {
	const damaged = "its text is not UTF-8, and the answer is not in ISO-8859-1 either"
	of := func(names ...string) string {
		return `{"data":[{"id":"1","name":"` + strings.Join(names, `"},{"id":"2","name":"`) + `"}]}`
	}
	for name, c := range map[string]struct{ body, contentType, want string }{
		"ISO-8859-1":                        {of("J\xf6rg M\xfc\xdfig"), "application/json; charset=ISO-8859-1", "Jörg Müßig"},
		"Windows-1252":                      {of("\x84J\xf6rg\x93 \x80"), "application/json; charset=windows-1252", "„Jörg“ €"},
		"ISO-8859-15":                       {of("J\xf6rg \xa4"), "application/json; charset=ISO-8859-15", "Jörg €"},
		"ISO-8859-2":                        {of("Luk\xe1\xb9"), "application/json; charset=iso-8859-2", "Lukáš"},
		"KOI8-R":                            {of("\xe9\xd7\xc1\xce"), "application/json; charset=koi8-r", "Иван"},
		"nothing, and bytes say it":         {of("J\xf6rg"), "application/json", "Jörg"},
		"nothing, and UTF-8":                {of("Jörg"), "", "Jörg"},
		"UTF-8, and bytes are not":          {of("J\xf6rg"), "application/json; charset=utf-8", "Jörg"},
		"ISO-8859-1, and bytes are UTF-8":   {of("Jörg"), "application/json; charset=ISO-8859-1", "Jörg"},
		"an unknown set, and UTF-8":         {of("Jörg"), "application/json; charset=none", "Jörg"},
		"a byte order mark":                 {"\xef\xbb\xbf" + of("Jörg"), "application/json", "Jörg"},
		"UTF-16 with a mark":                {inUTF16(of("Jörg 名"), "\xff\xfe", false), "application/json", "Jörg 名"},
		"UTF-16, the other order":           {inUTF16(of("Jörg 名"), "\xfe\xff", true), "application/json; charset=utf-16", "Jörg 名"},
		"UTF-16 without a mark":             {inUTF16(of("Jörg"), "", false), "application/json; charset=utf-16", "Jörg"},
		"UTF-16 without a mark, big-endian": {inUTF16(of("Jörg"), "", true), "application/json", "Jörg"},
		"one name that is broken":           {of("Zoë", "J\xf6rg"), "application/json", "Zoë|-2 " + damaged},
		"a broken id":                       {`{"data":[{"id":"é","name":"Zoë"},{"id":"` + "\xf6" + `","name":"Anna"}]}`, "application/json", "Zoë|- " + damaged},
		"what no field uses":                {`{"data":[{"id":"é","name":"Zoë","note":"` + "\xf6" + `"}]}`, "application/json", "Zoë"},
	} {
		got, err := namesRead(t, peopleOnce, answeringPeople(c.body, c.contentType))
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	_, err := namesRead(t, peopleOnce, answeringPeople(of("J\xf6rg"), "application/json; charset=klingon"))
	if said := failure.Of(err); said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Message, "klingon") {
		t.Errorf("an unknown character set: %v", err)
	}
	paged := strings.Replace(peopleOnce, "{by: none}}\ndel", "{by: cursor, next: next}}\ndel", 1)
	_, err = namesRead(t, paged, answeringPeople(`{"data":[{"id":"é","name":"Zoë"}],"next":"`+"\xf6"+`"}`, "application/json"))
	if bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(err.Error(), "next page is not UTF-8") {
		t.Errorf("a damaged cursor: %v", err)
	}
}
