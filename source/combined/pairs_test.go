package combined_test

import (
	"context"
	"errors"
	"flag"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/combined"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

var everyPair = flag.Bool("pairs", false, "run the suite over all 16 ordered pairs of kinds, with longer random histories")

// somePairs have every kind in the first and in the second place.
var somePairs = [][2]string{{"memory", "postgres"}, {"postgres", "csv"}, {"csv", "sqlite"}, {"sqlite", "memory"}}

func TestPairs(t *testing.T) {
	pairs, history := somePairs, 200*time.Millisecond
	if *everyPair {
		kinds := []string{"memory", "csv", "sqlite", "postgres"}
		pairs, history = nil, 2*time.Second
		for _, first := range kinds {
			for _, second := range kinds {
				pairs = append(pairs, [2]string{first, second})
			}
		}
	}
	for _, pair := range pairs {
		t.Run(pair[0]+"+"+pair[1], func(t *testing.T) {
			t.Parallel()
			common := newShared(t, pair[:]...)
			sourcetest.Run(t, sourcetest.Target{
				Asked: !slices.Contains(pair[:], "csv"),
				Part:  partOf, HistoryTime: history, Restarts: slices.Contains(pair[:], "csv"),
				New: func(t testing.TB) sourcetest.Service {
					return newPair(services[pair[0]](t, common, 0), services[pair[1]](t, common, 1))
				},
			})
		})
	}
}

// TestFilesWithoutUpdated runs the suite over two sources with checkpoints that stand for everything.
func TestFilesWithoutUpdated(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Target{
		Part: partOf, HistoryTime: 200 * time.Millisecond, Restarts: true, Unsorted: true,
		New: func(t testing.TB) sourcetest.Service { return newPair(newFile(t, ""), newFile(t, "")) },
	})
}

// partOf spreads contacts over two parts.
func partOf(id string) int {
	if id == "" {
		return 0
	}
	return int(id[len(id)-1]) % 2
}

// newPair makes one service of two.
func newPair(parts ...service) sourcetest.Service {
	s := sourcetest.Service{
		Now:  time.Now,
		Open: func(ctx context.Context) (bridge.Source, error) { return open(ctx, parts[0].factory, parts[1].factory) },
		Put: func(updated time.Time, contacts ...contact.Contact) error {
			return spread(contacts, func(part int, contacts []contact.Contact) error { return parts[part].Put(updated, contacts...) })
		},
		PutNull: func(contacts ...contact.Contact) error {
			return spread(contacts, func(part int, contacts []contact.Contact) error { return parts[part].PutNull(contacts...) })
		},
		Mark: func(updated time.Time, c contact.Contact, deleted string) error {
			return parts[partOf(c.ID)].Mark(updated, c, deleted)
		},
		Delete: func(updated time.Time, ids ...string) error {
			var errs []error
			for _, id := range ids {
				errs = append(errs, parts[partOf(id)].Delete(updated, id))
			}
			return errors.Join(errs...)
		},
		ManyWriters: parts[0].ManyWriters && parts[1].ManyWriters,
	}
	if parts[0].Begin != nil && parts[1].Begin != nil {
		s.Begin = func() (sourcetest.Tx, error) {
			first, err := parts[0].Begin()
			if err != nil {
				return nil, err
			}
			second, err := parts[1].Begin()
			return pairTx{first, second}, err
		}
	}
	for i, p := range parts {
		if p.wrong != nil {
			factories := []func() (source.Factory, error){parts[0].factory, parts[1].factory}
			factories[i] = p.wrong
			s.OpenWrong = func(ctx context.Context) (bridge.Source, error) { return open(ctx, factories...) }
		}
	}
	return s
}

// spread calls a function with the contacts of each part that has contacts.
func spread(contacts []contact.Contact, do func(part int, contacts []contact.Contact) error) error {
	var parts [2][]contact.Contact
	for _, c := range contacts {
		parts[partOf(c.ID)] = append(parts[partOf(c.ID)], c)
	}
	var errs []error
	for part, contacts := range parts {
		if len(contacts) > 0 {
			errs = append(errs, do(part, contacts))
		}
	}
	return errors.Join(errs...)
}

type pairTx [2]sourcetest.Tx

func (tx pairTx) Put(contacts ...contact.Contact) error {
	return spread(contacts, func(part int, contacts []contact.Contact) error { return tx[part].Put(contacts...) })
}
func (tx pairTx) Commit() error   { return errors.Join(tx[0].Commit(), tx[1].Commit()) }
func (tx pairTx) Rollback() error { return errors.Join(tx[0].Rollback(), tx[1].Rollback()) }

// open opens a pair as a new process does. The first has a prefix, the second has none.
func open(ctx context.Context, factories ...func() (source.Factory, error)) (bridge.Source, error) {
	first, err := factories[0]()
	if err != nil {
		return nil, err
	}
	second, err := factories[1]()
	if err != nil {
		return nil, errors.Join(err, first.Close())
	}
	factory := combined.New([]combined.Part{{Name: "one", Prefix: "one:", Factory: first}, {Name: "another", Factory: second}})
	src, err := factory.Open(ctx, credentials)
	if err != nil {
		return nil, errors.Join(err, factory.Close())
	}
	return unprefixed{src.(*combined.Source), factory}, nil
}

// readable is everything that a combined source can do but Inspect: the suite wants one message about the contacts of both parts.
type readable interface {
	bridge.Source
	bridge.Describer
	bridge.Prober
	source.Counter
	source.Checker
	bridge.Searcher
}

// unprefixed gives contacts the ids that the suite knows, and fails where they are not prefixed as they should be. It closes the
// factory with the source.
type unprefixed struct {
	readable
	factory source.Factory
}

func (s unprefixed) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		for change, err := range s.readable.Read(ctx, run, after, limit) {
			id, prefixed := strings.CutPrefix(change.Contact.ID, "one:")
			if err == nil && prefixed != (partOf(id) == 0) {
				err = errors.New("the id " + change.Contact.ID + " has not the prefix of its part")
			}
			change.Contact.ID = id
			if !yield(change, err) {
				return
			}
		}
	}
}

// Search implements [bridge.Searcher].
func (s unprefixed) Search(ctx context.Context, q bridge.Search) ([]contact.Contact, error) {
	found, err := s.readable.Search(ctx, q)
	for i := range found {
		id, prefixed := strings.CutPrefix(found[i].ID, "one:")
		if err == nil && prefixed != (partOf(id) == 0) {
			err = errors.New("the id " + found[i].ID + " has not the prefix of its part")
		}
		found[i].ID = id
	}
	return found, err
}

func (s unprefixed) Close() error { return errors.Join(s.readable.Close(), s.factory.Close()) }
