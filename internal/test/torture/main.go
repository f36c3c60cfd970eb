// Command torture proves the promise of docs/exactness.md against real processes: `torture` lets writers loose on a database
// while runs go on and judges every run; `kill` kills bridge, synchronizer and database at random.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"
)

type options struct {
	duration time.Duration
	kills    int
	seed     uint64
	source   string
	stamps   string
	rows     int
	writers  int
	keep     bool

	longest  time.Duration // of a writer's transaction
	rest     time.Duration // of a writer between two transactions, at most
	hard     bool          // rows may go without a trace
	tolerate bool          // writers live on when the database dies
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: torture torture|kill [flags]; -h lists the flags")

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	var o options
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", time.Minute, "how long the writers write, at least: on a slow machine longer, until there is enough to be judged")
	flags.IntVar(&o.kills, "kills", 200, "how many processes are killed")
	flags.Uint64Var(&o.seed, "seed", 0, "what is written and killed; 0 takes one at random")
	flags.StringVar(&o.source, "source", "postgres", "postgres, mysql or sqlite")
	flags.StringVar(&o.stamps, "stamps", string(asTimes), "how stamps are written: times, or numbers (milliseconds since 1970)")
	flags.IntVar(&o.rows, "rows", 12000, "customers at the start")
	flags.IntVar(&o.writers, "writers", 8, "concurrent writers")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with databases and logs")
	if err := flags.Parse(args[1:]); err != nil {
		return errors.Join(errUsage, err)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1_000_000)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "contactbridge-torture-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Println("everything is kept in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	switch args[0] {
	case "torture":
		return torture(ctx, dir, o)
	case "kill":
		return kill(ctx, dir, o)
	}
	return errUsage
}

// open makes the database under torture.
func (o *options) open(ctx context.Context, dir string) (database, error) {
	stamps := stamping(o.stamps)
	if err := stamps.check(); err != nil {
		return nil, err
	}
	switch o.source {
	case "postgres":
		o.longest = 3 * time.Second
		return newPostgres(ctx, stamps)
	case "mysql":
		o.longest = 3 * time.Second
		return newMySQL(ctx, stamps)
	case "sqlite":
		// One writer at a time: longer transactions would only be fewer.
		o.longest, o.writers = 400*time.Millisecond, min(o.writers, 3)
		return newSQLite(ctx, dir, stamps)
	}
	return nil, fmt.Errorf("no such source: %q (postgres, mysql or sqlite)", o.source)
}
