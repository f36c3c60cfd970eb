package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/priority"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/internal/test/process"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/phonebook/ldapbook"
	"github.com/contactbridge/contactbridge/web/carddav"
	"github.com/contactbridge/contactbridge/web/phonebooks"
)

const (
	shown      = 50   // entries that a telephone asks for
	onMobiles  = 5000 // contacts of the phonebook that is read whole
	phonesUser = "phones"
	phonesPath = "/dav/small/contacts/"
)

// A directoryOfPhones is a directory with a phonebook of all contacts, called all, and one of some, called small.
type directoryOfPhones struct {
	store   directory.Store
	set     *phonebook.Set
	numbers []string // of some contacts
	begins  []string // three letters each, of names
}

// ldapSearch measures searches of telephones in the embedded directory, and phonebooks that are read whole.
func ldapSearch(ctx context.Context, l *laboratory) ([]result, error) {
	path := filepath.Join(l.dir, "phones.db")
	if err := preparePhones(ctx, l); err != nil {
		return nil, err
	}
	if kept, there := l.kept(phonesFile(l)); there {
		if err := process.Copy(ctx, kept, path); err != nil {
			return nil, err
		}
	}
	store, err := sqlite.Open(ctx, path, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	d := openPhones(l, store)
	results, err := d.searches(ctx, l, "")
	if err != nil {
		return nil, err
	}
	whole, err := d.whole(ctx, l)
	return append(results, whole...), err
}

func phonesFile(l *laboratory) string { return fmt.Sprintf("phones-%d.db", l.big) }

// preparePhones makes the embedded directory, unless it is kept.
func preparePhones(ctx context.Context, l *laboratory) error {
	kept, there := l.kept(phonesFile(l))
	if there {
		return nil
	}
	path := filepath.Join(l.dir, "phones.db")
	store, err := sqlite.Open(ctx, path, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		return err
	}
	if err = errors.Join(fillPhones(ctx, l, store), store.Close()); err != nil || kept == "" {
		return err
	}
	return process.Copy(ctx, path, kept)
}

// ldapSearchPostgres is the same in PostgreSQL.
func ldapSearchPostgres(ctx context.Context, l *laboratory) ([]result, error) {
	server, err := phonesServer(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Stop() }()
	store, err := postgres.Open(ctx, server.DSN("postgres"), postgres.WithJudges(phonebook.Judges))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	return openPhones(l, store).searches(ctx, l, "-postgres")
}

func preparePhonesPostgres(ctx context.Context, l *laboratory) error {
	server, err := phonesServer(ctx, l)
	if err != nil {
		return err
	}
	return server.Stop()
}

// phonesServer starts a server with the directory.
func phonesServer(ctx context.Context, l *laboratory) (server *pgtest.Server, err error) {
	settings := []string{"shared_buffers=1GB", "max_wal_size=512MB", "autovacuum=off"}
	kept, there := l.kept(fmt.Sprintf("phones-%d-postgres", l.big))
	if there {
		return pgtest.Restore(ctx, kept, settings...)
	}
	if server, err = pgtest.Start(ctx, settings...); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = server.Stop()
		}
	}()
	store, err := postgres.Open(ctx, server.DSN("postgres"), postgres.WithJudges(phonebook.Judges))
	if err != nil {
		return server, err
	}
	if err = errors.Join(fillPhones(ctx, l, store), store.Close()); err != nil {
		return server, err
	}
	conn, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		return server, err
	}
	_, err = conn.Exec(ctx, "VACUUM ANALYZE") // the server's own is off
	if err = errors.Join(err, conn.Close(ctx)); err != nil || kept == "" {
		return server, err
	}
	return server, server.Save(ctx, kept)
}

func phonebooksOf() []phonebook.Config {
	return []phonebook.Config{
		{
			Name: "all", Account: account, Numbers: phonebook.Numbers{Format: phonebook.National},
			LDAP: &phonebook.LDAP{Base: "dc=all", BindDN: "cn=phones,dc=all", Password: secret, SizeLimit: 500, SizeLimitCode: 4},
		},
		{
			Name: "small", Account: account, Integrations: []string{"small"}, Numbers: phonebook.Numbers{Format: phonebook.E164},
			HTTP: &phonebook.HTTP{User: phonesUser, Password: secret, First: phonebook.FirstByName}, CardDAV: &phonebook.CardDAV{User: phonesUser, Password: secret},
		},
	}
}

// fillPhones stores the contacts of both phonebooks.
func fillPhones(ctx context.Context, l *laboratory, store directory.Store) error {
	if err := store.SetBooks(ctx, phonebook.Declared(phonebooksOf())); err != nil {
		return err
	}
	for more := true; more; {
		var err error
		if more, err = store.FillBooks(ctx); err != nil {
			return err
		}
	}
	people := sample.New(seed, start)
	for _, part := range []struct {
		integration string
		contacts    int
	}{{"crm", l.big}, {"small", min(onMobiles, l.big)}} {
		if err := fill(ctx, store, people, part.integration, part.contacts); err != nil {
			return err
		}
	}
	return nil
}

// openPhones opens the phonebooks of a directory that is filled, and chooses what telephones ask it for.
func openPhones(l *laboratory, store directory.Store) *directoryOfPhones {
	d := &directoryOfPhones{store: store}
	people := sample.New(seed, start)
	for n := range min(l.big, 50_000) {
		c := people.Next()
		if n%100 != 0 {
			continue
		}
		d.numbers = append(d.numbers, c.E164)
		if begin := strings.ToLower(c.LastName[:min(3, len(c.LastName))]); !slices.Contains(d.begins, begin) && !strings.ContainsFunc(begin, func(r rune) bool { return r < 'a' || r > 'z' }) {
			d.begins = append(d.begins, begin)
		}
	}
	d.set = phonebook.NewSet(phonebooksOf(), func(context.Context, string) (phonebook.Access, error) {
		return phonebook.Access{Store: store, Region: "US"}, nil
	})
	return d
}

// fill stores contacts as a run does.
func fill(ctx context.Context, store directory.Store, people *sample.Generator, integration string, contacts int) error {
	run, err := store.StartRun(ctx, directory.Key{Account: account, Integration: integration}, directory.Start{})
	if err != nil {
		return err
	}
	for seq, left := int64(1), contacts; left > 0; seq++ {
		page := directory.PageChanges{Seq: seq, NextOffset: "more"}
		for range min(left, 1000) {
			left--
			c := people.Next()
			person := contact.Contact{ID: strconv.Itoa(c.ID), Name: c.FirstName + " " + c.LastName, Title: c.Title, Company: c.Company, Emails: []string{c.Email}, Phones: []string{c.E164}}
			page.Contacts = append(page.Contacts, directory.Record{Contact: person, Numbers: caller.Numbers(person.Phones, "US")})
		}
		if left == 0 {
			page.NextOffset, page.Checkpoint = "", "done"
		}
		if err := store.ApplyPage(ctx, run, page); err != nil {
			return err
		}
	}
	return store.CompleteSearch(ctx, run.Key)
}

// searches measures what telephones ask for over LDAP.
func (d *directoryOfPhones) searches(ctx context.Context, l *laboratory, suffix string) ([]result, error) {
	names, numbers := []search{}, []search{}
	for _, begin := range d.begins {
		names = append(names, search{text: begin, filter: "(|(cn=" + begin + "*)(sn=" + begin + "*))"})
	}
	for _, n := range d.numbers {
		numbers = append(numbers, search{text: n, filter: "(|(telephoneNumber=" + n + ")(mobile=" + n + "))"})
	}
	phone, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer phone.close()
	var results []result
	for _, kind := range []struct {
		name, against string
		searches      []search
		library       func(context.Context, *phonebook.View, string) (int, error)
	}{
		{"ldap-search", "three letters of a name, 50 entries, over LDAP on one connection, against the same search as a library call", names, beginning},
		{"ldap-number", "a number over LDAP on one connection, against the same search as a library call", numbers, numbered},
	} {
		if !l.wants(kind.name + suffix) {
			continue
		}
		value, limit, err := paired(ctx, l.repeat,
			func(context.Context) (float64, error) { return phone.rate(kind.searches) },
			func(ctx context.Context) (float64, error) { return d.library(ctx, kind.searches, kind.library) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.name, err)
		}
		results = append(results, result{Name: kind.name + suffix, Value: value, Limit: limit, Unit: "searches/s", Target: 0.3, against: kind.against})
	}
	if !l.wants("ldap-busy" + suffix) {
		return results, nil
	}
	mixed := []search{}
	for i := range max(len(names), len(numbers)) {
		mixed = append(mixed, names[i%len(names)], numbers[i%len(numbers)])
	}
	busy, idle, err := d.besideRun(ctx, l, phone, mixed)
	return append(results, result{
		Name: "ldap-busy" + suffix, Value: busy, Limit: idle, Unit: "ms", Target: 5, atMost: true, ceiling: 20,
		against: "99th percentile of both searches, 200 a second, while the same process stores another integration, against an idle one; at most 20 ms",
	}), err
}

// A search is what a telephone asks for.
type search struct{ text, filter string }

func beginning(ctx context.Context, v *phonebook.View, text string) (n int, err error) {
	_, _, err = v.Scan(ctx, phonebook.Scan{Begins: [][]string{{text}}}, func(e *phonebook.Entry) bool {
		e.AllNumbers()
		n++
		return n < shown
	})
	return n, err
}

func numbered(ctx context.Context, v *phonebook.View, text string) (int, error) {
	entries, err := v.Number(ctx, text, shown)
	return len(entries), err
}

// library is how many searches a second the library answers.
func (d *directoryOfPhones) library(ctx context.Context, searches []search, find func(context.Context, *phonebook.View, string) (int, error)) (float64, error) {
	started := time.Now()
	for _, s := range searches {
		view, err := d.set.Find("all").Open(ctx)
		if err != nil {
			return 0, err
		}
		if n, err := find(ctx, view, s.text); err != nil || n == 0 {
			return 0, fmt.Errorf("%s finds %d entries: %w", s.text, n, err)
		}
	}
	return float64(len(searches)) / time.Since(started).Seconds(), nil
}

// besideRun is the 99th percentile, in milliseconds, of searches beside a run and without one.
func (d *directoryOfPhones) besideRun(ctx context.Context, l *laboratory, phone *telephone, searches []search) (busy, idle float64, err error) {
	defer priority.Requests()() // as the hub's process does
	people, n := sample.New(seed+1, start), 0
	return paired(ctx, l.repeat,
		func(ctx context.Context) (float64, error) {
			n++
			var working sync.WaitGroup
			var failed error
			done := make(chan struct{})
			working.Go(func() {
				defer close(done)
				priority.Low(func() { failed = fill(ctx, d.store, people, fmt.Sprint("another", n), min(l.contacts, 100_000)) })
			})
			p99, err := phone.percentile(searches, func(int) bool {
				select {
				case <-done:
					return false
				default:
					return true
				}
			})
			working.Wait()
			return p99, errors.Join(err, failed)
		},
		func(context.Context) (float64, error) {
			return phone.percentile(searches, func(asked int) bool { return asked < leastAsk })
		})
}

// A telephone is a connection that speaks LDAP as plainly as possible: it is the server that is measured.
type telephone struct {
	conn   net.Conn
	reader *bufio.Reader
	stop   func()
}

// dial serves the phonebook over LDAP, and signs in.
func (d *directoryOfPhones) dial(ctx context.Context) (*telephone, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving, end := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() {
		// A machine that is busy with something else makes a search slow, not wrong.
		patient := ldapbook.Times{Search: time.Minute}
		_ = ldapbook.New(ldapbook.Options{Books: []*phonebook.Book{d.set.Find("all")}, Times: patient}).Serve(serving, listener)
	})
	t := &telephone{stop: func() { end(); working.Wait() }}
	if t.conn, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.stop()
		return nil, err
	}
	t.reader = bufio.NewReaderSize(t.conn, 256<<10)
	bind := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindRequest, nil, "")
	bind.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	bind.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "cn=phones,dc=all", ""))
	bind.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, secret, ""))
	if _, err := t.ask(envelope(1, bind).Bytes(), ldap.ApplicationBindResponse); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *telephone) close() {
	if t.conn != nil {
		_ = t.conn.Close()
	}
	t.stop()
}

// envelope is a message. An operation has all its parts before it is put in.
func envelope(id int64, operation *ber.Packet) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	p.AppendChild(operation)
	return p
}

// request is a search as bytes.
func (s search) request() ([]byte, error) {
	filter, err := ldap.CompileFilter(s.filter)
	if err != nil {
		return nil, err
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "dc=all", ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 2, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 0, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, shown, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 0, "")) // the server says how long it may take
	op.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	op.AppendChild(filter)
	attributes := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, name := range []string{"cn", "telephoneNumber", "mobile"} {
		attributes.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, ""))
	}
	op.AppendChild(attributes)
	return envelope(2, op).Bytes(), nil
}

// ask sends a request and reads up to the answer that ends it. It returns how many entries came before that.
func (t *telephone) ask(request []byte, last byte) (entries int, err error) {
	if _, err := t.conn.Write(request); err != nil {
		return 0, err
	}
	for {
		message, err := t.message()
		if err != nil {
			return entries, err
		}
		// A message begins with its id, one byte long here: 02 01 nn.
		if len(message) < 4 || message[3]&0x1f != last {
			entries++
			continue
		}
		if code := bytes.Index(message, []byte{byte(ber.TagEnumerated), 1}); code < 0 || message[code+2] != 0 && message[code+2] != ldap.LDAPResultSizeLimitExceeded {
			return entries, fmt.Errorf("the answer is % x", message)
		}
		return entries, nil
	}
}

// message reads the body of one message.
func (t *telephone) message() ([]byte, error) {
	head, err := t.reader.Peek(2)
	if err != nil {
		return nil, err
	}
	size, skip := int(head[1]), 2
	if size > 0x7f {
		n := size & 0x7f
		if head, err = t.reader.Peek(2 + n); err != nil {
			return nil, err
		}
		size, skip = int(binary.BigEndian.Uint64(append(make([]byte, 8-n), head[2:]...))), 2+n
	}
	body, err := t.reader.Peek(skip + size)
	if err != nil {
		return nil, err
	}
	_, err = t.reader.Discard(skip + size)
	return body[skip:], err
}

func (t *telephone) find(s search) error {
	request, err := s.request()
	if err != nil {
		return err
	}
	if n, err := t.ask(request, ldap.ApplicationSearchResultDone); err != nil || n == 0 {
		return fmt.Errorf("%s finds %d entries: %w", s.filter, n, err)
	}
	return nil
}

// rate is how many searches a second are answered, one after the other.
func (t *telephone) rate(searches []search) (float64, error) {
	started := time.Now()
	for _, s := range searches {
		if err := t.find(s); err != nil {
			return 0, err
		}
	}
	return float64(len(searches)) / time.Since(started).Seconds(), nil
}

func (t *telephone) percentile(searches []search, more func(asked int) bool) (float64, error) {
	return percentile(more, func(i int) error { return t.find(searches[i%len(searches)]) })
}

// whole measures phonebooks that a device reads whole.
func (d *directoryOfPhones) whole(ctx context.Context, l *laboratory) ([]result, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	logger := slog.New(slog.NewTextHandler(null, nil))
	mux := http.NewServeMux()
	mux.Handle(phonebooks.Prefix, phonebooks.New(phonebooks.Options{Books: d.set, Logger: logger}))
	mux.Handle(carddav.Prefix, carddav.New(carddav.Options{Books: d.set, Logger: logger}))
	server := httptest.NewServer(mux)
	defer server.Close()
	want := min(onMobiles, l.big)
	stored := func(ctx context.Context) (float64, error) {
		started, n := time.Now(), 0
		state, err := d.store.Book(ctx, directory.BookKey{Account: account, Name: "small"})
		if err == nil {
			err = d.store.Members(ctx, state, directory.MemberQuery{Limit: want}, func(*directory.Member) error { n++; return nil })
		}
		return counted(n, want, time.Since(started), err)
	}
	var results []result
	for _, kind := range []struct {
		name, against string
		read          func(context.Context, string) (int, error)
	}{
		{"phonebook", "5,000 contacts as contacts.csv over HTTP, against reading them from the store", readCSV},
		{"carddav-initial", "the first synchronization of an address book of 5,000 contacts (sync-collection, then one multiget), against reading them from the store", readBook},
	} {
		if !l.wants(kind.name) {
			continue
		}
		value, limit, err := paired(ctx, l.repeat, func(ctx context.Context) (float64, error) {
			started := time.Now()
			n, err := kind.read(ctx, server.URL)
			return counted(n, want, time.Since(started), err)
		}, stored)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.name, err)
		}
		results = append(results, result{Name: kind.name, Value: value, Limit: limit, Unit: "contacts/s", Target: 0.5, against: kind.against})
	}
	if !l.wants("memory-phones") {
		return results, nil
	}
	peak, err := peakOf(func() error {
		for range 5 {
			if _, err := readBook(ctx, server.URL); err != nil {
				return err
			}
		}
		return nil
	})
	return append(results, result{
		Name: "memory-phones", Value: peak, Limit: 64, Unit: "MiB", Target: 1, atMost: true,
		against: "how much the heap of server and client grows while an address book is synchronized five times, against 64 MiB",
	}), err
}

func counted(n, want int, took time.Duration, err error) (float64, error) {
	if err == nil && n != want {
		err = fmt.Errorf("%d contacts, want %d", n, want)
	}
	return float64(n) / took.Seconds(), err
}

// read sends a request and looks at the lines of its answer, none of which it keeps.
func read(ctx context.Context, method, url, body string, header http.Header, each func(line []byte)) error {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header
	request.SetBasicAuth(phonesUser, secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	lines := bufio.NewReaderSize(response.Body, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		each(line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func readCSV(ctx context.Context, base string) (n int, err error) {
	err = read(ctx, http.MethodGet, base+phonebooks.Prefix+"small/contacts.csv", "", http.Header{}, func(line []byte) {
		if len(line) > 0 {
			n++
		}
	})
	return n - 1, err // the first line names the columns
}

func readBook(ctx context.Context, base string) (n int, err error) {
	header := http.Header{"Content-Type": {"application/xml"}, "Depth": {"1"}}
	var list strings.Builder
	err = read(ctx, "REPORT", base+phonesPath, `<d:sync-collection xmlns:d="DAV:"><d:sync-token/><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>`, header, func(line []byte) {
		_, rest, _ := bytes.Cut(line, []byte("<D:href>")) // one answer a line
		if href, _, _ := bytes.Cut(rest, []byte("</D:href>")); bytes.HasSuffix(href, []byte(".vcf")) {
			list.WriteString("<d:href>")
			list.Write(href)
			list.WriteString("</d:href>")
		}
	})
	if err != nil {
		return 0, err
	}
	body := `<c:addressbook-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/><c:address-data/></d:prop>` + list.String() + `</c:addressbook-multiget>`
	err = read(ctx, "REPORT", base+phonesPath, body, header, func(line []byte) { n += bytes.Count(line, []byte("END:VCARD")) })
	return n, err
}

// peakOf is by how much the heap grows while something is done, in MiB.
func peakOf(do func() error) (float64, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before, most := stats.HeapAlloc, stats.HeapAlloc
	end := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}
	})
	err := do()
	close(end)
	watching.Wait()
	return float64(most-before) / (1 << 20), err
}
