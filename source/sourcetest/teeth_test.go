package sourcetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

func TestMain(m *testing.M) {
	flag.Parse()
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "100ms"} { // the failures here are wanted
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// faulty is a good source with one fault.
type faulty struct {
	bridge.Source
	begin      func(context.Context, bridge.Checkpoint) (bridge.Run, error)
	read       func(context.Context, bridge.Run, bridge.Position, int) iter.Seq2[bridge.Change, error]
	checkpoint func(bridge.Run, bridge.Position, bool) bridge.Checkpoint
	close      func() error
	digest     func() string
	inspect    func(*source.Inspection)
	search     func(context.Context, bridge.Search) ([]contact.Contact, error)
	count      int64 // if not 0
	split      int   // is added to how many changes the first half of a page has, if it is split at all
	splits     bool
}

// Split splits a page after its first change, or says so of another one.
func (f *faulty) Split(ctx context.Context, run bridge.Run, after bridge.Position, limit int) (middle bridge.Position, first int) {
	if !f.splits || limit < 4 {
		return nil, 0
	}
	for c, err := range f.Source.Read(ctx, run, after, limit) {
		if first++; err != nil || first == 2 {
			return bytes.Clone(c.Position), 2 + f.split
		}
	}
	return nil, 0
}

func (f *faulty) Describe(ctx context.Context) (bridge.Description, error) {
	if f.digest != nil {
		return bridge.Description{Digest: f.digest()}, nil
	}
	return f.Source.(bridge.Describer).Describe(ctx)
}

func (f *faulty) Inspect(ctx context.Context) (source.Inspection, error) {
	found, err := f.Source.(source.Inspector).Inspect(ctx)
	if f.inspect != nil {
		f.inspect(&found)
		return found, nil
	}
	return found, err
}

// Search asks the good source, or as the fault does.
func (f *faulty) Search(ctx context.Context, q bridge.Search) ([]contact.Contact, error) {
	if f.search != nil {
		return f.search(ctx, q)
	}
	return f.Source.(bridge.Searcher).Search(ctx, q)
}

func (f *faulty) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	if f.begin != nil {
		return f.begin(ctx, since)
	}
	return f.Source.Begin(ctx, since)
}

func (f *faulty) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	if f.read != nil {
		return f.read(ctx, run, after, limit)
	}
	return f.Source.Read(ctx, run, after, limit)
}

func (f *faulty) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	if f.checkpoint != nil {
		return f.checkpoint(run, at, complete)
	}
	return f.Source.Checkpoint(run, at, complete)
}

func (f *faulty) Close() error {
	if f.close != nil {
		return f.close()
	}
	return f.Source.Close()
}

func (f *faulty) Count(context.Context) (int64, error) {
	if f.count != 0 {
		return f.count, nil
	}
	return -1, nil
}

// changing is a source with changes that are replaced; false leaves one out.
func changing(f *faulty, change func(n int, c *bridge.Change) bool) {
	f.read = func(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
		return func(yield func(bridge.Change, error) bool) {
			n := 0
			for c, err := range f.Source.Read(ctx, run, after, limit) {
				c = keep(c)
				if err == nil && !change(n, &c) {
					continue
				}
				n++
				if !yield(c, err) {
					return
				}
			}
		}
	}
}

// lateTx stamps at its begin, but its store does not know that it is open.
type lateTx struct {
	store *memory.Store
	begin time.Time
	held  []contact.Contact
}

func (t *lateTx) Put(contacts ...contact.Contact) error {
	t.held = append(t.held, contacts...)
	return nil
}

func (t *lateTx) Commit() error {
	tx := t.store.Begin()
	for _, c := range t.held {
		tx.PutAt(c, t.begin)
	}
	tx.Commit()
	return nil
}

func (t *lateTx) Rollback() error { return nil }

// The suite must find these faults, each by (at least) the named rules.
var faults = []struct {
	name   string
	fault  func(*faulty, *memory.Store)
	target func(*Target)
	late   bool // transactions are not known to the store
	rules  []string
}{
	{name: "none", fault: func(f *faulty, _ *memory.Store) { f.splits = true }},
	{
		name:  "T1: the checkpoint of a page skips the rest of a tie",
		rules: []string{"TiesAcrossPages", "EveryPagesCheckpointIsSafe", "RandomHistories"},
		fault: func(f *faulty, _ *memory.Store) {
			f.checkpoint = func(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
				if p, err := keyset.ParsePosition(at); err == nil && p.Segment == keyset.Main {
					return bridge.Checkpoint(keyset.Instant.Format(keyset.Mark{Updated: p.Updated}))
				}
				return f.Source.Checkpoint(run, at, complete)
			}
		},
	},
	{
		name:  "T2: open transactions are not looked at",
		rules: []string{"LateCommitIsDelivered", "CommitDuringARunIsDelivered", "LateCommitAmongOthersIsDelivered", "RandomHistories"},
		fault: func(*faulty, *memory.Store) {},
		late:  true,
	},
	{
		name:  "T9: the checkpoint is the time of the answer",
		rules: []string{"EveryPagesCheckpointIsSafe", "LateCommitIsDelivered", "NothingNewRepeatsTheCheckpoint", "RandomHistories"},
		fault: func(f *faulty, _ *memory.Store) {
			f.checkpoint = func(bridge.Run, bridge.Position, bool) bridge.Checkpoint {
				now := keyset.Mark{Updated: keyset.IntValue(stamp.Microseconds(time.Now()))}
				return bridge.Checkpoint(keyset.Instant.Format(now))
			}
		},
	},
	{
		name:  "T3: the checkpoint is the newest stamp",
		rules: []string{"CheckpointNeverBeyondHorizon"},
		fault: func(f *faulty, s *memory.Store) {
			f.checkpoint = func(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
				if _, err := f.Source.Begin(context.Background(), ""); err == nil && complete {
					return bridge.Checkpoint(keyset.Instant.Format(keyset.Mark{Updated: keyset.IntValue(stamp.Microseconds(time.Now().Add(47 * time.Hour)))}))
				}
				return f.Source.Checkpoint(run, at, complete)
			}
		},
	},
	{
		name:  "T5: positions are counts",
		rules: []string{"ForeignOffsetIsRefused", "ChangesDuringARunArriveAtLatestInTheNext"},
		fault: countPositions,
	},
	{
		name:  "rows that move back are not looked for again",
		rules: []string{"WhatMovesBackDuringAnInitialRunIsShown"},
		fault: func(f *faulty, _ *memory.Store) {
			f.begin = func(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
				run, err := f.Source.Begin(ctx, since)
				if state, stateErr := keyset.ParseState(run.State); stateErr == nil {
					state.Mark = ""
					run.State = state.Encode()
				}
				return run, err
			}
		},
	},
	{
		name:  "a contact is left out",
		rules: []string{"ReadsEverythingOnce", "IncrementalRunBringsWhatChanged", "RandomHistories"},
		fault: func(f *faulty, _ *memory.Store) {
			changing(f, func(_ int, c *bridge.Change) bool { return c.Contact.ID != Full(3).ID })
		},
	},
	{
		name:  "the first contact of a page comes twice",
		rules: []string{"ReadsEverythingOnce", "ResumesAnywhere"},
		fault: func(f *faulty, _ *memory.Store) {
			f.read = func(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
				return func(yield func(bridge.Change, error) bool) {
					first := true
					for c, err := range f.Source.Read(ctx, run, after, limit) {
						if first && err == nil && !yield(c, nil) {
							return
						}
						first = false
						if !yield(c, err) {
							return
						}
					}
				}
			}
		},
	},
	{
		name:  "a field is cut",
		rules: []string{"ReadsEverythingOnce", "SpecialCharactersSurvive"},
		fault: func(f *faulty, _ *memory.Store) {
			changing(f, func(_ int, c *bridge.Change) bool {
				c.Contact.Address = c.Contact.Address[:min(20, len(c.Contact.Address))]
				return true
			})
		},
	},
	{
		name:  "changes have no positions",
		rules: []string{"ResumesAnywhere", "TiesAcrossPages"},
		fault: func(f *faulty, _ *memory.Store) {
			changing(f, func(_ int, c *bridge.Change) bool { c.Position = nil; return true })
		},
	},
	{
		name:  "deletions are left out",
		rules: []string{"DeletionsAreChanges", "RandomHistories"},
		fault: func(f *faulty, _ *memory.Store) {
			changing(f, func(_ int, c *bridge.Change) bool { return !c.Deleted })
		},
	},
	{
		name:  "the order is by id",
		rules: []string{"AscendingOrder"},
		fault: func(f *faulty, _ *memory.Store) {
			f.read = func(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
				return func(yield func(bridge.Change, error) bool) {
					var all []bridge.Change
					for c, err := range f.Source.Read(ctx, run, after, limit) {
						if err != nil {
							yield(c, err)
							return
						}
						all = append(all, keep(c))
					}
					slices.SortFunc(all, func(a, b bridge.Change) int { return strings.Compare(a.Contact.ID, b.Contact.ID) })
					for _, c := range all {
						if !yield(c, nil) {
							return
						}
					}
				}
			}
		},
	},
	{
		name:  "a foreign checkpoint is taken for nothing new",
		rules: []string{"ForeignCheckpointIsRefused"},
		fault: func(f *faulty, _ *memory.Store) {
			f.begin = func(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
				run, err := f.Source.Begin(ctx, since)
				if bridge.CodeOf(err) == bridge.CodeInvalidCheckpoint {
					return f.Source.Begin(ctx, bridge.Checkpoint(keyset.Instant.Format(keyset.Mark{Updated: keyset.IntValue(stamp.Microseconds(time.Now()))})))
				}
				return run, err
			}
		},
	},
	{
		name:  "a restarted run leaves a contact out",
		rules: []string{"RandomHistories"},
		fault: func(f *faulty, _ *memory.Store) {
			restarted := false
			changing(f, func(n int, _ *bridge.Change) bool { return !restarted || n > 0 })
			f.begin = func(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
				restarted = since != ""
				return f.Source.Begin(ctx, "")
			}
		},
	},
	{
		name:  "the digest is made of the time",
		rules: []string{"DigestIsTheSameInEveryProcess"},
		fault: func(f *faulty, _ *memory.Store) { f.digest = func() string { return time.Now().String() } },
	},
	{
		name:  "contexts are ignored",
		rules: []string{"CancellationReturnsSoon"},
		fault: func(f *faulty, _ *memory.Store) {
			f.begin = func(_ context.Context, since bridge.Checkpoint) (bridge.Run, error) {
				return f.Source.Begin(context.Background(), since)
			}
		},
	},
	{
		name:  "a cancelled run looks complete",
		rules: []string{"CancellationReturnsSoon"},
		fault: func(f *faulty, _ *memory.Store) {
			f.read = func(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
				return func(yield func(bridge.Change, error) bool) {
					for c, err := range f.Source.Read(ctx, run, after, limit) {
						if isContextError(err) || !yield(c, err) {
							return
						}
					}
				}
			}
		},
	},
	{
		name:  "no checkpoint at all",
		rules: []string{"NothingNewRepeatsTheCheckpoint"},
		fault: func(f *faulty, _ *memory.Store) {
			f.checkpoint = func(bridge.Run, bridge.Position, bool) bridge.Checkpoint { return "" }
		},
	},
	{
		name:  "the middle of a page is not where it is said to be",
		rules: []string{"HalvesAreThePage"},
		fault: func(f *faulty, _ *memory.Store) { f.splits, f.split = true, 1 },
	},
	{
		name:  "the count is wrong",
		rules: []string{"CountIsRight"},
		fault: func(f *faulty, _ *memory.Store) { f.count = 11 },
	},
	{
		name:  "an inspection maps half of the fields, in any order",
		rules: []string{"InspectSaysWhereFieldsComeFrom"},
		fault: func(f *faulty, _ *memory.Store) {
			f.inspect = func(i *source.Inspection) {
				i.Mapping = []record.Mapped{{Field: "id", From: "id"}, {Field: "phones", From: "phone"}, {Field: "name", From: "name"}}
			}
		},
	},
	{
		name:  "an inspection finds what is not there, and nothing of what is",
		rules: []string{"InspectFindsNoFailureInGoodContacts", "InspectCountsContactsWithoutAStamp", "InspectEndsWithItsContext"},
		fault: func(f *faulty, _ *memory.Store) {
			f.inspect = func(i *source.Inspection) {
				i.Problems = []source.Problem{{Severity: source.Note, Code: "x", Message: "x"}, {Severity: source.Failure, Code: "y", Message: "y", Hint: "z"}}
			}
		},
	},
	{
		name: "ids in an order that the target does not say",
		target: func(t *Target) {
			t.Order = func(a, b string) int { return strings.Compare(strings.ToLower(a)+a, strings.ToLower(b)+b) }
		},
		rules: []string{"IdsInTheOrderOfTheService"},
		fault: func(*faulty, *memory.Store) {},
	},
	{
		name:  "ids are compared without their case",
		rules: []string{"IdsInTheOrderOfTheService"},
		fault: func(f *faulty, _ *memory.Store) {
			seen := map[string]bool{}
			f.begin = func(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
				clear(seen)
				return f.Source.Begin(ctx, since)
			}
			changing(f, func(_ int, c *bridge.Change) bool {
				lower := strings.ToLower(c.Contact.ID)
				defer func() { seen[lower] = true }()
				return !seen[lower]
			})
		},
	},
	{
		name:  "a question finds the first spelling only, of the first number",
		rules: []string{"SearchFindsANumberInEverySpelling"},
		fault: func(f *faulty, _ *memory.Store) {
			asking(f, func(c *contact.Contact, q bridge.Search) bool {
				return len(c.Phones) > 0 && c.Phones[0] == q.Spellings[0]
			})
		},
	},
	{
		name:  "a question finds who once had the number",
		rules: []string{"SearchFindsNoDeletedContact"},
		fault: func(f *faulty, _ *memory.Store) {
			f.search = func(context.Context, bridge.Search) ([]contact.Contact, error) {
				return []contact.Contact{withPhones(1, "(212) 555-7033")}, nil
			}
		},
	},
	{
		name:  "a question takes a spelling for a pattern",
		rules: []string{"SearchTakesNothingForAPattern"},
		fault: func(f *faulty, _ *memory.Store) {
			asking(f, func(_ *contact.Contact, q bridge.Search) bool { return strings.ContainsAny(q.Spellings[0], "%*") })
		},
	},
	{
		name:  "a question does not look at its context",
		rules: []string{"SearchEndsWithItsContext"},
		fault: func(f *faulty, _ *memory.Store) {
			f.search = func(_ context.Context, q bridge.Search) ([]contact.Contact, error) {
				return f.Source.(bridge.Searcher).Search(context.Background(), q)
			}
		},
	},
	{
		name:  "closing fails",
		rules: []string{"CloseWhileIdle"},
		fault: func(f *faulty, _ *memory.Store) { f.close = func() error { return fmt.Errorf("close twice") } },
	},
	{
		name:  "wrong credentials are let in",
		rules: []string{"WrongCredentialsAreUnauthorized"},
		fault: func(*faulty, *memory.Store) {},
	},
}

// asking is a source that finds the contacts for which fits is true.
func asking(f *faulty, fits func(*contact.Contact, bridge.Search) bool) {
	f.search = func(ctx context.Context, q bridge.Search) (found []contact.Contact, err error) {
		run, err := f.Source.Begin(ctx, "")
		if err != nil {
			return nil, err
		}
		for c, err := range f.Source.Read(ctx, run, nil, 0) {
			if err != nil {
				return nil, err
			}
			if !c.Deleted && fits(&c.Contact, q) {
				found = append(found, keep(c).Contact)
			}
		}
		return found, nil
	}
}

// countPositions counts the rows before a page, as OFFSET does.
func countPositions(f *faulty, _ *memory.Store) {
	f.read = func(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
		return func(yield func(bridge.Change, error) bool) {
			skip := uint64(0)
			if len(after) == 8 {
				skip = binary.BigEndian.Uint64(after)
			}
			n := uint64(0)
			for c, err := range f.Source.Read(ctx, run, nil, 0) {
				if n++; n <= skip && err == nil {
					continue
				}
				c.Position = binary.BigEndian.AppendUint64(nil, n)
				if !yield(c, err) || limit > 0 && n == skip+uint64(limit) {
					return
				}
			}
		}
	}
}

func TestSuiteFindsEveryFault(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			target := Target{HistoryTime: 3 * time.Second, Asked: true, New: func(testing.TB) Service { return faultyService(fault.fault, fault.late) }}
			if fault.target != nil {
				fault.target(&target)
			}
			for _, c := range cases() {
				wanted := slices.Contains(fault.rules, c.name)
				if fault.name != "none" && !wanted {
					continue
				}
				failures, skip := check(t, target, c)
				if skip != "" {
					t.Errorf("%s was skipped: %s", c.name, skip)
				}
				if fault.name == "none" && c.name == "WrongCredentialsAreUnauthorized" {
					continue // memory lets everybody in
				}
				if wanted != (len(failures) > 0) {
					t.Errorf("%s: %d failures: %q", c.name, len(failures), failures)
				}
			}
		})
	}
}

func faultyService(fault func(*faulty, *memory.Store), late bool) Service {
	store := memory.NewStore(nil)
	open := func(context.Context) (bridge.Source, error) {
		f := &faulty{Source: store.Source()}
		fault(f, store)
		return f, nil
	}
	begin := func() (Tx, error) { return storeTx{store.Begin()}, nil }
	if late {
		begin = func() (Tx, error) { return &lateTx{store: store, begin: time.Now()}, nil }
	}
	put := func(updated time.Time, contacts ...contact.Contact) error {
		tx := store.Begin()
		defer tx.Commit()
		for _, c := range contacts {
			tx.PutAt(c, updated)
		}
		return nil
	}
	return Service{
		Open: open, OpenWrong: open, Now: time.Now, Put: put, Begin: begin, ManyWriters: true, LongIDs: true,
		PutNull: func(contacts ...contact.Contact) error { return put(time.Time{}, contacts...) },
		Mark: func(updated time.Time, c contact.Contact, deleted string) error {
			tx := store.Begin()
			defer tx.Commit()
			tx.PutAt(c, updated)
			if source.IsGone(deleted) { // the store has no column
				tx.Delete(c.ID)
			}
			return nil
		},
		Delete: func(_ time.Time, ids ...string) error {
			tx := store.Begin()
			defer tx.Commit()
			for _, id := range ids {
				tx.Delete(id)
			}
			return nil
		},
	}
}

type storeTx struct{ tx *memory.Tx }

func (t storeTx) Put(contacts ...contact.Contact) error {
	for _, c := range contacts {
		t.tx.Put(c)
	}
	return nil
}

func (t storeTx) Commit() error   { t.tx.Commit(); return nil }
func (t storeTx) Rollback() error { t.tx.Rollback(); return nil }

// A target that cannot be checked must be told so, rule by rule.
func TestMissingHooksAreNamed(t *testing.T) {
	target := Target{New: func(testing.TB) Service {
		s := faultyService(func(*faulty, *memory.Store) {}, false)
		s.PutNull, s.Delete, s.Mark, s.Begin, s.OpenWrong, s.LongIDs = nil, nil, nil, nil, nil, false
		return s
	}}
	var skipped []string
	for _, c := range cases() {
		failures, skip := check(t, target, c)
		if skip != "" {
			skipped = append(skipped, c.name)
		}
		if len(failures) > 0 {
			t.Errorf("%s: %q", c.name, failures)
		}
	}
	want := []string{
		"DeletionsAreChanges", "GoneMeansTheSameEverywhere", "LateCommitIsDelivered", "CommitDuringARunIsDelivered", "LateCommitAmongOthersIsDelivered",
		"NullUpdatedOnlyInInitialRuns", "AnIDThatIsTooLongCostsNothingElse", "WrongCredentialsAreUnauthorized", "InspectCountsContactsWithoutAStamp",
		"SearchFindsANumberInEverySpelling", "SearchFindsNoDeletedContact", "SearchTakesNothingForAPattern", "SearchEndsWithItsContext",
	}
	if !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
}
