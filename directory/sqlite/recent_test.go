package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

// renamerPath, in the environment, makes the test binary a process that renames a contact.
const renamerPath = "DIRECTORY_RENAME_TEST"

var renamed = directory.Number{Raw: "+442079460958", E164: "+442079460958", Match: "442079460958"}

// rename stores a run of one contact, which has this name from then on.
func rename(ctx context.Context, store directory.Store, name string) error {
	run, err := store.StartRun(ctx, directory.Key{Account: "a", Integration: "renamed"}, directory.Start{Full: true})
	if err != nil {
		return err
	}
	record := directory.Record{Contact: contact.Contact{ID: "1", Name: name}, Numbers: []directory.Number{renamed}}
	return store.ApplyPage(ctx, run, directory.PageChanges{Seq: 1, Contacts: []directory.Record{record}})
}

// renamer gives the contact every name that it reads, and says when that is done.
func renamer(path string) error {
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return err
	}
	defer store.Close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println(lines.Text()) {
		if err := rename(context.Background(), store, lines.Text()); err != nil {
			return err
		}
	}
	return nil
}

func openRecent(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if runtime.GOOS == "linux" && !store.KnowsCommits() {
		t.Fatal("the store does not know of commits: nothing is remembered")
	}
	return store
}

// nameOf looks up who has the number.
func nameOf(t *testing.T, store directory.Store) string {
	t.Helper()
	found, err := store.ByE164(t.Context(), "a", []string{renamed.E164}, 10)
	if err != nil {
		t.Error(err)
		return ""
	}
	ending, err := store.BySuffix(t.Context(), "a", renamed.Match[4:], 10)
	if err != nil || len(ending) < len(found) {
		t.Errorf("the ending finds %d, the number %d (%v)", len(ending), len(found), err)
	}
	if len(found) == 0 {
		return ""
	}
	return found[0].Contact.Name
}

// TestAnotherProcessesCommitIsSeenAtOnce asks for a number, over and over, that another process writes something else for.
func TestAnotherProcessesCommitIsSeenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	store := openRecent(t, path)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command(exe)
	other.Env, other.Stderr = append(os.Environ(), renamerPath+"="+path), os.Stderr
	orders, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = orders.Close()
		if err := other.Wait(); err != nil {
			t.Error(err)
		}
	}()
	done := bufio.NewReader(out)
	for i := range 100 {
		name := strconv.Itoa(i)
		if _, err := io.WriteString(orders, name+"\n"); err != nil {
			t.Fatal(err)
		}
		said := make(chan error, 1)
		go func() {
			line, err := done.ReadString('\n')
			if err == nil && strings.TrimSpace(line) != name {
				err = fmt.Errorf("it said %q", line)
			}
			said <- err
		}()
		for waiting := true; waiting; {
			select {
			case err := <-said:
				if err != nil {
					t.Fatal(err)
				}
				waiting = false
			default:
				nameOf(t, store) // so that there is always an answer to remember
			}
		}
		for range 3 {
			if got := nameOf(t, store); got != name {
				t.Fatalf("the contact is called %q after it was renamed to %q", got, name)
			}
		}
	}
}

// TestNobodySeesAnOldNameAfterANewerOne renames a contact by one store while several goroutines ask another one on the same file.
func TestNobodySeesAnOldNameAfterANewerOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	writer, reader := openRecent(t, path), openRecent(t, path)
	var committed atomic.Int64 // the newest name
	var asking sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				least := committed.Load()
				if got, _ := strconv.ParseInt(nameOf(t, reader), 10, 64); got < least {
					t.Errorf("the contact is called %d after it was renamed to %d", got, least)
				}
			}
		})
	}
	for i := int64(1); i <= 150; i++ {
		if err := rename(t.Context(), writer, strconv.FormatInt(i, 10)); err != nil {
			t.Fatal(err)
		}
		committed.Store(i)
		time.Sleep(time.Duration(i%4) * time.Millisecond)
	}
	stop()
	asking.Wait()
	if runtime.GOOS == "linux" && reader.Remembered() == 0 {
		t.Error("nothing was remembered")
	}
}

// TestWhatIsRememberedIsWhatAQueryFinds changes a directory at random, and compares answers that may be remembered with those of a store
// that was just opened.
func TestWhatIsRememberedIsWhatAQueryFinds(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "contacts.db")
	store := openRecent(t, path)
	random := rand.New(rand.NewPCG(1, 2))
	number := func() directory.Number {
		digits := fmt.Sprintf("44207946%04d", random.IntN(30))
		n := directory.Number{Raw: digits, Match: digits}
		if random.IntN(3) > 0 {
			n.Raw, n.E164 = "+"+digits, "+"+digits
		}
		return n
	}
	change := func() error {
		key := directory.Key{Account: []string{"a", "b"}[random.IntN(2)], Integration: []string{"x", "y"}[random.IntN(2)]}
		switch random.IntN(6) {
		case 0:
			return store.Forget(ctx, key)
		case 1:
			_, err := store.Purge(ctx, key.Account, []directory.Ref{{Integration: key.Integration, ID: strconv.Itoa(random.IntN(10))}}, false)
			return err
		}
		run, err := store.StartRun(ctx, key, directory.Start{Full: random.IntN(2) == 0})
		if err != nil {
			return err
		}
		page := directory.PageChanges{Seq: 1}
		for id := range 1 + random.IntN(10) {
			c := contact.Contact{ID: strconv.Itoa(id), Name: strconv.Itoa(random.Int()), Emails: []string{"a@example.com"}}
			page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: []directory.Number{number(), number()}})
		}
		err = store.ApplyPage(ctx, run, page)
		if guarded, ok := errors.AsType[*directory.GuardedError](err); ok {
			_, err = store.DeleteHeld(ctx, key, guarded.Held.Set)
		}
		return err
	}
	ask := func(store directory.Store, account, number string, limit int) (all [3][]directory.Match) {
		var errs [3]error
		all[0], errs[0] = store.ByE164(ctx, account, []string{"+" + number}, limit)
		all[1], errs[1] = store.ByE164(ctx, account, []string{"+" + number, number}, limit)
		all[2], errs[2] = store.BySuffix(ctx, account, number[4:], limit)
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	for range 60 {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		fresh, err := sqlite.Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			account, asked, limit := []string{"a", "b", "nobody"}[random.IntN(3)], number().Match, 1+random.IntN(4)
			want := ask(fresh, account, asked, limit)
			for range 3 {
				got := ask(store, account, asked, limit)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%s in %s: found %v, want %v", asked, account, got, want)
				}
			}
		}
		if err := fresh.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnAnswerThatWasOvertakenIsNotRemembered renames a contact, or forgets its integration, while it is looked up.
func TestAnAnswerThatWasOvertakenIsNotRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.db")
	store, other := openRecent(t, path), openRecent(t, path)
	nameOf(t, store) // what is asked for again is remembered
	for _, c := range []struct {
		meanwhile func() error
		want      string
	}{
		{func() error { return rename(t.Context(), other, "new") }, "new"},
		{func() error { return store.Forget(t.Context(), directory.Key{Account: "a", Integration: "renamed"}) }, ""},
	} {
		if err := rename(t.Context(), other, "old"); err != nil {
			t.Fatal(err)
		}
		_, err := store.Slowly(t.Context(), "a", renamed.E164, 10, func() {
			if err := c.meanwhile(); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := nameOf(t, store); got != c.want {
			t.Errorf("the contact is called %q; want %q", got, c.want)
		}
	}
}

// TestWhatIsRememberedIsBounded asks for more numbers than are remembered.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	store := openRecent(t, filepath.Join(t.TempDir(), "contacts.db"))
	if err := rename(t.Context(), store, strings.Repeat("x", 3000)); err != nil {
		t.Fatal(err)
	}
	for limit := range 3 * sqlite.MostRecent / 3000 {
		for range 2 {
			if _, err := store.ByE164(t.Context(), "a", []string{renamed.E164}, limit+1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, most := store.Remembered(), sqlite.MostRecent/3000; n > most || runtime.GOOS == "linux" && n < most/4 {
		t.Errorf("%d answers are remembered; at most %d", n, most)
	}
}
