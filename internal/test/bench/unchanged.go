package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

const unchangedAgainst = "a full run in which nothing changed, whole process, against reading the same pages with the same client and comparing a hash of each contact with one in memory"

// unchangedSQLite measures full runs into a file that has everything already.
func unchangedSQLite(ctx context.Context, l *laboratory) ([]result, error) {
	return l.unchanged(ctx, "unchanged-sqlite", func(context.Context) (string, error) {
		path := filepath.Join(l.dir, "unchanged.db")
		return path, removeDatabase(path)
	})
}

// unchangedPostgres is the same with PostgreSQL.
func unchangedPostgres(ctx context.Context, l *laboratory) ([]result, error) {
	return l.unchanged(ctx, "unchanged-postgres", func(ctx context.Context) (string, error) { return l.emptyDatabase(ctx, "unchanged") })
}

func (l *laboratory) unchanged(ctx context.Context, name string, empty func(context.Context) (string, error)) ([]result, error) {
	s, err := l.serve(ctx, l.postgresSource("customers"), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	db, err := empty(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := l.synchronize(ctx, s.url(), db); err != nil {
		return nil, err
	}
	client := &bridge.Client{URL: s.url(), Auth: bridge.Auth{"username": "agent", "password": secret}}
	defer client.CloseIdleConnections()
	hashes := map[string][16]byte{}
	if _, err := compare(ctx, client, hashes); err != nil { // the first time it learns them
		return nil, err
	}
	value, limit, err := paired(ctx, l.repeat,
		func(ctx context.Context) (float64, error) {
			took, err := l.synchronize(ctx, s.url(), db, "--full")
			return float64(l.contacts) / took.searchable.Seconds(), err
		},
		func(ctx context.Context) (float64, error) {
			started := time.Now()
			n, err := compare(ctx, client, hashes)
			if err == nil && n != 0 {
				err = fmt.Errorf("%d contacts have another hash", n)
			}
			return float64(l.contacts) / time.Since(started).Seconds(), err
		})
	return []result{{Name: name, Value: value, Limit: limit, Unit: "contacts/s", Target: 0.6, against: unchangedAgainst}}, err
}

// compare reads all pages, and counts the contacts whose hash is not the one that is known; it becomes known.
func compare(ctx context.Context, client *bridge.Client, known map[string][16]byte) (changed int, err error) {
	ask := bridge.PageRequest{SupportsDeletions: true}
	for {
		page, err := client.Page(ctx, ask)
		if err != nil {
			return changed, err
		}
		for i := range page.Contacts {
			c := &page.Contacts[i]
			if hash := c.Hash(); known[c.ID] != hash {
				known[c.ID] = hash
				changed++
			}
		}
		ask.Offset, ask.Context = page.NextOffset, page.Context
		if page.Release != nil {
			page.Release()
		}
		if ask.Offset == "" {
			return changed, nil
		}
	}
}

// judge measures how long it takes to say who is gone when a full run has ended that did not show one contact in a hundred.
func judge(ctx context.Context, l *laboratory) (results []result, err error) {
	path := filepath.Join(l.dir, "judge.db")
	if err := removeDatabase(path); err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	j := judgement{store: store, key: directory.Key{Account: account, Integration: "crm"}, contacts: l.big}
	run, err := j.run(ctx, func(int) bool { return true })
	if err == nil {
		err = store.ApplyPage(ctx, run, directory.PageChanges{Seq: run.Pages + 1, Checkpoint: "c"})
	}
	if err != nil {
		return nil, err
	}
	var ours, limit []float64
	for turn := range l.repeat {
		run, err := j.run(ctx, func(n int) bool { return n%100 != turn })
		if err != nil {
			return nil, err
		}
		byHand, err := goneByHand(ctx, path, filepath.Join(l.dir, "marks.db"), turn)
		if err != nil {
			return nil, err
		}
		started := time.Now()
		err = store.ApplyPage(ctx, run, directory.PageChanges{Seq: run.Pages + 1, Checkpoint: "c", Guard: directory.NewGuard(0, 1)})
		guarded, held := errors.AsType[*directory.GuardedError](err)
		if !held {
			return nil, fmt.Errorf("the run that did not show all of them ended with %w", err)
		}
		ours = append(ours, 1/time.Since(started).Seconds())
		limit = append(limit, 1/byHand.Seconds())
		if _, err := store.KeepHeld(ctx, j.key, guarded.Held.Set); err != nil {
			return nil, err
		}
	}
	return []result{{
		Name: "judge", Value: median(ours), Limit: median(limit), Unit: "1/s", Target: 0.7,
		against: fmt.Sprintf("the last page of a full run of %d contacts, which says who is gone and holds them back, against the same query by hand", l.big),
	}}, nil
}

// A judgement has the contacts that are judged.
type judgement struct {
	store    *sqlite.Store
	key      directory.Key
	contacts int
}

// run stores all pages of a full run but the last one, with those of the contacts that it shows.
func (j *judgement) run(ctx context.Context, shows func(n int) bool) (*directory.Run, error) {
	run, err := j.store.StartRun(ctx, j.key, directory.Start{Full: true, Lease: time.Hour})
	if err != nil {
		return nil, err
	}
	g := sample.New(seed, start)
	page := directory.PageChanges{NextOffset: "o"}
	for n := range j.contacts {
		if r := record(g.Next()); shows(n) {
			page.Contacts = append(page.Contacts, r)
		}
		if len(page.Contacts) == 1000 || n == j.contacts-1 {
			page.Seq = run.Pages + 1
			if err := j.store.ApplyPage(ctx, run, page); err != nil {
				return nil, err
			}
			page.Contacts = page.Contacts[:0]
		}
	}
	return run, nil
}

// goneByHand is how long a query takes that finds the contacts without a mark, where each of the others has a row as its mark. Those are
// in a file of their own.
func goneByHand(ctx context.Context, path, marks string, turn int) (time.Duration, error) {
	if err := removeDatabase(marks); err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // the second file is attached to it
	for _, statement := range []string{
		"ATTACH 'file:" + marks + "?mode=rwc' AS marks",
		"CREATE TABLE marks.seen (run INTEGER NOT NULL, contact INTEGER NOT NULL, PRIMARY KEY (run, contact)) WITHOUT ROWID",
		"INSERT INTO marks.seen SELECT 1, pk FROM contacts WHERE (pk - 1) % 100 <> " + strconv.Itoa(turn), // they were stored in their order
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return 0, err
		}
	}
	started := time.Now()
	var n int64
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT c.pk, c.integration FROM contacts c
		WHERE c.integration = 1 AND NOT EXISTS (SELECT 1 FROM marks.seen s WHERE s.run = 1 AND s.contact = c.pk))`).Scan(&n)
	return time.Since(started), err
}
