// Package ldap is a source of contacts in an LDAP directory: OpenLDAP, Active Directory (also that of Samba), 389 Directory Server,
// and any other server of LDAP version 3 that can page its results.
//
// # How a run is read
//
// A paging cookie belongs to the connection that it was given on, and servers sort nothing. So the beginning of a run reads its
// entries into a spool, sorted by id, and pages are taken from there. An id does not move: a process that misses the spool reads
// again and goes on after the same id, and every contact that was there all the time is shown, in the version that the run began
// with or a newer one. Nothing depends on the spool being there.
//
// # Which entries changed
//
// A checkpoint is a [token] of one of five ways, which the server decides:
//
//   - sync: the cookie of RFC 4533 (OpenLDAP with the overlay syncprov). The server tells who was deleted, or has left the bases or
//     the filter.
//   - usn: the update sequence number of one domain controller of Active Directory. Deleted objects are found in Deleted Objects,
//     those that left the bases or the filter by a wider search.
//   - log: the number of the last change in the retro changelog of 389 Directory Server.
//   - stamp: modifyTimestamp, read again from an overlap before the newest one. Deletions are not seen.
//   - whole: where nothing can be known, a fingerprint of everything (E10).
//
// A token that the server can no longer use begins an initial run: an expired cookie, a restarted OpenLDAP whose log of deletions is
// gone, another domain controller. So does a change of what decides which entries belong to the contacts, but changes none of
// these entries: an organisational unit that was moved, or the members of a group. See [reader.shape].
package ldap

import (
	"context"
	"fmt"
	"iter"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Source reads the contacts of one directory with one set of credentials.
type Source struct {
	tenant  *tenant
	release func()
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ bridge.Prober    = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

// Describe implements [bridge.Describer].
func (s *Source) Describe(context.Context) (bridge.Description, error) {
	return bridge.Description{Digest: s.tenant.settings.Digest(), Exact: true}, nil
}

// Begin implements [bridge.Source]. It reads what the run will bring.
func (s *Source) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	run, err := s.begin(ctx, since)
	if err != nil {
		return bridge.Run{}, fmt.Errorf("begin run: %w", err)
	}
	return run, nil
}

func (s *Source) begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	from, err := parseToken(string(since))
	if err != nil {
		return bridge.Run{}, keyset.InvalidCheckpoint(err)
	}
	j, err := s.tenant.begin(ctx, from)
	if err != nil {
		return bridge.Run{}, err
	}
	if j.found.whole {
		since = ""
	}
	run := bridge.Run{Since: since, State: state{whole: j.found.whole, next: j.found.next, created: j.created}.encode()}
	s.tenant.keep(run, j.spool)
	return run, nil
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		if err := s.read(ctx, run, after, limit, yield); err != nil {
			yield(bridge.Change{}, fmt.Errorf("read contacts: %w", err))
		}
	}
}

// read yields the changes. Its error is nil when yield wanted no more.
func (s *Source) read(ctx context.Context, run bridge.Run, after bridge.Position, limit int, yield func(bridge.Change, error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	state, err := parseState(run.State)
	if err != nil || state.whole != run.Initial() {
		return keyset.InvalidOffset(err)
	}
	from, err := parseToken(string(run.Since))
	if err != nil {
		return keyset.InvalidOffset(err)
	}
	place, err := parsePosition(after)
	if err != nil {
		return keyset.InvalidOffset(err)
	}
	sp, mapping, err := s.tenant.spoolOf(ctx, run, from, state.created)
	if err != nil {
		return err
	}
	defer sp.release()
	return yieldAll(ctx, sp, mapping, place, limit, yield)
}

// yieldAll yields what a spool holds after a place.
func yieldAll(ctx context.Context, sp *spool, m *mapping, after place, limit int, yield func(bridge.Change, error) bool) error {
	var row record.Row
	var position []byte
	reader := sp.after(after)
	for n := 0; limit <= 0 || n < limit || len(position) == 0; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := reader.next()
		if err != nil || r == nil {
			return err
		}
		m.contact(&row, r)
		position = position[:0]
		if at := r.place(); len(at.id) <= contact.MaxID { // else the offset would be too long: the page ends elsewhere
			position = appendPosition(position, at)
		}
		row.Position = position
		if !yield(row.Change, nil) {
			return nil
		}
	}
	return nil
}

// Checkpoint implements [bridge.Source]: pages are in the order of ids, so only the end of a run moves it (E7).
func (s *Source) Checkpoint(run bridge.Run, _ bridge.Position, complete bool) bridge.Checkpoint {
	state, err := parseState(run.State)
	if err != nil || !complete {
		return run.Since
	}
	return bridge.Checkpoint(state.next.String())
}

// Probe implements [bridge.Prober]: it binds.
func (s *Source) Probe(ctx context.Context) error {
	c, err := s.tenant.connect(ctx)
	if err != nil {
		return fmt.Errorf("check credentials: %w", err)
	}
	c.close()
	return nil
}

// Check implements [source.Checker]: the bases are there and may be read, and the fields are attributes.
func (s *Source) Check(ctx context.Context) error {
	err := s.tenant.with(ctx, func(r *reader) error { return r.visible(ctx) })
	if err != nil {
		return fmt.Errorf("check source: %w", err)
	}
	return nil
}

// Count implements [source.Counter].
func (s *Source) Count(ctx context.Context) (int64, error) {
	n := int64(-1)
	err := s.tenant.with(ctx, func(r *reader) (err error) {
		n, err = r.count(ctx, func() bool { return false })
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("count contacts: %w", err)
	}
	return n, nil
}

// Close implements [bridge.Source].
func (s *Source) Close() error {
	s.release()
	return nil
}
