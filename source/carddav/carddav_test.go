package carddav_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/carddav"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// Deletions arrive, whatever status their properties have (A-D2), and no limit is sent, at which a server could cut (A-D1).
func TestChangesAndDeletionsArrive(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	f.put(home+"a/2.vcf", vcardOf("2", "Bob"))
	src := f.opened(t, f.config(t))
	var k kept
	k.mustSync(t, src, "a/1.vcf a/2.vcf")
	f.del(home + "a/1.vcf")
	f.put(home+"a/2.vcf", vcardOf("2", "Rob"))
	f.put(home+"a/3.vcf", vcardOf("3", "Cy"))
	k.mustSync(t, src, "a/2.vcf a/3.vcf")
	if k.initial || len(k.deleted) != 1 || k.contacts[home+"a/2.vcf"].Name != "Rob" {
		t.Errorf("initial %t, deleted %v, %v", k.initial, k.deleted, k.contacts)
	}
	for _, body := range f.reports {
		if strings.Contains(body, "limit") || strings.Contains(body, "nresults") {
			t.Errorf("a limit was sent: %s", body)
		}
	}
}

// One card is one card, with or without a host before its path, and however the path is encoded (A-D3).
func TestAbsoluteAddressesAreTheSameCard(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/one two@x.vcf", vcardOf("1", "Ann"))
	src := f.opened(t, f.config(t))
	var k kept
	for _, form := range []func(string) string{
		func(p string) string { return strings.ReplaceAll(p, " ", "%20") },
		func(p string) string {
			return f.URL + strings.ReplaceAll(strings.ReplaceAll(p, " ", "%20"), "@", "%40")
		},
	} {
		f.href = form
		k.checkpoint = ""
		f.reports = nil
		f.before = func(w http.ResponseWriter, r *http.Request, body string) bool {
			if !strings.Contains(body, "multiget") {
				return false
			}
			if strings.Contains(body, "://") {
				http.Error(w, "only paths", http.StatusBadRequest)
				return true
			}
			answer(w, `<d:response><d:href>`+form(home+"a/one two@x.vcf")+`</d:href><d:propstat><d:prop><c:address-data>`+vcardOf("1", "Ann")+`</c:address-data></d:prop></d:propstat></d:response>`)
			return true
		}
		k.mustSync(t, src, "a/one two@x.vcf")
	}
}

// An answer that breaks off is no list (A-D4): the run fails, and cards are asked for with fewer at a time.
func TestCutAnswers(t *testing.T) {
	f := newFake(t)
	for i := range 8 {
		f.put(fmt.Sprintf("%sa/%d.vcf", home, i), vcardOf(fmt.Sprint(i), "Ann"))
	}
	src := f.opened(t, f.config(t))
	const all = "a/0.vcf a/1.vcf a/2.vcf a/3.vcf a/4.vcf a/5.vcf a/6.vcf a/7.vcf"
	var k kept
	k.mustSync(t, src, all)
	before := k.checkpoint
	cut := func(w http.ResponseWriter, what string) bool {
		w.WriteHeader(http.StatusMultiStatus)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:response><d:href>`+home+`a/1.vcf</d:href>`+what)
		return true
	}
	f.before = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		return strings.Contains(body, "sync-collection") && cut(w, `<d:status>HTTP/1.1 404 Not Found</d:status></d:response>`)
	}
	if err := k.sync(t.Context(), src); bridge.CodeOf(err) != bridge.CodeSourceBroken {
		t.Errorf("a list that was cut: %v", err)
	}
	if k.checkpoint != before || k.ids() != all {
		t.Errorf("kept %s", k.ids())
	}
	f.before = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		return strings.Count(body, "<d:href>") > 2 && cut(w, `<d:propstat><d:prop><c:address-data>BEGIN:VC`)
	}
	k = kept{}
	k.mustSync(t, src, all)
}

// What the server says is more (507) is asked for with the token that it gave, by whatever path it calls the book.
func TestTruncatedAnswersAreContinued(t *testing.T) {
	const inStatus, inProperties = `<d:status>HTTP/1.1 507 Insufficient Storage</d:status>`, `<d:propstat><d:prop/><d:status>HTTP/1.1 507 Insufficient Storage</d:status></d:propstat>`
	for name, more := range map[string]string{
		"the book": `<d:href>` + home + `a/</d:href>` + inStatus, "the book without a slash": `<d:href>` + home + `a</d:href>` + inStatus,
		"the book by its host": `<d:href>https://dav.example.com` + home + `a/</d:href>` + inStatus, "an alias": `<d:href>/alias/a/</d:href>` + inStatus,
		"an alias without a slash": `<d:href>/alias/a</d:href>` + inStatus, "a card": `<d:href>` + home + `a/9.vcf</d:href>` + inStatus,
		"properties of the book": `<d:href>` + home + `a/</d:href>` + inProperties,
	} {
		t.Run(name, func(t *testing.T) { truncatedAnswerIsContinued(t, more) })
	}
}

func truncatedAnswerIsContinued(t *testing.T, more string) {
	f := newFake(t)
	src := f.opened(t, f.config(t))
	for i := range 3 {
		f.put(fmt.Sprintf("%sa/%d.vcf", home, i), vcardOf(fmt.Sprint(i), "Ann"))
	}
	page := func(w http.ResponseWriter, n int, isPart bool) {
		text := fmt.Sprintf(`<d:response><d:href>%sa/%d.vcf</d:href><d:propstat><d:prop><d:getetag>"1"</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`, home, n)
		if isPart {
			text += `<d:response>` + more + `</d:response>`
		}
		answer(w, text+fmt.Sprintf(`<d:sync-token>p%d</d:sync-token>`, n))
	}
	f.before = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		switch {
		case !strings.Contains(body, "sync-collection"):
			return false
		case strings.Contains(body, ">p0<"):
			page(w, 1, true)
		case strings.Contains(body, ">p1<"), strings.Contains(body, ">p2<"):
			page(w, 2, false)
		default:
			page(w, 0, true)
		}
		return true
	}
	var k kept
	k.mustSync(t, src, "a/0.vcf a/1.vcf a/2.vcf")
	f.before = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		if !strings.Contains(body, "sync-collection") {
			return false
		}
		page(w, 0, true)
		return true
	}
	if err := k.sync(t.Context(), src); err == nil || !strings.Contains(err.Error(), "sync-token again") {
		t.Errorf("a server that makes no progress: %v", err)
	}
}

// A token that is not taken makes the run an initial one, and so does a book that is gone; a book that is new is read whole.
func TestTokensAndBooksThatComeAndGo(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	src := f.opened(t, f.config(t))
	for _, status := range []int{400, 403, 409, 410, 412, 500, 507} {
		var k kept
		f.before = nil
		k.mustSync(t, src, "a/1.vcf")
		f.before = func(w http.ResponseWriter, _ *http.Request, body string) bool {
			if !strings.Contains(body, "<d:sync-token>t") {
				return false
			}
			http.Error(w, "valid-sync-token", status)
			return true
		}
		k.mustSync(t, src, "a/1.vcf")
		if !k.initial {
			t.Errorf("status %d: the run is not an initial one", status)
		}
	}
	f.before = nil
	var k kept
	k.mustSync(t, src, "a/1.vcf")
	f.put(home+"b/1.vcf", vcardOf("1", "Ann")) // the same UID
	k.mustSync(t, src, "a/1.vcf b/1.vcf")
	if k.initial {
		t.Error("a new book made the run an initial one")
	}
	f.mu.Lock()
	delete(f.books, home+"a/")
	f.mu.Unlock()
	k.mustSync(t, src, "b/1.vcf")
	if !k.initial {
		t.Error("a book is gone, and the run is not an initial one")
	}
}

// Without sync-collection the etags tell whether anything has changed, however they are written (A-S11).
func TestServersThatNameNoChanges(t *testing.T) {
	f := newFake(t)
	f.noSync = true
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	f.put(home+"a/2.vcf", vcardOf("2", "Bob"))
	src := f.opened(t, f.config(t))
	var k kept
	k.mustSync(t, src, "a/1.vcf a/2.vcf")
	first := k.checkpoint
	for _, form := range []func(string) string{
		func(e string) string { return e },
		func(e string) string { return `W/"` + e + `"` },
	} {
		f.etag = form
		k.mustSync(t, src, "a/1.vcf a/2.vcf")
		if k.initial || k.checkpoint != first {
			t.Errorf("nothing has changed: initial %t, checkpoint %s", k.initial, k.checkpoint)
		}
	}
	f.del(home + "a/1.vcf")
	k.mustSync(t, src, "a/2.vcf")
	if !k.initial {
		t.Error("a run after a deletion is not an initial one, and cannot tell")
	}
}

// Cards that a multiget leaves out, or has another status for, are got one by one. A card that is gone is no change; one that the server
// does not give counts as shown.
func TestCardsThatTheServerOmits(t *testing.T) {
	f := newFake(t)
	for i := range 5 {
		f.put(fmt.Sprintf("%sa/%d.vcf", home, i), vcardOf(fmt.Sprint(i), "Ann"))
	}
	src := f.opened(t, f.config(t))
	f.before = func(w http.ResponseWriter, r *http.Request, body string) bool {
		switch {
		case strings.Contains(body, "multiget"):
			answer(w, `<d:response><d:href>`+home+`a/0.vcf</d:href><d:propstat><d:prop><c:address-data>`+vcardOf("0", "Ann")+`</c:address-data></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`+
				`<d:response><d:href>`+home+`a/1.vcf</d:href><d:status>HTTP/1.1 412 Precondition Failed</d:status></d:response>`)
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "2.vcf"):
			http.Error(w, "no", http.StatusForbidden)
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "3.vcf"):
			f.del(home + "a/3.vcf")
			return false
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "4.vcf"):
			http.NotFound(w, r) // but it is listed
		default:
			return false
		}
		return true
	}
	var k kept
	k.mustSync(t, src, "a/0.vcf a/1.vcf")
	if len(k.rejected) != 2 || k.rejected[home+"a/2.vcf"] == "" || k.rejected[home+"a/4.vcf"] == "" {
		t.Errorf("rejected %v", k.rejected)
	}
	// Without multiget at all.
	f.before = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		if strings.Contains(body, "multiget") {
			http.Error(w, "no", http.StatusNotImplemented)
			return true
		}
		return false
	}
	k = kept{}
	k.mustSync(t, src, "a/0.vcf a/1.vcf a/2.vcf a/4.vcf")
}

// What was listed as changed and is gone when it is read is a deletion of that run: it would stay as it was before otherwise.
func TestWhatIsGoneWhileARunReads(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	f.put(home+"a/2.vcf", vcardOf("2", "Bob"))
	src := f.opened(t, f.config(t))
	var k kept
	k.mustSync(t, src, "a/1.vcf a/2.vcf")
	f.put(home+"a/1.vcf", vcardOf("1", "Anna"))
	f.before = func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == http.MethodGet {
			f.before = nil
			f.del(home + "a/1.vcf")
		}
		return false
	}
	k.mustSync(t, src, "a/2.vcf")
}

// Another process makes the list of a run again, and it holds a card that is younger than the run. When that card is gone, the server
// names it to nobody who comes with the run's token.
func TestACardThatIsYoungerThanItsRun(t *testing.T) {
	f := newFake(t)
	for i := range 4 {
		f.put(fmt.Sprintf("%sa/%d.vcf", home, i), vcardOf(fmt.Sprint(i), "Ann"))
	}
	src := f.opened(t, f.config(t))
	run, err := src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	k := kept{contacts: map[string]contact.Contact{}}
	var at bridge.Position
	read := func(src bridge.Source, most int) {
		t.Helper()
		for change, err := range src.Read(t.Context(), run, at, most) {
			if err != nil {
				t.Fatal(err)
			}
			at = slices.Clone(change.Position)
			k.contacts[strings.Clone(change.Contact.ID)] = change.Contact.Clone()
			if most--; most == 0 {
				return
			}
		}
	}
	read(src, 2)
	f.put(home+"a/7.vcf", vcardOf("7", "Young"))
	read(f.opened(t, f.config(t)), 2) // this one makes the list again
	read(src, 0)                      // the first one has the old list
	f.put(home+"a/8.vcf", vcardOf("8", "Younger"))
	read(f.opened(t, f.config(t)), 0)
	if k.ids() != "a/0.vcf a/1.vcf a/2.vcf a/3.vcf a/7.vcf a/8.vcf" && k.ids() != "a/0.vcf a/1.vcf a/2.vcf a/3.vcf a/8.vcf" {
		t.Errorf("kept %s", k.ids())
	}
	k.checkpoint = src.Checkpoint(run, at, true)
	f.del(home + "a/7.vcf")
	f.del(home + "a/8.vcf")
	k.mustSync(t, f.opened(t, f.config(t)), "a/0.vcf a/1.vcf a/2.vcf a/3.vcf")
	if k.initial {
		t.Error("the run is an initial one")
	}
}

// A run ends however often its list is made again, and its positions stay short (E3). What it could not keep count of costs the next run
// more work, and no contact.
func TestABookThatChangesAllTheTime(t *testing.T) {
	f := newFake(t)
	var want []string
	for i := range 60 {
		f.put(fmt.Sprintf("%sa/%d.vcf", home, i+100), vcardOf(fmt.Sprint(i+100), "Ann"))
		want = append(want, fmt.Sprintf("a/%d.vcf", i+100))
	}
	run, err := f.opened(t, f.config(t)).Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	k := kept{contacts: map[string]contact.Contact{}}
	var at bridge.Position
	for n := 1; n > 0; {
		n = 0
		for change, err := range f.opened(t, f.config(t)).Read(t.Context(), run, at, 1) { // each process makes the list again
			if err != nil {
				t.Fatalf("after %d contacts: %v", len(k.contacts), err)
			}
			n++
			at = slices.Clone(change.Position)
			k.contacts[strings.Clone(change.Contact.ID)] = change.Contact.Clone()
		}
		if young := fmt.Sprintf("%d", 100+len(k.contacts)) + "y"; n > 0 && len(k.contacts) < 70 {
			f.put(home+"a/"+young+".vcf", vcardOf(young, "Young"))
		}
		if len(at) > 4000 {
			t.Fatalf("a position has %d bytes", len(at))
		}
	}
	k.checkpoint = f.opened(t, f.config(t)).Checkpoint(run, at, true)
	for id := range k.contacts {
		if strings.HasSuffix(id, "y.vcf") {
			f.del(id)
		}
	}
	k.mustSync(t, f.opened(t, f.config(t)), strings.Join(want, " "))
	if !k.initial {
		t.Error("the run is no initial one")
	}
	f.put(home+"a/100.vcf", vcardOf("100", "Bob"))
	if k.mustSync(t, f.opened(t, f.config(t)), strings.Join(want, " ")); k.initial {
		t.Error("the run after it is an initial one, too")
	}
}

// Groups are left out, also one that was a contact before; a card that cannot be read costs no other, whatever breaks.
func TestGroupsAndBadCards(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	f.put(home+"a/2.vcf", vcardOf("2", "Bob"))
	f.put(home+"a/3.vcf", vcardOf("3", "Cy"))
	f.put(home+"a/g.vcf", "BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nFN:All\r\nEND:VCARD\r\n")
	f.put(home+"a/h.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nFN:All\r\nEND:VCARD\r\n")
	src := f.opened(t, f.config(t))
	var k kept
	k.mustSync(t, src, "a/1.vcf a/2.vcf a/3.vcf")
	f.put(home+"a/1.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nFN:All\r\nEND:VCARD\r\n")
	f.put(home+"a/2.vcf", "BEGIN:VCARD\r\nFN:no end")
	f.put(home+"a/3.vcf", strings.Replace(vcardOf("3", "Cyr"), "FN", "NOTE:\x0b & <no> XML\r\nFN", 1))
	f.put(home+"a/4.vcf", "Hello")
	k.mustSync(t, src, "a/2.vcf a/3.vcf")
	if k.contacts[home+"a/3.vcf"].Name != "Cyr" || k.contacts[home+"a/2.vcf"].Name != "Bob" || len(k.rejected) != 2 {
		t.Errorf("%v, rejected %v", k.contacts, k.rejected)
	}
	found, err := src.(source.Inspector).Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, p := range found.Problems {
		codes[p.Code] = true
	}
	if !codes["unreadable"] || !codes["groups_left_out"] {
		t.Errorf("%+v", found.Problems)
	}
}

// Address books are chosen by name or path; one without a name has the last part of its path (A-S12).
func TestBooksAreChosen(t *testing.T) {
	f := newFake(t)
	f.names = map[string]string{home + "b/": "Team", home + "c/": "Team"}
	for _, book := range []string{"a", "b", "c"} {
		f.put(home+book+"/1.vcf", vcardOf("1", "Ann"))
	}
	for name, want := range map[string]string{"a": "a/1.vcf", home + "b/": "b/1.vcf", home + "c": "c/1.vcf"} {
		var k kept
		k.mustSync(t, f.opened(t, f.config(t, name)), want)
	}
	var k kept
	for name, want := range map[string]string{"Team": `2 address books are called "Team"`, "x": `there is no address book "x"`} {
		err := k.sync(t.Context(), f.opened(t, f.config(t, name)))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(failure.Of(err).Hint, home+"b/ (Team)") {
			t.Errorf("%s: %v %s", name, err, failure.Of(err).Hint)
		}
	}
	cfg := f.config(t)
	cfg.URL = template(t, f.URL+home+"b/")
	f.before = func(w http.ResponseWriter, r *http.Request, body string) bool {
		if r.Method != "PROPFIND" || r.URL.Path != home+"b/" || strings.Contains(body, "getetag") {
			return false
		}
		answer(w, `<d:response><d:href>`+home+`b/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/><c:addressbook/></d:resourcetype></d:prop></d:propstat></d:response>`)
		return true
	}
	k.mustSync(t, f.opened(t, cfg), "b/1.vcf")
}

// Every message says what is wrong and what to do, and none of them holds the password.
func TestErrorsSayWhatToDo(t *testing.T) {
	f := newFake(t)
	elsewhere := httptest.NewTLSServer(f)
	t.Cleanup(elsewhere.Close)
	status := func(status int) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ string) bool { w.WriteHeader(status); return true }
	}
	for name, test := range map[string]struct {
		url           string
		before        func(http.ResponseWriter, *http.Request, string) bool
		code          bridge.Code
		message, hint string
	}{
		"wrong password": {before: status(401), code: bridge.CodeUnauthorized, message: "refuses username and password", hint: "password for apps"},
		"a web site": {before: func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			_, _ = io.WriteString(w, "<html>Hello</html>")
			return true
		}, code: bridge.CodeSourceBroken, message: "no CardDAV server is found", hint: "CardDAV address"},
		"no such method": {before: status(405), code: bridge.CodeSourceBroken, message: "no CardDAV server is found", hint: "CardDAV address"},
		"XML of another kind": {before: func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.WriteHeader(http.StatusMultiStatus)
			_, _ = io.WriteString(w, "<rss/>")
			return true
		}, code: bridge.CodeSourceBroken, message: "not WebDAV", hint: "CardDAV address"},
		"another host": {before: func(w http.ResponseWriter, r *http.Request, _ string) bool {
			http.Redirect(w, r, "https://dav.example.net/dav/", http.StatusMovedPermanently)
			return true
		}, code: bridge.CodeSourceBroken, message: "sends to another host: dav.example.net", hint: "set url to https://dav.example.net/dav/"},
		"a home on another host": {before: func(w http.ResponseWriter, r *http.Request, _ string) bool {
			f.href = func(p string) string { return "https://p42-contacts.example.com" + p }
			return false
		}, code: bridge.CodeSourceBroken, message: "sends to another host: p42-contacts.example.com", hint: "set url to https://p42-contacts.example.com" + home},
		"a circle": {before: func(w http.ResponseWriter, r *http.Request, _ string) bool {
			http.Redirect(w, r, "/dav/", http.StatusFound)
			return true
		}, code: bridge.CodeSourceBroken, message: "in a circle", hint: "url"},
		"later": {before: func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Retry-After", "17")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, code: bridge.CodeSourceUnavailable, message: "not available", hint: "passes"},
		"too many requests": {before: status(429), code: bridge.CodeRateLimited, message: "limits", hint: "passes"},
		"no server":         {url: "http://127.0.0.1:1/", code: bridge.CodeSourceUnavailable, message: "cannot be reached", hint: "port"},
		"no host":           {url: "http://dav.invalid/", code: bridge.CodeSourceUnavailable, message: "dav.invalid", hint: "host"},
		"an unknown authority": {
			url: elsewhere.URL, code: bridge.CodeSourceUnavailable, message: "signed by an authority that is not known here", hint: "SSL_CERT_FILE",
		},
		"no TLS": {url: strings.Replace(f.URL, "http:", "https:", 1), code: bridge.CodeSourceUnavailable, message: "does not speak TLS", hint: "http://"},
	} {
		t.Run(name, func(t *testing.T) {
			f.before, f.href = test.before, func(p string) string { return p }
			cfg := f.config(t)
			if test.url != "" {
				cfg.URL = template(t, test.url)
			}
			var k kept
			err := k.sync(t.Context(), f.opened(t, cfg))
			said := failure.Of(err)
			if bridge.CodeOf(err) != test.code || !strings.Contains(fmt.Sprint(err), test.message) || !strings.Contains(said.Hint, test.hint) {
				t.Errorf("%s: %v\nhint: %s", bridge.CodeOf(err), err, said.Hint)
			}
			if strings.Contains(fmt.Sprint(err)+said.Hint, "s3cr3t") {
				t.Errorf("the password is in the error: %v", err)
			}
			if later, ok := errors.AsType[*bridge.Error](err); name == "later" && (!ok || later.RetryAfter != 17*time.Second) {
				t.Errorf("retry after %v", later.RetryAfter)
			}
		})
	}
}

// Over http nothing is said before the server has asked. A server that asks for Digest never sees the password.
func TestDigest(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	hash := func(text string) string { sum := md5.Sum([]byte(text)); return hex.EncodeToString(sum[:]) }
	nonce, answered := "n1", 0
	f.before = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		said := r.Header.Get("Authorization")
		if strings.HasPrefix(said, "Basic") {
			t.Error("the password was sent")
		}
		value := func(name string) string {
			_, rest, _ := strings.Cut(said, name+`=`)
			rest, _, _ = strings.Cut(strings.TrimSpace(rest), ",")
			return strings.Trim(rest, `" `)
		}
		want := hash(strings.Join([]string{hash("alice:Books, all:s3cr3t-pw"), nonce, value("nc"), value("cnonce"), "auth", hash(r.Method + ":" + r.URL.RequestURI())}, ":"))
		if said != "" && value("nonce") == nonce && value(" response") == want {
			if answered++; answered == 3 {
				nonce = "n2" // it is stale from now on
			}
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.Header().Add("WWW-Authenticate", `Digest realm="Books, all", nonce="`+nonce+`", qop="auth,auth-int", algorithm=MD5, stale=true`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	var k kept
	k.mustSync(t, f.opened(t, f.config(t)), "a/1.vcf")
	if answered < 4 {
		t.Errorf("%d requests were answered", answered)
	}
}

// While a server takes long to list its cards the answer is 503 with Retry-After, and whoever asks again gets the list.
func TestAListThatTakesLong(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("OPTIONAL: it takes seven seconds")
	}
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	f.before = func(_ http.ResponseWriter, _ *http.Request, body string) bool {
		if strings.Contains(body, "sync-collection") {
			time.Sleep(6 * time.Second)
		}
		return false
	}
	src := f.opened(t, f.config(t))
	var k kept
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second) // as the bridge's handler has it
	defer cancel()
	err := k.sync(ctx, src)
	later, ok := errors.AsType[*bridge.Error](err)
	if !ok || later.Code != bridge.CodeSourceUnavailable || later.RetryAfter == 0 {
		t.Fatalf("%v", err)
	}
	time.Sleep(2 * time.Second)
	k.mustSync(t, src, "a/1.vcf")
	if len(f.reports) != 1 {
		t.Errorf("the cards were listed %d times", len(f.reports))
	}
}

func TestConfigurationsThatAreWrong(t *testing.T) {
	text := func(s string) source.Template { return template(t, s) }
	for _, test := range []struct {
		cfg  carddav.Config
		want string
	}{
		{carddav.Config{}, "url: url is missing"},
		{carddav.Config{URL: text("dav.example.com")}, "url: url has no scheme"},
		{carddav.Config{URL: text("ftp://dav.example.com")}, "url: url begins with ftp://"},
		{carddav.Config{URL: text("https://")}, "url: url is not an address"},
		{carddav.Config{URL: text("https://a:b@dav.example.com/")}, "url: url holds a user"},
		{carddav.Config{URL: text("https://dav.example.com/?a=b")}, "url: url has a ?"},
		{carddav.Config{URL: text("https://dav.example.com/"), Password: text("x")}, "username: username is missing"},
		{carddav.Config{URL: text("https://dav.example.com/"), Books: []string{" "}}, "books[0]: the name of an address book is empty"},
	} {
		_, err := carddav.New(test.cfg, source.Deps{})
		if said := sourcetest.ConfigText(err); !strings.Contains(said, test.want) {
			t.Errorf("%q, want %q", said, test.want)
		}
	}
	f, err := carddav.New(carddav.Config{URL: text("https://{{auth.host}}/"), Username: text("alice"), Password: text("x")}, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.(source.CallerChecker).CheckCallers(); err == nil {
		t.Error("callers may choose where a password of the configuration goes")
	}
	if err := errors.Join(f.Close(), context.Cause(t.Context())); err != nil {
		t.Error(err)
	}
}
