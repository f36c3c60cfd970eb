package vcard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// open opens files with a configuration.
func open(t *testing.T, cfg file.Config, folder, path string) *file.Source {
	t.Helper()
	template, err := source.ParseTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Path = template
	factory, err := New(Config{Config: cfg}, source.Deps{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(src.Close(), factory.Close()); err != nil {
			t.Error(err)
		}
	})
	return src.(*file.Source)
}

// read returns the contacts, and what is said of records that cannot be read.
func read(t *testing.T, src bridge.Source) (contacts []contact.Contact, rejected []string) {
	t.Helper()
	run, err := src.Begin(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range src.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Rejected != "" {
			rejected = append(rejected, strings.Clone(c.Rejected))
			continue
		}
		contacts = append(contacts, c.Contact.Clone())
	}
	return contacts, rejected
}

// shown is a contact in one line.
func shown(c contact.Contact) string {
	return strings.Join([]string{
		c.Name, c.Title, c.Company, strings.Join(c.Emails, "+"), strings.Join(c.Phones, "+"), strings.Join(c.Websites, "+"), c.PhotoURL, c.Address, c.Twitter,
	}, "|")
}

// Cards as programs write them, with neither fields nor id.
func TestCardsAsProgramsWriteThem(t *testing.T) {
	for name, want := range map[string]struct{ id, shown string }{
		"ios":         {"ios-1", `Dr. Ada Example|Buyer|Example, Inc.|ada@example.com|["+447700900001","07700 900002"]|https://ada.example.com||1 Low St, LS1 1AA Leeds, United Kingdom|ada`},
		"google":      {"auto-", `Bob Sample||Sample LLC|["bob@work.example","bob@example.com"]|["+1 415-555-0101","+1 415-555-0102"]|||1 Main St, Suite 5, 62701 Springfield, IL, USA|`},
		"outlook":     {"auto-", `Jörg Müller|Geschäftsführer|Müller GmbH|joerg@example.com|["+49 (30) 555-0134","0151 5550135"]|||Hauptstraße 1, Hinterhaus, 10115 Berlin, Deutschland|`},
		"nokia":       {"auto-", `Žaneta Příkladová||||["07700 900003","07700 900001"]||||`},
		"android":     {"auto-", `Иван Иванов||||["+79005550101","+79005550102"]||||`},
		"samsung":     {"auto-", `Mum||||+447700900004||||`},
		"nextcloud":   {"4f6d9a1e-0001", `Claire Exemple||Exemple SARL|claire@example.fr|["+33199005678;ext=102","+33199001234"]|https://example.fr|https://img.example.fr/claire.jpg|1, rue Basse, 69001 Lyon, France|`},
		"thunderbird": {"auto-", `Dan Beispiel||Beispiel AG|dan@example.ch|["+41 44 555 01 01","+41 79 555 01 02"]|http://example.ch||Bahnhofstraße 2, 8001 Zürich, Schweiz|`},
		"blackberry":  {"auto-", `Eva Ünal||||+90 212 555 0101||||`},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, file.Config{}, "testdata", name+".vcf")
			contacts, rejected := read(t, src)
			if len(contacts) != 1 || len(rejected) > 0 {
				t.Fatalf("%d contacts, rejected %q", len(contacts), rejected)
			}
			if c := contacts[0]; !strings.HasPrefix(c.ID, want.id) || shown(c) != want.shown {
				t.Errorf("%s %s\nwant %s %s", c.ID, shown(c), want.id, want.shown)
			}
			found, err := src.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range found.Problems {
				if p.Severity != source.Note {
					t.Errorf("a problem with good cards: %+v", p)
				}
			}
		})
	}
}

func TestAFolderOfCardsIsOneTable(t *testing.T) {
	src := open(t, file.Config{}, "testdata", ".")
	contacts, rejected := read(t, src)
	if len(contacts) != 9 || len(rejected) > 0 {
		t.Errorf("%d contacts, rejected %q", len(contacts), rejected)
	}
	found, err := src.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, p := range found.Problems {
		if p.Code == "groups_left_out" {
			said++
		}
	}
	if said == 0 {
		t.Errorf("groups are left out and nothing says so: %+v", found.Problems)
	}
}

// Properties that the configuration names are columns, REV is the time of the last change.
func TestOtherPropertiesAndUpdated(t *testing.T) {
	folder := t.TempDir()
	content, err := os.ReadFile("testdata/nextcloud.vcf")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "a.vcf")
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chtimes(path, old, old)); err != nil {
		t.Fatal(err)
	}
	cfg := file.Config{ID: "uid", Updated: "rev"}
	cfg.Fields.Name, cfg.Fields.Phones = `fn + " " + department`, []string{"`x-customer-no`"}
	contacts, rejected := read(t, open(t, cfg, folder, "a.vcf"))
	if len(contacts) != 1 || len(rejected) > 0 || contacts[0].Name != "Claire Exemple Ventes" || strings.Join(contacts[0].Phones, "") != "C-17" {
		t.Errorf("%+v, rejected %q", contacts, rejected)
	}
}
