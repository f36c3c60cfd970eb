package ldaptest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	client "github.com/go-ldap/ldap/v3"
)

// A Suite is a server of a package's tests. It starts with the first test that asks.
type Suite struct {
	// Start starts the server.
	Start func(ctx context.Context) (*Server, error)

	once   sync.Once
	server *Server
	err    error

	mu   sync.Mutex
	next int // numbers units
}

// Stop ends the server, if it was started. The package's TestMain calls it.
func (s *Suite) Stop() error {
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// Main runs a package's tests and stops the servers of its suites after them.
func Main(m *testing.M, suites ...*Suite) (status int) {
	defer func() {
		for _, s := range suites {
			if err := s.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "ldaptest:", err)
				status = max(status, 1)
			}
		}
	}()
	return m.Run()
}

// Server returns the running server. A machine without it skips the test, or fails it where CI is "true".
func (s *Suite) Server(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
		defer cancel()
		s.server, s.err = s.Start(ctx)
	})
	if errors.Is(s.err, ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(s.err)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// Connect opens a connection as admin that ends with the test.
func (s *Suite) Connect(t testing.TB) *client.Conn {
	t.Helper()
	c, err := s.Server(t).Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Unit makes an organizational unit that no other test has.
func (s *Suite) Unit(t testing.TB) (dn string) {
	t.Helper()
	s.mu.Lock()
	s.next++
	name := fmt.Sprintf("unit%d", s.next)
	s.mu.Unlock()
	dn = "ou=" + name + "," + s.Server(t).Base
	add := client.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"organizationalUnit"})
	if err := s.Connect(t).Add(add); err != nil {
		t.Fatalf("add %s: %v", dn, err)
	}
	return dn
}
