package carddav

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
)

// A fetched is what became of one entry.
type fetched struct {
	entry
	card   []byte
	now    string // the etag of the card, where the server says it
	absent bool   // it was listed, and is gone now: the next run is told
	wrong  string // why the server does not give the card, for people
}

// batches decide how many cards are asked for at once: as many as the server gives in about a second.
type batches struct {
	size  atomic.Int64 // 0 means not known yet
	plain atomic.Bool  // the server has no multiget: cards are got one by one
}

const (
	firstBatch    = 50
	largestBatch  = 500
	quickBatch    = 400 * time.Millisecond
	slowBatch     = 1500 * time.Millisecond
	maxBatchBytes = 16 << 20 // of the cards that are held at once
)

// next returns how many cards are asked for next.
func (b *batches) next() int {
	if n := int(b.size.Load()); n > 0 {
		return n
	}
	return firstBatch
}

// learn takes note of how long a batch took.
func (b *batches) learn(n int, took time.Duration) {
	switch size := b.next(); {
	case n < size:
	case took < quickBatch:
		b.size.Store(int64(min(2*size, largestBatch)))
	case took > slowBatch:
		b.size.Store(int64(max(size/2, 1)))
	}
}

// errTooMuch says that cards take more memory than may be held at once.
var errTooMuch = errors.New("the cards take too much memory")

// fetch gets the cards of entries, in their order.
func (a *account) fetch(ctx context.Context, entries []entry) ([]fetched, error) {
	got := make([]fetched, len(entries))
	var wanted []int
	for i, e := range entries {
		got[i].entry = e
		if !e.gone {
			wanted = append(wanted, i)
		}
	}
	start := a.client.clock.Now()
	if err := a.fill(ctx, got, wanted); err != nil {
		return nil, err
	}
	a.batches.learn(len(wanted), a.client.clock.Now().Sub(start))
	return got, nil
}

// fill gets the cards of those that are wanted. Where an answer cannot be used, it asks for fewer at a time, and at last for each card alone,
// which needs no XML: a card that breaks the XML around it costs no other.
func (a *account) fill(ctx context.Context, got []fetched, wanted []int) error {
	if len(wanted) == 0 {
		return ctx.Err()
	}
	if len(wanted) == 1 || a.batches.plain.Load() {
		for _, i := range wanted {
			if err := a.get(ctx, &got[i]); err != nil {
				return err
			}
		}
		return nil
	}
	missing, err := a.multiget(ctx, got, wanted)
	switch {
	case err == nil:
		for _, i := range missing {
			if err := a.get(ctx, &got[i]); err != nil {
				return err
			}
		}
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	var known *bridge.Error
	if errors.As(err, &known) {
		return err
	}
	var status *statusError
	if errors.As(err, &status) && (status.status == http.StatusMethodNotAllowed || status.status == http.StatusNotImplemented) {
		a.batches.plain.Store(true)
	}
	half := len(wanted) / 2
	a.batches.size.Store(int64(half))
	if err := a.fill(ctx, got, wanted[:half]); err != nil {
		return err
	}
	return a.fill(ctx, got, wanted[half:])
}

// multiget asks for several cards of one book. missing are those that the answer leaves out, or has no card for.
func (a *account) multiget(ctx context.Context, got []fetched, wanted []int) (missing []int, err error) {
	at := make(map[string]int, len(wanted))
	var body bytes.Buffer
	body.WriteString(`<?xml version="1.0" encoding="utf-8"?><c:addressbook-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/><c:address-data/></d:prop>`)
	for _, i := range wanted {
		at[got[i].path] = i
		body.WriteString("<d:href>")
		_ = xml.EscapeText(&body, []byte(requestPath(got[i].raw))) // into memory
		body.WriteString("</d:href>")
	}
	body.WriteString(`</c:addressbook-multiget>`)
	collection := parentOf(got[wanted[0]].raw)
	size := 0
	_, _, err = a.client.multistatus(ctx, call{method: "REPORT", path: collection, depth: "1", body: body.Bytes()}, func(r *response) error {
		i, asked := at[canonical(canonical("", collection), r.href)]
		if !asked || got[i].card != nil || r.status != 0 && r.status/100 != 2 || !r.props.hasCard {
			return nil
		}
		if r.props.cardTooLong {
			got[i].card, got[i].wrong = []byte{}, tooLong
			return nil
		}
		if size += len(r.props.card); size > maxBatchBytes {
			return errTooMuch
		}
		got[i].card, got[i].now = bytes.Clone(r.props.card), r.props.etag
		return nil
	})
	if err != nil {
		for _, i := range wanted {
			got[i].card, got[i].wrong = nil, ""
		}
		return nil, err
	}
	for _, i := range wanted {
		if got[i].card == nil {
			missing = append(missing, i)
		}
	}
	return missing, nil
}

var tooLong = fmt.Sprintf("it is longer than %d MiB", maxCard>>20)

// parentOf returns the collection of a card's path.
func parentOf(raw string) string {
	for i := len(raw) - 1; i >= 0; i-- {
		if raw[i] == '/' {
			return raw[:i+1]
		}
	}
	return "/"
}

// get gets one card.
func (a *account) get(ctx context.Context, f *fetched) error {
	response, at, err := a.client.do(ctx, call{method: http.MethodGet, path: f.raw})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusNotFound, status == http.StatusGone:
		f.absent = true
		return nil
	case status >= 500:
		return &bridge.Error{
			Code: bridge.CodeSourceUnavailable, Message: fmt.Sprintf("%s answers with status %d where a card should be", at.Host, status),
			Hint: "Try again. If it stays so, look into the server's log, or ask its operator.", RetryAfter: againAfter,
		}
	case status != http.StatusOK:
		drop(response)
		f.wrong = fmt.Sprintf("the server does not give it (status %d)", status)
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxCard+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return a.client.unreached(ctx, at, err)
	case len(text) > maxCard:
		f.wrong = tooLong
		return nil
	}
	f.card, f.now = text, plainETag(response.Header.Get("ETag"))
	return nil
}
