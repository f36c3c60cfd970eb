// Package sourcetest provides the suite that every source passes: the rules of the source contract as cases, run against a
// real external service that the suite writes to.
package sourcetest

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// A Target is a kind of source under test.
type Target struct {
	// New sets up an external service without contacts, and cleans up after itself when the test ends. The suite calls it
	// for every case, and many times for the random histories, so it should be quick.
	New func(t testing.TB) Service
	// Unsorted says that the source has no updated field, so that its checkpoint is a fingerprint of everything (E10).
	Unsorted bool
	// Tokens says that an Unsorted source knows what changed all the same: its checkpoint is a token of the service's, and only a
	// run that brings everything is an initial one.
	Tokens bool
	// Restarts says that a change of the external service may end a run that is being read, with
	// [bridge.CodeInvalidOffset]; the suite then starts it again from its last checkpoint, as a synchronizer does (D3).
	Restarts bool
	// OwnClock says that the external service stamps changes itself, with a clock that does not go back: no stamp of a contact is ever
	// older than the one before.
	OwnClock bool
	// Unordered says that contacts come in an order of the external service's own, so that a run's checkpoint comes at its end (E7).
	Unordered bool
	// OwnEnd says that the external service's own pages say when a run ends, so that it may go on as long as contacts are added faster
	// than they are read.
	OwnEnd bool
	// LateReturns says that a contact that is deleted and comes back while a run reads may be brought by the next run only: the external
	// service lists deletions apart from contacts, and at no moment both.
	LateReturns bool
	// Part says which of several sources, which are read one after the other, has a contact; nil if there is only one. The order
	// of contacts is that of their parts, and then that of the source.
	Part func(id string) int
	// Order compares two ids as the external service sorts them; nil means by their bytes. Collations differ.
	Order func(a, b string) int
	// OwnTies says that contacts of one stamp come in an order of the external service's own, which stays while none of them changes.
	OwnTies bool
	// Slides says that the external service gives pages by their number, in no order that holds: a record that others push back and
	// forth between two requests is missed until a later run. Random histories then write between runs only.
	Slides bool
	// Asked says that the source can be asked for a phone number: it is a [bridge.Searcher].
	Asked bool
	// MaxText is the longest text, in bytes, that every field of the service can hold; 0 means 20,000.
	MaxText int
	// Kept returns what the external service keeps of a text; nil means all of it.
	Kept func(text string) string
	// HistoryTime is how long random histories are made; 0 means 1 second. The environment variable SOURCETEST_HISTORIES overrules it
	// in every suite: SOURCETEST_HISTORIES=2m go test ./source/mysql -run RandomHistories.
	HistoryTime time.Duration
}

// order compares two ids.
func (t Target) order(a, b string) int {
	if t.Order == nil {
		return strings.Compare(a, b)
	}
	return t.Order(a, b)
}

// A Service is one external service. Its contacts must be able to hold what [Full] makes. Ids are texts, in the order that
// [Target.Order] says. Every hook returns when its change is visible to every reader that begins then.
type Service struct {
	// Open opens the source with the right credentials, as a process that has just started: nothing is shared with a source
	// that was opened before but the external service itself. The suite closes it.
	Open func(ctx context.Context) (bridge.Source, error)
	// Now is the time of the clock that stamps changes.
	Now func() time.Time
	// Put adds or replaces contacts in one transaction; all have the given stamp. A contact that was deleted is back.
	// Unsorted targets ignore the stamp.
	Put func(updated time.Time, contacts ...contact.Contact) error

	// The hooks below may be nil. Cases that need them are then skipped, which lowers what a passed suite is worth.

	// PutNull is Put with no stamp at all (E9).
	PutNull func(contacts ...contact.Contact) error
	// Delete says in the external service that contacts are gone, stamped like Put, so that the source can tell.
	Delete func(updated time.Time, ids ...string) error
	// Mark is Put with a text in the contact's deleted column.
	Mark func(updated time.Time, c contact.Contact, deleted string) error
	// Begin starts a transaction. Its writes are stamped with its begin, as with a database's now().
	Begin func() (Tx, error)
	// LongIDs says that contacts can be put whose ids are longer than contact.MaxID.
	LongIDs bool
	// ManyWriters says that others may write while a transaction is open.
	ManyWriters bool
	// Settle waits until what was put is told from what is put from now on, where the external service counts in whole seconds. It may be
	// nil, and no case is skipped for it.
	Settle func()
	// OpenWrong opens the source with wrong credentials. Either it or the source's Probe or Begin must refuse.
	OpenWrong func(ctx context.Context) (bridge.Source, error)
}

// A Tx is an open transaction of an external service.
type Tx interface {
	Put(contacts ...contact.Contact) error
	Commit() error
	Rollback() error
}

// A testCase is one rule of the contract.
type testCase struct {
	name string
	rule string // what is violated when it fails, and why that matters
	// needs names the hook without which the case cannot run, or why it has no meaning for the target; empty means run.
	needs func(Target, Service) string
	run   func(*exam)
}

// Run runs the suite as subtests, one for each rule. Every failure names the rule. It can be run with -run for one. The
// environment variable SOURCETEST_CASES leaves out all but the cases that it names, with blanks between, in every suite.
func Run(t *testing.T, target Target) {
	var skipped []string
	only := os.Getenv("SOURCETEST_CASES")
	for _, c := range cases() {
		if only != "" && !slices.Contains(strings.Fields(only), c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			failures, skip := check(t, target, c)
			if skip != "" {
				skipped = append(skipped, c.name)
				t.Skipf("NOT CHECKED: %s (%s): %s", c.name, c.rule, skip)
			}
			for _, f := range failures {
				t.Errorf("%s\nrule: %s", f, c.rule)
			}
		})
	}
	if len(skipped) > 0 {
		t.Logf("NOT CHECKED, %d of %d rules: %s", len(skipped), len(cases()), strings.Join(skipped, ", "))
	}
}

// check runs one case and collects what failed, or says why it was skipped.
func check(t testing.TB, target Target, c testCase) (failures []string, skip string) {
	x := &exam{t: t, ctx: t.Context(), target: target}
	if c.needs != nil {
		x.service = target.New(t)
		if skip := c.needs(target, x.service); skip != "" {
			return nil, skip
		}
	}
	defer func() {
		if r := recover(); r != nil {
			if _, stop := r.(stopExam); !stop {
				panic(r)
			}
		}
		x.close()
		failures = x.failures
	}()
	if c.needs == nil {
		x.service = target.New(t)
	}
	c.run(x)
	return nil, ""
}

func cases() []testCase {
	return slices.Concat(orderCases(), changeCases(), boundaryCases(), inspectCases(), searchCases(), []testCase{historyCase()})
}

// sorted skips a case for targets without an updated field.
func sorted(target Target, _ Service) string {
	if target.Unsorted {
		return "the target has no updated field, so its checkpoint stands for everything (E10)"
	}
	return ""
}

// ordered skips a case for targets without an order.
func ordered(target Target, service Service) string {
	if target.Unordered {
		return "the target has an order of its own, and its checkpoint comes at a run's end (E7)"
	}
	return sorted(target, service)
}

// needsBegin skips a case for sorted targets without open transactions.
func needsBegin(target Target, service Service) string {
	if skip := sorted(target, service); skip != "" {
		return skip
	}
	if service.Begin == nil {
		return "the target has no transactions that the suite can hold open (Begin)"
	}
	return ""
}

// needsManyWriters skips a case if others cannot write while a transaction is open.
func needsManyWriters(target Target, service Service) string {
	if skip := needsBegin(target, service); skip != "" {
		return skip
	}
	if !service.ManyWriters {
		return "others cannot write while a transaction is open (ManyWriters)"
	}
	return ""
}
