package outbound

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// read asks a server with an answer that a test writes, hastened by a clock that is faster than the real one.
func read(t *testing.T, answer func(w http.ResponseWriter, end <-chan struct{}), pause time.Duration) (text []byte, took time.Duration, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r.Context().Done()) }))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	response, err := hastening{http.DefaultTransport, pace.Limit(200 * time.Millisecond)}.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	piece := make([]byte, 100)
	for {
		n, err := response.Body.Read(piece)
		text = append(text, piece[:n]...)
		if err == io.EOF {
			return text, time.Since(began), nil
		}
		if err != nil {
			return text, time.Since(began), err
		}
		time.Sleep(pause)
	}
}

// drip writes so many pieces, one after the other, after a first silence.
func drip(pieces int, piece []byte, pause, silence time.Duration) func(http.ResponseWriter, <-chan struct{}) {
	return func(w http.ResponseWriter, end <-chan struct{}) {
		control := http.NewResponseController(w)
		_ = control.Flush() // the headers
		for wait, n := silence, 0; n < pieces; wait, n = pause, n+1 {
			select {
			case <-time.After(wait):
			case <-end:
				return
			}
			_, _ = w.Write(piece)
			_ = control.Flush()
		}
	}
}

// An answer that brings a byte at a time is broken off, long before it is complete, and says why.
func TestAnAnswerThatBringsTooLittleIsBrokenOff(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, <-chan struct{}){
		"a blank at a time": drip(10_000, []byte(" "), 20*time.Millisecond, 0),
		"stops":             drip(2, []byte(" "), time.Hour, 0),
		"a good beginning":  drip(2, bytes.Repeat([]byte("x"), 10<<10), time.Hour, 0),
	} {
		_, took, err := read(t, answer, 0)
		if err == nil || !strings.Contains(err.Error(), "fewer than 1024 bytes") || took > pace.Limit(3*time.Second) {
			t.Errorf("%s: %v after %s", name, err, took)
		}
	}
}

// Everything else is left alone: an external service that thinks first, one that is slow but brings something, and a reader who takes
// the time.
func TestAnAnswerThatIsWorthItsTimeIsLeftAlone(t *testing.T) {
	kib := bytes.Repeat([]byte("x"), leastBytes)
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, <-chan struct{})
		pause  time.Duration
		bytes  int
	}{
		"thinks first":  {drip(1, []byte("{}"), 0, 600*time.Millisecond), 0, 2},
		"slow":          {drip(10, kib, 100*time.Millisecond, 0), 0, 10 << 10},
		"a slow reader": {drip(5, kib, 0, 0), 15 * time.Millisecond, 5 << 10},
		"empty":         {drip(0, nil, 0, 0), 0, 0},
	} {
		text, took, err := read(t, c.answer, c.pause)
		if err != nil || len(text) != c.bytes {
			t.Errorf("%s: %d bytes and %v after %s", name, len(text), err, took)
		}
	}
}
