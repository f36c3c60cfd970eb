package listener_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// times are short ones, so that nobody waits for them.
var times = listener.Times{Header: 500 * time.Millisecond, Body: 500 * time.Millisecond, Write: time.Second, Idle: 5 * time.Second}

// serve runs a server and gives its address.
func serve(t *testing.T, perAddress int, proxies []netip.Prefix, handler http.HandlerFunc) string {
	t.Helper()
	l, err := listener.Open(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := listener.Server(handler, 32<<10, times, slog.New(slog.DiscardHandler))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener.Limit(unbuffered{l}, perAddress, proxies)) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return l.Addr().String()
}

// An unbuffered listener's connections keep little of what is sent: what the machine's buffers take counts as read, which by
// themselves hold what a reader may take half a minute for.
type unbuffered struct{ net.Listener }

func (u unbuffered) Accept() (net.Conn, error) {
	conn, err := u.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.SetWriteBuffer(4<<10))
	}
	return conn, err
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// held returns how long the other end keeps a connection open. What it sends meanwhile is not read.
func held(conn net.Conn, most time.Duration, write func() error) time.Duration {
	began := time.Now()
	for time.Since(began) < most {
		if write != nil && write() != nil {
			break
		}
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := io.Copy(io.Discard, conn); err == nil || !strings.Contains(err.Error(), "timeout") {
			break
		}
	}
	return time.Since(began)
}

// Nobody holds a connection by saying nothing, or by a body that does not come or comes byte by byte, whether anyone reads it or
// not.
func TestConnectionsAreNotHeldBySilence(t *testing.T) {
	const patience = 3 * time.Second
	address := serve(t, 0, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/reads" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	drip := func(conn net.Conn) func() error {
		return func() error { _, err := conn.Write([]byte("x")); return err }
	}
	cases := map[string]struct {
		sent string
		slow bool
	}{
		"silence":                           {"", false},
		"half a header":                     {"GET /healthz HTTP/1.1\r\nHost: a\r\n", false},
		"a header byte by byte":             {"GET /healthz HTTP/1.1\r\nHost: a", true},
		"a body that is not read":           {"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", false},
		"byte by byte":                      {"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", true},
		"a body that is read":               {"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", false},
		"read byte by byte":                 {"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", true},
		"chunks that do not come":           {"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		"chunks that nobody reads":          {"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", false},
		"a body too large for being waited": {"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n", true},
	}
	var wait sync.WaitGroup
	for name, c := range cases {
		conn := dial(t, address)
		wait.Go(func() {
			_, _ = io.WriteString(conn, c.sent)
			var write func() error
			if c.slow {
				write = drip(conn)
			}
			if took := held(conn, 10*patience, write); took > pace.Limit(patience) {
				t.Errorf("%s: open after %v", name, took)
			}
		})
	}
	wait.Wait()
}

// A body that came in time is not a limit to how long its answer may take, and a connection is good for the next request.
func TestADeadlineEndsWithWhatItIsFor(t *testing.T) {
	t.Parallel()
	address := serve(t, 0, nil, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(2 * times.Body): // the body's time is over
			_, _ = io.WriteString(w, "ok")
		case <-r.Context().Done():
			t.Error("the caller was taken to have gone")
		}
	})
	client := &http.Client{Transport: &http.Transport{}}
	for range 2 {
		res, err := client.Post("http://"+address, "text/plain", strings.NewReader("x")) //nolint:noctx // it ends by itself
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(res.Body); err != nil || string(text) != "ok" {
			t.Fatalf("%q, %v", text, err)
		}
		_ = res.Body.Close()
	}
}

// A stream goes on for as long as it is read, and ends when it is not.
func TestAStreamEndsWhenNobodyReadsIt(t *testing.T) {
	t.Parallel()
	const patience = 30 * time.Second // see unbuffered
	gone := make(chan time.Duration, 2)
	address := serve(t, 0, nil, func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		piece := make([]byte, 64<<10)
		control := http.NewResponseController(w)
		stream := r.URL.Path == "/stream"
		for time.Since(began) < 2*patience {
			if _, err := w.Write(piece); err != nil {
				break
			}
			if stream && control.Flush() != nil {
				break
			}
		}
		gone <- time.Since(began)
	})
	for _, path := range []string{"/stream", "/answer"} {
		conn := dial(t, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4 << 10)
		}
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	}
	for range 2 {
		if took := <-gone; took > patience {
			t.Errorf("written for %v", took)
		}
	}
}

func TestAnAddressHasSoManyConnections(t *testing.T) {
	const most = 5
	handler := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	answered := func(conn net.Conn) bool {
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	address := serve(t, most, nil, handler)
	var open []net.Conn
	for range most {
		conn := dial(t, address)
		if !answered(conn) {
			t.Fatal("a connection within the limit was not answered")
		}
		open = append(open, conn)
	}
	if answered(dial(t, address)) {
		t.Error("one connection more was answered")
	}
	_ = open[0].Close()
	deadline := time.Now().Add(5 * time.Second)
	for !answered(dial(t, address)) {
		if time.Now().After(deadline) {
			t.Fatal("a connection that was closed still counts")
		}
		time.Sleep(10 * time.Millisecond)
	}
	address = serve(t, most, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, handler)
	for i := range 3 * most {
		if !answered(dial(t, address)) {
			t.Fatalf("a proxy's connection %d was not answered", i)
		}
	}
}

// What is left of a body that a handler gave up is not a next request, and does not keep the connection open.
func TestTheRestOfABodyIsNoRequest(t *testing.T) {
	t.Parallel()
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	var asked sync.Map
	address := serve(t, 0, nil, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, true)
		if r.URL.Path == "/patient" {
			_, _ = io.CopyN(io.Discard, r.Body, 1)
		} else {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(times.Body / 5))
			_, _ = io.ReadAll(r.Body)
		}
		_ = r.Body.Close() // as frameworks do
		w.WriteHeader(http.StatusRequestTimeout)
	})
	for name, sent := range map[string]string{
		"a length":               "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
		"chunks":                 "POST /late HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
		"an expectation":         "POST /late HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n{",
		"a body closed early":    "POST /patient HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
		"chunks that are closed": "POST /patient HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
	} {
		conn := dial(t, address)
		began := time.Now()
		_, _ = io.WriteString(conn, sent)
		reader := bufio.NewReader(conn)
		for {
			answer, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if answer.StatusCode == http.StatusContinue {
				continue
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			break
		}
		_, _ = io.WriteString(conn, smuggled)
		_ = conn.SetReadDeadline(began.Add(times.Idle - time.Second))
		if rest, err := io.ReadAll(reader); len(rest) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: %q, %v", name, rest, err)
		}
	}
	if _, is := asked.Load("/smuggled"); is {
		t.Error("the rest of a body was taken for a request")
	}
}
