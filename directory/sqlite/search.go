package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/directory"
)

const (
	listEntries = `SELECT i.name, c.data FROM `
	inIndex     = `search s CROSS JOIN contacts c ON c.pk = s.rowid JOIN integrations i ON i.pk = c.integration
		WHERE i.account = ? AND i.name IS NOT NULL AND s.search MATCH ?`
	// Each contact once, however many of its numbers there are.
	inNumbers = `(SELECT DISTINCT n.contact AS pk FROM numbers n CROSS JOIN contacts o ON o.pk = n.contact
		WHERE n.account = ? AND n.ending BETWEEN ? AND ? AND n.reversed >= ? AND n.reversed < ? AND (? = 0 OR o.integration = ?)
			AND (? = 0 OR EXISTS (SELECT 1 FROM members m WHERE m.book = ? AND m.contact = n.contact)) LIMIT ?) f
		CROSS JOIN contacts c ON c.pk = f.pk JOIN integrations i ON i.pk = c.integration WHERE i.name IS NOT NULL`
)

// emailsAtOnce is how many addresses are looked for by one query, so that a contact that has many of them is read once.
const emailsAtOnce = 100

// ByEmail implements [directory.Store].
func (s *Store) ByEmail(ctx context.Context, account string, emails []string, limit int) ([]directory.Entry, error) {
	pk, err := s.names.account(ctx, account)
	if err != nil || pk == 0 {
		return nil, err
	}
	var words [][]byte
	for _, email := range emails {
		if folded := directory.FoldEmail(email); folded != "" {
			words = append(words, appendEmail(nil, mark(pk), folded))
		}
	}
	var all []directory.Entry
	for some := range slices.Chunk(words, emailsAtOnce) {
		// Those that wait first: what is entered into the index meanwhile is found there.
		found, err := s.awaitingByEmail(ctx, account, pk, some, limit)
		if err != nil {
			return nil, fmt.Errorf("look up an e-mail address: %w", err)
		}
		all = append(all, found...)
		var expression []byte
		for _, word := range some {
			expression = append(quotedInto(expression, word), " OR "...)
		}
		expression = bytes.TrimSuffix(expression, []byte(" OR "))
		found, err = s.entries(ctx, account, inIndex+` ORDER BY i.name, c.id LIMIT ?`, math.MaxInt, pk, string(expression), limit)
		if err != nil {
			return nil, fmt.Errorf("look up an e-mail address: %w", err)
		}
		all = append(all, found...)
	}
	return directory.InOrder(all, limit), nil
}

// Search implements [directory.Store].
func (s *Store) Search(ctx context.Context, account string, query directory.Query) ([]directory.Entry, error) {
	if strings.Trim(query.Starts, "0123456789") != "" {
		return nil, fmt.Errorf("search for the beginning of a number: %q are not digits", query.Starts)
	}
	t, err := s.typed(ctx, account, query)
	if err != nil || t == nil {
		return nil, err
	}
	if query.Starts != "" {
		found, err := t.indexed(ctx, t.expression("n", []string{query.Starts}))
		if err != nil {
			return nil, fmt.Errorf("search for the beginning of a number: %w", err)
		}
		return directory.Ranked(found, "", query.Most()), nil
	}
	all, err := t.words(ctx)
	if err != nil {
		return nil, fmt.Errorf("search for words: %w", err)
	}
	numbers, err := t.numbers(ctx)
	if err != nil {
		return nil, fmt.Errorf("search for a number: %w", err)
	}
	exact, err := t.exact(ctx, len(all) >= t.limit && !query.Unranked)
	if err != nil {
		return nil, fmt.Errorf("search for an address or a name: %w", err)
	}
	all = append(append(all, numbers...), exact...)
	return directory.Ranked(all, query.Text, query.Most()), nil
}

// A typed query is one for an account and an integration that exist.
type typed struct {
	store       *Store
	name        string // of the account
	account     int64
	integration int64 // 0: all
	book        int64 // 0: all contacts
	text        string
	limit       int
}

// typed is nil if no contact can be found.
func (s *Store) typed(ctx context.Context, account string, query directory.Query) (*typed, error) {
	t := &typed{store: s, name: account, text: query.Text, limit: max(directory.RankedMost, query.Limit)}
	if query.Unranked {
		t.limit = query.Most()
	}
	var err error
	if t.account, err = s.names.account(ctx, account); err != nil || t.account == 0 {
		return nil, err
	}
	if query.Book != "" {
		if t.book, err = bookKey(ctx, s.read, t.account, query.Book); err != nil || t.book == 0 {
			return nil, err
		}
	}
	if query.Integration == "" {
		return t, nil
	}
	err = s.read.QueryRowContext(ctx, "SELECT coalesce("+integrationOf+", 0)", account, query.Integration).Scan(&t.integration)
	if err != nil || t.integration == 0 {
		return nil, err
	}
	return t, nil
}

// words finds the contacts that have all words of the text.
//
// However many contacts have a beginning of up to [longestPrefix] letters, the index hands them out one by one. Those of a longer
// one it has to collect first, which takes long where a tenth of all contacts have it, as with the words of a company's own
// e-mail addresses. So the words' first letters are tried first: where most of what they find has the whole words, that is
// many, of which some were asked for; if that is few, all of them.
func (t *typed) words(ctx context.Context) ([]directory.Entry, error) {
	words := distinctive(directory.Fold(t.text))
	if len(words) == 0 || len(words) > maxWords {
		return nil, nil
	}
	beginnings := make([]string, len(words))
	for i, word := range words {
		beginnings[i] = directory.FirstLetters(word, longestPrefix)
	}
	found, err := t.indexed(ctx, t.expression("", beginnings))
	if err != nil || slices.Equal(words, beginnings) {
		return found, err
	}
	all := len(found) < t.limit
	found = slices.DeleteFunc(found, func(e directory.Entry) bool { return !hasWords(&e, words) })
	if all || len(found) > t.limit/2 {
		return found, nil
	}
	return t.indexed(ctx, t.expression("", words))
}

// exact finds the contacts with the text as their e-mail address. Where more contacts have its words than are ranked (many), it also finds
// those that have the words unabridged, so that contacts of exactly that name are among them.
func (t *typed) exact(ctx context.Context, many bool) (found []directory.Entry, err error) {
	if strings.Contains(t.text, "@") {
		address := string(quotedInto(nil, appendEmail(nil, mark(t.account), directory.FoldEmail(t.text))))
		if found, err = t.indexed(ctx, t.expression("", nil)+address); err != nil {
			return nil, err
		}
	}
	words := directory.Fold(t.text)
	if !many || len(words) > maxWords {
		return found, nil
	}
	whole := []byte(t.expression("", nil))
	for _, word := range words {
		whole = append(quotedInto(whole, append(utf8.AppendRune(nil, mark(t.account)), word...)), ' ')
	}
	named, err := t.indexed(ctx, string(whole))
	return append(found, named...), err
}

// maxWords is how many words can stand in a contact, and so in a text that finds one.
const maxWords = 64

// distinctive leaves out the words that are the beginning of another: a contact with that one has them too.
func distinctive(words []string) []string {
	slices.Sort(words)
	kept := words[:0]
	for i, word := range words {
		if i+1 == len(words) || !strings.HasPrefix(words[i+1], word) {
			kept = append(kept, word)
		}
	}
	return kept
}

func hasWords(e *directory.Entry, words []string) bool {
	terms := directory.Terms(&e.Contact)
	for _, word := range words {
		at, _ := slices.BinarySearch(terms, word)
		if at == len(terms) || !strings.HasPrefix(terms[at], word) {
			return false
		}
	}
	return true
}

// numbers finds the contacts with a number that begins or ends with the text, where it is one.
func (t *typed) numbers(ctx context.Context) ([]directory.Entry, error) {
	digits := directory.Digits(t.text)
	if digits == "" {
		return nil, nil
	}
	starts, err := t.indexed(ctx, t.expression("n", []string{digits}))
	if err != nil {
		return nil, err
	}
	least, greatest := endings(digits)
	from := directory.Reverse(digits)
	ends, err := t.store.entries(ctx, t.name, inNumbers, directory.MaxRanked, t.account, least, greatest, from, from+":", t.integration, t.integration, t.book, t.book, t.limit)
	return append(starts, ends...), err
}

// expression returns the query for the index: beginnings of words of one kind, all of them.
func (t *typed) expression(kind string, beginnings []string) string {
	var b []byte
	if t.integration != 0 {
		b = append(quotedInto(b, appendIntegration(nil, t.integration)), ' ')
	}
	if t.book != 0 {
		b = append(quotedInto(b, appendBook(nil, t.book)), ' ')
	}
	for _, beginning := range beginnings {
		b = append(quotedInto(b, append(utf8.AppendRune([]byte(kind), mark(t.account)), beginning...)), "* "...)
	}
	return string(b)
}

// quotedInto appends a word as an expression that finds it whole. Words hold letters and digits only.
func quotedInto(dst, word []byte) []byte { return append(append(append(dst, '"'), word...), '"') }

func (t *typed) indexed(ctx context.Context, expression string) ([]directory.Entry, error) {
	return t.store.entries(ctx, t.name, inIndex+` LIMIT ?`, directory.MaxRanked, t.account, expression, t.limit)
}

// entries reads the contacts that a query finds, at most so many bytes of them.
func (s *Store) entries(ctx context.Context, account, where string, most int, args ...any) (found []directory.Entry, err error) {
	rows, err := s.read.QueryContext(ctx, listEntries+where, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var data sql.RawBytes
		e := directory.Entry{Key: directory.Key{Account: account}}
		if err := rows.Scan(&e.Integration, &data); err != nil {
			return nil, err
		}
		if most -= len(data); most < 0 && len(found) > 0 {
			break
		}
		if err := e.Contact.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, rows.Err()
}
