package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/jsonrecord"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
)

// A page is one answer's records. It does not change after it was read.
type page struct {
	items []item
	count int    // of the records that the answer had
	more  bool   // there may be another page
	next  string // its cursor or link
	token string // the service's token, of the last page
}

// An item is a record of an answer.
type item struct {
	values [][]byte
	id     string
	stamp  int64
	made   int64  // when it was created, where a purpose says where that stands; 0 if it is not known
	fault  string // why it is no contact; empty for one that can be read
	noTime bool   // it has no stamp
}

// A purpose says which of a record's values count.
type purpose struct {
	name      string // of the request
	reading   *Reading
	id, stamp *record.Expression
	created   *record.Expression // nil where it does not matter
	as        string
	fresh     bool // asked anew, whatever is known
}

// asks returns what is asked for with one of the language's requests.
func (f *factory) asks(name string) purpose {
	l, m := f.language, f.mapping
	p := purpose{name: name, reading: l.readings()[name], id: m.id, stamp: m.updated, as: l.Updated.As}
	if name == "deletions" {
		p.id, p.stamp = m.gone, m.at
		if l.Deletions.As != "" {
			p.as = l.Deletions.As
		}
	}
	if name == "by_id" {
		p.created = m.created
	}
	return p
}

// fetch asks for one page. link is the address that the last page gave for it; empty without one.
func (c *client) fetch(ctx context.Context, run string, p purpose, values scope, link string) (*page, error) {
	values["limit"] = int64(p.reading.Page.Size)
	values["columns"] = c.factory.language.paths()
	one := call{request: &p.reading.Request, values: values, address: link}
	key, err := c.keyOf(ctx, run, p.name, one)
	if err != nil {
		return nil, err
	}
	if known := c.pages.get(key, c.factory.deps.Clock.Now()); known != nil && !p.fresh {
		return known, nil
	}
	a, err := c.ask(ctx, one)
	if err != nil {
		return nil, err
	}
	made, err := c.read(a, p)
	if err != nil {
		return nil, err
	}
	if p.fresh {
		return made, nil
	}
	c.pages.put(key, made, c.factory.deps.Clock.Now())
	return made, nil
}

// keyOf returns what an answer is kept by: the run, what the answer is read for, and the request as it is sent. What differs without
// being sent must not tell answers apart: a run that goes on in a page would find, for two places of it, two versions of it.
func (c *client) keyOf(ctx context.Context, run, name string, one call) (source.Digest, error) {
	request, err := c.newRequest(ctx, one)
	if err != nil {
		return source.Digest{}, err
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return source.Digest{}, fmt.Errorf("make a request: %w", err)
	}
	texts := []string{run, name, request.Method, request.URL.String(), string(body)}
	for _, header := range slices.Sorted(maps.Keys(request.Header)) {
		texts = append(texts, header, request.Header.Get(header))
	}
	return source.DigestOf(texts...), nil
}

// read makes a page of an answer.
func (c *client) read(a *answer, p purpose) (*page, error) {
	made := &page{}
	if a.empty {
		return made, nil
	}
	elements, err := c.records(a, p.reading)
	if err != nil {
		return nil, err
	}
	made.count = len(elements)
	made.items = c.items(elements, p)
	r := p.reading
	switch r.Page.By {
	case "cursor", "link":
		made.next = a.text(r.Page.Next)
		made.more = made.next != ""
	case "keyset", "number", "offset":
		made.more = made.count >= r.Page.Size || r.Page.ToEmpty && made.count > 0
	}
	if r.Page.More != "" {
		more := a.text(r.Page.More)
		made.more = source.IsGone(more) // any text that does not say no
	}
	if r.Done != "" && a.text(r.Done) == "true" {
		made.more = false
	}
	if r.Token != "" {
		made.token = a.text(r.Token)
		if r.Done == "" {
			made.more = made.token == "" && made.more
		}
	}
	return made, nil
}

// records returns the records of an answer.
func (c *client) records(a *answer, r *Reading) ([][]byte, error) {
	most := c.mostRecords(len(a.body))
	elements, found, isList := split(a.body, r.Records, most)
	if len(elements) > most {
		return nil, &bridge.Error{
			Code: bridge.CodeSourceBroken, Status: a.status, Message: fmt.Sprintf("the answer of %s holds more than %d records for its %d bytes", c.factory.title(), most, len(a.body)),
			Hint: "They take too much memory. Set page.size to less, or look at what the service answers.",
		}
	}
	if isList || !found && r.MayMiss && isObject(a.body) {
		return elements, nil
	}
	e := &bridge.Error{
		Code: bridge.CodeSourceBroken, Status: a.status, Message: fmt.Sprintf("the answer of %s has no list of records at %s", c.factory.title(), r.Records),
		Hint: "The API may have changed, or the address is not the API's. Compare the answer with the API's documentation.",
	}
	a.explain(e)
	return nil, e
}

// The memory that the records of one answer may take, as that of a bridge's page is bounded (D11).
const (
	freeMemory = 16 << 20 // however small the answer is
	mostMemory = bridge.DefaultBudget
)

// mostRecords returns how many records an answer of so many bytes may have: very many tiny ones take far more memory than their text.
func (c *client) mostRecords(bytes int) int {
	const slice = int(unsafe.Sizeof([]byte(nil)))
	each := int(unsafe.Sizeof(item{})) + slice*(1+len(c.factory.columns.Names()))
	return min(max(freeMemory, bridge.MemoryFactor*bytes), mostMemory) / each
}

// explain says of an answer that is a page for people that it is one.
func (a *answer) explain(e *bridge.Error) {
	if format, known := source.FormatOf(a.body[:min(len(a.body), source.FormatBytes)], nil); known && len(a.body) > 0 && a.body[0] == '<' {
		e.Message = "the answer is " + format.Name + ", not JSON"
		e.Hint = "Check the address: it is not that of the API."
	}
}

// isObject reports whether a text is a JSON object.
func isObject(text []byte) bool {
	raw, ok := find(text, whole)
	return ok && len(raw) > 0 && raw[0] == '{'
}

// items makes items of records. One that cannot be read has a fault, and costs no other.
func (c *client) items(elements [][]byte, p purpose) []item {
	reader := jsonrecord.NewKeeper(c.factory.columns)
	var row record.Row
	items := make([]item, len(elements))
	for i, element := range elements {
		c.item(&items[i], reader, &row, element, p)
	}
	return items
}

func (c *client) item(to *item, reader *jsonrecord.Reader, row *record.Row, element []byte, p purpose) {
	var rec file.Record
	reader.Read(element, &rec)
	if rec.Fault != nil {
		to.fault, to.noTime = rec.Reason, true
		return
	}
	to.values = rec.Values
	id, err := p.id.Text(row, rec.Values)
	if err != nil {
		to.fault, to.noTime = err.Error(), true
		return
	}
	to.id = id
	if p.created != nil {
		if written, err := p.created.Text(row, rec.Values); err == nil {
			to.made, _ = parseStamp(written, c.factory.language.Updated.As, c.zone) // 0 if it is no time
		}
	}
	if p.stamp == nil {
		to.noTime = true
		return
	}
	written, err := p.stamp.Text(row, rec.Values)
	if err == nil {
		to.stamp, err = parseStamp(written, p.as, c.readZone)
	}
	if err != nil {
		to.noTime = true
		if !errors.Is(err, errNoStamp) {
			to.fault = err.Error()
		}
	}
}

// A pageCache keeps the last pages for a short while. The bridge asks for one contact more than its page takes, so that its next page
// often begins within an answer that was read already. Only the same run finds it: what it holds is newer than the run's begin.
type pageCache struct {
	lock  sync.Mutex
	pages []cachedPage
}

type cachedPage struct {
	key   source.Digest
	page  *page
	at    time.Time
	run   string // of a page by (updated, id): the run that it belongs to
	since int64  // and from which stamp on it has every record
}

// covering returns a page of a run that has every record from a stamp on, up to its end; nil if there is none.
func (c *pageCache) covering(run string, since int64, now time.Time) *page {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, p := range slices.Backward(c.pages) {
		if p.run == run && p.since <= since && now.Sub(p.at) < cachedTime && !now.Before(p.at) {
			return p.page
		}
	}
	return nil
}

// cover notes from which stamp on a page has every record.
func (c *pageCache) cover(run string, since int64, of *page) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for i := range c.pages {
		if c.pages[i].page == of {
			c.pages[i].run, c.pages[i].since = run, since
		}
	}
}

const (
	cachedPages = 2
	cachedTime  = 20 * time.Second
)

func (c *pageCache) get(key source.Digest, now time.Time) *page {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, p := range c.pages {
		if p.key == key && now.Sub(p.at) < cachedTime && !now.Before(p.at) {
			return p.page
		}
	}
	return nil
}

func (c *pageCache) put(key source.Digest, p *page, now time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.pages) >= cachedPages {
		c.pages = append(c.pages[:0], c.pages[1:]...)
	}
	c.pages = append(c.pages, cachedPage{key: key, page: p, at: now})
}

func (c *pageCache) clear() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.pages = nil
}
