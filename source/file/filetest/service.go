package filetest

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// An Exported is a contact in an export.
type Exported struct {
	contact.Contact
	Updated string // RFC 3339, or empty
	Deleted string // what the column of deletions says
}

// Service returns the service of [sourcetest.Run] for a kind of files: a CRM whose contacts are exported to a file after every change.
// ending is the file's, as in the configuration {{auth.tenant}}.ending; encode makes its content; open makes the kind's factory.
func Service(ending string, encode func([]Exported) []byte, open func(source.Deps) (source.Factory, error)) func(testing.TB) sourcetest.Service {
	return func(t testing.TB) sourcetest.Service {
		folder, err := os.MkdirTemp("", "export")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(folder) })
		x := &export{path: filepath.Join(folder, "acme."+ending), encode: encode, contacts: map[string]Exported{}}
		if err := x.write(); err != nil {
			t.Fatal(err)
		}
		as := func(tenant string) func(context.Context) (bridge.Source, error) {
			return func(ctx context.Context) (bridge.Source, error) {
				factory, err := open(source.Deps{Folder: folder})
				if err != nil {
					return nil, err
				}
				src, err := factory.Open(ctx, bridge.Auth{"tenant": tenant})
				if err != nil {
					return nil, errors.Join(err, factory.Close())
				}
				return owned{src.(*file.Source), factory}, nil
			}
		}
		return sourcetest.Service{
			Open: as("acme"), OpenWrong: as("other"), Now: time.Now, Put: x.put,
			PutNull: func(contacts ...contact.Contact) error { return x.put(time.Time{}, contacts...) },
			Mark:    x.mark,
			Delete:  x.delete,
		}
	}
}

// owned closes the factory with the source.
type owned struct {
	*file.Source
	factory source.Factory
}

func (o owned) Close() error { return errors.Join(o.Source.Close(), o.factory.Close()) }

type export struct {
	path     string
	encode   func([]Exported) []byte
	mu       sync.Mutex
	contacts map[string]Exported
}

func (x *export) put(updated time.Time, contacts ...contact.Contact) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range contacts {
		x.contacts[c.ID] = Exported{Contact: c, Updated: stamp(updated)}
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
	x.mu.Lock()
	defer x.mu.Unlock()
	x.contacts[c.ID] = Exported{Contact: c, Updated: stamp(updated), Deleted: deleted}
	return x.write()
}

func (x *export) delete(updated time.Time, ids ...string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		if c, ok := x.contacts[id]; ok {
			c.Updated, c.Deleted = stamp(updated), "true"
			x.contacts[id] = c
		}
	}
	return x.write()
}

// write replaces the file as an export should: whole, by renaming. The records are in any order.
func (x *export) write() error {
	next := x.path + ".next"
	if err := os.WriteFile(next, x.encode(slices.Collect(maps.Values(x.contacts))), 0o600); err != nil {
		return err
	}
	return os.Rename(next, x.path)
}

// Object returns a contact as a JSON object, with what is empty left out.
func Object(c Exported) map[string]any {
	o := map[string]any{"id": c.ID, "name": map[string]any{"full": c.Name}, "emails": c.Emails, "phones": c.Phones, "websites": c.Websites}
	for key, value := range map[string]string{
		"title": c.Title, "company": c.Company, "photo": c.PhotoURL, "address": c.Address, "twitter": c.Twitter, "url": c.URL,
		"updated": c.Updated, "gone": c.Deleted,
	} {
		if value != "" {
			o[key] = value
		}
	}
	if len(c.CustomFields) > 0 {
		o["plan"] = c.CustomFields[0].Value
	}
	return o
}
