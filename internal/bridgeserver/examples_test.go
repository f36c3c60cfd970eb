package bridgeserver_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/internal/config"
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

func TestExamplesAreServed(t *testing.T) {
	t.Setenv("CRM_DATABASE", makeDatabase(t))
	t.Setenv("CRM_BRIDGE_PASSWORD", "")
	for file, want := range map[string]struct {
		endpoint, firstPhone string
		contacts             int
	}{
		"bridge-memory.yaml":  {"team", "+14155552671", 3},
		"bridge-csv.yaml":     {"customers", "+442079460018", 5},
		"bridge-xlsx.yaml":    {"customers", "+442079460018", 3},
		"bridge-sqlite.yaml":  {"crm", "+12125550187", 4}, // one of them deleted, and so blank
		"bridge-sources.yaml": {"everybody", "+12125550187", 9},
	} {
		t.Run(file, func(t *testing.T) {
			cfg, err := config.Load(filepath.Join(examples, file))
			if err != nil {
				t.Fatal(err)
			}
			cfg.Listen = "127.0.0.1:0"
			r := serve(t, cfg, nil)
			if a := r.do(t, "GET", "/readyz", ""); a.status != 200 {
				t.Errorf("readyz: %s", a.body)
			}
			a := r.do(t, "POST", "/"+want.endpoint+"/contact_sync", credentials("agent", "try-me"))
			if a.status != 200 || len(a.page.Contacts) != want.contacts || a.page.Contacts[0].Phones[0] != want.firstPhone {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}
