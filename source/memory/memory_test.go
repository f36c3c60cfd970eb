package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Target{Asked: true, New: newService})
}

func newService(testing.TB) sourcetest.Service {
	store := memory.NewStore(clock.System{})
	return sourcetest.Service{
		Open: func(context.Context) (bridge.Source, error) { return store.Source(), nil },
		Now:  time.Now,
		Put: func(updated time.Time, contacts ...contact.Contact) error {
			tx := store.Begin()
			for _, c := range contacts {
				tx.PutAt(c, updated)
			}
			tx.Commit()
			return nil
		},
		PutNull: func(contacts ...contact.Contact) error {
			tx := store.Begin()
			for _, c := range contacts {
				tx.PutAt(c, time.Time{})
			}
			tx.Commit()
			return nil
		},
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
			for _, id := range ids {
				tx.Delete(id)
			}
			tx.Commit()
			return nil
		},
		Begin:       func() (sourcetest.Tx, error) { return transaction{store.Begin()}, nil },
		ManyWriters: true, LongIDs: true,
	}
}

// transaction is a store's transaction as the suite wants it.
type transaction struct{ tx *memory.Tx }

func (t transaction) Put(contacts ...contact.Contact) error {
	for _, c := range contacts {
		t.tx.Put(c)
	}
	return nil
}

func (t transaction) Commit() error   { t.tx.Commit(); return nil }
func (t transaction) Rollback() error { t.tx.Rollback(); return nil }
