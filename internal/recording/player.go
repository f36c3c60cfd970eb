package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/failure"
)

// A Player answers requests from a recording, without a connection. It is a clock as well: it stands still at the time of the recording.
type Player struct {
	began   time.Time
	lock    sync.Mutex
	answers map[string][]reply // by request; the last one is given again
	missing []string
}

// Open reads a recording.
func Open(folder string) (*Player, error) {
	text, err := os.ReadFile(filepath.Join(folder, trafficFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &failure.Error{Code: failure.Invalid, Message: folder + " has no recording", Hint: "Name the folder that preview --record has written."}
	}
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	var read traffic
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, &failure.Error{Code: failure.Invalid, Message: filepath.Join(folder, trafficFile) + " is not a recording", Hint: "Record again, or get the file again.", Err: err}
	}
	if read.Version != version {
		return nil, &failure.Error{Code: failure.Invalid, Message: fmt.Sprintf("the recording has version %d, and this program reads %d", read.Version, version), Hint: "Update contactbridge."}
	}
	p := &Player{began: read.Began, answers: map[string][]reply{}}
	for _, one := range read.Exchanges {
		key := one.Request.key()
		p.answers[key] = append(p.answers[key], one.Answer)
	}
	return p, nil
}

// key stands for a request: everything but its host and its credentials.
func (r request) key() string {
	var b strings.Builder
	b.WriteString(r.Method + " ")
	if address, err := url.Parse(r.URL); err == nil {
		b.WriteString(address.Path + "?" + address.Query().Encode())
	}
	names := make([]string, 0, len(r.Headers))
	for name := range r.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString("\n" + name + ": " + r.Headers[name])
	}
	if len(r.Body) > 0 {
		b.WriteString("\n\n" + canonical(r.Body))
	}
	return b.String()
}

// canonical writes JSON in one way.
func canonical(body []byte) string {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil {
		return string(body)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return string(body)
	}
	return string(text)
}

// errNotRecorded is the cause of an answer that a recording does not have.
var errNotRecorded = errors.New("the recording has no answer to this request")

// errNoAnswer is that of one that did not come when it was recorded.
var errNoAnswer = errors.New("no answer came when this was recorded")

// RoundTrip implements [http.RoundTripper].
func (p *Player) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := request{Method: r.Method, URL: r.URL.String(), Headers: map[string]string{}}
	for name, values := range r.Header {
		if !transport[name] && name != "Authorization" {
			asked.Headers[name] = strings.Join(values, ", ")
		}
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		asked.Body = body
	}
	got, ok := p.next(asked)
	switch {
	case !ok:
		return nil, errNotRecorded
	case got.Status == 0:
		return nil, errNoAnswer
	}
	body := []byte(got.Body)
	if len(body) == 0 {
		body = []byte(got.Text)
	}
	header := http.Header{}
	for name, values := range got.Headers {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return &http.Response{
		Status: http.StatusText(got.Status), StatusCode: got.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// next returns the answer to a request; of several to the same request each once, in their order, and the last one from then on.
func (p *Player) next(asked request) (reply, bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	key := asked.key()
	list := p.answers[key]
	if len(list) == 0 {
		p.missing = append(p.missing, short(asked))
		return reply{}, false
	}
	if len(list) > 1 {
		p.answers[key] = list[1:]
	}
	return list[0], true
}

// short names a request in one line.
func short(r request) string {
	text := r.Method + " "
	if address, err := url.Parse(r.URL); err == nil {
		text += address.RequestURI()
	}
	if len(r.Body) > 0 {
		text += " with " + string(r.Body)
	}
	const most = 300
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// Missing lists the requests that the recording has no answer to, in the order in which they were made.
func (p *Player) Missing() []string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return slices.Clone(p.missing)
}

// Now returns when the recording was made.
func (p *Player) Now() time.Time { return p.began }

// AfterFunc calls f when d has passed on the machine's clock.
func (p *Player) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
