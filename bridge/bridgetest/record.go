package bridgetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A recording is a folder: check.json says how the check was asked for, and one file for each exchange and each change
// says what happened, credentials masked.

// settings hold the facts about a recorded check that its replay needs.
type settings struct {
	URL               string        `json:"url"`
	AuthValidationURL string        `json:"auth_validation_url,omitempty"`
	AgentsURL         string        `json:"agents_url,omitempty"`
	AuthKeys          []string      `json:"auth_keys"`
	Contacts          int           `json:"contacts,omitempty"`
	Mutate            bool          `json:"mutate"`
	Restart           bool          `json:"restart"`
	Pause             time.Duration `json:"pause"`
	AnswerLimit       time.Duration `json:"answer_limit"`
}

// A record is one file of a recording.
type record struct {
	Kind     string          `json:"kind"` // exchange, change, restart, handshake
	Label    string          `json:"label,omitempty"`
	At       time.Time       `json:"at"`
	Took     time.Duration   `json:"took,omitempty"`
	Request  *recordRequest  `json:"request,omitempty"`
	Response *recordResponse `json:"response,omitempty"`
	Verb     Verb            `json:"verb,omitempty"`
	ID       string          `json:"id,omitempty"`
	NewID    string          `json:"new_id,omitempty"`
	TLS      *handshake      `json:"tls,omitempty"`
	Error    string          `json:"error,omitempty"`
}

type recordRequest struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"header"`
	recordBody
	Length int `json:"length"`
}

type recordResponse struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	recordBody
	Reused bool   `json:"reused,omitempty"`
	Echoed string `json:"echoed,omitempty"` // the credential that stood in the body before it was masked
}

// A recordBody is text where it is text, else base64.
type recordBody struct {
	Text  string `json:"body,omitempty"`
	Bytes []byte `json:"body_base64,omitempty"`
}

func newBody(b []byte) recordBody {
	if utf8.Valid(b) {
		return recordBody{Text: string(b)}
	}
	return recordBody{Bytes: b}
}

func (b recordBody) bytes() []byte {
	if b.Bytes != nil {
		return b.Bytes
	}
	return []byte(b.Text)
}

const settingsFile = "check.json"

const (
	// mostRecorded is how much of a request's body a recording holds: the huge one is only the same letter over and over.
	mostRecorded = 128 << 10
	// mostCompared is how much of it tells two requests apart. It is less, since masking moves what follows.
	mostCompared = 64 << 10
)

// recorder writes down what another carrier does.
type recorder struct {
	carrier
	s      *session
	folder string
	mu     sync.Mutex
	number int
	err    error
}

func newRecorder(folder string, c carrier, s *session) (*recorder, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("create recording: %w", err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("create recording: %w", err)
	}
	if len(files) > 0 {
		return nil, fmt.Errorf("create recording: the folder %s is not empty", folder)
	}
	r := &recorder{carrier: c, s: s, folder: folder}
	r.write(settingsFile, settings{
		URL: s.mask.text(displayURL(s.target.URL)), AuthValidationURL: s.mask.text(displayURL(s.target.AuthValidationURL)),
		AgentsURL: s.mask.text(displayURL(s.target.AgentsURL)),
		AuthKeys:  slices.Sorted(maps.Keys(s.target.Auth)), Contacts: s.target.Contacts,
		Mutate: s.target.Mutate != nil, Restart: s.target.Restart != nil,
		Pause: s.options.Pause, AnswerLimit: s.options.AnswerLimit,
	})
	return r, r.err
}

// write writes a file, and remembers the first error.
func (r *recorder) write(name string, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(r.folder, name), append(b, '\n'), 0o600)
	}
	if r.err == nil {
		r.err = err
	}
}

func (r *recorder) add(rec record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	r.write(fmt.Sprintf("%06d-%s.json", r.number, rec.Kind), rec)
}

func (r *recorder) send(ctx context.Context, e *exchange) {
	r.carrier.send(ctx, e)
	e.echoed = r.s.mask.echo(e.answer)
	body := e.body[:min(len(e.body), mostRecorded)]
	rec := record{
		Kind: "exchange", Label: e.label, At: e.sent, Took: e.took,
		Request: &recordRequest{
			Method: e.method, URL: r.s.mask.text(displayURL(e.url)), Header: e.header,
			recordBody: newBody(r.s.mask.bytes(body)), Length: len(e.body),
		},
	}
	if e.err != nil {
		rec.Error = r.s.mask.text(e.err.Error())
	}
	if e.status != 0 {
		rec.Response = &recordResponse{
			Status: e.status, Header: r.maskHeader(e.answerHeader), recordBody: newBody(r.s.mask.bytes(e.answer)),
			Reused: e.reused, Echoed: e.echoed,
		}
	}
	r.add(rec)
}

func (r *recorder) maskHeader(h http.Header) http.Header {
	masked := http.Header{}
	for key, values := range h {
		for _, v := range values {
			if key == "Set-Cookie" { // as good as a credential
				v = "[cookie]"
			}
			masked.Add(key, r.s.mask.text(v))
		}
	}
	return masked
}

func (r *recorder) mutate(ctx context.Context, verb Verb, id string) (string, error) {
	at := time.Now()
	newID, err := r.carrier.mutate(ctx, verb, id)
	rec := record{Kind: "change", At: at, Took: time.Since(at), Verb: verb, ID: id, NewID: newID}
	if err != nil {
		rec.Error = r.s.mask.text(err.Error())
	}
	r.add(rec)
	return newID, err
}

func (r *recorder) restart(ctx context.Context) error {
	at := time.Now()
	err := r.carrier.restart(ctx)
	rec := record{Kind: "restart", At: at, Took: time.Since(at)}
	if err != nil {
		rec.Error = r.s.mask.text(err.Error())
	}
	r.add(rec)
	return err
}

func (r *recorder) handshake(ctx context.Context, address string) handshake {
	h := r.carrier.handshake(ctx, address)
	r.add(record{Kind: "handshake", At: time.Now(), TLS: &h})
	return h
}

func (r *recorder) close() error { return errors.Join(r.carrier.close(), r.err) }

// replay answers from a recording. Each request gets the answer that the same request got, in the order in which they
// were recorded.
type replay struct {
	folder string
	mu     sync.Mutex
	files  map[string][]string // by what was asked
	clock  time.Time           // moves with the recording
}

// openReplay indexes a recording; the answers stay on disk until they are asked for.
func openReplay(folder string) (*replay, settings, error) {
	var set settings
	if err := readJSON(filepath.Join(folder, settingsFile), &set); err != nil {
		return nil, set, fmt.Errorf("open recording: %w", err)
	}
	names, err := fs.Glob(os.DirFS(folder), "*-*.json")
	if err != nil {
		return nil, set, fmt.Errorf("open recording: %w", err)
	}
	p := &replay{folder: folder, files: map[string][]string{}}
	for _, name := range names {
		var rec record
		if err := readJSON(filepath.Join(folder, name), &rec); err != nil {
			return nil, set, fmt.Errorf("open recording: %w", err)
		}
		key := rec.key()
		p.files[key] = append(p.files[key], name)
		if p.clock.IsZero() {
			p.clock = rec.At
		}
	}
	return p, set, nil
}

func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return nil
}

// key identifies the request that a record answers.
func (r record) key() string {
	switch r.Kind {
	case "change":
		return fmt.Sprintf("change %s %s", r.Verb, r.ID)
	case "exchange":
		q := r.Request
		return requestKey(q.Method, q.URL, q.Header, q.bytes())
	}
	return r.Kind
}

func requestKey(method, url string, header http.Header, body []byte) string {
	h := fnv.New64a()
	h.Write(body[:min(len(body), mostCompared)])
	return strings.Join([]string{
		method, url, header.Get("Content-Type"), header.Get("Accept-Encoding"), fmt.Sprint(h.Sum64()),
	}, " ")
}

// target returns the target as it was recorded; credentials are the replacements that the mask chose.
func (p *replay) target(set settings) Target {
	t := Target{URL: set.URL, AuthValidationURL: set.AuthValidationURL, AgentsURL: set.AgentsURL, Contacts: set.Contacts, Auth: map[string]string{}}
	for _, key := range set.AuthKeys {
		t.Auth[key] = "[" + key + "]"
	}
	if set.Mutate {
		t.Mutate = func(context.Context, Verb, string) (string, error) { return "", nil }
	}
	if set.Restart {
		t.Restart = func(context.Context) error { return nil }
	}
	return t
}

var errNotRecorded = errors.New("the recording does not hold this; it was made by another version of the check")

// next returns the next record for a key.
func (p *replay) next(key string) (record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rec record
	names := p.files[key]
	if len(names) == 0 {
		return rec, errNotRecorded
	}
	if len(names) > 1 {
		p.files[key] = names[1:]
	}
	if err := readJSON(filepath.Join(p.folder, names[0]), &rec); err != nil {
		return rec, err
	}
	if end := rec.At.Add(rec.Took); end.After(p.clock) {
		p.clock = end
	}
	return rec, nil
}

func (p *replay) send(_ context.Context, e *exchange) {
	rec, err := p.next(requestKey(e.method, displayURL(e.url), e.header, e.body))
	if err != nil {
		e.sent, e.err = p.now(), err
		return
	}
	e.sent, e.took = rec.At, rec.Took
	if rec.Error != "" {
		e.err = errors.New(rec.Error)
	}
	if r := rec.Response; r != nil {
		e.status, e.answerHeader, e.answer, e.reused, e.echoed = r.Status, r.Header, r.bytes(), r.Reused, r.Echoed
	}
}

func (p *replay) mutate(_ context.Context, verb Verb, id string) (string, error) {
	rec, err := p.next(record{Kind: "change", Verb: verb, ID: id}.key())
	if err == nil && rec.Error != "" {
		err = errors.New(rec.Error)
	}
	return rec.NewID, err
}

func (p *replay) restart(context.Context) error {
	rec, err := p.next("restart")
	if err == nil && rec.Error != "" {
		err = errors.New(rec.Error)
	}
	return err
}

func (p *replay) handshake(context.Context, string) handshake {
	rec, err := p.next("handshake")
	if err != nil || rec.TLS == nil {
		return handshake{Problem: errNotRecorded.Error()}
	}
	return *rec.TLS
}

// sleep does not wait: what was waited for has happened.
func (p *replay) sleep(context.Context, time.Duration) {}

func (p *replay) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock
}

func (p *replay) close() error { return nil }
