package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

const suiteTable = `CREATE TABLE contacts (id text PRIMARY KEY, name text, title text, company text, email text, email2 text,
	phones text[], website text, photo text, address text, twitter text, url text, plan text, updated timestamptz, gone text);
	CREATE INDEX ON contacts (updated, id);`

var suiteFields = record.Fields{
	Name: "name", Title: "title", Company: "company", Emails: record.Expressions{"email", "email2"}, Phones: record.Expressions{"phones"},
	Websites: record.Expressions{"website"}, PhotoURL: "photo", Address: "address", Twitter: "twitter", URL: "url",
	CustomFields: record.CustomFields{{Key: "Plan", Expression: "plan"}},
}

func TestSource(t *testing.T) {
	t.Parallel()
	db := server.Database(t, suiteTable)
	sourcetest.Run(t, sourcetest.Target{New: func(t testing.TB) sourcetest.Service {
		return newService(t, db, db.DSN, Config{Table: "contacts", ID: "id", Updated: "updated", Deleted: "gone", Fields: suiteFields})
	}})
}

func TestSourceWithoutUpdated(t *testing.T) {
	t.Parallel()
	db := server.Database(t, suiteTable)
	sourcetest.Run(t, sourcetest.Target{Unsorted: true, HistoryTime: time.Second, New: func(t testing.TB) sourcetest.Service {
		s := newService(t, db, db.DSN, Config{Table: "contacts", ID: "id", Fields: suiteFields})
		s.Delete, s.Mark, s.PutNull = nil, nil, nil
		return s
	}})
}

// newService empties the table and writes to it as an application does.
func newService(t testing.TB, db *pgtest.Database, dsn string, cfg Config) sourcetest.Service {
	t.Helper()
	db.Exec(t, "TRUNCATE contacts")
	conn := db.Conn(t)
	put := func(conn *pgx.Conn, stamp any, contacts ...contact.Contact) error {
		var batch pgx.Batch
		for _, c := range contacts {
			batch.Queue(upsert, row(c, stamp)...)
		}
		return conn.SendBatch(context.Background(), &batch).Close()
	}
	return sourcetest.Service{
		Open:      func(ctx context.Context) (bridge.Source, error) { return openConfig(ctx, t, cfg, dsn) },
		OpenWrong: func(ctx context.Context) (bridge.Source, error) { return openConfig(ctx, t, cfg, wrongPassword(t, db)) },
		Now:       time.Now,
		Put: func(updated time.Time, contacts ...contact.Contact) error {
			return put(conn, updated, contacts...)
		},
		PutNull: func(contacts ...contact.Contact) error { return put(conn, nil, contacts...) },
		Mark: func(updated time.Time, c contact.Contact, deleted string) error {
			err := put(conn, updated, c)
			if err == nil {
				_, err = conn.Exec(context.Background(), "UPDATE contacts SET gone = $2 WHERE id = $1", c.ID, deleted)
			}
			return err
		},
		Delete: func(updated time.Time, ids ...string) error {
			_, err := conn.Exec(context.Background(), "UPDATE contacts SET gone = now(), updated = $2 WHERE id = ANY($1)", ids, updated)
			return err
		},
		Begin: func() (sourcetest.Tx, error) {
			conn := db.Conn(t)
			tx := suiteTx{conn: conn, put: func(contacts ...contact.Contact) error {
				var now time.Time
				if err := conn.QueryRow(context.Background(), "SELECT now()").Scan(&now); err != nil {
					return err
				}
				return put(conn, now, contacts...)
			}}
			_, err := conn.Exec(context.Background(), "BEGIN")
			return tx, err
		},
		ManyWriters: true,
	}
}

func wrongPassword(t testing.TB, db *pgtest.Database) string {
	return strings.Replace(db.User(t), ":secret@", ":wrong@", 1)
}

func openConfig(ctx context.Context, t testing.TB, cfg Config, dsn string) (bridge.Source, error) {
	var err error
	if cfg.DSN, err = source.ParseTemplate(dsn); err != nil {
		return nil, err
	}
	f, err := New(cfg, source.Deps{})
	if err != nil {
		return nil, err
	}
	s, err := f.Open(ctx, nil)
	if err != nil {
		return nil, err
	}
	return suiteSource{s.(*Source), f}, nil
}

// A suiteSource closes its factory with itself, as a process does.
type suiteSource struct {
	*Source
	factory source.Factory
}

func (s suiteSource) Close() error {
	if err := s.Source.Close(); err != nil {
		return err
	}
	return s.factory.Close()
}

// A suiteTx is a transaction on a connection of its own.
type suiteTx struct {
	conn *pgx.Conn
	put  func(...contact.Contact) error
}

func (tx suiteTx) Put(contacts ...contact.Contact) error { return tx.put(contacts...) }

func (tx suiteTx) Commit() error { return tx.end("COMMIT") }

func (tx suiteTx) Rollback() error { return tx.end("ROLLBACK") }

func (tx suiteTx) end(how string) error {
	defer tx.conn.Close(context.Background())
	_, err := tx.conn.Exec(context.Background(), how)
	return err
}

const upsert = `INSERT INTO contacts VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, NULL)
	ON CONFLICT (id) DO UPDATE SET (name, title, company, email, email2, phones, website, photo, address, twitter, url, plan, updated, gone) =
	ROW(excluded.name, excluded.title, excluded.company, excluded.email, excluded.email2, excluded.phones, excluded.website,
		excluded.photo, excluded.address, excluded.twitter, excluded.url, excluded.plan, excluded.updated, NULL)`

func row(c contact.Contact, stamp any) []any {
	at := func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	}
	plan := ""
	if len(c.CustomFields) > 0 {
		plan = c.CustomFields[0].Value
	}
	return []any{
		c.ID, c.Name, c.Title, c.Company, at(c.Emails, 0), at(c.Emails, 1), c.Phones, at(c.Websites, 0),
		c.PhotoURL, c.Address, c.Twitter, c.URL, plan, stamp,
	}
}
