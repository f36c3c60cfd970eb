package postgres

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/internal/postgresdb"
)

// A fate is what becomes of one id of a page.
type fate struct {
	pk      int64    // 0 for a contact that is new
	hash    [16]byte // of what is stored, then of what is to be
	there   bool     // in the directory, or earlier in the page
	rewrite bool
	record  int // the id's last record in the page
}

// put writes the contacts that are new or changed, and notes those that it shows again.
func (a *applier) put(ctx context.Context, records []directory.Record) error {
	if err := checkIDs(records); err != nil || len(records) == 0 {
		return err
	}
	fates, err := a.fates(ctx, records)
	if err != nil {
		return err
	}
	var made, changed []*fate
	var there []int64
	for _, f := range fates {
		switch {
		case f.pk == 0:
			made = append(made, f)
			continue
		case f.rewrite:
			changed = append(changed, f)
		}
		there = append(there, f.pk)
	}
	if err := a.keys(ctx, made); err != nil {
		return err
	}
	a.added += int64(len(made))
	if err := a.shown(ctx, there); err != nil {
		return err
	}
	a.rewrite(changed, records)
	if err := a.flush(ctx); err != nil {
		return err
	}
	if err := a.create(ctx, made, records); err != nil {
		return err
	}
	return a.writeNumbers(ctx, append(made, changed...), records)
}

// fates says what becomes of each of the page's ids, in their order, and counts it. An id that comes twice is counted twice.
func (a *applier) fates(ctx context.Context, records []directory.Record) ([]*fate, error) {
	byID := make(map[string]*fate, len(records))
	order := make([]*fate, 0, len(records))
	ids := make([][]byte, 0, len(records))
	all := make([]fate, len(records))
	for i := range records {
		id := records[i].Contact.ID
		if byID[id] == nil {
			byID[id] = &all[i]
			order = append(order, &all[i])
			ids = append(ids, []byte(id))
		}
	}
	rows, err := a.tx.Query(ctx, "SELECT named.id, c.pk, c.hash"+fromNamed, a.account, a.integration, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var id, hash []byte
	var pk int64
	for rows.Next() {
		if err := rows.Scan(&id, &pk, &hash); err != nil {
			return nil, err
		}
		f := byID[string(id)]
		f.pk, f.there = pk, true
		copy(f.hash[:], hash)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range records {
		if err := ctx.Err(); err != nil { // giant contacts take their time
			return nil, err
		}
		f := byID[records[i].Contact.ID]
		f.record = i
		a.decide(f, digest(&records[i]))
	}
	a.run.Contacts += int64(len(records))
	return order, nil
}

// decide counts what a record makes of its contact.
func (a *applier) decide(f *fate, hash [16]byte) {
	switch {
	case !f.there:
		f.there, f.rewrite = true, true
		a.run.Created++
	case f.hash != hash:
		f.rewrite = true
		a.run.Counts.Updated++
	default:
		a.run.Unchanged++
	}
	f.hash = hash
}

// digest is the hash of everything that is stored of a record: the same phones may give other numbers, in another region.
func digest(r *directory.Record) [16]byte {
	var space [512]byte
	hash := r.Contact.Hash()
	if len(r.Numbers) == 0 {
		return hash
	}
	b := append(space[:0], hash[:]...)
	for i := range r.Numbers {
		n := &r.Numbers[i]
		for _, s := range [...]string{n.E164, n.Match, n.Raw, n.Extension} {
			b = append(append(b, s...), 0)
		}
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// keys gives new contacts keys that no contact ever had: by them a run tells which contacts are older than itself.
func (a *applier) keys(ctx context.Context, made []*fate) error {
	if len(made) == 0 {
		return nil
	}
	rows, err := a.tx.Query(ctx, "SELECT nextval('contactbridge.contact_keys') FROM generate_series(1, $1)", len(made))
	if err != nil {
		return err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for i, f := range made {
		f.pk = keys[i]
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

func (a *applier) sheet(fates []*fate, records []directory.Record) *sheet {
	s := &sheet{}
	for _, f := range fates {
		r := &records[f.record]
		s.pks = append(s.pks, f.pk)
		s.ids = append(s.ids, []byte(r.Contact.ID))
		s.hashes = append(s.hashes, f.hash[:])
		s.data = append(s.data, a.json(r))
		s.words = append(s.words, vector(wordsOf(a.account, r)))
	}
	return s
}

const maxWord = 100 // bytes of a word that are kept: all words of a contact must not have more than 1 MiB

// Kinds of word, between the account and the word itself.
const (
	term   = "."
	email  = "@"
	digits = "#" // the beginning of a number
)

var quoting = strings.NewReplacer("'", "''", `\`, `\\`)

// word is what is kept of a word. Each begins with its account, so that one index answers for all of them and no account reads
// past another's words.
func word(account int32, kind, text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxWord)], "")
	return strconv.Itoa(int(account)) + kind + strings.ReplaceAll(text, "\x00", "")
}

// lexeme is a word as PostgreSQL writes it in a tsvector or a tsquery.
func lexeme(account int32, kind, text string) string {
	return "'" + quoting.Replace(word(account, kind, text)) + "'"
}

// wordsOf is what a contact is found by.
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
	words := wordsOf(account, r)
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

// create writes contacts that are new.
func (a *applier) create(ctx context.Context, made []*fate, records []directory.Record) error {
	rows := make([][]any, len(made))
	for i, f := range made {
		r := &records[f.record]
		rows[i] = []any{a.account, f.pk, a.integration, []byte(r.Contact.ID), f.hash[:], a.json(r), Words(a.account, r)}
	}
	return a.copy(ctx, "contacts", []string{"account", "pk", "integration", "id", "hash", "data", "words"}, rows)
}

// rewrite replaces what changed contacts say, and takes their numbers away.
func (a *applier) rewrite(changed []*fate, records []directory.Record) {
	if len(changed) == 0 {
		return
	}
	s := a.sheet(changed, records)
	a.writes.Queue(`INSERT INTO contactbridge.contacts (account, integration, pk, id, hash, data, words)
		SELECT $1, $2, c.pk, c.id, c.hash, c.data, c.words::tsvector FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[]) AS c (pk, id, hash, data, words)
		ON CONFLICT (account, pk) DO UPDATE SET hash = EXCLUDED.hash, data = EXCLUDED.data, words = EXCLUDED.words`,
		a.account, a.integration, s.pks, s.ids, s.hashes, s.data, s.words)
	for _, f := range changed {
		a.writes.Queue(deleteNumbers, a.account, f.pk)
	}
}

// writeNumbers writes the numbers of contacts that have none, or none left.
func (a *applier) writeNumbers(ctx context.Context, fates []*fate, records []directory.Record) error {
	rows := make([][]any, 0, min(2*len(fates), mostAtOnce))
	for _, f := range fates {
		if len(rows) >= mostAtOnce {
			if err := a.copyNumbers(ctx, rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
		numbers := records[f.record].Numbers
		for place := range numbers[:min(len(numbers), directory.MaxNumbers)] {
			n := &numbers[place]
			match := n.Match
			if n.E164 != "" {
				match = n.E164[1:]
			}
			if match == "" {
				continue
			}
			raw := n.Raw
			if raw == n.E164 {
				raw = "" // the usual case where the bridge formats numbers
			}
			rows = append(rows, []any{a.account, f.pk, int32(place), directory.Reverse(match), n.E164 != "", []byte(raw), []byte(n.Extension)})
		}
	}
	return a.copyNumbers(ctx, rows)
}

// mostAtOnce is how many rows are gathered before they are written: pages of giant contacts have millions of numbers.
const mostAtOnce = 10_000

func (a *applier) copyNumbers(ctx context.Context, rows [][]any) error {
	return a.copy(ctx, "numbers", []string{"account", "contact", "position", "reversed", "isfull", "raw", "extension"}, rows)
}

// copy streams rows into a table: the cheapest way in for rows that are not there yet.
func (a *applier) copy(ctx context.Context, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := a.tx.CopyFrom(ctx, pgx.Identifier{postgresdb.Schema, table}, columns, pgx.CopyFromRows(rows))
	return err
}
