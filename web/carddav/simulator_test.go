package carddav_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/carddav"
)

var (
	clara = contact.Contact{ID: "a", Name: "Clara Schröder", Company: "Fjord & Fels GmbH", Emails: []string{"clara@example.com"}, Phones: []string{"030 / 23125-201", "+4917139200011"}}
	dan   = contact.Contact{ID: "b", Name: "Dan O'Hara (Ops)", Company: "Acme, Inc.", Phones: []string{"+14155550123"}}
	firm  = contact.Contact{ID: "c", Company: "Omega*Soft", Phones: []string{"+442079460000"}}
)

// A book is an address book's view of the hub.
type book struct {
	testing.TB
	path    string
	store   directory.Store
	handler http.Handler
	checked int
}

func open(t testing.TB, contacts ...contact.Contact) *book {
	t.Helper()
	b := &book{TB: t, path: filepath.Join(t.TempDir(), "contacts.db")}
	b.start()
	if len(contacts) > 0 {
		b.add(contacts)
	}
	return b
}

func configs() []phonebook.Config {
	return []phonebook.Config{
		{Name: "desk", Account: "acme", Numbers: phonebook.Numbers{Format: phonebook.National, Region: "DE"}, CardDAV: &phonebook.CardDAV{User: "phones", Password: "geheim-123", Title: "CRM"}},
		{Name: "other", Account: "zeta", CardDAV: &phonebook.CardDAV{User: "phones", Password: "another-one"}},
	}
}

// start opens the hub, as after a restart.
func (b *book) start() {
	b.Helper()
	store, err := sqlite.Open(b.Context(), b.path, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	if err := store.SetBooks(b.Context(), phonebook.Declared(configs())); err != nil {
		b.Fatal(err)
	}
	for more := true; more; {
		if more, err = store.FillBooks(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.store = store
	set := phonebook.NewSet(configs(), func(context.Context, string) (phonebook.Access, error) {
		return phonebook.Access{Store: b.store, Region: "DE"}, nil
	})
	b.handler = carddav.New(carddav.Options{Books: set})
}

func (b *book) add(contacts []contact.Contact, deleted ...string) {
	b.Helper()
	run, err := b.store.StartRun(b.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{})
	if err != nil {
		b.Fatal(err)
	}
	b.checked++
	page := directory.PageChanges{Seq: 1, Checkpoint: fmt.Sprint(b.checked), Deleted: deleted, Guard: directory.NewGuard(1, 100)}
	for _, c := range contacts {
		page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "DE")})
	}
	if err := b.store.ApplyPage(b.Context(), run, page); err != nil {
		b.Fatal(err)
	}
	if err := b.store.CompleteSearch(b.Context(), run.Key); err != nil {
		b.Fatal(err)
	}
}

const signedIn = "Authorization: Basic cGhvbmVzOmdlaGVpbS0xMjM=" // phones:geheim-123

func (b *book) send(method, path, body string, headers ...string) (*http.Response, string) {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	answer := w.Result()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer, string(text)
}

// A status is one answer of a multistatus.
type status struct {
	Href  string `xml:"href"`
	Self  string `xml:"status"`
	Stats []struct {
		Status string `xml:"status"`
		Prop   struct {
			Inner string `xml:",innerxml"`
			ETag  string `xml:"DAV: getetag"`
			Data  string `xml:"urn:ietf:params:xml:ns:carddav address-data"`
		} `xml:"prop"`
	} `xml:"propstat"`
}

type answer struct {
	Responses []status `xml:"response"`
	Token     string   `xml:"sync-token"`
}

// ask sends a request that a multistatus answers.
func (b *book) ask(method, path, body string, headers ...string) (a answer) {
	b.Helper()
	r, text := b.send(method, path, body, append(headers, signedIn)...)
	if r.StatusCode != http.StatusMultiStatus {
		b.Fatalf("%s %s: status %d\n%s", method, path, r.StatusCode, text)
	}
	if err := xml.Unmarshal([]byte(text), &a); err != nil {
		b.Fatalf("%v in\n%s", err, text)
	}
	for _, one := range a.Responses {
		if !strings.HasPrefix(one.Href, "/dav/") {
			b.Errorf("the href %q", one.Href)
		}
		for _, s := range append([]string{one.Self}, func() (all []string) {
			for _, p := range one.Stats {
				all = append(all, p.Status)
			}
			return all
		}()...) {
			if !slices.Contains([]string{"", "HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found", "HTTP/1.1 507 Insufficient Storage"}, s) {
				b.Errorf("the status %q", s)
			}
		}
	}
	return a
}

const contacts = "/dav/desk/contacts/"

const propfind = `<?xml version="1.0"?><D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/" xmlns:ME="http://me.com/_namespace/"><D:prop>%s</D:prop></D:propfind>`

func (b *book) sync(token, more string, headers ...string) answer {
	b.Helper()
	return b.ask("REPORT", contacts, `<D:sync-collection xmlns:D="DAV:"><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level>`+more+`<D:prop><D:getetag/></D:prop></D:sync-collection>`, headers...)
}

func (b *book) multiget(hrefs ...string) answer {
	b.Helper()
	var list strings.Builder
	for _, one := range hrefs {
		list.WriteString("<D:href>" + one + "</D:href>")
	}
	return b.ask("REPORT", contacts, `<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data content-type="text/vcard" version="4.0"/></D:prop>`+list.String()+`</C:addressbook-multiget>`)
}

func (a answer) hrefs() (there, gone []string) {
	for _, r := range a.Responses {
		switch r.Self {
		case "HTTP/1.1 404 Not Found":
			gone = append(gone, r.Href)
		case "":
			there = append(there, r.Href)
		}
	}
	return there, gone
}

func TestDiscovery(t *testing.T) {
	b := open(t, clara)
	r, _ := b.send("GET", "/.well-known/carddav", "")
	if r.StatusCode != http.StatusMovedPermanently || r.Header.Get("Location") != "/dav/" {
		t.Errorf("well-known: %d, %q", r.StatusCode, r.Header.Get("Location"))
	}
	r, _ = b.send("PROPFIND", "/dav/", "")
	if r.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("without a password: %d", r.StatusCode)
	}
	r, _ = b.send("OPTIONS", contacts, "", signedIn)
	if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("DAV"), "addressbook") || strings.Contains(r.Header.Get("Allow"), "PUT") {
		t.Errorf("OPTIONS: %d, %q", r.StatusCode, r.Header)
	}
	for _, path := range []string{"/dav/other/", "/dav/none/"} {
		if r, _ := b.send("PROPFIND", path, "", signedIn); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	a := b.ask("PROPFIND", "/dav/", fmt.Sprintf(propfind, "<D:current-user-principal/>"), "Depth: 0")
	if len(a.Responses) != 1 || !strings.Contains(a.Responses[0].Stats[0].Prop.Inner, "<D:href>/dav/desk/</D:href>") {
		t.Errorf("%+v", a)
	}
	a = b.ask("PROPFIND", "/dav/desk/", fmt.Sprintf(propfind, "<C:addressbook-home-set/><C:directory-gateway/><D:displayname/>"), "Depth: 0")
	if len(a.Responses[0].Stats) != 2 || !strings.Contains(a.Responses[0].Stats[0].Prop.Inner, "<D:href>/dav/desk/</D:href>") || a.Responses[0].Stats[1].Status != "HTTP/1.1 404 Not Found" {
		t.Errorf("%+v", a)
	}
}

func TestPropertiesOfTheAddressBook(t *testing.T) {
	b := open(t, clara)
	a := b.ask("PROPFIND", "/dav/desk/", fmt.Sprintf(propfind, `<D:resourcetype/><D:displayname/><D:current-user-privilege-set/><D:supported-report-set/><C:supported-address-data/><CS:getctag/><D:sync-token/>
		<D:owner/><D:add-member/><CS:me-card/><ME:bulk-requests/><D:quota-available-bytes/><D:quota-used-bytes/><C:max-image-size/><C:max-resource-size/><CS:guardian-restricted/>`), "Depth: 1")
	if len(a.Responses) != 2 || a.Responses[1].Href != contacts || len(a.Responses[1].Stats) != 2 {
		t.Fatalf("%+v", a)
	}
	have, missing := a.Responses[1].Stats[0].Prop.Inner, a.Responses[1].Stats[1]
	for _, want := range []string{"<D:collection/><C:addressbook/>", ">CRM<", "<D:sync-collection/>", "<C:addressbook-multiget/>", `version="3.0"`, "<D:read/>", "urn:x-contactbridge:sync:"} {
		if !strings.Contains(have, want) {
			t.Errorf("%q is not in\n%s", want, have)
		}
	}
	for _, no := range []string{"write", "bind", `version="4.0"`} {
		if strings.Contains(have, no) {
			t.Errorf("%q is in\n%s", no, have)
		}
	}
	if missing.Status != "HTTP/1.1 404 Not Found" || !strings.Contains(missing.Prop.Inner, "bulk-requests") {
		t.Errorf("%+v", missing)
	}
	if r, text := b.send("PROPFIND", contacts, "", signedIn, "Depth: infinity"); r.StatusCode != http.StatusForbidden || !strings.Contains(text, "propfind-finite-depth") {
		t.Errorf("Depth infinity: %d %s", r.StatusCode, text)
	}
	all := b.ask("PROPFIND", contacts, "", "Depth: 1")
	if len(all.Responses) != 2 || !strings.HasSuffix(all.Responses[1].Href, ".vcf") || all.Responses[1].Stats[0].Prop.ETag == "" {
		t.Errorf("%+v", all)
	}
}

func TestChangesAndDeletionsReachTheDevice(t *testing.T) {
	b := open(t, clara, dan, firm)
	first := b.sync("", "")
	there, gone := first.hrefs()
	if len(there) != 3 || len(gone) != 0 || first.Token == "" {
		t.Fatalf("%+v", first)
	}
	if none := b.sync(first.Token, ""); len(none.Responses) != 0 || none.Token != first.Token {
		t.Errorf("nothing has changed: %+v", none)
	}
	moved := clara
	moved.Phones = []string{"+493023125299"}
	b.add([]contact.Contact{moved}, "b")
	b.start() // the hub starts again
	next := b.sync(first.Token, "")
	changed, left := next.hrefs()
	if len(changed) != 1 || len(left) != 1 || changed[0] == left[0] || !slices.Contains(there, changed[0]) || !slices.Contains(there, left[0]) {
		t.Fatalf("%+v", next)
	}
	cards := b.multiget(changed[0], left[0])
	if !strings.Contains(cards.Responses[0].Stats[0].Prop.Data, "TEL;TYPE=WORK,VOICE:+493023125299") || cards.Responses[1].Self != "HTTP/1.1 404 Not Found" {
		t.Errorf("%+v", cards)
	}
	if again := b.sync(next.Token, ""); len(again.Responses) != 0 {
		t.Errorf("told twice: %+v", again)
	}
}

func TestPurgedContactIsReportedDeleted(t *testing.T) {
	b := open(t, clara, dan)
	first := b.sync("", "")
	if _, err := b.store.Purge(t.Context(), "acme", []directory.Ref{{Integration: "crm", ID: "a"}}, true); err != nil {
		t.Fatal(err)
	}
	changed, left := b.sync(first.Token, "").hrefs()
	if len(changed) != 0 || len(left) != 1 {
		t.Fatalf("changed %q, left %q", changed, left)
	}
	if r, _ := b.send("GET", left[0], "", signedIn); r.StatusCode != http.StatusNotFound {
		t.Errorf("her card: %d", r.StatusCode)
	}
	for _, body := range []string{"", fmt.Sprintf(propfind, "<C:address-data/>")} {
		if _, text := b.send("PROPFIND", contacts, body, signedIn, "Depth: 1"); strings.Contains(text, "Schr") || strings.Contains(text, left[0]) {
			t.Errorf("she is in\n%s", text)
		}
	}
}

func TestTokensThatAreNotOurs(t *testing.T) {
	b := open(t, clara)
	token := b.sync("", "").Token
	body := func(token string) string {
		return `<D:sync-collection xmlns:D="DAV:"><D:sync-token>` + token + `</D:sync-token><D:prop><D:getetag/></D:prop></D:sync-collection>`
	}
	for _, one := range []string{"http://example.com/ns/sync/1", token + "0", strings.TrimSuffix(token, "1") + "-1", "x", token[:len(token)-4] + "9:99"} {
		if r, text := b.send("REPORT", contacts, body(one), signedIn, "User-Agent: iOS/18.0 dataaccessd/1.0"); r.StatusCode != http.StatusForbidden || !strings.Contains(text, "valid-sync-token") {
			t.Errorf("%s on a mobile: %d %s", one, r.StatusCode, text)
		}
		if r, _ := b.send("REPORT", contacts, body(one), signedIn, "User-Agent: Mozilla/5.0 Thunderbird/140.0"); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s in Thunderbird: %d", one, r.StatusCode)
		}
	}
}

func TestChangesInSteps(t *testing.T) {
	var people []contact.Contact
	for n := range 25 {
		people = append(people, contact.Contact{ID: fmt.Sprint("m", n), Name: fmt.Sprintf("Person %02d", n)})
	}
	b := open(t, people...)
	token, seen := "", map[string]bool{}
	for range 10 {
		a := b.sync(token, "<D:limit><D:nresults>10</D:nresults></D:limit>")
		there, _ := a.hrefs()
		for _, one := range there {
			seen[one] = true
		}
		token = a.Token
		if !slices.ContainsFunc(a.Responses, func(s status) bool { return strings.Contains(s.Self, "507") && s.Href == contacts }) {
			break
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d cards in steps, want 25", len(seen))
	}
}

func TestMultigetOfThousands(t *testing.T) {
	var people []contact.Contact
	for n := range 5000 {
		people = append(people, contact.Contact{ID: fmt.Sprint("m", n), Name: fmt.Sprintf("Person %04d", n), Phones: []string{fmt.Sprintf("+493023%06d", n)}})
	}
	b := open(t, people...)
	there, _ := b.sync("", "").hrefs()
	b.add(nil, "m7")
	a := b.multiget(append(there, contacts+"unknown.vcf", "/dav/other/contacts/x.vcf")...)
	full, gone := a.hrefs()
	if len(there) != 5000 || len(full) != 4999 || len(gone) != 3 {
		t.Errorf("%d of %d cards, %d are gone", len(full), len(there), len(gone))
	}
	for _, r := range a.Responses[:3] {
		if data := r.Stats[0].Prop.Data; !strings.HasPrefix(data, "BEGIN:VCARD\r\nVERSION:3.0\r\n") {
			t.Errorf("%q", data)
		}
	}
}

func TestQueries(t *testing.T) {
	b := open(t, clara, dan, firm)
	query := func(filter string) string {
		a := b.ask("REPORT", contacts, `<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><C:address-data/></D:prop>`+filter+`</C:addressbook-query>`, "Depth: 1")
		var names []string
		for _, r := range a.Responses {
			for _, s := range r.Stats {
				_, rest, _ := strings.Cut(s.Prop.Data, "\nFN:")
				name, _, _ := strings.Cut(rest, " ")
				name, _, _ = strings.Cut(name, "\r")
				names = append(names, strings.TrimSpace(name))
			}
		}
		return strings.Join(names, "|")
	}
	for filter, want := range map[string]string{
		"":            "Clara|Dan|Omega*Soft",
		"<C:filter/>": "Clara|Dan|Omega*Soft",
		`<C:filter><C:prop-filter name="FN"><C:text-match match-type="contains">schrö</C:text-match></C:prop-filter></C:filter>`:                                                                                        "Clara",
		`<C:filter><C:prop-filter name="TEL"><C:text-match>23125</C:text-match></C:prop-filter></C:filter>`:                                                                                                             "Clara",
		`<C:filter><C:prop-filter name="TEL"><C:text-match>03023125201</C:text-match></C:prop-filter></C:filter>`:                                                                                                       "Clara",
		`<C:filter><C:prop-filter name="EMAIL"><C:is-not-defined/></C:prop-filter></C:filter>`:                                                                                                                          "Dan|Omega*Soft",
		`<C:filter test="allof"><C:prop-filter name="FN"><C:text-match>a</C:text-match></C:prop-filter><C:prop-filter name="ORG"><C:text-match match-type="starts-with">acme</C:text-match></C:prop-filter></C:filter>`: "Dan",
		`<C:filter test="anyof"><C:prop-filter name="FN"><C:text-match>clara</C:text-match></C:prop-filter><C:prop-filter name="ORG"><C:text-match>omega</C:text-match></C:prop-filter></C:filter>`:                     "Clara|Omega*Soft",
		`<C:filter><C:prop-filter name="FN"><C:text-match negate-condition="yes">clara</C:text-match></C:prop-filter></C:filter>`:                                                                                       "Dan|Omega*Soft",
	} {
		if got := query(filter); got != want {
			t.Errorf("%s finds %q, want %q", filter, got, want)
		}
	}
}

func TestNothingIsWritten(t *testing.T) {
	b := open(t, clara)
	there, _ := b.sync("", "").hrefs()
	for _, method := range []string{"PUT", "DELETE", "MKCOL", "PROPPATCH", "MOVE", "COPY", "POST", "LOCK", "PATCH"} {
		if r, text := b.send(method, there[0], "", signedIn); r.StatusCode != http.StatusForbidden || !strings.Contains(text, "need-privileges") {
			t.Errorf("%s: %d %s", method, r.StatusCode, text)
		}
	}
	r, text := b.send("GET", there[0], "", signedIn)
	if r.StatusCode != http.StatusOK || !strings.Contains(text, "UID:") || strings.Contains(there[0], "/a.vcf") || r.Header.Get("Content-Type") != "text/vcard; charset=utf-8" {
		t.Errorf("%d %q\n%s", r.StatusCode, r.Header, text)
	}
	if r, _ := b.send("GET", there[0], "", signedIn, "If-None-Match: "+r.Header.Get("ETag")); r.StatusCode != http.StatusNotModified {
		t.Errorf("with its ETag: %d", r.StatusCode)
	}
}

func TestHostileBodies(t *testing.T) {
	b := open(t, clara)
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><propfind xmlns="DAV:"><prop>&b;</prop></propfind>`
	for what, c := range map[string]struct {
		body string
		want int
	}{
		"an entity bomb": {bomb, 400}, "a document type": {`<!DOCTYPE x SYSTEM "file:///etc/passwd"><propfind xmlns="DAV:"/>`, 400}, "half a body": {`<propfind xmlns="DAV:"><prop>`, 400},
		"another body": {`<x/>`, 400}, "two bodies": {`<propfind xmlns="DAV:"/><propfind xmlns="DAV:"/>`, 400}, "a deep body": {strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000), 400},
		"a large body": {`<propfind xmlns="DAV:"><prop>` + strings.Repeat(" ", 9<<20) + `</prop></propfind>`, 413}, "JSON": {"{}", 400},
	} {
		if r, _ := b.send("PROPFIND", contacts, c.body, signedIn, "Depth: 0"); r.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", what, r.StatusCode, c.want)
		}
	}
	if r, text := b.send("REPORT", contacts, `<D:expand-property xmlns:D="DAV:"/>`, signedIn); r.StatusCode != http.StatusForbidden || !strings.Contains(text, "supported-report") {
		t.Errorf("a report that is unknown: %d %s", r.StatusCode, text)
	}
	for range 25 {
		b.send("PROPFIND", contacts, "", "Authorization: Basic cGhvbmVzOmZhbHNjaA==")
	}
	if r, _ := b.send("PROPFIND", contacts, "", "Authorization: Basic cGhvbmVzOmZhbHNjaDI="); r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after many wrong passwords: %d", r.StatusCode)
	}
}

func FuzzBody(f *testing.F) {
	for _, body := range []string{fmt.Sprintf(propfind, "<D:getetag/>"), `<D:sync-collection xmlns:D="DAV:"><D:sync-token/></D:sync-collection>`, `<!DOCTYPE x>`} {
		f.Add(body)
	}
	store, err := sqlite.Open(context.Background(), sqlite.Memory, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = store.Close() })
	if err := store.SetBooks(context.Background(), phonebook.Declared(configs())); err != nil {
		f.Fatal(err)
	}
	for more := true; more; {
		if more, err = store.FillBooks(context.Background()); err != nil {
			f.Fatal(err)
		}
	}
	handler := carddav.New(carddav.Options{Books: phonebook.NewSet(configs(), func(context.Context, string) (phonebook.Access, error) { return phonebook.Access{Store: store}, nil })})
	f.Fuzz(func(t *testing.T, body string) {
		for _, method := range []string{"PROPFIND", "REPORT"} {
			r := httptest.NewRequest(method, contacts, strings.NewReader(body))
			r.SetBasicAuth("phones", "geheim-123")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code == 207 && xml.Unmarshal(w.Body.Bytes(), new(answer)) != nil {
				t.Errorf("%q is answered with\n%s", body, w.Body)
			}
			if w.Code >= 500 && w.Code != 503 {
				t.Errorf("%q: status %d", body, w.Code)
			}
		}
	})
}

func TestVdirsyncer(t *testing.T) {
	program, err := exec.LookPath("vdirsyncer")
	if err != nil {
		t.Skip("vdirsyncer is not installed")
	}
	b := open(t, clara, dan, firm)
	s := httptest.NewServer(b.handler)
	defer s.Close()
	dir := t.TempDir()
	config := fmt.Sprintf(`[general]
status_path = "%[1]s/status"
[pair crm]
a = "hub"
b = "here"
collections = ["from a"]
conflict_resolution = "a wins"
[storage hub]
type = "carddav"
url = "%[2]s/"
username = "phones"
password = "geheim-123"
read_only = true
[storage here]
type = "filesystem"
path = "%[1]s/cards/"
fileext = ".vcf"
`, dir, s.URL)
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, append([]string{"-c", file}, args...)...)
		cmd.Stdin = strings.NewReader("y\ny\ny\ny\n")
		cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("vdirsyncer %v: %v\n%s", args, err, out)
		}
	}
	cards := func() (all string) {
		files, err := filepath.Glob(filepath.Join(dir, "cards", "*", "*.vcf"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all += string(bytes.TrimSpace(text)) + "\n"
		}
		return all
	}
	run("discover", "crm")
	run("sync")
	if got := cards(); strings.Count(got, "BEGIN:VCARD") != 3 || !strings.Contains(got, "FN:Clara Schröder") {
		t.Fatalf("after the first sync:\n%s", got)
	}
	b.add([]contact.Contact{{ID: "a", Name: "Clara Schmitt"}}, "b")
	run("sync")
	if got := cards(); strings.Count(got, "BEGIN:VCARD") != 2 || !strings.Contains(got, "FN:Clara Schmitt") || strings.Contains(got, "O'Hara") {
		t.Errorf("after the second sync:\n%s", got)
	}
}
