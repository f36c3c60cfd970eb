package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
)

// open opens a source of toy files in a folder, as a process that has just started.
func open(t *testing.T, format toy, cfg file.Config, folder, path string) *file.Source {
	t.Helper()
	template, err := source.ParseTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Path = template
	factory, err := file.New(cfg, format, source.SettingsOf("toy", 1, cfg), source.Deps{Folder: folder})
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

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".part", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour) // it has settled
	if err := errors.Join(os.Chtimes(path+".part", old, old), os.Rename(path+".part", path)); err != nil {
		t.Fatal(err)
	}
}

// read reads after a position: ids, or what is wrong.
func read(t *testing.T, src bridge.Source, run bridge.Run, after bridge.Position, limit int) (ids []string, at []bridge.Position) {
	t.Helper()
	for c, err := range src.Read(t.Context(), run, after, limit) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, strings.Clone(c.Contact.ID+c.Rejected))
		at = append(at, bytes.Clone(c.Position))
	}
	return ids, at
}

func begin(t *testing.T, src bridge.Source, since bridge.Checkpoint) bridge.Run {
	t.Helper()
	run, err := src.Begin(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// E4: where the format cannot seek, every process makes a spool of its own, and goes on at the places of another one's.
func TestPositionsAreGoodInAnotherProcessWithoutSeekingE4(t *testing.T) {
	folder, temporary := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	var content strings.Builder
	content.WriteString("id name updated\n")
	for i := range 5000 {
		if i%100 == 7 {
			content.WriteString("?\n")
		}
		fmt.Fprintf(&content, "%d Ann%s 2024-05-01T%02d:%02d:00Z\n", i, strings.Repeat("x", i%37), i%24, i%60)
	}
	write(t, filepath.Join(folder, "a.toy"), content.String())
	write(t, filepath.Join(folder, "b.toy"), "name id updated\nBob b1 2024-05-01T00:00:00Z\n?\nBob b2 2024-05-02T00:00:00Z\n")
	for _, updated := range []string{"", "updated"} {
		cfg := file.Config{ID: "id", Updated: updated}
		seeking := open(t, toy{seeks: true}, cfg, folder, ".")
		wantIDs, _ := read(t, seeking, begin(t, seeking, ""), nil, 0)
		first, second := open(t, toy{}, cfg, folder, "."), open(t, toy{}, cfg, folder, ".")
		run := begin(t, first, "")
		ids, at := read(t, first, run, nil, 0)
		if len(ids) != 5000+50+3 || strings.Join(ids, "\n") != strings.Join(wantIDs, "\n") {
			t.Fatalf("updated %q: %d records, by seeking %d", updated, len(ids), len(wantIDs))
		}
		for i := 0; i < len(ids)-1; i += 97 {
			if got, _ := read(t, second, run, at[i], 3); got[0] != ids[i+1] {
				t.Fatalf("updated %q: after record %d comes %q, want %q", updated, i, got[0], ids[i+1])
			}
		}
		if !strings.Contains(strings.Join(ids, "\n"), "line 3 of b.toy cannot be read: it is a question mark") {
			t.Errorf("updated %q: the place of a fault is not told", updated)
		}
		if again := begin(t, second, first.Checkpoint(run, at[len(at)-1], true)); again.Initial() {
			t.Errorf("updated %q: the checkpoint of another process is not understood", updated)
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files: %v %v", left, err)
	}
}

// A new version that takes longer to read than a request may: the answer is 503 with Retry-After, reading goes on, and who comes back
// is served.
func TestAVersionThatTakesLongIsReadInTheBackground(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.toy"), "id name\n1 Ann\n")
	src := open(t, toy{slow: 700 * time.Millisecond}, file.Config{ID: "id"}, folder, "a.toy")
	asked := 0
	for {
		asked++
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		started := time.Now()
		_, err := src.Begin(ctx, "")
		if err != nil && ctx.Err() != nil {
			t.Fatalf("answered after %v: %v", time.Since(started), err)
		}
		cancel()
		if err == nil {
			break
		}
		var e *bridge.Error
		if !errors.As(err, &e) || e.Code != bridge.CodeSourceUnavailable || e.RetryAfter < time.Second || asked > 20 {
			t.Fatalf("attempt %d: %v", asked, err)
		}
	}
	if asked < 2 {
		t.Error("opening took no time")
	}
	if ids, _ := read(t, src, begin(t, src, ""), nil, 0); strings.Join(ids, " ") != "1" {
		t.Errorf("ids %q", ids)
	}
}

// What is wrong with a file that takes long to read is told to who comes back, not found anew for ever.
func TestTheErrorOfALongReadingIsTold(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.toy"), "name\nAnn\n")
	src := open(t, toy{slow: 400 * time.Millisecond}, file.Config{ID: "id"}, folder, "a.toy")
	for asked := 0; ; asked++ {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := src.Begin(ctx, "")
		cancel()
		if bridge.CodeOf(err) == bridge.CodeSourceBroken {
			if !strings.Contains(err.Error(), `id: Unknown column "id"`) {
				t.Errorf("told: %v", err)
			}
			return
		}
		if bridge.CodeOf(err) != bridge.CodeSourceUnavailable || asked > 20 {
			t.Fatalf("attempt %d: %v", asked, err)
		}
	}
}

// A format that knows what its columns mean needs no configuration; records without an id get one that is made.
func TestAFormatThatKnowsItsColumns(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.toy"), "uid fn tel note\n7 Ann 5550100 -\n- Bob [\"5550101\",\"5550102\"] x\n- Bob 5550101\n")
	for _, seeks := range []bool{true, false} {
		src := open(t, toy{seeks: seeks, knows: true}, file.Config{}, folder, "a.toy")
		var got []string
		for c, err := range src.Read(t.Context(), begin(t, src, ""), nil, 0) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.Clone(c.Contact.ID+"|"+c.Contact.Name+"|"+strings.Join(c.Contact.Phones, "+")))
		}
		const two = `|Bob|["5550101","5550102"]` // the bridge takes lists apart
		if len(got) != 3 || got[0] != "7|Ann|5550100" || !strings.HasPrefix(got[1], "auto-") || !strings.HasSuffix(got[1], two) ||
			got[2] != strings.Replace(got[1], two, "-2|Bob|5550101", 1) {
			t.Errorf("seeks %t: %q", seeks, got)
		}
		found, err := src.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if from := found.Mapping[0].From; !strings.HasPrefix(from, "uid, else auto") || strings.Join(found.Unused, " ") != "note" {
			t.Errorf("ids from %s, unused %q", from, found.Unused)
		}
		for _, p := range found.Problems {
			if p.Code == "id_chosen" {
				t.Errorf("a choice that the format knows is said: %s", p.Message)
			}
		}
	}
}

// Who waits for a version that is replaced meanwhile gets the new one.
func TestAVersionThatIsReplacedWhileItIsReadIsNotWaitedFor(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.toy")
	write(t, path, "id name\n1 Ann\n")
	src := open(t, toy{slow: 300 * time.Millisecond}, file.Config{ID: "id"}, folder, "a.toy")
	first := make(chan error, 1)
	var run bridge.Run
	go func() {
		var err error
		run, err = src.Begin(context.WithoutCancel(t.Context()), "")
		first <- err
	}()
	time.Sleep(100 * time.Millisecond) // it has begun, or it will find the new one at once
	write(t, path, "id name\n2 Bob\n")
	second := begin(t, src, "")
	if err := <-first; err != nil || !bytes.Equal(run.State, second.State) {
		t.Errorf("the one who waited: %v", err)
	}
	if ids, _ := read(t, src, run, nil, 0); strings.Join(ids, " ") != "2" {
		t.Errorf("ids %q", ids)
	}
}

// A format that panics in the background is an error of its file, not the end of the process.
func TestAFormatThatPanicsIsAnError(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.toy"), "id name\n1 Ann\n")
	src := open(t, toy{panic: true}, file.Config{ID: "id"}, folder, "a.toy")
	for range 2 {
		if _, err := src.Begin(t.Context(), ""); bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(err.Error(), "a.toy makes its reader fail") {
			t.Errorf("Begin: %v", err)
		}
	}
}

// Closing an endpoint ends what is read in the background.
func TestCloseEndsWhatIsRead(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.toy"), "id name\n1 Ann\n")
	template, err := source.ParseTemplate("a.toy")
	if err != nil {
		t.Fatal(err)
	}
	factory, err := file.New(file.Config{ID: "id", Path: template}, toy{slow: time.Hour}, source.Settings{"kind": "toy"}, source.Deps{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := src.Begin(ctx, ""); bridge.CodeOf(err) != bridge.CodeSourceUnavailable {
		t.Fatalf("Begin: %v", err)
	}
	if err := errors.Join(src.Close(), factory.Close()); err != nil { // within the test's time limit
		t.Error(err)
	}
}

// T11: what has no header may hold nothing at all one day. That is an export without contacts, and no mistake of the configuration.
func TestAFileWithoutColumnsIsAnEmptyExport(t *testing.T) {
	for _, updated := range []string{"", "updated"} {
		folder := t.TempDir()
		name := filepath.Join(folder, "a.toy")
		write(t, name, "\n")
		cfg := file.Config{ID: "id", Updated: updated, Deleted: "gone", Fields: record.Fields{Name: `first + " " + last`, Company: "`the company`"}}
		src := open(t, toy{seeks: true}, cfg, folder, ".")
		if ids, _ := read(t, src, begin(t, src, ""), nil, 0); len(ids) > 0 {
			t.Errorf("an empty file has %v", ids)
		}
		if in, err := src.Inspect(t.Context()); err != nil || len(in.Mapping) < 2 {
			t.Errorf("an empty file is inspected as %+v, %v", in, err)
		}
		write(t, filepath.Join(folder, "b.toy"), "id first last gone updated\n1 Ann Lee no 2024-05-01T00:00:00Z\n")
		if _, err := src.Begin(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "the company") {
			t.Errorf("beside a file with columns: %v, want the column that it does not have", err)
		}
		cfg.Fields.Company = ""
		src = open(t, toy{seeks: true}, cfg, folder, ".")
		if ids, _ := read(t, src, begin(t, src, ""), nil, 0); strings.Join(ids, " ") != "1" {
			t.Errorf("beside an empty file: %v, want 1", ids)
		}
	}
}
