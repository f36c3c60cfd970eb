package carddav_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// BenchmarkInitial is the first synchronization of an address book of 5,000 contacts, without the network, and what it cannot do without:
// reading them from the store.
func BenchmarkInitial(b *testing.B) {
	people := sample.New(1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	some := make([]contact.Contact, 5000)
	for i := range some {
		p := people.Next()
		some[i] = contact.Contact{ID: strconv.Itoa(p.ID), Name: p.FirstName + " " + p.LastName, Title: p.Title, Company: p.Company, Emails: []string{p.Email}, Phones: []string{p.E164}}
	}
	h := open(b, some...)
	state, err := h.store.Book(b.Context(), directory.BookKey{Account: "acme", Name: "desk"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			err := h.store.Members(b.Context(), state, directory.MemberQuery{Limit: len(some)}, func(*directory.Member) error { n++; return nil })
			if err != nil || n != len(some) {
				b.Fatal(n, err)
			}
		}
	})
	there, _ := h.sync("", "").hrefs()
	body := `<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data/></D:prop><D:href>` +
		strings.Join(there, "</D:href><D:href>") + `</D:href></C:addressbook-multiget>`
	for name, body := range map[string]string{
		"sync-collection": `<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`,
		"multiget":        body,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), "REPORT", contacts, strings.NewReader(body))
				r.SetBasicAuth("phones", "geheim-123")
				h.handler.ServeHTTP(nowhere{http.Header{}}, r)
			}
		})
	}
}

// nowhere is an answer that nobody reads.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) WriteHeader(int)             {}
func (n nowhere) Write(b []byte) (int, error) { return io.Discard.Write(b) }
