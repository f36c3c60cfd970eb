package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/stamp"
)

var _ source.Verifier = (*Source)(nil)

// A prover asks a service what the language says of it. What it sends are the requests of the language, with other values.
type prover struct {
	ctx     context.Context
	client  *client
	f       *factory
	l       *Language
	walk    *walk // of an initial run: how the engine asks for a time
	records int   // the most to read of a request
	yield   func(source.Check) bool
	stopped bool

	sent      *traffic
	throttled error // the service took no more requests for so long that nothing else was asked
	began     int64 // the service's clock, as package stamp has it
	main      *sample
	list      *sample // nil without a list
	gone      *sample // nil without a request for deletions
}

// traffic counts what passes a transport.
type traffic struct {
	transport       http.RoundTripper
	requests, many  atomic.Int64 // all requests; those that were answered 429
	headers         map[string]bool
	headersOfClient []string
}

// RoundTrip implements [http.RoundTripper].
func (t *traffic) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.transport.RoundTrip(r)
	t.requests.Add(1)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusTooManyRequests {
		t.many.Add(1)
	}
	for _, name := range t.headersOfClient {
		if response.Header.Get(name) != "" {
			t.headers[name] = true
		}
	}
	return response, nil
}

// Verify implements [source.Verifier].
func (s *Source) Verify(ctx context.Context, records int) iter.Seq[source.Check] {
	return func(yield func(source.Check) bool) {
		p := s.newProver(ctx, records, yield)
		for _, check := range []func(){
			p.credentials, p.wrongKey, p.sample, p.sampleDeletions, p.farFuture, p.bounds, p.orders, p.sizes, p.nextPages, p.byIDs, p.ties, p.times, p.deletions, p.tokens,
			p.fields, p.values, p.merged, p.agents, p.limits,
		} {
			if p.stopped || ctx.Err() != nil {
				return
			}
			check()
			if p.throttled != nil {
				p.open("limits", "the service takes as many requests as declared", []string{"throttle"}, "the requests of these checks", said(p.throttled),
					"Everything that comes after this was not checked. Try again later, or set throttle to less.")
				return
			}
		}
	}
}

// newProver makes a prover whose requests count against the same limits as all others of this credential.
func (s *Source) newProver(ctx context.Context, records int, yield func(source.Check) bool) *prover {
	c := s.client
	sent := &traffic{transport: s.factory.deps.Transport, headers: map[string]bool{}}
	for _, name := range []string{s.factory.language.Throttle.Left, s.factory.language.Throttle.Reset} {
		if name != "" {
			sent.headersOfClient = append(sent.headersOfClient, name)
		}
	}
	own := &client{
		factory: c.factory, values: c.values, base: c.base, zone: c.zone, readZone: c.readZone, bucket: c.bucket, auth: c.auth, settings: c.settings,
		http: &http.Client{Transport: sent, CheckRedirect: c.http.CheckRedirect},
	}
	return &prover{
		ctx: ctx, client: own, f: s.factory, l: s.factory.language, records: max(records, 10), yield: yield, sent: sent,
		walk: &walk{ctx: ctx, client: own, f: s.factory, l: s.factory.language},
	}
}

// say yields a check.
func (p *prover) say(verdict source.Verdict, name, title string, keys []string, asked, came, means string) {
	if p.stopped {
		return
	}
	p.stopped = !p.yield(source.Check{Name: name, Title: title, Keys: keys, Verdict: verdict, Asked: asked, Came: came, Means: means})
}

func (p *prover) passed(name, title string, keys []string, asked, came, means string) {
	p.say(source.Passed, name, title, keys, asked, came, means)
}

func (p *prover) failed(name, title string, keys []string, asked, came, means string) {
	p.say(source.Failed, name, title, keys, asked, came, means)
}

// open yields a check that could not be judged.
func (p *prover) open(name, title string, keys []string, asked, came, means string) {
	p.say(source.NotJudged, name, title, keys, asked, came, means)
}

// broke yields what an error means for a check: one that passes by itself proves nothing.
func (p *prover) broke(name, title string, keys []string, asked string, err error) {
	if isPassing(err) {
		p.open(name, title, keys, asked, said(err), "The service did not answer. Try again later.")
		return
	}
	means := failure.Of(err).Hint
	p.failed(name, title, keys, asked, said(err), cmp.Or(means, "Compare the request with the API's documentation."))
}

// isPassing reports whether an error says nothing about the configuration.
func isPassing(err error) bool {
	switch bridge.CodeOf(err) {
	case bridge.CodeRateLimited, bridge.CodeSourceUnavailable, bridge.CodeSourceTimeout:
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// said returns what an error says, without its hint.
func said(err error) string {
	if known := failure.Of(err); known.Message != "" {
		return known.Message
	}
	return err.Error()
}

// mostPatience is how long all of the checks wait for a service that takes no more requests for now.
const mostPatience = 5 * time.Minute

// patiently asks again while the service takes no more requests for now.
func (p *prover) patiently(ask func() error) error {
	for waited := time.Duration(0); ; {
		err := ask()
		if bridge.CodeOf(err) != bridge.CodeRateLimited {
			return err
		}
		wait := max(bridge.RetryAfter(err), time.Second)
		if waited += wait; waited > mostPatience {
			p.throttled = err
			return err
		}
		select {
		case <-time.After(wait):
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
}

// get asks for one page of so many records.
func (p *prover) get(name string, values scope, size int, link string) (made *page, a *answer, err error) {
	purpose := p.f.asks(name)
	reading := *purpose.reading
	if reading.Page.Size > 0 {
		reading.Page.Size = size
	}
	purpose.reading = &reading
	filled := scope{
		"since": "", "from": "", "before": "", "after_id": "", "direction": "", "cursor": "", "token": "", "page": int64(reading.firstPage()), "offset": int64(0),
	}.with(values).with(scope{"limit": int64(size), "columns": p.l.paths()})
	err = p.patiently(func() error {
		if a, err = p.client.ask(p.ctx, call{request: &reading.Request, values: filled, address: link}); err == nil {
			made, err = p.client.read(a, purpose)
		}
		return err
	})
	return made, a, err
}

// A sample is what was read of a request.
type sample struct {
	name    string
	reading *Reading
	size    int // of its pages
	pages   []*page
	answers []*answer
	items   []item
	raw     [][]byte // the records, as JSON
	seen    map[string]bool
	whole   bool // there are no more
	err     error
}

// mostPages is how many pages of one request are read: a service may say for ever that there are more.
const mostPages = 1000

// uses reports whether a name stands in a request.
func (r *Request) uses(name string) bool {
	found := slices.Contains(r.Path.names(), name)
	for _, texts := range []map[string]Text{r.Query, r.Headers} {
		for _, t := range texts {
			found = found || slices.Contains(t.names(), name)
		}
	}
	r.Body.root.texts(func(t Text) { found = found || slices.Contains(t.names(), name) })
	return found
}

// read reads the pages of a request, as the engine goes on from one to the next, until there are so many records.
func (p *prover) read(name string, values scope, size, records int) *sample {
	r := p.l.readings()[name]
	s := &sample{name: name, reading: r, size: size, seen: map[string]bool{}}
	at := place{page: r.firstPage()}
	values = values.with(nil)
	link, _ := values["link"].(string)
	for {
		got, a, err := p.get(name, values, size, link)
		if err != nil {
			s.err = err
			return s
		}
		fresh := s.add(got, a)
		if !got.more {
			s.whole = true
			return s
		}
		if len(s.pages) > mostPages {
			s.err = &bridge.Error{
				Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("%s goes on after %d pages with %s", name, len(s.pages), s.count()),
				Hint: "The service does not come to an end. Check " + name + ".page, and how its answers say that there are more.",
			}
			return s
		}
		if len(s.items) >= records || fresh == 0 && got.count > 0 && r.Page.By != "keyset" {
			return s
		}
		switch r.Page.By {
		case "keyset":
			if !p.turnKeyset(r, values, got) && !p.skipTime(r, values, got) {
				return s
			}
		default:
			small := *r
			small.Page.Size = size
			if err := p.walk.turn(&at, got, &small); err != nil {
				s.err = err
				return s
			}
			values["page"], values["offset"], values["cursor"] = int64(at.page), int64(at.page), at.cursor
			if r.Page.By == "link" {
				link = at.cursor
			}
		}
	}
}

// turnKeyset makes the values of the next page: from the last record on. It reports whether that is another page.
func (p *prover) turnKeyset(r *Reading, values scope, got *page) bool {
	if len(got.items) == 0 {
		return false
	}
	last := got.items[len(got.items)-1]
	if r.Order == orderID {
		values["after_id"] = last.id
		return last.id != ""
	}
	newest := int64(0)
	for _, i := range got.items {
		if !i.noTime {
			newest = max(newest, i.stamp)
		}
	}
	next := p.walk.bound(r, newest)
	before, _ := values["since"].(moment)
	return advance(values, before, next)
}

// advance sets the time from which on is asked, and reports whether it is later than before.
func advance(values scope, before, next moment) bool {
	if !next.After(before.Time) {
		return false
	}
	values["since"] = next
	return true
}

// skipTime goes on after a page whose records all have the time that was asked for, with the next time that there can be.
func (p *prover) skipTime(r *Reading, values scope, got *page) bool {
	if len(got.items) == 0 {
		return false
	}
	last := got.items[len(got.items)-1]
	before, ok := values["since"].(moment)
	if r.Order != orderUpdated || !ok || last.noTime {
		return false
	}
	_, after := p.walk.unit(last.stamp)
	return advance(values, before, p.walk.moment(after))
}

// add adds a page, and returns how many of its records are new.
func (s *sample) add(got *page, a *answer) (fresh int) {
	s.pages, s.answers = append(s.pages, got), append(s.answers, a)
	raw, _, _ := split(a.body, s.reading.Records, math.MaxInt)
	for n, i := range got.items {
		if i.id != "" && s.seen[i.id] {
			continue
		}
		s.seen[i.id] = true
		fresh++
		s.items = append(s.items, i)
		if n < len(raw) {
			s.raw = append(s.raw, raw[n])
		}
	}
	return fresh
}

// ids returns the ids of the records of a sample that a test takes, in their order.
func (s *sample) ids(test func(item) bool) (ids []string) {
	for _, i := range s.items {
		if i.id != "" && test(i) {
			ids = append(ids, i.id)
		}
	}
	return ids
}

// stamps returns the different times of the records, in order.
func (s *sample) stamps() (stamps []int64) {
	for _, i := range s.items {
		if !i.noTime {
			stamps = append(stamps, i.stamp)
		}
	}
	slices.Sort(stamps)
	return slices.Compact(stamps)
}

// count says how many records there are.
func (s *sample) count() string {
	if s == nil {
		return "nothing"
	}
	text := records(len(s.items))
	if !s.whole {
		text = "the first " + text
	}
	return text
}

func records(n int) string {
	switch n {
	case 0:
		return "no record"
	case 1:
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

// readable writes a stamp for people.
func readable(at int64) string { return keyset.Instant.FormatStamp(keyset.IntValue(at)) }

// someOf lists a few ids.
func someOf(ids []string) string {
	const most = 3
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return strings.Join(ids, ", ")
}

// missing returns what is in a list and not in another one.
func missing(from, in []string) (left []string) {
	known := make(map[string]bool, len(in))
	for _, id := range in {
		known[id] = true
	}
	for _, id := range from {
		if !known[id] {
			left = append(left, id)
		}
	}
	return left
}

// method says how a request is sent.
func (r *Request) method() string {
	if r.Method == "" && !r.Body.IsZero() {
		return http.MethodPost
	}
	return cmp.Or(r.Method, http.MethodGet)
}

// says names a request for people, without the values in it.
func says(name string, r *Request) string {
	return name + " (" + r.method() + " " + r.Path.written + ")"
}

// credentials checks the request that verifies credentials, and what its answer says.
func (p *prover) credentials() {
	const name, title = "credentials", "the credentials are good, and the answer names the account and the time"
	keys, asked := []string{"verify", "auth"}, says("verify", &p.l.Verify)
	if p.l.Tenant != "" {
		keys = append(keys, "tenant")
	}
	var a *answer
	err := p.patiently(func() (err error) {
		a, err = p.client.verify(p.ctx)
		return err
	})
	now := p.f.deps.Clock.Now()
	p.began = stamp.Microseconds(now)
	if err != nil {
		p.broke(name, title, keys, asked, err)
		return
	}
	if p.l.Tenant != "" && a.text(p.l.Tenant) == "" {
		p.failed(name, title, keys, asked, fmt.Sprintf("%d, without a value at %s", a.status, p.l.Tenant), "Checkpoints cannot be told from those of another account. Correct tenant, or remove it.")
		return
	}
	if a.date(time.Time{}).IsZero() {
		p.failed(name, title, keys, asked, fmt.Sprintf("%d, without the header Date", a.status),
			"The safe horizon is taken from the clock of this machine instead: let it be exact, or raise updated.overlap by as much as it may be wrong.")
		return
	}
	at := a.date(now)
	p.began = stamp.Microseconds(at)
	came := fmt.Sprintf("%d, at %s by the service's clock", a.status, at.UTC().Format(time.RFC3339))
	p.passed(name, title, keys, asked, came, "Runs can begin.")
}

// A spoiled authenticator sends credentials that are wrong in their last characters.
type spoiled struct{ right authenticator }

func (s spoiled) sign(ctx context.Context, r *http.Request) (string, error) {
	before, query := r.Header.Clone(), r.URL.Query()
	token, err := s.right.sign(ctx, r)
	if err != nil {
		return "", err
	}
	for name, values := range r.Header {
		if slices.Equal(values, before[name]) {
			continue
		}
		if user, password, ok := r.BasicAuth(); ok && name == "Authorization" {
			r.SetBasicAuth(spoil(user), spoil(password))
			continue
		}
		r.Header[name] = []string{spoil(values[0])}
	}
	signed := r.URL.Query()
	for name, values := range signed {
		if !slices.Equal(values, query[name]) {
			signed[name] = []string{spoil(values[0])}
		}
	}
	if len(signed) > 0 {
		r.URL.RawQuery = signed.Encode()
	}
	return token, nil
}

func (s spoiled) renew(string) bool { return false }

// spoil changes the last letters and digits of a credential; its form stays.
func spoil(text string) string { return spoilLast(text, 8) }

// spoilLast changes so many letters and digits at the end of a text.
func spoilLast(text string, most int) string {
	runes, changed := []rune(text), 0
	for i := len(runes) - 1; i >= 0 && changed < most; i-- {
		switch c := runes[i]; {
		case c >= 'a' && c <= 'z':
			runes[i] = 'a' + (c-'a'+1)%26
		case c >= 'A' && c <= 'Z':
			runes[i] = 'A' + (c-'A'+1)%26
		case c >= '0' && c <= '9':
			runes[i] = '0' + (c-'0'+1)%10
		default:
			continue
		}
		changed++
	}
	return string(runes)
}

// wrongKey sends wrong credentials: they must be refused, and the answer understood.
func (p *prover) wrongKey() {
	const name, title = "wrong_key", "wrong credentials are refused, and the refusal is understood"
	keys := []string{"auth", "errors"}
	if _, isFixed := p.client.auth.(fixed); isFixed && p.client.auth.(fixed).way.By == "none" {
		return // there is none that could be wrong
	}
	values := p.client.values.with(nil)
	for _, field := range p.l.Connection {
		if text, ok := values[field.Name].(string); ok && field.Secret {
			values[field.Name] = spoil(text)
		}
	}
	for field, value := range p.client.values {
		if text, ok := value.(string); ok && strings.HasPrefix(field, "auth.") {
			values[field] = spoil(text)
		}
	}
	wrong := &client{
		factory: p.f, values: values, base: p.client.base, zone: p.client.zone, bucket: p.client.bucket, auth: spoiled{p.client.auth}, settings: p.client.settings, http: p.client.http,
	}
	_, renews := p.client.auth.(*tokens)
	request, values := &p.l.Changes.Request, scope{"since": p.walk.bound(&p.l.Changes, beginning)}
	what := "changes"
	if !p.l.List.IsZero() {
		request, values, what = &p.l.List.Request, scope{}, "list"
	}
	fill := scope{"limit": int64(1), "page": int64(1), "offset": int64(0), "cursor": "", "token": "", "after_id": "", "direction": "", "columns": p.l.paths(), "since": ""}
	for _, one := range []struct {
		what    string
		request *Request
		values  scope
	}{{"verify", &p.l.Verify, scope{}}, {what, request, values}} {
		asked := says(one.what, one.request) + ", with the last characters of the credentials changed"
		var a *answer
		err := p.patiently(func() (err error) {
			a, err = wrong.send(p.ctx, call{request: one.request, values: fill.with(one.values)})
			if err == nil && p.l.react(a).Then == reactThrottled {
				return throttled(a, p.l.react(a), p.client.waitOf(a, p.l.react(a)))
			}
			return err
		})
		if err != nil {
			p.broke(name, title, keys, asked, err)
			return
		}
		reaction := p.l.react(a).Then
		came := fmt.Sprintf("%d, which is understood as %s", a.status, cmp.Or(reaction, "an answer with records"))
		switch {
		case reaction == "" || reaction == reactEmpty:
			p.failed(name, title, keys, asked, came, "Anyone is let in, or the credentials are not where the service looks for them. Check auth, and that this request needs credentials.")
			return
		case reaction == reactExpired || reaction == reactUnauthorized && !renews:
		default:
			p.failed(name, title, keys, asked, came, "A credential that was revoked would be told as something else, and an access token that has expired would not be fetched again. "+
				"Add to errors:  {status: ["+fmt.Sprint(a.status)+"], then: expired}  with what else tells such answers apart (path, is, contains).")
			return
		}
		if one.what == what {
			p.passed(name, title, keys, asked, came, "Callers with wrong credentials get nothing, and are told so.")
		}
	}
}

// sample reads what the checks look at.
func (p *prover) sample() {
	const name, title = "records", "the records can be read"
	if !p.l.List.IsZero() {
		p.list = p.read("list", scope{}, p.l.List.Page.Size, p.records)
		p.sampled(p.list, name, title)
	}
	if p.l.Changes.uses("since") {
		p.main = p.read("changes", scope{"since": p.walk.bound(&p.l.Changes, beginning)}, p.l.Changes.Page.Size, p.records)
		p.sampled(p.main, name, title)
		return
	}
	if p.main = p.list; p.main == nil {
		p.main = p.read("changes", scope{}, p.l.Changes.Page.Size, p.records)
		p.sampled(p.main, name, title)
	}
}

// sampleDeletions reads what was deleted lately.
func (p *prover) sampleDeletions() {
	if p.l.Deletions.By == "request" {
		p.gone = p.read("deletions", scope{"since": p.goneSince()}, p.l.Deletions.Page.Size, p.records)
	}
}

// sampled says what was read of a request.
func (p *prover) sampled(s *sample, name, title string) {
	keys := []string{s.name + ".path", s.name + ".records", "id"}
	asked := says(s.name, &s.reading.Request)
	without := 0
	for _, i := range s.items {
		if i.id == "" {
			without++
		}
	}
	switch {
	case s.err != nil:
		p.broke(name, title, keys, asked, s.err)
	case len(s.items) == 0:
		p.open(name, title, keys, asked, "no record", "The service has no contact, or the credentials may see none. Add some, and check again: hardly anything can be proved without.")
	case without > 0:
		p.failed(name, title, keys, asked, fmt.Sprintf("%s, of which %d have no id", s.count(), without), "Correct id: a contact without an id is not sent.")
	default:
		p.passed(name, title, keys, asked, s.count(), "These are what the other checks look at.")
	}
}

// samples returns what was read of the requests for contacts, where it is enough to look at.
func (p *prover) samples() (list []*sample) {
	for _, s := range []*sample{p.list, p.main} {
		if s != nil && len(s.items) > 0 && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
