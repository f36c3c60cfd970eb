package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

const suiteTable = `CREATE TABLE contacts (id TEXT PRIMARY KEY, name TEXT, title TEXT, company TEXT, email TEXT, email2 TEXT,
	phones TEXT, website TEXT, photo TEXT, address TEXT, twitter TEXT, url TEXT, plan TEXT, updated, gone);
	CREATE INDEX contacts_updated ON contacts (updated, id);`

func suiteConfig(more Config) Config {
	more.Table, more.ID, more.Deleted = "contacts", "id", "gone"
	more.Fields = record.Fields{
		Name: "name", Title: "title", Company: "company", Emails: record.Expressions{"email", "email2"}, Phones: record.Expressions{"phones"},
		Websites: record.Expressions{"website"}, PhotoURL: "photo", Address: "address", Twitter: "twitter", URL: "url",
		CustomFields: record.CustomFields{{Key: "Plan", Expression: "plan"}},
	}
	return more
}

// stampings are ways to write stamps.
var stampings = map[string]func(time.Time) any{
	"sql":         func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05") },
	"fraction":    func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.000") },
	"iso":         func(t time.Time) any { return t.UTC().Format(time.RFC3339Nano) },
	"offset":      func(t time.Time) any { return t.In(time.FixedZone("", 7200)).Format(time.RFC3339) },
	"go":          func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.999999999 -0700 MST") },
	"seconds":     func(t time.Time) any { return t.Unix() },
	"millis":      func(t time.Time) any { return t.UnixMilli() },
	"micros":      func(t time.Time) any { return t.UnixMicro() },
	"julian":      func(t time.Time) any { return 2440587.5 + float64(t.UnixMicro())/86400e6 },
	"real":        func(t time.Time) any { return float64(t.UnixMicro()) / 1e6 },
	"date":        func(t time.Time) any { return t.UTC().Format("2006-01-02") },
	"to a minute": func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04") },
}

func TestSource(t *testing.T) {
	for _, name := range []string{"iso"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sourcetest.Run(t, sourcetest.Target{HistoryTime: time.Second, New: func(t testing.TB) sourcetest.Service {
				return newService(t, suiteConfig(Config{Updated: "updated"}), stampings[name])
			}})
		})
	}
}

func TestSourceWithProbeLock(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Target{HistoryTime: time.Second, New: func(t testing.TB) sourcetest.Service {
		return newService(t, suiteConfig(Config{Updated: "updated", ProbeLock: true}), stampings["micros"])
	}})
}

func TestSourceWithoutUpdated(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Target{Unsorted: true, HistoryTime: time.Second, New: func(t testing.TB) sourcetest.Service {
		cfg := suiteConfig(Config{})
		cfg.Deleted = ""
		s := newService(t, cfg, stampings["sql"])
		s.Delete, s.Mark, s.PutNull = nil, nil, nil
		return s
	}})
}

// newService makes a file and writes to it as an application does.
func newService(t testing.TB, cfg Config, stamp func(time.Time) any) sourcetest.Service {
	t.Helper()
	db := newFile(t, "PRAGMA journal_mode = WAL", suiteTable)
	put := func(on executor, stamp any, contacts ...contact.Contact) error {
		for _, c := range contacts {
			if _, err := on.ExecContext(context.Background(), upsert, row(c, stamp)...); err != nil {
				return err
			}
		}
		return nil
	}
	return sourcetest.Service{
		Open: func(ctx context.Context) (bridge.Source, error) { return openConfig(ctx, cfg, db.path) },
		Now:  time.Now,
		Put: func(updated time.Time, contacts ...contact.Contact) error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if err := put(tx, stamp(updated), contacts...); err != nil {
				return err
			}
			return tx.Commit()
		},
		PutNull: func(contacts ...contact.Contact) error { return put(db, nil, contacts...) },
		Mark: func(updated time.Time, c contact.Contact, deleted string) error {
			err := put(db, stamp(updated), c)
			if err == nil {
				_, err = db.Exec("UPDATE contacts SET gone = ? WHERE id = ?", deleted, c.ID)
			}
			return err
		},
		Delete: func(updated time.Time, ids ...string) error {
			list, err := json.Marshal(ids)
			if err == nil {
				_, err = db.Exec("UPDATE contacts SET gone = 1, updated = ? WHERE id IN (SELECT value FROM json_each(?))", stamp(updated), string(list))
			}
			return err
		},
		Begin: func() (sourcetest.Tx, error) {
			now := stamp(time.Now())
			tx, err := db.Begin()
			return suiteTx{tx, func(contacts ...contact.Contact) error { return put(tx, now, contacts...) }}, err
		},
	}
}

type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

type suiteTx struct {
	*sql.Tx
	put func(...contact.Contact) error
}

func (tx suiteTx) Put(contacts ...contact.Contact) error { return tx.put(contacts...) }

func openConfig(ctx context.Context, cfg Config, path string) (bridge.Source, error) {
	var err error
	if cfg.Path, err = source.ParseTemplate(path); err != nil {
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

const upsert = `INSERT OR REPLACE INTO contacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)`

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
	phones := []byte("[]")
	if len(c.Phones) > 0 {
		phones, _ = json.Marshal(c.Phones) // texts can always be written
	}
	return []any{
		c.ID, c.Name, c.Title, c.Company, at(c.Emails, 0), at(c.Emails, 1), string(phones), at(c.Websites, 0),
		c.PhotoURL, c.Address, c.Twitter, c.URL, plan, stamp,
	}
}
