package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// seed fixes who the customers are.
const seed = 1876 // the year of the first telephone call

// A crm is the sample CRM: one SQLite file.
type crm struct {
	path      string
	db        *sql.DB
	customers []sample.Customer
	shared    [2]sample.Customer // two people of one company, one telephone
}

// shareANumber puts the first two customers of the demo's own country into one company with one telephone.
func shareANumber(customers []sample.Customer) (two [2]sample.Customer) {
	n := 0
	for i := range customers {
		c := &customers[i]
		if c.Region != region {
			continue
		}
		if n == 1 {
			c.Company, c.Phone, c.E164 = two[0].Company, two[0].Phone, two[0].E164
		}
		two[n] = *c
		if n++; n == len(two) {
			break
		}
	}
	return two
}

const stampLayout = "2006-01-02 15:04:05.000"

// newCRM makes the CRM's file with its customers, the last of which was changed an hour ago.
func newCRM(ctx context.Context, dir string, customers int, now time.Time) (_ *crm, err error) {
	c := &crm{path: filepath.Join(dir, "crm.db")}
	if c.db, err = sql.Open("sqlite", c.path); err != nil {
		return nil, err
	}
	first := now.Add(-time.Hour - time.Duration(customers)*250*time.Millisecond)
	c.customers = sample.All(seed, first, customers)
	c.shared = shareANumber(c.customers)
	if err := c.fill(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make the sample CRM: %w", err), c.db.Close())
	}
	return c, nil
}

func (c *crm) fill(ctx context.Context) error {
	_, err := c.db.ExecContext(ctx, `
		PRAGMA journal_mode = wal;
		CREATE TABLE customers (
			id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, company TEXT, title TEXT, email TEXT, phone TEXT, mobile TEXT,
			city TEXT, plan TEXT, updated_at TEXT NOT NULL, deleted_at TEXT);
		CREATE INDEX customers_updated ON customers (updated_at, id);`)
	if err != nil {
		return err
	}
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(ctx, "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)")
	if err != nil {
		return err
	}
	for _, x := range c.customers {
		if _, err := insert.ExecContext(ctx, x.ID, x.FirstName, x.LastName, x.Company, x.Title, x.Email, x.Phone, x.Mobile, x.City, x.Plan,
			x.Updated.UTC().Format(stampLayout)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// An edit is a change in the CRM, and how the story tells it.
type edit struct {
	told      string
	statement string
	values    []any
}

// edits are a change, a new customer and a deletion.
func (c *crm) edits() []edit {
	changed, gone := c.customers[41], c.customers[42]
	return []edit{
		{
			fmt.Sprintf("%s %s has a new number: %s", changed.FirstName, changed.LastName, newNumber),
			"UPDATE customers SET phone = ?, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = ?",
			[]any{newNumber, changed.ID},
		},
		{
			fmt.Sprintf("%s joins", newCustomer),
			`INSERT INTO customers (first_name, last_name, company, email, phone, city, plan, updated_at)
			 VALUES ('Grace', 'Hopper', 'Harvard Computation', 'grace@hopper.example', ?, 'Arlington', 'Enterprise', strftime('%Y-%m-%d %H:%M:%f', 'now'))`,
			[]any{newCustomerNumber},
		},
		{
			fmt.Sprintf("%s %s is deleted", gone.FirstName, gone.LastName),
			"UPDATE customers SET deleted_at = strftime('%Y-%m-%d %H:%M:%f', 'now'), updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = ?",
			[]any{gone.ID},
		},
	}
}

const (
	newNumber         = "+1 (415) 555-0142"
	newCustomer       = "Grace Hopper"
	newCustomerNumber = "(703) 555-0187"
	unknownNumber     = "+1 212 555 0199"
)

func (c *crm) apply(ctx context.Context, e edit) error {
	_, err := c.db.ExecContext(ctx, e.statement, e.values...)
	return err
}

func (c *crm) close() error { return c.db.Close() }
