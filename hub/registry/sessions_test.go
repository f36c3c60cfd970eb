package registry_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A page that is asked for while its user signs out must not bring the session back.
func TestARenewedSessionThatIsGoneStaysGone(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "hub.db"))
	ctx, now := t.Context(), w.clock.now()
	if err := w.PutUser(ctx, registry.User{ID: "u", Name: "jane", Role: registry.RoleReader}); err != nil {
		t.Fatal(err)
	}
	for n, created := range []time.Time{now, now.Add(-time.Hour)} {
		s := registry.Session{Digest: []byte{byte(n)}, User: "u", Created: created, Expires: now.Add(time.Hour), Agent: "browser"}
		if err := w.PutSession(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.DeleteSession(ctx, []byte{0}); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if err := w.RenewSession(ctx, []byte{byte(n)}, now.Add(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.advance(2 * time.Hour)
	list, err := w.Sessions(ctx, "u")
	if err != nil || len(list) != 1 || list[0].Digest[0] != 1 || !list[0].Expires.Equal(now.Add(3*time.Hour)) {
		t.Fatal(list, err)
	}
	w.clock.advance(2 * time.Hour)
	if list, err := w.Sessions(ctx, "u"); err != nil || len(list) != 0 {
		t.Fatal("expired sessions are listed:", list, err)
	}
}
