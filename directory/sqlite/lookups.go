package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
)

const (
	// The driver asks for the name and the declared type of every column before it returns a row. An expression has no type.
	found    = `SELECT +c.integration AS "", +n.pk AS "", +n.raw AS "", +n.extension AS "", +c.data AS "", +c.changed AS ""`
	byDigits = found + matching + `n.ending = ? AND n.reversed = ? AND n.full = ?`
	byEnding = found + `, +n.reversed AS "", +n.full AS ""` + matching +
		`n.ending BETWEEN ? AND ? AND n.reversed >= ? AND n.reversed < ?`
	matching = ` FROM numbers n CROSS JOIN contacts c ON c.pk = n.contact WHERE n.account = ? AND `

	unordered = ` LIMIT ?` // sorting costs SQLite more than finding
	ordered   = ` ORDER BY (SELECT name FROM integrations WHERE pk = c.integration), c.id, n.pk LIMIT ?`
)

// lookupQueries are those that calls wait for.
func lookupQueries() []string {
	return []string{byDigits + unordered, byDigits + ordered, byEnding + unordered, byEnding + ordered}
}

// ByE164 implements [directory.Store].
func (s *Store) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	q := question{account: account, numbers: len(numbers), limit: limit}
	switch len(numbers) {
	case 1:
		q.first = numbers[0]
	case 2:
		q.first, q.second = numbers[0], numbers[1]
	default:
		return s.byE164(ctx, account, numbers, limit)
	}
	return s.remembered(q, func() ([]directory.Match, error) { return s.byE164(ctx, account, numbers, limit) })
}

func (s *Store) byE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	var all []hit
	known := &directory.Decoded{}
	for _, number := range numbers {
		digits, full := strings.CutPrefix(number, "+")
		asked := directory.Number{Match: digits}
		if full {
			asked.E164 = number
		}
		hits, err := s.find(ctx, account, limit, known, asked, byDigits, ending(digits), directory.Reverse(digits), full)
		if err != nil {
			return nil, fmt.Errorf("look up a number: %w", err)
		}
		all = append(all, hits...)
	}
	if len(numbers) > 1 {
		slices.SortFunc(all, hit.compare)
		all = slices.CompactFunc(all, func(a, b hit) bool { return a.compare(b) == 0 })
	}
	return matches(all, limit), nil
}

// BySuffix implements [directory.Store].
func (s *Store) BySuffix(ctx context.Context, account, digits string, limit int) ([]directory.Match, error) {
	if err := directory.CheckSuffix(digits); err != nil {
		return nil, err
	}
	q := question{account: account, first: digits, limit: limit}
	return s.remembered(q, func() ([]directory.Match, error) { return s.bySuffix(ctx, account, digits, limit) })
}

func (s *Store) bySuffix(ctx context.Context, account, digits string, limit int) ([]directory.Match, error) {
	least, greatest := endings(digits)
	from := directory.Reverse(digits)
	// ':' follows '9': every number that begins so lies between.
	hits, err := s.find(ctx, account, limit, &directory.Decoded{}, directory.Number{}, byEnding, least, greatest, from, from+":")
	if err != nil {
		return nil, fmt.Errorf("look up the ending of a number: %w", err)
	}
	return matches(hits, limit), nil
}

// A hit is a match and where it stands.
type hit struct {
	directory.Match
	integration int64
	number      int64 // pk: those of a contact are in its order
}

func (h hit) compare(other hit) int {
	return cmp.Or(
		strings.Compare(h.Integration, other.Integration),
		strings.Compare(h.Contact.ID, other.Contact.ID),
		cmp.Compare(h.number, other.number))
}

func matches(hits []hit, limit int) []directory.Match {
	matches := make([]directory.Match, min(limit, len(hits)))
	for i := range matches {
		matches[i] = hits[i].Match
	}
	return matches
}

// find returns the first hits in order, at most limit. Few are sorted here; only where there are more than limit does SQLite have
// to sort all of them. asked holds what the query says of every number that it finds, known the contacts that were decoded.
func (s *Store) find(ctx context.Context, account string, limit int, known *directory.Decoded, asked directory.Number, query string, which ...any) ([]hit, error) {
	pk, err := s.names.account(ctx, account)
	if err != nil || pk == 0 {
		return nil, err
	}
	args := append(append(make([]any, 0, 6), pk), which...)
	brief := ctx
	if query == byDigits {
		// It is over before anybody could stop it: an index finds limit rows at most. What would listen for that, a goroutine for each query, takes
		// longer than the query.
		brief = context.WithoutCancel(ctx)
	}
	hits, err := s.collect(brief, account, known, asked, query+unordered, append(args, int64(limit)+1))
	if err == nil && len(hits) > limit {
		return s.collect(ctx, account, known, asked, query+ordered, append(args, int64(limit)))
	}
	slices.SortFunc(hits, hit.compare)
	return hits, err
}

func (s *Store) collect(ctx context.Context, account string, known *directory.Decoded, asked directory.Number, query string, args []any) ([]hit, error) {
	var hits []hit
	err := s.lookups.query(ctx, query, args, func(r *reader, values []driver.Value) error {
		h := hit{Match: directory.Match{Key: directory.Key{Account: account}, Number: asked}}
		if err := h.read(r, known, values); err != nil {
			return err
		}
		hits = append(hits, h)
		return nil
	})
	there := hits[:0]
	for i := range hits {
		if err != nil {
			return nil, err
		}
		var named bool
		if hits[i].Integration, named, err = s.names.integration(ctx, hits[i].integration); named {
			there = append(there, hits[i])
		}
	}
	return there, err
}

// read takes a row: what all queries have in common and then, from those that cannot know it, what the number is.
func (h *hit) read(r *reader, known *directory.Decoded, values []driver.Value) error {
	n := &h.Number
	h.integration, h.number = values[0].(int64), values[1].(int64)
	n.Raw, n.Extension = values[2].(string), values[3].(string)
	h.Changed = directory.Moment(values[5].(int64))
	if len(values) > 6 {
		n.Match = directory.Reverse(values[6].(string))
		if values[7].(int64) != 0 {
			n.E164 = "+" + n.Match
		}
	}
	if n.Raw == "" {
		n.Raw = n.E164
	}
	pk := h.number / maxNumbers
	if known.Find(pk, &h.Contact) {
		return nil
	}
	if err := r.decode(&h.Contact, values[4].([]byte)); err != nil {
		return err
	}
	known.Keep(pk, &h.Contact)
	return nil
}
