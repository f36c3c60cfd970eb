package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A writer owns some of the customers and keeps changing them, in transactions that last a while and sometimes roll back.
type writer struct {
	database database
	history  *history
	random   *rand.Rand
	number   int64 // of this writer; it owns the ids that are number modulo of
	of       int64
	latest   map[int64]int64 // id → newest version, negative where the row is not there or marked as deleted
	next     int64           // id of the next customer to insert
	longest  time.Duration   // of a transaction
	rest     time.Duration   // at most between two transactions
	hard     bool            // rows may also go without a trace
	gate     *sync.RWMutex   // held for reading during a transaction: taking it for writing stops every writer
	tolerate bool            // the database may be killed: an error means to look again
}

// run writes until the context is done.
func (w *writer) run(ctx context.Context) error {
	for ctx.Err() == nil {
		w.gate.RLock()
		err := w.transaction(ctx)
		w.gate.RUnlock()
		if err == nil && w.rest > 0 {
			time.Sleep(time.Duration(w.random.Int64N(int64(w.rest))))
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if !w.tolerate {
			return fmt.Errorf("writer %d: %w", w.number, err)
		}
		w.lookAgain(ctx)
	}
	return nil
}

// transaction does one to four statements with pauses in between, then commits or, one time in ten, rolls back.
func (w *writer) transaction(ctx context.Context) error {
	tx, err := w.database.begin(ctx, w.random)
	if err != nil {
		return err
	}
	defer tx.rollback(context.WithoutCancel(ctx))
	length := time.Duration(float64(w.longest) * w.random.Float64() * w.random.Float64())
	statements := 1 + w.random.IntN(4)
	changes := map[int64]version{}
	for range statements {
		if err := w.statement(ctx, tx, changes); err != nil {
			w.history.settle(changes, false)
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(length / time.Duration(statements)):
		}
	}
	if w.random.IntN(10) == 0 || ctx.Err() != nil {
		w.history.settle(changes, false)
		return nil
	}
	if err := tx.commit(context.WithoutCancel(ctx)); err != nil {
		return err // it may have happened: the versions stay pending
	}
	w.history.settle(changes, true)
	for id, v := range changes {
		w.latest[id] = v.number
		if v.deleted {
			w.latest[id] = -v.number
		}
	}
	return nil
}

// statement writes some rows that this transaction has not touched yet.
func (w *writer) statement(ctx context.Context, tx transaction, changes map[int64]version) error {
	kind, count, to := "put", 1+w.random.IntN(20), forward
	switch dice := w.random.IntN(100); {
	case dice < 12:
		count = 500 + w.random.IntN(2000) // a batch with one stamp (T1)
	case dice < 22:
		kind, count = "insert", 1+w.random.IntN(10)
	case dice < 30:
		kind, count = "mark", 1+w.random.IntN(5)
	case dice < 33 && w.hard:
		kind, count = "remove", 1+w.random.IntN(3)
	case dice < 38 && w.hard:
		to = back
	case dice < 41 && w.hard:
		to = null
	case dice < 43 && w.hard:
		to, count = odd, 1+w.random.IntN(3)
	}
	ids := w.choose(kind, count, changes)
	if len(ids) == 0 {
		return nil
	}
	versions := make([]int64, len(ids))
	for i, id := range ids {
		v := version{number: max(w.latest[id], -w.latest[id]) + 1, deleted: kind == "mark" || kind == "remove", hard: kind == "remove", hidden: to.hidden()}
		versions[i], changes[id] = v.number, v
		w.history.try(id, v)
	}
	switch kind {
	case "mark":
		return tx.markDeleted(ctx, ids, versions)
	case "remove":
		return tx.remove(ctx, ids)
	}
	return tx.put(ctx, ids, versions, to)
}

// choose picks customers of this writer: new ones to insert, living ones to delete, any that ever lived to put.
func (w *writer) choose(kind string, count int, changes map[int64]version) []int64 {
	var ids []int64
	if kind == "insert" {
		for range count {
			ids = append(ids, w.next)
			w.next += w.of
		}
		return ids
	}
	for id, v := range w.latest { // Go's own random order is good enough here: the seed fixes what is written, not when
		if len(ids) == count {
			break
		}
		if _, touched := changes[id]; touched || (kind != "put" && v < 0) {
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// lookAgain learns from the database how a transaction ended when the answer was lost.
func (w *writer) lookAgain(ctx context.Context) {
	for ctx.Err() == nil {
		// A database that recovers must not be kept from it by those who wait for it.
		time.Sleep(500 * time.Millisecond)
		rows, err := w.database.rows(ctx)
		if err != nil {
			continue
		}
		for id, v := range rows {
			if id%w.of == w.number {
				w.latest[id] = v
				w.next = max(w.next, id+w.of)
			}
		}
		return
	}
}

// startWriters fills the table and lets the writers loose. The returned function waits for them to end.
func startWriters(ctx context.Context, d database, h *history, o options, gate *sync.RWMutex) (wait func() error, err error) {
	var group sync.WaitGroup
	errs := make(chan error, o.writers)
	for n := range int64(o.writers) {
		w := &writer{
			database: d, history: h, random: rand.New(rand.NewPCG(o.seed, uint64(n))), number: n, of: int64(o.writers),
			latest: map[int64]int64{}, next: n, longest: o.longest, rest: o.rest, hard: o.hard, gate: gate, tolerate: o.tolerate,
		}
		if err := w.fill(ctx, o.rows/o.writers); err != nil {
			return nil, err
		}
		group.Go(func() { errs <- w.run(ctx) })
	}
	return func() error {
		group.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// fill inserts the writer's first customers in one transaction: all with one stamp (T1).
func (w *writer) fill(ctx context.Context, count int) error {
	tx, err := w.database.begin(ctx, w.random)
	if err != nil {
		return err
	}
	defer tx.rollback(ctx)
	ids := w.choose("insert", count, nil)
	versions := make([]int64, len(ids))
	changes := map[int64]version{}
	for i, id := range ids {
		versions[i], changes[id] = 1, version{number: 1}
		w.history.try(id, changes[id])
	}
	if err := tx.put(ctx, ids, versions, forward); err != nil {
		return err
	}
	if err := tx.commit(ctx); err != nil {
		return err
	}
	w.history.settle(changes, true)
	for _, id := range ids {
		w.latest[id] = 1
	}
	return nil
}
