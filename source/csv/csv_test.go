package csv_test

import (
	"context"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	ours "github.com/contactbridge/contactbridge/source/csv"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

const suiteConfig = `
path: '{{auth.tenant}}.csv'
id: id
deleted: gone
fields:
  name: name
  title: title
  company: company
  emails: [email, email2]
  phones: [phone, mobile]
  websites: website
  photo_url: photo
  address: address
  twitter: twitter
  url: url
  custom_fields: {Plan: plan}
`

func TestSource(t *testing.T) {
	t.Run("updated", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Target{New: service(suiteConfig + "updated: updated\n"), Restarts: true, HistoryTime: time.Second})
	})
	t.Run("whole file", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Target{New: service(suiteConfig), Restarts: true, Unsorted: true, HistoryTime: time.Second})
	})
}

// export is a CRM whose contacts are exported to a file after every change.
type export struct {
	path string
	mu   sync.Mutex
	rows map[string][]string
}

func service(config string) func(testing.TB) sourcetest.Service {
	return func(t testing.TB) sourcetest.Service {
		folder, err := os.MkdirTemp("", "csv")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(folder) })
		x := &export{path: filepath.Join(folder, "acme.csv"), rows: map[string][]string{}}
		if err := x.write(); err != nil {
			t.Fatal(err)
		}
		open := opener(t, config, folder)
		return sourcetest.Service{
			Open: open("acme"), OpenWrong: open("other"), Now: time.Now, Put: x.put,
			PutNull: func(contacts ...contact.Contact) error { return x.put(time.Time{}, contacts...) },
			Mark:    x.mark,
			Delete:  x.delete,
		}
	}
}

// opener opens a source of a folder's files for a tenant.
func opener(t testing.TB, config, folder string) func(tenant string) func(context.Context) (bridge.Source, error) {
	return func(tenant string) func(context.Context) (bridge.Source, error) {
		return func(ctx context.Context) (bridge.Source, error) {
			factory := newFactory(t, config, source.Deps{Folder: folder})
			src, err := factory.Open(ctx, bridge.Auth{"tenant": tenant})
			if err != nil {
				return nil, errors.Join(err, factory.Close())
			}
			return owned{src.(inspected), factory}, nil
		}
	}
}

// inspected is everything that a source of this kind can do.
type inspected interface {
	bridge.Source
	bridge.Describer
	bridge.Prober
	source.Counter
}

// owned closes the factory with the source.
type owned struct {
	inspected
	factory source.Factory
}

func (o owned) Close() error { return errors.Join(o.inspected.Close(), o.factory.Close()) }

func newFactory(t testing.TB, config string, deps source.Deps) source.Factory {
	t.Helper()
	factory, err := tryFactory(config, deps)
	if err != nil {
		t.Fatal(err)
	}
	return factory
}

func tryFactory(config string, deps source.Deps) (source.Factory, error) {
	var cfg ours.Config
	if err := yaml.Load([]byte(config), &cfg, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	return ours.New(cfg, deps)
}

func (x *export) put(updated time.Time, contacts ...contact.Contact) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range contacts {
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
		x.rows[c.ID] = []string{
			c.ID, c.Name, c.Title, c.Company, at(c.Emails, 0), at(c.Emails, 1), at(c.Phones, 0), at(c.Phones, 1),
			at(c.Websites, 0), c.PhotoURL, c.Address, c.Twitter, c.URL, plan, stamp(updated), "",
		}
	}
	return x.write()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (x *export) mark(updated time.Time, c contact.Contact, deleted string) error {
	if err := x.put(updated, c); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rows[c.ID][15] = deleted
	return x.write()
}

func (x *export) delete(updated time.Time, ids ...string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		if row, ok := x.rows[id]; ok {
			row = slices.Clone(row)
			row[14], row[15] = stamp(updated), "true"
			x.rows[id] = row
		}
	}
	return x.write()
}

// write replaces the file as an export should: whole, by renaming.
func (x *export) write() error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	header := []string{
		"id", "name", "title", "company", "email", "email2", "phone", "mobile", "website", "photo", "address", "twitter",
		"url", "plan", "updated", "gone",
	}
	if err := w.Write(header); err != nil {
		return err
	}
	for _, row := range x.rows { // in any order
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	next := x.path + ".next"
	if err := os.WriteFile(next, []byte(b.String()), fs.FileMode(0o600)); err != nil {
		return err
	}
	return os.Rename(next, x.path)
}
