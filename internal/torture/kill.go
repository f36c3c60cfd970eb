package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"
)

// kill kills bridge, synchronizer and database at random moments of a run. After each, and one more run, the directory must
// equal the source row by row.
func kill(ctx context.Context, dir string, o options) (err error) {
	binary, err := build(ctx, dir)
	if err != nil {
		return err
	}
	d, err := o.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	o.longest, o.tolerate = min(o.longest, 300*time.Millisecond), true
	o.rest = time.Second // writers who never rest would write more between two kills than a recovery and a run can follow
	fmt.Printf("kill: %s, %d kills, %d writers, %d customers, seed %d\n", o.source, o.kills, o.writers, o.rows, o.seed)

	writing, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	var gate sync.RWMutex
	waitForWriters, err := startWriters(writing, d, newHistory(), o, &gate)
	if err != nil {
		return fmt.Errorf("fill the table: %w", err)
	}
	b, err := newBridge(binary, dir, d.source())
	if err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	defer func() { b.kill() }()
	k := &killer{database: d, bridge: b, binary: binary, db: filepath.Join(dir, "contacts.db"), gate: &gate, random: rand.New(rand.NewPCG(o.seed, 2))}
	k.url = b.url([]string{"small", "small", "medium"}[k.random.IntN(3)])
	for range o.kills {
		if err := k.round(ctx); err != nil {
			return fmt.Errorf("after %d kills (seed %d): %w", k.total(), o.seed, err)
		}
		if k.total()%10 == 0 {
			fmt.Printf("%d of %d kills, %d rows compared, none differed\n", k.total(), o.kills, k.compared)
		}
	}
	stopWriting()
	if err := waitForWriters(); err != nil {
		return err
	}
	fmt.Printf("%d kills (%d bridge, %d synchronizer, %d database), %d runs did not survive them; %d rows compared, %d differed; seed %d\n",
		k.total(), k.kills["bridge"], k.kills["synchronizer"], k.kills["database"], k.interrupted, k.compared, 0, o.seed)
	if k.interrupted == 0 {
		return errors.New("no run was interrupted: nothing was proved")
	}
	return nil
}

type killer struct {
	database    database
	bridge      *bridge
	binary, db  string
	url         string // of the bridge's endpoint
	gate        *sync.RWMutex
	random      *rand.Rand
	kills       map[string]int
	interrupted int
	compared    int
	runTime     time.Duration // of an undisturbed run, to aim inside it
}

func (k *killer) total() int {
	return k.kills["bridge"] + k.kills["synchronizer"] + k.kills["database"]
}

// round starts a run, kills somebody in it, starts again what died, and compares after one more run.
func (k *killer) round(ctx context.Context) error {
	extra := []string{}
	if k.random.IntN(4) == 0 {
		extra = []string{"--full"}
	}
	run := synchronize(ctx, k.binary, k.url, k.db, extra...)
	finish, err := begin(run)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { _, err := finish(); ended <- err }()
	time.Sleep(time.Duration(k.random.Int64N(int64(k.aim())))) // too late to interrupt it? What follows must hold all the same
	if err := k.strike(ctx, run.Process.Kill); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		k.interrupted++
	}
	return k.compare(ctx)
}

// aim is how long after its start a run may be hit.
func (k *killer) aim() time.Duration {
	if k.runTime == 0 {
		return 500 * time.Millisecond
	}
	return k.runTime
}

// strike kills one of the parties and starts it again.
func (k *killer) strike(ctx context.Context, killRun func() error) error {
	if k.kills == nil {
		k.kills = map[string]int{}
	}
	victim := []string{"bridge", "synchronizer", "database"}[k.random.IntN(3)]
	if victim == "database" {
		err := k.database.crash(ctx)
		if err == nil {
			k.kills[victim]++
			return nil
		}
		if !errors.Is(err, errNoServer) {
			return err
		}
		victim = "bridge"
	}
	k.kills[victim]++
	if victim == "synchronizer" {
		_ = killRun() // it may have ended by itself
		return nil
	}
	k.bridge.kill()
	return k.bridge.start(ctx)
}

// compare stops the writers, does one more run, and compares the directory with the source row by row.
func (k *killer) compare(ctx context.Context) error {
	k.gate.Lock()
	defer k.gate.Unlock()
	started := time.Now()
	if _, err := complete(synchronize(ctx, k.binary, k.url, k.db)); err != nil {
		return err
	}
	k.runTime = time.Since(started)
	rows, err := k.database.rows(ctx)
	if err != nil {
		return err
	}
	now, err := held(ctx, k.db)
	if err != nil {
		return err
	}
	living := 0
	for id, v := range rows {
		switch got, there := now[id]; {
		case v < 0 && there:
			return fmt.Errorf("contact %d was deleted as version %d, and is there as version %d", id, -v, got)
		case v > 0 && got != v:
			return fmt.Errorf("contact %d is version %d in the source and %d in the directory (0: missing)", id, v, got)
		case v > 0:
			living++
		}
		k.compared++
	}
	if living != len(now) {
		return fmt.Errorf("the source has %d customers, the directory %d", living, len(now))
	}
	return nil
}
