// Package phonebook is the directory as telephones and address books see it: a selection of an account's contacts, with names and
// numbers as devices show and dial them. It knows no device's protocol.
package phonebook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
)

// A Config is a phonebook as it is declared.
type Config struct {
	Name         string
	Account      string
	Made         bool     // it was made by somebody, and is not declared by the configuration file
	Integrations []string // empty: all
	Where        string   // an expression over the contact; empty: every contact
	Numbers      Numbers
	HTTP         *HTTP    // nil: it is not served over HTTP
	LDAP         *LDAP    // nil: it is not served over LDAP
	CardDAV      *CardDAV // nil: it is not served over CardDAV
}

// Slug is what a phonebook is called in addresses, where there is one of that name only: ACCOUNT.NAME where it was made by somebody.
func (c *Config) Slug() string {
	if c.Made {
		return c.Account + "." + c.Name // a name has no dot
	}
	return c.Name
}

// CardDAV says how a phonebook is served over CardDAV. Where there is no user and no password, keys alone open it.
type CardDAV struct {
	User     string
	Password string
	Title    string // what address books show; empty: the phonebook's name
}

// LDAP says how a phonebook is served over LDAP. Where there is no BindDN, keys alone open it.
type LDAP struct {
	Listen        string // host:port; several phonebooks may share it
	Base          string // the DN that entries are below
	BindDN        string
	Password      string
	Anonymous     bool   // anyone may read it
	Cert, Key     string // of TLS; empty: plain LDAP
	StartTLS      bool   // TLS begins when it is asked for; otherwise at once
	SizeLimit     int    // entries of an answer
	SizeLimitCode int    // of an answer that has not all of them: 4, or 0 for telephones that show that as an error
}

// KeyDN is the name with which the device of a key signs in.
func (l *LDAP) KeyDN(key string) string { return "cn=" + key + "," + l.Base }

// HTTP says how a phonebook is served over HTTP. Where there is no user and no secret path, keys alone open it.
type HTTP struct {
	User       string
	Password   string
	Digest     bool           // also by Digest, for devices that need it
	SecretPath string         // a part of the path that lets in without a password
	Allow      []netip.Prefix // empty: every address
	Title      string         // what devices show; empty: the phonebook's name
	First      First
	Prefer     string // an expression; contacts of which it is true go in first
}

// First says which entries go in first where not all do.
type First string

// The rules.
const (
	FirstByName   First = "name"
	FirstByChange First = "changed"
	FirstByCall   First = "called"
)

// preferred is the name of the book in the directory that holds the preferred contacts of a phonebook. No phonebook has such a name.
func preferred(name string) string { return name + "/first" }

func (c *Config) prefers() bool { return c.HTTP != nil && c.HTTP.Prefer != "" }

// Set returns the set that the phonebook belongs to.
func (b *Book) Set() *Set { return b.set }

// Declared returns the books that the directory keeps for phonebooks.
func Declared(configs []Config) []directory.Book {
	var books []directory.Book
	for i := range configs {
		c := &configs[i]
		r := rule{Integrations: c.Integrations}
		if c.Where != "" {
			r.Where = []string{c.Where}
		}
		books = append(books, directory.Book{Account: c.Account, Name: c.Name, Rule: r.text()})
		if c.prefers() {
			r.Where = append(r.Where, c.HTTP.Prefer)
			books = append(books, directory.Book{Account: c.Account, Name: preferred(c.Name), Rule: r.text()})
		}
	}
	return books
}

// An Access is the directory of an account as it may be shown.
type Access struct {
	Store  directory.Store // its look-ups leave out what is hidden
	Region string          // of the account
	Hidden []string        // integrations that are being removed
	// Called returns the contacts that named the last calls, the last one first; nil: it is not known.
	Called func(ctx context.Context) ([]directory.Ref, error)
}

// A Directory gives access to the directory of an account.
type Directory func(ctx context.Context, account string) (Access, error)

// A Set is the phonebooks of a process. Its methods may be called concurrently.
type Set struct {
	directory Directory
	observe   func(*Book, Reading)
	keys      Keys
	visits    visits
	books     atomic.Pointer[books]

	mu             sync.Mutex // of what the books are made of
	declared, made []Config
	keyKinds       map[directory.BookKey]KeyKinds
}

// books are the phonebooks at one moment.
type books struct {
	bySlug map[string]*Book
	byName map[directory.BookKey]*Book
	slugs  []string // in order
}

// A Reading is that a device has read a phonebook.
type Reading struct {
	Way     Way
	Name    string // with which it signed in; empty: with none
	Address string // that it came from
	Device  string // what it says it is; empty: nothing
	Copies  bool   // it has all of the phonebook, as far as it takes it, or what changed of it: it keeps a copy
	Began   time.Time
}

// A Way is how a phonebook is read.
type Way string

// The ways.
const (
	OverHTTP    Way = "http"
	OverLDAP    Way = "ldap"
	OverCardDAV Way = "carddav"
)

// Observe has f told of every reading. It is called before the phonebooks are served; f may be called concurrently.
func (s *Set) Observe(f func(*Book, Reading)) { s.observe = f }

// Was tells the observer of a reading of the phonebook.
func (b *Book) Was(r Reading) {
	if b.set.observe != nil {
		b.set.observe(b, r)
	}
}

// NewSet returns the phonebooks that are declared, which are read from a directory.
func NewSet(declared []Config, from Directory) *Set {
	s := &Set{directory: from}
	s.Declare(declared)
	return s
}

// Declare makes these the phonebooks that are declared.
func (s *Set) Declare(declared []Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declared = declared
	s.build()
}

// Make makes these the phonebooks that somebody made, and says of all which keys they have. One with the account and name of a declared
// one is left out.
func (s *Set) Make(made []Config, keys map[directory.BookKey]KeyKinds) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made, s.keyKinds = made, keys
	s.build()
}

// build is called with the lock.
func (s *Set) build() {
	now := &books{bySlug: map[string]*Book{}, byName: map[directory.BookKey]*Book{}}
	for _, c := range slices.Concat(s.declared, s.made) {
		name := directory.BookKey{Account: c.Account, Name: c.Name}
		if now.byName[name] != nil {
			continue
		}
		b := &Book{Config: c, Keys: s.keyKinds[name], directory: s.directory, set: s}
		now.bySlug[c.Slug()], now.byName[name] = b, b
		now.slugs = append(now.slugs, c.Slug())
	}
	slices.Sort(now.slugs)
	s.books.Store(now)
}

// Find returns the phonebook of a slug; nil where there is none.
func (s *Set) Find(slug string) *Book {
	if s == nil {
		return nil
	}
	return s.books.Load().bySlug[slug]
}

// Of returns an account's phonebook; nil where there is none of that name.
func (s *Set) Of(account, name string) *Book {
	if s == nil {
		return nil
	}
	return s.books.Load().byName[directory.BookKey{Account: account, Name: name}]
}

// All lists the phonebooks by their slugs.
func (s *Set) All() []*Book {
	if s == nil {
		return nil
	}
	now := s.books.Load()
	all := make([]*Book, len(now.slugs))
	for i, slug := range now.slugs {
		all[i] = now.bySlug[slug]
	}
	return all
}

// Configs are the settings of all phonebooks, by their slugs.
func (s *Set) Configs() []Config {
	all := s.All()
	configs := make([]Config, len(all))
	for i, b := range all {
		configs[i] = b.Config
	}
	return configs
}

// A Book is a phonebook. It does not change: where its settings do, the set has another one.
type Book struct {
	Config
	Keys      KeyKinds
	directory Directory
	set       *Set
}

// ErrNotFilled says that not every contact has been judged yet.
var ErrNotFilled error = &failure.Error{
	Code: failure.Busy, Message: "the phonebook is being filled", Hint: "Try again in a minute.",
}

// A View is a phonebook as it stands for one request.
type View struct {
	State   directory.BookState
	Numbers Numbers // with the account's region where the phonebook has none
	book    *Book
	store   directory.Store
	hidden  []string
	access  Access
	called  []directory.Ref // once they were read
}

// Open returns the phonebook as it stands, or [ErrNotFilled].
func (b *Book) Open(ctx context.Context) (*View, error) {
	a, err := b.directory(ctx, b.Account)
	if err != nil {
		return nil, err
	}
	v := &View{Numbers: b.Numbers, book: b, store: a.Store, hidden: a.Hidden, access: a}
	if v.Numbers.Region == "" {
		v.Numbers.Region = a.Region
	}
	v.State, err = a.Store.Book(ctx, directory.BookKey{Account: b.Account, Name: b.Name})
	if errors.Is(err, directory.ErrNotFound) || err == nil && !v.State.Filled {
		return nil, ErrNotFilled
	}
	return v, err
}

// ReadCalled reads who called last, where the phonebook puts them first ([FirstByCall]): before Version and Choose.
func (v *View) ReadCalled(ctx context.Context) (err error) {
	if v.book.HTTP != nil && v.book.HTTP.First == FirstByCall && v.access.Called != nil {
		v.called, err = v.access.Called(ctx)
	}
	return err
}

// Version says in which state the phonebook is, in which ways it writes numbers included: what was made of equal versions is equal.
func (v *View) Version() string {
	return fmt.Sprintf("%s-%d-%+v-%q-%+v", v.State.Epoch, v.State.Seq, v.Numbers, v.hidden, v.called)
}

func (v *View) hides(m *directory.Member) bool { return slices.Contains(v.hidden, m.Integration) }

func (v *View) entry(m *directory.Member) Entry { return v.Numbers.entryOf(m) }

// errFull ends a visit.
var errFull = errors.New("there are enough entries")

// Choose visits the entries that go into a device which takes at most most of them: those that are preferred, then the others by the
// phonebook's rule. visit returns false for an entry that does not count, such as one without a number, and [io.EOF] to stop.
// It returns how many members there are that were not visited.
func (v *View) Choose(ctx context.Context, most int, visit func(*Entry) (taken bool, err error)) (leftOut int64, err error) {
	taken, seen := 0, int64(0)
	known := map[directory.Ref]bool{} // what changes meanwhile may come twice
	one := func(m *directory.Member) error {
		if taken >= most {
			return errFull
		}
		id := refOf(m.Integration, &m.Contact)
		if known[id] || v.hides(m) {
			return nil
		}
		known[id] = true
		e := v.entry(m)
		ok, err := visit(&e)
		if err != nil {
			return err
		}
		seen++
		if ok {
			taken++
		}
		return nil
	}
	walk := func(state directory.BookState) error {
		q := directory.MemberQuery{ByChange: v.book.HTTP != nil && v.book.HTTP.First == FirstByChange}
		for q.Limit = max(2*most, directory.Chunk); ; q.Offset += q.Limit {
			found := 0
			err := v.store.Members(ctx, state, q, func(m *directory.Member) error {
				found++
				return one(m)
			})
			if err != nil || found < q.Limit {
				return err
			}
		}
	}
	if v.book.prefers() {
		state, err := v.store.Book(ctx, directory.BookKey{Account: v.book.Account, Name: preferred(v.book.Name)})
		if err == nil && state.Filled {
			err = walk(state)
		}
		if err != nil && !errors.Is(err, directory.ErrNotFound) && !errors.Is(err, errFull) {
			return 0, err
		}
	}
	if err := v.visitCalled(ctx, one); err != nil && !errors.Is(err, errFull) {
		return 0, err
	}
	if err := walk(v.State); err != nil && !errors.Is(err, errFull) {
		return 0, err
	}
	return max(0, v.State.Members-seen), nil
}

// visitCalled visits those who called last.
func (v *View) visitCalled(ctx context.Context, visit func(*directory.Member) error) error {
	members, err := v.store.MembersOf(ctx, v.State, v.called)
	if err != nil {
		return err
	}
	at := make(map[directory.Ref]*directory.Member, len(members))
	for i := range members {
		at[refOf(members[i].Integration, &members[i].Contact)] = &members[i]
	}
	for _, ref := range v.called {
		if m := at[ref]; m != nil {
			if err := visit(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// All visits every entry, in the order of names.
func (v *View) All(ctx context.Context, visit func(*Entry) error) error {
	const atOnce = 10_000
	last, skip := "", 0
	for {
		found := 0
		err := v.store.Members(ctx, v.State, directory.MemberQuery{From: last, Offset: skip, Limit: atOnce}, func(m *directory.Member) error {
			found++
			if m.Sort == last {
				skip++
			} else {
				last, skip = m.Sort, 1
			}
			if v.hides(m) {
				return nil
			}
			e := v.entry(m)
			return visit(&e)
		})
		if err != nil || found < atOnce {
			return err
		}
	}
}

// EachCard visits every entry in the order that costs least. Of bare entries only Card and Seq are there, and their contacts are not read,
// unless some are hidden.
func (v *View) EachCard(ctx context.Context, bare bool, visit func(*Entry) error) error {
	const atOnce = 10_000
	q := directory.MemberQuery{ByCard: true, Limit: atOnce, Bare: bare && len(v.hidden) == 0}
	for found := atOnce; found == atOnce; {
		found = 0
		err := v.store.Members(ctx, v.State, q, func(m *directory.Member) error {
			found++
			q.After = m.Card
			switch {
			case v.hides(m):
				return nil
			case bare:
				return visit(&Entry{Card: m.Card, Seq: m.Seq})
			}
			e := v.entry(m)
			return visit(&e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Page returns entries by name: those from a beginning on, without the first ones.
func (v *View) Page(ctx context.Context, from string, offset, limit int) (entries []Entry, err error) {
	q := directory.MemberQuery{From: strings.Join(directory.Fold(from), " "), Offset: offset, Limit: limit}
	err = v.store.Members(ctx, v.State, q, func(m *directory.Member) error {
		if !v.hides(m) {
			entries = append(entries, v.entry(m))
		}
		return nil
	})
	return entries, err
}

// Search finds entries by what a user typed: the beginnings of words, or a number. The best come first.
func (v *View) Search(ctx context.Context, text string, limit int) ([]Entry, error) {
	if len(directory.Fold(text)) == 0 {
		return v.Page(ctx, "", 0, limit)
	}
	found, err := v.store.Search(ctx, v.book.Account, directory.Query{Text: text, Book: v.book.Name, Limit: limit})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && !strings.ContainsFunc(text, isLetter) {
		return v.Number(ctx, text, limit)
	}
	return v.inOrder(ctx, found)
}

func isLetter(r rune) bool { return r > 0x7f || 'a' <= r|0x20 && r|0x20 <= 'z' }

// inOrder returns the entries of contacts that are in the phonebook.
func (v *View) inOrder(ctx context.Context, found []directory.Entry) ([]Entry, error) {
	refs := make([]directory.Ref, len(found))
	for i := range found {
		refs[i] = refOf(found[i].Integration, &found[i].Contact)
	}
	members, err := v.store.MembersOf(ctx, v.State, refs)
	if err != nil {
		return nil, err
	}
	at := make(map[directory.Ref]*directory.Member, len(members))
	for i := range members {
		at[refOf(members[i].Integration, &members[i].Contact)] = &members[i]
	}
	entries := make([]Entry, 0, len(members))
	for _, ref := range refs {
		if m, ok := at[ref]; ok {
			entries = append(entries, v.entry(m))
		}
	}
	return entries, nil
}

// mostSharing is how many contacts with one number are looked at.
const mostSharing = 1000

// Number finds the entries that have a number, however it is spelt, by name.
func (v *View) Number(ctx context.Context, number string, limit int) ([]Entry, error) {
	asked := v.Numbers.Read(number)
	for _, e164 := range asked.E164 {
		matches, err := v.store.ByE164(ctx, v.book.Account, []string{e164}, mostSharing)
		if err != nil {
			return nil, err
		}
		if entries, err := v.matching(ctx, matches, limit); err != nil || len(entries) > 0 {
			return entries, err
		}
	}
	if digits := onlyDigits(bare(number)); digits != "" {
		matches, err := v.store.ByE164(ctx, v.book.Account, []string{digits}, mostSharing)
		if err != nil {
			return nil, err
		}
		if entries, err := v.matching(ctx, matches, limit); err != nil || len(entries) > 0 {
			return entries, err
		}
	}
	if asked.Ending == "" {
		return nil, nil
	}
	matches, err := v.store.BySuffix(ctx, v.book.Account, asked.Ending, mostSharing)
	if err != nil {
		return nil, err
	}
	return v.matching(ctx, matches, limit)
}

func (v *View) matching(ctx context.Context, matches []directory.Match, limit int) ([]Entry, error) {
	var found []directory.Entry
	for _, m := range matches {
		found = append(found, directory.Entry{Key: m.Key, Contact: m.Contact})
	}
	entries, err := v.inOrder(ctx, found)
	slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Sort, b.Sort) })
	entries = slices.CompactFunc(entries, func(a, b Entry) bool { return a.Card == b.Card })
	return entries[:min(len(entries), limit)], err
}

// Before counts the entries before a beginning of a name.
func (v *View) Before(ctx context.Context, from string) (int64, error) {
	return v.store.MembersBefore(ctx, v.State, strings.Join(directory.Fold(from), " "))
}

// MostFound is how many entries the methods Words, Starts and Ending find at most.
const MostFound = directory.RankedMost

// Unsearchable reports whether a run has stored contacts that Words and Starts do not find yet ([directory.Store]). Scan finds them.
func (v *View) Unsearchable(ctx context.Context) (bool, error) {
	n, err := v.store.Unsearchable(ctx, v.book.Account)
	return n > 0, err
}

// Words finds entries that have every word of a text at the beginning of a word of their name, company, title or e-mail addresses, in
// the order of names, without their cards ([View.Carded]): some of them where there are more than most.
func (v *View) Words(ctx context.Context, text string, most int) (entries []Entry, more bool, err error) {
	return v.found(ctx, directory.Query{Text: text, Book: v.book.Name, Unranked: true, Limit: most})
}

// Starts finds entries with a number of which this may be the beginning, in whichever spelling: as Words does.
func (v *View) Starts(ctx context.Context, typed string, most int) (entries []Entry, more bool, err error) {
	for _, digits := range v.Numbers.starts(typed) {
		some, others, err := v.found(ctx, directory.Query{Starts: digits, Book: v.book.Name, Unranked: true, Limit: most})
		if err != nil {
			return nil, false, err
		}
		entries, more = append(entries, some...), more || others
	}
	return v.each(entries), more, nil
}

// Ending finds entries with a number that ends in these digits, which are [directory.MinSuffix] or more: as Words does.
func (v *View) Ending(ctx context.Context, digits string) (entries []Entry, err error) {
	if len(digits) < directory.MinSuffix {
		return nil, nil
	}
	matches, err := v.store.BySuffix(ctx, v.book.Account, digits, mostSharing)
	if err != nil {
		return nil, err
	}
	return v.matching(ctx, matches, mostSharing)
}

func (v *View) found(ctx context.Context, q directory.Query) (entries []Entry, more bool, err error) {
	found, err := v.store.Search(ctx, v.book.Account, q)
	if err != nil {
		return nil, false, err
	}
	for i := range found {
		entries = append(entries, v.Numbers.unread(&directory.Member{Entry: found[i], Sort: directory.SortKey(&found[i].Contact)}))
	}
	return v.each(entries), len(found) >= q.Limit, nil
}

// each is entries by name, each once.
func (v *View) each(entries []Entry) []Entry {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Sort, b.Sort), strings.Compare(a.Integration, b.Integration), strings.Compare(a.ID, b.ID))
	})
	return slices.CompactFunc(entries, func(a, b Entry) bool { return a.Integration == b.Integration && a.ID == b.ID })
}

// Each is [View.Words]' order: entries by name, each once.
func (v *View) Each(entries []Entry) []Entry { return v.each(entries) }

// Carded gives entries their cards. Those that are not in the phonebook any more are left out.
func (v *View) Carded(ctx context.Context, entries []Entry) ([]Entry, error) {
	var without []directory.Ref
	for i := range entries {
		if entries[i].Card == "" {
			without = append(without, directory.Ref{Integration: entries[i].Integration, ID: entries[i].ID})
		}
	}
	members, err := v.store.MembersOf(ctx, v.State, without)
	if err != nil {
		return nil, err
	}
	at := make(map[directory.Ref]*directory.Member, len(members))
	for i := range members {
		at[refOf(members[i].Integration, &members[i].Contact)] = &members[i]
	}
	carded := make([]Entry, 0, len(entries))
	for _, e := range entries {
		if e.Card == "" {
			m := at[directory.Ref{Integration: e.Integration, ID: e.ID}]
			if m == nil {
				continue
			}
			e.Card, e.Seq = m.Card, m.Seq
		}
		carded = append(carded, e)
	}
	return carded, nil
}

// ByCard returns the entry with a card; nil where there is none.
func (v *View) ByCard(ctx context.Context, card string) (*Entry, error) {
	members, err := v.store.ByCard(ctx, v.State, []string{card})
	if err != nil || len(members) == 0 || v.hides(&members[0]) {
		return nil, err
	}
	e := v.entry(&members[0])
	return &e, nil
}

// A Scan is a way through a phonebook in the order of names.
type Scan struct {
	From     string     // the sort key to begin at
	Skip     int        // members from there on that are passed over
	Contains []string   // see [directory.MemberQuery]
	Begins   [][]string // likewise
}

// Scan visits entries until visit returns false, and returns where it stood, which is where a later Scan goes on after the last
// entry for which visit returned true. done says that there are no more.
func (v *View) Scan(ctx context.Context, at Scan, visit func(*Entry) bool) (next Scan, done bool, err error) {
	for size := 64; ; size = min(2*size, 4096) {
		found := 0
		err := v.store.Members(ctx, v.State, directory.MemberQuery{From: at.From, Offset: at.Skip, Limit: size, Contains: at.Contains, Begins: at.Begins}, func(m *directory.Member) error {
			found++
			if !v.hides(m) {
				if e := v.Numbers.unread(m); !visit(&e) {
					return errFull
				}
			}
			if m.Sort == at.From {
				at.Skip++
			} else {
				at.From, at.Skip = m.Sort, 1
			}
			return nil
		})
		if errors.Is(err, errFull) {
			return at, false, nil
		}
		if err != nil || found < size {
			return at, err == nil, err
		}
	}
}

// Changes are what happened to a phonebook after a change.
type Changes struct {
	Entries []Entry  // that came or changed
	Left    []string // cards that are not in it any more
	Seq     int64    // up to which change this is
	More    bool     // there are later changes
}

// Changes lists what happened to the phonebook after a change, which must not be below the floor of its state: at most limit changes.
func (v *View) Changes(ctx context.Context, since int64, limit int) (c Changes, err error) {
	found, err := v.store.BookChanges(ctx, v.State, since, limit)
	if err != nil {
		return c, err
	}
	c.Left, c.Seq, c.More = found.Left, found.Seq, found.More
	for i := range found.Members {
		if m := &found.Members[i]; v.hides(m) {
			c.Left = append(c.Left, m.Card)
		} else {
			c.Entries = append(c.Entries, v.entry(m))
		}
	}
	return c, nil
}

// ByCards visits the entries with some cards, in their order. The entry is nil for a card that is not in the phonebook, and no longer
// there when visit has returned.
func (v *View) ByCards(ctx context.Context, cards []string, visit func(at int, e *Entry)) error {
	members, err := v.store.ByCard(ctx, v.State, cards)
	if err != nil {
		return err
	}
	var one Entry
	for at, card := range cards {
		var e *Entry
		if len(members) > 0 && members[0].Card == card {
			if !v.hides(&members[0]) {
				one = v.entry(&members[0])
				e = &one
			}
			members = members[1:]
		}
		visit(at, e)
	}
	return nil
}

// Epoch says in which life the phonebook is, in which ways it writes numbers and what it hides included: between two changes with the same
// epoch it is known what happened.
func (v *View) Epoch() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s-%+v-%q", v.State.Epoch, v.Numbers, v.hidden))
	return hex.EncodeToString(sum[:10])
}
