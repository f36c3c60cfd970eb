package bridge_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// An endless source yields one page after another at no cost of its own.
type endless struct{ contacts []contact.Contact }

func newEndless(n int) *endless {
	e := &endless{}
	for i := range n {
		e.contacts = append(e.contacts, contact.Contact{
			ID: fmt.Sprint(1000000 + i), Name: fmt.Sprintf("Jane Doe the %dth", i), Title: "CTO", Company: "Example Corp.",
			Emails: []string{fmt.Sprintf("jane.doe.%d@example.com", i)}, Phones: []string{fmt.Sprintf("+1555%07d", i)},
			Address: "37, Famous St., New York, US", URL: fmt.Sprintf("https://crm.example.com/customers/%d", i),
			CustomFields: []contact.CustomField{{Key: "Plan", Value: "Gold"}},
		})
	}
	return e
}

func (e *endless) Begin(context.Context, bridge.Checkpoint) (bridge.Run, error) {
	return bridge.Run{State: []byte("state")}, nil
}

func (e *endless) Read(context.Context, bridge.Run, bridge.Position, int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		position := make(bridge.Position, 8)
		for i := range e.contacts {
			position[0], position[1] = byte(i), byte(i>>8)
			if !yield(bridge.Change{Contact: e.contacts[i], Position: position}, nil) {
				return
			}
		}
	}
}

func (e *endless) Checkpoint(bridge.Run, bridge.Position, bool) bridge.Checkpoint { return "here" }
func (e *endless) Close() error                                                   { return nil }

func (e *endless) handler(n int) *bridge.Handler {
	return &bridge.Handler{
		Open:         func(context.Context, bridge.Auth) (bridge.Source, error) { return e, nil },
		Authenticate: bridge.RequireAuth(credentials), Limits: bridge.Limits{Contacts: n},
	}
}

const benchPage = 1000

// A discard takes an answer and forgets it.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { d.bytes += len(b); return len(b), nil }

func BenchmarkHandlerPage(b *testing.B) {
	for _, coding := range []string{"identity", "gzip"} {
		b.Run(coding, func(b *testing.B) {
			h := newEndless(benchPage).handler(benchPage)
			body := `{"auth":` + goodAuth + `}`
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				w.bytes = 0
				r := httptest.NewRequest(http.MethodPost, "/crm/contact_sync", strings.NewReader(body))
				r.Header.Set("Accept-Encoding", coding)
				h.ServeHTTP(w, r)
				b.SetBytes(int64(w.bytes))
			}
			b.ReportMetric(float64(b.N)*benchPage/b.Elapsed().Seconds(), "contacts/s")
		})
	}
}

func BenchmarkClientPage(b *testing.B) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/crm/contact_sync", strings.NewReader(`{"auth":`+goodAuth+`}`))
	newEndless(benchPage).handler(benchPage).ServeHTTP(w, r)
	body := w.Body.Bytes()
	c := serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(body)
	}))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := c.Page(b.Context(), bridge.PageRequest{})
		if err != nil || len(p.Contacts) != benchPage {
			b.Fatal(len(p.Contacts), err)
		}
	}
	b.ReportMetric(float64(b.N)*benchPage/b.Elapsed().Seconds(), "contacts/s")
}
