package directory

import (
	"fmt"
	"strconv"

	"github.com/contactbridge/contactbridge/failure"
)

// This file is the one place that decides who is gone, for every store (D8, D9). A store brings the facts: what it was
// told, and how many contacts of the integration a run did not show.

// A Doubt is why a run cannot tell who is gone (D8). Empty: it can, once it is complete.
type Doubt string

// The doubts. The first one that comes up stays.
const (
	DoubtIncremental Doubt = "incremental"         // it asks only for what changed
	DoubtInterrupted Doubt = "interrupted"         // it was resumed at an offset that is not known to be an exact position
	DoubtRefused     Doubt = "offset_refused"      // it goes on from a page's checkpoint because the bridge refused an offset
	DoubtNameless    Doubt = "rejected_without_id" // a contact that could not be taken has no id: it may be any of them
)

// String returns a sentence without its full stop, for people; "" if there is no doubt.
func (d Doubt) String() string {
	switch d {
	case "":
		return ""
	case DoubtIncremental:
		return "the run read only what changed"
	case DoubtInterrupted:
		return "the run was interrupted and resumed, and may have missed contacts that moved meanwhile"
	case DoubtRefused:
		return "the bridge refused an offset, and the run went on from its last checkpoint"
	case DoubtNameless:
		return "a contact without an id was rejected, so it is not known who was shown"
	}
	return "the run is in doubt: " + string(d)
}

// Evidence says what a run's pages so far tell about who is gone (D8). A store keeps it with the run.
type Evidence struct {
	Doubt       Doubt
	Interrupted bool  // it was resumed, at an exact position
	Exact       bool  // the next page's offset is an exact position, as the bridge said with it
	Restarts    int64 // how often it began again from nothing because the bridge refused an offset
	Had         int64 // contacts of the integration when the run, or its last pass, began
	Brought     int64 // contacts that this pass showed and that could be taken
}

// maxRestarts is how often an initial run begins again from nothing. After that it goes on from a page's checkpoint, if there is
// one: a bridge with offsets that expire within a run must not keep the directory from getting on.
const maxRestarts = 2

// Judges reports whether the run can tell who is gone, as far as it has come: its store marks the contacts that it shows.
func (r *Run) Judges() bool { return r.Kind == Initial && r.Evidence.Doubt == "" }

// Judged reports whether the run ended and decided about contacts that it did not show: it deleted them, or the guard
// holds them back.
func (r *Run) Judged() bool { return r.Judges() && (r.State == Done || r.State == Guarded) }

// JudgedNobody returns why a complete run that read everything, or was to, could not tell who is gone, as a sentence without its
// full stop. It is empty for any other run, and if there were no contacts to judge.
func (r *Run) JudgedNobody() string {
	if r.Evidence.Had == 0 || r.Evidence.Doubt == DoubtIncremental || r.State != Done && r.State != Guarded {
		return ""
	}
	return r.Evidence.Doubt.String()
}

func (r *Run) doubt(d Doubt) {
	if r.Evidence.Doubt == "" {
		r.Evidence.Doubt = d
	}
}

// MadeWith reports whether the run was made with these settings, as far as that is known. It adopts those that it lacks.
func (r *Run) MadeWith(settings string) bool {
	if r.Settings == "" {
		r.Settings = settings
	}
	return settings == "" || r.Settings == settings
}

// Begin makes r a new run from a checkpoint, of an integration that has so many contacts.
func (r *Run) Begin(checkpoint string, had int64) {
	r.Kind, r.Since, r.Evidence = Initial, checkpoint, Evidence{Had: had}
	if checkpoint != "" {
		r.Kind, r.Evidence.Doubt = Incremental, DoubtIncremental
	}
}

// Resume notes that the run goes on where it died or failed. That does not count as an interruption if its pass has not begun.
func (r *Run) Resume() {
	if r.Offset == "" {
		return
	}
	r.Evidence.Interrupted = true
	if !r.Evidence.Exact {
		r.doubt(DoubtInterrupted)
	}
}

// Restart makes the run begin again after the bridge refused its offset (D3). An initial run that has contacts to judge, or
// was asked for as a full one, begins from nothing, and its new pass judges; any other run goes on from the last checkpoint
// that one of its pages set (P9). The store sets Evidence.Had, which counts for the new pass.
func (r *Run) Restart() {
	r.Offset, r.Context = "", nil
	again := Evidence{Restarts: r.Evidence.Restarts, Had: r.Evidence.Had}
	worth := (r.Full || r.Evidence.Had > 0) && r.Evidence.Restarts < maxRestarts
	switch {
	case r.Kind == Initial && (worth || r.Checkpoint == ""):
		r.Since = ""
		again.Restarts++
	case r.Kind == Initial:
		r.Kind, r.Since, again.Doubt = Incremental, r.Checkpoint, DoubtRefused
	default:
		if r.Checkpoint != "" {
			r.Since = r.Checkpoint
		}
		again.Doubt = r.Evidence.Doubt
	}
	r.Evidence = again
}

// Show adds a page's evidence, before the page is stored and before the store changes r.Offset. A page that says Restarted
// makes the run an initial one (D10) if it is the first of an incremental run or pass; anywhere else the word means nothing.
func (r *Run) Show(page *PageChanges) {
	if page.Restarted && r.Offset == "" && r.Kind == Incremental {
		r.Kind, r.Evidence = Initial, Evidence{Restarts: r.Evidence.Restarts, Had: r.Evidence.Had}
	}
	e := &r.Evidence
	if e.Interrupted && !page.Exact {
		r.doubt(DoubtInterrupted)
	}
	e.Exact = page.Exact
	e.Brought += int64(len(page.Contacts))
	for i := range page.Rejected {
		if page.Rejected[i].ID == "" {
			r.doubt(DoubtNameless)
		}
	}
}

// Named returns the ids that the page names as deleted and does not show, in Contacts or in Rejected: nothing is deleted by mistake.
func (p *PageChanges) Named() []string {
	if len(p.Deleted) == 0 {
		return nil
	}
	shown := make(map[string]bool, len(p.Contacts)+len(p.Rejected))
	for i := range p.Contacts {
		shown[p.Contacts[i].Contact.ID] = true
	}
	for i := range p.Rejected {
		shown[p.Rejected[i].ID] = true
	}
	var ids []string
	for _, id := range p.Deleted {
		if !shown[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// Decide decides about the contacts that a complete run would delete: those that the bridge named, and those that a run
// which judges did not show. Nil: they go. Otherwise they are held back until a user decides (D9).
//
// Among them may be contacts that this run itself created, and that were deleted in the external service while it went on. So
// the guard is asked twice: of as many as there can be of those that the integration had before, and of all of them together.
func (r *Run) Decide(named, unshown int64, guard Guard) *GuardedError {
	gone, total := named+unshown, r.Evidence.Had
	nobody := gone > 0 && r.Judges() && r.Evidence.Brought == 0
	refuses := guard.Refuses(min(gone, total), total)
	if gone > total || !refuses {
		total += r.Created
	}
	if !nobody && !refuses && !guard.Refuses(gone, total) {
		return nil
	}
	return &GuardedError{Deleted: gone, Named: named, Total: total, BroughtNobody: nobody, Rejected: r.Rejected}
}

// A Guard stands in front of deletions (D7, D9): a run that would delete more than Share of an integration's contacts, and
// more than Min of them, stops and asks. A Share of zero asks before any deletion.
type Guard struct {
	Share  float64 // 0.2 is 20 %
	Min    int64
	Always bool // asks before any deletion; tells a guard with a Share of zero from the zero Guard, which means that no guard was given
}

// DefaultGuard asks before more than 20 % of an integration's contacts, and more than 10 of them, are deleted (D7).
func DefaultGuard() Guard { return Guard{Share: 0.2, Min: 10} }

// NewGuard returns the guard with this share, which may be zero, and this least number.
func NewGuard(share float64, least int64) Guard {
	return Guard{Share: share, Min: least, Always: share == 0}
}

// OrDefault returns [DefaultGuard] for the zero Guard, and any other as it is.
func (g Guard) OrDefault() Guard {
	if g == (Guard{}) {
		return DefaultGuard()
	}
	return g
}

// Refuses reports whether deleting so many of total contacts needs a decision.
func (g Guard) Refuses(deleted, total int64) bool {
	if g.Always || g.Share <= 0 {
		return deleted > 0
	}
	return deleted > g.Min && float64(deleted) > g.Share*float64(total)
}

// CodeGuarded is the code of a [GuardedError].
const CodeGuarded failure.Code = "guarded"

// A GuardedError says that a run's deletions wait for a decision (D9).
type GuardedError struct {
	Deleted       int64 // contacts that the run would have deleted
	Named         int64 // of these, those that the bridge named as deleted
	Total         int64 // contacts that the integration had when the run started
	BroughtNobody bool  // the run was complete and brought no contact that could be taken
	Rejected      int64 // contacts that the run brought and that could not be taken
	Held          Held  // what waits for a decision now, from earlier runs too
}

func (e *GuardedError) Error() string {
	switch {
	case e.BroughtNobody && e.Rejected > 0:
		return fmt.Sprintf("the bridge showed no contact that could be taken (%d rejected), and the directory has %d of it: none was deleted", e.Rejected, e.Total)
	case e.BroughtNobody:
		return fmt.Sprintf("the bridge showed no contact at all, and the directory has %s of it: no contact was deleted", contacts(e.Total))
	case e.Named == 0:
		return fmt.Sprintf("the run did not show %d of the %s it should know: no contact was deleted", e.Deleted, contacts(e.Total))
	case e.Named == e.Deleted:
		return fmt.Sprintf("the bridge says that %d of %s are deleted: no contact was deleted", e.Deleted, contacts(e.Total))
	}
	return fmt.Sprintf("%d of %s would be deleted, %d of them because the bridge says so: no contact was deleted", e.Deleted, contacts(e.Total), e.Named)
}

// contacts writes a number of contacts: 1 contact, 2 contacts.
func contacts(n int64) string {
	if n == 1 {
		return "1 contact"
	}
	return fmt.Sprintf("%d contacts", n)
}

// waiting says how many contacts wait.
func waiting(n int64) string {
	if n == 1 {
		return "1 contact waits"
	}
	return contacts(n) + " wait"
}

// Explain says what to do about it.
func (e *GuardedError) Explain() failure.Error {
	return failure.Error{
		Code: CodeGuarded, Message: e.Error(),
		Hint: "If they are really gone, accept the deletions; if not, look at where the contacts come from. Everything else was stored.",
	}
}

// Held names the deletions of an integration that the guard holds back: contacts that wait for a decision.
type Held struct {
	// Set names the contacts that are held back. It changes when one is added, and stays when some are shown again and leave:
	// a confirmation of a Set is for the contacts that were shown to the person who confirms. Empty if nothing is held back.
	Set   string
	Count int64
}

// HeldBy returns what is held back where the newest run that held back one of count contacts is this one.
func HeldBy(run, count int64) Held {
	if count == 0 {
		return Held{}
	}
	return Held{Set: strconv.FormatInt(run, 10), Count: count}
}

// Check returns a [*HeldError] unless set names what is held back.
func (h Held) Check(set string) error {
	if set == "" || set != h.Set {
		return &HeldError{Set: set, Now: h}
	}
	return nil
}

// A HeldError says that a decision is not for the contacts that are held back now.
type HeldError struct {
	Set string // that the answer was for
	Now Held
}

func (e *HeldError) Error() string {
	switch {
	case e.Now.Count == 0:
		return "no deletions wait for a decision"
	case e.Set == "":
		return fmt.Sprintf("the answer does not say which deletions it is for: %s, as set %s", waiting(e.Now.Count), e.Now.Set)
	}
	return fmt.Sprintf("the deletions that wait have changed since: the answer is for set %q, and %s now, as set %s", e.Set, waiting(e.Now.Count), e.Now.Set)
}

// Explain says what to do about it.
func (e *HeldError) Explain() failure.Error {
	hint := "Look at the contacts that wait now, then answer for set " + e.Now.Set + "."
	if e.Now.Count == 0 {
		hint = "They were answered already, or the contacts have come back. Look how the integration stands now."
	}
	return failure.Error{Code: failure.Conflict, Field: "set", Message: e.Error(), Hint: hint}
}

// A HeldContact waits for a decision on its deletion.
type HeldContact struct {
	Seq   int64 // ascending in its integration; the store's
	Entry       // as it is in the directory
	Named bool  // the bridge said that it is deleted; otherwise a complete run did not show it
}

// WhyHeld returns why a contact would be deleted, as a phrase for people. See [HeldContact] for named.
func WhyHeld(named bool) string {
	if named {
		return "named by the bridge"
	}
	return "not shown by a complete run"
}
