// Command bench measures the speed of the whole path. Every figure stands against a limit that is measured in the same
// run, because machines differ and are shared; the ratio counts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
)

// A result is one line of the table.
type result struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"` // ours
	Unit   string  `json:"unit"`  // of value and limit
	Limit  float64 `json:"limit"` // what it is compared with
	Ratio  float64 `json:"ratio"` // value / limit
	Target float64 `json:"target"`
	OK     bool    `json:"ok"`

	CPU      float64 `json:"cpu_us,omitempty"`       // the bridge's processor time for a contact, in microseconds
	LimitCPU float64 `json:"limit_cpu_us,omitempty"` // the limit's, without that of a database's server
	Allocs   float64 `json:"allocations,omitempty"`  // of the bridge for a contact

	against string
	atMost  bool    // the target is an upper bound
	ceiling float64 // the ratio of value and limit must not exceed it; 0: no ceiling
}

// A benchmark measures one or more results in a laboratory.
type benchmark struct {
	names    []string
	run      func(ctx context.Context, l *laboratory) ([]result, error)
	postgres bool                                           // it needs the PostgreSQL with the customers
	prepare  func(ctx context.Context, l *laboratory) error // makes what is kept for it (--keep); nil: nothing is
}

var benchmarks = []benchmark{
	{names: []string{"bridge-postgres"}, run: bridgePostgres, postgres: true},
	{names: []string{"bridge-postgres-e164"}, run: bridgePostgresE164, postgres: true},
	{names: []string{"bridge-sqlite"}, run: bridgeSQLite},
	{names: []string{"bridge-mysql"}, run: bridgeMySQL},
	{names: []string{"incremental-mysql"}, run: incrementalMySQL},
	{names: []string{"bridge-csv"}, run: bridgeCSV},
	{names: []string{"bridge-jsonl"}, run: bridgeJSONL},
	{names: []string{"bridge-rest", "memory-rest"}, run: bridgeREST},
	{names: []string{"bridge-vcard"}, run: bridgeVCard},
	{names: []string{"bridge-xlsx"}, run: bridgeXLSX},
	{names: []string{"bridge-ldap", "memory-ldap"}, run: bridgeLDAP},
	memoryCSV, memoryJSONL, memoryJSON, memoryVCard, memoryXLSX,
	{names: []string{"bridge-carddav", "memory-carddav"}, run: bridgeCardDAV},
	{names: []string{"sync-sqlite", "sync-searchable"}, run: syncSQLite, postgres: true},
	{names: []string{"sync-postgres"}, run: syncPostgres, postgres: true},
	{names: []string{"unchanged-sqlite"}, run: unchangedSQLite, postgres: true},
	{names: []string{"unchanged-postgres"}, run: unchangedPostgres, postgres: true},
	{names: []string{"judge"}, run: judge},
	{names: []string{"lookup"}, run: lookup, postgres: true},
	{names: []string{"callers-http", "callers-first", "callers-p99", "callers-explain", "callers-busy"}, run: callers, postgres: true},
	{names: []string{"ldap-search", "ldap-number", "ldap-busy", "phonebook", "carddav-initial", "memory-phones"}, run: ldapSearch, prepare: preparePhones},
	{names: []string{"ldap-search-postgres", "ldap-number-postgres", "ldap-busy-postgres"}, run: ldapSearchPostgres, prepare: preparePhonesPostgres},
	{names: []string{"console-catalogue", "console-overview", "console-pages", "console-search"}, run: consoles, postgres: true},
	{names: []string{"memory-bridge", "memory-sync", "memory-hub", "incremental"}, run: atScale, postgres: true},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var errMissed = errors.New("a target was missed (this machine may be busy: compare the ratios of several runs)")

func run(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	contacts := flags.Int("contacts", 200_000, "contacts in the database; incremental, memory and page use those of --big")
	big := flags.Int("big", 1_000_000, "contacts of incremental, memory and page, which compare them with fewer")
	asJSON := flags.Bool("json", false, "one object a line")
	smoke := flags.Bool("smoke", false, "small: shows that every benchmark works; targets are not judged")
	only := flags.String("only", "", "comma-separated names")
	repeat := flags.Int("repeat", 3, "measurements; the median counts")
	keep := flags.String("keep", "", "a folder for data sets that take minutes to make: they are kept there, and the next run measures with copies")
	prepare := flags.Bool("prepare", false, "with --keep: make what is not kept yet, and measure nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	l, err := newLaboratory(ctx, *contacts, *big, *repeat, *smoke)
	if err != nil {
		return err
	}
	defer l.close()
	if l.keep = *keep; l.keep != "" {
		if err := os.MkdirAll(l.keep, 0o755); err != nil {
			return err
		}
	}
	if *only != "" {
		l.only = strings.Split(*only, ",")
	}
	if *prepare {
		return l.prepare(ctx)
	}
	var all []result
	for _, b := range benchmarks {
		if !slices.ContainsFunc(b.names, l.wants) {
			continue
		}
		if b.postgres {
			if err := l.startPostgres(ctx); err != nil {
				return err
			}
		}
		results, err := b.run(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(b.names, ", "), err)
		}
		for _, r := range results {
			r.Ratio = r.Value / r.Limit
			r.OK = r.Ratio >= r.Target
			if r.atMost {
				r.OK = r.Ratio <= r.Target
			}
			if r.ceiling > 0 && max(r.Value, r.Limit) > r.ceiling {
				r.OK = false
			}
			all = append(all, r)
			if *asJSON {
				line, _ := json.Marshal(r)
				fmt.Println(string(line))
			} else {
				fmt.Fprintln(os.Stderr, "measured", r.Name)
			}
		}
	}
	if !*asJSON {
		print(all, *smoke)
	}
	if !*smoke && slices.ContainsFunc(all, func(r result) bool { return !r.OK }) {
		return errMissed
	}
	return nil
}

func print(all []result, smoke bool) {
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "name\tvalue\tlimit\tunit\tratio\ttarget\t\t")
	for _, r := range all {
		bound, verdict := "≥", "ok"
		if r.atMost {
			bound = "≤"
		}
		if !r.OK {
			verdict = "MISSED"
		}
		if smoke {
			verdict = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%s %.2f\t%s\t\n", r.Name, figure(r.Value), figure(r.Limit), r.Unit, r.Ratio, bound, r.Target, verdict)
	}
	w.Flush()
	fmt.Println()
	for _, r := range all {
		fmt.Printf("%s: %s\n", r.Name, r.against)
		if r.CPU > 0 {
			fmt.Printf("%s: processor time for a contact %.2f µs, of the limit's program %.2f µs; %.2f allocations for a contact\n",
				strings.Repeat(" ", len(r.Name)), r.CPU, r.LimitCPU, r.Allocs)
		}
	}
}

func figure(v float64) string {
	switch {
	case v >= 100_000:
		return fmt.Sprintf("%.0f k", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// median of the values, which are sorted.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// paired measures two things in turn, so that both see the same machine, and returns the medians.
func paired(ctx context.Context, times int, ours, limit func(context.Context) (float64, error)) (a, b float64, err error) {
	var as, bs []float64
	for range times {
		limitValue, err := limit(ctx)
		if err != nil {
			return 0, 0, fmt.Errorf("limit: %w", err)
		}
		value, err := ours(ctx)
		if err != nil {
			return 0, 0, err
		}
		as, bs = append(as, value), append(bs, limitValue)
	}
	return median(as), median(bs), nil
}
