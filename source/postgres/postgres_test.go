package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source"
)

var server = pgtest.Suite{Private: true}

func TestMain(m *testing.M) {
	status := server.Main(m)
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// A reader is a source and what a synchronizer knows of it.
type reader struct {
	*Source
	log *bytes.Buffer
}

// open opens a source as it is configured, without its dsn.
func open(t testing.TB, dsn, config string) reader {
	t.Helper()
	s, log, err := tryOpen(t, dsn, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reader{s, log}
}

func tryOpen(t testing.TB, dsn, config string, auth bridge.Auth) (*Source, *bytes.Buffer, error) {
	t.Helper()
	var cfg Config
	if err := yaml.Unmarshal([]byte(config), &cfg); err != nil {
		t.Fatal(err)
	}
	var err error
	if cfg.DSN, err = source.ParseTemplate(dsn); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	f, err := New(cfg, source.Deps{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		return nil, nil, err
	}
	f.(*factory).patience = 20 * time.Millisecond
	s, err := f.Open(t.Context(), auth)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	t.Cleanup(func() {
		s.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.(*Source), &log, nil
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
		got = append(got, clone(change))
	}
	return got
}

func clone(c bridge.Change) bridge.Change {
	return bridge.Change{Contact: c.Contact.Clone(), Deleted: c.Deleted, Rejected: c.Rejected, Position: slices.Clone(c.Position)}
}

// ids returns the ids of changes in their order, separated by blanks.
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

// once is ids without those that came before: an initial run may show a row again (E12).
func once(changes []bridge.Change) string {
	seen := map[string]bool{}
	return ids(slices.DeleteFunc(slices.Clone(changes), func(c bridge.Change) bool {
		again := seen[c.Contact.ID]
		seen[c.Contact.ID] = true
		return again
	}))
}

// expect compares texts.
func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// fact returns the value of a fact.
func fact(i source.Inspection, name string) string {
	for _, f := range i.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func asError(err error, into **bridge.Error) bool { return errors.As(err, into) }

// background returns a context for cleaning up.
func background() context.Context { return context.Background() }
