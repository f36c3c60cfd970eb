package web_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

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
	const path = "/api/v1/callers/%2B442079460958"
	var body []byte
	b.Run("http", func(b *testing.B) { body = overOneConnection(b, f.server.Listener.Addr(), path, token) })
	b.Run("explain", func(b *testing.B) { overOneConnection(b, f.server.Listener.Addr(), path+"?explain=true", token) })
	b.Run("callerid", func(b *testing.B) {
		overOneConnection(b, f.server.Listener.Addr(), "/callerid?number=%2B442079460958", token)
	})
	b.Run("limit", func(b *testing.B) { // the same bytes from memory
		plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		}))
		defer plain.Close()
		overOneConnection(b, plain.Listener.Addr(), path, token)
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

// overOneConnection sends one request after the other, as plainly as HTTP can be spoken, and returns the last answer's body. It reports the
// processor time of this process in user mode besides, which depends little on what else the machine does.
func overOneConnection(b *testing.B, at net.Addr, path, token string) (body []byte) {
	b.Helper()
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	text := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
	began := userTime(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(conn, text); err != nil {
			b.Fatal(err)
		}
		if body, err = readAnswer(reader, body[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(userTime(b)-began)/float64(b.N), "user-ns/op")
	return body
}

// readAnswer reads an answer with status 200 and a Content-Length, and allocates next to nothing.
func readAnswer(reader *bufio.Reader, body []byte) ([]byte, error) {
	length := 0
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil || first && !bytes.Contains(line, []byte(" 200 ")) {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		if len(line) <= 2 {
			break
		}
		if name, value, found := bytes.Cut(line, []byte(": ")); found && bytes.EqualFold(name, []byte("Content-Length")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
	body = slices.Grow(body, length)[:length]
	_, err := io.ReadFull(reader, body)
	return body, err
}

// userTime is the processor time of this process in user mode.
func userTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano())
}
