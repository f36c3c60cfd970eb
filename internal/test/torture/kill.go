package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
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
	fmt.Printf("%d kills (%d bridge, %d synchronizer, %d database) in the middle of a run, %d runs did not survive them; %d rows compared, %d differed; seed %d\n",
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
	victims     []string // who is killed next
	kills       map[string]int
	interrupted int
	compared    int
	aim         time.Duration // how long after its start a run is hit at the latest
}

func (k *killer) total() int {
	return k.kills["bridge"] + k.kills["synchronizer"] + k.kills["database"]
}

// round kills a process in the middle of a run, starts again what died, and compares after one more run.
func (k *killer) round(ctx context.Context) error {
	run, ended, err := k.midway(ctx)
	if err != nil {
		return err
	}
	if err := k.strike(ctx, run.Process.Kill); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		k.interrupted++
	}
	return k.compare(ctx)
}

// Between these bounds it is learnt how long a run may be left alone, to hit it before its end.
const (
	shortestAim = 10 * time.Millisecond
	longestAim  = 2 * time.Second
	mostMisses  = 50
)

// midway starts runs until one of them is still under way at a random moment after its start.
func (k *killer) midway(ctx context.Context) (run *exec.Cmd, ended <-chan error, err error) {
	if k.aim == 0 {
		k.aim = longestAim / 4
	}
	for range mostMisses {
		if run, ended, err = k.start(ctx); err != nil {
			return nil, nil, err
		}
		select {
		case err = <-ended:
			if err != nil {
				return nil, nil, fmt.Errorf("an undisturbed run failed: %w", err)
			}
			k.aim = max(k.aim*2/3, shortestAim)
		case <-time.After(time.Duration(1 + k.random.Int64N(int64(k.aim)))):
			k.aim = min(k.aim*5/4, longestAim)
			return run, ended, nil
		}
	}
	return nil, nil, fmt.Errorf("%d runs ended within %s each, before anything could be killed", mostMisses, k.aim)
}

// start starts a run, and sends what became of it.
func (k *killer) start(ctx context.Context) (*exec.Cmd, <-chan error, error) {
	extra := []string{}
	if k.random.IntN(4) == 0 {
		extra = []string{"--full"}
	}
	run := synchronize(ctx, k.binary, k.url, k.db, extra...)
	finish, err := begin(run)
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { _, err := finish(); ended <- err }()
	return run, ended, nil
}

// victim is who is killed next: each as often as the others, in a random order, for only a few kills may be wanted.
func (k *killer) victim() string {
	if len(k.victims) == 0 {
		k.victims = []string{"bridge", "synchronizer", "database"}
		k.random.Shuffle(len(k.victims), func(i, j int) { k.victims[i], k.victims[j] = k.victims[j], k.victims[i] })
	}
	next := k.victims[0]
	k.victims = k.victims[1:]
	return next
}

// strike kills one of the parties and starts it again.
func (k *killer) strike(ctx context.Context, killRun func() error) error {
	if k.kills == nil {
		k.kills = map[string]int{}
	}
	victim := k.victim()
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
		_ = killRun() // it may have ended in this very moment
		return nil
	}
	k.bridge.kill()
	return k.bridge.start(ctx)
}

// compare stops the writers, does one more run, and compares the directory with the source row by row.
func (k *killer) compare(ctx context.Context) error {
	k.gate.Lock()
	defer k.gate.Unlock()
	if _, err := complete(synchronize(ctx, k.binary, k.url, k.db)); err != nil {
		return err
	}
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
