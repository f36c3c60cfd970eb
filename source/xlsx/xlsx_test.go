package xlsx_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/xlsx"
)

const suiteConfig = `
path: '{{auth.tenant}}.xlsx'
sheet: Contacts
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

var header = []string{
	"id", "name", "title", "company", "email", "email2", "phone", "mobile", "website", "photo", "address", "twitter", "url", "plan", "updated", "gone",
}

// Columns that are changed on their own.
const (
	updatedColumn = 14
	goneColumn    = 15
)

// export is a CRM whose contacts are exported to a workbook after every change.
type export struct {
	path string
	mu   sync.Mutex
	rows map[string][]string
}

func service(config string) func(testing.TB) sourcetest.Service {
	return func(t testing.TB) sourcetest.Service {
		folder := t.TempDir()
		x := &export{path: filepath.Join(folder, "acme.xlsx"), rows: map[string][]string{}}
		if err := x.write(); err != nil {
			t.Fatal(err)
		}
		open := opener(config, folder)
		return sourcetest.Service{
			Open: open("acme"), OpenWrong: open("other"), Now: time.Now, Put: x.put,
			PutNull: func(contacts ...contact.Contact) error { return x.put(time.Time{}, contacts...) },
			Mark: func(updated time.Time, c contact.Contact, deleted string) error {
				return errors.Join(x.put(updated, c), x.set(goneColumn, deleted, c.ID))
			},
			Delete: func(updated time.Time, ids ...string) error {
				return errors.Join(x.set(updatedColumn, stamp(updated), ids...), x.set(goneColumn, "TRUE", ids...))
			},
		}
	}
}

// opener opens a source of a folder's workbooks for a tenant.
func opener(config, folder string) func(tenant string) func(context.Context) (bridge.Source, error) {
	return func(tenant string) func(context.Context) (bridge.Source, error) {
		return func(ctx context.Context) (bridge.Source, error) {
			var cfg xlsx.Config
			if err := yaml.Load([]byte(config), &cfg, yaml.WithKnownFields()); err != nil {
				return nil, err
			}
			factory, err := xlsx.New(cfg, source.Deps{Folder: folder})
			if err != nil {
				return nil, err
			}
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
	source.Inspector
}

// owned closes the factory with the source.
type owned struct {
	inspected
	factory source.Factory
}

func (o owned) Close() error { return errors.Join(o.inspected.Close(), o.factory.Close()) }

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

// set writes a value into a column of contacts that there are.
func (x *export) set(column int, value string, ids ...string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		if row, ok := x.rows[id]; ok {
			row = slices.Clone(row)
			row[column] = value
			x.rows[id] = row
		}
	}
	return x.write()
}

// write replaces the workbook as an export should: whole, by renaming.
func (x *export) write() error {
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", "Contacts"); err != nil {
		return err
	}
	w, err := f.NewStreamWriter("Contacts")
	if err != nil {
		return err
	}
	n := 1
	add := func(row []string) {
		cells := make([]any, len(row))
		for i, cell := range row {
			if cell != "" {
				cells[i] = cell
			}
		}
		at, name := excelize.CoordinatesToCellName(1, n)
		err = errors.Join(err, name, w.SetRow(at, cells))
		n++
	}
	add(header)
	for _, row := range x.rows { // in any order
		add(row)
	}
	next := x.path + ".next"
	file, created := os.Create(next)
	if err := errors.Join(err, created, w.Flush()); err != nil {
		return err
	}
	_, err = f.WriteTo(file)
	return errors.Join(err, file.Close(), os.Rename(next, x.path))
}
