package bridgetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A form is how a request says that it has no checkpoint, offset or context (P5, D1).
type form int

const (
	nulls form = iota
	absent
	empties
)

// A question is a request for a page.
type question struct {
	label   string
	form    form
	since   string
	offset  string
	context []byte // sent back byte for byte as it came
	extra   string // more members of meta, as JSON text that begins with a comma
	gzip    bool
	// extended says that the synchronizer understands our extensions (D7).
	extended bool
}

// body returns the question as JSON. It is written by hand so that a context goes back exactly as it came.
func (s *session) body(q question) []byte {
	b := append([]byte(`{"auth":`), s.auth()...)
	b = append(b, `,"meta":{`...)
	var members [][]byte
	for _, m := range []struct {
		name string
		text string
	}{{"synchronization_checkpoint", q.since}, {"offset", q.offset}} {
		if value := mark(m.text, q.form); value != nil {
			members = append(members, fmt.Appendf(nil, "%q:%s", m.name, value))
		}
	}
	switch {
	case q.context != nil:
		members = append(members, append([]byte(`"context":`), q.context...))
	case q.form != absent:
		members = append(members, []byte(`"context":null`))
	}
	if q.extended {
		members = append(members, []byte(`"supports_deletions":true`))
	}
	b = append(b, bytes.Join(members, []byte(","))...)
	if len(members) == 0 {
		b = append(b, strings.TrimPrefix(q.extra, ",")...)
	} else {
		b = append(b, q.extra...)
	}
	return append(b, "}}"...)
}

func mark(value string, f form) []byte {
	switch {
	case value != "":
		return quoted(value)
	case f == nulls:
		return []byte("null")
	case f == empties:
		return []byte(`""`)
	}
	return nil
}

// quoted returns a string as JSON, without the escapes that only HTML needs.
func quoted(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings and maps of strings cannot fail
	return bytes.TrimSpace(b.Bytes())
}

func (s *session) auth() []byte {
	if s.target.Auth == nil {
		return []byte("{}")
	}
	return quoted(s.target.Auth)
}

// post sends a body to the bridge as it would be sent in production, and judges what every answer must keep to.
func (s *session) post(ctx context.Context, label string, body []byte) *exchange {
	return s.send(ctx, &exchange{label: label, method: http.MethodPost, url: s.target.URL, body: body})
}

func (s *session) send(ctx context.Context, e *exchange) *exchange {
	if e.header == nil {
		e.header = http.Header{}
	}
	setDefault(e.header, "Content-Type", "application/json")
	setDefault(e.header, "Accept", "application/json")
	setDefault(e.header, "User-Agent", "contactbridge-check")
	s.carrier.send(ctx, e)
	s.judgeAnswer(e)
	return e
}

func setDefault(h http.Header, key, value string) {
	if _, ok := h[key]; !ok {
		h.Set(key, value)
	}
}

// traces are texts that programs in many languages print when they fail.
var traces = regexp.MustCompile(`Traceback \(most recent call last\)|\n\s+at [^\n]{1,200}[(:]\d+|goroutine \d+ \[|[\w/]\.go:\d+|` +
	`File "[^"\n]+", line \d+|\.rb:\d+:in |\.php(\(|:)\d+|Exception in thread|SQLSTATE\[|[\w/]\.(js|ts|py|java|cs|ex):\d+|panic: |:line \d+`)

var html = regexp.MustCompile(`(?i)^\s*(<!doctype html|<html|<head|<body)`)

// marker stands in every wrong credential that the check makes up: where it comes back, credentials are echoed.
const marker = "not-the-right-one-9d41c7"

// judgeAnswer judges what holds for every answer, good or bad.
func (s *session) judgeAnswer(e *exchange) {
	if e.took >= s.options.AnswerLimit {
		s.found("answer-time", e, "the answer took %.2f s; the limit is %s", e.took.Seconds(), s.options.AnswerLimit)
	} else if e.took >= s.options.AnswerLimit*8/10 {
		s.found("answer-time-margin", e, "the answer took %.2f s of the %s there are", e.took.Seconds(), s.options.AnswerLimit)
	}
	key := e.echoed
	if key == "" {
		key = s.mask.echo(e.answer)
	}
	if key == "" && bytes.Contains(e.answer, []byte(marker)) {
		key = "made-up credentials"
	}
	if e.echoed = key; key != "" {
		s.found("credentials-echoed", e, "the answer holds the value of %s", key)
	}
	if e.status < 300 {
		return
	}
	unescaped := bytes.ReplaceAll(e.answer, []byte(`\n`), []byte("\n"))
	unescaped = bytes.ReplaceAll(unescaped, []byte(`\"`), []byte(`"`))
	if found := traces.Find(unescaped); found != nil {
		s.found("stack-traces", e, "the answer shows the program's insides: %q", bytes.TrimSpace(found))
	}
	if html.Match(e.answer) || strings.HasPrefix(e.answerHeader.Get("Content-Type"), "text/html") {
		s.found("error-html", e, "the answer with status %d is HTML", e.status)
		return
	}
	if len(e.answer) > 0 && !json.Valid(e.answer) {
		s.found("error-json", e, "the answer with status %d is not JSON", e.status)
	}
}

// page asks for a page and judges it. It returns nil if there was none; the exchange says why.
func (s *session) page(ctx context.Context, q question, visit func(id string, raw []byte)) (*visited, *exchange) {
	e := s.askPolitely(ctx, q)
	if e.status != http.StatusOK || e.err != nil {
		return nil, e
	}
	s.judgeHeader(e)
	body, ok := s.plain(e, q.gzip)
	if !ok {
		return nil, e
	}
	v := &visited{
		offset: q.offset, context: q.context, bytes: int64(len(e.answer)), sent: e.sent, moment: e.moment(),
		took: e.took, reused: e.reused,
	}
	p := s.readPage(e, body, v, visit)
	if p == nil {
		return nil, e
	}
	if said := p.extensions(); said != "" && !q.extended {
		s.found("extensions-unasked", e, "the answer has %s, and the request has no supports_deletions", said)
	}
	s.mu.Lock()
	s.judged++
	if s.full != nil {
		s.extra.bytes += v.bytes
		s.extra.took += v.took
	}
	s.mu.Unlock()
	v.next, v.nextContext, v.checkpoint, v.restarted = p.next, p.context, p.checkpoint, p.restarted
	return v, e
}

// readPage reads a page's body, collecting its ids into v.
func (s *session) readPage(e *exchange, body []byte, v *visited, visit func(id string, raw []byte)) *page {
	type report struct{ caseID, message string }
	var reports []report
	onPage := map[uint64]struct{}{}
	r := reader{
		restart: func() {
			reports, v.ids = nil, nil
			clear(onPage)
		},
		report: func(caseID, format string, args ...any) {
			reports = append(reports, report{caseID, fmt.Sprintf(format, args...)})
		},
		contact: func(id string, raw []byte) {
			h := s.hash(id)
			if _, twice := onPage[h]; twice {
				reports = append(reports, report{"ids-unique", fmt.Sprintf("one page holds the id %q twice", id)})
			}
			onPage[h] = struct{}{}
			v.ids = append(v.ids, h)
			if visit != nil {
				visit(id, raw)
			}
		},
	}
	p := r.read(body)
	for _, found := range reports {
		s.found(found.caseID, e, "%s", found.message)
	}
	return p
}

// askPolitely asks, and asks again after a while if the bridge is too busy and says until when.
func (s *session) askPolitely(ctx context.Context, q question) *exchange {
	for {
		e := &exchange{label: q.label, method: http.MethodPost, url: s.target.URL, body: s.body(q), header: http.Header{}}
		if q.gzip {
			e.header.Set("Accept-Encoding", "gzip")
		}
		s.send(ctx, e)
		if e.status != http.StatusTooManyRequests && e.status != http.StatusServiceUnavailable || ctx.Err() != nil {
			return e
		}
		seconds, err := strconv.Atoi(e.answerHeader.Get("Retry-After"))
		wait := max(time.Duration(seconds)*time.Second, shortestWait)
		if err != nil || !s.patient(wait) {
			return e
		}
		s.options.Progress(Progress{Doing: fmt.Sprintf("the bridge is busy (status %d): it is asked again in %s", e.status, wait)})
		s.carrier.sleep(ctx, wait)
	}
}

// shortestWait is what a Retry-After of nothing counts as, so that patience ends.
const shortestWait = 100 * time.Millisecond

// patient takes a wait off the time that the check may wait in all, and reports whether that much is left.
func (s *session) patient(wait time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waited+wait > s.options.Patience {
		return false
	}
	s.waited += wait
	return true
}

const (
	largePage     = 8 << 20 // bytes from which an answer is too large to be safe (P12)
	jsonMediaType = "application/json"
)

func (s *session) judgeHeader(e *exchange) {
	contentType := e.answerHeader.Get("Content-Type")
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	switch charset := parameters["charset"]; {
	case contentType == "":
		s.found("content-type", e, "the answer has no Content-Type")
	case err != nil || mediaType != jsonMediaType:
		s.found("content-type", e, "the Content-Type is %q", contentType)
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		s.found("content-type", e, "the charset is %q; JSON is UTF-8", charset)
	}
	if len(e.answer) > largePage {
		s.found("page-size", e, "the page is %s large", size(int64(len(e.answer))))
	}
}

// plain returns the answer's body as JSON text, decompressed where the bridge was allowed to compress it.
func (s *session) plain(e *exchange, asked bool) ([]byte, bool) {
	switch encoding := e.answerHeader.Get("Content-Encoding"); {
	case encoding == "" || encoding == "identity":
		return e.answer, true
	case !asked || encoding != "gzip":
		s.found("gzip", e, "the answer has Content-Encoding: %s, which the request did not offer", encoding)
		if encoding != "gzip" {
			return nil, false
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(e.answer))
	if err == nil {
		var body []byte
		if body, err = io.ReadAll(io.LimitReader(z, s.options.BodyLimit)); err == nil {
			return body, true
		}
	}
	s.found("gzip", e, "the answer says Content-Encoding: gzip and is not: %v", err)
	return e.answer, json.Valid(e.answer)
}
