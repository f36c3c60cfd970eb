package ldapbook_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/phonebook/ldapbook"
)

var (
	clara = contact.Contact{ID: "a", Name: "Clara Schröder", Company: "Fjord & Fels GmbH", Title: "Head of Sales", Emails: []string{"clara@example.com"}, Phones: []string{"030 / 23125-201", "+4917139200011"}}
	dan   = contact.Contact{ID: "b", Name: "Dan O'Hara (Ops)", Company: "Acme, Inc.", Phones: []string{"+14155550123"}}
	firm  = contact.Contact{ID: "c", Company: "Omega*Soft", Phones: []string{"+442079460000"}}
)

// A hub serves phonebooks over LDAP.
type hub struct {
	*testing.T
	store   directory.Store
	running bool // what add stores is a page of a run that has not ended
	address string
}

func desk() phonebook.Config {
	return phonebook.Config{
		Name: "desk", Account: "acme", Numbers: phonebook.Numbers{Format: phonebook.E164, Region: "DE", Area: "030"},
		LDAP: &phonebook.LDAP{Base: "dc=acme", BindDN: "cn=phones,dc=acme", Password: "geheim-123", SizeLimit: 50, SizeLimitCode: 4},
	}
}

func serve(t *testing.T, o ldapbook.Options, configs []phonebook.Config, contacts ...contact.Contact) *hub {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Memory, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.SetBooks(t.Context(), phonebook.Declared(configs)); err != nil {
		t.Fatal(err)
	}
	h := &hub{T: t, store: store}
	h.add("acme", contacts...)
	for more := true; more; {
		if more, err = store.FillBooks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	set := phonebook.NewSet(configs, func(context.Context, string) (phonebook.Access, error) {
		return phonebook.Access{Store: store, Region: "DE"}, nil
	})
	o.Books = set.All()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ldapbook.New(o).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not end")
		}
	})
	return h
}

func (h *hub) add(account string, contacts ...contact.Contact) {
	h.Helper()
	run, err := h.store.StartRun(h.Context(), directory.Key{Account: account, Integration: "crm"}, directory.Start{})
	if err != nil {
		h.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1, Checkpoint: "c"}
	for _, c := range contacts {
		page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "DE")})
	}
	if err := h.store.ApplyPage(h.Context(), run, page); err != nil {
		h.Fatal(err)
	}
	if !h.running {
		h.searchable()
	}
}

// searchable does what the end of a run does.
func (h *hub) searchable() {
	h.Helper()
	if err := h.store.CompleteSearch(h.Context(), directory.Key{}); err != nil {
		h.Fatal(err)
	}
}

// patience is how long a telephone waits for bytes: the machine may be busy.
const patience = time.Minute

// A phone is a connection on which bytes are written and read.
type phone struct {
	*testing.T
	net.Conn
	id int
}

func (h *hub) dial() *phone {
	h.Helper()
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &phone{T: h.T, Conn: c}
}

func (h *hub) signedIn() *phone {
	h.Helper()
	p := h.dial()
	if code := p.bind(3, "cn=phones,dc=acme", "geheim-123"); code != 0 {
		h.Fatalf("the bind ends with %d", code)
	}
	return p
}

func (p *phone) send(op *ber.Packet, controls ...*ber.Packet) int {
	p.Helper()
	_ = p.SetDeadline(time.Now().Add(patience))
	p.id++
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, p.id, ""))
	m.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c)
		}
		m.AppendChild(list)
	}
	if _, err := p.Write(m.Bytes()); err != nil {
		p.Fatal(err)
	}
	return p.id
}

// read reads a message: its operation, and its controls.
func (p *phone) read() (id int, op, controls *ber.Packet) {
	p.Helper()
	m, err := ber.ReadPacket(p)
	if err != nil {
		p.Fatal(err)
	}
	id = int(m.Children[0].Value.(int64))
	if len(m.Children) > 2 {
		controls = m.Children[2]
	}
	return id, m.Children[1], controls
}

func code(op *ber.Packet) int { return int(op.Children[0].Value.(int64)) }

func (p *phone) bind(version int, dn, password string) int {
	p.Helper()
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 0, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, version, ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, password, ""))
	p.send(op)
	_, answer, _ := p.read()
	return code(answer)
}

// A request is a search as a telephone sends it.
type request struct {
	base      string
	scope     int
	size      int
	filter    string
	raw       *ber.Packet // instead of filter
	attrs     string
	seconds   int // that the search may take; 0: 5
	typesOnly bool
	controls  []*ber.Packet
}

// An answer is what came of a search.
type answer struct {
	entries  []entry
	code     int
	controls *ber.Packet
}

type entry struct {
	dn     string
	values map[string][]string
}

func (p *phone) begin(r request) int {
	p.Helper()
	if r.base == "" && r.scope == 2 {
		r.base = "dc=acme"
	}
	filter := r.raw
	if filter == nil {
		var err error
		if filter, err = ldap.CompileFilter(r.filter); err != nil {
			p.Fatal(err)
		}
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 3, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, r.base, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, r.scope, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 0, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, r.size, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, cmp.Or(r.seconds, 5), ""))
	op.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, r.typesOnly, ""))
	op.AppendChild(filter)
	names := ber.NewSequence("")
	for _, name := range strings.Fields(r.attrs) {
		names.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, ""))
	}
	op.AppendChild(names)
	return p.send(op, r.controls...)
}

func (p *phone) search(r request) (a answer) {
	p.Helper()
	id := p.begin(r)
	for {
		got, op, controls := p.read()
		if got != id {
			p.Fatalf("message %d is answered as %d", id, got)
		}
		if op.Tag == 5 {
			a.code, a.controls = code(op), controls
			return a
		}
		e := entry{dn: op.Children[0].Value.(string), values: map[string][]string{}}
		for _, attribute := range op.Children[1].Children {
			values := []string{}
			for _, v := range attribute.Children[1].Children {
				values = append(values, v.Value.(string))
			}
			e.values[attribute.Children[0].Value.(string)] = values
		}
		a.entries = append(a.entries, e)
	}
}

func (a answer) names() []string {
	names := []string{}
	for _, e := range a.entries {
		for _, v := range append(e.values["cn"], e.values["displayName"]...) {
			if !slices.Contains(names, v) {
				names = append(names, v)
			}
		}
	}
	return names
}

func many(n int) []contact.Contact {
	var all []contact.Contact
	for i := range n {
		all = append(all, contact.Contact{ID: fmt.Sprint("m", i), Name: fmt.Sprintf("Person %05d", i), Phones: []string{fmt.Sprintf("+493023%06d", i)}})
	}
	return all
}

// Requests of telephones and programs, each with the people that it finds.
const all = "Clara Schröder|Dan O'Hara (Ops)|Omega*Soft"

// telephoneSearches are what telephones and programs ask for, and who is found.
func telephoneSearches() []telephoneSearch {
	return []telephoneSearch{
		{"Yealink", "(|(cn=sch*)(sn=sch*))", "Clara Schröder"},
		{"Yealink", "(|(cn=schrö*)(sn=schrö*))", "Clara Schröder"},
		{"Yealink", "(|(cn=schro*)(sn=schro*))", "Clara Schröder"},
		{"Yealink", "(|(cn=SCHROEDER*)(sn=SCHROEDER*))", "Clara Schröder"},
		{"Yealink", "(cn=fjord*)", ""},
		{"Yealink", "(o=fjord*)", "Clara Schröder"},
		{"Yealink", "(|(cn=*lar*)(sn=*lar*))", "Clara Schröder"},
		{"Yealink", "(|(cn=*hröd*)(sn=*hröd*))", "Clara Schröder"},
		{"Yealink", "(&(cn=*)(sn=sch*))", "Clara Schröder"},
		{"Yealink", "(!(cn=c*))", "Dan O'Hara (Ops)|Omega*Soft"},
		{"Yealink", "(&(telephoneNumber=*)(mobile=0171392*))", "Clara Schröder"},
		{"Yealink, call", "(|(telephoneNumber=03023125201*)(mobile=03023125201*)(ipPhone=03023125201*))", "Clara Schröder"},
		{"Yealink, call", "(|(telephoneNumber=00493023125201*)(mobile=00493023125201*)(ipPhone=00493023125201*))", "Clara Schröder"},
		{"Yealink, call", "(|(telephoneNumber=+493023125201*)(mobile=+493023125201*))", "Clara Schröder"},
		{"Yealink, call", "(|(telephoneNumber=493023125201*)(mobile=493023125201*))", "Clara Schröder"},
		{"Yealink, call", "(|(telephoneNumber=030 23125-201*)(mobile=030 23125-201*))", "Clara Schröder"},
		{"Yealink, call", "(|(telephoneNumber=23125201*)(mobile=23125201*))", "Clara Schröder"},
		{"Yealink, call", "(|(telephoneNumber=03023125299*)(mobile=03023125299*))", ""},
		{"Snom", "(&(telephoneNumber=*)(sn=s*))", "Clara Schröder|Omega*Soft"},
		{"Snom", "(&(telephoneNumber=030*)(sn=*))", "Clara Schröder"},
		{"Grandstream", "(&(cn=cl*)(telephoneNumber=*))", "Clara Schröder"},
		{"Grandstream", "(|(cn=da*)(sn=da*))", "Dan O'Hara (Ops)"},
		{"Cisco", "(&(sn=schr*)(givenName=cl*))", "Clara Schröder"},
		{"Polycom", "(&(objectclass=person)(givenName>=Clara)(givenName<=zz)(givenName=Clara*))", "Clara Schröder"},
		{"Polycom", "(&(objectClass=*)(givenName>=Clara)(givenName<=zz)(givenName=Clara*)(extension=110))", ""},
		{"Polycom", "(&(objectClass=person)(sn>=P)(sn<=zz))", "Clara Schröder"},
		{"Fanvil", "(|(telephoneNumber=0171*)(mobile=0171*)(other=0171*))", "Clara Schröder"},
		{"Htek", "(cn=*)", all},
		{"Escene", "(|(telephoneNumber=030*)(Mobile=030*)(ipPhone=030*))", "Clara Schröder"},
		{"Gigaset", "(|(telephoneNumber=03023125201)(mobile=03023125201)(homePhone=03023125201))", "Clara Schröder"},
		{"Gigaset, list", "(displayName=*)", all},
		{"Mitel", "(&(sn=s*)(number=*))", "Clara Schröder|Omega*Soft"},
		{"Mitel", "(&(sn=z*)(number=*))", ""},
		{"innovaphone", "(metaSearchNumber=+493023125201)", "Clara Schröder"},
		{"AudioCodes", "(telephoneNumber=3*0*2*3*1*2*5*2*0*1)", "Clara Schröder"},
		{"Superfecta", "(|(telephoneNumber=*23125201)(mobile=*23125201)(homeTelephoneNumber=*23125201))", "Clara Schröder"},
		{"Linphone", "(sn=*schr*der*)", "Clara Schröder"},
		{"Jitsi", "(|(displayName=*clara schröder*)(cn=*clara schröder*)(commonname=*clara schröder*)(sn=*clara schröder*)(surname=*clara schröder*)(gn=*clara schröder*)(givenname=*clara schröder*)(uid=*clara schröder*)(mail=*clara schröder*))", "Clara Schröder"},
		{"iOS", "(|(o=ome*)(cn=ome*)(ou=ome*)(sn=ome*)(mail=ome*)(IMHandle=ome*)(givenname=ome*)(postalAddress=ome*)(telephoneNumber=ome*))", "Omega*Soft"},
		{"Outlook", "(&(mail=*)(|(mail=cla*)(|(cn=cla*)(|(sn=cla*)(givenName=cla*)))))", "Clara Schröder"},
		{"Outlook", "(&(mail=*)(|(mail=d*)(|(cn=d*)(|(sn=d*)(givenName=d*)))))", ""},
		{"Thunderbird", "(|(cn=cl*schr*)(mail=cl*schr*)(sn=cl*schr*))", "Clara Schröder"},
		{"escapes", `(cn=omega\2asoft)`, "Omega*Soft"},
		{"escapes", `(cn=dan o'hara \28ops\29)`, "Dan O'Hara (Ops)"},
		{"nothing known", "(IMHandle=x*)", ""},
		{"nothing known, denied", "(!(IMHandle=x*))", ""},
		{"a class", "(objectClass=inetOrgPerson)", all},
		{"another class", "(objectClass=printer)", ""},
		{"a denied class", "(!(objectClass=person))", ""},
		{"letters", "(telephoneNumber=abc*)", ""},
		{"nothing", "(cn=)", ""},
	}
}

type telephoneSearch struct{ who, filter, want string }

func TestEveryTelephonesSearch(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, clara, dan, firm)
	p := h.signedIn()
	for _, c := range telephoneSearches() {
		got := p.search(request{scope: 2, filter: c.filter, attrs: "cn"})
		if names := strings.Join(got.names(), "|"); names != c.want || got.code != 0 {
			t.Errorf("%s: %s finds %q with code %d, want %q", c.who, c.filter, names, got.code, c.want)
		}
	}
}

// TestEveryTelephonesSearchAmong100000Contacts: the same people are found; searches that many others fit have 50 of them, and say so.
func TestEveryTelephonesSearchAmong100000Contacts(t *testing.T) {
	h := serve(t, ldapbook.Options{Times: ldapbook.Times{Search: time.Minute}}, []phonebook.Config{desk()})
	run, err := h.store.StartRun(t.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{})
	if err != nil {
		t.Fatal(err)
	}
	given, family := []string{"Bert", "Gabi", "Hugo", "Kim", "Nele"}, []string{"Baum", "Gruber", "Huber", "Keller", "Lang", "Nagel", "Kraus-Bohl"}
	const pages = 100
	for seq := range pages {
		page := directory.PageChanges{Seq: int64(seq + 1), NextOffset: "more"}
		for n := range 1000 {
			id := seq*1000 + n
			c := contact.Contact{ID: fmt.Sprint("other ", id), Name: given[id%len(given)] + " " + family[id%len(family)], Phones: []string{fmt.Sprintf("+49896%06d", id)}}
			page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "DE")})
		}
		if seq == pages-1 {
			page.NextOffset, page.Checkpoint = "", "c"
			for _, c := range []contact.Contact{clara, dan, firm} {
				page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "DE")})
			}
		}
		if err := h.store.ApplyPage(t.Context(), run, page); err != nil {
			t.Fatal(err)
		}
	}
	h.searchable()
	p := h.signedIn()
	for _, c := range telephoneSearches() {
		got := p.search(request{scope: 2, filter: c.filter, attrs: "cn", seconds: 60})
		if c.want == all || c.filter == "(!(cn=c*))" {
			if len(got.entries) != 50 || got.code != 4 || !slices.IsSorted(got.names()) {
				t.Errorf("%s: %s finds %d with code %d, want the first 50 of many", c.who, c.filter, len(got.entries), got.code)
			}
			continue
		}
		if names := strings.Join(got.names(), "|"); names != c.want || got.code != 0 {
			t.Errorf("%s: %s finds %q with code %d, want %q", c.who, c.filter, names, got.code, c.want)
		}
	}
	// Pages show everyone once, in the order of names.
	seen, last := map[string]bool{}, ""
	for cookie := "-"; cookie != ""; {
		cookie = strings.Trim(cookie, "-")
		got := p.search(request{scope: 2, filter: "(|(cn=ba*)(sn=ba*))", attrs: "cn", seconds: 60, controls: []*ber.Packet{paging(1000, cookie)}})
		if got.code != 0 {
			t.Fatalf("a page ends with code %d", got.code)
		}
		for _, e := range got.entries {
			if name := e.values["cn"][0]; seen[e.dn] || name < last {
				t.Fatalf("%s comes twice, or not in order", name)
			}
			seen[e.dn], last = true, e.values["cn"][0]
		}
		cookie = valueOf(t, got, "1.2.840.113556.1.4.319").Children[1].Value.(string)
	}
	if want := 100_000 / len(family); len(seen) < want || len(seen) > want+1 {
		t.Errorf("%d are on all pages, want %d", len(seen), want)
	}
}

func TestFiltersThatOnlyExistAsBytes(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, clara, dan)
	p := h.signedIn()
	pieces := func(attribute string, list ...*ber.Packet) *ber.Packet {
		f := ber.Encode(ber.ClassContext, ber.TypeConstructed, 4, nil, "")
		f.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, attribute, ""))
		sequence := ber.NewSequence("")
		for _, one := range list {
			sequence.AppendChild(one)
		}
		f.AppendChild(sequence)
		return f
	}
	piece := func(tag ber.Tag, text string) *ber.Packet {
		return ber.NewString(ber.ClassContext, ber.TypePrimitive, tag, text, "")
	}
	for what, f := range map[string]*ber.Packet{
		"an empty piece in the middle": pieces("cn", piece(0, "cla"), piece(1, "")),
		"Latin-1":                      pieces("cn", piece(0, "Schr\xf6")),
		"and of nothing":               ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, ""),
	} {
		got := p.search(request{scope: 2, raw: f, attrs: "cn"})
		if names := got.names(); got.code != 0 || !slices.Contains(names, "Clara Schröder") {
			t.Errorf("%s: code %d, %q", what, got.code, names)
		}
	}
	or := ber.Encode(ber.ClassContext, ber.TypeConstructed, 1, nil, "")
	if got := p.search(request{scope: 2, raw: or}); got.code != 0 || len(got.entries) != 0 {
		t.Errorf("or of nothing: %+v", got)
	}
	deep, _ := ldap.CompileFilter("(cn=*)")
	for range 60 {
		not := ber.Encode(ber.ClassContext, ber.TypeConstructed, 2, nil, "")
		not.AppendChild(deep)
		deep = not
	}
	if got := p.search(request{scope: 2, raw: deep}); got.code != 2 {
		t.Errorf("a filter of 60 levels: code %d", got.code)
	}
	if got := p.search(request{scope: 2, filter: "(cn=clara*)", attrs: "cn"}); len(got.entries) != 1 {
		t.Errorf("afterwards: %+v", got)
	}
}

// Two letters that may stand for an umlaut stand for themselves as well, and for nothing else.
func TestOtherPeopleAreNotFoundByTwoLetters(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()},
		contact.Contact{ID: "1", Name: "Jörg Söder", Phones: []string{"+493023125201"}}, contact.Contact{ID: "2", Name: "John Sons", Phones: []string{"+493023125202"}},
		contact.Contact{ID: "3", Name: "Joel Soest", Phones: []string{"+493023125203"}}, contact.Contact{ID: "4", Name: "Joerg Boehm", Phones: []string{"+493023125204"}})
	p := h.signedIn()
	for filter, want := range map[string]string{
		"(cn=joe*)": "Joel Soest, Joerg Boehm, Jörg Söder", "(givenName=jör*)": "Joerg Boehm, Jörg Söder", "(sn=soe*)": "Joel Soest, Jörg Söder",
		"(cn=jo*)": "Joel Soest, Joerg Boehm, John Sons, Jörg Söder", "(sn=soder)": "Jörg Söder", "(sn=böhm)": "Joerg Boehm", "(cn=*oeh*)": "Joerg Boehm",
		`(cn=*\5c*)`: "", `(o=*\2a*)`: "",
	} {
		names := p.search(request{scope: 2, filter: filter, attrs: "cn"}).names()
		slices.Sort(names)
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%s finds %q, want %q", filter, got, want)
		}
	}
}

func TestNumbersAreGivenBackInTheFormatAndAsTheyWereAskedFor(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, clara)
	p := h.signedIn()
	for _, asked := range []string{"03023125201", "00493023125201", "23125201"} {
		got := p.search(request{scope: 2, filter: "(|(telephoneNumber=" + asked + ")(mobile=" + asked + "))", attrs: "telephoneNumber mobile"})
		if len(got.entries) != 1 || !slices.Equal(got.entries[0].values["telephoneNumber"], []string{"+493023125201", asked}) || !slices.Equal(got.entries[0].values["mobile"], []string{"+4917139200011"}) {
			t.Errorf("asked for %s: %+v", asked, got)
		}
	}
	got := p.search(request{scope: 2, filter: "(telephoneNumber=030*)", attrs: "telephoneNumber"})
	if len(got.entries) != 1 || !slices.Equal(got.entries[0].values["telephoneNumber"], []string{"+493023125201"}) {
		t.Errorf("while it is typed: %+v", got)
	}
}

func TestAnswersHaveTheNamesThatWereAskedFor(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, clara, firm)
	p := h.signedIn()
	got := p.search(request{scope: 2, filter: "(cn=clara*)", attrs: "Mobile GN surname departmentNumber company ou metaSearchNumber"})
	want := map[string][]string{"Mobile": {"+4917139200011"}, "GN": {"Clara"}, "surname": {"Schröder"}, "company": {"Fjord & Fels GmbH"}, "metaSearchNumber": {"+493023125201", "+4917139200011"}}
	if len(got.entries) != 1 || fmt.Sprint(got.entries[0].values) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	dn := got.entries[0].dn
	if !strings.HasPrefix(dn, "uid=") || !strings.HasSuffix(dn, ",dc=acme") || strings.Contains(dn, "uid=a,") {
		t.Errorf("the DN is %q", dn)
	}
	again := p.search(request{base: strings.ToUpper(dn), filter: "(objectClass=*)"})
	if len(again.entries) != 1 || again.entries[0].dn != dn || again.entries[0].values["cn"][0] != "Clara Schröder" {
		t.Errorf("a search for %s: %+v", dn, again)
	}
	if none := p.search(request{scope: 2, filter: "(cn=clara*)", attrs: "1.1"}); len(none.entries) != 1 || len(none.entries[0].values) != 0 {
		t.Errorf("1.1: %+v", none)
	}
	if types := p.search(request{scope: 2, filter: "(cn=clara*)", attrs: "cn", typesOnly: true}); len(types.entries) != 1 || types.entries[0].values["cn"] == nil || len(types.entries[0].values["cn"]) != 0 {
		t.Errorf("types only: %+v", types)
	}
	company := p.search(request{scope: 2, filter: "(cn=omega*)"})
	if v := company.entries[0].values; v["sn"][0] != "Omega*Soft" || v["o"][0] != "Omega*Soft" || v["displayName"][0] != "Omega*Soft" || !slices.Contains(v["objectClass"], "inetOrgPerson") {
		t.Errorf("a company: %+v", v)
	}
}

// Names and whole numbers find what a run has just stored, before the search index has it.
func TestNamesAreFoundWhileARunStoresThem(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, dan)
	h.running = true
	h.add("acme", append(many(1500), clara)...)
	if n, err := h.store.Unsearchable(t.Context(), "acme"); n != 1501 || err != nil {
		t.Fatalf("%d contacts wait for the index, %v: there is nothing to try", n, err)
	}
	p := h.signedIn()
	for filter, want := range map[string]string{
		"(cn=cla*)": "Clara Schröder", "(cn=clara*)": "Clara Schröder", "(|(cn=schroed*)(sn=schroed*))": "Clara Schröder",
		"(&(cn=clara*)(sn=schrö*))": "Clara Schröder", "(cn=Person 01499)": "Person 01499", "(telephoneNumber=03023001499)": "Person 01499",
	} {
		if got := p.search(request{scope: 2, filter: filter, attrs: "cn"}); strings.Join(got.names(), "|") != want || got.code != 0 {
			t.Errorf("%s finds %q with code %d, want %s", filter, got.names(), got.code, want)
		}
	}
	h.searchable()
	if got := p.search(request{scope: 2, filter: "(o=fjord*)", attrs: "cn"}); strings.Join(got.names(), "|") != "Clara Schröder" {
		t.Errorf("after the run a company finds %q", got.names())
	}
}

func TestLimits(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, append(many(1500), clara)...)
	p := h.signedIn()
	for _, c := range []struct {
		filter     string
		size, want int
		code       int
	}{
		{"(cn=*)", 32000, 50, 4},
		{"(cn=*)", 0, 50, 4},
		{"(cn=*)", 10, 10, 4},
		{"(cn=person*)", 0, 50, 4},
		{"(!(cn=c*))", 0, 50, 4},
		{"(cn=clara*)", 1, 1, 0},
		{"(cn=*a*)", 0, 1, 0},
		{"(telephoneNumber=030*)", 0, 50, 4},
		{"(&(cn=person*)(telephoneNumber=03023001499))", 0, 1, 0},
		{"(&(cn=person*)(sn=01499))", 0, 1, 0},
		{"(&(cn=person*)(title=head*))", 0, 0, 0},
	} {
		if got := p.search(request{scope: 2, filter: c.filter, size: c.size, attrs: "cn"}); len(got.entries) != c.want || got.code != c.code {
			t.Errorf("%s with size %d: %d entries, code %d; want %d, %d", c.filter, c.size, len(got.entries), got.code, c.want, c.code)
		}
	}
	zero := desk()
	zero.LDAP.SizeLimitCode = 0
	other := serve(t, ldapbook.Options{}, []phonebook.Config{zero}, many(100)...)
	if got := other.signedIn().search(request{scope: 2, filter: "(cn=*)"}); got.code != 0 || len(got.entries) != 50 {
		t.Errorf("with size_limit_code 0: %d entries, code %d", len(got.entries), got.code)
	}
}

func controlOf(oid string, critical bool, value *ber.Packet) *ber.Packet {
	c := ber.NewSequence("")
	c.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, oid, ""))
	if critical {
		c.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	}
	if value != nil {
		c.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, string(value.Bytes()), ""))
	}
	return c
}

func paging(size int, cookie string) *ber.Packet {
	value := ber.NewSequence("")
	value.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, size, ""))
	value.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, cookie, ""))
	return controlOf("1.2.840.113556.1.4.319", false, value)
}

func sorting(critical bool, attribute string) *ber.Packet {
	list, key := ber.NewSequence(""), ber.NewSequence("")
	key.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, attribute, ""))
	list.AppendChild(key)
	return controlOf("1.2.840.113556.1.4.473", critical, list)
}

// valueOf is the value of a control of an answer.
func valueOf(t *testing.T, a answer, oid string) *ber.Packet {
	t.Helper()
	if a.controls != nil {
		for _, c := range a.controls.Children {
			if c.Children[0].Value == oid {
				value, err := ber.DecodePacketErr(c.Children[1].ByteValue)
				if err != nil {
					t.Fatal(err)
				}
				return value
			}
		}
	}
	t.Fatalf("the answer has no control %s", oid)
	return nil
}

func TestPages(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, many(90)...)
	p := h.signedIn()
	for _, filter := range []string{"(cn=*)", "(cn=person*)", "(cn=*son*)", "(telephoneNumber=030*)"} {
		cookie, seen, pages := "", []string{}, 0
		for pages == 0 || cookie != "" {
			got := p.search(request{scope: 2, filter: filter, attrs: "cn", controls: []*ber.Packet{paging(20, cookie)}})
			if got.code != 0 {
				t.Fatalf("%s: code %d on page %d", filter, got.code, pages)
			}
			seen = append(seen, got.names()...)
			cookie = valueOf(t, got, "1.2.840.113556.1.4.319").Children[1].Value.(string)
			if pages++; pages > 10 {
				t.Fatalf("%s does not end", filter)
			}
		}
		if pages != 5 || len(seen) != 90 || !slices.IsSorted(seen) {
			t.Errorf("%s: %d pages with %d entries", filter, pages, len(seen))
		}
	}
	first := p.search(request{scope: 2, filter: "(cn=*)", controls: []*ber.Packet{paging(20, "")}})
	cookie := valueOf(t, first, "1.2.840.113556.1.4.319").Children[1].Value.(string)
	for what, r := range map[string]request{
		"a forged cookie":            {scope: 2, filter: "(cn=*)", controls: []*ber.Packet{paging(20, "x"+cookie[1:])}},
		"a short cookie":             {scope: 2, filter: "(cn=*)", controls: []*ber.Packet{paging(20, "x")}},
		"a cookie of another search": {scope: 2, filter: "(cn=p*)", controls: []*ber.Packet{paging(20, cookie)}},
	} {
		if got := p.search(r); got.code != 53 || len(got.entries) != 0 {
			t.Errorf("%s: code %d", what, got.code)
		}
	}
	if got := p.search(request{scope: 2, filter: "(cn=*)", controls: []*ber.Packet{paging(0, cookie)}}); got.code != 0 || len(got.entries) != 0 {
		t.Errorf("a search that is given up: code %d, %d entries", got.code, len(got.entries))
	}
}

func TestSorting(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, contact.Contact{ID: "1", Name: "Anna Zander"}, contact.Contact{ID: "2", Name: "Berta Maler"}, contact.Contact{ID: "3", Name: "Cid Adler"})
	p := h.signedIn()
	got := p.search(request{scope: 2, filter: "(cn=*)", attrs: "cn", controls: []*ber.Packet{sorting(false, "sn")}})
	if names := got.names(); !slices.Equal(names, []string{"Cid Adler", "Berta Maler", "Anna Zander"}) || valueOf(t, got, "1.2.840.113556.1.4.474").Children[0].Value.(int64) != 0 {
		t.Errorf("%q", names)
	}
	if got := p.search(request{scope: 2, filter: "(cn=*)", attrs: "cn"}); !slices.Equal(got.names(), []string{"Anna Zander", "Berta Maler", "Cid Adler"}) {
		t.Errorf("without the control: %q", got.names())
	}
	got = p.search(request{scope: 2, filter: "(cn=*)", attrs: "cn", controls: []*ber.Packet{sorting(false, "shoeSize")}})
	if len(got.entries) != 3 || valueOf(t, got, "1.2.840.113556.1.4.474").Children[0].Value.(int64) != 16 {
		t.Errorf("by an attribute that is unknown: %+v", got)
	}
	if got := p.search(request{scope: 2, filter: "(cn=*)", controls: []*ber.Packet{sorting(true, "shoeSize")}}); got.code != 12 || len(got.entries) != 0 {
		t.Errorf("critical: %+v", got)
	}
	vlv := "2.16.840.1.113730.3.4.9"
	if got := p.search(request{scope: 2, filter: "(cn=*)", controls: []*ber.Packet{controlOf(vlv, true, nil)}}); got.code != 12 {
		t.Errorf("a critical VLV: code %d", got.code)
	}
	if got := p.search(request{scope: 2, filter: "(cn=*)", controls: []*ber.Packet{controlOf(vlv, false, nil)}}); got.code != 0 || len(got.entries) != 3 {
		t.Errorf("a VLV: %+v", got)
	}
}

func TestSigningIn(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, clara)
	p := h.dial()
	if got := p.search(request{scope: 2, filter: "(cn=*)"}); got.code != 50 {
		t.Errorf("a search before the bind: code %d", got.code)
	}
	for _, c := range []struct {
		version      int
		dn, password string
		want         int
	}{
		{3, "", "", 48},
		{3, "cn=phones,dc=acme", "", 53},
		{3, "cn=phones,dc=acme", "falsch", 49},
		{3, "cn=nobody,dc=acme", "geheim-123", 49},
		{4, "cn=phones,dc=acme", "geheim-123", 2},
		{3, " CN = phones , DC=ACME ", "geheim-123", 0},
		{2, "cn=phones,dc=acme", "geheim-123", 0},
	} {
		if got := p.bind(c.version, c.dn, c.password); got != c.want {
			t.Errorf("%+v: code %d", c, got)
		}
	}
	if got := p.search(request{scope: 2, filter: "(cn=*)"}); got.code != 0 || len(got.entries) != 1 {
		t.Errorf("%+v", got)
	}
	p.bind(3, "cn=phones,dc=acme", "falsch")
	if got := p.search(request{scope: 2, filter: "(cn=*)"}); got.code != 50 {
		t.Errorf("after a wrong password: code %d", got.code)
	}
	sasl := ber.Encode(ber.ClassApplication, ber.TypeConstructed, 0, nil, "")
	sasl.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	sasl.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	mechanism := ber.Encode(ber.ClassContext, ber.TypeConstructed, 3, nil, "")
	mechanism.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "DIGEST-MD5", ""))
	sasl.AppendChild(mechanism)
	p.send(sasl)
	if _, op, _ := p.read(); code(op) != 7 {
		t.Errorf("SASL: code %d", code(op))
	}
	if got := p.bind(3, "cn=phones,dc=acme", "geheim-123"); got != 0 {
		t.Errorf("afterwards: code %d", got)
	}
}

func TestWrongPasswordsAreSlowedDownByAddressAndName(t *testing.T) {
	second := desk()
	second.Name, second.Account, second.LDAP = "second", "zeta", &phonebook.LDAP{Base: "dc=zeta", BindDN: "cn=phones,dc=zeta", Password: "anderes-1", SizeLimit: 50}
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk(), second}, clara)
	p := h.dial()
	for n := range 5 {
		if got := p.bind(3, "cn=phones,dc=acme", "falsch"+strconv.Itoa(n)); got != 49 {
			t.Fatalf("try %d: code %d", n, got)
		}
	}
	if got := p.bind(3, "cn=phones,dc=acme", "geheim-123"); got != 49 {
		t.Errorf("the right password after five wrong ones: code %d, want that it must wait", got)
	}
	if got := p.bind(3, "cn=phones,dc=zeta", "anderes-1"); got != 0 {
		t.Errorf("another name from the same address: code %d", got)
	}
}

func TestOneAccountNeverSeesAnothersContacts(t *testing.T) {
	second := desk()
	second.Name, second.Account, second.LDAP = "second", "zeta", &phonebook.LDAP{Base: "dc=zeta", BindDN: "cn=phones,dc=zeta", Password: "anderes-1", SizeLimit: 50}
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk(), second}, clara)
	h.add("zeta", contact.Contact{ID: "z", Name: "Zoe Zeta", Phones: []string{"+493023125201"}})
	acme, zeta := h.signedIn(), h.dial()
	if got := zeta.bind(3, "cn=phones,dc=zeta", "anderes-1"); got != 0 {
		t.Fatal(got)
	}
	for _, filter := range []string{"(cn=*)", "(telephoneNumber=03023125201)", "(cn=*e*)", "(objectClass=*)"} {
		if got := acme.search(request{scope: 2, filter: filter}).names(); !slices.Equal(got, []string{"Clara Schröder"}) {
			t.Errorf("acme finds %q", got)
		}
		if got := zeta.search(request{base: "dc=zeta", scope: 2, filter: filter}).names(); !slices.Equal(got, []string{"Zoe Zeta"}) {
			t.Errorf("zeta finds %q", got)
		}
		if got := zeta.search(request{base: "dc=acme", scope: 2, filter: filter}); got.code != 32 || len(got.entries) != 0 {
			t.Errorf("zeta in acme's base: %+v", got)
		}
	}
	dn := acme.search(request{scope: 2, filter: "(cn=*)"}).entries[0].dn
	for _, base := range []string{dn, strings.Replace(dn, "dc=acme", "dc=zeta", 1)} {
		if got := zeta.search(request{base: base, filter: "(objectClass=*)"}); got.code != 32 || len(got.entries) != 0 {
			t.Errorf("zeta looks at %s: %+v", base, got)
		}
	}
}

func TestAnonymousWhereItIsSwitchedOn(t *testing.T) {
	c := desk()
	c.LDAP.Anonymous, c.LDAP.BindDN, c.LDAP.Password = true, "", ""
	h := serve(t, ldapbook.Options{}, []phonebook.Config{c}, clara)
	p := h.dial()
	if got := p.search(request{scope: 2, filter: "(cn=*)"}); len(got.entries) != 1 {
		t.Errorf("without a bind: %+v", got)
	}
	if got := p.bind(3, "", ""); got != 0 {
		t.Errorf("an anonymous bind: code %d", got)
	}
	if got := p.bind(3, "cn=x", "y"); got != 49 {
		t.Errorf("a name without a password of ours: code %d", got)
	}
}

func TestWhatTheServerSaysOfItself(t *testing.T) {
	h := serve(t, ldapbook.Options{Version: "1.2.3"}, []phonebook.Config{desk()}, clara)
	p := h.dial()
	root := p.search(request{filter: "(objectclass=*)", attrs: "supportedControl supportedExtension supportedFeatures supportedLDAPVersion subschemaSubentry schemaNamingContext namingContexts"})
	if len(root.entries) != 1 || !slices.Equal(root.entries[0].values["namingContexts"], []string{"dc=acme"}) || !slices.Equal(root.entries[0].values["supportedLDAPVersion"], []string{"3", "2"}) {
		t.Fatalf("%+v", root)
	}
	if controls := root.entries[0].values["supportedControl"]; slices.Contains(controls, "2.16.840.1.113730.3.4.9") || !slices.Contains(controls, "1.2.840.113556.1.4.319") {
		t.Errorf("%q", controls)
	}
	schema := p.search(request{base: root.entries[0].values["subschemaSubentry"][0], filter: "(objectClass=subschema)", attrs: "objectClasses attributeTypes"})
	if len(schema.entries) != 1 || !strings.Contains(strings.Join(schema.entries[0].values["objectClasses"], "\n"), "NAME 'inetOrgPerson'") {
		t.Errorf("%+v", schema)
	}
	for _, a := range append(schema.entries[0].values["attributeTypes"], schema.entries[0].values["objectClasses"]...) {
		if strings.Count(a, "(") != strings.Count(a, ")") || !strings.HasPrefix(a, "( ") {
			t.Errorf("%q is not a definition", a)
		}
	}
	in := h.signedIn()
	base := in.search(request{base: "dc=acme", filter: "(objectClass=*)"})
	if len(base.entries) != 1 || base.entries[0].dn != "dc=acme" || !slices.Contains(base.entries[0].values["objectClass"], "dcObject") {
		t.Errorf("%+v", base)
	}
	if got := in.search(request{base: "dc=acme", scope: 1, filter: "(objectClass=*)"}); len(got.entries) != 1 || got.names()[0] != "Clara Schröder" {
		t.Errorf("one level below: %+v", got)
	}
	if got := in.search(request{base: "ou=x,dc=other", scope: 2, filter: "(cn=*)"}); got.code != 32 {
		t.Errorf("an unknown base: code %d", got.code)
	}
	if got := in.search(request{base: "nonsense", scope: 2, filter: "(cn=*)"}); got.code != 34 {
		t.Errorf("no DN: code %d", got.code)
	}
}

func TestNothingIsWritten(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, clara)
	c, err := ldap.DialURL("ldap://" + h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
		t.Fatal(err)
	}
	found, err := c.Search(ldap.NewSearchRequest("dc=acme", 2, 0, 0, 0, false, "(cn=clara*)", nil, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatal(found, err)
	}
	dn := found.Entries[0].DN
	change := ldap.NewModifyRequest(dn, nil)
	change.Replace("cn", []string{"x"})
	for what, err := range map[string]error{
		"modify": c.Modify(change), "add": c.Add(ldap.NewAddRequest("uid=x,dc=acme", nil)), "delete": c.Del(ldap.NewDelRequest(dn, nil)),
		"rename": c.ModifyDN(ldap.NewModifyDNRequest(dn, "uid=y", true, "")),
	} {
		if !ldap.IsErrorWithCode(err, 53) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if same, err := c.Compare(dn, "cn", "clara schroder"); err != nil || !same {
		t.Errorf("compare: %v, %v", same, err)
	}
	if same, err := c.Compare(dn, "cn", "bob"); err != nil || same {
		t.Errorf("compare: %v, %v", same, err)
	}
	if _, err := c.WhoAmI(nil); !ldap.IsErrorWithCode(err, 2) {
		t.Errorf("an unknown extension: %v", err)
	}
}

func TestAbandonedSearchLeavesTheConnectionToTheNext(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, many(3000)...)
	p := h.signedIn()
	first := p.begin(request{scope: 2, filter: "(cn=*x*)"})
	abandon := ber.NewInteger(ber.ClassApplication, ber.TypePrimitive, 16, first, "")
	p.send(abandon)
	next := p.begin(request{scope: 2, filter: "(cn=person 00007)", attrs: "cn"})
	for {
		id, op, _ := p.read()
		if id == next && op.Tag == 5 {
			return
		}
	}
}

func TestHostileInput(t *testing.T) {
	times := ldapbook.Times{Unbound: 700 * time.Millisecond, Idle: 700 * time.Millisecond, Message: 300 * time.Millisecond}
	h := serve(t, ldapbook.Options{Times: times}, []phonebook.Config{desk()}, clara)
	closed := func(p *phone) bool {
		_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err := io.Copy(io.Discard, p)
		return err == nil || !strings.Contains(err.Error(), "timeout")
	}
	for what, b := range map[string][]byte{
		"a message of 300 KiB":      append([]byte{0x30, 0x83, 0x04, 0xb0, 0x00}, make([]byte, 1000)...),
		"a message of 4 GiB":        {0x30, 0x84, 0xff, 0xff, 0xff, 0xff},
		"an endless message":        {0x30, 0x80, 0x02, 0x01, 0x01},
		"HTTP":                      []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"TLS":                       {0x16, 0x03, 0x01, 0x02, 0x00, 0x01},
		"half a message":            {0x30, 0x20, 0x02, 0x01},
		"nothing":                   {},
		"an empty message":          {0x30, 0x00},
		"a length beyond its frame": {0x30, 0x05, 0x02, 0x01, 0x01, 0x60, 0x7f},
	} {
		p := h.dial()
		if _, err := p.Write(b); err != nil {
			t.Fatal(err)
		}
		if !closed(p) {
			t.Errorf("%s: the connection stays open", what)
		}
	}
	p := h.dial()
	if _, err := p.Write([]byte{0x30, 0x80}); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(p); !bytes.Contains(got, []byte("1.3.6.1.4.1.1466.20036")) {
		t.Errorf("broken BER is answered with % x", got)
	}
	if got := h.signedIn().search(request{scope: 2, filter: "(cn=*)"}); len(got.entries) != 1 {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestPurgedContactIsInNoAnswer(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, clara, dan)
	p := h.signedIn()
	dn := p.search(request{scope: 2, filter: "(cn=clara*)"}).entries[0].dn
	if _, err := h.store.Purge(t.Context(), "acme", []directory.Ref{{Integration: "crm", ID: "a"}}, true); err != nil {
		t.Fatal(err)
	}
	for _, filter := range []string{"(cn=*)", "(cn=clara*)", "(cn=*lar*)", "(telephoneNumber=03023125201)", "(mail=clara*)", "(!(cn=dan*))"} {
		if got := p.search(request{scope: 2, filter: filter}); slices.Contains(got.names(), "Clara Schröder") {
			t.Errorf("%s still finds her", filter)
		}
	}
	if got := p.search(request{base: dn, filter: "(objectClass=*)"}); got.code != 32 {
		t.Errorf("her DN: %+v", got)
	}
}
