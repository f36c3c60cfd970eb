package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// A listing is an API with people in the order of their changes, one a second, in pages of a thousand.
type listing struct{ records [][]byte }

const listingPage = 1000

var listingStart = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

func newListing(n int) *listing {
	l := &listing{}
	for i := range n {
		l.records = append(l.records, fmt.Appendf(nil, `{"id":"c%07d","name":"Person Number %[1]d","company":"Example & Sons %[1]d","title":"Buyer","emails":["p%[1]d@example.com","%[1]d@example.org"],`+
			`"phones":["+1415555%04[2]d","(415) 555-%04[2]d"],"address":{"city":"Springfield"},"updated_at":%[3]q}`, i, i%10000, listingStart.Add(time.Duration(i)*time.Second).Format(time.RFC3339)))
	}
	return l
}

// page returns the answer from a time on.
func (l *listing) page(since time.Time) []byte {
	from := sort.Search(len(l.records), func(i int) bool { return !listingStart.Add(time.Duration(i) * time.Second).Before(since) })
	body := append([]byte(`{"data":[`), bytes.Join(l.records[from:min(from+listingPage, len(l.records))], []byte(","))...)
	return append(body, "]}"...)
}

// RoundTrip answers a request, without a connection.
func (l *listing) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte("{}")
	if since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since")); err == nil {
		body = l.page(since)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

const listingText = `
language: 1
url: https://api.example.com
auth: [{by: none}]
verify: {path: /me}
id: id
updated: {path: updated_at}
changes: {path: /people, query: {since: "{{since}}"}, records: data, order: updated, page: {by: keyset, size: 1000}}
deletions: {by: none}
fields: {name: name, company: company, title: title, emails: emails, phones: phones, address: address.city}
`

func BenchmarkRead(b *testing.B) {
	l := newListing(20_000)
	s, err := open(b.Context(), "rest", listingText, l, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		run, err := s.Begin(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		var at bridge.Position
		for more := true; more; {
			read := 0
			for c, err := range s.Read(b.Context(), run, at, listingPage) {
				if err != nil {
					b.Fatal(err)
				}
				at, read = append(at[:0], c.Position...), read+1
			}
			n += read
			more = read == listingPage
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/contact")
}

// BenchmarkDecode decodes the same pages into structs, with what is needed least.
func BenchmarkDecode(b *testing.B) {
	l := newListing(20_000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for from := range len(l.records) / listingPage {
			body := l.page(listingStart.Add(time.Duration(from*listingPage) * time.Second))
			var page struct {
				Data []struct {
					ID, Name, Company, Title string
					Emails, Phones           []string
					Address                  struct{ City string }
					UpdatedAt                time.Time `json:"updated_at"`
				}
			}
			if err := json.NewDecoder(bytes.NewReader(body)).Decode(&page); err != nil {
				b.Fatal(err)
			}
			n += len(page.Data)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/contact")
}

// BenchmarkServe reads all pages of a bridge.
func BenchmarkServe(b *testing.B) {
	l := newListing(20_000)
	cfg, err := config.Parse("bridge.yaml", []byte("endpoints:\n  crm:\n    auth: none\n    phones: {format: as-is}\n    source:\n      kind: rest\n"+strings.ReplaceAll(listingText, "\n", "\n      ")), strictyaml.Environment{})
	if err != nil {
		b.Fatal(err)
	}
	server, err := bridgeserver.New(cfg, bridgeserver.Options{Transport: l})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		offset := ""
		for {
			w := httptest.NewRecorder()
			server.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/crm/contact_sync", strings.NewReader(`{"meta":{"offset":"`+offset+`"}}`)))
			body := w.Body.Bytes()
			if w.Code != http.StatusOK {
				b.Fatalf("%d %.300s", w.Code, body)
			}
			n += bytes.Count(body, []byte(`"id":`))
			_, rest, more := bytes.Cut(body, []byte(`"next_offset":"`))
			if !more {
				break
			}
			text, _, _ := bytes.Cut(rest, []byte(`"`))
			offset = string(text)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/contact")
}
