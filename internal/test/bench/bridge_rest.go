package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sort"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// restPage is how many records the API gives in one answer.
const restPage = 1000

// A restAPI is an HTTP API with the customers in the order of their changes, one a second.
type restAPI struct {
	records [][]byte
	server  *http.Server
	address string
}

func newRestAPI(l *laboratory) (*restAPI, error) {
	a := &restAPI{}
	g := sample.New(seed, start)
	for i := range l.contacts {
		c := g.Next()
		p := person{ID: c.ID, Name: c.FirstName + " " + c.LastName, Company: c.Company, Title: c.Title, Updated: restStart.Add(time.Duration(i) * time.Second)}
		p.Emails, p.Phones, p.Address.City = filled(c.Email, c.Email2), filled(c.Phone, c.Mobile), c.City
		text, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		a.records = append(a.records, text)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a.address = "http://" + listener.Addr().String()
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	go func() { _ = a.server.Serve(listener) }() // until it is closed
	return a, nil
}

// restStart is the stamp of the first record.
var restStart = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// ServeHTTP answers with the records from a time on.
func (a *restAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
	if err != nil {
		_, _ = w.Write([]byte("{}"))
		return
	}
	from := sort.Search(len(a.records), func(i int) bool { return !restStart.Add(time.Duration(i) * time.Second).Before(since) })
	to := min(from+restPage, len(a.records))
	body := append([]byte(`{"data":[`), bytes.Join(a.records[from:to], []byte(","))...)
	body = append(body, "]}"...)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// plain fetches and decodes the same pages, and returns contacts a second.
func (a *restAPI) plain(ctx context.Context) (float64, error) {
	begin := time.Now()
	read := 0
	for read < len(a.records) {
		address := a.address + "/people?since=" + restStart.Add(time.Duration(read)*time.Second).Format(time.RFC3339)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return 0, err
		}
		n, err := decodePage(request)
		if err != nil {
			return 0, err
		}
		read += n
	}
	return float64(read) / time.Since(begin).Seconds(), nil
}

func decodePage(request *http.Request) (int, error) {
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var page struct {
		Data []person `json:"data"`
	}
	err = json.NewDecoder(answer.Body).Decode(&page)
	return len(page.Data), err
}

func bridgeREST(ctx context.Context, l *laboratory) ([]result, error) {
	api, err := newRestAPI(l)
	if err != nil {
		return nil, err
	}
	defer api.server.Close()
	s, err := l.serve(ctx, fmt.Sprintf(`{kind: rest, language: 1, url: %q, auth: [{by: none}], verify: {path: /me}, id: id, updated: {path: updated_at}, deletions: {by: none},
 changes: {path: /people, query: {since: "{{since}}"}, records: data, order: updated, page: {by: keyset, size: %d}},
 fields: {name: name, company: company, title: title, emails: emails, phones: phones, address: address.city}}`, api.address, restPage), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	value, limit, err := paired(ctx, l.repeat, func(ctx context.Context) (float64, error) { return l.crawl(ctx, s.url()) }, api.plain)
	if err != nil {
		return nil, err
	}
	memory, err := s.peakMemory()
	return []result{
		{
			Name: "bridge-rest", Value: value, Limit: limit, Unit: "contacts/s", Target: 0.5,
			against: "all pages over loopback HTTP, one client, of an HTTP API on loopback, against net/http and encoding/json fetching and decoding the same pages into structs",
		},
		{
			Name: "memory-rest", Value: memory, Limit: 128, Unit: "MiB", Target: 1, atMost: true,
			against: fmt.Sprintf("peak memory of the bridge with %d records", l.contacts),
		},
	}, err
}
