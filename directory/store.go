// Package directory is where the synchronizer keeps contacts, for caller identification and user attribution: contacts,
// the numbers that find them, runs and checkpoints. Everything is keyed by account first.
package directory

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
)

// A Key names one integration: one bridge in one account.
type Key struct {
	Account     string
	Integration string
}

// A Kind says what a run asked for (P5).
type Kind string

// The kinds of run.
const (
	Initial     Kind = "initial"     // every contact; the only kind that judges who is gone (E6)
	Incremental Kind = "incremental" // contacts updated after the checkpoint
)

// A RunState says how a run stands.
type RunState string

// The states of a run.
const (
	Running   RunState = "running"   // under way, or died: its lease tells which
	Done      RunState = "done"      // complete; its checkpoint is the integration's
	Failed    RunState = "failed"    // ended with an error; can be resumed while it is fresh (D3)
	Guarded   RunState = "guarded"   // complete, but its deletions wait for a decision (D9)
	Abandoned RunState = "abandoned" // replaced by a newer run
)

// A Run is one pass over an integration's pages.
type Run struct {
	Key
	ID         int64
	Kind       Kind
	State      RunState
	Since      string          // checkpoint that every page of the run is asked with; empty on an initial run
	Offset     string          // where the next page starts; empty before the first page
	Context    json.RawMessage // the bridge's own state for the next page (P4); nil if it gave none
	Checkpoint string          // the last one that any page of the run set (D2); empty where none did
	Lease      string          // token of the process that works on it; only its holder may write (T8)
	Started    time.Time
	Updated    time.Time // when the last page was stored
	Finished   time.Time // zero while it is under way
	Error      string    // of a failed or guarded run
	Hint       string    // what to do about the error; empty if that is unknown
	Resumed    bool      // StartRun found it half done
	Full       bool      // a user asked for a full run
	Settings   string    // see [Start]
	Evidence   Evidence  // of who is gone
	Counts
}

// Counts add up what a run did. Created + Updated + Unchanged = Contacts.
type Counts struct {
	Pages     int64
	Contacts  int64 // contacts stored or found unchanged
	Created   int64
	Updated   int64
	Unchanged int64
	Deleted   int64
	Rejected  int64 // contacts that could not be taken (D6)
	Bytes     int64 // of the answers' bodies
}

// A Start says how a run begins.
type Start struct {
	Full     bool          // a new initial run, whatever checkpoint there is; one that died is abandoned, not resumed
	Lease    time.Duration // how long the run belongs to its process without a sign of life
	FreshFor time.Duration // a run with a last page that is older than this is not resumed (D3); 0: no run is resumed
	// Settings is a digest of what the run depends on besides the bridge's contacts: its address, the tenant, how numbers
	// are read. A half-done run with other ones is abandoned; a checkpoint that was kept with other ones is forgotten, and the
	// run is an initial one (D8, D10). Empty: not known, and nothing is compared. A store that knows none yet adopts it.
	Settings string
}

// PageChanges are the changes of one page of a run.
type PageChanges struct {
	Seq        int64 // number of the page in its run, from 1; any other than Run.Pages+1 is refused with [ErrOutOfOrder] (T8)
	Contacts   []Record
	Deleted    []string // ids that the bridge says are gone (D7)
	Rejected   []Rejected
	NextOffset string          // empty on the last page, and only there
	Context    json.RawMessage // to be sent with NextOffset
	Checkpoint string          // empty where the page set none
	Bytes      int64           // of the answer's body
	Restarted  bool            // the bridge answers with every contact though a checkpoint was sent (D10); see [Run.Show]
	Exact      bool            // the bridge's offsets are exact positions (D8)
	Guard      Guard           // stands in front of the run's deletions; looked at on the last page
	Reading    Reading         // makes the records' numbers
}

// Last reports whether the run is complete with this page.
func (p *PageChanges) Last() bool { return p.NextOffset == "" }

// A Record is a contact on its way into the directory, with the numbers that find it.
type Record struct {
	Contact contact.Contact
	Numbers []Number // those after the first [MaxNumbers] are not kept
	Unread  bool     // Numbers are not there yet: the page's [Reading] makes them where the contact is new or may have changed

	ahead *ahead // what was prepared of it; may be nil
}

// A Reading is how a page's phones are made findable.
type Reading struct {
	// Name tells one way from another: readings of one name make equal numbers of equal phones, in any process. A contact that was stored
	// with the same name and says the same is left alone without its numbers being made again. Empty: that is not known.
	Name string
	// Numbers makes numbers of a contact's phones; it is called for records that are [Record.Unread] only.
	Numbers func(phones []string) []Number
}

// A Number is one of a contact's phone numbers, ready to be found.
type Number struct {
	Raw       string // as the bridge sent it
	E164      string // with +; empty if the number is not valid
	Match     string // the digits that lookups compare: E.164 without + wherever there is one, or else what digits there are
	Extension string
}

// Digits returns the digits that lookups compare, and whether they are an E.164 number's.
func (n *Number) Digits() (digits string, full bool) {
	if n.E164 != "" {
		return n.E164[1:], true
	}
	return n.Match, false
}

// Written returns the number as the bridge sent it; empty where that is its E.164 form, the usual case where the bridge formats numbers.
func (n *Number) Written() string {
	if n.Raw == n.E164 {
		return ""
	}
	return n.Raw
}

// A Rejected contact could not be taken.
type Rejected struct {
	Seq    int64  // ascending in its integration; the store's, of no meaning in [PageChanges]
	Run    int64  // ID of the run that brought it; the store's as well
	ID     string // empty where it has none
	Reason string // a sentence
}

// A Match is a contact that a number leads to. A contact with several numbers that agree comes once for each of them.
type Match struct {
	Key
	Contact contact.Contact
	Number  Number
	Changed time.Time // when the run began that last changed the contact; zero where that is not known
}

// A Ref names one contact of an account, or one agent.
type Ref struct {
	Integration string
	ID          string // in the external service
	Agent       bool   `json:",omitempty"` // it is an agent's
}

// ReasonPurged is why a suppressed contact is not stored.
const ReasonPurged = "was purged on request"

// An Entry is a contact and where it comes from.
type Entry struct {
	Key
	Contact contact.Contact
}

// A Query says what a user typed. Every word of Text must stand at the start of a word of the contact's name, company,
// title or e-mail addresses ([Terms]), compared as [Fold] writes them; text that is a number ([Digits]) is looked for at the
// start of the contact's numbers ([Starts]) and at the end of their Match as well. Found contacts are ordered by [Rank]: those
// with the text as their e-mail address come first, then those with it as their name; then by folded name (its words, with one space
// between them, byte by byte), then integration and id. A text that finds more than a thousand contacts, or more than [MaxRanked]
// bytes of them, may rank only some of them: an answer is never slow for being large. A text without anything to look for finds
// no contact.
type Query struct {
	Text        string
	Integration string // only its contacts; empty: all
	Book        string // only its members; empty: all contacts
	// Starts, instead of a Text, are digits that one of the contact's numbers starts with ([Starts]), one or more.
	Starts string
	// Unranked returns those that are found first, instead of the best of the first [RankedMost].
	Unranked bool
	Limit    int // 0 means 20
}

// State is how an integration stands.
type State struct {
	Key
	Checkpoint string // where the next run starts; empty: an initial one
	Contacts   int64
	Held       Held // deletions that wait for a decision
	LastRun    *Run // newest run; nil before the first
	Agents     Agents
}

// What of one contact finds it; a store does not keep more for that. A contact within the bounds of package contact loses nothing,
// unless its phones hold several numbers each.
const (
	MaxNumbers = 4096
	MaxEmails  = contact.MaxEmails
)

// MaxRanked is how many bytes of contacts [Store.Search] puts in order.
const MaxRanked = 32 << 20

// MinSuffix is how many digits [Store.BySuffix] needs.
const MinSuffix = 6

// Errors of a store. They are wrapped; compare with errors.Is.
var (
	ErrUnderWay error = &failure.Error{
		Code: failure.Conflict, Message: "a run of this integration is under way", Hint: "Cancel it, or wait for its end.",
	}
	ErrNotFound error = &failure.Error{
		Code: failure.NotFound, Message: "not found", Hint: "Check the name; another user may have removed it.",
	}
	// ErrTooLong says that not all of a book was looked through in the time that there was ([MemberQuery]).
	ErrTooLong    = errors.New("it takes too long to look through the whole book")
	ErrLeaseLost  = errors.New("the run belongs to another process now")
	ErrOutOfOrder = errors.New("the page is not the run's next one")
)

// An UnderWayError is [ErrUnderWay] with what is known of the other run.
type UnderWayError struct {
	Run   Run
	Until time.Time // when its lease ends if its process shows no sign of life
}

func (e *UnderWayError) Error() string { return ErrUnderWay.Error() }

// Unwrap returns [ErrUnderWay], which explains it.
func (e *UnderWayError) Unwrap() error { return ErrUnderWay }

// A Store keeps a directory. All methods may be called concurrently, by any number of processes on one store.
type Store interface {
	Books

	// StartRun opens a run, or goes on with the one that died or failed half done while that is fresh (D3; Run.Resumed).
	// Without Full the run starts from the integration's checkpoint. While another process holds the lease it returns an
	// [*UnderWayError]; when that lease has expired the run is taken over. A run that is no longer fresh, that had other
	// settings, or that a full one replaces, is abandoned: what it stored stays, its checkpoint is not adopted.
	StartRun(ctx context.Context, key Key, start Start) (*Run, error)

	// ApplyPage stores one page in one transaction: contacts, named deletions, the resume state, counts, the lease's renewal and,
	// on the last page, the deletions, the run's end and the integration's checkpoint, or nothing of it (E5). It
	// updates run. Contacts with the same content and numbers are not rewritten. An id that stands in the page twice: the last wins;
	// one that stands in Deleted and in Contacts or Rejected is kept. After an error that leaves open whether the page was stored (a
	// cancelled context), the same page is either stored or refused with [ErrOutOfOrder], never stored twice.
	// The run's checkpoint becomes the integration's; if no page set one, the integration has none and its next run is an
	// initial one (D2).
	//
	// Who is gone is decided on the last page, for the whole run: the contacts that its pages named and no later page showed, and, where
	// the run judges ([Run.Judges]), every older contact of the integration that it did not show (E6, D8). A rejected contact that has an
	// id counts as shown. They are deleted, unless the guard refuses ([Run.Decide]): then the run ends as Guarded, with its contacts and
	// checkpoint stored and no contact deleted, they are held back, and a [*GuardedError] is returned. A contact that is held back
	// and shown by a later page is held back no longer.
	// [ErrLeaseLost] where the run belongs to another process or has ended.
	ApplyPage(ctx context.Context, run *Run, page PageChanges) error

	// RestartRun throws the run's offset and context away after the bridge refused them (D3), and updates run; see [Run.Restart].
	RestartRun(ctx context.Context, run *Run) error

	// Held lists the contacts with a deletion that waits for a decision, ascending by Seq: those with a Seq above after, at most limit.
	Held(ctx context.Context, key Key, after int64, limit int) ([]HeldContact, error)

	// DeleteHeld deletes the contacts that are held back, and reports how many: the confirmation of a person who was shown them. Where set does
	// not name what is held back now, it deletes no contact and returns a [*HeldError].
	DeleteHeld(ctx context.Context, key Key, set string) (int64, error)

	// KeepHeld is the no: the contacts are held back no longer, and stay. It reports how many; a [*HeldError] as DeleteHeld's.
	// Those that a complete run does not show again come up again; the bridge names a deletion only once.
	KeepHeld(ctx context.Context, key Key, set string) (int64, error)

	// FailRun ends a run with an error and what to do about it; what it stored stays, and it can be resumed. The lease is given
	// back. It updates run. Where ctx may be what ended the run, give it another one.
	FailRun(ctx context.Context, run *Run, cause error, hint string) error

	// RenewLease shows a sign of life. [ErrLeaseLost] where the run was taken over.
	RenewLease(ctx context.Context, run *Run, lease time.Duration) error

	// State is how an integration stands; a zero state with the key for one that never ran.
	State(ctx context.Context, key Key) (State, error)

	// States lists an account's integrations by name; all accounts' where account is empty.
	States(ctx context.Context, account string) ([]State, error)

	// Runs lists an integration's runs, newest first: those with an ID below before; 0: from the newest on.
	Runs(ctx context.Context, key Key, before int64, limit int) ([]Run, error)

	// Rejected lists what the integration's newest runs could not take, newest first: those with a Seq below before; 0:
	// from the newest on. Only the newest are kept.
	Rejected(ctx context.Context, key Key, before int64, limit int) ([]Rejected, error)

	// Contact returns one contact by its id in the external service, or [ErrNotFound].
	Contact(ctx context.Context, key Key, id string) (contact.Contact, error)

	// Contacts lists an integration's contacts ascending by id (byte by byte), starting after an id, at most limit.
	Contacts(ctx context.Context, key Key, after string, limit int) ([]contact.Contact, error)

	// ByE164 returns the account's contacts with one of these E.164 numbers, at most limit, ordered by integration, id and
	// the number's place in the contact. A number without + finds those that are not E.164 and have exactly these digits. The matches
	// are the store's, which may remember them: nobody changes them or their lists.
	ByE164(ctx context.Context, account string, numbers []string, limit int) ([]Match, error)

	// BySuffix returns the account's contacts with a number that has a Match ending in these digits, at most limit, ordered as
	// ByE164 does, and the store's as its are. Fewer than [MinSuffix] digits, or anything but digits, is an error.
	BySuffix(ctx context.Context, account, digits string, limit int) ([]Match, error)

	// ByEmail returns the account's contacts with one of these e-mail addresses, compared as [FoldEmail] writes them, at most
	// limit, each once, ordered by integration and id. An address that is blank finds no contact.
	ByEmail(ctx context.Context, account string, emails []string, limit int) ([]Entry, error)

	// Search finds contacts while a user types; see [Query].
	Search(ctx context.Context, account string, query Query) ([]Entry, error)

	// Unsearchable returns how many of the account's contacts Search does not find yet by what they say: those that a run stored since the
	// last CompleteSearch. Their ids, e-mail addresses and numbers find them all the same.
	Unsearchable(ctx context.Context, account string) (int64, error)

	// CompleteSearch makes every contact of an integration one that Search finds; of all integrations where the key is empty. Whoever stored
	// pages calls it when the run is over; interrupted, it goes on with the next call.
	CompleteSearch(ctx context.Context, key Key) error

	// Purge deletes contacts for good on their person's request: content, numbers, search terms and rejections. With suppress
	// their ids are remembered as digests, so that no later run brings them back: ApplyPage counts them as rejected, and keeps
	// [ReasonPurged] without the id, which would bring back what was purged. It reports how many contacts there were. Ids and
	// integrations that are not known are suppressed all the same. It may be called while a run is under way. Agents are deleted, counted
	// and suppressed in the same way, each by a [Ref] that says so.
	Purge(ctx context.Context, account string, refs []Ref, suppress bool) (int64, error)

	// Purged reports of each id whether a contact of an integration was purged with suppress, so that it must not be shown wherever it comes
	// from.
	Purged(ctx context.Context, key Key, ids []string) ([]bool, error)

	// SetAgents replaces an integration's agents by those that a complete synchronization brought, in one transaction, and reports how
	// many are stored: all but those that were purged with suppress. It ends what FailAgents noted. [ErrNotFound] where the integration
	// never ran or was forgotten. An id that comes twice: the last wins.
	SetAgents(ctx context.Context, key Key, agents []Agent) (int64, error)

	// FailAgents notes why a synchronization of agents failed, and what to do; those that are stored stay. [ErrNotFound] as SetAgents.
	FailAgents(ctx context.Context, key Key, cause error, hint string) error

	// Agents lists an integration's agents ascending by id (byte by byte), starting after an id, at most limit.
	Agents(ctx context.Context, key Key, after string, limit int) ([]Agent, error)

	// Agent returns one agent by its id in the external service, or [ErrNotFound].
	Agent(ctx context.Context, key Key, id string) (Agent, error)

	// AgentsByEmail returns the account's agents with an e-mail address, compared as [FoldEmail] writes it, at most limit, ordered by
	// integration and id.
	AgentsByEmail(ctx context.Context, account, email string, limit int) ([]AgentEntry, error)

	// Forget deletes an integration with all that is kept of it: contacts, runs, checkpoint, agents, suppressions. While a run of it
	// is under way: [*UnderWayError]. One that is not there is forgotten already. A large one goes in many transactions; from
	// the first one on it is not there any more, and when the rest is interrupted the next Forget or Prune goes on with it.
	Forget(ctx context.Context, key Key) error

	// Prune deletes the ended runs that finished before a time, and their rejections, but never an integration's newest run
	// or one that can still be resumed or judged. It reports how many.
	Prune(ctx context.Context, before time.Time) (int64, error)

	Close() error
}
