package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/postgresdb"
)

// Keys implements [directory.PageTx].
func (p *pageTx) Keys(ctx context.Context, ids []string) ([]int64, error) {
	named := make([][]byte, len(ids))
	for i, id := range ids {
		named[i] = []byte(id)
	}
	return keysOf(ctx, p.tx, p.integrationKey, named)
}

// keysOf returns the keys of an integration's contacts with these ids.
func keysOf(ctx context.Context, tx pgx.Tx, at integrationKey, ids [][]byte) ([]int64, error) {
	rows, err := tx.Query(ctx, "SELECT c.pk"+fromNamed, at.account, at.integration, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// Find implements [directory.PageTx].
func (p *pageTx) Find(ctx context.Context, fates *directory.Fates) error {
	ids := make([][]byte, len(fates.List))
	for i, f := range fates.List {
		ids[i] = []byte(f.ID)
	}
	rows, err := p.tx.Query(ctx, "SELECT named.id, c.pk, c.hash"+fromNamed, p.account, p.integration, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id, hash []byte
	var pk int64
	for rows.Next() {
		if err := rows.Scan(&id, &pk, &hash); err != nil {
			return err
		}
		fates.Found(id, pk, hash)
	}
	return rows.Err()
}

// Write implements [directory.PageTx].
func (p *pageTx) Write(ctx context.Context, created, changed []*directory.Fate) error {
	if err := p.keys(ctx, created); err != nil {
		return err
	}
	if err := p.judgeBooks(ctx, created, changed); err != nil {
		return err
	}
	p.rewrite(changed)
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.create(ctx, created); err != nil {
		return err
	}
	return p.writeNumbers(ctx, append(created, changed...))
}

// keys gives new contacts keys that no contact ever had: by them a run tells which contacts are older than itself.
func (p *pageTx) keys(ctx context.Context, made []*directory.Fate) error {
	if len(made) == 0 {
		return nil
	}
	rows, err := p.tx.Query(ctx, "SELECT nextval('contactbridge.contact_keys') FROM generate_series(1, $1)", len(made))
	if err != nil {
		return err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for i, f := range made {
		f.Key = keys[i]
	}
	return nil
}

// A sheet is some contacts column by column, as arrays.
type sheet struct {
	pks    []int64
	ids    [][]byte
	hashes [][]byte
	data   [][]byte
	words  []string
}

func (p *pageTx) sheet(fates []*directory.Fate) *sheet {
	s := &sheet{}
	for _, f := range fates {
		r := f.Record
		s.pks = append(s.pks, f.Key)
		s.ids = append(s.ids, []byte(f.ID))
		s.hashes = append(s.hashes, f.Hash[:])
		s.data = append(s.data, f.JSON(&p.buffer))
		s.words = append(s.words, vector(append(wordsOf(p.account, r), p.bookWords(f.Key)...)))
	}
	return s
}

const maxWord = 100 // bytes of a word that are kept: all words of a contact must not have more than 1 MiB

// Kinds of word, between the account and the word itself.
const (
	term   = "."
	email  = "@"
	digits = "#" // the beginning of a number
	book   = "%" // that it is in
)

var quoting = strings.NewReplacer("'", "''", `\`, `\\`)

// word returns the stored form of a word. Each begins with its account, so that one index answers for all of them and no account reads
// past another's words.
func word(account int32, kind, text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxWord)], "")
	return strconv.Itoa(int(account)) + kind + strings.ReplaceAll(text, "\x00", "")
}

// lexeme is a word as PostgreSQL writes it in a tsvector or a tsquery.
func lexeme(account int32, kind, text string) string {
	return "'" + quoting.Replace(word(account, kind, text)) + "'"
}

// wordsOf returns the words by which a contact is found.
func wordsOf(account int32, r *directory.Record) []string {
	var words []string
	for _, t := range directory.Terms(&r.Contact) {
		words = append(words, word(account, term, t))
	}
	for _, address := range r.Contact.Emails[:min(len(r.Contact.Emails), directory.MaxEmails)] {
		if address = directory.FoldEmail(address); address != "" {
			words = append(words, word(account, email, address))
		}
	}
	for i := range r.Numbers[:min(len(r.Numbers), directory.MaxNumbers)] {
		whole, national := directory.Starts(&r.Numbers[i])
		words = append(words, word(account, digits, whole), word(account, digits, national))
	}
	return words
}

// Words returns what a contact is found by in this store: sorted, each word once.
func Words(account int32, r *directory.Record) pgtype.TSVector {
	return sorted(wordsOf(account, r))
}

func sorted(words []string) pgtype.TSVector {
	slices.Sort(words)
	words = slices.Compact(words)
	v := pgtype.TSVector{Valid: true, Lexemes: make([]pgtype.TSVectorLexeme, len(words))}
	for i, w := range words {
		v.Lexemes[i].Word = w
	}
	return v
}

// vector writes words as a tsvector.
func vector(words []string) string {
	var text strings.Builder
	for _, w := range words {
		text.WriteString("'")
		text.WriteString(quoting.Replace(w))
		text.WriteString("' ")
	}
	return text.String()
}

// create writes contacts that are new. Each row is made while PostgreSQL stores those before it.
func (p *pageTx) create(ctx context.Context, made []*directory.Fate) error {
	if len(made) == 0 {
		return nil
	}
	columns := []string{"account", "pk", "integration", "id", "hash", "data", "words", "changed"}
	return p.copy(ctx, "contacts", columns, pgx.CopyFromSlice(len(made), func(i int) ([]any, error) {
		f := made[i]
		p.buffer = p.buffer[:0] // the row before is encoded
		words := sorted(append(wordsOf(p.account, f.Record), p.bookWords(f.Key)...))
		return []any{p.account, f.Key, p.integration, []byte(f.ID), f.Hash[:], f.JSON(&p.buffer), words, p.Started.UnixMilli()}, ctx.Err()
	}))
}

// rewrite replaces what changed contacts say, and takes their numbers away.
func (p *pageTx) rewrite(changed []*directory.Fate) {
	if len(changed) == 0 {
		return
	}
	s := p.sheet(changed)
	p.writes.Queue(`INSERT INTO contactbridge.contacts (account, integration, pk, id, hash, data, words, changed)
		SELECT $1, $2, c.pk, c.id, c.hash, c.data, c.words::tsvector, $8 FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[]) AS c (pk, id, hash, data, words)
		ON CONFLICT (account, pk) DO UPDATE SET hash = EXCLUDED.hash, data = EXCLUDED.data, words = EXCLUDED.words, changed = EXCLUDED.changed`,
		p.account, p.integration, s.pks, s.ids, s.hashes, s.data, s.words, p.Started.UnixMilli())
	for _, f := range changed {
		p.writes.Queue(deleteNumbers, p.account, f.Key)
	}
}

// Rehash implements [directory.PageTx].
func (p *pageTx) Rehash(_ context.Context, same []*directory.Fate) error {
	for _, f := range same {
		p.writes.Queue(rehash, p.account, f.Key, f.Hash[:])
	}
	return nil
}

// writeNumbers writes the numbers of contacts that have none, or none left.
func (p *pageTx) writeNumbers(ctx context.Context, fates []*directory.Fate) error {
	if !slices.ContainsFunc(fates, func(f *directory.Fate) bool { return len(f.Record.Numbers) > 0 }) {
		return nil
	}
	columns := []string{"account", "contact", "position", "reversed", "isfull", "raw", "extension"}
	at, next := 0, 0 // contact, and place in its list
	return p.copy(ctx, "numbers", columns, pgx.CopyFromFunc(func() ([]any, error) {
		for at < len(fates) {
			f, place := fates[at], next
			if place == min(len(f.Record.Numbers), directory.MaxNumbers) {
				at, next = at+1, 0
				continue
			}
			next++
			n := &f.Record.Numbers[place]
			if match, full := n.Digits(); match != "" {
				return []any{p.account, f.Key, int32(place), directory.Reverse(match), full, []byte(n.Written()), []byte(n.Extension)}, ctx.Err()
			}
		}
		return nil, ctx.Err()
	}))
}

// copy streams rows into a table: the cheapest way in for rows that are not there yet.
func (p *pageTx) copy(ctx context.Context, table string, columns []string, rows pgx.CopyFromSource) error {
	_, err := p.tx.CopyFrom(ctx, pgx.Identifier{postgresdb.Schema, table}, columns, rows)
	return err
}
