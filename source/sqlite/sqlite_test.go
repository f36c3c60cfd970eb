package sqlite

import (
	"bytes"
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// A clock is the machine's, as far as a test says.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) AfterFunc(time.Duration, func()) func() bool { return func() bool { return true } }

// A file is a database that a test writes to.
type file struct {
	*sql.DB
	path string
}

func newFile(t testing.TB, statements ...string) file {
	t.Helper()
	f := file{path: filepath.Join(t.TempDir(), "crm's 100% db.sqlite")}
	var err error
	if f.DB, err = sql.Open("sqlite", location{name: f.path}.uri("rwc", "busy_timeout(2000)")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	for _, s := range statements {
		f.exec(t, s)
	}
	return f
}

func (f file) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := f.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// A reader is a source and what a test knows of it.
type reader struct {
	*Source
	log   *bytes.Buffer
	clock *fakeClock
}

// open opens a source as it is configured, without its path. Its clock stands at the end of the year 2026.
func open(t testing.TB, path, config string) reader {
	t.Helper()
	r, err := tryOpen(t, path, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryOpen(t testing.TB, path, config string, auth bridge.Auth) (reader, error) {
	t.Helper()
	var cfg Config
	if err := yaml.Unmarshal([]byte(config), &cfg); err != nil {
		t.Fatal(err)
	}
	var err error
	if cfg.Path, err = source.ParseTemplate(path); err != nil {
		t.Fatal(err)
	}
	r := reader{log: new(bytes.Buffer), clock: &fakeClock{time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC)}}
	f, err := New(cfg, source.Deps{Logger: slog.New(slog.NewTextHandler(r.log, nil)), Clock: r.clock})
	if err != nil {
		return r, err
	}
	s, err := f.Open(t.Context(), auth)
	if err != nil {
		f.Close()
		return r, err
	}
	t.Cleanup(func() {
		s.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	r.Source = s.(*Source)
	return r, nil
}

// run makes a whole run with pages of a size, 0 for a single one, and returns its changes and its checkpoint.
func (r reader) run(t testing.TB, since bridge.Checkpoint, limit int) ([]bridge.Change, bridge.Checkpoint) {
	t.Helper()
	return r.finish(t, r.begin(t, since), limit, nil)
}

func (r reader) begin(t testing.TB, since bridge.Checkpoint) bridge.Run {
	t.Helper()
	run, err := r.Begin(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// finish reads a run that has begun; between is called after every page.
func (r reader) finish(t testing.TB, run bridge.Run, limit int, between func(page int)) ([]bridge.Change, bridge.Checkpoint) {
	t.Helper()
	var all []bridge.Change
	var at bridge.Position
	for page := 1; ; page++ {
		got := r.page(t, run, at, limit)
		all = append(all, got...)
		if len(got) > 0 {
			at = got[len(got)-1].Position
		}
		if limit == 0 || len(got) < limit {
			return all, r.Checkpoint(run, at, true)
		}
		if page > 100_000 {
			t.Fatal("the run does not end")
		}
		if between != nil {
			between(page)
		}
	}
}

func (r reader) page(t testing.TB, run bridge.Run, at bridge.Position, limit int) []bridge.Change {
	t.Helper()
	var got []bridge.Change
	for change, err := range r.Read(t.Context(), run, at, limit) {
		if err != nil {
			t.Fatal(err)
		}
		change.Position = slices.Clone(change.Position)
		change.Contact.Emails = slices.Clone(change.Contact.Emails)
		change.Contact.Phones = slices.Clone(change.Contact.Phones)
		change.Contact.CustomFields = slices.Clone(change.Contact.CustomFields)
		got = append(got, change)
	}
	return got
}

// ids returns the ids of changes in their order, separated by blanks, without the records that were rejected.
func ids(changes []bridge.Change) string {
	var list []string
	for _, c := range changes {
		switch {
		case c.Rejected != "":
		case c.Deleted:
			list = append(list, "-"+c.Contact.ID)
		default:
			list = append(list, c.Contact.ID)
		}
	}
	return strings.Join(list, " ")
}

// expect compares texts.
func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// has reports whether a contact is among changes.
func has(changes []bridge.Change, id int) bool {
	return slices.ContainsFunc(changes, func(c bridge.Change) bool { return c.Contact.ID == strconv.Itoa(id) })
}
