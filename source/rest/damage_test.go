package rest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
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
	paged := strings.Replace(peopleOnce, "{by: none}}\ndel", "{by: cursor, next: next}, query: {after: \"{{cursor}}\"}}\ndel", 1)
	_, err = namesRead(t, paged, answeringPeople(`{"data":[{"id":"é","name":"Zoë"}],"next":"`+"\xf6"+`"}`, "application/json"))
	if bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(err.Error(), "next page is not UTF-8") {
		t.Errorf("a damaged cursor: %v", err)
	}
}

// zip compresses a text with gzip.
func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is wrong with an answer is said of the answer, and where: not that a key is missing in it. Nothing of its data is shown.
func TestDamagedAnswersSayWhatIsWrong(t *testing.T) {
	const record = `{"data":[{"id":"1","name":"Pia Muster"`
	for name, c := range map[string]struct{ body, contentType, message, hint string }{
		"cut off in a record":   {record, "application/json", "the answer of the API is not valid JSON: it is cut off after 38 bytes", "page.size"},
		"cut off at its end":    {record + "}]", "application/json", "it is cut off after 40 bytes", "page.size"},
		"NaN in a record":       {record + `,"score":NaN}]}`, "application/json", "NaN is not a value of JSON, at data.0.score, after 47 bytes", "the log"},
		"None in a record":      {record + `,"score":None}]}`, "application/json", "None is not a value of JSON, at data.0.score", "the log"},
		"a missing comma":       {record + ` "phone":"1"}]}`, "application/json", "at data.0, after 39 bytes", "the log"},
		"something after it":    {record + `}]} extra`, "application/json", "more follows its end, after 41 bytes", "the log"},
		"empty":                 {"", "application/json", "the answer of the API is empty", "Check the address"},
		"only space":            {" \r\n", "application/json", "the answer of the API is empty", "Check the address"},
		"a message":             {"Fatal error: out of memory\nin index.php", "text/plain", `It begins with "Fatal error: out of memory"`, "the log"},
		"nested deep":           {`{"data":[` + strings.Repeat("[", 20_000), "application/json", "it is nested too deep", "the log"},
		"gzip without a header": {zip(t, record+"}]}"), "application/json", "compressed with gzip, and its header does not say so", "without compression"},
		"an HTML page":          {"<!DOCTYPE html><p>Sign in", "text/html", "the answer is an HTML page, not JSON", "not that of the API"},
		"an HTML page later":    {"\r\n\n <html><p>Sign in", "text/html", "the answer is an HTML page, not JSON", "not that of the API"},
		"a part of a page":      {"\n<div>Sign in</div>", "text/html", "the answer is HTML or XML, not JSON", "not that of the API"},
		"another key":           {`{"people":[]}`, "application/json", "has no list of records at data", "Compare the answer"},
	} {
		for _, text := range []string{peopleOnce, strings.Replace(peopleOnce, "records: data", "records: data, may_miss: true", 1), strings.Replace(peopleOnce, "records: data", "records: $", 1)} {
			if name == "another key" && text != peopleOnce {
				continue
			}
			_, err := namesRead(t, text, answeringPeople(c.body, c.contentType))
			said := failure.Of(err)
			if said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Message, c.message) || !strings.Contains(said.Hint, c.hint) || strings.Contains(said.Error()+said.Hint, "Pia") {
				t.Errorf("%s: %v (%s), want %q, %q", name, err, said.Hint, c.message, c.hint)
			}
		}
	}
	secret := strings.Replace(peopleOnce, "auth: [{by: none}]", "auth: [{by: bearer, token: \"{{token_of_user}}\"}]\nconnection: [{name: token_of_user, title: T, secret: true}]\nvalues: {token_of_user: s3cr3t}", 1)
	if _, err := namesRead(t, secret, answeringPeople("wrong token s3cr3t", "text/plain")); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("an echoed credential: %v", err)
	}
}

// An answer whose body breaks off came from a service that was reached.
func TestAnAnswerThatBreaksOffSaysSo(t *testing.T) {
	whole := zip(t, `{"data":[`+strings.Repeat(`{"id":"1"},`, 1000)+`{"id":"2"}]}`)
	for name, c := range map[string]struct {
		body    string
		header  string
		length  int // that is announced
		code    bridge.Code
		message string
	}{
		"gzip that is cut":           {whole[:len(whole)-9], "gzip", len(whole) - 9, bridge.CodeSourceUnavailable, "broke off after 1"},
		"gzip with another checksum": {whole[:len(whole)-8] + "\x00\x00\x00\x00" + whole[len(whole)-4:], "gzip", len(whole), bridge.CodeSourceBroken, "not compressed with gzip as its header says"},
		"no gzip":                    {`{"data":[], "more": false}`, "gzip", 26, bridge.CodeSourceBroken, "not compressed with gzip as its header says"},
		"shorter than announced":     {`{"data":[`, "", 1000, bridge.CodeSourceUnavailable, "broke off after 9 bytes"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/people" {
				_, _ = io.WriteString(w, "{}")
				return
			}
			if c.header != "" {
				w.Header().Set("Content-Encoding", c.header)
			}
			w.Header().Set("Content-Length", strconv.Itoa(c.length))
			_, _ = io.WriteString(w, c.body)
		}))
		_, err := namesRead(t, strings.Replace(peopleOnce, "https://api.example.com", server.URL, 1), server.Client().Transport)
		if bridge.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, code %s, want %s, %q", name, err, bridge.CodeOf(err), c.code, c.message)
		}
		server.Close()
	}
}

// A redirect says where it leads, without what may be a credential there.
func TestARedirectSaysWhereItLeads(t *testing.T) {
	for location, want := range map[string]string{
		"https://api.example.com/v2/people/":                             "https://api.example.com/v2/people/.",
		"/login;jsessionid=0123456789?next=%2Fpeople#top":                "https://api.example.com/login.",
		"//user:pa55@new.example.com/people?key=s3cr3t":                  "https://new.example.com/people.",
		"http://new.example.com/k/0123456789abcdef0123456789abcdef/list": "http://new.example.com/k/…/list.",
		"https://new.example.com/s3cr3t/people":                          "https://new.example.com/…/people.",
		"":                                                               "with a redirect. Write",
	} {
		transport := roundTripperOf(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusMovedPermanently, Header: http.Header{"Location": {location}}, Body: http.NoBody, Request: r}, nil
		})
		text := strings.Replace(peopleOnce, "auth: [{by: none}]", "auth: [{by: bearer, token: \"{{token_of_user}}\"}]\nconnection: [{name: token_of_user, title: T, secret: true}]\nvalues: {token_of_user: s3cr3t}", 1)
		s, err := open(t.Context(), "rest", text, transport, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		said := failure.Of(s.Probe(t.Context()))
		if said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Hint, want) {
			t.Errorf("%q: %v, %q, want %q", location, said, said.Hint, want)
		}
		_ = s.Close()
	}
}

// Where tokens are fetched is another address than the API's, and its errors name it.
func TestErrorsOfATokenNameItsAddress(t *testing.T) {
	text := strings.Replace(peopleOnce, "auth: [{by: none}]", "auth: [{by: client_credentials, token_url: /oauth/token, client_id: a, client_secret: b}]", 1)
	for name, c := range map[string]struct {
		status        int
		body          string
		message, hint string
	}{
		"a wrong address": {http.StatusNotFound, "{}", "the API answered 404 at token_url", "Check the address in token_url (api.example.com)"},
		"no service":      {http.StatusBadGateway, "", "the API answered 502 at token_url", "Try again later"},
		"no JSON":         {http.StatusOK, "\n<html>", "the answer is an HTML page", "Check the address"},
		"a cut answer":    {http.StatusOK, `{"access_token": "a`, "is not valid JSON: it is cut off after 19 bytes", "the log"},
	} {
		s, err := open(t.Context(), "rest", text, roundTripper(func(*http.Request) (int, string) { return c.status, c.body }), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		said := failure.Of(s.Probe(t.Context()))
		if !strings.Contains(said.Message, c.message) || !strings.Contains(said.Hint, c.hint) {
			t.Errorf("%s: %v, %q, want %q, %q", name, said, said.Hint, c.message, c.hint)
		}
		_ = s.Close()
	}
}
