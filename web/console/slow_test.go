package console_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/web/console"
)

// A form that is sent very slowly must not hold a connection for ever, signed in or not, whatever the form is for.
func TestAFormThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	const formTime = 2 * time.Second
	s := newSite(t, func(o *console.Options) { o.FormTime = formTime })
	v := s.administrator(t)
	address, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookies := ""
	for _, c := range v.client.Jar.Cookies(address) {
		cookies += c.Name + "=" + c.Value + "; "
	}
	const form = "application/x-www-form-urlencoded"
	var wait sync.WaitGroup
	for _, c := range []struct{ line, kind, cookie string }{
		{"POST /sign-in", form, ""},
		{"POST /sign-in", "multipart/form-data; boundary=x", ""},
		{"POST /sign-in", "text/plain", ""},
		{"POST /settings/password", form, ""},
		{"POST /settings/password", form, cookies},
		{"POST /tokens?account=acme", form, cookies},
		{"POST /tokens", "multipart/form-data; boundary=x", cookies},
		{"POST /no/such/page", form, cookies},
		{"GET /", form, cookies},
		{"GET /sign-in", form, ""},
		{"PUT /", form, ""},
	} {
		wait.Go(func() {
			began := time.Now()
			conn, err := net.Dial("tcp", address.Host)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: hub\r\nCookie: %s\r\nContent-Type: %s\r\nContent-Length: 100000\r\n\r\nname=a", c.line, c.cookie, c.kind)
			_ = conn.SetReadDeadline(time.Now().Add(40 * time.Second))
			all, err := io.ReadAll(conn) // until the hub closes the connection
			if err != nil {
				t.Errorf("%s as %s: it is still waited for: %v", c.line, c.kind, err)
			}
			if took := time.Since(began); took < formTime {
				t.Errorf("%s as %s: it was given up after %v", c.line, c.kind, took)
			}
			if !bytes.HasPrefix(all, []byte("HTTP/1.1 422 ")) {
				t.Errorf("%s as %s: %.60q", c.line, c.kind, all)
			}
		})
	}
	wait.Wait()
}
