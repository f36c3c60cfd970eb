// Package bridge implements the contact-synchronization protocol: the contract of a source of contacts ([Source]), the server
// ([Handler]), the client ([Client]), and the errors and statuses between them ([Error]). It depends on no source and no
// store.
package bridge

import (
	"context"
	"iter"

	"github.com/contactbridge/contactbridge/contact"
)

// A Checkpoint is where a run starts: the last run's final one, sent back (P2, P7).
// Only the source that issued it reads it. It is printable UTF-8. Empty means none: an initial run, every contact.
type Checkpoint string

// A Position is a place in the order of one run, so exact that reading can go on after it: for a sorted source the pair
// (updated, id) of E1. Only the source that issued it reads it. Empty means the start of the run.
type Position []byte

// A Run is fixed before anything is read and travels in every offset, so that any replica can serve any page (E4).
type Run struct {
	// Since is the checkpoint that the run started from; empty on an initial run.
	Since Checkpoint
	// State holds what the source needs again on every page: the upper bound (E3), the safe horizon (E2), a
	// fingerprint (E10). At most a few hundred bytes.
	State []byte
}

// Initial reports whether the run reads every contact (P5).
func (r Run) Initial() bool { return r.Since == "" }

// A Change is one contact as it is now, or its deletion.
//
// A change and everything it points to (strings included) is valid only until the iteration goes on: sources reuse their
// buffers. Keep contact.Contact.Clone of it.
type Change struct {
	Contact contact.Contact
	// Deleted says that the contact is gone from the external service. Contact.ID is set; the name where it is known.
	Deleted bool
	// Rejected says why a record of the external service cannot be read as a contact, for people: which record, and what is
	// wrong with it. Of Contact only the ID is set, where it is known. Such a record is not sent, but it was shown (D8): the
	// synchronizer does not take it for gone. Empty for every record that can be read.
	Rejected string
	// Again says that this contact may have been yielded before: the run looks once more at what was changed since it began
	// (E12), or the contact changed its place in the order between two queries of one page. No page ends up with it twice (P10).
	Again bool
	// Position is the place after this change: a page may end here and the next one start here.
	// Empty where the order cannot be cut.
	Position Position
	// JSON stands for the contact where an [Encoder] gives it. Otherwise it is empty.
	JSON []byte
}

// A Source reads the contacts of one external service on behalf of one set of credentials: an ordered, resumable
// iterator and nothing else. Pages, limits, authentication and metrics are the [Handler]'s.
//
// A source is used by many requests at once. Its errors are of type [*Error] where the cause is known; any other error
// counts as [CodeInternal]. Every method returns soon after its context is done, with the context's error.
type Source interface {
	// Begin fixes a run: from where (since; empty means everything), up to which bound (E3), and how far its checkpoint may
	// go (E2). It reads no contacts. A checkpoint that this source cannot have issued is [CodeInvalidCheckpoint]. One that it
	// issued and can no longer use (it has expired, or the clock is before it) gives an initial run: one with a Since that is
	// empty, and which therefore brings every contact.
	Begin(ctx context.Context, since Checkpoint) (Run, error)

	// Read yields the run's changes after a position in ascending order, each exactly once, until the run's bound, then, in an
	// initial run, what may have escaped that order (E12, Change.Again), then ends. limit is the most changes that the caller will
	// take, so that a source need not fetch more: a hint, 0 means all. A source that ends for the limit has yielded that many, and
	// has not ended after a change without a Position. A run or position that this source cannot have issued is
	// [CodeInvalidOffset]. After an error the iteration ends.
	Read(ctx context.Context, run Run, after Position, limit int) iter.Seq2[Change, error]

	// Checkpoint returns the checkpoint that the page that ends at a position may set (P7, P9): never beyond the run's safe horizon (E2), empty
	// where nothing is safe yet. complete says that the run has been read to its end; at is then the last position of the
	// run, empty if it had no change at all. It does no I/O.
	Checkpoint(run Run, at Position, complete bool) Checkpoint

	// Close releases what the source holds. It may be called only while nothing reads.
	Close() error
}

// A Prober is a source that can check its credentials cheaply: nil, or an [*Error] with
// [CodeUnauthorized] when they are not. For any other source Begin decides.
type Prober interface {
	Probe(ctx context.Context) error
}

// A Describer is a source that says what its checkpoints belong to. Describe may ask the external service, and caches the
// answer: it is called once for each page. A source that is not a Describer has the zero Description.
type Describer interface {
	Describe(ctx context.Context) (Description, error)
}

// A Splitter is a source of which a page can be read in two halves at once, because it finds the middle of a page without
// reading up to it, as an index does. It is asked for every page, so that it must be quick.
type Splitter interface {
	// Split returns the position of one of the next limit changes that Read yields after a position, about half of them, and how many
	// changes there are up to it: reading that many, and reading after it, gives what reading all gives. None of them is Again.
	// first is 0 where a page cannot be split; an error of the run or the position is Read's to find.
	Split(ctx context.Context, run Run, after Position, limit int) (middle Position, first int)
}

// An Encoder is a source that can write the JSON of its contacts from what it reads. That is cheaper than to make a contact first.
type Encoder interface {
	// ReadEncoded is Read, but contacts may be encoded: as what [contact.Contact.AppendJSON] writes of the contact that Read yields. Only
	// contacts that are valid ([contact.Contact.Validate]), have a name and are not deleted are encoded, and only those for which e.Sent
	// returns true.
	ReadEncoded(ctx context.Context, run Run, after Position, limit int, e Encoding) iter.Seq2[Change, error]
}

// An Encoding says which contacts an [Encoder] encodes, and who gets them.
type Encoding struct {
	// Sent reports whether a contact is sent as it is. It is called with a contact that has Emails, Phones, Websites and Country and nothing
	// else, and keeps nothing of it.
	Sent func(*contact.Contact) bool
	// Take takes the JSON of a contact and the position after it, both valid until it returns, in its place between the changes that are
	// yielded. Reading ends where it returns false. It is cheaper than a change, which is large. Where it is nil, a change is yielded that has
	// JSON in place of a contact; of the contact it then has the ID at most.
	Take func(json []byte, after Position) (more bool)
}

// A Repeater is a source that can tell whether it would yield the same again. The handler reads the next pages of its runs ahead, while the caller
// takes in the page before them, and sends such a page only if the source still repeats it when it is asked for.
type Repeater interface {
	// Repeats reports whether Read of a run would yield now, after any position, what it yielded since Repeats first returned true
	// for that run. It looks at what Read looks at before it yields anything, and returns false where Read would fail, or where it cannot
	// tell. It is called several times for each page, so that it must be quick.
	Repeats(ctx context.Context, run Run) bool
}

// A Searcher is a source that can be asked for the contacts that have a phone number, while a call waits for the answer.
type Searcher interface {
	// Search returns contacts that have the number, at most q.Limit, in no order. It may return others too: who asks compares their
	// numbers. No contact is deleted. The contacts are the caller's. Search ends soon after ctx is done, with its error, and leaves no
	// statement running in the external service.
	Search(ctx context.Context, q Search) ([]contact.Contact, error)
}

// A Search is a phone number as an external service may hold it.
type Search struct {
	// Spellings are ways to write the whole number, the likeliest first. They consist of digits, spaces and +()-./ only.
	Spellings []string
	// Digits stand one after the other in every spelling of the number: its number within its country, without a prefix. More than
	// one where a renumbering changed it.
	Digits []string
	Limit  int // most contacts in the answer; 0 means 20
}

// Most returns how many contacts the answer has at most.
func (q Search) Most() int {
	if q.Limit <= 0 {
		return 20
	}
	return q.Limit
}

// A Description holds what a bridge must know about a source besides its contacts.
type Description struct {
	// Digest identifies the data that is read, how it becomes contacts, and the tenant it belongs to (D10): equal in every process that reads the
	// same with the same credentials, and different where any of it differs. No password and no token is part of it.
	Digest string
	// Exact says that positions are exact: however long a run is interrupted, it goes on right after the last contact that
	// it brought, so that a contact that no page held was absent (D8).
	Exact bool
}

// Auth holds the credentials of one user of the external service: the request's auth object (P1), every value as text.
type Auth map[string]string
