package registry_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestManyProcessesMayMakeIt(t *testing.T) {
	for name, at := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "hub.db") },
		"postgres": func(t *testing.T) string { return server.Database(t).DSN },
	} {
		t.Run(name, func(t *testing.T) {
			path := at(t)
			var wait sync.WaitGroup
			for range 4 {
				wait.Go(func() {
					db, err := registry.Open(context.Background(), path, registry.OpenOptions{})
					if err == nil {
						err = errors.Join(db.Ping(context.Background()), db.Close())
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
		})
	}
}

func TestANewerReleasesRegistryIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		table := "registry_migrations"
		if registry.IsPostgres(w.at) {
			table = "contactbridge." + table
		}
		ok(t, w.exec(t, "INSERT INTO "+table+" (version_id, is_applied) VALUES (99, TRUE)"))
		refused(t, w.at, "newer contactbridge", "Update")
	})
}

// refused wants a registry that cannot be opened, and is told what to do.
func refused(t *testing.T, at, message, hint string) {
	t.Helper()
	db, err := registry.Open(t.Context(), at, registry.OpenOptions{})
	if err == nil {
		db.Close()
		t.Fatalf("%s was opened", at)
	}
	if e := failure.Of(err); !strings.Contains(err.Error(), message) || !strings.Contains(e.Hint, hint) {
		t.Errorf("%v (%+v)", err, e)
	}
	if strings.Contains(err.Error(), "pa55") {
		t.Errorf("the error holds the password: %v", err)
	}
}

func TestWhatIsNoRegistryIsRefused(t *testing.T) {
	folder := t.TempDir()
	refused(t, folder, "it is a folder", "hub.db")
	text := filepath.Join(folder, "text.db")
	ok(t, os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600))
	refused(t, text, "not an SQLite file", "another file")
	foreign := filepath.Join(folder, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	ok(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE TABLE theirs (id int)")
	ok(t, errors.Join(err, db.Close()))
	before, err := os.ReadFile(foreign)
	ok(t, err)
	refused(t, foreign, "another program's", "nothing was changed")
	if after, err := os.ReadFile(foreign); err != nil || string(after) != string(before) {
		t.Errorf("it was changed (%v)", err)
	}
	refused(t, "postgres://user:pa55:w/ord@host:port/x", "cannot be read", "%40")
	refused(t, "postgres://user:pa55@127.0.0.1:1/x?connect_timeout=2", "cannot be reached", "running")
}

func TestPostgresProblemsAreExplained(t *testing.T) {
	d := server.Database(t)
	reader := d.User(t)
	refused(t, strings.Replace(reader, "secret", "pa55", 1), "refused the credentials", "password")
	refused(t, strings.Replace(reader, d.Name, "nowhere", 1), "does not exist", "createdb")
	refused(t, reader, "lacks a privilege", "CREATE SCHEMA")
}

func TestOnlyItsOwnerReadsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	w := newWorld(t, path)
	w.withCRM(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	ok(t, w.Backup(t.Context(), copied))
	for _, file := range []string{path, path + "-wal", copied} {
		info, err := os.Stat(file)
		ok(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", filepath.Base(file), info.Mode())
		}
	}
}

func TestABackupIsARegistry(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "hub.db"))
	w.withCRM(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	ok(t, w.Backup(t.Context(), copied))
	ok(t, w.DeleteAccount(t.Context(), "acme"))
	restored := &world{at: copied}
	db := restored.again(t, registry.OpenOptions{Seal: w.ring, Clock: w.clock.now})
	if auth := got(db.Auth(t.Context(), crm))(t); auth["password"] != "s3cret" {
		t.Errorf("%v", auth)
	}
	before, err := os.ReadFile(copied)
	ok(t, err)
	is(t, w.Backup(t.Context(), copied), fs.ErrExist)
	if after, err := os.ReadFile(copied); err != nil || len(after) != len(before) {
		t.Errorf("the copy was overwritten (%v)", err)
	}
}

func TestPostgresIsNotBackedUpIntoAFile(t *testing.T) {
	w := newWorld(t, server.Database(t).DSN)
	if err := w.Backup(t.Context(), filepath.Join(t.TempDir(), "copy.db")); !strings.Contains(failure.Of(err).Hint, "pg_dump") {
		t.Errorf("%v", err)
	}
}
