package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"sort"
	"strconv"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// Factory returns a factory that opens the store's source with any credentials: the contacts belong to no caller in particular.
func (s *Store) Factory() source.Factory { return factory{s} }

type factory struct{ store *Store }

// Open implements [source.Factory].
func (f factory) Open(context.Context, bridge.Auth) (bridge.Source, error) {
	return f.store.Source(), nil
}

// Close implements [source.Factory].
func (f factory) Close() error { return nil }

// Source returns a source of the store's contacts.
func (s *Store) Source() *Source { return &Source{store: s} }

// A Source reads the contacts of a [Store].
type Source struct{ store *Store }

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// Describe implements [bridge.Describer]. The contacts of a configuration belong to their endpoint; what of them changed
// their stamps or their fingerprint tell.
func (s *Source) Describe(context.Context) (bridge.Description, error) {
	reads := source.SettingsOf("memory", revision, Config{}).With(source.Settings{"tenant.endpoint": s.store.endpoint})
	return bridge.Description{Digest: reads.Digest(), Exact: true}, nil
}

// Begin implements [bridge.Source].
func (s *Source) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	if err := ctx.Err(); err != nil {
		return bridge.Run{}, err
	}
	mark := strconv.FormatInt(s.store.committed(), 10) // before anything is read (E12)
	stamp, sorted := s.store.horizon()
	if !sorted {
		return s.beginUnsorted(since)
	}
	if since != "" {
		if _, err := keyset.ParseCheckpoint(keyset.Instant, since); err != nil {
			return bridge.Run{}, fmt.Errorf("begin run: %w", err)
		}
	}
	state := keyset.State{Layout: keyset.Instant, Horizon: keyset.IntValue(stamp), Mark: mark}
	return state.Run(since), nil
}

const fingerprintPrefix = "memory-"

// beginUnsorted begins a run over contacts that have no stamps: all of them, or no contact if they have not changed (E10).
func (s *Source) beginUnsorted(since bridge.Checkpoint) (bridge.Run, error) {
	whole := s.store.fingerprint()
	if since != "" && (len(since) != len(whole) || since[:len(fingerprintPrefix)] != fingerprintPrefix) {
		return bridge.Run{}, fmt.Errorf("begin run: %w", keyset.InvalidCheckpoint(nil))
	}
	return keyset.State{Layout: keyset.Unsorted, Whole: whole}.Run(since), nil
}

func (s *Store) fingerprint() bridge.Checkpoint {
	h := sha256.New()
	for _, r := range s.snapshot().byID {
		content := r.contact.Hash()
		h.Write(content[:])
		h.Write([]byte(r.contact.Country)) // decides how numbers are read
		if r.deleted {
			h.Write([]byte("deleted"))
		}
	}
	return bridge.Checkpoint(fingerprintPrefix + hex.EncodeToString(h.Sum(nil)))
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return keyset.Read(ctx, fetcher{s.store}, run, after, limit)
}

// Checkpoint implements [bridge.Source].
func (s *Source) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	return keyset.Checkpoint(run, at, complete)
}

// Count implements [source.Counter].
func (s *Source) Count(context.Context) (int64, error) {
	return int64(len(s.store.snapshot().byID)), nil
}

// Close implements [bridge.Source].
func (s *Source) Close() error { return nil }

// Inspect implements [source.Inspector].
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	if err := ctx.Err(); err != nil {
		return source.Inspection{}, err
	}
	o := s.store.snapshot()
	i := source.Inspection{Facts: []source.Fact{{Name: "contacts", Value: strconv.Itoa(len(o.byID))}}}
	stamp, sorted := s.store.horizon()
	if !sorted {
		i.Facts = append(i.Facts, source.Fact{Name: "order", Value: "id; every change of the configuration sends all contacts again"})
		return i, nil
	}
	i.Facts = append(i.Facts,
		source.Fact{Name: "order", Value: "updated, id"},
		source.Fact{Name: "safe horizon", Value: keyset.Instant.FormatStamp(keyset.IntValue(stamp))})
	if n := len(o.nulls); n > 0 {
		message := "1 contact has no updated: only initial runs deliver it"
		if n > 1 {
			message = fmt.Sprintf("%d contacts have no updated: only initial runs deliver them", n)
		}
		i.Problems = append(i.Problems, source.Problem{
			Severity: source.Warning, Code: "null_updated", Message: message,
			Hint: "Set updated for every contact, or for no contact.",
		})
	}
	return i, nil
}

// A fetcher answers the queries of a run out of a store.
type fetcher struct{ store *Store }

// Fetch implements [keyset.Fetcher].
func (f fetcher) Fetch(ctx context.Context, page keyset.Page, yield func(bridge.Change) bool) (keyset.Result, error) {
	var result keyset.Result
	var buffer []byte
	for _, r := range segment(f.store.snapshot(), page) {
		if page.Limit > 0 && result.Rows == page.Limit || isBehind(page.Bound, r) {
			break
		}
		if !belongs(page, r) {
			continue
		}
		if page.Segment == keyset.Main && r.updated > page.To.Int {
			break
		}
		if err := ctx.Err(); err != nil {
			return result, err
		}
		result.Rows++
		result.Changes++
		result.Last = position(page, r)
		buffer = keyset.AppendCut(buffer[:0], result.Last)
		if !yield(bridge.Change{Contact: r.contact, Deleted: r.deleted, Position: buffer}) {
			result.Stopped = true
			break
		}
	}
	return result, ctx.Err()
}

// belongs reports whether a row that [segment] gives is one of the page's.
func belongs(page keyset.Page, r *row) bool {
	switch {
	case page.Segment == keyset.Tail && page.To.Kind != keyset.None:
		return r.stamped && r.updated > page.To.Int
	case page.Segment == keyset.Again:
		began, err := strconv.ParseInt(page.Mark, 10, 64)
		return err != nil || r.commit > began
	}
	return true
}

// Unnamed implements [keyset.Fetcher]: a contact without an id is sent like any other, and rejected by the handler.
func (f fetcher) Unnamed(context.Context) (bool, error) { return false, nil }

// segment returns the rows of a page's segment after its place, and others that must be left out.
func segment(o *orders, page keyset.Page) []*row {
	rows := o.byID
	switch page.Segment {
	case keyset.Main:
		rows = o.byPlace
	case keyset.Nulls:
		rows = o.nulls
	}
	if !page.After {
		return rows
	}
	return rows[sort.Search(len(rows), func(i int) bool {
		r := rows[i]
		if page.Segment == keyset.Main && r.updated != page.Updated.Int {
			return r.updated > page.Updated.Int
		}
		return page.ID.Kind != keyset.None && r.contact.ID > page.ID.Text
	}):]
}

func isBehind(bound keyset.Value, r *row) bool {
	return bound.Kind != keyset.None && r.contact.ID > bound.Text
}

func position(page keyset.Page, r *row) keyset.Position {
	p := keyset.Position{Segment: page.Segment, ID: keyset.TextValue(r.contact.ID), Bound: page.Bound}
	if page.Segment == keyset.Main {
		p.Updated = keyset.IntValue(r.updated)
	}
	return p
}

// Greatest implements [keyset.Fetcher].
func (f fetcher) Greatest(_ context.Context, page keyset.Page) (keyset.Value, error) {
	page.After = false
	rows := segment(f.store.snapshot(), page)
	for i := len(rows) - 1; i >= 0; i-- {
		r := rows[i]
		if belongs(page, r) {
			return keyset.TextValue(r.contact.ID), nil
		}
	}
	return keyset.Value{}, nil
}
