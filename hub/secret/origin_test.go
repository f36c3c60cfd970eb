package secret_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/contactbridge/contactbridge/hub/secret"
)

// keyFile makes a key file and its ring.
func keyFile(t *testing.T) (string, *secret.Ring) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.key")
	r, err := secret.FromFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	return path, r
}

// alone wants nobody but the owner to read the key file, and nothing to lie beside it.
func alone(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if beside, err := os.ReadDir(filepath.Dir(path)); err != nil || len(beside) != 1 {
		t.Errorf("%v, %v", beside, err)
	}
}

func TestAKeyFileIsMadeOnce(t *testing.T) {
	path, r := keyFile(t)
	alone(t, path)
	again, err := secret.FromFile(path, true)
	if err != nil {
		t.Fatal(err)
	}
	opens(t, again, seal(t, r, "s3cret", "here"), "here", "s3cret")
}

func TestALostKeyIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.key")
	_, err := secret.FromFile(path, false)
	explained(t, err, fs.ErrNotExist)
	if _, err := os.Stat(path); err == nil {
		t.Error("a key was made")
	}
}

func TestProcessesThatStartAtOnceAgreeOnOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.key")
	rings := make([]*secret.Ring, 8)
	var wait sync.WaitGroup
	for i := range rings {
		wait.Go(func() {
			var err error
			if rings[i], err = secret.FromFile(path, true); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	sealed := seal(t, rings[0], "s3cret", "here")
	for _, r := range rings {
		opens(t, r, sealed, "here", "s3cret")
	}
	alone(t, path)
}

// TestARotationReachesOtherProcesses has a ring that was read before the rotation.
func TestARotationReachesOtherProcesses(t *testing.T) {
	path, r := keyFile(t)
	running, err := secret.FromFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	old := seal(t, running, "old", "here")
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	alone(t, path)
	opens(t, running, seal(t, r, "new", "here"), "here", "new")
	opens(t, r, seal(t, running, "from there", "here"), "here", "from there")
	opens(t, running, old, "here", "old")
	if ids := r.IDs(); len(ids) != 2 || running.IDs()[0] != ids[0] {
		t.Errorf("%q, %q", ids, running.IDs())
	}
	if err := r.Retire(); err != nil {
		t.Fatal(err)
	}
	alone(t, path)
	refuses(t, r, old, "here", secret.ErrUnknownKey)
	opens(t, r, seal(t, running, "after", "here"), "here", "after")
}

func TestSealingGoesByThePresentKeyOfTheFile(t *testing.T) {
	path, r := keyFile(t)
	running, err := secret.FromFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, running, "s3cret", "here") // it has not opened anything new
	if err := r.Retire(); err != nil {
		t.Fatal(err)
	}
	opens(t, r, sealed, "here", "s3cret")
}

func TestARingOutlivesItsFile(t *testing.T) {
	path, r := keyFile(t)
	sealed := seal(t, r, "s3cret", "here")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	opens(t, r, sealed, "here", "s3cret")
	opens(t, r, seal(t, r, "more", "here"), "here", "more")
}

func TestADamagedKeyFileIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.key")
	if err := os.WriteFile(path, []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := secret.FromFile(path, true)
	explained(t, err, secret.ErrBadKey)
	if text, err := os.ReadFile(path); err != nil || string(text) != "no key\n" {
		t.Errorf("it was overwritten: %q, %v", text, err)
	}
}

func TestAKeyFromTheEnvironment(t *testing.T) {
	key := secret.NewKey()
	lookup := func(name string) (string, bool) { return key, name == "HUB_KEY" }
	r, err := secret.FromEnvironment("HUB_KEY", lookup)
	if err != nil {
		t.Fatal(err)
	}
	opens(t, ring(t, key), seal(t, r, "s3cret", "here"), "here", "s3cret")
	_, err = secret.FromEnvironment("OTHER", lookup)
	explained(t, err, secret.ErrBadKey)
	if err := r.Rotate(); err == nil || !strings.Contains(err.Error(), "HUB_KEY") {
		t.Errorf("rotated: %v", err)
	}
}

func TestAKeyFromACommand(t *testing.T) {
	key := secret.NewKey()
	r, err := secret.FromCommand(t.Context(), "sh", "-c", "echo talk >&2; echo "+key)
	if err != nil {
		t.Fatal(err)
	}
	opens(t, ring(t, key), seal(t, r, "s3cret", "here"), "here", "s3cret")
	_, err = secret.FromCommand(t.Context(), "sh", "-c", "echo wrong region >&2; echo s3cret; exit 3")
	if err == nil || !strings.Contains(err.Error(), "sh gave no key: wrong region: exit status 3") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	_, err = secret.FromCommand(t.Context(), "sh", "-c", "echo s3cret")
	explained(t, err, secret.ErrBadKey)
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("it shows what was printed: %v", err)
	}
	for _, argv := range [][]string{nil, {"no-such-program-anywhere"}} {
		if _, err := secret.FromCommand(t.Context(), argv...); err == nil {
			t.Errorf("%q gave a key", argv)
		}
	}
}
