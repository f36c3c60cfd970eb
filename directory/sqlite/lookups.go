package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
)

const (
	matchColumns = `SELECT c.integration, n.position, n.reversed, n.full, n.raw, n.extension, c.data
	FROM numbers n CROSS JOIN contacts c ON c.pk = n.contact WHERE n.account = ? AND `

	byDigits = matchColumns + `n.ending = ? AND n.reversed = ? AND n.full = ?`
	byEnding = matchColumns + `n.ending BETWEEN ? AND ? AND n.reversed >= ? AND n.reversed < ?`

	unordered = ` LIMIT ?` // sorting costs SQLite more than finding
	ordered   = ` ORDER BY (SELECT name FROM integrations WHERE pk = c.integration), c.id, n.position LIMIT ?`
)

// ByE164 implements [directory.Store].
func (s *Store) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	var all []hit
	for _, number := range numbers {
		digits, full := strings.CutPrefix(number, "+")
		hits, err := s.find(ctx, account, limit, s.byDigits, byDigits, ending(digits), reverse(digits), full)
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
	if len(digits) < directory.MinSuffix || strings.Trim(digits, "0123456789") != "" {
		return nil, fmt.Errorf("look up the ending of a number: %q is not %d digits or more", digits, directory.MinSuffix)
	}
	least, greatest := endings(digits)
	from := reverse(digits)
	// ':' follows '9': every number that begins so lies between.
	hits, err := s.find(ctx, account, limit, s.byEnding, byEnding, least, greatest, from, from+":")
	if err != nil {
		return nil, fmt.Errorf("look up the ending of a number: %w", err)
	}
	return matches(hits, limit), nil
}

// A hit is a match and where it stands.
type hit struct {
	directory.Match
	integration int64
	position    int64 // of the number in the contact
}

func (h hit) compare(other hit) int {
	return cmp.Or(
		strings.Compare(h.Integration, other.Integration),
		strings.Compare(h.Contact.ID, other.Contact.ID),
		cmp.Compare(h.position, other.position))
}

func matches(hits []hit, limit int) []directory.Match {
	matches := make([]directory.Match, min(limit, len(hits)))
	for i := range matches {
		matches[i] = hits[i].Match
	}
	return matches
}

// find returns the first hits in order, at most limit. Few are sorted here; only where there are more than limit does SQLite have
// to sort all of them.
func (s *Store) find(ctx context.Context, account string, limit int, quick *sql.Stmt, query string, which ...any) ([]hit, error) {
	pk, err := s.names.account(ctx, account)
	if err != nil || pk == 0 {
		return nil, err
	}
	args := append(append(make([]any, 0, 6), pk), which...)
	rows, err := quick.QueryContext(ctx, append(args, limit+1)...)
	hits, err := s.collect(ctx, account, rows, err)
	if err != nil {
		return nil, err
	}
	if len(hits) > limit {
		rows, err = s.read.QueryContext(ctx, query+ordered, append(args, limit)...)
		return s.collect(ctx, account, rows, err)
	}
	slices.SortFunc(hits, hit.compare)
	return hits, nil
}

func (s *Store) collect(ctx context.Context, account string, rows *sql.Rows, err error) ([]hit, error) {
	if err != nil {
		return nil, err
	}
	hits, err := scanHits(rows)
	if err != nil {
		return nil, err
	}
	// Only now, when the connection is back: who asks for a second one while holding the first may wait for ever.
	for i := range hits {
		h := &hits[i]
		h.Account = account
		if h.Integration, err = s.names.integration(ctx, h.integration); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

func scanHits(rows *sql.Rows) (hits []hit, err error) {
	defer rows.Close()
	for rows.Next() {
		var h hit
		var reversed, data sql.RawBytes
		var full bool
		n := &h.Number
		if err := rows.Scan(&h.integration, &h.position, &reversed, &full, &n.Raw, &n.Extension, &data); err != nil {
			return nil, err
		}
		if err := h.Contact.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		n.Match = reverse(string(reversed))
		if full {
			n.E164 = "+" + n.Match
		}
		if full && n.Raw == "" {
			n.Raw = n.E164
		}
		hits = append(hits, h)
	}
	return hits, rows.Err()
}
