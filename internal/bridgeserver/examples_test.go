package bridgeserver_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/test/davtest"
	"github.com/contactbridge/contactbridge/internal/test/ldaptest"
	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
)

const examples = "../../examples"

// makeDatabase makes what bridge-sqlite.yaml reads.
func makeDatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crm.db")
	script, err := os.ReadFile(filepath.Join(examples, "crm.sql"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(script)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMySQLExampleIsServed(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(examples, "crm-mysql.sql"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := mysqltest.Start(t.Context())
	if errors.Is(err, mysqltest.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	db, err := server.Open("root", "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE crm; USE crm; " + string(script)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CRM_MYSQL", server.DSN("root", "", "crm"))
	t.Setenv("CRM_BRIDGE_PASSWORD", "")
	serveExample(t, "bridge-mysql.yaml", "crm", "+12125550187", 4) // one of them deleted, and so blank
}

func TestCardDAVExampleIsServed(t *testing.T) {
	server, err := davtest.Radicale(t.Context())
	if errors.Is(err, davtest.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	book := server.Book(t)
	for i, number := range []string{"020 7946 0018", "020 7946 0019", "+44 20 7946 0020"} {
		server.Put(t, fmt.Sprintf("%s%d.vcf", book, i), fmt.Sprintf("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%d\r\nFN:Ada %[1]d\r\nN:%[1]d;Ada;;;\r\nTEL:%s\r\nEND:VCARD\r\n", i, number))
	}
	t.Setenv("DAV_URL", server.URL)
	t.Setenv("DAV_PW", davtest.Password)
	t.Setenv("BOOKS_BRIDGE_PASSWORD", "")
	serveExample(t, "bridge-carddav.yaml", "books", "+442079460018", 3)
}

func TestLDAPExampleIsServed(t *testing.T) {
	people, err := os.ReadFile(filepath.Join(examples, "people.ldif"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := ldaptest.StartOpenLDAP(t.Context(), ldaptest.OpenLDAP{People: string(people)})
	if errors.Is(err, ldaptest.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	t.Setenv("CRM_LDAP", server.URL)
	t.Setenv("CRM_BRIDGE_PASSWORD", "")
	t.Setenv("READER_PASSWORD", "")
	serveExample(t, "bridge-ldap.yaml", "people", "", 3)
}

func TestExamplesAreServed(t *testing.T) {
	t.Setenv("CRM_DATABASE", makeDatabase(t))
	t.Setenv("CRM_BRIDGE_PASSWORD", "")
	for file, want := range map[string]struct {
		endpoint, firstPhone string
		contacts             int
	}{
		"bridge-memory.yaml":  {"team", "+14155552671", 3},
		"bridge-csv.yaml":     {"customers", "+442079460018", 5},
		"bridge-vcard.yaml":   {"cards", "+442079460018", 3},
		"bridge-jsonl.yaml":   {"people", "+12125550101", 3},
		"bridge-json.yaml":    {"members", "+442079460017", 2},
		"bridge-xlsx.yaml":    {"customers", "+442079460018", 3},
		"bridge-sqlite.yaml":  {"crm", "+12125550187", 4}, // one of them deleted, and so blank
		"bridge-sources.yaml": {"everybody", "+12125550187", 9},
	} {
		t.Run(file, func(t *testing.T) {
			serveExample(t, file, want.endpoint, want.firstPhone, want.contacts)
		})
	}
}

// serveExample serves an example, and looks at the page that its endpoint answers with. firstPhone is empty where the order of the
// contacts is the server's.
func serveExample(t *testing.T, file, endpoint, firstPhone string, contacts int) {
	t.Helper()
	cfg, err := config.Load(filepath.Join(examples, file))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen = "127.0.0.1:0"
	r := serve(t, cfg, nil)
	if a := r.do(t, "GET", "/readyz", ""); a.status != 200 {
		t.Errorf("readyz: %s", a.body)
	}
	a := r.do(t, "POST", "/"+endpoint+"/contact_sync", credentials("agent", "try-me"))
	if a.status != 200 || len(a.page.Contacts) != contacts || firstPhone != "" && a.page.Contacts[0].Phones[0] != firstPhone {
		t.Errorf("%d %s", a.status, a.body)
	}
}
