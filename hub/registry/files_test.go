package registry_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const plenty = 1 << 20

// keep adds a file.
func (w *world) keep(t *testing.T, f registry.File, content []byte) registry.File {
	t.Helper()
	f.Size = int64(len(content))
	ok(t, w.AddFile(t.Context(), &f, bytes.NewReader(content), plenty))
	return f
}

func (w *world) content(t *testing.T, id string) string {
	t.Helper()
	var b strings.Builder
	ok(t, w.ReadFile(t.Context(), id, &b))
	return b.String()
}

func accounts(t *testing.T, w *world) {
	t.Helper()
	for _, name := range []string{"acme", "other"} {
		ok(t, w.PutAccount(t.Context(), registry.Account{Name: name}))
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// A file is what was uploaded, whatever its size, and its account's alone.
func TestAFileIsWhatWasUploaded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		accounts(t, w)
		large := noise(700_000) // three rows
		f := w.keep(t, registry.File{Account: "acme", Name: "a.csv", Kind: "csv", Uploader: "user jane"}, large)
		if w.content(t, f.ID) != string(large) || f.Digest == "" || f.Uploaded.IsZero() {
			t.Errorf("%+v", f)
		}
		got, err := w.File(t.Context(), "acme", "a.csv")
		ok(t, err)
		if got != f {
			t.Errorf("%+v, want %+v", got, f)
		}
		_, err = w.File(t.Context(), "other", "a.csv")
		is(t, err, registry.ErrNotFound)
		is(t, w.RemoveFile(t.Context(), "other", f.ID), registry.ErrNotFound)
		is(t, w.AddFile(t.Context(), &registry.File{Account: "acme", Name: "a.csv", Size: 1}, strings.NewReader("x"), plenty), registry.ErrExists)
		is(t, w.AddFile(t.Context(), &registry.File{Account: "nobody", Name: "a.csv", Size: 1}, strings.NewReader("x"), plenty), registry.ErrNotFound)
		list, err := w.Files(t.Context(), "acme")
		ok(t, err)
		if len(list) != 1 {
			t.Errorf("%+v", list)
		}
		ok(t, w.RemoveFile(t.Context(), "acme", f.ID))
		is(t, w.ReadFile(t.Context(), f.ID, io.Discard), registry.ErrNotFound)
		if n, err := w.Taken(t.Context(), "acme"); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
}

// What breaks off leaves nothing, and takes no room.
func TestABrokenUploadLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		accounts(t, w)
		f := registry.File{Account: "acme", Name: "a.csv", Size: 600_000}
		err := w.AddFile(t.Context(), &f, io.MultiReader(bytes.NewReader(noise(300_000)), &failing{}), plenty)
		is(t, err, errBroken)
		if n, err := w.Taken(t.Context(), "acme"); n != 0 || err != nil {
			t.Error(n, err)
		}
		w.keep(t, registry.File{Account: "acme", Name: "a.csv"}, []byte("x"))
	})
}

var errBroken = errors.New("the line is cut")

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errBroken }

// The quota is the account's, with what is staged, and with those that come at once.
func TestAnAccountsFilesHaveAQuota(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		accounts(t, w)
		var all sync.WaitGroup
		errs := make(chan error, 8)
		for n := range 8 {
			all.Go(func() {
				f := registry.File{Account: "acme", Name: string(rune('a'+n)) + ".csv", Size: 300, Staged: n%2 == 0}
				errs <- w.AddFile(t.Context(), &f, bytes.NewReader(noise(300)), 1000)
			})
		}
		all.Wait()
		good := 0
		for range 8 {
			switch err := <-errs; {
			case err == nil:
				good++
			case !errors.Is(err, registry.ErrQuota):
				t.Error(err)
			}
		}
		if n, err := w.Taken(t.Context(), "acme"); good != 3 || n != 900 || err != nil {
			t.Errorf("%d were taken, %d bytes, %v", good, n, err)
		}
		f := registry.File{Account: "other", Name: "a.csv", Size: 1000}
		ok(t, w.AddFile(t.Context(), &f, bytes.NewReader(noise(1000)), 1000))
	})
}

// A staged file takes the place of the one that it was compared with, and of no other.
func TestAFileIsReplacedByWhatItWasComparedWith(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		accounts(t, w)
		old := w.keep(t, registry.File{Account: "acme", Name: "a.csv"}, []byte("old"))
		first := w.keep(t, registry.File{Account: "acme", Name: "a.csv", Staged: true, Over: old.Digest}, []byte("first"))
		second := w.keep(t, registry.File{Account: "acme", Name: "a.csv", Staged: true, Over: old.Digest}, []byte("second"))
		if f, err := w.File(t.Context(), "acme", "a.csv"); err != nil || f.ID != old.ID {
			t.Error(f, err)
		}
		_, err := w.ApplyFile(t.Context(), "other", first.ID)
		is(t, err, registry.ErrNotFound)
		w.clock.advance(time.Minute)
		f, err := w.ApplyFile(t.Context(), "acme", first.ID)
		ok(t, err)
		now, err := w.File(t.Context(), "acme", "a.csv")
		ok(t, err)
		if f != now || w.content(t, f.ID) != "first" || !f.Uploaded.After(old.Uploaded) {
			t.Errorf("%+v, %+v", f, now)
		}
		is(t, w.ReadFile(t.Context(), old.ID, io.Discard), registry.ErrNotFound)
		_, err = w.ApplyFile(t.Context(), "acme", second.ID)
		is(t, err, registry.ErrChanged)
		_, err = w.ApplyFile(t.Context(), "acme", first.ID)
		is(t, err, registry.ErrNotFound)
	})
}

// A file goes with the last integration that reads it, and an account's with the account. What nobody reads is kept for a while.
func TestFilesGoWithWhoReadsThem(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		accounts(t, w)
		for _, name := range []string{"shared.csv", "own.csv", "unused.csv"} {
			w.keep(t, registry.File{Account: "acme", Name: name}, []byte(name))
		}
		w.keep(t, registry.File{Account: "acme", Name: "own.csv", Staged: true}, []byte("x"))
		theirs := w.keep(t, registry.File{Account: "other", Name: "own.csv"}, []byte("theirs"))
		for name, files := range map[string][]string{"a": {"own.csv", "shared.csv"}, "b": {"shared.csv"}, "c": nil} {
			ok(t, w.AddIntegration(t.Context(), registry.Integration{Key: directory.Key{Account: "acme", Integration: name}, Source: "csv", Files: files}, nil))
		}
		names := func() string {
			list, err := w.Files(t.Context(), "acme")
			ok(t, err)
			var all []string
			for _, f := range list {
				all = append(all, f.Name)
			}
			return strings.Join(all, " ")
		}
		users, err := w.FileUsers(t.Context(), "acme")
		if err != nil || len(users["shared.csv"]) != 2 || len(users["own.csv"]) != 1 || users["unused.csv"] != nil {
			t.Error(users, err)
		}
		w.clock.advance(6 * 24 * time.Hour)
		ok(t, w.PruneFiles(t.Context()))
		if got := names(); got != "own.csv shared.csv unused.csv" {
			t.Error(got)
		}
		if n, err := w.Taken(t.Context(), "acme"); err != nil || n != int64(len("shared.csvown.csvunused.csv")) {
			t.Errorf("the staged file is kept: %d, %v", n, err)
		}
		w.clock.advance(2 * 24 * time.Hour)
		ok(t, w.PruneFiles(t.Context()))
		if got := names(); got != "own.csv shared.csv" {
			t.Error(got)
		}
		for _, step := range [][2]string{{"a", "shared.csv"}, {"c", "shared.csv"}, {"b", ""}} {
			key := directory.Key{Account: "acme", Integration: step[0]}
			ok(t, w.BeginRemoval(t.Context(), key))
			ok(t, w.DeleteIntegration(t.Context(), key))
			if got := names(); got != step[1] {
				t.Errorf("without %s: %q", step[0], got)
			}
		}
		is(t, w.ReadFile(t.Context(), theirs.ID, io.Discard), registry.ErrNotFound) // nobody reads it: it was pruned
	})
}

// A backup has the files.
func TestABackupHasTheFiles(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "hub.db"))
	accounts(t, w)
	large := noise(600_000)
	f := w.keep(t, registry.File{Account: "acme", Name: "a.xlsx"}, large)
	copied := filepath.Join(t.TempDir(), "copy.db")
	ok(t, w.Backup(t.Context(), copied))
	again, err := registry.Open(t.Context(), copied, registry.OpenOptions{Seal: w.ring})
	ok(t, err)
	defer again.Close()
	var b bytes.Buffer
	ok(t, again.ReadFile(t.Context(), f.ID, &b))
	if !bytes.Equal(b.Bytes(), large) {
		t.Error("the copy's file is another one")
	}
}

// A sign-in's tokens become an integration's once.
func TestPendingTokensBecomeAnIntegrations(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		accounts(t, w)
		pending := registry.PendingOwner("ref")
		ok(t, w.SetSecret(t.Context(), pending, registry.OAuthTokens, []byte("tokens")))
		ok(t, w.SetSecret(t.Context(), pending, "grant", []byte("what for")))
		i := registry.Integration{Key: directory.Key{Account: "acme", Integration: "crm"}, Source: "hubspot"}
		ok(t, w.AddConnected(t.Context(), i, nil, pending))
		if tokens, err := w.Secret(t.Context(), registry.Owner(i.Key), registry.OAuthTokens); err != nil || string(tokens) != "tokens" {
			t.Error(string(tokens), err)
		}
		for _, name := range []string{registry.OAuthTokens, "grant"} {
			if left, err := w.Secret(t.Context(), pending, name); err != nil || left != nil {
				t.Error(name, string(left), err)
			}
		}
		other := i
		other.Key.Integration = "other"
		is(t, w.AddConnected(t.Context(), other, nil, pending), registry.ErrChanged)
		_, err := w.Integration(t.Context(), other.Key)
		is(t, err, registry.ErrNotFound)
		is(t, w.ChangeIntegration(t.Context(), i, registry.Change{Pending: pending}), registry.ErrChanged)
		mine, err := w.TakeSecret(t.Context(), registry.Owner(i.Key), registry.OAuthTokens)
		if !mine || err != nil {
			t.Error(mine, err)
		}
		if mine, err = w.TakeSecret(t.Context(), registry.Owner(i.Key), registry.OAuthTokens); mine || err != nil {
			t.Error(mine, err)
		}
	})
}
