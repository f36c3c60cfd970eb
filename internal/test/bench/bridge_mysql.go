package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
)

// mysqlFields maps the columns as fields does, in MySQL's SQL; mysqlSelected are its expressions.
const (
	mysqlFields = `{name: "concat(first_name, ' ', last_name)", company: company, title: title, emails: [email, email2], phones: [phone, mobile],
        address: city, url: "concat('https://crm.example.com/customers/', id)", custom_fields: {Plan: plan, Customer since: created_at}}`
	mysqlSelected = `id, concat(first_name, ' ', last_name), company, title, email, email2, phone, mobile, city,
  concat('https://crm.example.com/customers/', id), plan, created_at, updated_at`
)

// A mariadb is a server with tables of customers.
type mariadb struct {
	server *mysqltest.Server
	db     *sql.DB
}

func startMariaDB(ctx context.Context) (*mariadb, error) {
	server, err := mysqltest.Start(ctx, "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G")
	if err != nil {
		return nil, err
	}
	m := &mariadb{server: server}
	if m.db, err = server.Open("root", "", ""); err == nil {
		_, err = m.db.ExecContext(ctx, "CREATE DATABASE crm")
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *mariadb) close() error {
	if m.db != nil {
		_ = m.db.Close() // the server ends anyway
	}
	return m.server.Stop()
}

func (m *mariadb) source(table string) string {
	return fmt.Sprintf("{kind: mysql, dsn: %q, table: %s, id: id, updated: updated_at, fields: %s}", m.server.DSN("root", "", "crm"), table, mysqlFields)
}

// mysqlBatch is how many rows one statement inserts.
const mysqlBatch = 1000

// fill makes a table of n customers with the index that a bridge wants.
func (m *mariadb) fill(ctx context.Context, table string, n int) error {
	if _, err := m.db.ExecContext(ctx, `CREATE TABLE crm.`+table+` (id bigint PRIMARY KEY, first_name varchar(100), last_name varchar(100), company varchar(100),
		title varchar(100), email varchar(190), email2 varchar(190), phone varchar(40), mobile varchar(40), city varchar(100), plan varchar(40),
		created_at timestamp(6) NULL, updated_at timestamp(6) NULL, INDEX changed (updated_at, id)) ENGINE=InnoDB`); err != nil {
		return err
	}
	const layout = "2006-01-02 15:04:05.000000"
	g := sample.New(seed, start)
	for done := 0; done < n; {
		rows := min(mysqlBatch, n-done)
		var args []any
		for range rows {
			c := g.Next()
			args = append(args, c.ID, c.FirstName, c.LastName, c.Company, c.Title, c.Email, null(c.Email2), c.Phone, null(c.Mobile), c.City, c.Plan,
				c.Created.Format(layout), c.Updated.Format(layout))
		}
		row := ", (?" + strings.Repeat(", ?", 12) + ")"
		if _, err := m.db.ExecContext(ctx, "INSERT INTO crm."+table+" ("+columns+") VALUES "+strings.Repeat(row, rows)[2:], args...); err != nil {
			return err
		}
		done += rows
	}
	_, err := m.db.ExecContext(ctx, "ANALYZE TABLE crm."+table)
	return err
}

func bridgeMySQL(ctx context.Context, l *laboratory) (results []result, err error) {
	m, err := startMariaDB(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.fill(ctx, "customers", l.contacts); err != nil {
		return nil, fmt.Errorf("fill MariaDB: %w", err)
	}
	s, err := l.serve(ctx, m.source("customers"), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	scan := func(ctx context.Context) (float64, error) {
		return l.scan(ctx, m.db, "SELECT "+mysqlSelected+" FROM crm.customers ORDER BY updated_at, id")
	}
	return l.crawlAgainst(ctx, s, scan, result{
		Name: "bridge-mysql", Target: 0.7,
		against: "all pages over loopback HTTP, one client, against scanning the same query with the driver, encoding nothing",
	})
}

// incrementalMySQL measures what must not grow with the number of contacts, on MariaDB.
func incrementalMySQL(ctx context.Context, l *laboratory) (results []result, err error) {
	m, err := startMariaDB(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	small, big := &mysqlPopulation{mariadb: m, contacts: l.big / 100}, &mysqlPopulation{mariadb: m, contacts: l.big}
	for _, p := range []*mysqlPopulation{small, big} {
		if err := p.firstFill(ctx, l); err != nil {
			return nil, fmt.Errorf("%d contacts: %w", p.contacts, err)
		}
		defer p.bridge.stop()
	}
	value, limit, err := paired(ctx, max(l.repeat, 5),
		func(ctx context.Context) (float64, error) { return big.incremental(ctx, l) },
		func(ctx context.Context) (float64, error) { return small.incremental(ctx, l) })
	return []result{{
		Name: "incremental-mysql", Value: value, Limit: limit, Unit: "s", Target: 1.5, atMost: true,
		against: fmt.Sprintf("sync of %d changes, whole process, with %d contacts in the table, against %d", changes, big.contacts, small.contacts),
	}}, err
}

// A mysqlPopulation is a table of so many customers, the bridge on it, and the directory it fills.
type mysqlPopulation struct {
	*mariadb
	contacts  int
	table, to string
	bridge    *server
}

func (p *mysqlPopulation) firstFill(ctx context.Context, l *laboratory) (err error) {
	p.table = fmt.Sprintf("customers_%d", p.contacts)
	p.to = filepath.Join(l.dir, "mysql_"+p.table+".db")
	if err := p.fill(ctx, p.table, p.contacts); err != nil {
		return err
	}
	if p.bridge, err = l.serve(ctx, p.source(p.table), "{format: as-is}"); err != nil {
		return err
	}
	if _, err := l.synchronize(ctx, p.bridge.url(), p.to); err != nil {
		return err
	}
	return l.expect(ctx, p.to, int64(p.contacts))
}

// incremental changes some customers and returns how many seconds the run takes that fetches them.
func (p *mysqlPopulation) incremental(ctx context.Context, l *laboratory) (float64, error) {
	ids := make([]string, changes)
	for i := range ids {
		ids[i] = fmt.Sprint(1 + (i+1)*7919%p.contacts)
	}
	// Stamps with their own order in time, after all others, so that no run is given the changes of the run before.
	_, err := p.db.ExecContext(ctx, fmt.Sprintf(`SET @next = (SELECT max(updated_at) FROM crm.%[1]s) + INTERVAL 1 SECOND;
		UPDATE crm.%[1]s SET title = concat(title, '.'), updated_at = @next WHERE id IN (%[2]s)`, p.table, strings.Join(ids, ", ")))
	if err != nil {
		return 0, err
	}
	took, err := l.synchronize(ctx, p.bridge.url(), p.to)
	if err != nil {
		return 0, err
	}
	return took.searchable.Seconds(), l.lastRunUpdated(ctx, p.to, changes)
}
