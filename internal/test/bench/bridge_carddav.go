package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"time"

	"github.com/emersion/go-vcard"

	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// mostCards is how many cards an address book has at most: servers of address books are made for thousands.
const mostCards = 10_000

// bridgeCardDAV compares with a plain client of the same server, which costs next to nothing: real servers take most of the time.
func bridgeCardDAV(ctx context.Context, l *laboratory) ([]result, error) {
	small := *l
	small.contacts = min(l.contacts, mostCards)
	book, err := newAddressBook(small.contacts)
	if err != nil {
		return nil, err
	}
	server := httptest.NewServer(book)
	defer server.Close()
	s, err := small.serve(ctx, fmt.Sprintf("{kind: carddav, url: %q, username: alice, password: %s}", server.URL+bookPath, secret), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	fetch := func(ctx context.Context) (float64, error) { return small.fetchCards(ctx, server.URL) }
	results, err := small.crawlAgainst(ctx, s, fetch, result{
		Name: "bridge-carddav", Target: 0.6,
		against: "all pages over loopback HTTP, one client, against listing and fetching the same cards in batches of 100 with encoding/xml and emersion/go-vcard",
	})
	if err != nil {
		return nil, err
	}
	memory, err := s.peakMemory()
	return append(results, result{
		Name: "memory-carddav", Value: memory, Limit: 128, Unit: "MiB", Target: 1, atMost: true,
		against: fmt.Sprintf("peak memory of the bridge with %d cards", small.contacts),
	}), err
}

const bookPath = "/alice/book/"

// An addressBook is a server with one address book in memory, whose answers are made beforehand.
type addressBook struct {
	list  []byte
	cards map[string][]byte // responses of a multiget by their paths
}

func newAddressBook(n int) (*addressBook, error) {
	b := &addressBook{cards: make(map[string][]byte, n)}
	g := sample.New(seed, start)
	for range n {
		c := g.Next()
		p := person{ID: c.ID, Name: c.FirstName + " " + c.LastName, Company: c.Company, Title: c.Title, Updated: c.Updated.UTC()}
		p.Emails, p.Phones, p.Address.City = filled(c.Email, c.Email2), filled(c.Phone, c.Mobile), c.City
		var card, text bytes.Buffer
		if err := errors.Join(writeCard(&card, p), xml.EscapeText(&text, card.Bytes())); err != nil {
			return nil, err
		}
		path := fmt.Sprintf("%s%d.vcf", bookPath, p.ID)
		const head = `<D:response><D:href>%s</D:href><D:propstat><D:prop><D:getetag>"%d"</D:getetag>`
		const tail = `</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
		b.list = fmt.Appendf(b.list, head+tail, path, p.ID)
		b.cards[path] = fmt.Appendf(nil, head+`<C:address-data>%s</C:address-data>`+tail, path, p.ID, text.Bytes())
	}
	return b, nil
}

var asked = regexp.MustCompile(`href>([^<]+)</`)

// ServeHTTP implements [http.Handler].
func (b *addressBook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(http.StatusMultiStatus)
	write := func(text []byte) { _, _ = w.Write(text) } // to a client that may be gone
	write([]byte(`<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">`))
	switch {
	case r.Method == "PROPFIND":
		write([]byte(`<D:response><D:href>` + bookPath + `</D:href><D:propstat><D:prop><D:resourcetype><D:collection/><C:addressbook/></D:resourcetype><D:sync-token>t1</D:sync-token>` +
			`</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`))
	case bytes.Contains(body, []byte("sync-collection")):
		write(b.list)
		write([]byte(`<D:sync-token>t1</D:sync-token>`))
	default:
		for _, m := range asked.FindAllSubmatch(body, -1) {
			write(b.cards[string(m[1])])
		}
	}
	write([]byte(`</D:multistatus>`))
}

// A multistatus is an answer as encoding/xml reads it.
type multistatus struct {
	Responses []struct {
		Href string `xml:"href"`
		Card string `xml:"propstat>prop>address-data"`
	} `xml:"response"`
}

// fetchCards is how many contacts a second a plain client fetches and parses.
func (l *laboratory) fetchCards(ctx context.Context, server string) (float64, error) {
	started := time.Now()
	report := func(body string) (m multistatus, err error) {
		r, err := http.NewRequestWithContext(ctx, "REPORT", server+bookPath, strings.NewReader(body))
		if err != nil {
			return m, err
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return m, err
		}
		defer response.Body.Close()
		return m, xml.NewDecoder(response.Body).Decode(&m)
	}
	list, err := report(`<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`)
	if err != nil {
		return 0, err
	}
	n := 0
	for from := 0; from < len(list.Responses); from += 100 {
		body := `<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><C:address-data/></D:prop>`
		for _, r := range list.Responses[from:min(from+100, len(list.Responses))] {
			body += "<D:href>" + r.Href + "</D:href>"
		}
		cards, err := report(body + `</C:addressbook-multiget>`)
		if err != nil {
			return 0, err
		}
		for _, r := range cards.Responses {
			if _, err := vcard.NewDecoder(strings.NewReader(r.Card)).Decode(); err != nil {
				return 0, err
			}
			n++
		}
	}
	if n != l.contacts {
		return 0, fmt.Errorf("the address book has %d cards of %d", n, l.contacts)
	}
	return float64(n) / time.Since(started).Seconds(), nil
}
