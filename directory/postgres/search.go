package postgres

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
)

const (
	entryColumns = `SELECT i.name, c.data FROM `
	integrations = ` JOIN contactbridge.integrations i ON i.account = $1 AND i.id = c.integration `

	// byWords are the contacts that the words of $2 find, which begin with their account.
	byWords = entryColumns + `(SELECT account, integration, id, data FROM contactbridge.contacts WHERE words @@ $2::tsquery OFFSET 0) AS c` + integrations + `WHERE c.account = $1`

	// byStarts are the contacts that have a number with an ending between $2 and $3, or one of the words of $4; $5 at most. The numbers are
	// read in their order, so that one contact with thousands of them does not come alone.
	byStarts = `WITH found AS (
			(SELECT contact AS pk FROM contactbridge.numbers n WHERE account = (SELECT $1::int) AND reversed >= $2 AND reversed < $3
				AND ($6 = 0 OR EXISTS (SELECT FROM contactbridge.members m WHERE m.account = n.account AND m.book = $6 AND m.contact = n.contact)) ORDER BY reversed LIMIT $5)
			UNION (SELECT pk FROM (SELECT account, pk FROM contactbridge.contacts WHERE words @@ $4::tsquery OFFSET 0) AS w WHERE account = $1 LIMIT $5))
		` + entryColumns + `found f CROSS JOIN LATERAL
			(SELECT integration, data FROM contactbridge.contacts WHERE account = (SELECT $1::int) AND pk = f.pk OFFSET 0) AS c` + integrations + `WHERE true`
)

// ByEmail implements [directory.Store].
func (s *Store) ByEmail(ctx context.Context, account string, emails []string, limit int) ([]directory.Entry, error) {
	id, err := s.account(ctx, account)
	if err != nil || id == 0 || len(emails) == 0 || limit <= 0 {
		return nil, err
	}
	folded := map[string]bool{}
	words := make([]string, 0, len(emails))
	for _, address := range emails {
		if address = directory.FoldEmail(address); address != "" {
			folded[address] = true
			words = append(words, lexeme(id, email, address))
		}
	}
	if len(words) == 0 {
		return nil, nil
	}
	entries, err := s.entries(ctx, account, byWords+" ORDER BY i.name, c.id", math.MaxInt, id, strings.Join(words, " | "))
	if err != nil {
		return nil, fmt.Errorf("look up an e-mail address: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e directory.Entry) bool { // words are cut; addresses are not
		return !slices.ContainsFunc(e.Contact.Emails, func(address string) bool { return folded[directory.FoldEmail(address)] })
	})
	return entries[:min(limit, len(entries))], nil
}

// Unsearchable implements [directory.Store]: a contact is searchable once it is stored.
func (s *Store) Unsearchable(context.Context, string) (int64, error) { return 0, nil }

// CompleteSearch implements [directory.Store]: there is nothing to complete.
func (s *Store) CompleteSearch(context.Context, directory.Key) error { return nil }

// Search implements [directory.Store].
func (s *Store) Search(ctx context.Context, account string, query directory.Query) ([]directory.Entry, error) {
	id, err := s.account(ctx, account)
	if err != nil || id == 0 {
		return nil, err
	}
	most := max(directory.RankedMost, query.Limit)
	if query.Unranked {
		most = query.Most()
	}
	within := int32(0)
	if query.Book != "" {
		if within, err = s.bookID(ctx, id, query.Book); err != nil || within == 0 {
			return nil, err
		}
	}
	if query.Starts != "" {
		if strings.Trim(query.Starts, "0123456789") != "" {
			return nil, fmt.Errorf("search for the beginning of a number: %q are not digits", query.Starts)
		}
		narrow, args := only(query, []any{id, inBook(id, within, lexeme(id, digits, query.Starts)+":*"), most})
		found, err := s.entries(ctx, account, byWords+narrow+" LIMIT $3", directory.MaxRanked, args...)
		if err != nil {
			return nil, fmt.Errorf("search for the beginning of a number: %w", err)
		}
		return directory.Ranked(found, "", query.Most()), nil
	}
	entries, err := s.searchWords(ctx, account, id, within, query, most)
	if err != nil {
		return nil, fmt.Errorf("search contacts: %w", err)
	}
	numbered, err := s.searchDigits(ctx, account, id, within, query, most)
	if err != nil {
		return nil, fmt.Errorf("search numbers: %w", err)
	}
	exact, err := s.searchExact(ctx, account, id, within, query, most, len(entries) >= most && !query.Unranked)
	if err != nil {
		return nil, fmt.Errorf("search for an address or a name: %w", err)
	}
	return directory.Ranked(append(append(entries, numbered...), exact...), query.Text, query.Most()), nil
}

// searchExact finds the contacts with the text as their e-mail address. Where more contacts have its words than are ranked (many), it also
// finds those that have the words unabridged, so that contacts of exactly that name are among them.
func (s *Store) searchExact(ctx context.Context, account string, id, within int32, query directory.Query, most int, many bool) (found []directory.Entry, err error) {
	if address := directory.FoldEmail(query.Text); strings.Contains(address, "@") {
		narrow, args := only(query, []any{id, inBook(id, within, lexeme(id, email, address)), most})
		if found, err = s.entries(ctx, account, byWords+narrow+" LIMIT $3", directory.MaxRanked, args...); err != nil {
			return nil, err
		}
		rank := directory.Rank(query.Text)
		found = slices.DeleteFunc(found, func(e directory.Entry) bool { return rank(&e.Contact) != 0 }) // words are cut; addresses are not
	}
	terms := directory.Fold(query.Text)
	if !many || len(terms) == 0 {
		return found, nil
	}
	words := make([]string, 0, len(terms))
	for _, t := range terms {
		words = append(words, lexeme(id, term, t))
	}
	narrow, args := only(query, []any{id, inBook(id, within, strings.Join(words, " & ")), most})
	named, err := s.entries(ctx, account, byWords+narrow+" LIMIT $3", directory.MaxRanked, args...)
	return append(found, named...), err
}

// only narrows a query to one integration, if one is asked for.
func only(query directory.Query, args []any) (string, []any) {
	if query.Integration == "" {
		return "", args
	}
	args = append(args, []byte(query.Integration))
	return fmt.Sprintf(" AND i.name = $%d", len(args)), args
}

// inBook narrows words to the members of a book.
func inBook(account, id int32, words string) string {
	if id == 0 {
		return words
	}
	return lexeme(account, book, strconv.Itoa(int(id))) + " & (" + words + ")"
}

func (s *Store) searchWords(ctx context.Context, account string, id, within int32, query directory.Query, most int) ([]directory.Entry, error) {
	terms := directory.Fold(query.Text)
	if len(terms) == 0 {
		return nil, nil
	}
	words := make([]string, 0, len(terms))
	for _, t := range terms {
		words = append(words, lexeme(id, term, t)+":*")
	}
	narrow, args := only(query, []any{id, inBook(id, within, strings.Join(words, " & ")), most})
	return s.entries(ctx, account, byWords+narrow+" LIMIT $3", directory.MaxRanked, args...)
}

// searchDigits looks for a number by its beginning and its end.
func (s *Store) searchDigits(ctx context.Context, account string, id, within int32, query directory.Query, most int) ([]directory.Entry, error) {
	typed := directory.Digits(query.Text)
	if typed == "" {
		return nil, nil
	}
	from := directory.Reverse(typed)
	narrow, args := only(query, []any{id, from, from + ":", inBook(id, within, lexeme(id, digits, typed)+":*"), most, within})
	return s.entries(ctx, account, byStarts+narrow+" LIMIT $5", directory.MaxRanked, args...)
}

// entries reads contacts with the names of their integrations, at most so many bytes of them.
func (s *Store) entries(ctx context.Context, account, query string, most int, args ...any) ([]directory.Entry, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, explained(err)
	}
	defer rows.Close()
	var entries []directory.Entry
	for rows.Next() {
		var data []byte
		e := directory.Entry{Key: directory.Key{Account: account}}
		if err := rows.Scan((*directory.Text)(&e.Integration), &data); err != nil {
			return nil, explained(err)
		}
		if most -= len(data); most < 0 && len(entries) > 0 {
			break
		}
		if err := e.Contact.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, explained(rows.Err())
}
