package console_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console"
)

// An interruption does something in the middle of a request: at its third look at the clock, which a sign-in takes after it has
// found the password right.
type interruption struct {
	mu    sync.Mutex
	looks int
	do    func()
}

func (i *interruption) arm(do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.looks, i.do = 0, do
}

func (i *interruption) look() {
	i.mu.Lock()
	i.looks++
	do := i.do
	if i.looks != 3 {
		do = nil
	}
	i.mu.Unlock()
	if do != nil {
		do()
	}
}

// Comparing a password takes a while. What happens to the user meanwhile must not be undone, and no session must come of it.
func TestWhatIsDoneToAUserWhileTheySignInHolds(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		meanwhile func(s *site, u registry.User) error
		holds     func(u registry.User, there bool) bool
		role      bool // the change ends sessions by itself, and leaves the user welcome
	}{
		"the password is changed": {
			func(s *site, u registry.User) error {
				u.Password = ""
				return s.hub.Registry.PutUser(ctx, u)
			},
			func(u registry.User, there bool) bool { return there && u.Password == "" }, false,
		},
		"they are locked": {
			func(s *site, u registry.User) error {
				u.Disabled = true
				return s.hub.Registry.PutUser(ctx, u)
			},
			func(u registry.User, there bool) bool { return there && u.Disabled }, false,
		},
		"they are removed": {
			func(s *site, u registry.User) error { return s.hub.Registry.DeleteUser(ctx, u.ID) },
			func(_ registry.User, there bool) bool { return !there }, false,
		},
		"they lose their role": {
			func(s *site, u registry.User) error {
				u.Role = registry.RoleReader
				return s.hub.Registry.PutUser(ctx, u)
			},
			func(u registry.User, there bool) bool { return there && u.Role == registry.RoleReader }, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var i interruption
			s := newSite(t, func(o *console.Options) {
				o.Clock = func() time.Time { i.look(); return time.Now() }
			})
			admin := s.administrator(t)
			s.user(t, admin, "bob", registry.RoleOperator)
			bob, err := s.hub.Registry.UserByName(ctx, "bob")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.hub.Registry.DeleteSessions(ctx, bob.ID, nil); err != nil {
				t.Fatal(err)
			}
			v := s.visitor(t)
			token := v.token("/sign-in")
			i.arm(func() {
				if err := c.meanwhile(s, bob); err != nil {
					t.Error(err)
				}
			})
			a := v.do(v.request("POST", "/sign-in", map[string][]string{"csrf": {token}, "name": {"bob"}, "password": {password + " too"}}))
			if want := map[bool]int{false: http.StatusForbidden, true: http.StatusSeeOther}[c.role]; a.StatusCode != want {
				t.Errorf("%d, want %d: %s", a.StatusCode, want, problemIn(a.text))
			}
			now, err := s.hub.Registry.UserByName(ctx, "bob")
			if !c.holds(now, err == nil) {
				t.Errorf("it is undone: %+v, %v", now, err)
			}
			if sessions, err := s.hub.Registry.Sessions(ctx, bob.ID); err != nil || !c.role && len(sessions) != 0 {
				t.Error("a session came of it:", sessions, err)
			}
		})
	}
}

// An administrator's form is read before it is kept: a password that its owner changes meanwhile must not come back.
func TestChangingAUserLeavesTheirPasswordAlone(t *testing.T) {
	ctx := context.Background()
	s := newSite(t)
	admin := s.administrator(t)
	s.user(t, admin, "bob", registry.RoleOperator)
	bob, err := s.hub.Registry.UserByName(ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	stale := bob
	if err := s.hub.Registry.SetPassword(ctx, bob.ID, bob.Password, "another"); err != nil {
		t.Fatal(err)
	}
	stale.Role = registry.RoleReader
	if err := s.hub.Registry.ChangeUser(ctx, stale); err != nil {
		t.Fatal(err)
	}
	if now, err := s.hub.Registry.UserByName(ctx, "bob"); err != nil || now.Password != "another" || now.Role != registry.RoleReader {
		t.Errorf("%+v, %v", now, err)
	}
}
