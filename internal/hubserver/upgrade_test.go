package hubserver_test

import (
	"compress/gzip"
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/upgrade"
)

// old is a folder with the data of a hub that commit 5768d75 made: an account acme with the integration crm, whose newest run brought
// three contacts, and the token pbx.
const old = "testdata/5768d75/"

// unzip writes a compressed file of old to a folder.
func unzip(t *testing.T, name, to string) []byte {
	t.Helper()
	file, err := os.Open(old + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if to != "" {
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// oldHub returns the configuration of a hub with the old data.
func oldHub(t *testing.T, store string) *hubconfig.Config {
	t.Helper()
	cfg := hubconfig.Default()
	cfg.Data = t.TempDir()
	key, err := os.ReadFile(old + store + ".key")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Data, hubserver.KeyFile), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if store == "postgres" {
		database := server.Database(t)
		database.Exec(t, string(unzip(t, "postgres.sql.gz", "")))
		cfg.Database = database.DSN
		return cfg
	}
	unzip(t, "directory.db.gz", filepath.Join(cfg.Data, hubserver.DirectoryFile))
	unzip(t, "hub.db.gz", filepath.Join(cfg.Data, hubserver.RegistryFile))
	return cfg
}

// Data of an old release opens with this one, and everything is still in it; what is done to it is said before.
func TestOldDataOpens(t *testing.T) {
	for store, token := range map[string]string{"sqlite": "cb_NB9IWEUpLT-ZQebkb7gsIVhy-L3rPi7d", "postgres": "cb_XUw4JPoaCRuwzKz1CgD0TYRN1HcYrhzA"} {
		t.Run(store, func(t *testing.T) {
			cfg := oldHub(t, store)
			plans, err := hubserver.Plans(t.Context(), cfg)
			if err != nil || len(plans) != 2 {
				t.Fatalf("%v, %v", plans, err)
			}
			for _, p := range plans {
				if len(p.Steps) == 0 || p.From >= p.To {
					t.Errorf("the plan is %+v", p)
				}
				for _, step := range p.Steps {
					if step == "" {
						t.Errorf("a step of the %s has no description: %q", p.Part, p.Steps)
					}
				}
			}
			var said []string
			d, err := hubserver.Open(t.Context(), cfg, hubserver.ServerOptions{Upgrading: func(p *upgrade.Plan) { said = append(said, p.String()) }})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if text := strings.Join(said, "\n"); !strings.Contains(text, "the directory is brought from schema") || !strings.Contains(text, "deletions that wait for a decision") {
				t.Errorf("it says %q", text)
			}
			ctx := hub.WithActor(t.Context(), hub.Actor{Name: "test", All: true, Scopes: hubserver.Everything()})
			keptWhole(ctx, t, d, token)
			if plans, err := hubserver.Plans(t.Context(), cfg); err != nil || len(plans) != 0 {
				t.Errorf("after it: %v, %v", plans, err)
			}
		})
	}
}

// keptWhole looks whether everything is still there.
func keptWhole(ctx context.Context, t *testing.T, d *hubserver.Databases, token string) {
	t.Helper()
	key := directory.Key{Account: "acme", Integration: "crm"}
	v, err := d.Hub.Integration(ctx, key)
	if err != nil || v.State.Contacts != 3 || v.Status.Health != "ok" || v.Bridge != "http://127.0.0.1:18080/crm/contact_sync" {
		t.Errorf("%+v, %v", v, err)
	}
	auth, err := d.Hub.Registry.Auth(ctx, key)
	if err != nil || auth["username"] != "agent" || auth["password"] != "s3cr3t-P4ssw0rd" {
		t.Errorf("the credentials: %d values, %v", len(auth), err)
	}
	runs, err := d.Hub.Runs(ctx, key, 0, 10)
	if err != nil || len(runs) == 0 || runs[0].State != directory.Done {
		t.Errorf("the runs are %+v, %v", runs, err)
	}
	for number, want := range map[string]string{"+14155552671": "Jane Doe", "+351912345678": "João", "+4935149600": "Zoë Ångström"} {
		answer, err := d.Hub.Lookup(ctx, "acme", number, "", caller.LookupOptions{})
		if err != nil || len(answer.Matches) != 1 || answer.Matches[0].Name != want {
			t.Errorf("%s: %+v, %v", number, answer, err)
		}
	}
	if actor, err := d.Hub.Authenticate(ctx, token); err != nil || !slices.Contains(actor.Accounts, "acme") {
		t.Errorf("the token: %+v, %v", actor, err)
	}
}

// An older release does not touch the data of a newer one, and says how to go back.
func TestADowngradeIsRefused(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			cfg := oldHub(t, store)
			d, err := hubserver.Open(t.Context(), cfg, hubserver.ServerOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			newer(t, cfg)
			for name, open := range map[string]func() error{
				"Open":  func() error { _, err := hubserver.Open(t.Context(), cfg, hubserver.ServerOptions{}); return err },
				"Plans": func() error { _, err := hubserver.Plans(t.Context(), cfg); return err },
			} {
				if e := failure.Of(open()); !strings.Contains(e.Message, "a newer contactbridge made the") || !strings.Contains(e.Hint, "backup") {
					t.Errorf("%s: %+v", name, e)
				}
			}
		})
	}
}

// newer makes a directory look as if a newer release had made it.
func newer(t *testing.T, cfg *hubconfig.Config) {
	t.Helper()
	driver, at, table := "sqlite", filepath.Join(cfg.Data, hubserver.DirectoryFile), "goose_db_version"
	if cfg.Database != "" {
		driver, at, table = "pgx", cfg.Database, "contactbridge.directory_migrations"
	}
	db, err := sql.Open(driver, at)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO "+table+" (version_id, is_applied) VALUES (99, true)"); err != nil {
		t.Fatal(err)
	}
}
