package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

var (
	findMembers = many{begin: "SELECT contact, sort FROM members WHERE book = ? AND contact IN (", item: "?", end: ")", columns: 1}
	putMembers  = many{
		begin: "INSERT INTO members (book, contact, seq, sort) VALUES ", item: "(?, ?, ?, ?)", columns: 4,
		end: " ON CONFLICT (book, contact) DO UPDATE SET seq = excluded.seq, sort = excluded.sort",
	}
	deleteMembers = many{begin: "DELETE FROM members WHERE book = ? AND contact IN (", item: "?", end: ")", columns: 1}
	putWords      = many{begin: "INSERT OR IGNORE INTO member_words (book, word, sort, contact) VALUES ", item: "(?, ?, ?, ?)", columns: 4}
	putLeavers    = many{begin: "INSERT INTO leavers (book, seq, contact, at) VALUES ", item: "(?, ?, ?, ?)", columns: 4}
)

const (
	listBooks   = "SELECT pk, rule FROM books WHERE account = ? AND name IS NOT NULL ORDER BY pk"
	changeBook  = "UPDATE books SET seq = seq + ?, members = members + ? WHERE pk = ?"
	bookSeq     = "SELECT seq FROM books WHERE pk = ?"
	rejudgeBook = "UPDATE books SET walked = 0, upto = " + newestKey + " WHERE pk = ?"
	deleteWord  = "DELETE FROM member_words WHERE book = ? AND word = ? AND sort = ? AND contact = ?"
)

// A bookChange gathers what a transaction changes of one book.
type bookChange struct {
	pk      int64
	was     map[int64]string  // the sort keys of those that are members already
	in, out []directory.Place // seq is given when it is written
	added   int64
}

// writeWords keeps the words by which members are found.
func (b *bookChange) writeWords(ctx context.Context, tx *writer) error {
	forget := func(contact int64) error {
		for _, word := range directory.WordKeys(b.was[contact]) {
			if _, err := tx.ExecContext(ctx, deleteWord, b.pk, word, b.was[contact], contact); err != nil {
				return err
			}
		}
		return nil
	}
	values := make([]any, 0, 2*putWords.columns*len(b.in))
	for _, p := range b.in {
		if old, is := b.was[p.Key]; is && old == p.Sort {
			continue
		}
		if err := forget(p.Key); err != nil {
			return err
		}
		for _, word := range directory.WordKeys(p.Sort) {
			values = append(values, b.pk, word, p.Sort, p.Key)
		}
	}
	for _, p := range b.out {
		if err := forget(p.Key); err != nil {
			return err
		}
	}
	return tx.execMany(ctx, putWords, values)
}

// write writes the changes, each with a number of its own.
func (b *bookChange) write(ctx context.Context, tx *writer) error {
	if len(b.in)+len(b.out) == 0 {
		return nil
	}
	var seq int64
	if err := tx.queryRow(ctx, bookSeq, []any{b.pk}, &seq); err != nil {
		return err
	}
	now, first := tx.clock().UnixMilli(), seq
	values := make([]any, 0, putMembers.columns*len(b.in))
	for _, p := range b.in {
		seq++
		values = append(values, b.pk, p.Key, seq, p.Sort)
	}
	if err := tx.execMany(ctx, putMembers, values); err != nil {
		return err
	}
	if err := b.writeWords(ctx, tx); err != nil {
		return err
	}
	keys, left := make([]any, 0, len(b.out)), make([]any, 0, putLeavers.columns*len(b.out))
	for _, p := range b.out {
		seq++
		keys = append(keys, p.Key)
		left = append(left, b.pk, seq, p.Key, now)
	}
	err := deleteMembers.chunks(keys, func(text string, values []any) error {
		_, err := tx.ExecContext(ctx, text, append([]any{b.pk}, values...)...)
		return err
	})
	if err != nil {
		return err
	}
	if err := tx.execMany(ctx, putLeavers, left); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, changeBook, seq-first, b.added-int64(len(b.out)), b.pk)
	return err
}

// judgeBooks decides which books of its account each contact of a page is in.
func (p *pageTx) judgeBooks(ctx context.Context, created, changed []*directory.Fate) error {
	p.booksOf = nil
	if len(created)+len(changed) == 0 {
		return nil
	}
	type ruled struct {
		pk   int64
		rule string
	}
	var books []ruled
	err := p.tx.query(ctx, listBooks, []any{p.account}, func(rows *sql.Rows) error {
		var b ruled
		err := rows.Scan(&b.pk, &b.rule)
		books = append(books, b)
		return err
	})
	if err != nil || len(books) == 0 {
		return err
	}
	p.booksOf = map[int64][]int64{}
	keys := make([]int64, len(changed))
	for i, f := range changed {
		keys[i] = f.Key
	}
	for _, b := range books {
		judge := p.tx.rules.Of(b.rule)
		if judge == nil {
			if _, err := p.tx.ExecContext(ctx, rejudgeBook, b.pk); err != nil {
				return err
			}
		}
		was, err := membersAmong(ctx, p.tx, b.pk, keys)
		if err != nil {
			return err
		}
		change := bookChange{pk: b.pk, was: was}
		for _, f := range slices.Concat(created, changed) {
			_, before := was[f.Key]
			is := before
			if judge != nil {
				is = judge(p.Integration, &f.Record.Contact)
			}
			place := directory.Place{Key: f.Key}
			switch {
			case is:
				p.booksOf[f.Key] = append(p.booksOf[f.Key], b.pk)
				place.Sort = directory.SortKey(&f.Record.Contact)
				change.in = append(change.in, place)
				if !before {
					change.added++
				}
			case before:
				change.out = append(change.out, place)
			}
		}
		if err := change.write(ctx, p.tx); err != nil {
			return err
		}
	}
	return nil
}

// membersAmong returns the sort keys of those contacts that are in a book.
func membersAmong(ctx context.Context, tx *writer, book int64, contacts []int64) (map[int64]string, error) {
	are := map[int64]string{}
	err := tx.queryMany(ctx, findMembers, []any{book}, anyOf(contacts), func(rows *sql.Rows) error {
		var pk int64
		var sort string
		err := rows.Scan(&pk, &sort)
		are[pk] = sort
		return err
	})
	return are, err
}

// allBooks returns the keys of the books of all accounts.
func allBooks(ctx context.Context, tx *writer) (books []int64, err error) {
	err = tx.query(ctx, "SELECT pk FROM books", nil, func(rows *sql.Rows) error {
		var pk int64
		err := rows.Scan(&pk)
		books = append(books, pk)
		return err
	})
	return books, err
}

// leaveBooks takes contacts that are deleted out of all books.
func leaveBooks(ctx context.Context, tx *writer, contacts []int64) error {
	books, err := allBooks(ctx, tx)
	if err != nil {
		return err
	}
	for _, book := range books {
		are, err := membersAmong(ctx, tx, book, contacts)
		if err != nil {
			return err
		}
		change := bookChange{pk: book, was: are}
		for _, pk := range slices.Sorted(maps.Keys(are)) {
			change.out = append(change.out, directory.Place{Key: pk})
		}
		if err := change.write(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// SetBooks implements [directory.Books].
func (s *Store) SetBooks(ctx context.Context, books []directory.Book) error {
	err := s.writer.transaction(ctx, func(tx *writer) error {
		kept := []any{}
		for _, b := range books {
			pk, err := setBook(ctx, tx, b)
			if err != nil {
				return err
			}
			kept = append(kept, pk)
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(kept)), ", ")
		// Not prepared: its text depends on how many books there are.
		_, err := tx.conn.ExecContext(ctx, "UPDATE books SET name = NULL WHERE name IS NOT NULL AND pk NOT IN ("+marks+")", kept...)
		return err
	})
	if err != nil {
		return fmt.Errorf("declare the phonebooks: %w", err)
	}
	return nil
}

const renewBooks = "UPDATE books SET epoch = randomblob(8)"

// RenewBooks implements [directory.Books].
func (s *Store) RenewBooks(ctx context.Context) error {
	err := s.writer.transaction(ctx, func(tx *writer) error {
		_, err := tx.ExecContext(ctx, renewBooks)
		return err
	})
	if err != nil {
		return fmt.Errorf("renew the phonebooks: %w", err)
	}
	return nil
}

func setBook(ctx context.Context, tx *writer, b directory.Book) (pk int64, err error) {
	if _, err := tx.ExecContext(ctx, "INSERT INTO accounts (name) VALUES (?) ON CONFLICT DO NOTHING", b.Account); err != nil {
		return 0, err
	}
	var account int64
	if err := tx.queryRow(ctx, "SELECT pk FROM accounts WHERE name = ?", []any{b.Account}, &account); err != nil {
		return 0, err
	}
	var rule string
	err = tx.queryRow(ctx, "SELECT pk, rule FROM books WHERE account = ? AND name = ?", []any{account, b.Name}, &pk, &rule)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		epoch, secret := make([]byte, 8), make([]byte, 16)
		_, _ = rand.Read(epoch) // never fails
		_, _ = rand.Read(secret)
		result, err := tx.ExecContext(ctx, "INSERT INTO books (account, name, rule, epoch, secret, upto) VALUES (?, ?, ?, ?, ?, "+newestKey+")", account, b.Name, b.Rule, epoch, secret)
		if err != nil {
			return 0, err
		}
		return result.LastInsertId()
	case err != nil || rule == b.Rule:
		return pk, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE books SET rule = ?, walked = 0, upto = "+newestKey+" WHERE pk = ?", b.Rule, pk)
	return pk, err
}

// bookKey returns a book's pk; 0 where there is none.
func bookKey(ctx context.Context, db *sql.DB, account int64, name string) (pk int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT pk FROM books WHERE account = ? AND name = ?", account, name).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return pk, err
}

// Book implements [directory.Books].
func (s *Store) Book(ctx context.Context, key directory.BookKey) (directory.BookState, error) {
	var epoch, secret []byte
	var seq, floor, members, walked, upto int64
	var filled bool
	err := s.read.QueryRowContext(ctx, `SELECT b.epoch, b.secret, b.seq, b.floor, b.members, b.walked, b.upto, b.filled
		FROM books b JOIN accounts a ON a.pk = b.account WHERE a.name = ? AND b.name = ?`, key.Account, key.Name).
		Scan(&epoch, &secret, &seq, &floor, &members, &walked, &upto, &filled)
	if errors.Is(err, sql.ErrNoRows) {
		return directory.BookState{}, fmt.Errorf("phonebook %s: %w", key.Name, directory.ErrNotFound)
	}
	if err != nil {
		return directory.BookState{}, fmt.Errorf("read the state of the phonebook %s: %w", key.Name, err)
	}
	b := directory.NewBookState(secret)
	b.BookKey, b.Epoch, b.Seq, b.Floor, b.Members, b.Filled, b.Filling = key, hex.EncodeToString(epoch), seq, floor, members, filled, walked < upto || !filled
	return b, nil
}

// BookNames implements [directory.Books].
func (s *Store) BookNames(ctx context.Context, account string) (names []string, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT b.name FROM books b JOIN accounts a ON a.pk = b.account WHERE a.name = ? AND b.name IS NOT NULL ORDER BY b.name", account)
	if err != nil {
		return nil, fmt.Errorf("list the phonebooks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// bookOf is the key of a book. Its parameters are the first ones of a statement.
const bookOf = "(SELECT b.pk FROM books b JOIN accounts a ON a.pk = b.account WHERE a.name = ?1 AND b.name = ?2)"

// Members implements [directory.Books].
func (s *Store) Members(ctx context.Context, book directory.BookState, q directory.MemberQuery, visit func(*directory.Member) error) error {
	read := s.entriesAt(ctx, book.Account)
	if q.Bare {
		read = nil
	}
	if len(q.Begins) > 0 {
		places, err := s.beginning(ctx, &book, &q)
		if err != nil {
			return fmt.Errorf("list the members of a phonebook: %w", err)
		}
		return directory.VisitPlaces(&book, places, read, visit)
	}
	if q.ByCard || !q.ByChange && q.To == "" && len(q.Contains) == 0 && q.Within == 0 {
		places, err := s.usualPlaces(ctx, &book, &q)
		if err != nil {
			return fmt.Errorf("list the members of a phonebook: %w", err)
		}
		return directory.VisitPlaces(&book, places, read, visit)
	}
	text := "SELECT contact, seq, sort FROM members WHERE book = " + bookOf
	args := []any{book.Account, book.Name}
	order := "sort, contact"
	if q.ByChange {
		order = "seq DESC"
	} else if q.From != "" {
		text, args = text+" AND sort >= ?", append(args, q.From)
	}
	if !q.ByChange && q.To != "" {
		text, args = text+" AND sort < ?", append(args, q.To)
	}
	if len(q.Contains) > 0 { // folded: there is no character that LIKE reads in another way
		text, args = text+" AND sort LIKE ?", append(args, "%"+strings.Join(q.Contains, "%")+"%")
	}
	within := ctx
	if q.Within > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, q.Within)
		defer cancel()
	}
	places, err := s.places(within, text+" ORDER BY "+order+" LIMIT ? OFFSET ?", append(args, q.Limit, q.Offset)...)
	late := err != nil && within.Err() != nil && ctx.Err() == nil
	if err != nil && !late {
		return fmt.Errorf("list the members of a phonebook: %w", err)
	}
	if err := directory.VisitPlaces(&book, places, read, visit); err != nil {
		return err
	}
	if late {
		return directory.ErrTooLong
	}
	return nil
}

// usualPlaces are those that most readers of phonebooks ask for, by statements that are prepared.
func (s *Store) usualPlaces(ctx context.Context, book *directory.BookState, q *directory.MemberQuery) (places []directory.Place, err error) {
	query, args := placesByName, []any{book.Account, book.Name, q.From, int64(q.Limit), int64(q.Offset)}
	if q.ByCard {
		after, _ := book.KeyOf(q.After) // 0: from the first one on
		query, args = placesByPK, []any{book.Account, book.Name, after, int64(q.Limit)}
	}
	err = s.books.query(ctx, query, args, func(_ *reader, values []driver.Value) error {
		places = append(places, directory.Place{Key: values[0].(int64), Seq: values[1].(int64), Sort: values[2].(string)})
		return nil
	})
	return places, err
}

// beginning finds the members with beginnings of words.
func (s *Store) beginning(ctx context.Context, book *directory.BookState, q *directory.MemberQuery) ([]directory.Place, error) {
	var pk int64
	if err := s.read.QueryRowContext(ctx, "SELECT coalesce("+bookOf+", 0)", book.Account, book.Name).Scan(&pk); err != nil || pk == 0 {
		return nil, err
	}
	bounds := func(text string, args []any) (string, []any) {
		if q.From != "" {
			text, args = text+" AND sort >= ?", append(args, q.From)
		}
		if q.To != "" {
			text, args = text+" AND sort < ?", append(args, q.To)
		}
		return text, args
	}
	var lists [][]directory.Place
	walks := directory.WordWalks(q.Begins)
	for _, walk := range walks {
		keys := []string{walk.Key}
		if walk.Short {
			var err error
			if keys, err = s.wordKeys(ctx, pk, walk.Key); err != nil {
				return nil, err
			}
			if len(keys) > directory.MostWordKeys {
				return s.beginningOfAny(ctx, pk, walks, q, bounds)
			}
		}
		for _, key := range keys {
			text, args := bounds("SELECT contact, sort FROM member_words WHERE book = ? AND word = ?", []any{pk, key})
			for _, other := range walk.Others {
				text, args = text+" AND instr(' ' || sort, ?)", append(args, other)
			}
			found, err := s.places(ctx, "SELECT w.contact, m.seq, w.sort FROM ("+text+" ORDER BY sort, contact LIMIT ?) w CROSS JOIN members m ON m.book = ? AND m.contact = w.contact",
				append(args, q.Offset+q.Limit, pk)...)
			if err != nil {
				return nil, err
			}
			lists = append(lists, found)
		}
	}
	return directory.MergePlaces(lists, q.Offset, q.Limit), nil
}

// wordKeys returns the keys that begin with a text, at most one more than [directory.MostWordKeys].
func (s *Store) wordKeys(ctx context.Context, book int64, start string) (keys []string, err error) {
	rows, err := s.read.QueryContext(ctx, `WITH RECURSIVE keys (word) AS (
			SELECT min(word) FROM member_words WHERE book = ?1 AND word >= ?2
			UNION ALL SELECT (SELECT min(word) FROM member_words WHERE book = ?1 AND word > keys.word) FROM keys WHERE keys.word < ?3
		) SELECT word FROM keys WHERE word < ?3 LIMIT ?4`, book, start, start+"\U0010ffff", directory.MostWordKeys+1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// beginningOfAny goes through all members.
func (s *Store) beginningOfAny(ctx context.Context, book int64, walks []directory.WordWalk, q *directory.MemberQuery, bounds func(string, []any) (string, []any)) ([]directory.Place, error) {
	text, args := bounds("SELECT contact, seq, sort FROM members WHERE book = ?", []any{book})
	var any []string
	for _, walk := range walks {
		var all []string
		for _, part := range append(walk.Others, " "+walk.Key) {
			all, args = append(all, "instr(' ' || sort, ?)"), append(args, part)
		}
		any = append(any, strings.Join(all, " AND "))
	}
	return s.places(ctx, text+" AND ("+strings.Join(any, " OR ")+") ORDER BY sort, contact LIMIT ? OFFSET ?", append(args, q.Limit, q.Offset)...)
}

// MembersBefore implements [directory.Books].
func (s *Store) MembersBefore(ctx context.Context, book directory.BookState, sort string) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT count(*) FROM members WHERE book = "+bookOf+" AND sort < ?", book.Account, book.Name, sort).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the members of a phonebook: %w", err)
	}
	return n, nil
}

// places returns what was found before an error too.
func (s *Store) places(ctx context.Context, query string, args ...any) (places []directory.Place, err error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p directory.Place
		if err := rows.Scan(&p.Key, &p.Seq, &p.Sort); err != nil {
			return places, err
		}
		places = append(places, p)
	}
	return places, rows.Err()
}

const (
	placesByPK   = "SELECT contact, seq, sort FROM members WHERE book = " + bookOf + " AND contact > ? ORDER BY contact LIMIT ?"
	placesByName = "SELECT contact, seq, sort FROM members WHERE book = " + bookOf + " AND sort >= ? ORDER BY sort, contact LIMIT ? OFFSET ?"
	entriesByKey = `SELECT k.key, i.name, c.data FROM json_each(?1) k CROSS JOIN contacts c ON c.pk = k.value CROSS JOIN integrations i ON i.pk = c.integration
		WHERE i.name IS NOT NULL`
	membersByKey = `SELECT m.contact, m.seq, m.sort, i.name, c.data FROM json_each(?3) k CROSS JOIN members m ON m.book = ` + bookOf + ` AND m.contact = k.value
		CROSS JOIN contacts c ON c.pk = m.contact CROSS JOIN integrations i ON i.pk = c.integration WHERE i.name IS NOT NULL`
)

// bookQueries are those that phonebooks are read by.
func bookQueries() []string { return []string{placesByPK, placesByName, entriesByKey, membersByKey} }

// keyList is keys as JSON, so that one statement finds any number of them, in their order.
func keyList[T any](from []T, key func(*T) int64) string {
	b := []byte{'['}
	for i := range from {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, key(&from[i]), 10)
	}
	return string(append(b, ']'))
}

// entriesAt reads contacts by their keys.
func (s *Store) entriesAt(ctx context.Context, account string) func([]directory.Place, func(int, *directory.Entry)) error {
	return func(places []directory.Place, found func(int, *directory.Entry)) error {
		keys := keyList(places, func(p *directory.Place) int64 { return p.Key })
		err := s.books.query(ctx, entriesByKey, []any{keys}, func(r *reader, values []driver.Value) error {
			e := directory.Entry{Key: directory.Key{Account: account, Integration: values[1].(string)}}
			if err := r.decode(&e.Contact, values[2].([]byte)); err != nil {
				return err
			}
			found(int(values[0].(int64)), &e)
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the contacts of a phonebook: %w", err)
		}
		return nil
	}
}

// gather is [directory.VisitPlaces] into a list.
func (s *Store) gather(ctx context.Context, book *directory.BookState, places []directory.Place) ([]directory.Member, error) {
	members := make([]directory.Member, 0, len(places))
	err := directory.VisitPlaces(book, places, s.entriesAt(ctx, book.Account), func(m *directory.Member) error {
		members = append(members, *m)
		return nil
	})
	return members, err
}

// placesOf returns the places of those contacts that are in the book. contacts is a condition on contacts c, with a mark for each value.
func (s *Store) placesOf(ctx context.Context, book *directory.BookState, contacts many, first, values []any) (places []directory.Place, err error) {
	err = contacts.chunks(values, func(text string, values []any) error {
		args := append(append([]any{book.Account, book.Name}, first...), values...)
		some, err := s.places(ctx, text, args...)
		places = append(places, some...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find contacts in a phonebook: %w", err)
	}
	return places, nil
}

var placesByID = many{
	begin: "SELECT m.contact, m.seq, m.sort FROM contacts c CROSS JOIN members m ON m.book = " + bookOf + " AND m.contact = c.pk WHERE c.integration = " + integrationOf + " AND c.id IN (",
	item:  "?", end: ")", columns: 1,
}

// MembersOf implements [directory.Books].
func (s *Store) MembersOf(ctx context.Context, book directory.BookState, refs []directory.Ref) ([]directory.Member, error) {
	var places []directory.Place
	for integration, some := range directory.IDsByIntegration(refs) {
		found, err := s.placesOf(ctx, &book, placesByID, []any{book.Account, integration}, anyOf(some))
		if err != nil {
			return nil, err
		}
		places = append(places, found...)
	}
	return s.gather(ctx, &book, places)
}

// ByCard implements [directory.Books].
func (s *Store) ByCard(ctx context.Context, book directory.BookState, cards []string) ([]directory.Member, error) {
	keys, known := make([]int64, 0, len(cards)), make([]string, 0, len(cards))
	for _, card := range cards {
		if key, ok := book.KeyOf(card); ok {
			keys, known = append(keys, key), append(known, card)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	at := 0
	members := make([]directory.Member, 0, len(keys))
	list := keyList(keys, func(key *int64) int64 { return *key })
	err := s.books.query(ctx, membersByKey, []any{book.Account, book.Name, list}, func(r *reader, values []driver.Value) error {
		at += slices.Index(keys[at:], values[0].(int64)) // they come in their order
		m := directory.Member{Card: known[at], Seq: values[1].(int64), Sort: values[2].(string)}
		m.Key = directory.Key{Account: book.Account, Integration: values[3].(string)}
		at++
		err := r.decode(&m.Contact, values[4].([]byte))
		members = append(members, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the contacts of a phonebook: %w", err)
	}
	return members, nil
}

// BookChanges implements [directory.Books].
func (s *Store) BookChanges(ctx context.Context, book directory.BookState, since int64, limit int) (c directory.Changes, err error) {
	// Two reads that must see one state.
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return c, fmt.Errorf("list what changed in a phonebook: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	places, left, err := bookChanges(ctx, tx, &book, since, limit)
	if err != nil {
		return c, fmt.Errorf("list what changed in a phonebook: %w", err)
	}
	_ = tx.Rollback()
	return directory.NewChanges(&book, places, left, limit, func(places []directory.Place) ([]directory.Member, error) { return s.gather(ctx, &book, places) })
}

func bookChanges(ctx context.Context, tx *sql.Tx, book *directory.BookState, since int64, limit int) (places, left []directory.Place, err error) {
	if err := tx.QueryRowContext(ctx, "SELECT seq FROM books WHERE pk = "+bookOf, book.Account, book.Name).Scan(&book.Seq); err != nil {
		return nil, nil, err
	}
	read := func(text string) (places []directory.Place, err error) {
		rows, err := tx.QueryContext(ctx, text, book.Account, book.Name, since, limit+1)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var p directory.Place
			if err := rows.Scan(&p.Key, &p.Seq, &p.Sort); err != nil {
				return nil, err
			}
			places = append(places, p)
		}
		return places, rows.Err()
	}
	if places, err = read("SELECT contact, seq, sort FROM members WHERE book = " + bookOf + " AND seq > ? ORDER BY seq LIMIT ?"); err != nil {
		return nil, nil, err
	}
	left, err = read("SELECT contact, seq, '' FROM leavers WHERE book = " + bookOf + " AND seq > ? ORDER BY seq LIMIT ?")
	return places, left, err
}

const (
	walkAtOnce  = 500  // contacts that a transaction judges
	clearAtOnce = 2000 // rows of removed books that a transaction deletes
)

// FillBooks implements [directory.Books].
func (s *Store) FillBooks(ctx context.Context) (more bool, err error) {
	err = s.writer.transaction(ctx, func(tx *writer) (err error) {
		if more, err = clearBooks(ctx, tx); more || err != nil {
			return err
		}
		more, err = walkBooks(ctx, tx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("fill the phonebooks: %w", err)
	}
	return more, nil
}

// clearBooks deletes some of what is left of removed books. Their words stay in the search index, where nobody looks for them.
func clearBooks(ctx context.Context, tx *writer) (more bool, err error) {
	var pk int64
	err = tx.queryRow(ctx, "SELECT coalesce(min(pk), 0) FROM books WHERE name IS NULL", nil, &pk)
	if err != nil || pk == 0 {
		return false, err
	}
	for _, statement := range []string{
		"DELETE FROM members WHERE book = ?1 AND contact IN (SELECT contact FROM members WHERE book = ?1 LIMIT ?2)",
		"DELETE FROM member_words WHERE book = ?1 AND (word, sort, contact) IN (SELECT word, sort, contact FROM member_words WHERE book = ?1 LIMIT ?2)",
		"DELETE FROM leavers WHERE book = ?1 AND seq IN (SELECT seq FROM leavers WHERE book = ?1 LIMIT ?2)",
	} {
		result, err := tx.ExecContext(ctx, statement, pk, clearAtOnce)
		if err != nil {
			return false, err
		}
		if n, err := result.RowsAffected(); n > 0 || err != nil {
			return true, err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM books WHERE pk = ?", pk)
	return true, err
}

// A walked contact is one that a book's rule is to judge.
type walked struct {
	pk          int64
	integration string
	contact     contact.Contact
}

// walkBooks judges some contacts by the rule of one book that has not judged all of them.
func walkBooks(ctx context.Context, tx *writer) (more bool, err error) {
	var book, account, after, upto int64
	var rule string
	err = tx.queryRow(ctx, "SELECT pk, account, rule, walked, upto FROM books WHERE name IS NOT NULL AND (walked < upto OR NOT filled) ORDER BY pk LIMIT 1", nil,
		&book, &account, &rule, &after, &upto)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	judge := tx.rules.Of(rule)
	if judge == nil {
		return false, errors.New("this process cannot say who is in a phonebook")
	}
	some, err := toWalk(ctx, tx, account, after, upto)
	if err != nil {
		return false, err
	}
	if err := walk(ctx, tx, book, judge, some); err != nil {
		return false, err
	}
	if len(some) == walkAtOnce {
		upto = some[len(some)-1].pk
		_, err = tx.ExecContext(ctx, "UPDATE books SET walked = ? WHERE pk = ?", upto, book)
		return true, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE books SET walked = upto, filled = 1 WHERE pk = ?", book)
	return true, err
}

func toWalk(ctx context.Context, tx *writer, account, after, upto int64) (some []walked, err error) {
	err = tx.query(ctx, `SELECT c.pk, i.name, c.data FROM contacts c JOIN integrations i ON i.pk = c.integration
		WHERE c.pk > ? AND c.pk <= ? AND i.account = ? AND i.name IS NOT NULL ORDER BY c.pk LIMIT ?`, []any{after, upto, account, walkAtOnce}, func(rows *sql.Rows) error {
		var w walked
		var data sql.RawBytes
		if err := rows.Scan(&w.pk, &w.integration, &data); err != nil {
			return err
		}
		err := w.contact.UnmarshalJSON(data)
		some = append(some, w)
		return err
	})
	return some, err
}

func walk(ctx context.Context, tx *writer, book int64, judge directory.Judge, some []walked) error {
	keys := make([]int64, len(some))
	for i := range some {
		keys[i] = some[i].pk
	}
	was, err := membersAmong(ctx, tx, book, keys)
	if err != nil {
		return err
	}
	change, word := bookChange{pk: book, was: was}, " "+string(appendBook(nil, book))
	for i := range some {
		w := &some[i]
		is := judge(w.integration, &w.contact)
		if _, before := was[w.pk]; is == before {
			continue
		}
		terms, err := termsOf(ctx, tx, w.pk)
		if err != nil {
			return err
		}
		place := directory.Place{Key: w.pk, Sort: directory.SortKey(&w.contact)}
		if is {
			change.in = append(change.in, place)
			change.added++
			terms += word
		} else {
			change.out = append(change.out, place)
			terms = strings.TrimSpace(strings.ReplaceAll(terms+" ", word+" ", " "))
		}
		if err := setTerms(ctx, tx, w.pk, terms); err != nil {
			return err
		}
	}
	return change.write(ctx, tx)
}

// forgetLeavers forgets who left books long ago.
func forgetLeavers(ctx context.Context, tx *writer) error {
	before := tx.clock().Add(-directory.LeftFor).UnixMilli()
	if _, err := tx.ExecContext(ctx, `UPDATE books SET floor = max(floor, coalesce((SELECT max(seq) FROM leavers l WHERE l.book = books.pk AND l.at < ?1), 0))
		WHERE EXISTS (SELECT 1 FROM leavers l WHERE l.book = books.pk AND l.at < ?1)`, before); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM leavers WHERE at < ?", before)
	return err
}
