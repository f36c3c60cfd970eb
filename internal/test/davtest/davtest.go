// Package davtest starts private, throw-away CardDAV servers for tests and measurements: Radicale, Cyrus and SOGo, on loopback, each
// with one user who is called alice and has the password "secret". They are gone when the process is gone.
package davtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/internal/test/process"
)

// The user of every server.
const (
	User     = "alice"
	Password = "secret"
)

// ErrNotInstalled means that the machine lacks a server.
var ErrNotInstalled = errors.New("is not installed")

// A Server is a running CardDAV server.
type Server struct {
	Name string
	URL  string // where a client begins to look
	Home string // path of the collection of alice's address books
	// Anybody says that the server asks nobody for a password.
	Anybody bool

	base    string // scheme and host
	dir     string // removed by Stop
	running []*running
	stop    []func() error // what belongs to it besides
	client  http.Client

	mu     sync.Mutex
	next   int             // numbers address books
	filled map[string]bool // address books that have cards
}

// A running is a program that the server consists of.
type running struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// newServer makes a folder that other users may look into, in memory where that is possible: servers wait for each card to be on disk.
func newServer(name string) (*Server, error) {
	parent := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() && os.Getuid() == 0 {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "davtest-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	return &Server{Name: name, dir: dir, filled: map[string]bool{}}, nil
}

// listen chooses the server's address.
func (s *Server) listen() (port int, err error) {
	if port, err = ports.Free(); err == nil {
		s.base = fmt.Sprintf("http://127.0.0.1:%d", port)
	}
	return port, err
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// write writes a file, which the owner of the server may read.
func (s *Server) write(name, content string) error {
	return os.WriteFile(s.file(name), []byte(content), 0o644)
}

// launch starts a program of the server; its output goes to a file.
func (s *Server) launch(cmd *exec.Cmd, owner *syscall.Credential) error {
	log, err := os.OpenFile(s.file("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr, cmd.Dir = log, s.dir
	cmd.SysProcAttr = process.Attributes(owner)
	wait, err := process.Start(cmd)
	if err != nil {
		return err
	}
	r := &running{cmd: cmd, exited: make(chan struct{})}
	s.running = append(s.running, r)
	go func() {
		_ = wait()
		close(r.exited)
	}()
	return nil
}

// await waits until the server answers a request for the home of alice.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		status, err := s.Do(ctx, "PROPFIND", s.Home, nil, map[string]string{"Depth": "0"})
		if err == nil && status == http.StatusMultiStatus {
			return nil
		}
		for _, r := range s.running {
			select {
			case <-r.exited:
				return fmt.Errorf("%s ended: %s", s.Name, s.Log())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer (status %d, %w): %s", s.Name, status, err, s.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Log returns the end of what the server wrote.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.file("log"))
	return strings.TrimSpace(string(text[max(0, len(text)-4000):]))
}

// Stop ends the server and removes its files.
func (s *Server) Stop() error {
	for _, r := range s.running {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGTERM) // its process group
		select {
		case <-r.exited:
		case <-time.After(2 * time.Second):
			_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
			<-r.exited
		}
	}
	s.running = nil
	var errs []error
	for _, stop := range s.stop {
		errs = append(errs, stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// Do sends a request as alice and returns its status.
func (s *Server) Do(ctx context.Context, method, path string, body []byte, header map[string]string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, strings.NewReader(string(body)))
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth(User, Password)
	request.Header["X-Idempotency-Key"] = nil // not sent: what was on its way when a server closed the connection is repeated
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, nil
}

// must sends a request that has to succeed.
func (s *Server) must(t testing.TB, method, path string, body []byte, header map[string]string) {
	t.Helper()
	status, err := s.Do(context.Background(), method, path, body, header)
	if err != nil || status/100 != 2 {
		t.Fatalf("%s %s at %s: status %d, %v; the end of its log:\n%s", method, path, s.Name, status, err, s.Log())
	}
}

// Book makes an address book that no other test has, and returns its path. It is removed when the test ends.
func (s *Server) Book(t testing.TB) (path string) {
	t.Helper()
	s.mu.Lock()
	s.next++
	name := fmt.Sprintf("book%d", s.next)
	s.mu.Unlock()
	path = s.Home + name + "/"
	s.must(t, "MKCOL", path, []byte(`<?xml version="1.0" encoding="utf-8"?><d:mkcol xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:set><d:prop>`+
		`<d:resourcetype><d:collection/><c:addressbook/></d:resourcetype><d:displayname>The `+name+`</d:displayname></d:prop></d:set></d:mkcol>`),
		map[string]string{"Content-Type": "application/xml; charset=utf-8"})
	t.Cleanup(func() {
		if _, err := s.Do(context.Background(), http.MethodDelete, path, nil, nil); err != nil {
			t.Errorf("remove %s: %v", path, err)
		}
	})
	return path
}

// Put writes a card.
func (s *Server) Put(t testing.TB, path, card string) {
	t.Helper()
	s.mu.Lock()
	s.filled[path[:strings.LastIndexByte(path, '/')+1]] = true
	s.mu.Unlock()
	s.must(t, http.MethodPut, path, []byte(card), map[string]string{"Content-Type": "text/vcard; charset=utf-8"})
}

// PutAll writes cards of one book, by their paths; several at a time. A UID must be the name of its card without the ending.
func (s *Server) PutAll(t testing.TB, cards map[string]string) {
	t.Helper()
	if s.Name == "Radicale" && len(cards) > 4 && s.fill(t, cards) {
		return
	}
	s.mu.Lock()
	for path := range cards {
		s.filled[path[:strings.LastIndexByte(path, '/')+1]] = true
	}
	s.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(4)
	for path, card := range cards {
		group.Go(func() error {
			status, err := s.Do(context.Background(), http.MethodPut, path, []byte(card), map[string]string{"Content-Type": "text/vcard; charset=utf-8"})
			if err == nil && status/100 != 2 {
				err = fmt.Errorf("PUT %s at %s: status %d", path, s.Name, status)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// fill writes the cards of a book that is empty in one request, which Radicale takes: it is many times as fast. It reports whether the
// book was empty.
func (s *Server) fill(t testing.TB, cards map[string]string) bool {
	t.Helper()
	var book string
	var all strings.Builder
	for path, card := range cards {
		book = path[:strings.LastIndexByte(path, '/')+1]
		all.WriteString(card)
	}
	s.mu.Lock()
	filled := s.filled[book]
	s.filled[book] = true
	s.mu.Unlock()
	if filled {
		return false
	}
	s.must(t, http.MethodPut, book, []byte(all.String()), map[string]string{"Content-Type": "text/vcard; charset=utf-8"})
	return true
}

// Get returns a card as the server has it.
func (s *Server) Get(ctx context.Context, path string) (card []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(User, Password)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", path, response.StatusCode)
	}
	return io.ReadAll(response.Body)
}

// Delete removes a card or a book.
func (s *Server) Delete(t testing.TB, path string) {
	t.Helper()
	s.must(t, http.MethodDelete, path, nil, nil)
}

// Move renames a card, or moves it to another book.
func (s *Server) Move(t testing.TB, from, to string) {
	t.Helper()
	if s.Name != "SOGo" { // MOVE ends one of its workers
		status, err := s.Do(context.Background(), "MOVE", from, nil, map[string]string{"Destination": s.base + to, "Overwrite": "F"})
		switch {
		case err != nil:
			t.Fatal(err)
		case status/100 == 2:
			return
		case status != http.StatusMethodNotAllowed && status != http.StatusConflict: // some have no MOVE, or none between books
			t.Fatalf("MOVE %s at %s: status %d", from, s.Name, status)
		}
	}
	card, err := s.Get(context.Background(), from)
	if err != nil {
		t.Fatal(err)
	}
	s.Put(t, to, string(card))
	s.Delete(t, from)
}

// A Suite is a server of a package's tests. It starts with the first test that asks.
type Suite struct {
	Start func(context.Context) (*Server, error)

	once   sync.Once
	server *Server
	err    error
}

// Server returns the running server. A machine without it skips the test, or fails it where CI is "true".
func (s *Suite) Server(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
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

// Stop stops the server if it was started.
func (s *Suite) Stop() error {
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// Main runs a package's tests and stops the servers after them.
func Main(m *testing.M, suites ...*Suite) (status int) {
	status = m.Run()
	for _, s := range suites {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "davtest:", err)
			status = max(status, 1)
		}
	}
	return status
}

// program finds a program of a Debian package.
func program(name, pkg string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/sbin", "/usr/lib/cyrus/bin"} {
		if path := filepath.Join(folder, name); isFile(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s (Debian package %s) %w", name, pkg, ErrNotInstalled)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Running returns a server that runs already. home is the path of the collection of alice's address books.
func Running(address, home string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	s, err := newServer("the server at " + u.Host)
	if err != nil {
		return nil, err
	}
	s.URL, s.Home, s.base = address, home, u.Scheme+"://"+u.Host
	request, err := http.NewRequest("PROPFIND", s.base+home, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	s.Anybody = response.StatusCode == http.StatusMultiStatus
	return s, nil
}
