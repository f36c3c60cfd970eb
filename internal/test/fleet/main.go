// Command fleet proves that a hub works past one machine: several worker and web processes on one PostgreSQL run thousands of
// integrations by their schedules while workers are killed. Every integration must run on time, no two runs of one may
// overlap, and at the end the directory must hold what the bridges do.
//
// With --simulate it measures how far claims, schedules and the queue go instead: the runs themselves are replaced by a pause.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

type options struct {
	duration     time.Duration
	integrations int
	inside       int
	fresh        time.Duration
	every        time.Duration
	workers      int
	webs         int
	kill         time.Duration
	contacts     int
	late         time.Duration
	latency      time.Duration
	seed         uint64
	keep         bool
	simulation
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch err := run(ctx, os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", 2*time.Minute, "how long it goes on, once every integration has run")
	flags.IntVar(&o.integrations, "integrations", 2000, "integrations, each on a bridge of its own")
	flags.IntVar(&o.inside, "inside", 100, "integrations besides, each with a table of PostgreSQL that the hub reads itself; changes are followed from there to a caller")
	flags.DurationVar(&o.fresh, "fresh", 0, "how long 95 of 100 changes may take from PostgreSQL to a named caller; 0: any time")
	flags.DurationVar(&o.every, "every", time.Minute, "their schedule")
	flags.IntVar(&o.workers, "workers", 3, "worker processes")
	flags.IntVar(&o.webs, "webs", 2, "web processes")
	flags.DurationVar(&o.kill, "kill", 10*time.Second, "how often a worker is killed with SIGKILL, and started again; 0: never")
	flags.IntVar(&o.contacts, "contacts", 40, "contacts of an integration at the start")
	flags.DurationVar(&o.late, "late", 2*time.Minute, "how late the latest run may be")
	flags.DurationVar(&o.latency, "latency", 300*time.Millisecond, "how long a bridge takes for a page, on average: runs must last for kills to hit them")
	flags.Uint64Var(&o.seed, "seed", 1, "what changes, and who is killed")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with the logs")
	o.simulation.declare(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.contactsStored > 0 {
		return storeSample(ctx, o, os.Stdout)
	}
	if o.simulate > 0 {
		given := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["duration"] {
			o.duration = 30 * time.Second
		}
		if !given["every"] {
			o.every = 30 * time.Minute
		}
		_, err := simulate(ctx, o, os.Stdout, bySchedule, allAtOnce)
		return err
	}
	dir, err := os.MkdirTemp("", "contactbridge-fleet-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Println("logs are kept in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	return fleet(ctx, dir, o)
}
