package phonebooks_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
	"github.com/contactbridge/contactbridge/web/phonebooks"
)

// A wire is a hub with 100,000 contacts, to which telephones and address books write bytes.
type wire struct {
	*testing.T
	store   directory.Store
	address string
}

// others are how many contacts there are beside the people of the simulator; onMobile are in the phonebook of mobiles, those people
// included.
const (
	others   = 100_000
	onMobile = 5000
)

// patience is how long a telephone waits for bytes: the machine may be busy.
const patience = 2 * time.Minute

func newWire(t *testing.T) *wire {
	t.Helper()
	configs := []phonebook.Config{
		{
			Name: "desk", Account: "acme", Numbers: phonebook.Numbers{Format: phonebook.National, Region: "DE"},
			HTTP:    &phonebook.HTTP{User: "phones", Password: "geheim-123", Title: "CRM"},
			CardDAV: &phonebook.CardDAV{User: "phones", Password: "geheim-123"},
		},
		{
			Name: "mobile", Account: "acme", Where: "company != ''", Numbers: phonebook.Numbers{Format: phonebook.National, Region: "DE"},
			CardDAV: &phonebook.CardDAV{User: "mobiles", Password: "geheim-456"},
		},
	}
	store, err := sqlite.Open(t.Context(), sqlite.Memory, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.SetBooks(t.Context(), phonebook.Declared(configs)); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		if more, err = store.FillBooks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w := &wire{T: t, store: store}
	given, family := []string{"Bert", "Gabi", "Hugo", "Kim", "Nele"}, []string{"Baum", "Gruber", "Huber", "Keller", "Lang", "Nagel", "Kraus-Bohl"}
	people := []contact.Contact{clara, dan, firm}
	for n := range others {
		c := contact.Contact{ID: fmt.Sprint("other ", n), Name: given[n%len(given)] + " " + family[n%len(family)], Phones: []string{fmt.Sprintf("+49896%06d", n)}}
		if len(people) < onMobile {
			c.Company = "Baum & Lang"
		}
		people = append(people, c)
	}
	w.add(people)
	set := phonebook.NewSet(configs, func(context.Context, string) (phonebook.Access, error) {
		return phonebook.Access{Store: store, Region: "DE"}, nil
	})
	mux := http.NewServeMux()
	mux.Handle(phonebooks.Prefix, phonebooks.New(phonebooks.Options{Books: set, PublicURL: "https://hub.example.com"}))
	mux.Handle(carddav.Prefix, carddav.New(carddav.Options{Books: set}))
	mux.Handle(carddav.WellKnown, carddav.New(carddav.Options{Books: set}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.address = server.Listener.Addr().String()
	return w
}

// add stores contacts as a run does.
func (w *wire) add(people []contact.Contact, deleted ...string) {
	w.Helper()
	run, err := w.store.StartRun(w.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{})
	if err != nil {
		w.Fatal(err)
	}
	const atOnce = 2000
	for seq := int64(1); ; seq++ {
		page := directory.PageChanges{Seq: seq, NextOffset: "more", Guard: directory.NewGuard(1, 100)}
		some := people[:min(atOnce, len(people))]
		for _, c := range some {
			page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "DE")})
		}
		if people = people[len(some):]; len(people) == 0 {
			page.NextOffset, page.Checkpoint, page.Deleted = "", fmt.Sprint(time.Now().UnixNano()), deleted
		}
		if err := w.store.ApplyPage(w.Context(), run, page); err != nil {
			w.Fatal(err)
		}
		if len(people) == 0 {
			break
		}
	}
	if err := w.store.CompleteSearch(w.Context(), run.Key); err != nil {
		w.Fatal(err)
	}
}

// Who asks.
var (
	asTelephone = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("phones:geheim-123"))
	asMobile    = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("mobiles:geheim-456"))
)

// send writes a request as it stands on a connection of its own, and reads the answer.
func (w *wire) send(method, target, body string, headers ...string) (*http.Response, string) {
	w.Helper()
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	head := append([]string{method + " " + target + " HTTP/1.1", "Host: hub.example.com", "Connection: close"}, headers...)
	if body != "" {
		head = append(head, fmt.Sprint("Content-Length: ", len(body)))
	}
	go func() { _, _ = io.WriteString(c, strings.Join(head, "\r\n")+"\r\n\r\n"+body) }() // the server may answer before it has read all of it
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		w.Fatalf("%s %s: %v", method, target, err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatalf("%s %s: %v", method, target, err)
	}
	return answer, string(text)
}

// TestEveryTelephoneAmong100000Contacts sends what telephones send, as bytes, to a hub with many contacts: whoever is looked for is found,
// lists end at each maker's limits, and an address book follows what changes.
func TestEveryTelephoneAmong100000Contacts(t *testing.T) {
	if testing.Short() {
		t.Skip("OPTIONAL: it stores 100,000 contacts")
	}
	w := newWire(t)
	t.Run("files and searches", func(t *testing.T) { (&wire{t, w.store, w.address}).telephones() })
	t.Run("address books", func(t *testing.T) { (&wire{t, w.store, w.address}).addressBooks() })
}

func (w *wire) telephones() {
	for _, c := range []struct {
		target string
		counts map[string]int // how often a text stands in the answer
	}{
		{"yealink.xml", map[string]int{"<Name>": 1000}},
		{"yealink.xml?q=schr", map[string]int{"<Name>": 1, "<Name>Clara Schröder, Fjord &amp; Fels GmbH</Name>": 1, ">03023125201<": 1}},
		{"yealink.xml?q=omega", map[string]int{"<Name>Omega*Soft</Name>": 1}},
		{"yealink.xml?q=nobody", map[string]int{"<Name>No entries</Name>": 1}},
		{"snom-search.xml", map[string]int{"snom-directory.xml?q=__Q__": 1}},
		{"snom-directory.xml?q=schr%F6", map[string]int{"<Name>Clara Schröder</Name>": 1}},
		{"snom-directory.xml?q=schr%C3%B6", map[string]int{"<Name>Clara Schröder</Name>": 1}},
		{"snom-directory.xml?q=gruber", map[string]int{"<DirectoryEntry>": 50, "<Label>More</Label>": 1}},
		{"phonebook.xml", map[string]int{"<Contact>": 1000, "<accountindex>0</accountindex>": 1000}},
		{"cisco.xml", map[string]int{"<CiscoIPPhoneMenu>": 1, "cisco-input.xml": 1}},
		{"cisco-input.xml", map[string]int{"cisco-list.xml": 1}},
		{"cisco-list.xml?q=schr", map[string]int{"<DirectoryEntry>": 2, `encoding="ISO-8859-1"`: 1, "Clara Schr\xf6der": 2}},
		{"cisco-list.xml?q=huber", map[string]int{"<DirectoryEntry>": 32}},
		{"cisco-list.xml?offset=99968", map[string]int{"<DirectoryEntry>": 32}},
		{"fanvil.xml?q=schr", map[string]int{"<Mobile>017139200011</Mobile>": 1}},
		{"fanvil-list.xml?q=nobody", map[string]int{"No entries": 1}},
		{"htek.xml?q=schr", map[string]int{"<Name>Clara Schröder (mobile)</Name>": 1}},
		{"gigaset.xml?command=get%5flist&type=pb&ln=schr%2a&fn=%2a&first=1&count=10&limit=2048", map[string]int{`total="1"`: 1, "<ln>Schröder</ln>": 1}},
		{"gigaset.xml?command=get_list&type=pb&hm=03023125201&reqsrc=auto&count=1", map[string]int{"<hm>03023125201</hm>": 1}},
		{"gigaset.xml?command=get_list&type=pb&hm=03099999999&reqsrc=auto&count=1", map[string]int{`notfound="hm" total="0"`: 1}},
		{"gigaset.xml?command=get_list&type=pb&set_first=o&count=5", map[string]int{`total="100003" first="100003"`: 1, "<ln>Omega*Soft</ln>": 1}},
		{"ascom.xml?user=1&givenName=&sn=Schr&telephoneNumber=", map[string]int{"<sn>Schröder</sn>": 2, "<telephoneNumber>": 2}},
		{"panasonic.xml", map[string]int{"<Name>": 20}},
		{"mitel.xml?q=schr", map[string]int{"<Prompt>Clara Schröder</Prompt><URI>Dial:03023125201</URI>": 1}},
		{"fritzbox.xml", map[string]int{"<contact>": 2000}},
		{"contacts.csv", map[string]int{"\n": others + 4, "Clara Schröder,Clara,Schröder,Fjord & Fels GmbH,": 1}},
	} {
		r, text := w.send("GET", "/phonebooks/desk/"+c.target, "", asTelephone)
		if r.StatusCode != http.StatusOK {
			w.Errorf("%s: %s", c.target, r.Status)
		}
		for part, want := range c.counts {
			if got := strings.Count(text, part); got != want {
				w.Errorf("%s: %q stands there %d times, want %d, in\n%.600s", c.target, part, got, want, text)
			}
		}
	}
	w.sizes()
}

// sizes are what a telephone sees beside the entries.
func (w *wire) sizes() {
	r, first := w.send("GET", "/phonebooks/desk/yealink.xml", "", asTelephone)
	tag := r.Header.Get("ETag")
	if left := r.Header.Get("X-Phonebook-Left-Out"); left != fmt.Sprint(others+3-1000) || tag == "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
		w.Errorf("left out %q, ETag %q, %q", left, tag, r.Header)
	}
	if r, _ := w.send("GET", "/phonebooks/desk/yealink.xml", "", asTelephone, "If-None-Match: "+tag); r.StatusCode != http.StatusNotModified {
		w.Errorf("with its ETag: %s", r.Status)
	}
	if r, _ := w.send("GET", "/phonebooks/desk/yealink.xml", ""); r.StatusCode != http.StatusUnauthorized {
		w.Errorf("without a password: %s", r.Status)
	}
	if _, again := w.send("GET", "/phonebooks/desk/yealink.xml", "", asTelephone); again != first {
		w.Error("the same phonebook is another file")
	}
	_, book := w.send("GET", "/phonebooks/desk/snom.xml", "", asTelephone)
	if _, posted := w.send("POST", "/phonebooks/desk/snom.xml", "", asTelephone, "Content-Length: 0"); posted != book || !strings.Contains(book, `complete="true"`) {
		w.Error("Snom's POST is answered in another way than its GET")
	}
	for target, most := range map[string]int{"polycom.xml?bytes=50000": 50_000, "mitel.xml": 10_000, "ascom.xml?user=1&givenName=&sn=&telephoneNumber=": 5100, "gigaset.xml?command=get_list&type=pb&ln=baum&count=100&limit=2048": 2100} {
		if _, text := w.send("GET", "/phonebooks/desk/"+target, "", asTelephone); len(text) > most || len(text) < most/10 {
			w.Errorf("%s has %d bytes, want at most %d", target, len(text), most)
		}
	}
	r, _ = w.send("GET", "/phonebooks/desk/cisco-list.xml?q=huber", "", asTelephone)
	if next := r.Header.Get("Refresh"); next != "0; url=https://hub.example.com/phonebooks/desk/cisco-list.xml?offset=32&q=huber" {
		w.Errorf("Refresh %q", next)
	}
	r, text := w.send("GET", "/phonebooks/desk/microsip.json", "", asTelephone)
	if !strings.HasPrefix(text, "[") || r.Header.Get("Cache-Control") == "" {
		w.Errorf("microsip.json begins with %.100s", text)
	}
}

// A davAnswer is a multistatus.
type davAnswer struct {
	Responses []davResponse `xml:"response"`
	Token     string        `xml:"sync-token"`
}

type davResponse struct {
	Href   string `xml:"href"`
	Status string `xml:"status"`
	Data   string `xml:"propstat>prop>address-data"`
}

const mobileBook = "/dav/mobile/contacts/"

func (w *wire) ask(method, target, body string, headers ...string) (a davAnswer) {
	w.Helper()
	r, text := w.send(method, target, body, append(headers, asMobile, "Content-Type: application/xml")...)
	if r.StatusCode != http.StatusMultiStatus {
		w.Fatalf("%s %s: %s\n%.600s", method, target, r.Status, text)
	}
	if err := xml.Unmarshal([]byte(text), &a); err != nil {
		w.Fatalf("%s %s: %v", method, target, err)
	}
	return a
}

func (w *wire) sync(token string) davAnswer {
	w.Helper()
	return w.ask("REPORT", mobileBook, `<d:sync-collection xmlns:d="DAV:"><d:sync-token>`+token+`</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>`)
}

func (w *wire) addressBooks() {
	for _, c := range []struct {
		method, target, body string
		headers              []string
		want                 int
	}{
		{"GET", "/.well-known/carddav", "", nil, 301},
		{"PROPFIND", "/dav/", "", nil, 401},
		{"OPTIONS", mobileBook, "", []string{asMobile}, 200},
		{"PROPFIND", "/dav/mobile/", `<propfind xmlns="DAV:"><prop><resourcetype/><current-user-privilege-set/><quota-used-bytes/></prop></propfind>`, []string{asMobile, "Depth: 1"}, 207},
		{"PROPFIND", mobileBook, "", []string{asMobile, "Depth: infinity"}, 403},
		{"PUT", mobileBook + "x.vcf", "BEGIN:VCARD\r\nEND:VCARD\r\n", []string{asMobile}, 403},
		{"DELETE", mobileBook + "x.vcf", "", []string{asMobile}, 403},
		{"REPORT", mobileBook, `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, []string{asMobile}, 400},
		{"REPORT", mobileBook, strings.Repeat("<a>", 3<<20), []string{asMobile}, 413},
		{"PROPFIND", "/dav/desk/contacts/", "", []string{asTelephone, "Depth: 1"}, 507}, // no address book takes 100,000
	} {
		if r, text := w.send(c.method, c.target, c.body, c.headers...); r.StatusCode != c.want {
			w.Errorf("%s %s: %s, want %d\n%.300s", c.method, c.target, r.Status, c.want, text)
		}
	}
	first := w.sync("")
	if len(first.Responses) != onMobile || first.Token == "" {
		w.Fatalf("the first synchronization lists %d cards, want %d", len(first.Responses), onMobile)
	}
	moved := dan
	moved.Name = "Dan Moved"
	w.add([]contact.Contact{moved}, "a")
	next := w.sync(first.Token)
	gone := slices.IndexFunc(next.Responses, func(r davResponse) bool { return strings.Contains(r.Status, "404") })
	if len(next.Responses) != 2 || gone < 0 {
		w.Fatalf("after one change and one deletion: %+v", next)
	}
	var list strings.Builder
	for _, r := range first.Responses {
		list.WriteString("<d:href>" + r.Href + "</d:href>")
	}
	cards := w.ask("REPORT", mobileBook, `<c:addressbook-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/><c:address-data/></d:prop>`+list.String()+`</c:addressbook-multiget>`)
	there := 0
	for i, r := range cards.Responses {
		if r.Href != first.Responses[i].Href || (r.Href == next.Responses[gone].Href) != strings.Contains(r.Status, "404") {
			w.Fatalf("the answer to %s is of %s, %q", first.Responses[i].Href, r.Href, r.Status)
		}
		if strings.HasPrefix(r.Data, "BEGIN:VCARD\r\nVERSION:3.0\r\n") && strings.HasSuffix(r.Data, "END:VCARD\r\n") {
			there++
		}
	}
	if len(cards.Responses) != onMobile || there != onMobile-1 {
		w.Errorf("%d answers with %d cards, want %d with one less", len(cards.Responses), there, onMobile)
	}
	query := func(filter string) int {
		return len(w.ask("REPORT", mobileBook, `<c:addressbook-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><c:address-data version="4.0"/></d:prop>`+filter+`</c:addressbook-query>`, "Depth: 1").Responses)
	}
	if got := query("<c:filter/>"); got != onMobile-1 {
		w.Errorf("Linphone's empty filter finds %d, want %d", got, onMobile-1)
	}
	if got := query(`<c:filter><c:prop-filter name="FN"><c:text-match match-type="contains">moved</c:text-match></c:prop-filter></c:filter>`); got != 1 {
		w.Errorf("a text finds %d, want 1", got)
	}
	token := `<d:sync-collection xmlns:d="DAV:"><d:sync-token>http://example.com/1</d:sync-token><d:prop><d:getetag/></d:prop></d:sync-collection>`
	for agent, want := range map[string]int{"iOS/18.0 dataaccessd/1.0": 403, "Mozilla/5.0 Thunderbird/140.0": 400} {
		if r, _ := w.send("REPORT", mobileBook, token, asMobile, "User-Agent: "+agent); r.StatusCode != want {
			w.Errorf("a foreign token of %s: %s", agent, r.Status)
		}
	}
}
