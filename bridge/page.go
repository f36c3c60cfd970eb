package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
)

const (
	overflow      = 4 // how many times the limits a page may grow to where it cannot be cut
	maxLoggedIDs  = 5 // of contacts with a problem
	maxPooledPage = 8 << 20
)

// A page collects one answer. A goroutine of its own fills it (fill), because a source may hang and the answer may not:
// what ends the page, the source or the clock, takes it (settle), and from then on nothing is written into it any more.
type page struct {
	h       *Handler
	limits  Limits
	asked   request
	deleted OnDelete // what becomes of a deletion; empty: told as one (D7)

	start
	src Source

	mu       sync.Mutex
	text     *pageText // nil once released
	now, cut mark      // what is written, and how much of it the page may end with
	at       Position  // after the last change that a cut may follow
	again    bool      // the last change was one that may have come before
	due      bool      // the time is up: end with the next change that a cut may follow
	ended    Cut       // why the iteration was left; empty while it goes on
	settled  bool      // the page is taken
	complete bool
	repeated bool       // it was read ahead, and its source still repeats it
	outcome  error      // of a page that is settled
	failure  error      // what the source failed with, if something could be sent all the same
	token    Checkpoint // the page's
	unnamed  []string   // ids of some of the contacts that had no name
	reasons  []string   // why some of the records were rejected

	// Of the goroutine that fills the page.
	scratch contact.Contact
	phones  []string
	encoded Change
	stopped bool  // addEncoded has ended the reading
	refused error // what it ended it for, if that is an error
}

// A mark is a place in a page's text and what has been counted up to it.
type mark struct {
	contacts, deleted, rejected         int // lengths
	seen, sent, gone, leftOut, nameless int // changes, contacts sent, deletions, rejected records, contacts without a name
	noID                                int // of the rejected records: contacts without an id
	again                               int // changes that may have come before
}

// size returns how many bytes of records are written.
func (m mark) size() int { return m.contacts + m.deleted + m.rejected }

// A pageText keeps a page's memory for the next one.
type pageText struct {
	contacts []byte // the answer's body from its beginning
	deleted  []byte // the deleted ids, separated by commas
	rejected []byte // the rejected records, separated by commas
}

var pageTexts = sync.Pool{New: func() any { return new(pageText) }}

const bodyStart = `{"contacts":[`

func (h *Handler) newPage(q request) *page {
	p := &page{h: h, limits: h.Limits.withDefaults(), asked: q, text: pageTexts.Get().(*pageText)}
	p.text.contacts = append(p.text.contacts[:0], bodyStart...)
	p.text.deleted, p.text.rejected = p.text.deleted[:0], p.text.rejected[:0]
	p.now.contacts = len(bodyStart)
	p.cut = p.now
	if !q.supportsDeletion {
		p.deleted = SkipDeleted
		if h.OnDelete == BlankDeleted {
			p.deleted = BlankDeleted
		}
	}
	return p
}

// fillInTime has the page filled, and takes it when the source is done or the time is up.
func (p *page) fillInTime(x *exchange) error {
	ctx, cancel := context.WithDeadline(x.r.Context(), x.arrived.Add(p.limits.Hard))
	defer cancel() // the source stops here at the latest
	done := make(chan error, 1)
	go p.fill(ctx, done)

	soft := time.NewTimer(time.Until(x.arrived.Add(p.limits.Time)))
	defer soft.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-soft.C:
			if p.endBecauseOfTime() {
				return nil
			}
		case <-ctx.Done():
			if err := p.settle(ctx.Err()); err != nil {
				return err
			}
			return x.r.Context().Err() // the caller is gone
		}
	}
}

// fill opens the source, reads it into the page, says so, perhaps reads the next page ahead, and closes the source again, however long that takes.
func (p *page) fill(ctx context.Context, done chan<- error) {
	var src Source
	defer func() {
		if src != nil {
			p.h.close(src)
		}
	}()
	err := guarded(func() (err error) {
		if src, err = p.h.Open(ctx, p.asked.auth); err != nil {
			return err
		}
		return p.read(ctx, src)
	})
	err = p.settle(err)
	done <- err
	if err == nil {
		p.readAhead(src)
	}
}

// read finds out where the page starts, and fills it.
func (p *page) read(ctx context.Context, src Source) error {
	from, err := p.h.locate(ctx, src, p.asked)
	if err != nil {
		return err
	}
	p.begin(src, from)
	if p.takeAhead(ctx, src, from) {
		return nil
	}
	return p.readFrom(ctx, src, from)
}

// readFrom reads the source until the page is full or the run at its end.
func (p *page) readFrom(ctx context.Context, src Source, from start) error {
	after, most := from.after, p.limits.Contacts+1
	if s := p.readSecond(ctx, src, from); s != nil {
		defer s.close()
		if more, err := p.take(ctx, src, after, s.first); err != nil || !more || p.join(s) {
			return err
		}
		if p.cut != p.now {
			return brokenSource("the first half of a page ends where no page may end")
		}
		after, most = slices.Clone(p.at), most-p.now.seen
	}
	more, err := p.take(ctx, src, after, most)
	if more {
		p.end()
	}
	return err
}

// take takes the source's changes after a position in. more says that the source ended by itself, and that the page has room left.
func (p *page) take(ctx context.Context, src Source, after Position, most int) (more bool, err error) {
	for change, err := range p.changes(ctx, src, after, most) {
		if err != nil {
			return false, err
		}
		if more, err := p.add(&change); err != nil || !more {
			return false, err
		}
	}
	if p.stopped {
		return false, p.refused
	}
	return true, ctx.Err() // an iteration that was stopped may look like one that is at its end (T11)
}

// changes returns the source's changes after a position, encoded where the source does that.
func (p *page) changes(ctx context.Context, src Source, after Position, most int) iter.Seq2[Change, error] {
	encoder, ok := src.(Encoder)
	switch {
	case !ok:
	case p.h.Prepare == nil:
		return encoder.ReadEncoded(ctx, p.run, after, most, Encoding{Sent: func(*contact.Contact) bool { return true }, Take: p.addEncoded})
	case p.h.Leaves != nil:
		return encoder.ReadEncoded(ctx, p.run, after, most, Encoding{Sent: p.h.Leaves, Take: p.addEncoded})
	}
	return src.Read(ctx, p.run, after, most)
}

// begin notes where the page starts, unless it has been taken already.
func (p *page) begin(src Source, from start) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.settled {
		p.src, p.start = src, from
		p.at = append(p.at, from.after...)
	}
}

func (p *page) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.settled {
		p.ended = CutEnd
	}
}

// add takes one change in. It reports whether the page has room for more.
//
// The source is asked for one change more than the page takes: only so is it known whether the run ends with the page.
func (p *page) add(change *Change) (more bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settled {
		return false, nil
	}
	p.now.seen++
	second := change.Again && !p.again // what came before may come again: no page holds an id twice (P10)
	if p.again = change.Again; p.again {
		p.now.again++
	}
	if (second || p.now.seen > p.limits.Contacts) && p.cut.seen > 0 {
		p.ended = CutContacts
		return false, nil
	}
	p.write(change)
	tooLong := p.now.size() > p.limits.Bytes
	if tooLong && p.cut.seen > 0 {
		p.ended = CutBytes
		return false, nil
	}
	if len(change.Position) == 0 {
		return true, p.checkOverflow()
	}
	if bytes.Equal(change.Position, p.at) {
		return false, brokenSource("the source does not move on: it gave one position twice")
	}
	p.cut = p.now
	p.at = append(p.at[:0], change.Position...)
	switch {
	case p.due:
		p.ended = CutTime
	case tooLong:
		p.ended = CutBytes
	case p.now.seen > p.limits.Contacts:
		p.ended = CutContacts
	}
	return p.ended == "", nil
}

// addEncoded takes in a contact that the source has encoded. Like add it reports whether the page has room for more. It takes in most
// contacts quickly: those that neither end the page nor come where it cannot be cut.
func (p *page) addEncoded(json []byte, after Position) (more bool) {
	p.mu.Lock()
	if !p.settled && !p.due && len(after) > 0 && p.now.seen < p.limits.Contacts && p.now.size()+len(",")+len(json) <= p.limits.Bytes &&
		!bytes.Equal(after, p.at) {
		p.now.seen++
		p.again = false
		p.writeEncoded(json)
		p.cut = p.now
		p.at = append(p.at[:0], after...)
		p.mu.Unlock()
		return true
	}
	p.mu.Unlock()
	p.encoded.JSON, p.encoded.Position = json, after
	more, p.refused = p.add(&p.encoded)
	p.stopped = !more || p.refused != nil
	return !p.stopped
}

// checkOverflow fails where the page has grown far beyond its limits and still cannot be cut.
func (p *page) checkOverflow() error {
	if p.cut.seen > 0 || p.now.seen <= overflow*p.limits.Contacts && p.now.size() <= overflow*p.limits.Bytes {
		return nil
	}
	e := brokenSource(fmt.Sprintf("the source gave %d changes between which no page may end", p.now.seen))
	e.Hint = "Raise the endpoint's page limits, or make the source's order one that can be cut."
	return e
}

func brokenSource(message string) *Error {
	return &Error{Code: CodeSourceBroken, Message: message, Hint: "This is a defect of the source: report it with the bridge's log."}
}

// idWithin returns an id, or nothing where it is longer than any that can be kept.
func idWithin(id string) string {
	if len(id) > contact.MaxID {
		return ""
	}
	return id
}

// write appends one change.
func (p *page) write(change *Change) {
	if len(change.JSON) > 0 {
		p.writeEncoded(change.JSON)
		return
	}
	c := &p.scratch // on the heap once, not once a contact
	*c = change.Contact
	switch err := c.Validate(); {
	case change.Rejected != "":
		if len(p.reasons) < maxLoggedIDs {
			p.reasons = append(p.reasons, strings.TrimSpace(c.ID+" "+change.Rejected))
		}
		p.writeRejected(c.ID, change.Rejected)
		return
	case errors.Is(err, contact.ErrNoID):
		p.now.noID++
		p.writeRejected("", err.Error())
		return
	case err != nil && !(change.Deleted && idWithin(c.ID) != ""): // it is there, so its id must be told (D8)
		if len(p.reasons) < maxLoggedIDs {
			p.reasons = append(p.reasons, err.Error())
		}
		p.writeRejected(idWithin(c.ID), err.Error())
		return
	}
	if change.Deleted {
		p.writeDeleted(c)
		return
	}
	if p.h.Prepare != nil {
		p.phones = append(p.phones[:0], c.Phones...)
		c.Phones = p.phones
		p.h.Prepare(c)
	}
	if c.FillName() {
		p.now.nameless++
		if len(p.unnamed) < maxLoggedIDs {
			p.unnamed = append(p.unnamed, strings.Clone(c.ID))
		}
	}
	p.writeContact(c)
}

func (p *page) writeContact(c *contact.Contact) {
	p.wrote(c.AppendJSON(p.nextContact()))
}

func (p *page) writeEncoded(json []byte) {
	p.wrote(append(p.nextContact(), json...))
}

// nextContact returns the text that a contact is appended to.
func (p *page) nextContact() []byte {
	if p.now.sent > 0 {
		return append(p.text.contacts, ',')
	}
	return p.text.contacts
}

// wrote takes the text with one more contact.
func (p *page) wrote(text []byte) {
	p.text.contacts = text
	p.now.contacts = len(text)
	p.now.sent++
}

func (p *page) writeDeleted(c *contact.Contact) {
	switch p.deleted {
	case SkipDeleted:
		return
	case BlankDeleted:
		*c = contact.Contact{ID: c.ID, Name: c.Name}
		c.FillName()
		p.writeContact(c)
	default:
		if p.now.deleted > 0 {
			p.text.deleted = append(p.text.deleted, ',')
		}
		p.text.deleted = contact.AppendString(p.text.deleted, c.ID)
		p.now.deleted = len(p.text.deleted)
	}
	p.now.gone++
}

// writeRejected says that a record was there but cannot be sent (D8). Only a synchronizer that finds deletions is told.
func (p *page) writeRejected(id, reason string) {
	p.now.leftOut++
	if !p.asked.supportsDeletion {
		return
	}
	text := p.text.rejected
	if p.now.rejected > 0 {
		text = append(text, ',')
	}
	text = append(text, '{')
	if strings.TrimSpace(id) != "" {
		text = append(contact.AppendString(append(text, `"id":`...), id), ',')
	}
	p.text.rejected = append(contact.AppendString(append(text, `"reason":`...), reason), '}')
	p.now.rejected = len(p.text.rejected)
}

// endBecauseOfTime takes the page if it has moved on at all; otherwise the next change will end it.
func (p *page) endBecauseOfTime() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settled || p.cut.seen == 0 {
		p.due = true
		return false
	}
	_ = p.settleLocked(context.DeadlineExceeded) // kept as the page's outcome
	return true
}

// settle takes the page: its contents are sent. reason says why the source was left, nil if it ended or the page is
// full; a page that has nothing to send fails with it. The first call decides, every one returns how.
func (p *page) settle(reason error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settleLocked(reason)
}

func (p *page) settleLocked(reason error) error {
	if p.settled {
		return p.outcome
	}
	p.settled = true
	_, panicked := errors.AsType[*panicError](reason)
	switch {
	case reason == nil && p.ended == CutEnd:
		p.complete, p.cut = true, p.now
	case reason == nil:
	case p.cut.seen == 0 || panicked:
		p.outcome = reason
		return reason
	case errors.Is(reason, context.DeadlineExceeded):
		p.ended = CutTime
	default:
		p.ended, p.failure = CutError, reason
	}
	p.outcome = guarded(func() error {
		p.token = p.src.Checkpoint(p.run, p.at, p.complete)
		return nil
	})
	return p.outcome
}

// answer finishes the body of a page that has been taken. It is valid until the page is released.
func (p *page) answer() ([]byte, error) {
	body := append(p.text.contacts[:p.cut.contacts], ']')
	if !p.complete {
		offset := sealOffset(p.seal, p.run, p.at)
		if len(offset) > maxTokenLen {
			return nil, brokenSource("the source's position is too large for an offset")
		}
		body = contact.AppendString(append(body, `,"next_offset":`...), offset)
	}
	if p.token == "" {
		p.token = p.run.Since // nothing new is safe: the run's own goes back (D2)
	}
	checkpoint, err := sealCheckpoint(p.seal, p.token)
	if err != nil {
		return nil, err
	}
	if checkpoint != "" {
		body = contact.AppendString(append(body, `,"synchronization_checkpoint":`...), checkpoint)
	}
	if p.cut.deleted > 0 {
		body = append(body, `,"deleted_contacts":[`...)
		body = append(append(body, p.text.deleted[:p.cut.deleted]...), ']')
	}
	if p.cut.rejected > 0 {
		body = append(body, `,"rejected_contacts":[`...)
		body = append(append(body, p.text.rejected[:p.cut.rejected]...), ']')
	}
	if p.asked.supportsDeletion && p.restart != "" {
		body = append(body, `,"restarted":true`...)
	}
	if p.asked.supportsDeletion && p.exact {
		body = append(body, `,"exact":true`...)
	}
	p.text.contacts = append(body, '}')
	return p.text.contacts, nil
}

// report says what became of a page that has been taken.
func (p *page) report(x *exchange) {
	x.seen.Initial, x.seen.Restart, x.seen.Cut = p.run.Initial(), p.restart, p.ended
	x.seen.Contacts, x.seen.Deleted = p.cut.sent, p.cut.gone
	x.seen.LeftOut, x.seen.Unnamed = p.cut.leftOut, p.cut.nameless
	if p.cut.noID > 0 {
		x.notes = append(x.notes, slog.Int("without_id", p.cut.noID))
	}
	if p.cut.leftOut > p.cut.noID {
		x.notes = append(x.notes, slog.Int("rejected", p.cut.leftOut-p.cut.noID), slog.Any("rejected_records", p.reasons))
	}
	if p.cut.nameless > 0 {
		x.notes = append(x.notes, slog.Int("without_name", p.cut.nameless), slog.Any("without_name_ids", p.unnamed))
	}
	if p.failure != nil {
		x.notes = append(x.notes, slog.String("source_error", redactError(p.failure, x.auth)))
	}
}

// release gives the page's memory back. A goroutine that still fills the page finds it taken.
func (p *page) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.text
	p.settled, p.text = true, nil
	if text != nil && cap(text.contacts) <= maxPooledPage {
		pageTexts.Put(text)
	}
}
