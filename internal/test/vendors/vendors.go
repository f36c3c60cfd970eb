// Package vendors simulates the APIs of vendors whose services cannot run here: one file for each vendor, made after its
// documentation. A simulator is strict: what the vendor's documentation does not allow (an unknown parameter, a missing header, a date
// in another form, too large a page) is refused with the vendor's own status and body. It has the vendor's quirks: caps, order of
// ties, granularity of filters, cursors and tokens that expire, limits with the vendor's own headers or without any, and the
// vendor's own way to show deleted and merged records. A test can make any simulator throttle, fail, forget its tokens, or show
// changes late.
//
// One simulator is one tenant. A [Cloud] holds several, and carries requests to them by host and credential.
package vendors

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Simulator is one tenant of one vendor.
type Simulator interface {
	http.Handler
	// Common returns what every simulator has: its clock, its limits, its faults, and what it counted.
	Common() *Base
	// Host reports whether requests to a host are the vendor's.
	Host(host string) bool
	// Knows reports whether a request has a credential of this tenant.
	Knows(r *http.Request) bool
}

// A vendor is what a simulator gives to [Base.serve].
type vendor interface {
	Knows(r *http.Request) bool
	// open reports whether a request needs no credential: that of a token.
	open(r *http.Request) bool
	// answer answers a request that is neither refused nor throttled. It returns a *refusal if the request is wrong.
	answer(w http.ResponseWriter, r *http.Request) error
	// refuse writes an error in the vendor's own form.
	refuse(w http.ResponseWriter, why *refusal)
}

// A reason is why a request is refused.
type reason int

const (
	invalid      reason = iota // the request is wrong
	unauthorized               // a wrong or expired credential
	forbidden                  // a right credential that may not do this
	notFound                   // no such path or record
	throttled                  // too many requests
	broken                     // the vendor itself fails
)

// A refusal is an error of the vendor.
type refusal struct {
	reason  reason
	status  int    // 0 means the usual one of the reason
	code    string // the vendor's code, where a simulator has one for this case
	message string
	wait    time.Duration // until a throttled request may come again
	limit   string        // the name of the limit that was reached
	cost    float64       // points that a throttled query would have cost
}

// Error implements error.
func (f *refusal) Error() string { return f.message }

// statusOf returns the refusal's status; statuses has the vendor's own where it differs from the usual.
func (f *refusal) statusOf() int {
	if f.status != 0 {
		return f.status
	}
	return [...]int{
		invalid: http.StatusBadRequest, unauthorized: http.StatusUnauthorized, forbidden: http.StatusForbidden, notFound: http.StatusNotFound,
		throttled: http.StatusTooManyRequests, broken: http.StatusInternalServerError,
	}[f.reason]
}

// invalidf returns the refusal of a wrong request.
func invalidf(code, format string, args ...any) *refusal {
	return &refusal{reason: invalid, code: code, message: fmt.Sprintf(format, args...)}
}

// noSuchPath returns the refusal of a request that the vendor has no answer for.
func noSuchPath(r *http.Request) *refusal {
	return &refusal{reason: notFound, message: r.Method + " " + r.URL.Path + " does not exist"}
}

// A Limit is one limit of a vendor: at most so many requests in any window of time.
type Limit struct {
	Name     string
	Requests int
	Window   time.Duration
	// Applies says which requests count; nil means all.
	Applies func(r *http.Request) bool

	taken []time.Time // the requests of the last window
}

// Traffic is what a simulator counted.
type Traffic struct {
	Requests     int            // every request
	Throttled    int            // those that were refused for a limit or a fault
	Unauthorized int            // those without a right credential
	Refused      int            // those that were wrong in any other way
	ByPath       map[string]int // requests by method and path
}

// A Base holds what every simulator has.
type Base struct {
	// Now is the simulator's clock: it stamps changes, and is the Date of every answer.
	Now func() time.Time
	// Lenient makes the simulator ignore unknown parameters instead of refusing them, as some vendors do.
	Lenient bool

	lock    sync.Mutex
	limits  []*Limit
	traffic Traffic
	faults  faults
	seen    func(r *http.Request) // called before every answer
	users   []User
}

// faults are what a test has ordered.
type faults struct {
	throttle, fail       int // the next so many requests
	failAfter, expireIn  int // after so many requests that are answered; -1 means never
	status               int // of a failed request
	expired, unreachable bool
	forbidden            string
	renamed              map[string]string
}

// newBase returns a Base with a clock; nil means [time.Now].
func newBase(now func() time.Time, limits ...*Limit) *Base {
	if now == nil {
		now = time.Now
	}
	return &Base{Now: now, limits: limits, faults: faults{failAfter: -1, expireIn: -1, renamed: map[string]string{}}}
}

// Common implements [Simulator].
func (b *Base) Common() *Base { return b }

// SetLimits replaces the vendor's limits; none means that there is no limit.
func (b *Base) SetLimits(limits ...*Limit) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.limits = limits
}

// Throttle makes the vendor throttle the next n requests.
func (b *Base) Throttle(n int) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.faults.throttle = n
}

// Fail makes the vendor answer n requests with an error of its own after it has answered others.
func (b *Base) Fail(after, n, status int) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.faults.failAfter, b.faults.fail, b.faults.status = after, n, status
}

// Expire makes every credential that was given out or is known so far wrong after n more requests. [Base.Renew] ends it.
func (b *Base) Expire(n int) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.faults.expireIn = n
}

// Renew makes the tenant's credentials right again.
func (b *Base) Renew() {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.faults.expireIn, b.faults.expired = -1, false
}

// Forbid makes the tenant's credentials right, but without a scope that contacts need. An empty name gives it back.
func (b *Base) Forbid(scope string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.faults.forbidden = scope
}

// Rename changes the vendor's API: a field has another name from now on, in requests and answers.
func (b *Base) Rename(field, name string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.faults.renamed[field] = name
}

// Disconnect makes the vendor unreachable through a [Cloud], or reachable again.
func (b *Base) Disconnect(down bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.faults.unreachable = down
}

// Watch calls a function before every answer, without a lock: a test changes records there, while pages are read.
func (b *Base) Watch(f func(r *http.Request)) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.seen = f
}

// Traffic returns what the simulator counted so far.
func (b *Base) Traffic() Traffic {
	b.lock.Lock()
	defer b.lock.Unlock()
	t := b.traffic
	t.ByPath = map[string]int{}
	for path, n := range b.traffic.ByPath {
		t.ByPath[path] = n
	}
	return t
}

// isRenamed reports whether a field has another name now.
func (b *Base) isRenamed(field string) bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.faults.renamed[field] != ""
}

// rename gives the fields of a record their present names. The record is not changed.
func (b *Base) rename(fields map[string]any) map[string]any {
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.faults.renamed) == 0 {
		return fields
	}
	renamed := make(map[string]any, len(fields))
	for name, value := range fields {
		renamed[cmp.Or(b.faults.renamed[name], name)] = value
	}
	return renamed
}

// serve answers one request.
func (b *Base) serve(v vendor, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", b.Now().UTC().Format(http.TimeFormat))
	if seen := b.count(r); seen != nil {
		seen(r)
	}
	if why := b.check(v, r); why != nil {
		b.refused(why)
		v.refuse(w, why)
		return
	}
	answer := v.answer
	if list, ok := v.(userLister); ok {
		answer = func(w http.ResponseWriter, r *http.Request) error {
			if known, err := list.listUsers(w, r); known {
				return err
			}
			return v.answer(w, r)
		}
	}
	if err := answer(w, r); err != nil {
		why, ok := err.(*refusal) //nolint:errorlint // no simulator wraps it
		if !ok {
			why = &refusal{reason: invalid, message: err.Error()}
		}
		b.refused(why)
		v.refuse(w, why)
	}
}

func (b *Base) count(r *http.Request) (seen func(*http.Request)) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.traffic.Requests++
	if b.traffic.ByPath == nil {
		b.traffic.ByPath = map[string]int{}
	}
	b.traffic.ByPath[r.Method+" "+r.URL.Path]++
	return b.seen
}

func (b *Base) refused(why *refusal) {
	b.lock.Lock()
	defer b.lock.Unlock()
	switch why.reason {
	case throttled:
		b.traffic.Throttled++
	case unauthorized:
		b.traffic.Unauthorized++
	default:
		b.traffic.Refused++
	}
}

// check returns why a request gets no answer: faults, credentials, limits.
func (b *Base) check(v vendor, r *http.Request) *refusal {
	open := v.open(r)
	known := open || v.Knows(r)
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.faults.failAfter == 0 && b.faults.fail > 0 {
		b.faults.fail--
		return &refusal{reason: broken, status: b.faults.status, message: "Something went wrong on our side."}
	}
	if !open && b.faults.expireIn == 0 {
		b.faults.expired = true
	}
	if !known || !open && b.faults.expired {
		return &refusal{reason: unauthorized, message: "The credential is wrong or has expired."}
	}
	if !open && b.faults.forbidden != "" {
		return &refusal{reason: forbidden, code: b.faults.forbidden, message: "The credential lacks " + b.faults.forbidden + "."}
	}
	if b.faults.throttle > 0 {
		b.faults.throttle--
		return &refusal{reason: throttled, message: "Too many requests.", wait: time.Second, limit: "fault"}
	}
	if why := b.take(r); why != nil {
		return why
	}
	b.faults.failAfter = max(b.faults.failAfter-1, min(b.faults.failAfter, 0))
	if !open {
		b.faults.expireIn = max(b.faults.expireIn-1, min(b.faults.expireIn, 0))
	}
	return nil
}

// take counts a request against the limits.
func (b *Base) take(r *http.Request) *refusal {
	now := b.Now()
	for _, l := range b.limits {
		if l.Applies != nil && !l.Applies(r) {
			continue
		}
		since := now.Add(-l.Window)
		l.taken = slices.DeleteFunc(l.taken, func(t time.Time) bool { return !t.After(since) })
		if len(l.taken) >= l.Requests {
			return &refusal{reason: throttled, message: "Too many requests.", wait: l.taken[0].Add(l.Window).Sub(now), limit: l.Name}
		}
	}
	for _, l := range b.limits {
		if l.Applies == nil || l.Applies(r) {
			l.taken = append(l.taken, now)
		}
	}
	return nil
}

// remaining returns how many requests a limit leaves.
func (b *Base) remaining(name string) int {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, l := range b.limits {
		if l.Name == name {
			return l.Requests - len(l.taken)
		}
	}
	return 0
}

// window returns the window of a limit; ok is false if the vendor has no such limit.
func (b *Base) window(name string) (window time.Duration, ok bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, l := range b.limits {
		if l.Name == name {
			return l.Window, true
		}
	}
	return 0, false
}

// A Cloud carries requests to simulators, as a transport of HTTP: no connection is made.
type Cloud struct {
	lock       sync.RWMutex
	simulators []Simulator
}

// Add adds tenants.
func (c *Cloud) Add(simulators ...Simulator) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.simulators = append(c.simulators, simulators...)
}

// RoundTrip implements [http.RoundTripper]. A host that no simulator has cannot be reached.
func (c *Cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is not HTTPS", r.URL.Redacted())
	}
	to := c.find(r)
	if to == nil {
		return nil, fmt.Errorf("lookup %s: no such host", r.URL.Host)
	}
	served, err := received(r)
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	to.ServeHTTP(w, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// find returns the tenant that a request is for: the one that knows its credential, or any of the vendor.
func (c *Cloud) find(r *http.Request) Simulator {
	c.lock.RLock()
	defer c.lock.RUnlock()
	var found Simulator
	for _, s := range c.simulators {
		if !s.Host(r.URL.Hostname()) || s.Common().isDown() {
			continue
		}
		if s.Knows(r) {
			return s
		}
		if found == nil {
			found = s
		}
	}
	return found
}

func (b *Base) isDown() bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.faults.unreachable
}

// received returns a request as a server sees it.
func received(r *http.Request) (*http.Request, error) {
	served := r.Clone(r.Context())
	served.Host, served.RequestURI, served.RemoteAddr = cmp.Or(r.Host, r.URL.Host), r.URL.RequestURI(), "127.0.0.1:1"
	if r.Body == nil {
		served.Body = http.NoBody
		return served, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	served.Body = io.NopCloser(strings.NewReader(string(body)))
	return served, nil
}

// writeJSON answers with a body.
func writeJSON(w http.ResponseWriter, status int, body any) error {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(body)
}

// params reads the parameters of a request strictly: each at most once, and none that the vendor does not know.
type params struct {
	values url.Values
	used   map[string]bool
	err    *refusal
}

// read returns a request's parameters.
func read(r *http.Request) *params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &params{values: values, used: map[string]bool{}}
	if err != nil {
		p.err = invalidf("", "invalid query string: %v", err)
	}
	return p
}

// fail keeps the first thing that is wrong.
func (p *params) fail(code, format string, args ...any) {
	if p.err == nil {
		p.err = invalidf(code, format, args...)
	}
}

// has reports whether a parameter was sent.
func (p *params) has(name string) bool { return p.values.Has(name) }

// text returns a parameter, or a default.
func (p *params) text(name, otherwise string) string {
	p.used[name] = true
	sent := p.values[name]
	if len(sent) > 1 {
		p.fail("", "parameter %s is sent %d times", name, len(sent))
	}
	if len(sent) == 0 {
		return otherwise
	}
	return sent[0]
}

// number returns a whole number within bounds.
func (p *params) number(name string, otherwise, least, most int) int {
	text := p.text(name, "")
	if text == "" {
		if p.values.Has(name) {
			p.fail("", "parameter %s is empty", name)
		}
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		p.fail("", "parameter %s is %q, and must be a number from %d to %d", name, text, least, most)
		return otherwise
	}
	return n
}

// oneOf returns a parameter that has few values.
func (p *params) oneOf(name string, allowed ...string) string {
	text := p.text(name, "")
	if p.values.Has(name) && !slices.Contains(allowed, text) {
		p.fail("", "parameter %s is %q, and must be one of %s", name, text, strings.Join(allowed, ", "))
	}
	return text
}

// end returns what is wrong with the parameters. One that was not read is unknown.
func (p *params) end(lenient bool) error {
	for name := range p.values {
		if !p.used[name] && !lenient {
			p.fail("", "unknown parameter %s", name)
		}
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// body decodes a JSON body strictly into a struct.
func (b *Base) body(r *http.Request, into any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
		return &refusal{reason: invalid, status: http.StatusUnsupportedMediaType, message: "Content-Type must be application/json"}
	}
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if !b.Lenient {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return invalidf("", "invalid JSON input: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return invalidf("", "invalid JSON input: more than one value")
	}
	return nil
}
