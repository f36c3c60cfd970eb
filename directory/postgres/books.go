package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// A transaction that writes contacts has locked their integration's row, and one that judges contacts by a new rule locks those of
// all integrations of the account: so either sees what the other one did. The row of a book is locked last, and until the
// transaction ends: whoever sees a change of a book sees all earlier ones.

// A bookChange gathers what a transaction changes of one book.
type bookChange struct {
	id      int32
	was     map[int64]string  // the sort keys of those that are members already
	in, out []directory.Place // seq is given when it is written
	added   int64
}

func (b *bookChange) size() int64 { return int64(len(b.in) + len(b.out)) }

// writeBooks writes changes, each with a number of its own. A book may stand there several times.
func (s *Store) writeBooks(ctx context.Context, tx pgx.Tx, account int32, changes []*bookChange) error {
	slices.SortStableFunc(changes, func(a, b *bookChange) int { return cmp.Compare(a.id, b.id) })
	for _, b := range changes {
		if b.size() == 0 {
			continue
		}
		if err := s.writeBook(ctx, tx, account, b); err != nil {
			return err
		}
	}
	return nil
}

// queueWords keeps the words by which members are found.
func (b *bookChange) queueWords(writes *pgx.Batch, account int32) {
	type rows struct {
		words, sorts []string
		keys         []int64
	}
	var gone, come rows
	add := func(to *rows, contact int64, sort string) {
		for _, word := range directory.WordKeys(sort) {
			to.words, to.sorts, to.keys = append(to.words, word), append(to.sorts, sort), append(to.keys, contact)
		}
	}
	for _, p := range b.in {
		sort := keptSort(p.Sort)
		old, is := b.was[p.Key]
		if is && old == sort {
			continue
		}
		add(&gone, p.Key, old)
		add(&come, p.Key, sort)
	}
	for _, p := range b.out {
		add(&gone, p.Key, b.was[p.Key])
	}
	const named = "unnest($3::text[], $4::text[], $5::bigint[]) AS w (word, sort, contact)"
	if len(gone.keys) > 0 {
		writes.Queue(`DELETE FROM contactbridge.member_words m USING `+named+` WHERE m.account = $1 AND m.book = $2 AND m.word = w.word
			AND m.sort = w.sort AND m.contact = w.contact`, account, b.id, gone.words, gone.sorts, gone.keys)
	}
	if len(come.keys) > 0 {
		writes.Queue("INSERT INTO contactbridge.member_words (account, book, word, sort, contact) SELECT $1, $2, w.word, w.sort, w.contact FROM "+named+" ON CONFLICT DO NOTHING",
			account, b.id, come.words, come.sorts, come.keys)
	}
}

// keptSort is a sort key as the database can hold it.
func keptSort(sort string) string { return strings.ReplaceAll(sort, "\x00", "") }

func (s *Store) writeBook(ctx context.Context, tx pgx.Tx, account int32, b *bookChange) error {
	now, err := s.now(ctx, tx)
	if err != nil {
		return err
	}
	var seq int64
	err = tx.QueryRow(ctx, "UPDATE contactbridge.books SET seq = seq + $3, members = members + $4 WHERE account = $1 AND id = $2 RETURNING seq - $3",
		account, b.id, b.size(), b.added-int64(len(b.out))).Scan(&seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	var writes pgx.Batch
	b.queueWords(&writes, account)
	if len(b.in) > 0 {
		keys, sorts := make([]int64, len(b.in)), make([]string, len(b.in))
		for i, p := range b.in {
			keys[i], sorts[i] = p.Key, keptSort(p.Sort)
		}
		writes.Queue(`INSERT INTO contactbridge.members (account, book, contact, seq, sort)
			SELECT $1, $2, m.contact, $3 + m.n, m.sort FROM unnest($4::bigint[], $5::text[]) WITH ORDINALITY AS m (contact, sort, n)
			ON CONFLICT (account, book, contact) DO UPDATE SET seq = EXCLUDED.seq, sort = EXCLUDED.sort`, account, b.id, seq, keys, sorts)
	}
	if len(b.out) > 0 {
		keys := make([]int64, len(b.out))
		for i, p := range b.out {
			keys[i] = p.Key
			writes.Queue("DELETE FROM contactbridge.members WHERE account = (SELECT $1::int) AND book = $2 AND contact = $3", account, b.id, p.Key)
		}
		writes.Queue(`INSERT INTO contactbridge.leavers (account, book, seq, contact, at)
			SELECT $1, $2, $3 + m.n, m.contact, $5 FROM unnest($4::bigint[]) WITH ORDINALITY AS m (contact, n)`, account, b.id, seq+int64(len(b.in)), keys, now.UnixMilli())
	}
	return tx.SendBatch(ctx, &writes).Close()
}

// A ruledBook is a book of an account, with its rule.
type ruledBook struct {
	id   int32
	rule string
}

const booksOfAccount = "SELECT id, rule FROM contactbridge.books WHERE account = $1 AND name IS NOT NULL ORDER BY id"

func booksOf(ctx context.Context, tx pgx.Tx, account int32) ([]ruledBook, error) {
	rows, err := tx.Query(ctx, booksOfAccount, account)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, readBook)
}

func readBook(row pgx.CollectableRow) (b ruledBook, err error) {
	err = row.Scan(&b.id, (*directory.Text)(&b.rule))
	return b, err
}

// membersAmong returns the sort keys of those contacts that are in a book.
func membersAmong(ctx context.Context, tx pgx.Tx, account, book int32, contacts []int64) (map[int64]string, error) {
	are := map[int64]string{}
	if len(contacts) == 0 {
		return are, nil
	}
	rows, err := tx.Query(ctx, `SELECT m.contact, m.sort FROM unnest($3::bigint[]) AS named (pk) CROSS JOIN LATERAL (SELECT contact, sort FROM contactbridge.members
		WHERE account = (SELECT $1::int) AND book = $2 AND contact = named.pk OFFSET 0) AS m`, account, book, contacts)
	if err != nil {
		return nil, err
	}
	var pk int64
	var sort string
	_, err = pgx.ForEachRow(rows, []any{&pk, &sort}, func() error {
		are[pk] = sort
		return nil
	})
	return are, err
}

// judgeBooks decides which books of its account each contact of a page is in. The books are written when the page is saved.
func (p *pageTx) judgeBooks(ctx context.Context, books []ruledBook, created, changed []*directory.Fate) error {
	p.booksOf = nil
	if len(books) == 0 {
		return nil
	}
	p.booksOf = map[int64][]int32{}
	keys := make([]int64, len(changed))
	for i, f := range changed {
		keys[i] = f.Key
	}
	for _, b := range books {
		judge := p.store.rules.Of(b.rule)
		if judge == nil {
			p.writes.Queue("UPDATE contactbridge.books SET walked = 0, upto = -1 WHERE account = $1 AND id = $2", p.account, b.id)
		}
		was, err := membersAmong(ctx, p.tx, p.account, b.id, keys)
		if err != nil {
			return err
		}
		change := &bookChange{id: b.id, was: was}
		for _, f := range slices.Concat(created, changed) {
			_, before := was[f.Key]
			is := before
			if judge != nil {
				is = judge(p.Integration, &f.Record.Contact)
			}
			place := directory.Place{Key: f.Key}
			switch {
			case is:
				p.booksOf[f.Key] = append(p.booksOf[f.Key], b.id)
				place.Sort = directory.SortKey(&f.Record.Contact)
				change.in = append(change.in, place)
				if !before {
					change.added++
				}
			case before:
				change.out = append(change.out, place)
			}
		}
		p.books = append(p.books, change)
	}
	return nil
}

// leftBooks returns what deleting contacts changes of the books of their account.
func leftBooks(ctx context.Context, tx pgx.Tx, account int32, contacts []int64) (changes []*bookChange, err error) {
	if len(contacts) == 0 {
		return nil, nil
	}
	books, err := booksOf(ctx, tx, account)
	if err != nil {
		return nil, err
	}
	for _, b := range books {
		are, err := membersAmong(ctx, tx, account, b.id, contacts)
		if err != nil {
			return nil, err
		}
		change := &bookChange{id: b.id, was: are}
		for _, pk := range slices.Sorted(maps.Keys(are)) {
			change.out = append(change.out, directory.Place{Key: pk})
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// SetBooks implements [directory.Books].
func (s *Store) SetBooks(ctx context.Context, books []directory.Book) error {
	origin, err := s.origin(ctx)
	if err != nil {
		return fmt.Errorf("declare the phonebooks: %w", explained(err))
	}
	err = s.transaction(ctx, func(tx pgx.Tx) error {
		// Several processes start with one configuration.
		if _, err := tx.Exec(ctx, "LOCK TABLE contactbridge.books IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		kept := []int32{}
		for _, b := range books {
			id, err := setBook(ctx, tx, b)
			if err != nil {
				return err
			}
			kept = append(kept, id)
		}
		if _, err := tx.Exec(ctx, "UPDATE contactbridge.books SET name = NULL WHERE name IS NOT NULL AND id <> ALL($1::int[])", kept); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE contactbridge.books SET epoch = CASE WHEN origin = '' THEN epoch ELSE uuid_send(gen_random_uuid()) END, origin = $1 WHERE origin <> $1", origin)
		return err
	})
	if err != nil {
		return fmt.Errorf("declare the phonebooks: %w", err)
	}
	return nil
}

// origin names the database as it has gone until now. It changes when a dump is restored, which makes the tables anew; when a base backup is
// recovered up to a moment, or a standby takes over, which may lack the last changes: the server begins another timeline then. A snapshot of
// the server's disk shows nothing: see [Store.RenewBooks].
func (s *Store) origin(ctx context.Context) (origin string, err error) {
	var control bool
	err = s.pool.QueryRow(ctx, `SELECT 'contactbridge.books'::regclass::oid::text,
		has_function_privilege('pg_control_system()', 'EXECUTE') AND has_function_privilege('pg_control_checkpoint()', 'EXECUTE')`).Scan(&origin, &control)
	if err != nil || !control {
		return origin, err
	}
	var server string
	err = s.pool.QueryRow(ctx, "SELECT system_identifier || '/' || timeline_id FROM pg_control_system(), pg_control_checkpoint()").Scan(&server)
	return origin + "/" + server, err
}

// RenewBooks implements [directory.Books].
func (s *Store) RenewBooks(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, "UPDATE contactbridge.books SET epoch = uuid_send(gen_random_uuid())"); err != nil {
		return fmt.Errorf("renew the phonebooks: %w", explained(err))
	}
	return nil
}

func setBook(ctx context.Context, tx pgx.Tx, b directory.Book) (id int32, err error) {
	if _, err := tx.Exec(ctx, "INSERT INTO contactbridge.accounts (name) VALUES ($1) ON CONFLICT DO NOTHING", []byte(b.Account)); err != nil {
		return 0, err
	}
	var account int32
	if err := tx.QueryRow(ctx, "SELECT id FROM contactbridge.accounts WHERE name = $1", []byte(b.Account)).Scan(&account); err != nil {
		return 0, err
	}
	var rule string
	err = tx.QueryRow(ctx, "SELECT id, rule FROM contactbridge.books WHERE account = $1 AND name = $2", account, []byte(b.Name)).Scan(&id, (*directory.Text)(&rule))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		epoch, secret := make([]byte, 8), make([]byte, 16)
		_, _ = rand.Read(epoch) // never fails
		_, _ = rand.Read(secret)
		err = tx.QueryRow(ctx, "INSERT INTO contactbridge.books (account, name, rule, epoch, secret, upto) VALUES ($1, $2, $3, $4, $5, -1) RETURNING id",
			account, []byte(b.Name), []byte(b.Rule), epoch, secret).Scan(&id)
		return id, err
	case err != nil || rule == b.Rule:
		return id, err
	}
	_, err = tx.Exec(ctx, "UPDATE contactbridge.books SET rule = $3, walked = 0, upto = -1 WHERE account = $1 AND id = $2", account, id, []byte(b.Rule))
	return id, err
}

// bookID returns a book's id; 0 where there is none.
func (s *Store) bookID(ctx context.Context, account int32, name string) (id int32, err error) {
	err = s.pool.QueryRow(ctx, "SELECT id FROM contactbridge.books WHERE account = $1 AND name = $2", account, []byte(name)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return id, explained(err)
}

// bookAt finds a book by its name; its id is 0 where there is none.
func (s *Store) bookAt(ctx context.Context, key directory.BookKey) (account, id int32, err error) {
	if account, err = s.account(ctx, key.Account); err != nil || account == 0 {
		return 0, 0, err
	}
	id, err = s.bookID(ctx, account, key.Name)
	return account, id, err
}

// Book implements [directory.Books].
func (s *Store) Book(ctx context.Context, key directory.BookKey) (directory.BookState, error) {
	var epoch, secret []byte
	var seq, floor, members, walked, upto int64
	var filled bool
	err := s.pool.QueryRow(ctx, `SELECT b.epoch, b.secret, b.seq, b.floor, b.members, b.walked, b.upto, b.filled
		FROM contactbridge.books b JOIN contactbridge.accounts a ON a.id = b.account WHERE a.name = $1 AND b.name = $2`, []byte(key.Account), []byte(key.Name)).
		Scan(&epoch, &secret, &seq, &floor, &members, &walked, &upto, &filled)
	if errors.Is(err, pgx.ErrNoRows) {
		return directory.BookState{}, fmt.Errorf("phonebook %s: %w", key.Name, directory.ErrNotFound)
	}
	if err != nil {
		return directory.BookState{}, fmt.Errorf("read the state of the phonebook %s: %w", key.Name, explained(err))
	}
	b := directory.NewBookState(secret)
	b.BookKey, b.Epoch, b.Seq, b.Floor, b.Members, b.Filled, b.Filling = key, hex.EncodeToString(epoch), seq, floor, members, filled, upto < 0 || walked < upto || !filled
	return b, nil
}

// BookNames implements [directory.Books].
func (s *Store) BookNames(ctx context.Context, account string) ([]string, error) {
	rows, err := s.pool.Query(ctx, "SELECT b.name FROM contactbridge.books b JOIN contactbridge.accounts a ON a.id = b.account WHERE a.name = $1 AND b.name IS NOT NULL ORDER BY b.name", []byte(account))
	if err != nil {
		return nil, fmt.Errorf("list the phonebooks: %w", explained(err))
	}
	names, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (name string, err error) {
		err = row.Scan((*directory.Text)(&name))
		return name, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the phonebooks: %w", explained(err))
	}
	return names, nil
}

// Members implements [directory.Books].
func (s *Store) Members(ctx context.Context, book directory.BookState, q directory.MemberQuery, visit func(*directory.Member) error) error {
	account, id, err := s.bookAt(ctx, book.BookKey)
	if err != nil || id == 0 {
		return err
	}
	read := s.entriesAt(ctx, account, book.Account)
	if q.Bare {
		read = nil
	}
	if len(q.Begins) > 0 {
		places, err := s.beginning(ctx, account, id, &q)
		if err != nil {
			return fmt.Errorf("list the members of a phonebook: %w", explained(err))
		}
		return directory.VisitPlaces(&book, places, read, visit)
	}
	text, args := "SELECT contact, seq, sort FROM contactbridge.members WHERE account = $1 AND book = $2", []any{account, id}
	and := func(condition string, value any) {
		args = append(args, value)
		text += fmt.Sprintf(" AND sort "+condition+" $%d", len(args))
	}
	order := "sort, contact"
	switch {
	case q.ByChange:
		order = "seq DESC"
	case q.ByCard:
		after, _ := book.KeyOf(q.After) // 0: from the first one on
		text, args, order = text+" AND contact > $3", append(args, after), "contact"
	}
	if !q.ByChange && q.From != "" {
		and(">=", q.From)
	}
	if !q.ByChange && q.To != "" {
		and("<", q.To)
	}
	if len(q.Contains) > 0 { // folded: there is no character that LIKE reads in another way
		and("LIKE", "%"+strings.Join(q.Contains, "%")+"%")
	}
	within := ctx
	if q.Within > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, q.Within)
		defer cancel()
	}
	args = append(args, q.Limit, q.Offset)
	places, err := s.places(within, fmt.Sprintf("%s ORDER BY %s LIMIT $%d OFFSET $%d", text, order, len(args)-1, len(args)), args...)
	late := err != nil && within.Err() != nil && ctx.Err() == nil
	if err != nil && !late {
		return fmt.Errorf("list the members of a phonebook: %w", explained(err))
	}
	if err := directory.VisitPlaces(&book, places, read, visit); err != nil {
		return err
	}
	if late {
		return directory.ErrTooLong
	}
	return nil
}

// A statement grows with its parameters.
type statement struct {
	text string
	args []any
}

// add appends text in which each ? is the next parameter.
func (t *statement) add(text string, args ...any) {
	for _, arg := range args {
		t.args = append(t.args, arg)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(t.args)), 1)
	}
	t.text += text
}

// bound adds the bounds of the sort keys.
func (t *statement) bound(q *directory.MemberQuery) {
	if q.From != "" {
		t.add(" AND sort >= ?", q.From)
	}
	if q.To != "" {
		t.add(" AND sort < ?", q.To)
	}
}

// beginning finds the members with beginnings of words.
func (s *Store) beginning(ctx context.Context, account, book int32, q *directory.MemberQuery) ([]directory.Place, error) {
	var lists [][]directory.Place
	walks := directory.WordWalks(q.Begins)
	for _, walk := range walks {
		keys := []string{walk.Key}
		if walk.Short {
			var err error
			if keys, err = s.wordKeys(ctx, account, book, walk.Key); err != nil {
				return nil, err
			}
			if len(keys) > directory.MostWordKeys {
				return s.beginningOfAny(ctx, account, book, walks, q)
			}
		}
		t := statement{}
		t.add("SELECT w.contact, m.seq, w.sort FROM unnest(?::text[]) AS key (word) CROSS JOIN LATERAL (SELECT contact, sort FROM contactbridge.member_words WHERE account = ? AND book = ? AND word = key.word",
			keys, account, book)
		t.bound(q)
		for _, other := range walk.Others {
			t.add(" AND strpos(' ' || sort, ?) > 0", other)
		}
		t.add(` ORDER BY sort, contact LIMIT ?) AS w CROSS JOIN LATERAL
			(SELECT seq FROM contactbridge.members WHERE account = (SELECT ?::int) AND book = ? AND contact = w.contact OFFSET 0) AS m ORDER BY w.sort, w.contact`, q.Offset+q.Limit, account, book)
		found, err := s.places(ctx, t.text, t.args...)
		if err != nil {
			return nil, err
		}
		lists = append(lists, found)
	}
	return directory.MergePlaces(lists, q.Offset, q.Limit), nil
}

// wordKeys returns the keys that begin with a text, at most one more than [directory.MostWordKeys].
func (s *Store) wordKeys(ctx context.Context, account, book int32, start string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `WITH RECURSIVE keys (word) AS (
			SELECT min(word) FROM contactbridge.member_words WHERE account = $1 AND book = $2 AND word >= $3
			UNION ALL SELECT (SELECT min(word) FROM contactbridge.member_words m WHERE m.account = $1 AND m.book = $2 AND m.word > keys.word) FROM keys WHERE keys.word < $4
		) SELECT word FROM keys WHERE word < $4 LIMIT $5`, account, book, start, start+"\U0010ffff", directory.MostWordKeys+1)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// beginningOfAny goes through all members.
func (s *Store) beginningOfAny(ctx context.Context, account, book int32, walks []directory.WordWalk, q *directory.MemberQuery) ([]directory.Place, error) {
	t := statement{}
	t.add("SELECT contact, seq, sort FROM contactbridge.members WHERE account = ? AND book = ?", account, book)
	t.bound(q)
	for i, walk := range walks {
		t.add([]string{" AND (", " OR "}[min(i, 1)])
		t.add("strpos(' ' || sort, ?) > 0", " "+walk.Key)
		for _, other := range walk.Others {
			t.add(" AND strpos(' ' || sort, ?) > 0", other)
		}
	}
	t.add(") ORDER BY sort, contact LIMIT ? OFFSET ?", q.Limit, q.Offset)
	return s.places(ctx, t.text, t.args...)
}

// MembersBefore implements [directory.Books].
func (s *Store) MembersBefore(ctx context.Context, book directory.BookState, sort string) (n int64, err error) {
	account, id, err := s.bookAt(ctx, book.BookKey)
	if err == nil && id != 0 {
		err = s.pool.QueryRow(ctx, "SELECT count(*) FROM contactbridge.members WHERE account = $1 AND book = $2 AND sort < $3", account, id, sort).Scan(&n)
	}
	if err != nil {
		return 0, fmt.Errorf("count the members of a phonebook: %w", explained(err))
	}
	return n, nil
}

// places returns what was found before an error too.
func (s *Store) places(ctx context.Context, query string, args ...any) ([]directory.Place, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return placesIn(rows)
}

func placesIn(rows pgx.Rows) (places []directory.Place, err error) {
	defer rows.Close()
	for rows.Next() {
		var p directory.Place
		if err := rows.Scan(&p.Key, &p.Seq, &p.Sort); err != nil {
			return places, err
		}
		places = append(places, p)
	}
	return places, rows.Err()
}

// entriesAt reads contacts by their keys.
func (s *Store) entriesAt(ctx context.Context, account int32, name string) func([]directory.Place, func(int, *directory.Entry)) error {
	return func(places []directory.Place, found func(int, *directory.Entry)) error {
		keys := make([]int64, len(places))
		for i, p := range places {
			keys[i] = p.Key
		}
		rows, err := s.pool.Query(ctx, `SELECT named.n, i.name, c.data FROM unnest($2::bigint[]) WITH ORDINALITY AS named (pk, n) CROSS JOIN LATERAL
			(SELECT integration, data FROM contactbridge.contacts WHERE account = (SELECT $1::int) AND pk = named.pk OFFSET 0) AS c`+integrations, account, keys)
		if err != nil {
			return fmt.Errorf("read the contacts of a phonebook: %w", explained(err))
		}
		defer rows.Close()
		for rows.Next() {
			var n int64
			var data pgtype.DriverBytes
			e := directory.Entry{Key: directory.Key{Account: name}}
			if err := rows.Scan(&n, (*directory.Text)(&e.Integration), &data); err != nil {
				return err
			}
			if err := e.Contact.UnmarshalJSON(data); err != nil {
				return fmt.Errorf("read the contacts of a phonebook: %w", err)
			}
			found(int(n)-1, &e)
		}
		return explained(rows.Err())
	}
}

func (s *Store) gather(ctx context.Context, account int32, book *directory.BookState, places []directory.Place) ([]directory.Member, error) {
	members := make([]directory.Member, 0, len(places))
	err := directory.VisitPlaces(book, places, s.entriesAt(ctx, account, book.Account), func(m *directory.Member) error {
		members = append(members, *m)
		return nil
	})
	return members, err
}

// inBookOf are the places of the contacts c in book $2.
const inBookOf = " CROSS JOIN LATERAL (SELECT contact, seq, sort FROM contactbridge.members WHERE account = (SELECT $1::int) AND book = $2 AND contact = c.pk OFFSET 0) AS m"

// MembersOf implements [directory.Books].
func (s *Store) MembersOf(ctx context.Context, book directory.BookState, refs []directory.Ref) ([]directory.Member, error) {
	account, id, err := s.bookAt(ctx, book.BookKey)
	if err != nil || id == 0 {
		return nil, err
	}
	var places []directory.Place
	for integration, ids := range directory.IDsByIntegration(refs) {
		some := make([][]byte, len(ids))
		for i, id := range ids {
			some[i] = []byte(id)
		}
		found, err := s.places(ctx, `SELECT m.contact, m.seq, m.sort FROM contactbridge.integrations i CROSS JOIN unnest($4::bytea[]) AS named (id)
			CROSS JOIN LATERAL (SELECT pk FROM contactbridge.contacts WHERE account = (SELECT $1::int) AND integration = i.id AND id = named.id OFFSET 0) AS c`+inBookOf+
			` WHERE i.account = $1 AND i.name = $3`, account, id, []byte(integration), some)
		if err != nil {
			return nil, fmt.Errorf("find contacts in a phonebook: %w", explained(err))
		}
		places = append(places, found...)
	}
	return s.gather(ctx, account, &book, places)
}

// ByCard implements [directory.Books].
func (s *Store) ByCard(ctx context.Context, book directory.BookState, cards []string) ([]directory.Member, error) {
	account, id, err := s.bookAt(ctx, book.BookKey)
	if err != nil || id == 0 {
		return nil, err
	}
	keys := make([]int64, 0, len(cards))
	for _, card := range cards {
		if key, ok := book.KeyOf(card); ok {
			keys = append(keys, key)
		}
	}
	rows, err := s.pool.Query(ctx, `SELECT m.contact, m.seq, m.sort, i.name, c.data FROM unnest($3::bigint[]) WITH ORDINALITY AS named (pk, n)
		CROSS JOIN LATERAL (SELECT pk, integration, data FROM contactbridge.contacts WHERE account = (SELECT $1::int) AND pk = named.pk OFFSET 0) AS c`+inBookOf+integrations+`ORDER BY named.n`,
		account, id, keys)
	if err != nil {
		return nil, fmt.Errorf("read the contacts of a phonebook: %w", explained(err))
	}
	defer rows.Close()
	members := make([]directory.Member, 0, len(keys))
	for rows.Next() {
		var key int64
		var data pgtype.DriverBytes
		m := directory.Member{Entry: directory.Entry{Key: directory.Key{Account: book.Account}}}
		if err := rows.Scan(&key, &m.Seq, &m.Sort, (*directory.Text)(&m.Integration), &data); err != nil {
			return nil, err
		}
		if err := m.Contact.UnmarshalJSON(data); err != nil {
			return nil, fmt.Errorf("read the contacts of a phonebook: %w", err)
		}
		m.Card = book.CardOf(key)
		members = append(members, m)
	}
	return members, explained(rows.Err())
}

// BookChanges implements [directory.Books].
func (s *Store) BookChanges(ctx context.Context, book directory.BookState, since int64, limit int) (c directory.Changes, err error) {
	account, id, err := s.bookAt(ctx, book.BookKey)
	if err == nil && id == 0 {
		err = directory.ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("list what changed in the phonebook %s: %w", book.Name, err)
	}
	var places, left []directory.Place
	// Three reads that must see one state.
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		if err := tx.QueryRow(ctx, "SELECT seq FROM contactbridge.books WHERE account = $1 AND id = $2", account, id).Scan(&book.Seq); err != nil {
			return err
		}
		read := func(text string) ([]directory.Place, error) {
			rows, err := tx.Query(ctx, text, account, id, since, limit+1)
			if err != nil {
				return nil, err
			}
			return placesIn(rows)
		}
		if places, err = read("SELECT contact, seq, sort FROM contactbridge.members WHERE account = $1 AND book = $2 AND seq > $3 ORDER BY seq LIMIT $4"); err != nil {
			return err
		}
		left, err = read("SELECT contact, seq, '' FROM contactbridge.leavers WHERE account = $1 AND book = $2 AND seq > $3 ORDER BY seq LIMIT $4")
		return err
	})
	if err != nil {
		return c, fmt.Errorf("list what changed in the phonebook %s: %w", book.Name, explained(err))
	}
	return directory.NewChanges(&book, places, left, limit, func(places []directory.Place) ([]directory.Member, error) {
		return s.gather(ctx, account, &book, places)
	})
}

const (
	walkAtOnce  = 500  // contacts that a transaction judges
	clearAtOnce = 5000 // rows of removed books that a transaction deletes
)

// FillBooks implements [directory.Books].
func (s *Store) FillBooks(ctx context.Context) (more bool, err error) {
	err = s.transaction(ctx, func(tx pgx.Tx) (err error) {
		if more, err = clearBooks(ctx, tx); more || err != nil {
			return err
		}
		more, err = s.walkBooks(ctx, tx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("fill the phonebooks: %w", err)
	}
	return more, nil
}

// clearBooks deletes some of what is left of removed books. Their words stay in the search index, where nobody looks for them.
func clearBooks(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	var account, id int32
	err = tx.QueryRow(ctx, "SELECT account, id FROM contactbridge.books WHERE name IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED").Scan(&account, &id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, statement := range []string{
		"DELETE FROM contactbridge.members WHERE account = $1 AND book = $2 AND contact IN (SELECT contact FROM contactbridge.members WHERE account = $1 AND book = $2 LIMIT $3)",
		`DELETE FROM contactbridge.member_words WHERE account = $1 AND book = $2 AND (word, sort, contact) IN
			(SELECT word, sort, contact FROM contactbridge.member_words WHERE account = $1 AND book = $2 LIMIT $3)`,
		"DELETE FROM contactbridge.leavers WHERE account = $1 AND book = $2 AND seq IN (SELECT seq FROM contactbridge.leavers WHERE account = $1 AND book = $2 LIMIT $3)",
	} {
		tag, err := tx.Exec(ctx, statement, account, id, clearAtOnce)
		if err != nil || tag.RowsAffected() > 0 {
			return true, err
		}
	}
	_, err = tx.Exec(ctx, "DELETE FROM contactbridge.books WHERE account = $1 AND id = $2", account, id)
	return true, err
}

// A walked contact is one that a book's rule is to judge.
type walked struct {
	pk          int64
	integration string
	contact     contact.Contact
}

// walkBooks judges some contacts by the rule of one book that has not judged all of them.
func (s *Store) walkBooks(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	const unjudged = " FROM contactbridge.books WHERE name IS NOT NULL AND (upto < 0 OR walked < upto OR NOT filled)"
	var account, id int32
	err = tx.QueryRow(ctx, "SELECT account, id"+unjudged+" ORDER BY account, id LIMIT 1").Scan(&account, &id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, "SELECT FROM contactbridge.integrations WHERE account = $1 ORDER BY id FOR UPDATE", account); err != nil {
		return false, err
	}
	var rule string
	var after, upto int64
	err = tx.QueryRow(ctx, "SELECT rule, walked, upto"+unjudged+" AND account = $1 AND id = $2 FOR UPDATE", account, id).Scan((*directory.Text)(&rule), &after, &upto)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil // another process has done it
	}
	if err != nil {
		return false, err
	}
	if upto < 0 {
		if err := tx.QueryRow(ctx, "SELECT last_value FROM contactbridge.contact_keys").Scan(&upto); err != nil {
			return false, err
		}
	}
	judge := s.rules.Of(rule)
	if judge == nil {
		return false, errors.New("this process cannot say who is in a phonebook")
	}
	some, err := toWalk(ctx, tx, account, after, upto)
	if err != nil {
		return false, err
	}
	if err := s.walk(ctx, tx, account, id, judge, some); err != nil {
		return false, err
	}
	done := len(some) < walkAtOnce
	if after = upto; !done {
		after = some[len(some)-1].pk
	}
	_, err = tx.Exec(ctx, "UPDATE contactbridge.books SET walked = $3, upto = $4, filled = filled OR $5 WHERE account = $1 AND id = $2", account, id, after, upto, done)
	return true, err
}

func toWalk(ctx context.Context, tx pgx.Tx, account int32, after, upto int64) ([]walked, error) {
	rows, err := tx.Query(ctx, "SELECT c.pk, i.name, c.data FROM contactbridge.contacts c"+integrations+
		"WHERE c.account = $1 AND c.pk > $2 AND c.pk <= $3 ORDER BY c.pk LIMIT $4", account, after, upto, walkAtOnce)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (w walked, err error) {
		var data []byte
		if err = row.Scan(&w.pk, (*directory.Text)(&w.integration), &data); err == nil {
			err = w.contact.UnmarshalJSON(data)
		}
		return w, err
	})
}

func (s *Store) walk(ctx context.Context, tx pgx.Tx, account, id int32, judge directory.Judge, some []walked) error {
	keys := make([]int64, len(some))
	for i := range some {
		keys[i] = some[i].pk
	}
	was, err := membersAmong(ctx, tx, account, id, keys)
	if err != nil {
		return err
	}
	change := &bookChange{id: id, was: was}
	var words pgx.Batch
	for i := range some {
		w := &some[i]
		is := judge(w.integration, &w.contact)
		if _, before := was[w.pk]; is == before {
			continue
		}
		place := directory.Place{Key: w.pk, Sort: directory.SortKey(&w.contact)}
		if is {
			change.in = append(change.in, place)
			change.added++
			words.Queue("UPDATE contactbridge.contacts SET words = words || $3::tsvector WHERE account = (SELECT $1::int) AND pk = $2",
				account, w.pk, lexeme(account, book, strconv.Itoa(int(id))))
		} else {
			change.out = append(change.out, place)
			words.Queue("UPDATE contactbridge.contacts SET words = ts_delete(words, $3) WHERE account = (SELECT $1::int) AND pk = $2",
				account, w.pk, word(account, book, strconv.Itoa(int(id))))
		}
	}
	if words.Len() > 0 {
		if err := tx.SendBatch(ctx, &words).Close(); err != nil {
			return err
		}
	}
	return s.writeBooks(ctx, tx, account, []*bookChange{change})
}

// forgetLeavers forgets who left books long ago.
func (s *Store) forgetLeavers(ctx context.Context) error {
	return s.transaction(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `WITH old AS (DELETE FROM contactbridge.leavers WHERE at < $1 RETURNING account, book, seq)
			UPDATE contactbridge.books b SET floor = greatest(b.floor, o.seq) FROM (SELECT account, book, max(seq) AS seq FROM old GROUP BY account, book) o
			WHERE b.account = o.account AND b.id = o.book`, now.Add(-directory.LeftFor).UnixMilli())
		return err
	})
}
