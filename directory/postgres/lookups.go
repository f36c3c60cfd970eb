package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
)

const (
	numberColumns = `SELECT i.name, n.contact, n.position, n.raw, n.extension, n.reversed, n.isfull, c.data, c.changed FROM `
	ofContacts    = ` CROSS JOIN LATERAL (SELECT integration, id, data, changed FROM contactbridge.contacts WHERE account = (SELECT $1::int) AND pk = n.contact OFFSET 0) AS c
		JOIN contactbridge.integrations i ON i.account = $1 AND i.id = c.integration`
	byDigits = numberColumns + `(SELECT DISTINCT * FROM unnest($2::text[], $3::bool[])) AS w (reversed, isfull) CROSS JOIN LATERAL
		(SELECT * FROM contactbridge.numbers WHERE account = (SELECT $1::int) AND reversed = w.reversed AND isfull = w.isfull OFFSET 0) AS n` + ofContacts
	byEnding = numberColumns + `(SELECT * FROM contactbridge.numbers WHERE account = (SELECT $1::int) AND reversed >= $2 AND reversed < $3 OFFSET 0) AS n` + ofContacts

	inOrder = ` ORDER BY i.name, c.id, n.position LIMIT `
)

// ByE164 implements [directory.Store].
func (s *Store) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	id, err := s.account(ctx, account)
	if err != nil || id == 0 {
		return nil, err
	}
	reversed, full := make([]string, len(numbers)), make([]bool, len(numbers))
	for i, number := range numbers {
		var digits string
		digits, full[i] = strings.CutPrefix(number, "+")
		reversed[i] = directory.Reverse(digits)
	}
	hits, err := s.find(ctx, account, id, limit, byDigits, reversed, full)
	if err != nil {
		return nil, fmt.Errorf("look up a number: %w", err)
	}
	return hits, nil
}

// BySuffix implements [directory.Store].
func (s *Store) BySuffix(ctx context.Context, account, digits string, limit int) ([]directory.Match, error) {
	if err := directory.CheckSuffix(digits); err != nil {
		return nil, err
	}
	id, err := s.account(ctx, account)
	if err != nil || id == 0 {
		return nil, err
	}
	from := directory.Reverse(digits)
	hits, err := s.find(ctx, account, id, limit, byEnding, from, from+":") // ':' follows '9'
	if err != nil {
		return nil, fmt.Errorf("look up the ending of a number: %w", err)
	}
	return hits, nil
}

// A hit is a match and where it stands.
type hit struct {
	directory.Match
	contact  int64
	position int32
}

// find returns the first hits in order, at most limit. Few are sorted here; only where there are more than limit does the
// database have to sort all of them.
func (s *Store) find(ctx context.Context, account string, id int32, limit int, query string, which ...any) ([]directory.Match, error) {
	args := append([]any{id}, which...)
	bound := fmt.Sprintf("$%d", len(args)+1)
	hits, err := s.hits(ctx, account, query+" LIMIT "+bound, append(args, limit+1)...)
	if err == nil && len(hits) > limit {
		hits, err = s.hits(ctx, account, query+inOrder+bound, append(args, limit)...)
	}
	if err != nil {
		return nil, explained(err)
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(strings.Compare(a.Integration, b.Integration), strings.Compare(a.Contact.ID, b.Contact.ID), cmp.Compare(a.contact, b.contact), cmp.Compare(a.position, b.position))
	})
	matches := make([]directory.Match, len(hits))
	for i := range hits {
		matches[i] = hits[i].Match
	}
	return matches, nil
}

func (s *Store) hits(ctx context.Context, account, query string, args ...any) ([]hit, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var known directory.Decoded
	hits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h hit, err error) {
		var raw, extension, data []byte
		var reversed string
		var full bool
		var changed int64
		if err := row.Scan((*directory.Text)(&h.Integration), &h.contact, &h.position, &raw, &extension, &reversed, &full, &data, &changed); err != nil {
			return h, err
		}
		h.Changed = directory.Moment(changed)
		h.Account = account
		h.Number = directory.Number{Raw: string(raw), Match: directory.Reverse(reversed), Extension: string(extension)}
		if full {
			h.Number.E164 = "+" + h.Number.Match
		}
		if h.Number.Raw == "" {
			h.Number.Raw = h.Number.E164
		}
		if known.Find(h.contact, &h.Contact) {
			return h, nil
		}
		err = h.Contact.UnmarshalJSON(data)
		known.Keep(h.contact, &h.Contact)
		return h, err
	})
	return hits, err
}
