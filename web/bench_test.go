package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web"
)

// BenchmarkCallers compares who is calling over one connection, through the handler alone, and as library calls.
func BenchmarkCallers(b *testing.B) {
	f := newFixture(b, func(o *web.HandlerOptions) { o.Logger = nil })
	token := f.token(b, "acme", registry.ScopeCallers)
	request := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/callers/%2B442079460958", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return r
	}
	b.Run("http", func(b *testing.B) {
		conn, err := net.Dial("tcp", f.server.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		reader := bufio.NewReader(conn)
		text := fmt.Sprintf("GET /api/v1/callers/%%2B442079460958 HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer %s\r\n\r\n", token)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := io.WriteString(conn, text); err != nil {
				b.Fatal(err)
			}
			answer, err := http.ReadResponse(reader, nil)
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Fatal(answer, err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
		}
	})
	b.Run("handler", func(b *testing.B) {
		r := request()
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.NewRecorder()
			f.server.Config.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		}
	})
	b.Run("hub", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if a, err := f.hub.Lookup(b.Context(), "acme", "+442079460958", "", caller.LookupOptions{}); err != nil || len(a.Matches) != 1 {
				b.Fatal(a, err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if a, err := caller.Lookup(b.Context(), f.store, "acme", "+442079460958", "GB", caller.LookupOptions{}); err != nil || len(a.Matches) != 1 {
				b.Fatal(a, err)
			}
		}
	})
}
