package inside_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/internal/test/memory"
)

// D11: eight services that answer a source inside the hub with the worst there is, all at once: the process stays small.
func TestEightHostileServicesAtOnce(t *testing.T) {
	const most = 768 << 20
	const begin = `<multistatus xmlns="DAV:"><response>`
	const cards = `{kind: carddav, url: "%s/", username: u, password: p}`
	for name, c := range map[string]struct {
		source string
		answer func() string
	}{
		"records of nothing": {
			`{kind: rest, language: 1, url: "%s", auth: [{by: bearer, token: x}], verify: {path: /me}, id: id, updated: {path: u}, deletions: {by: none}, changes: {path: /p, records: $, order: none, page: {by: none}}, fields: {name: name}}`,
			func() string { return "[" + strings.Repeat("{},", 20<<20) + "{}]" },
		},
		"an attribute": {cards, func() string {
			return begin + `<href a="` + strings.Repeat("x", 200<<20) + `">/a</href></response></multistatus>`
		}},
		"addresses without end":  {cards, func() string { return begin + strings.Repeat("<href>/a</href>", 10<<20) + `</response></multistatus>` }},
		"messages of gigabytes":  {`{kind: ldap, url: "ldap://%s", base: "dc=x"}`, func() string { return "\x30\x84\x7f\xff\xff\xff" + strings.Repeat("\x04\x00", 30<<20) }},
		"messages of tiny parts": {`{kind: ldap, url: "ldap://%s", base: "dc=x"}`, func() string { return "\x30\x83\xff\xff\xfe" + strings.Repeat("\x04\x00", 8<<20) }},
		"greetings of gigabytes": {`{kind: mysql, dsn: "mysql://u:p@%s/x", table: t, id: id, fields: {name: n}}`, func() string {
			var b strings.Builder
			for n := range byte(8) {
				b.WriteString("\xff\xff\xff" + string(rune(n)) + strings.Repeat("x", 1<<24-1))
			}
			return b.String()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			at := hostile(t, []byte(c.answer()), strings.Contains(c.source, "://%s"))
			text := "source: " + fmt.Sprintf(c.source, at)
			budget := bridge.NewBudget(0)
			before := debug.SetMemoryLimit(budget.ProcessLimit()) // as package hubserver does
			defer debug.SetMemoryLimit(before)
			s := inside.New(inside.Options{Answers: budget, Transport: http.DefaultTransport, Dial: new(net.Dialer).DialContext})
			defer func() { _ = s.Close() }()
			debug.FreeOSMemory()
			began, peak := memory.Resident(), memory.Peak(t)
			var work sync.WaitGroup
			for n := range 8 {
				work.Go(func() {
					client := clientOf(s, hub.InsideSource{Account: fmt.Sprint("a", n), Text: text + fmt.Sprintf("\nphones: {region: GB}\npage: {contacts: %d}", 100+n)})
					client.Budget, client.Timeout = budget, time.Minute
					if page, err := client.Page(t.Context(), bridge.PageRequest{}); err == nil {
						t.Errorf("%d contacts", len(page.Contacts))
					} else if n == 0 {
						t.Log(err)
					}
				})
			}
			work.Wait()
			t.Logf("at most %d MiB, after %d MiB", peak()>>20, began>>20)
			if peak() > began+most {
				t.Errorf("the process grew by %d MiB", (peak()-began)>>20)
			}
		})
	}
}

// hostile serves an answer: over HTTP and compressed, or to whoever connects, as it is.
func hostile(t *testing.T, answer []byte, plain bool) (at string) {
	t.Helper()
	if plain {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					_, _ = conn.Write(answer)
				}()
			}
		}()
		return l.Addr().String()
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(answer)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		if r.Method == "PROPFIND" || r.Method == "REPORT" {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusMultiStatus)
		}
		_, _ = w.Write(packed.Bytes())
	}))
	t.Cleanup(server.Close)
	return server.URL
}
