package postgres

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/directory"
)

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
	return strconv.Itoa(int(account)) + kind + kept(text)
}

// kept returns what is kept of a word.
func kept(text string) string {
	text = text[:min(len(text), maxWord)]
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "")
	}
	return strings.ReplaceAll(text, "\x00", "")
}

// lexeme is a word as PostgreSQL writes it in a tsvector or a tsquery.
func lexeme(account int32, kind, text string) string {
	return "'" + quoting.Replace(word(account, kind, text)) + "'"
}

// A lexicon collects the words of one contact after the other, in memory that it keeps.
type lexicon struct {
	text  []byte
	ends  []int
	words []string // sorted, each once
}

// of returns the words by which a contact is found, until it is called again. The books are those that the contact is in.
func (l *lexicon) of(account int32, r *directory.Record, books []int32) *lexicon {
	l.text, l.ends, l.words = l.text[:0], l.ends[:0], l.words[:0]
	for _, t := range directory.Terms(&r.Contact) {
		l.add(account, term, t)
	}
	for _, address := range r.Contact.Emails[:min(len(r.Contact.Emails), directory.MaxEmails)] {
		if address = directory.FoldEmail(address); address != "" {
			l.add(account, email, address)
		}
	}
	for i := range r.Numbers[:min(len(r.Numbers), directory.MaxNumbers)] {
		whole, national := directory.Starts(&r.Numbers[i])
		l.add(account, digits, whole)
		l.add(account, digits, national)
	}
	for _, id := range books {
		l.add(account, book, strconv.Itoa(int(id)))
	}
	text, start := string(l.text), 0
	for _, end := range l.ends {
		l.words = append(l.words, text[start:end])
		start = end
	}
	slices.Sort(l.words)
	l.words = slices.Compact(l.words)
	return l
}

func (l *lexicon) add(account int32, kind, text string) {
	l.text = append(append(strconv.AppendInt(l.text, int64(account), 10), kind...), kept(text)...)
	l.ends = append(l.ends, len(l.text))
}

// appendVector appends the words as a tsvector in PostgreSQL's binary format.
func (l *lexicon) appendVector(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.words)))
	for _, w := range l.words {
		dst = append(append(dst, w...), 0, 0, 0) // its end, and that it has no positions
	}
	return dst
}

// vector writes words as a tsvector in PostgreSQL's text format.
func vector(words []string) string {
	var text strings.Builder
	for _, w := range words {
		text.WriteString("'")
		text.WriteString(quoting.Replace(w))
		text.WriteString("' ")
	}
	return text.String()
}

// Words returns what a contact is found by in this store: sorted, each word once.
func Words(account int32, r *directory.Record) pgtype.TSVector {
	words := new(lexicon).of(account, r, nil).words
	v := pgtype.TSVector{Valid: true, Lexemes: make([]pgtype.TSVectorLexeme, len(words))}
	for i, w := range words {
		v.Lexemes[i].Word = w
	}
	return v
}
