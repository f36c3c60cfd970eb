package registry_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
)

func TestAuthValuesAreMerged(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		for _, c := range []struct{ set, want map[string]string }{
			{nil, map[string]string{"username": "agent", "password": "s3cret"}},
			{map[string]string{"password": "new", "site": "main"}, map[string]string{"username": "agent", "password": "new", "site": "main"}},
			{map[string]string{"password": "", "nothing": ""}, map[string]string{"username": "agent", "site": "main"}},
			{map[string]string{"username": "", "site": ""}, map[string]string{}},
		} {
			ok(t, w.SetAuth(t.Context(), crm, c.set))
			if auth := got(w.Auth(t.Context(), crm))(t); !cmp.Equal(auth, c.want) {
				t.Error(cmp.Diff(c.want, auth))
			}
			if set := w.integration(t).AuthSet; len(set) != len(c.want) {
				t.Errorf("%q are set, want %d", set, len(c.want))
			}
		}
	})
}

func TestSecretsAreKeptByOwnerAndName(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		owner := registry.Owner(crm)
		ok(t, w.SetSecret(ctx, owner, "oauth", []byte("one")))
		ok(t, w.SetSecret(ctx, owner, "oauth", []byte("two")))
		ok(t, w.SetSecret(ctx, owner, "empty", []byte{}))
		for name, want := range map[string]string{"oauth": "two", "empty": "", "other": ""} {
			if text := got(w.Secret(ctx, owner, name))(t); string(text) != want {
				t.Errorf("%s: %q, want %q", name, text, want)
			}
		}
		ok(t, w.SetSecret(ctx, owner, "oauth", nil))
		if text := got(w.Secret(ctx, owner, "oauth"))(t); text != nil {
			t.Errorf("%q", text)
		}
		if auth := got(w.Auth(ctx, crm))(t); auth["password"] != "s3cret" {
			t.Errorf("auth values are secrets of their own: %v", auth)
		}
	})
}

func TestASecretCannotBeMovedToAnotherPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		mine := directory.Key{Account: "acme", Integration: "mine"}
		ok(t, w.AddIntegration(ctx, integration(mine), map[string]string{"password": "known"}))
		ok(t, w.exec(t, "DELETE FROM "+w.table("secrets")+" WHERE owner = 'acme/mine'"))
		ok(t, w.exec(t, "UPDATE "+w.table("secrets")+" SET owner = 'acme/mine'"))
		_, err := w.Auth(ctx, mine)
		is(t, err, secret.ErrDamaged)
		is(t, w.SetAuth(ctx, mine, map[string]string{"username": "x"}), secret.ErrDamaged)
	})
}

func TestNothingLiesInTheDatabaseInClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	w := newWorld(t, path)
	w.withCRM(t)
	ok(t, w.SetSecret(t.Context(), registry.Owner(crm), "oauth", []byte("refresh-token")))
	copied := filepath.Join(t.TempDir(), "copy.db")
	ok(t, w.Backup(t.Context(), copied))
	for _, file := range []string{path, path + "-wal", copied} {
		text, err := os.ReadFile(file)
		ok(t, err)
		for _, word := range []string{"s3cret", "refresh-token"} {
			if bytes.Contains(text, []byte(word)) {
				t.Errorf("%s holds %s", filepath.Base(file), word)
			}
		}
	}
}

// TestKeysAreRotated goes the whole way: a new key, everything resealed, the old key gone.
func TestKeysAreRotated(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ring, err := secret.FromFile(filepath.Join(t.TempDir(), "hub.key"), true)
		ok(t, err)
		db := w.again(t, registry.OpenOptions{Seal: ring})
		ok(t, db.PutAccount(ctx, registry.Account{Name: "acme"}))
		ok(t, db.AddIntegration(ctx, integration(crm), map[string]string{"password": "s3cret"}))
		owner := registry.WebhookOwner("1")
		const n = 450 // more than two batches
		for i := range n {
			ok(t, db.SetSecret(ctx, owner, strings.Repeat("x", i), []byte("signing")))
		}
		ok(t, ring.Rotate())
		if resealed := got(db.Reseal(ctx))(t); resealed != n+1 {
			t.Errorf("%d resealed, want %d", resealed, n+1)
		}
		ok(t, ring.Retire())
		if auth := got(db.Auth(ctx, crm))(t); auth["password"] != "s3cret" {
			t.Errorf("%v", auth)
		}
		if resealed := got(db.Reseal(ctx))(t); resealed != n+1 {
			t.Errorf("%d open with the new key alone, want %d", resealed, n+1)
		}
	})
}

func TestResealLeavesWhatItCannotOpenAndTellsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.withCRM(t)
		lost, err := secret.Parse(secret.NewKey(), "a lost key")
		ok(t, err)
		ok(t, w.again(t, registry.OpenOptions{Seal: lost}).SetSecret(ctx, "webhook:1", "signing", []byte("x")))
		both, err := secret.Parse(secret.NewKey()+"\n"+w.key, "the test")
		ok(t, err)
		rotated := w.again(t, registry.OpenOptions{Seal: both})
		n, err := rotated.Reseal(ctx)
		is(t, err, secret.ErrUnknownKey)
		if n != 2 || !strings.Contains(err.Error(), "signing of webhook:1") || !strings.Contains(err.Error(), lost.IDs()[0]) {
			t.Errorf("%d: %v", n, err)
		}
		// The other one is resealed nevertheless, and the lost key still opens its own.
		_, err = w.Auth(ctx, crm)
		is(t, err, secret.ErrUnknownKey)
		if text := got(w.again(t, registry.OpenOptions{Seal: lost}).Secret(ctx, "webhook:1", "signing"))(t); string(text) != "x" {
			t.Errorf("%q", text)
		}
	})
}

func TestWithoutAKeyTheRestWorks(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.withCRM(t)
		db := w.again(t, registry.OpenOptions{})
		got(db.Integration(t.Context(), crm))(t)
		for _, err := range []error{
			second(db.Auth(t.Context(), crm)), db.SetAuth(t.Context(), crm, map[string]string{"a": "b"}), second(db.Reseal(t.Context())),
		} {
			if err == nil || !strings.Contains(err.Error(), "the key for the stored secrets is missing") {
				t.Errorf("%v", err)
			}
		}
	})
}
