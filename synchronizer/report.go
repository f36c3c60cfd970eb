package synchronizer

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
)

// A Report says what a run did, as JSON too. Of a resumed run it counts everything since the run first started, except
// Seconds, Retries, Restarts and Rejections, which are this call's.
type Report struct {
	Account       string             `json:"account"`
	Integration   string             `json:"integration"`
	Kind          directory.Kind     `json:"kind,omitempty"`  // empty where no run could be started
	State         directory.RunState `json:"state,omitempty"` // done, failed, guarded; running where another process has it now
	Resumed       bool               `json:"resumed"`
	Pages         int64              `json:"pages"`
	Contacts      int64              `json:"contacts"`
	Created       int64              `json:"created"`
	Updated       int64              `json:"updated"`
	Unchanged     int64              `json:"unchanged"`
	Deleted       int64              `json:"deleted"`
	Rejected      int64              `json:"rejected"`
	Judged        bool               `json:"judged"`               // a complete run that could tell who is gone
	Doubt         directory.Doubt    `json:"doubt,omitempty"`      // why it could not (D8)
	NotJudged     string             `json:"not_judged,omitempty"` // the same in a sentence, of a run that read everything or was to
	Accepted      int64              `json:"accepted,omitempty"`   // contacts that were deleted before the run because a user confirmed it
	Bytes         int64              `json:"bytes"`
	Checkpoint    string             `json:"checkpoint"` // the last one that the run set; empty where it set none
	Retries       int                `json:"retries"`
	Restarts      int                `json:"restarts"`
	Seconds       float64            `json:"seconds"`
	SearchSeconds float64            `json:"search_seconds,omitempty"` // afterwards, until search found all of them by their words
	Rejections    []Rejection        `json:"rejections,omitempty"`     // the first few
	CatchUp       *Report            `json:"catch_up,omitempty"`       // the run that followed a resumed one
	Held          *HeldBack          `json:"held,omitempty"`           // deletions that wait for a decision, of a guarded run
	Error         *Problem           `json:"error,omitempty"`
}

// A Rejection is a contact that could not be taken (D6).
type Rejection struct {
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
}

// A Problem is why a run failed, and what to do.
type Problem struct {
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
	Hint    string       `json:"hint,omitempty"`
}

// HeldBack says which deletions wait for a decision.
type HeldBack struct {
	Set      string       `json:"set"` // a confirmation is for it
	Count    int64        `json:"count"`
	Contacts []HeldPerson `json:"contacts"` // the first hundred
}

// A HeldPerson is a contact that would be deleted.
type HeldPerson struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Named bool   `json:"named"` // the bridge says that it is deleted; otherwise a complete run did not show it
}

// maxHeld is how many of the contacts that wait a report names; the directory has them all.
const maxHeld = 100

// heldBack lists what waits for a decision since a run's end. What cannot be read is left out: the error says what it is about.
func (p *pass) heldBack(held directory.Held) *HeldBack {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	list, _ := p.Store.Held(ctx, p.key, 0, maxHeld)
	b := &HeldBack{Set: held.Set, Count: held.Count, Contacts: []HeldPerson{}}
	for _, h := range list {
		b.Contacts = append(b.Contacts, HeldPerson{ID: h.Contact.ID, Name: h.Contact.Name, Named: h.Named})
	}
	return b
}

// maxRejections is how many rejected contacts a report names; the directory keeps more.
const maxRejections = 5

// remember keeps the first few rejected contacts.
func (p *pass) remember(rejected []directory.Rejected) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rejected[:min(len(rejected), maxRejections-len(p.rejections))] {
		p.rejections = append(p.rejections, Rejection{ID: r.ID, Reason: r.Reason})
	}
}

func seconds(took time.Duration) float64 { return math.Round(took.Seconds()*1000) / 1000 }

// report sums up; err is how the run ended.
func (p *pass) report(took time.Duration, err error) Report {
	r := Report{
		Account:     p.key.Account,
		Integration: p.key.Integration,
		Retries:     p.retries,
		Restarts:    p.restarts,
		Seconds:     seconds(took),
		Rejections:  p.rejections,
	}
	if run := p.run; run != nil {
		r.Kind, r.State, r.Resumed, r.Checkpoint = run.Kind, run.State, run.Resumed, run.Checkpoint
		r.Pages, r.Contacts, r.Bytes = run.Pages, run.Contacts, run.Bytes
		r.Created, r.Updated, r.Unchanged = run.Created, run.Counts.Updated, run.Unchanged
		r.Deleted, r.Rejected = run.Deleted, run.Rejected
		r.Judged, r.Doubt = run.Judged(), run.Evidence.Doubt
		r.NotJudged = run.JudgedNobody()
	}
	if guarded, ok := errors.AsType[*directory.GuardedError](err); ok {
		r.Held = p.heldBack(guarded.Held)
	}
	if err != nil {
		r.Error = &Problem{Code: bridge.CodeOf(err), Message: err.Error(), Hint: failure.Of(err).Hint}
	}
	return r
}
