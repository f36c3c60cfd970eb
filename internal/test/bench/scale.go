package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

// bareLookups is the bare prepared query by key, on the same file.
func bareLookups(path string, numbers []string) (func(context.Context) (float64, error), error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	query, err := db.Prepare(`SELECT c.id, c.data FROM numbers n JOIN contacts c ON c.pk = n.contact
		WHERE n.account = 1 AND n.ending = CAST(substr(?1 || '000000000', 1, 9) AS INTEGER) AND n.reversed = ?1 LIMIT 10`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	keys := make([]string, len(numbers))
	for i, n := range numbers {
		keys[i] = reversed(n[1:])
	}
	return func(ctx context.Context) (float64, error) {
		started := time.Now()
		for _, key := range keys {
			if err := readAll(ctx, query, key); err != nil {
				return 0, err
			}
		}
		return float64(len(keys)) / time.Since(started).Seconds(), nil
	}, nil
}

func readAll(ctx context.Context, query *sql.Stmt, key string) error {
	rows, err := query.QueryContext(ctx, key)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := 0
	for ; rows.Next(); found++ {
		var id, data sql.RawBytes
		if err := rows.Scan(&id, &data); err != nil {
			return err
		}
	}
	if found == 0 {
		return fmt.Errorf("the bare query found nothing for %s", key)
	}
	return rows.Err()
}

func reversed(digits string) string {
	b := []byte(digits)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// A population is a table of so many customers, the bridge on it, and the directory it fills.
type population struct {
	contacts              int
	table, db             string
	server                *server
	memoryBridge, memSync float64 // MiB
}

const changes = 100

// atScale measures what must not grow with the number of contacts: memory, and the time of an incremental run.
func atScale(ctx context.Context, l *laboratory) ([]result, error) {
	populations := []*population{{contacts: min(l.big/100, 10_000)}, {contacts: l.big / 10}, {contacts: l.big}}
	for _, p := range populations {
		p.table = fmt.Sprintf("customers_%d", p.contacts)
		p.db = filepath.Join(l.dir, p.table+".db")
		if err := p.firstFill(ctx, l); err != nil {
			return nil, fmt.Errorf("%d contacts: %w", p.contacts, err)
		}
		defer p.server.stop()
	}
	small, medium, big := populations[0], populations[1], populations[2]
	memory := func(name string, value, limit, most float64) result {
		return result{
			Name: name, Value: value, Limit: limit, Unit: "MiB", Target: 1.2, atMost: true, ceiling: most,
			against: fmt.Sprintf("peak memory with %d contacts, against %d; at most %.0f MiB", big.contacts, medium.contacts, most),
		}
	}
	results := []result{
		memory("memory-bridge", big.memoryBridge, medium.memoryBridge, 64),
		memory("memory-sync", big.memSync, medium.memSync, 128),
	}
	hub, err := l.hubMemory(ctx, big)
	if err != nil {
		return nil, fmt.Errorf("memory-hub: %w", err)
	}
	results = append(results, hub)
	value, limit, err := paired(ctx, max(l.repeat, 5),
		func(ctx context.Context) (float64, error) { return big.incremental(ctx, l) },
		func(ctx context.Context) (float64, error) { return small.incremental(ctx, l) })
	return append(results, result{
		Name: "incremental", Value: value, Limit: limit, Unit: "s", Target: 1.3, atMost: true,
		against: fmt.Sprintf("sync of %d changes, whole process, with %d contacts in the directory, against %d", changes, big.contacts, small.contacts),
	}), err
}

// firstFill makes the table and does the initial run.
func (p *population) firstFill(ctx context.Context, l *laboratory) (err error) {
	if err := l.fillPostgres(ctx, p.table, p.contacts); err != nil {
		return err
	}
	if p.server, err = l.serve(ctx, l.postgresSource(p.table), "{format: as-is}"); err != nil {
		return err
	}
	took, err := l.synchronize(ctx, p.server.url(), p.db)
	if err != nil {
		return err
	}
	p.memSync = took.memory
	if p.memoryBridge, err = p.server.peakMemory(); err != nil {
		return err
	}
	return l.expect(ctx, p.db, int64(p.contacts))
}

// incremental changes some customers and returns how many seconds the run takes that fetches them.
func (p *population) incremental(ctx context.Context, l *laboratory) (float64, error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	// Stamps with their own order in time, after all others, so that no run is given the changes of the run before.
	_, err = conn.Exec(ctx, fmt.Sprintf(`UPDATE %[1]s SET title = title || '.', updated_at = (SELECT max(updated_at) FROM %[1]s) + interval '1 s'
		WHERE id IN (SELECT 1 + (i * 7919) %% %[2]d FROM generate_series(1, %[3]d) i)`, p.table, p.contacts, changes))
	if err != nil {
		return 0, err
	}
	took, err := l.synchronize(ctx, p.server.url(), p.db)
	if err != nil {
		return 0, err
	}
	return took.searchable.Seconds(), l.lastRunUpdated(ctx, p.db, changes)
}

func (l *laboratory) expect(ctx context.Context, db string, contacts int64) error {
	state, err := l.state(ctx, db)
	if err == nil && state.Contacts != contacts {
		err = fmt.Errorf("the directory holds %d contacts, not %d", state.Contacts, contacts)
	}
	return err
}

func (l *laboratory) lastRunUpdated(ctx context.Context, db string, contacts int64) error {
	state, err := l.state(ctx, db)
	if err == nil && state.LastRun.Counts.Updated != contacts {
		err = fmt.Errorf("the run updated %d contacts, not %d", state.LastRun.Counts.Updated, contacts)
	}
	return err
}

func (l *laboratory) state(ctx context.Context, path string) (directory.State, error) {
	store, err := sqlite.Open(ctx, path, sqlite.MustExist())
	if err != nil {
		return directory.State{}, err
	}
	defer store.Close()
	states, err := store.States(ctx, "default")
	if err == nil && len(states) != 1 {
		err = fmt.Errorf("%d integrations", len(states))
	}
	if err != nil {
		return directory.State{}, err
	}
	return states[0], nil
}
