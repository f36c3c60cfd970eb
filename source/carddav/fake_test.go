package carddav_test

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/carddav"
)

// A fake is a CardDAV server that can be made to answer as those in bug reports do.
type fake struct {
	*httptest.Server

	mu       sync.Mutex
	books    map[string]map[string]string // cards by name, by the book's path
	changes  []string                     // paths, in the order of their changes; a token is a place in it
	puts     []bool                       // which of them left a card there
	asked    []string                     // method and path of every request
	reports  []string                     // the bodies of all reports
	noSync   bool
	names    map[string]string // display names
	before   func(w http.ResponseWriter, r *http.Request, body string) (answered bool)
	href     func(path string) string // how paths are written in answers
	etag     func(text string) string
	listings int
	cardTag  func(card string) string     // how they are written with cards
	content  bool                         // its tokens and etags stand for what the cards hold
	trees    map[string]map[string]string // cards by name, by the token of such a book
}

const home = "/dav/alice/"

func newFake(t *testing.T) *fake {
	f := &fake{books: map[string]map[string]string{home + "a/": {}}, href: func(p string) string { return p }, etag: strconv.Quote}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// put writes a card, del removes one.
func (f *fake) put(path, card string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	book, name := path[:strings.LastIndex(path, "/")+1], path[strings.LastIndex(path, "/")+1:]
	if f.books[book] == nil {
		f.books[book] = map[string]string{}
	}
	f.books[book][name] = card
	f.changes, f.puts = append(f.changes, path), append(f.puts, true)
}

func (f *fake) del(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.books[path[:strings.LastIndex(path, "/")+1]], path[strings.LastIndex(path, "/")+1:])
	f.changes, f.puts = append(f.changes, path), append(f.puts, false)
}

func vcardOf(uid, name string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:" + name + "\r\nTEL:+447700900001\r\nEND:VCARD\r\n"
}

var hrefs = regexp.MustCompile(`<d:href>([^<]*)</d:href>`)

// ServeHTTP implements [http.Handler].
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	body := string(text)
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	if r.Method == "REPORT" {
		f.reports = append(f.reports, body)
	}
	before := f.before
	f.mu.Unlock()
	if before != nil && before(w, r, body) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch book, isBook := f.books[r.URL.Path]; {
	case r.URL.Path == "/.well-known/carddav":
		http.Redirect(w, r, "/dav/", http.StatusMovedPermanently)
	case r.Method == "PROPFIND" && r.URL.Path == "/dav/":
		answer(w, `<d:response><d:href>/dav/</d:href><d:propstat><d:prop><d:current-user-principal><d:href>/dav/principal/</d:href></d:current-user-principal></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
	case r.Method == "PROPFIND" && r.URL.Path == "/dav/principal/":
		answer(w, `<d:response><d:href>/dav/principal/</d:href><d:propstat><d:prop><c:addressbook-home-set><d:href>`+f.href(home)+`</d:href></c:addressbook-home-set></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
	case r.Method == "PROPFIND" && r.URL.Path == home:
		f.answerBooks(w)
	case r.Method == "PROPFIND" && isBook:
		f.listings++
		f.answerCards(w, r.URL.Path, book)
	case r.Method == "REPORT" && strings.Contains(body, "sync-collection") && isBook:
		if f.noSync {
			http.Error(w, "no", http.StatusNotImplemented)
			return
		}
		f.answerSync(w, r.URL.Path, body)
	case r.Method == "REPORT" && strings.Contains(body, "addressbook-multiget"):
		f.answerMultiget(w, body)
	case r.Method == http.MethodGet:
		path := r.URL.Path
		card, ok := f.books[path[:strings.LastIndex(path, "/")+1]][path[strings.LastIndex(path, "/")+1:]]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", f.tagOf(card))
		_, _ = io.WriteString(w, card)
	default:
		http.NotFound(w, r)
	}
}

// answer writes a multistatus.
func answer(w http.ResponseWriter, responses string) {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(http.StatusMultiStatus)
	_, _ = io.WriteString(w, `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav">`+responses+`</d:multistatus>`)
}

func (f *fake) answerBooks(w http.ResponseWriter) {
	var b strings.Builder
	for path := range f.books {
		name := `<d:propstat><d:prop><d:displayname/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>`
		if f.names[path] != "" {
			name = `<d:propstat><d:prop><d:displayname>` + f.names[path] + `</d:displayname></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>`
		}
		reports := `<d:supported-report-set><d:supported-report><d:report><d:sync-collection/></d:report></d:supported-report></d:supported-report-set>`
		if f.noSync {
			reports = ""
		}
		b.WriteString(`<d:response><d:href>` + f.href(path) + `</d:href>` + name + `<d:propstat><d:prop><d:resourcetype><d:collection/><c:addressbook/></d:resourcetype>` +
			reports + `</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
	}
	answer(w, b.String())
}

func (f *fake) answerCards(w http.ResponseWriter, path string, book map[string]string) {
	var b strings.Builder
	b.WriteString(`<d:response><d:href>` + path + `</d:href><d:propstat><d:prop><d:resourcetype><d:collection/><c:addressbook/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
	for name, card := range book {
		b.WriteString(`<d:response><d:href>` + f.href(path+name) + `</d:href><d:propstat><d:prop><d:getetag>` + f.etag(sumOf(card)) + `</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
	}
	answer(w, b.String())
}

var syncToken = regexp.MustCompile(`<d:sync-token>(?:t(\d+))?</d:sync-token>`)

// sumOf is a digest of what a card, or a book, holds.
func sumOf(what any) string { return fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, what))) }

var anyToken = regexp.MustCompile(`<d:sync-token>(.*)</d:sync-token>`)

// answerContent answers a report by what the cards hold, and hold in the book with the token.
func (f *fake) answerContent(w http.ResponseWriter, path, body string) {
	now := maps.Clone(f.books[path])
	before, known := map[string]string{}, true
	if token := anyToken.FindStringSubmatch(body); token != nil && token[1] != "" {
		before, known = f.trees[token[1]]
	}
	if !known {
		http.Error(w, "no such token", http.StatusInternalServerError)
		return
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != before[name] {
			b.WriteString(`<d:response><d:href>` + path + name + `</d:href><d:propstat><d:prop><d:getetag>"` + sumOf(now[name]) + `"</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
		}
	}
	for name := range before {
		if _, there := now[name]; !there {
			b.WriteString(`<d:response><d:href>` + path + name + `</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>`)
		}
	}
	if f.trees == nil {
		f.trees = map[string]map[string]string{}
	}
	f.trees[sumOf(now)] = now
	answer(w, b.String()+`<d:sync-token>`+sumOf(now)+`</d:sync-token>`)
}

func (f *fake) answerSync(w http.ResponseWriter, path, body string) {
	if f.content {
		f.answerContent(w, path, body)
		return
	}
	since, initial := 0, true
	if m := syncToken.FindStringSubmatch(body); m != nil && m[1] != "" {
		since, _ = strconv.Atoi(m[1])
		initial = false
	}
	var changed []string
	for _, p := range f.changes[since:] {
		if strings.HasPrefix(p, path) && !slices.Contains(changed, p) {
			changed = append(changed, p)
		}
	}
	var b strings.Builder
	for _, p := range changed {
		if _, there := f.books[path][p[len(path):]]; there {
			b.WriteString(`<d:response><d:href>` + f.href(p) + `</d:href><d:propstat><d:prop><d:getetag>"1"</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
		} else if f.wasThere(p, since) && !initial { // with a status of the properties besides (A-D2)
			b.WriteString(`<d:response><d:href>` + f.href(p) + `</d:href><d:status>HTTP/1.1 404 Not Found</d:status><d:propstat><d:prop/><d:status>HTTP/1.1 418 I'm a teapot</d:status></d:propstat></d:response>`)
		}
	}
	answer(w, b.String()+fmt.Sprintf(`<d:sync-token>t%d</d:sync-token>`, len(f.changes)))
}

// wasThere reports whether a card was there at a token: others need not be named as gone (RFC 6578, 3.5.2).
func (f *fake) wasThere(path string, token int) bool {
	there := false
	for i, p := range f.changes[:token] {
		if p == path {
			there = f.puts[i]
		}
	}
	return there
}

// tagOf is the etag of a card that is read.
func (f *fake) tagOf(card string) string {
	switch {
	case f.cardTag != nil:
		return f.cardTag(card)
	case f.content:
		return strconv.Quote(sumOf(card))
	case f.noSync:
		return f.etag(sumOf(card))
	}
	return `"1"`
}

func (f *fake) answerMultiget(w http.ResponseWriter, body string) {
	var b strings.Builder
	for _, m := range hrefs.FindAllStringSubmatch(body, -1) {
		path := m[1]
		card, ok := f.books[path[:strings.LastIndex(path, "/")+1]][path[strings.LastIndex(path, "/")+1:]]
		if !ok {
			b.WriteString(`<d:response><d:href>` + f.href(path) + `</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>`)
			continue
		}
		b.WriteString(`<d:response><d:href>` + f.href(path) + `</d:href><d:propstat><d:prop><d:getetag>` + f.tagOf(card) + `</d:getetag><c:address-data>` + card + `</c:address-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`)
	}
	answer(w, b.String())
}

// config is that of the fake.
func (f *fake) config(t *testing.T, books ...string) carddav.Config {
	return carddav.Config{URL: template(t, f.URL), Username: template(t, "alice"), Password: template(t, "s3cr3t-pw"), Books: books}
}

// A kept is what a synchronizer has of a source.
type kept struct {
	contacts   map[string]contact.Contact
	rejected   map[string]string
	deleted    []string
	checkpoint bridge.Checkpoint
	initial    bool
}

// sync makes a run from a checkpoint over what was kept.
func (k *kept) sync(ctx context.Context, src bridge.Source) error {
	run, err := src.Begin(ctx, k.checkpoint)
	if err != nil {
		return err
	}
	k.initial, k.rejected, k.deleted = run.Initial(), map[string]string{}, nil
	if k.initial {
		k.contacts = map[string]contact.Contact{}
	}
	var at bridge.Position
	for change, err := range src.Read(ctx, run, nil, 0) {
		if err != nil {
			return err
		}
		at = slices.Clone(change.Position)
		id := strings.Clone(change.Contact.ID)
		switch {
		case change.Rejected != "":
			k.rejected[id] = strings.Clone(change.Rejected)
		case change.Deleted:
			k.deleted = append(k.deleted, id)
			delete(k.contacts, id)
		default:
			k.contacts[id] = change.Contact.Clone()
		}
	}
	k.checkpoint = src.Checkpoint(run, at, true)
	return nil
}

// ids lists what is kept.
func (k *kept) ids() string {
	var list []string
	for id := range k.contacts {
		list = append(list, strings.TrimPrefix(id, home))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// opened opens the source of the fake; it is closed with the test.
func (f *fake) opened(t *testing.T, cfg carddav.Config) bridge.Source {
	t.Helper()
	src, err := open(t.Context(), cfg, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// mustSync makes a run that must end well.
func (k *kept) mustSync(t *testing.T, src bridge.Source, want string) {
	t.Helper()
	if err := k.sync(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	if got := k.ids(); got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
}
