package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	callers "github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// A stored sample is a directory on a private PostgreSQL, with so many contacts, to calculate larger ones from.
type stored struct {
	options
	out      io.Writer
	database *pgtest.Server
	pool     *pgxpool.Pool
	store    *postgres.Store
}

const (
	perPage    = 1000
	perAccount = 5000 // contacts, where --accounts does not say otherwise
	asked      = 2000 // look-ups of each kind
)

// storeSample fills a directory and measures what storing, keeping and finding contacts takes; with a file of statements that move the
// tables into partitions, the same again after them.
func storeSample(ctx context.Context, o options, out io.Writer) (err error) {
	if o.accounts <= 0 {
		o.accounts = max(1, o.contactsStored/perAccount)
	}
	s := &stored{options: o, out: out}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.database, err = pgtest.Start(ctx, "shared_buffers=1GB", "maintenance_work_mem=512MB", "autovacuum=off", "max_locks_per_transaction=256"); err != nil {
		return err
	}
	if s.store, err = postgres.Open(ctx, s.database.DSN("postgres")); err != nil {
		return err
	}
	if s.pool, err = pgxpool.New(ctx, s.database.DSN("postgres")); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d contacts of %d accounts\n", o.contactsStored, o.accounts)
	if err := s.runs(ctx); err != nil {
		return err
	}
	if err := s.keeping(ctx); err != nil {
		return err
	}
	if err := s.find(ctx); err != nil || o.partitions == "" {
		return err
	}
	if err := s.partition(ctx); err != nil {
		return err
	}
	if err := s.keeping(ctx); err != nil {
		return err
	}
	if err := s.find(ctx); err != nil {
		return err
	}
	return s.step(ctx, "a tenth of the contacts changed, partitioned", func(ctx context.Context) error { return s.syncAll(ctx, " von", 10) })
}

func (s *stored) close() error {
	if s.pool != nil {
		s.pool.Close()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
	if s.database == nil {
		return nil
	}
	return s.database.Stop()
}

// runs stores everything, once more without a change, and once more with changes.
func (s *stored) runs(ctx context.Context) error {
	for _, r := range []struct {
		name, suffix string
		each         int
	}{{"first fill", "", 1}, {"everything read again, nothing changed", "", 1}, {"a tenth of the contacts changed", " jr.", 10}} {
		if err := s.step(ctx, r.name, func(ctx context.Context) error { return s.syncAll(ctx, r.suffix, r.each) }); err != nil {
			return err
		}
	}
	return nil
}

// step does something and prints what it took.
func (s *stored) step(ctx context.Context, name string, do func(context.Context) error) error {
	read := func() (cpu time.Duration, wal int64, err error) {
		if cpu, err = treeTime(s.database.Dir); err == nil {
			err = s.pool.QueryRow(ctx, "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&wal)
		}
		return cpu, wal, err
	}
	cpu, wal, err := read()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := do(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	took := time.Since(began)
	cpuAfter, walAfter, err := read()
	if err != nil {
		return err
	}
	n := float64(s.contactsStored)
	_, err = fmt.Fprintf(s.out, "%s: %.1f s, PostgreSQL's processor %.1f s (%.0f µs for each contact), log %.0f MB (%.0f bytes for each contact)\n", name, took.Seconds(),
		(cpuAfter - cpu).Seconds(), (cpuAfter-cpu).Seconds()/n*1e6, float64(walAfter-wal)/1e6, float64(walAfter-wal)/n)
	return err
}

// syncAll gives every account a complete run of its contacts. Of every so many, one has another name.
func (s *stored) syncAll(ctx context.Context, suffix string, each int) error {
	g := sample.New(s.seed, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	per := s.contactsStored / s.accounts
	for a := range s.accounts {
		if err := s.syncOne(ctx, accountName(a), per, func(i int) directory.Record { return recordOf(g.Next(), suffix, i%each == 0) }); err != nil {
			return err
		}
	}
	return nil
}

func accountName(a int) string { return fmt.Sprintf("account%05d", a) }

func (s *stored) syncOne(ctx context.Context, account string, n int, record func(int) directory.Record) error {
	run, err := s.store.StartRun(ctx, directory.Key{Account: account, Integration: "crm"}, directory.Start{Full: true, Lease: time.Hour})
	if err != nil {
		return err
	}
	for i := 0; i < n; i += perPage {
		page := directory.PageChanges{Seq: run.Pages + 1}
		for j := i; j < min(i+perPage, n); j++ {
			page.Contacts = append(page.Contacts, record(j))
		}
		if i+perPage < n {
			page.NextOffset = strconv.Itoa(i + perPage)
		}
		if err := s.store.ApplyPage(ctx, run, page); err != nil {
			return err
		}
	}
	return nil
}

// recordOf is a customer as contact centres have them: name, company, title, addresses and numbers (three for two people), a city and two
// custom fields.
func recordOf(c sample.Customer, suffix string, changed bool) directory.Record {
	r := directory.Record{Contact: contact.Contact{
		ID: strconv.Itoa(c.ID), Name: c.FirstName + " " + c.LastName, Company: c.Company, Title: c.Title, Emails: given(c.Email, c.Email2), Phones: given(c.Phone, c.Mobile),
		Address: c.City, CustomFields: []contact.CustomField{{Key: "Plan", Value: c.Plan}, {Key: "Customer since", Value: c.Created.Format(time.DateOnly)}},
	}}
	r.Numbers = callers.Numbers(r.Contact.Phones, c.Region)
	if changed {
		r.Contact.Name += suffix
	}
	return r
}

// given returns the values that are not empty.
func given(values ...string) []string {
	return slices.DeleteFunc(values, func(v string) bool { return v == "" })
}

// keeping prints what tables and indexes take of the disk.
func (s *stored) keeping(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, `SELECT coalesce((SELECT max(pr.relname) FROM pg_inherits h JOIN pg_class pr ON pr.oid = h.inhparent WHERE h.inhrelid = c.oid), c.relname),
			c.relkind IN ('i', 'I'), sum(CASE WHEN c.relkind IN ('i', 'I') THEN pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END)::bigint
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'contactbridge' AND c.relkind IN ('r', 'i')
		GROUP BY 1, 2 HAVING sum(pg_relation_size(c.oid)) > 1000000 ORDER BY 3 DESC`)
	if err != nil {
		return err
	}
	defer rows.Close()
	w := tabwriter.NewWriter(s.out, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "table or index\tMB\tbytes for each contact\t")
	var all float64
	for rows.Next() {
		var name string
		var index bool
		var size float64
		if err := rows.Scan(&name, &index, &size); err != nil {
			return err
		}
		if index {
			name = "index " + name
		}
		all += size
		fmt.Fprintf(w, "%s\t%.1f\t%.0f\t\n", name, size/1e6, size/float64(s.contactsStored))
	}
	fmt.Fprintf(w, "in all\t%.1f\t%.0f\t\n", all/1e6, all/float64(s.contactsStored))
	w.Flush()
	return rows.Err()
}

// find asks for numbers, addresses and words of contacts of many accounts.
func (s *stored) find(ctx context.Context) error {
	g := sample.New(s.seed, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	per := s.contactsStored / s.accounts
	customers := make([]sample.Customer, 0, asked)
	accounts := make([]string, 0, asked)
	for i := 0; i < s.contactsStored && len(customers) < asked; i++ {
		if c := g.Next(); i%max(1, s.contactsStored/asked) == 0 {
			customers, accounts = append(customers, c), append(accounts, accountName(i/per))
		}
	}
	for _, q := range []struct {
		name string
		ask  func(account string, c sample.Customer) (int, error)
	}{
		{"by number", func(account string, c sample.Customer) (int, error) {
			found, err := s.store.ByE164(ctx, account, []string{c.E164}, 10)
			return len(found), err
		}},
		{"by address", func(account string, c sample.Customer) (int, error) {
			found, err := s.store.ByEmail(ctx, account, []string{c.Email}, 10)
			return len(found), err
		}},
		{"by words", func(account string, c sample.Customer) (int, error) {
			found, err := s.store.Search(ctx, account, directory.Query{Text: c.FirstName + " " + c.LastName, Limit: 10})
			return len(found), err
		}},
	} {
		before, err := treeTime(s.database.Dir)
		if err != nil {
			return err
		}
		began, missed := time.Now(), 0
		for i, c := range customers {
			n, err := q.ask(accounts[i], c)
			if err != nil {
				return err
			}
			if n == 0 {
				missed++
			}
		}
		took := time.Since(began)
		after, err := treeTime(s.database.Dir)
		if err != nil {
			return err
		}
		n := float64(len(customers))
		fmt.Fprintf(s.out, "%d looked up %s: %.2f ms each, PostgreSQL's processor %.2f ms each\n", len(customers), q.name, took.Seconds()*1000/n, (after-before).Seconds()*1000/n)
		if missed > 0 {
			return fmt.Errorf("%d of %d were not found %s", missed, len(customers), q.name)
		}
	}
	return nil
}

// partition runs the statements of a file, or of the block of SQL in a document that moves the directory into partitions.
func (s *stored) partition(ctx context.Context) error {
	text, err := os.ReadFile(s.partitions)
	if err != nil {
		return err
	}
	statements := string(text)
	if _, rest, found := strings.Cut(statements, "```sql\n-- Partitions"); found {
		statements, _, _ = strings.Cut(rest, "```")
		statements = "--" + statements
	}
	return s.step(ctx, "moved into partitions", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, statements)
		return err
	})
}
