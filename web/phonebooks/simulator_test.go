package phonebooks_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/phonebooks"
)

// A simulator is a telephone, and the hub that it asks.
type simulator struct {
	*testing.T
	store   directory.Store
	book    phonebook.Config
	handler http.Handler
	now     time.Time
}

// The people of the simulator.
var (
	clara = contact.Contact{ID: "a", Name: "Clara Schröder", Company: "Fjord & Fels GmbH", Title: "Head of Sales", Emails: []string{"clara@example.com"}, Phones: []string{"030 / 23125-201", "+4917139200011"}}
	dan   = contact.Contact{ID: "b", Name: "Dan O'Hara (Ops)", Company: "Acme, Inc.", Phones: []string{"+14155550123"}}
	firm  = contact.Contact{ID: "c", Company: "Omega*Soft", Phones: []string{"+442079460000"}}
)

func simulate(t *testing.T, change func(*phonebook.Config), contacts ...contact.Contact) *simulator {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Memory, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s := &simulator{T: t, store: store, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), book: phonebook.Config{
		Name: "desk", Account: "acme", Numbers: phonebook.Numbers{Format: phonebook.National, Region: "DE"},
		HTTP: &phonebook.HTTP{User: "phones", Password: "geheim-123", Title: "CRM"},
	}}
	if change != nil {
		change(&s.book)
	}
	configs := []phonebook.Config{s.book, {Name: "other", Account: "zeta", HTTP: &phonebook.HTTP{User: "phones", Password: "another-one"}}}
	if err := store.SetBooks(t.Context(), phonebook.Declared(configs)); err != nil {
		t.Fatal(err)
	}
	if len(contacts) > 0 {
		s.add(contacts...)
	}
	for more := true; more; {
		if more, err = store.FillBooks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	set := phonebook.NewSet(configs, func(context.Context, string) (phonebook.Access, error) {
		return phonebook.Access{Store: store, Region: "DE"}, nil
	})
	s.handler = phonebooks.New(phonebooks.Options{Books: set, Clock: func() time.Time { return s.now }, PublicURL: "https://hub.example.com"})
	return s
}

func (s *simulator) add(contacts ...contact.Contact) {
	s.Helper()
	run, err := s.store.StartRun(s.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{})
	if err != nil {
		s.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1, Checkpoint: "c"}
	for _, c := range contacts {
		page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "DE")})
	}
	if err := s.store.ApplyPage(s.Context(), run, page); err != nil {
		s.Fatal(err)
	}
	if err := s.store.CompleteSearch(s.Context(), directory.Key{}); err != nil { // as at the end of a run
		s.Fatal(err)
	}
}

// many are people with numbers.
func many(n int) []contact.Contact {
	var all []contact.Contact
	for i := range n {
		all = append(all, contact.Contact{ID: fmt.Sprint("m", i), Name: fmt.Sprintf("Person %05d", i), Phones: []string{fmt.Sprintf("+493023%06d", i)}})
	}
	return all
}

// ask sends a request as it stands: what a telephone writes need not be a valid URL for our own client.
func (s *simulator) ask(method, target string, headers ...string) *http.Response {
	s.Helper()
	request := method + " " + target + " HTTP/1.1\r\nHost: hub.example.com\r\n" + strings.Join(headers, "\r\n")
	if len(headers) > 0 {
		request += "\r\n"
	}
	r := httptest.NewRequest(method, "/", nil)
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawQuery, r.RequestURI = path, query, target
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	if testing.Verbose() {
		s.Log(request)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

const basic = "Authorization: Basic cGhvbmVzOmdlaGVpbS0xMjM=" // phones:geheim-123

// body is what a telephone gets that has signed in.
func (s *simulator) body(target string, headers ...string) string {
	s.Helper()
	r := s.ask("GET", "/phonebooks/desk/"+target, append(headers, basic)...)
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		s.Fatalf("%s: status %d, %v\n%s", target, r.StatusCode, err, b)
	}
	if length := r.Header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(b)) {
		s.Errorf("%s has %d bytes, and says that it has %s", target, len(b), length)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
		s.valid(b)
	}
	return string(b)
}

// valid reads a document to its end.
func (s *simulator) valid(b []byte) {
	s.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if !strings.EqualFold(charset, "ISO-8859-1") {
			return nil, errors.New("unknown encoding")
		}
		latin, err := io.ReadAll(in)
		var text strings.Builder
		for _, c := range latin {
			text.WriteRune(rune(c))
		}
		return strings.NewReader(text.String()), err
	}
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			s.Fatalf("%v in\n%s", err, b)
		}
	}
}

func (s *simulator) wants(got string, wants ...string) {
	s.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			s.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// values are the texts of all elements of a name.
func values(document, element string) (all []string) {
	for _, part := range strings.Split(document, "<"+element)[1:] {
		if part[0] != '>' && part[0] != ' ' {
			continue
		}
		_, part, _ = strings.Cut(part, ">")
		text, _, _ := strings.Cut(part, "</"+element+">")
		all = append(all, text)
	}
	return all
}

func TestATelephoneSignsInAndAsksForWhatIsNew(t *testing.T) {
	s := simulate(t, nil, clara, dan, firm)
	const target = "/phonebooks/desk/yealink.xml"
	r := s.ask("GET", target)
	if r.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Basic realm=") {
		t.Errorf("without a password: %d, %q", r.StatusCode, r.Header)
	}
	if r := s.ask("GET", target, "Authorization: Basic cGhvbmVzOmZhbHNjaA=="); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d", r.StatusCode)
	}
	if r := s.ask("GET", "/phonebooks/other/yealink.xml", basic); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("with the password of another account's phonebook: %d", r.StatusCode)
	}
	for _, target := range []string{"/phonebooks/none/yealink.xml", "/phonebooks/desk/none.xml", "/phonebooks/desk/", "/phonebooks/desk"} {
		if r := s.ask("GET", target, basic); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", target, r.StatusCode)
		}
	}
	first := s.ask("GET", target, basic)
	etag := first.Header.Get("ETag")
	if first.StatusCode != http.StatusOK || first.Header.Get("Content-Type") != "text/xml; charset=utf-8" || etag == "" {
		t.Fatalf("%d, %q", first.StatusCode, first.Header)
	}
	if r := s.ask("GET", target, basic, "If-None-Match: "+etag); r.StatusCode != http.StatusNotModified {
		t.Errorf("with the ETag: %d", r.StatusCode)
	}
	if r := s.ask("GET", target+"?max=1", basic, "If-None-Match: "+etag); r.StatusCode != http.StatusOK {
		t.Errorf("another document with the ETag: %d", r.StatusCode)
	}
	moved := clara
	moved.Phones = []string{"030 23125202"}
	s.add(moved)
	if r := s.ask("GET", target, basic, "If-None-Match: "+etag); r.StatusCode != http.StatusOK || r.Header.Get("ETag") == etag {
		t.Errorf("after a change: %d", r.StatusCode)
	}
	if r := s.ask("PUT", target, basic); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", r.StatusCode)
	}
	if r := s.ask("HEAD", target, basic); r.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", r.StatusCode)
	} else if b, _ := io.ReadAll(r.Body); len(b) > 0 {
		t.Errorf("HEAD brings %q", b)
	}
}

func TestWrongPasswordsAreSlowedDownAndGoodOnesAreNot(t *testing.T) {
	s := simulate(t, nil, clara)
	const target = "/phonebooks/desk/yealink.xml"
	if r := s.ask("GET", target, basic); r.StatusCode != http.StatusOK {
		t.Fatal(r.StatusCode)
	}
	for range 20 {
		s.ask("GET", target, "Authorization: Basic cGhvbmVzOmZhbHNjaA==")
	}
	if r := s.ask("GET", target, "Authorization: Basic cGhvbmVzOmZhbHNjaDI="); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
		t.Errorf("after twenty wrong passwords: %d", r.StatusCode)
	}
	if r := s.ask("GET", target, basic); r.StatusCode != http.StatusOK {
		t.Errorf("the other telephones of this address: %d", r.StatusCode)
	}
}

func TestSecretPathAndNetworks(t *testing.T) {
	secret := "Zm9vYmFyYmF6cXV4"
	s := simulate(t, func(c *phonebook.Config) {
		c.HTTP.User, c.HTTP.Password, c.HTTP.SecretPath = "", "", secret
		c.HTTP.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's telephones
	}, clara)
	if r := s.ask("GET", "/phonebooks/desk/"+secret+"/yealink.xml"); r.StatusCode != http.StatusOK {
		t.Errorf("with the secret path: %d", r.StatusCode)
	}
	for _, target := range []string{"/phonebooks/desk/yealink.xml", "/phonebooks/desk//yealink.xml", "/phonebooks/desk/" + secret[1:] + "/yealink.xml", "/phonebooks/desk/x/" + secret + "/yealink.xml"} {
		if r := s.ask("GET", target); r.StatusCode != http.StatusNotFound || r.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d", target, r.StatusCode)
		}
	}
	r := s.ask("GET", "/phonebooks/desk/"+secret+"/cisco.xml", "Accept: text/xml; charset=utf-8")
	b, _ := io.ReadAll(r.Body)
	s.wants(string(b), "https://hub.example.com/phonebooks/desk/"+secret+"/cisco-input.xml")
	other := simulate(t, func(c *phonebook.Config) { c.HTTP.Allow = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")} }, clara)
	if r := other.ask("GET", "/phonebooks/desk/yealink.xml", basic); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another network: %d", r.StatusCode)
	}
}

// answerTo answers a Digest challenge as a telephone does.
func answerTo(challenge, method, uri, user, password string) string {
	value := func(name string) string {
		_, rest, _ := strings.Cut(challenge, name+`="`)
		text, _, _ := strings.Cut(rest, `"`)
		return text
	}
	hash := func(text string) string { sum := md5.Sum([]byte(text)); return hex.EncodeToString(sum[:]) }
	nonce := value("nonce")
	response := hash(strings.Join([]string{hash(user + ":" + value("realm") + ":" + password), nonce, "00000001", "abc", "auth", hash(method + ":" + uri)}, ":"))
	return fmt.Sprintf(`Authorization: Digest username="%s", realm="%s", nonce="%s", uri="%s", qop=auth, nc=00000001, cnonce="abc", response="%s", algorithm=MD5`, user, value("realm"), nonce, uri, response)
}

func TestDigest(t *testing.T) {
	s := simulate(t, func(c *phonebook.Config) { c.HTTP.Digest = true }, clara)
	const target = "/phonebooks/desk/yealink.xml?max=5"
	var challenge string
	for _, one := range s.ask("GET", target).Header.Values("WWW-Authenticate") {
		if strings.HasPrefix(one, "Digest ") {
			challenge = one
		}
	}
	good := answerTo(challenge, "GET", target, "phones", "geheim-123")
	if r := s.ask("GET", target, good); r.StatusCode != http.StatusOK {
		t.Fatalf("the right answer to %s: %d", challenge, r.StatusCode)
	}
	for what, header := range map[string]string{
		"another password": answerTo(challenge, "GET", target, "phones", "falsch"), "another user": answerTo(challenge, "GET", target, "phone", "geheim-123"),
		"another address": answerTo(challenge, "GET", "/phonebooks/desk/yealink.xml", "phones", "geheim-123"), "another method": answerTo(challenge, "PUT", target, "phones", "geheim-123"),
		"another realm": strings.ReplaceAll(good, "phonebook desk", "phonebook other"), "nothing": "Authorization: Digest", "half of it": good[:len(good)/2],
	} {
		if r := s.ask("GET", target, header); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", what, r.StatusCode)
		}
	}
	s.now = s.now.Add(time.Hour)
	r := s.ask("GET", target, good)
	if r.StatusCode != http.StatusUnauthorized || !strings.Contains(strings.Join(r.Header.Values("WWW-Authenticate"), ","), "stale=true") {
		t.Errorf("with an old nonce: %d, %q", r.StatusCode, r.Header)
	}
	plain := simulate(t, nil, clara)
	if r := plain.ask("GET", target, good); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("without digest: %d", r.StatusCode)
	}
}

func TestYealinkIsCapped(t *testing.T) {
	s := simulate(t, nil, many(1200)...)
	r := s.ask("GET", "/phonebooks/desk/yealink.xml", basic)
	if left := r.Header.Get("X-Phonebook-Left-Out"); left != "200" {
		t.Errorf("%q are left out, want 200", left)
	}
	b, _ := io.ReadAll(r.Body)
	if n := len(values(string(b), "Name")); n != 1000 {
		t.Errorf("there are %d entries, want 1000", n)
	}
	if n := len(values(s.body("yealink.xml?max=7"), "Name")); n != 7 {
		t.Errorf("there are %d entries, want 7", n)
	}
}

func TestYealinkShowsEveryNumberWithItsLabel(t *testing.T) {
	s := simulate(t, nil, clara, dan, firm)
	s.wants(s.body("yealink.xml"), `<Name>Clara Schröder, Fjord &amp; Fels GmbH</Name><Telephone label="Work">03023125201</Telephone><Telephone label="Mobile">017139200011</Telephone>`,
		`<Name>Omega*Soft</Name><Telephone label="Work">00442079460000</Telephone>`, "Dan O&apos;Hara")
	s.wants(s.body("yealink-search.xml"), "https://hub.example.com/phonebooks/desk/yealink.xml?max=50")
	if got := values(s.body("yealink.xml?q=schr"), "Name"); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if got := values(s.body("yealink.xml?q=nobody"), "Name"); !slices.Equal(got, []string{"No entries"}) {
		t.Errorf("%q", got)
	}
}

func TestSnom(t *testing.T) {
	s := simulate(t, nil, clara, dan, firm)
	book := s.body("snom.xml")
	s.wants(book, `<tbook complete="true"`, "<first_name>Clara</first_name><last_name>Schröder</last_name>", `<number no="03023125201" type="business" outgoing_id="0"/>`, `type="mobile"`)
	r := s.ask("POST", "/phonebooks/desk/snom.xml", basic)
	if b, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusOK || string(b) != book {
		t.Errorf("POST: %d, another answer than GET's", r.StatusCode)
	}
	s.wants(s.body("snom-search.xml"), "snom-directory.xml?q=__Q__", "<InputToken>__Q__</InputToken>")
	for _, q := range []string{"schr%F6", "schr%C3%B6", "schro"} {
		s.wants(s.body("snom-directory.xml?q="+q), "<Name>Clara Schröder</Name><Telephone>03023125201</Telephone>", "<Name>Clara Schröder (mobile)</Name>")
	}
}

func TestGrandstream(t *testing.T) {
	s := simulate(t, nil, append(many(1100), clara, firm)...)
	for _, file := range []string{"grandstream.xml", "phonebook.xml", "gs_phonebook.xml"} {
		if n := len(values(s.body(file), "Contact")); n != 1000 {
			t.Errorf("%s has %d contacts, want 1000", file, n)
		}
	}
	s.wants(s.body("phonebook.xml"), "<Company>Fjord &amp; Fels GmbH</Company>", "<accountindex>0</accountindex>", `<Phone type="Mobile"><phonenumber>017139200011</phonenumber>`,
		"<FirstName></FirstName><LastName>Omega*Soft</LastName>", "<name>CRM</name>")
}

func TestCiscoTurnsPages(t *testing.T) {
	s := simulate(t, nil, many(33)...)
	utf8 := "Accept-Charset: utf-8"
	s.wants(s.body("cisco.xml", utf8), "<CiscoIPPhoneMenu>", "<URL>https://hub.example.com/phonebooks/desk/cisco-input.xml</URL>")
	s.wants(s.body("cisco-input.xml", utf8), "<URL>https://hub.example.com/phonebooks/desk/cisco-list.xml</URL>", "<QueryStringParam>q</QueryStringParam>")
	for _, query := range []string{"?q=person", ""} {
		first := s.ask("GET", "/phonebooks/desk/cisco-list.xml"+query, basic, utf8)
		b, _ := io.ReadAll(first.Body)
		refresh := first.Header.Get("Refresh")
		if n := len(values(string(b), "DirectoryEntry")); n != 32 || !strings.HasPrefix(refresh, "0; url=https://hub.example.com/phonebooks/desk/cisco-list.xml?offset=32") {
			t.Fatalf("%q: %d entries, Refresh %q", query, n, refresh)
		}
		second := s.ask("GET", strings.TrimPrefix(refresh, "0; url=https://hub.example.com"), basic, utf8)
		b, _ = io.ReadAll(second.Body)
		if n := len(values(string(b), "DirectoryEntry")); n != 1 || second.Header.Get("Refresh") != "" {
			t.Errorf("%q, second page: %d entries, Refresh %q", query, n, second.Header.Get("Refresh"))
		}
	}
}

func TestCiscoReadsLatin1WhereItSaysNothingElse(t *testing.T) {
	pole := contact.Contact{ID: "p", Name: "Łukasz Schröder", Phones: []string{"+48221234567"}}
	s := simulate(t, nil, pole)
	r := s.ask("GET", "/phonebooks/desk/cisco-list.xml?q=schr", basic, "Accept: x-CiscoIPPhone/*, text/*")
	b, _ := io.ReadAll(r.Body)
	if !strings.Contains(r.Header.Get("Content-Type"), "iso-8859-1") || !bytes.Contains(b, []byte(`encoding="ISO-8859-1"`)) || !bytes.Contains(b, []byte("&#321;ukasz Schr\xf6der")) {
		t.Errorf("%q\n%s", r.Header, b)
	}
	s.valid(b)
}

func TestFanvilAndHtek(t *testing.T) {
	s := simulate(t, nil, clara, dan, firm)
	s.wants(s.body("fanvil.xml"), "<Telephone>03023125201</Telephone><Mobile>017139200011</Mobile>")
	s.wants(s.body("htek.xml"), "<PhoneDirectory>", "<Name>Clara Schröder (mobile)</Name><Telephone>017139200011</Telephone>")
	s.wants(s.body("fanvil-search.xml"), "fanvil-list.xml", "<Parameter>q</Parameter>")
	for _, file := range []string{"fanvil.xml", "htek.xml", "fanvil-list.xml"} {
		if got := values(s.body(file+"?q=nobody"), "Name"); !slices.Equal(got, []string{"No entries"}) {
			t.Errorf("%s: %q", file, got)
		}
	}
	full := simulate(t, nil, many(40)...)
	first := full.body("fanvil-list.xml")
	full.wants(first, "<Name>More</Name><URI>https://hub.example.com/phonebooks/desk/fanvil-list.xml?offset=16</URI>")
	if last := full.body("fanvil-list.xml?offset=32"); len(values(last, "Telephone")) != 8 || strings.Contains(last, "More") {
		t.Errorf("the last page is\n%s", last)
	}
}

func TestGigaset(t *testing.T) {
	s := simulate(t, nil, clara, dan, firm)
	got := s.body("gigaset.xml?command=get%5flist&type=pb&ln=schr%2a&fn=%2a&first=1&count=10&limit=2048&reqid=0x7")
	s.wants(got, `<list response="get_list" type="pb" reqid="0x7" total="1" first="1" last="1">`, "<ln>Schröder</ln><fn>Clara</fn><hm>03023125201</hm><mb>017139200011</mb>")
	for _, number := range []string{"03023125201", "00493023125201", "%2B493023125201", "23125201"} {
		got := s.body("gigaset.xml?command=get_list&type=pb&hm=" + number + "&reqsrc=auto&count=1")
		s.wants(got, `total="1"`, "<hm>"+strings.ReplaceAll(number, "%2B", "+")+"</hm>")
	}
	s.wants(s.body("gigaset.xml?command=get_list&type=pb&hm=03099999999&reqsrc=auto&count=1"), `<list response="get_list" type="pb" notfound="hm" total="0"/>`)
	s.wants(s.body("gigaset.xml?command=get_list&type=pr&ln=*&fn=*&first=2&count=1"), `type="pr" total="3" first="2" last="2"`, "O&apos;Hara")
	s.wants(s.body("gigaset.xml?command=get_list&type=pb&set_first=e&count=5"), `total="3" first="3" last="3"`, "<ln>Omega*Soft</ln>")
	full := simulate(t, nil, many(200)...)
	small := full.body("gigaset.xml?command=get_list&type=pb&ln=*&count=100&limit=2048")
	if len(small) > 2048+len(`<?xml version="1.0" encoding="UTF-8"?>`) || len(values(small, "entry")) < 5 {
		t.Errorf("%d bytes, %d entries", len(small), len(values(small, "entry")))
	}
	full.wants(small, fmt.Sprintf(`last="%d"`, len(values(small, "entry"))))
}

func TestPhonebookThatIsNotFilledYet(t *testing.T) {
	s := simulate(t, nil)
	if err := s.store.SetBooks(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s.wants(s.body("gigaset.xml?command=get_list&type=pb&ln=*"), "<errorid>6</errorid>")
	for _, file := range []string{"yealink.xml", "microsip.json", "snom.xml"} {
		r := s.ask("GET", "/phonebooks/desk/"+file, basic)
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || r.Header.Get("ETag") != "" {
			t.Errorf("%s: %d, %q", file, r.StatusCode, r.Header)
		}
	}
}

func TestPolycom(t *testing.T) {
	long := contact.Contact{ID: "l", Name: "Anna Abcdefghijklmnopqrstuvwxyzabcdefghijklmnü", Phones: []string{"+4930111222"}}
	twice := contact.Contact{ID: "t", Name: "Bea Bunt", Phones: []string{"+4930111222"}}
	s := simulate(t, nil, long, twice, clara)
	got := s.body("polycom.xml")
	for _, name := range values(got, "ln") {
		if len(name) > 40 || !utf8.ValidString(name) {
			t.Errorf("%q has %d bytes", name, len(name))
		}
	}
	if n := strings.Count(got, "<ct>030111222</ct>"); n != 1 {
		t.Errorf("the number that two have stands there %d times", n)
	}
	if got := s.body("000000000000-directory.xml"); !strings.Contains(got, "<ct>03023125201</ct>") {
		t.Error(got)
	}
	full := simulate(t, nil, many(5000)...)
	r := full.ask("GET", "/phonebooks/desk/polycom.xml?bytes=50000", basic)
	if b, _ := io.ReadAll(r.Body); len(b) > 50_000 || len(b) < 49_000 || r.Header.Get("X-Phonebook-Left-Out") == "" {
		t.Errorf("%d bytes, %q", len(b), r.Header)
	}
}

func TestMitel(t *testing.T) {
	s := simulate(t, nil, append(many(300), clara)...)
	first := s.body("mitel.xml")
	if n := len(values(first, "MenuItem")); n != 17 || len(first) > 10_000 {
		t.Errorf("%d items, %d bytes", n, len(first))
	}
	s.wants(first, "<Prompt>More</Prompt><URI>https://hub.example.com/phonebooks/desk/mitel.xml?offset=15</URI>")
	s.wants(s.body("aastra.xml?q=schr"), "<Prompt>Clara Schröder</Prompt><URI>Dial:03023125201</URI>")
	s.wants(s.body("mitel-search.xml"), "<URL>https://hub.example.com/phonebooks/desk/mitel.xml</URL>")
	lines := strings.Split(strings.TrimSpace(s.body("mitel.csv")), "\n")
	if len(lines) != 200 || lines[0] != "Clara Schröder,03023125201" {
		t.Errorf("%d lines, the first %q", len(lines), lines[0])
	}
	for _, line := range lines {
		if name, _, ok := strings.Cut(line, ","); !ok || utf8.RuneCountInString(name) > 15 || len(line) > 255 {
			t.Errorf("%q", line)
		}
	}
}

func TestPanasonicAndAscom(t *testing.T) {
	amp := contact.Contact{ID: "x", Name: "Aal & 'Söhne' <Bau> Gesellschaft mbH Berlin", Phones: []string{"+493023125209"}}
	s := simulate(t, func(c *phonebook.Config) { c.Numbers.Format = phonebook.E164 }, append(many(21), amp)...)
	got := s.body("panasonic.xml")
	names := values(got, "Name")
	if len(names) != 20 || names[0] != "Aal Söhne Bau Gesellscha" {
		t.Errorf("%d names, the first %q", len(names), names[0])
	}
	s.wants(got, `<PhoneNum type="company">493023125209</PhoneNum>`)
	full := simulate(t, nil, many(300)...)
	list := full.body("ascom.xml?user=1&givenName=&sn=00&telephoneNumber=")
	if n := len([]rune(list)); n > 5000 || n < 4500 {
		t.Errorf("%d characters", n)
	}
	one := simulate(t, nil, clara, dan)
	one.wants(one.body("ascom.xml?user=1&givenName=&sn=S&telephoneNumber="), "<givenName>Clara</givenName><sn>Schröder</sn><telephoneNumber>03023125201</telephoneNumber>")
}

func TestFritzBox(t *testing.T) {
	ten := contact.Contact{ID: "t", Name: "Aal, Zehn"}
	for n := range 10 {
		ten.Phones = append(ten.Phones, fmt.Sprintf("+4930231251%02d", n))
	}
	s := simulate(t, nil, append(many(2001), ten)...)
	got := s.body("fritzbox.xml")
	if n := len(values(got, "contact")); n != 2000 {
		t.Errorf("%d contacts, want 2000", n)
	}
	first, _, _ := strings.Cut(got, "</contact>")
	if n := len(values(first, "number")); n != 9 || !strings.Contains(first, "<realName>Aal, Zehn</realName>") {
		t.Errorf("%d numbers in\n%s", n, first)
	}
}

func TestMicroSIP(t *testing.T) {
	s := simulate(t, nil, clara, dan)
	r := s.ask("GET", "/phonebooks/desk/microsip.json", basic)
	var list []struct{ Number, Name string }
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil || len(list) != 3 || list[0].Name != "Clara Schröder" || list[0].Number != "03023125201" {
		t.Errorf("%+v, %v", list, err)
	}
	if got := r.Header.Get("Cache-Control"); got != "private, max-age=3600" {
		t.Errorf("Cache-Control %q", got)
	}
	empty := simulate(t, nil)
	if r := empty.ask("GET", "/phonebooks/desk/microsip.json", basic); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("an empty phonebook: %d", r.StatusCode)
	}
}

func TestFilesOfEveryEntry(t *testing.T) {
	formula := contact.Contact{ID: "f", Name: "=1+1", Phones: []string{"+493023125210"}}
	s := simulate(t, func(c *phonebook.Config) { c.Numbers.Format = phonebook.E164 }, append(many(2500), clara, formula)...)
	table := s.body("contacts.csv")
	if n := strings.Count(table, "\n"); n != 2503 {
		t.Errorf("%d lines, want 2503", n)
	}
	s.wants(table, "Clara Schröder,Clara,Schröder,Fjord & Fels GmbH,Head of Sales,+493023125201,,,+4917139200011,", "'=1+1,")
	cards := s.body("contacts.vcf")
	if n := strings.Count(cards, "BEGIN:VCARD\r\n"); n != 2502 || strings.Count(cards, "END:VCARD\r\n") != n {
		t.Errorf("%d cards, want 2502", n)
	}
	s.wants(cards, "FN:Clara Schröder\r\nN:Schröder;Clara;;;\r\nORG:Fjord & Fels GmbH\r\n")
	// One after another, and from two sides at once: the same bytes, while nothing changes.
	if again := s.body("contacts.csv"); again != table {
		t.Error("the same phonebook makes another table")
	}
}

func TestPurgedContactIsInNoFile(t *testing.T) {
	s := simulate(t, nil, clara, dan)
	if _, err := s.store.Purge(t.Context(), "acme", []directory.Ref{{Integration: "crm", ID: "a"}}, true); err != nil {
		t.Fatal(err)
	}
	for _, file := range phonebooks.Files() {
		r := s.ask("GET", "/phonebooks/desk/"+file, basic)
		if b, _ := io.ReadAll(r.Body); bytes.Contains(b, []byte("Schr")) || bytes.Contains(b, []byte("3125201")) {
			t.Errorf("%s shows a contact that was purged:\n%s", file, b)
		}
	}
}

// Formats with one number a line count the entries that they have no line for.
func TestWhatIsLeftOutIsCountedInEntries(t *testing.T) {
	people := many(1200)
	for i := range people {
		people[i].Phones = append(people[i].Phones, fmt.Sprintf("+4917139%06d", i))
	}
	s := simulate(t, nil, people...)
	for file, shown := range map[string]int{"htek.xml": 500, "mitel.csv": 100, "yealink.xml": 1000} {
		r := s.ask("GET", "/phonebooks/desk/"+file, basic)
		b, _ := io.ReadAll(r.Body)
		if left := r.Header.Get("X-Phonebook-Left-Out"); left != strconv.Itoa(1200-shown) {
			t.Errorf("%s leaves %s out, want %d", file, left, 1200-shown)
		}
		if last := fmt.Sprintf("Person %05d", shown-1); !strings.Contains(string(b), last) || strings.Contains(string(b), fmt.Sprintf("Person %05d", shown)) {
			t.Errorf("%s does not end with %s", file, last)
		}
	}
	r := s.ask("GET", "/phonebooks/desk/ascom.xml", basic)
	b, _ := io.ReadAll(r.Body)
	if left := r.Header.Get("X-Phonebook-Left-Out"); left == "" {
		t.Errorf("ascom.xml has %d entries of 1,200 and says nothing", strings.Count(string(b), "<entry>"))
	}
}

func TestSnomShowsNoEntryWithoutANumber(t *testing.T) {
	twin := contact.Contact{ID: "z", Name: "Zoë Twin", Phones: []string{"+14155550123"}} // Dan's number
	s := simulate(t, nil, dan, twin)
	if book := s.body("snom.xml"); strings.Contains(book, "<numbers></numbers>") || strings.Count(book, "<contact ") != 1 {
		t.Error(book)
	}
}

func TestNumbersInACSVAreNotQuoted(t *testing.T) {
	s := simulate(t, func(c *phonebook.Config) { c.Numbers.Format = phonebook.Raw }, contact.Contact{ID: "a", Name: "Ann", Phones: []string{"+44 20 7946 0313", "+49-30-23125201"}})
	s.wants(s.body("contacts.csv"), ",+44 20 7946 0313,", ",'+49-30-23125201,")
}
