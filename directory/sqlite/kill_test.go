package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

// victimPath, in the environment, makes the test binary the process that is killed.
const victimPath = "DIRECTORY_KILL_TEST"

func TestMain(m *testing.M) {
	for variable, program := range map[string]func(path string) error{victimPath: victim, renamerPath: renamer} {
		if path := os.Getenv(variable); path != "" {
			if err := program(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

var killKey = directory.Key{Account: "a", Integration: "i"}

const (
	killPage    = 300 // contacts of a page
	killRun     = 4   // pages of a run
	killOverlap = 100 // contacts that a page has in common with the one before
)

// victim runs syncs until it is killed. It says when each page begins, so that the kill comes in the middle of one.
func victim(path string) error {
	ctx := context.Background()
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	for {
		// A lease of nothing: the next victim takes over at once.
		run, err := store.StartRun(ctx, killKey, directory.Start{FreshFor: time.Hour})
		if err != nil {
			return err
		}
		for run.State == directory.Running {
			fmt.Println("page")
			if err := store.ApplyPage(ctx, run, killedPage(run)); err != nil {
				return err
			}
		}
	}
}

// killedPage is the next page of a run: contacts named after the page that wrote them last.
func killedPage(run *directory.Run) directory.PageChanges {
	seq := run.Pages + 1
	page := directory.PageChanges{Seq: seq, Checkpoint: fmt.Sprint(run.ID, ".", seq)}
	if seq != killRun {
		page.NextOffset = fmt.Sprint(run.ID, ".", seq)
	}
	for i := range killPage {
		id := int(seq-1)*(killPage-killOverlap) + i
		number := fmt.Sprintf("+1%03d%03d%04d", 200+seq, run.ID%1000, id)
		page.Contacts = append(page.Contacts, directory.Record{
			Contact: contact.Contact{ID: fmt.Sprintf("%05d", id), Name: fmt.Sprint(run.ID, ".", seq)},
			Numbers: []directory.Number{{Raw: number, E164: number, Match: number[1:]}},
		})
	}
	return page
}

// TestKilledProcessLeavesWholePages kills a process in the middle of its pages, again and again, and looks at what it leaves.
func TestKilledProcessLeavesWholePages(t *testing.T) {
	rounds := 14
	if testing.Short() {
		rounds = 3
	}
	path := filepath.Join(t.TempDir(), "contacts.db")
	var runs, pages int64
	for round := range rounds {
		killInThePage(t, path, 1+round%7, time.Duration(round*1300)*time.Microsecond)
		all, contacts := leftBehind(t, path)
		run := all[0]
		if run.ID < runs || run.ID == runs && run.Pages < pages {
			t.Fatalf("round %d: run %d stands at page %d; it stood at page %d of run %d before", round, run.ID, run.Pages, pages, runs)
		}
		runs, pages = run.ID, run.Pages
		wholePages(t, all, contacts)
	}
	if runs < 2 {
		t.Errorf("only %d runs were begun: the test sees nothing of their ends", runs)
	}
}

// killInThePage starts a victim and kills it a moment after its nth page has begun.
func killInThePage(t *testing.T, path string, n int, moment time.Duration) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), victimPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; i < n && lines.Scan(); i++ {
	}
	<-time.After(moment) // the kill must not wait for anything that the victim says
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the victim ended by itself: %v", err)
	}
}

// leftBehind reads the file as the next process finds it: the runs, newest first, and every contact's name.
func leftBehind(t *testing.T, path string) ([]directory.Run, map[string]string) {
	t.Helper()
	ctx := context.Background()
	sound(t, path)
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	state, err := store.State(ctx, killKey)
	if err != nil || state.LastRun == nil {
		t.Fatalf("state %+v, %v", state, err)
	}
	contacts, err := store.Contacts(ctx, killKey, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, c := range contacts {
		names[c.ID] = c.Name
		found, err := store.ByE164(ctx, killKey.Account, numbersOf(c), 9)
		if err != nil || len(found) != 1 || found[0].Contact.ID != c.ID {
			t.Fatalf("contact %s (%s) is found %d times by its number, %v", c.ID, c.Name, len(found), err)
		}
	}
	if int64(len(names)) != state.Contacts {
		t.Fatalf("%d contacts, the state counts %d", len(names), state.Contacts)
	}
	runs, err := store.Runs(ctx, killKey, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return runs, names
}

// numbersOf is the number that the page in the contact's name gave it.
func numbersOf(c contact.Contact) []string {
	var run, seq int64
	var id int
	_, _ = fmt.Sscanf(c.Name, "%d.%d", &run, &seq)
	_, _ = fmt.Sscanf(c.ID, "%d", &id)
	return []string{fmt.Sprintf("+1%03d%03d%04d", 200+seq, run%1000, id)}
}

// wholePages compares the contacts with what the whole pages of all runs make.
func wholePages(t *testing.T, runs []directory.Run, got map[string]string) {
	t.Helper()
	want := map[string]string{}
	for _, run := range slices.Backward(runs) {
		for seq := range run.Pages {
			for _, r := range killedPage(&directory.Run{ID: run.ID, Counts: directory.Counts{Pages: seq}}).Contacts {
				want[r.Contact.ID] = r.Contact.Name
			}
		}
	}
	run := runs[0]
	if len(got) != len(want) {
		t.Fatalf("after page %d of run %d: %d contacts, want %d", run.Pages, run.ID, len(got), len(want))
	}
	for id, name := range want {
		if got[id] != name {
			t.Fatalf("after page %d of run %d: contact %s is of page %s, want %s", run.Pages, run.ID, id, got[id], name)
		}
	}
	if done := run.State == directory.Done; done != (run.Pages == killRun) {
		t.Fatalf("run %d is %s after page %d", run.ID, run.State, run.Pages)
	}
}

// sound lets SQLite check the file.
func sound(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity check: %s, %v", verdict, err)
	}
}
