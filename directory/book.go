package directory

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base32"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
)

// A Book is a selection of an account's contacts, such as a phonebook. A store keeps who is in it: a page of a run, a deletion and a
// purge change the book in the same transaction.
type Book struct {
	Account string
	Name    string
	// Rule says who is in the book. What it means is known to the [Judges] that the store was opened with.
	Rule string
}

// A Judge says whether a contact of an integration is in a book. It may be called concurrently.
type Judge func(integration string, c *contact.Contact) bool

// Judges returns the judge of a book's rule; an error where the rule has no meaning.
type Judges func(rule string) (Judge, error)

// A BookKey names a book.
type BookKey struct {
	Account string
	Name    string
}

// A BookState is how a book stands.
type BookState struct {
	BookKey
	Epoch   string // of the book's life, random: a book that was removed and declared again has another one
	Seq     int64  // of its last change; 0 where it never had a member
	Floor   int64  // who has left is known of changes after this one
	Members int64
	Filled  bool // every contact has been judged once: before that, the book is not to be shown
	Filling bool // some contacts are still to be judged by its rule
	cards   cipher.Block
}

// A Member is a contact of a book.
type Member struct {
	Entry
	Card string // its name in the book: random for anyone who does not hold the store, and the same for as long as the contact exists
	Seq  int64  // of the change by which it came into the book, or that it had last
	Sort string // [SortKey] of its name
}

// A MemberQuery says which members are listed.
type MemberQuery struct {
	// ByChange lists those that changed last first; otherwise they are listed by [SortKey], then in an order that stays the same.
	ByChange bool
	// ByCard lists them in the order that costs a store least, which is not that of cards, but stays the same; After is the card of the
	// member that they come after. Neither with any bound of names nor with Offset.
	ByCard bool
	After  string
	// From and To bound the sort keys: From ≤ key < To; an empty To is no bound. Not with ByChange.
	From, To string
	// Contains are texts, folded, all of which stand in the sort key one after another.
	Contains []string
	// Begins are lists of words, folded: of one of the lists, each is the beginning of a word of the sort key. Not with ByChange or Contains.
	Begins [][]string
	// Bare members have no contact: only their card, change and sort key.
	Bare   bool
	Offset int // members that are passed over
	Limit  int
	// Within is how long the store looks for Contains; 0: as long as it takes. What it found until then is returned with [ErrTooLong].
	Within time.Duration
}

// Changes are what happened to a book after a change.
type Changes struct {
	Members []Member // that came or changed, in the order of their last changes
	Left    []string // cards of contacts that are not in the book any more
	Seq     int64    // up to which change this is
	More    bool     // there are later changes
}

// Books keep which contacts are in which book. All methods may be called concurrently.
type Books interface {
	// SetBooks makes the books exactly these. A book that is new, or has another rule, is filled by [Books.FillBooks].
	SetBooks(ctx context.Context, books []Book) error

	// RenewBooks gives every book another epoch: whoever follows changes reads it anew. It is for a directory that was restored, and lacks
	// changes that others have read.
	RenewBooks(ctx context.Context) error

	// FillBooks judges some of the contacts that a new rule has not judged yet, and deletes some of what is left of removed books. It
	// reports whether there is more to do. Several processes may call it at once.
	FillBooks(ctx context.Context) (more bool, err error)

	// Book is how a book stands, or [ErrNotFound].
	Book(ctx context.Context, key BookKey) (BookState, error)

	// BookNames lists the books of an account by name.
	BookNames(ctx context.Context, account string) ([]string, error)

	// Members visits members of a book, as it is at one moment. A contact that is deleted meanwhile is left out. It stops with the
	// first error of visit, and returns it. The contact is visit's to keep.
	Members(ctx context.Context, book BookState, query MemberQuery, visit func(*Member) error) error

	// MembersBefore counts the members with a sort key below a text.
	MembersBefore(ctx context.Context, book BookState, sort string) (int64, error)

	// MembersOf returns those of the contacts that are in the book, in any order, each once.
	MembersOf(ctx context.Context, book BookState, refs []Ref) ([]Member, error)

	// ByCard returns the members with these cards, in their order. Cards that are unknown are left out.
	ByCard(ctx context.Context, book BookState, cards []string) ([]Member, error)

	// BookChanges lists what happened to a book after the change since, which must not be below its floor: at most limit changes.
	BookChanges(ctx context.Context, book BookState, since int64, limit int) (Changes, error)
}

// Rules keep the judges of rules. The zero Rules judge nothing.
type Rules struct {
	judges Judges

	mu    sync.Mutex
	known map[string]Judge
}

// NewRules returns rules with the judges that judges makes.
func NewRules(judges Judges) *Rules { return &Rules{judges: judges} }

// mostRules is how many judges are kept.
const mostRules = 1000

// Of returns the judge of a rule; nil where this process cannot say what the rule means.
func (r *Rules) Of(rule string) Judge {
	if r == nil || r.judges == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	judge, ok := r.known[rule]
	if ok {
		return judge
	}
	judge, err := r.judges(rule)
	if err != nil {
		judge = nil
	}
	if r.known == nil || len(r.known) >= mostRules {
		r.known = map[string]Judge{}
	}
	r.known[rule] = judge
	return judge
}

// Chunk is how many members are read at once.
const Chunk = 500

// A Place is where a member stands in its book.
type Place struct {
	Key  int64 // of the contact
	Seq  int64
	Sort string
}

// VisitPlaces visits the members at these places, in their order. read calls found with the entries of some of them, by where they stand
// in the list; a contact that is gone is left out. Without read, members are bare.
func VisitPlaces(book *BookState, places []Place, read func(places []Place, found func(at int, e *Entry)) error, visit func(*Member) error) error {
	if read == nil {
		for _, p := range places {
			if err := visit(&Member{Card: book.CardOf(p.Key), Seq: p.Seq, Sort: p.Sort}); err != nil {
				return err
			}
		}
		return nil
	}
	for some := range slices.Chunk(places, Chunk) {
		members := make([]Member, len(some)) // anew: they are visit's to keep
		if err := read(some, func(at int, e *Entry) { members[at].Entry = *e }); err != nil {
			return err
		}
		for i, p := range some {
			m := &members[i]
			if m.Integration == "" {
				continue
			}
			m.Card, m.Seq, m.Sort = book.CardOf(p.Key), p.Seq, p.Sort
			if err := visit(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// cardEncoding has no letters that are taken for each other, and needs no escape in a URL or a DN.
var cardEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewBookState is a state with the secret that cards are made with: 16 bytes.
func NewBookState(secret []byte) (s BookState) {
	s.cards, _ = aes.NewCipher(secret) // of another size it has no cards
	return s
}

// CardOf returns the card of a contact by its key. It is the key, encrypted: no table of names is needed, and they tell nothing.
func (s *BookState) CardOf(key int64) string {
	if s.cards == nil {
		return ""
	}
	var block [aes.BlockSize]byte
	binary.BigEndian.PutUint64(block[:], uint64(key))
	s.cards.Encrypt(block[:], block[:])
	var card [cardLength]byte
	cardEncoding.Encode(card[:], block[:])
	return string(card[:])
}

// cardLength is how many letters and digits a card has: 16 bytes, five bits each.
const cardLength = (aes.BlockSize*8 + 4) / 5

// KeyOf returns the key of the contact with a card; ok is false where that is not a card of this book.
func (s *BookState) KeyOf(card string) (key int64, ok bool) {
	block, err := cardEncoding.DecodeString(card)
	if err != nil || s.cards == nil || len(block) != aes.BlockSize || cardEncoding.EncodeToString(block) != card {
		return 0, false
	}
	s.cards.Decrypt(block, block)
	if binary.BigEndian.Uint64(block[8:]) != 0 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(block)), true
}

// IDsByIntegration returns what refs name, each once.
func IDsByIntegration(refs []Ref) map[string][]string {
	ids, seen := map[string][]string{}, make(map[Ref]bool, len(refs))
	for _, r := range refs {
		if !seen[r] {
			seen[r] = true
			ids[r.Integration] = append(ids[r.Integration], r.ID)
		}
	}
	return ids
}

// maxSort is how many bytes of a name are sorted by.
const maxSort = 120

// SortKey is what a book's members are sorted by, and what their names are found by: the words of the name, or of the company where there
// is no name, or else of the first e-mail address, as [Fold] writes them.
func SortKey(c *contact.Contact) string {
	words := Fold(c.Name)
	if len(words) == 0 {
		words = Fold(c.Company)
	}
	if len(words) == 0 && len(c.Emails) > 0 {
		words = Fold(c.Emails[0])
	}
	key := strings.Join(words, " ")
	return strings.ToValidUTF8(key[:min(len(key), maxSort)], "")
}

// LeftFor is how long it is known at least who has left a book.
const LeftFor = 100 * 24 * time.Hour

// HasInOrder reports whether all texts stand in a key one after another.
func HasInOrder(key string, texts []string) bool {
	for _, text := range texts {
		_, rest, found := strings.Cut(key, text)
		if !found {
			return false
		}
		key = rest
	}
	return true
}

// NewChanges puts what changed in a book in order: members and leavers after a change, ascending, at most one more of each than the
// limit. read returns members in the order of their places.
func NewChanges(book *BookState, members, left []Place, limit int, read func([]Place) ([]Member, error)) (c Changes, err error) {
	c.Seq = book.Seq
	if len(members)+len(left) > limit {
		c.More = true
		all := slices.Concat(members, left)
		slices.SortFunc(all, func(a, b Place) int { return cmp.Compare(a.Seq, b.Seq) })
		c.Seq = all[limit-1].Seq
	}
	back := map[int64]bool{} // left, and came back
	for _, p := range members {
		back[p.Key] = true
	}
	left = slices.DeleteFunc(left, func(p Place) bool { return back[p.Key] })
	later := func(p Place) bool { return p.Seq > c.Seq }
	members, left = slices.DeleteFunc(members, later), slices.DeleteFunc(left, later)
	if c.Members, err = read(members); err != nil {
		return c, err
	}
	for _, p := range left {
		c.Left = append(c.Left, book.CardOf(p.Key))
	}
	return c, nil
}
