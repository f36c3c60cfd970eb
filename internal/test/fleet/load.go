package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
)

// A load is what a phase asks of the machine.
type load struct {
	server, hubs time.Duration // processor time of PostgreSQL, with the processes that have ended, and of this process
	transactions int64
	wal          int64 // bytes
	tables       []written
}

// Written rows are those that were inserted, updated and deleted.
type written struct {
	name string
	rows int64
}

// look reads the counters as they are.
func (s *simulated) look(ctx context.Context) (l load, err error) {
	if l.server, err = treeTime(s.database.Dir); err != nil {
		return l, err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return l, err
	}
	l.hubs = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	if err := s.pool.QueryRow(ctx, `SELECT xact_commit + xact_rollback, (pg_current_wal_lsn() - '0/0')::bigint FROM pg_stat_database
		WHERE datname = current_database()`).Scan(&l.transactions, &l.wal); err != nil {
		return l, err
	}
	rows, err := s.pool.Query(ctx, `SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables ORDER BY relname`)
	if err != nil {
		return l, err
	}
	l.tables, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t written, err error) { return t, row.Scan(&t.name, &t.rows) })
	return l, err
}

// since returns the load since an earlier look; of tables, those that were written.
func (l load) since(before load) load {
	was := map[string]int64{}
	for _, t := range before.tables {
		was[t.name] = t.rows
	}
	d := load{server: l.server - before.server, hubs: l.hubs - before.hubs, transactions: l.transactions - before.transactions, wal: l.wal - before.wal}
	for _, t := range l.tables {
		if t.rows -= was[t.name]; t.rows > 0 {
			d.tables = append(d.tables, t)
		}
	}
	return d
}

const ticks = 100 // of a second, as /proc counts processor time

// treeTime returns the processor time of a PostgreSQL server: of the process that its folder names and of all processes that it started.
func treeTime(dir string) (all time.Duration, err error) {
	file, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	pid, _, _ := strings.Cut(string(file), "\n")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// The name, in brackets, may hold anything; what follows it is state, parent, …; times are the 14th to 17th value of the line.
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		own := strings.HasPrefix(string(stat), pid+" ")
		if len(fields) < 15 || !own && fields[1] != pid {
			continue
		}
		last := 13 // children do not start any
		if own {
			last = 15 // with those that have ended
		}
		for _, f := range fields[11:last] {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", name, err)
			}
			all += time.Duration(n) * time.Second / ticks
		}
	}
	return all, nil
}

// sizes prints the tables that have grown, with their indexes.
func (s *simulated) sizes(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT relname, n_live_tup, n_dead_tup, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables
		WHERE pg_total_relation_size(relid) > 100000 ORDER BY pg_total_relation_size(relid) DESC`)
	if err != nil {
		return err
	}
	defer rows.Close()
	w := tabwriter.NewWriter(s.out, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ntable, at the end\trows\tdead\tMB\tindexes, MB\t")
	for rows.Next() {
		var name string
		var live, dead, table, indexes int64
		if err := rows.Scan(&name, &live, &dead, &table, &indexes); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\t%.1f\t\n", name, live, dead, float64(table)/1e6, float64(indexes)/1e6)
	}
	w.Flush()
	return rows.Err()
}

func (s *simulated) resetStatements(ctx context.Context) error {
	if !s.asked {
		return nil
	}
	_, err := s.pool.Exec(ctx, "SELECT pg_stat_statements_reset()")
	return err
}

// statements prints those that cost most, on average for a claim.
func (s *simulated) statements(ctx context.Context, claims int) error {
	if !s.asked {
		return nil
	}
	rows, err := s.pool.Query(ctx, `SELECT calls, total_exec_time, rows, wal_bytes::bigint, left(regexp_replace(query, '\s+', ' ', 'g'), 150) FROM pg_stat_statements
		ORDER BY total_exec_time DESC LIMIT 25`)
	if err != nil {
		return err
	}
	defer rows.Close()
	fmt.Fprintln(s.out, "\nms for a claim, calls for a claim, rows and bytes of log for a call, statement")
	for rows.Next() {
		var calls, of, wal int64
		var took float64
		var query string
		if err := rows.Scan(&calls, &took, &of, &wal, &query); err != nil {
			return err
		}
		n := float64(claims)
		fmt.Fprintf(s.out, "%7.3f %6.2f %7.1f %6d  %s\n", took/n, float64(calls)/n, float64(of)/float64(calls), wal/calls, query)
	}
	return rows.Err()
}
