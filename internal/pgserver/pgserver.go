// Package pgserver runs a private, throw-away PostgreSQL on loopback for tests and benchmarks.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotInstalled says that there is no PostgreSQL server on this machine.
var ErrNotInstalled = errors.New("no PostgreSQL server is installed (Debian package: postgresql)")

// A Server is one running PostgreSQL.
type Server struct {
	Port int // on 127.0.0.1

	bin, dir string
	options  []string
	process  *exec.Cmd
	exited   chan struct{}
}

// Start makes a database cluster in a temporary folder and starts a server on it, with user postgres and no password.
// Options are settings such as "max_connections=50". Durability is off: the data survives a killed server, not a
// killed machine.
func Start(ctx context.Context, options ...string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "contactbridge-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, options: options}
	if err := s.start(ctx); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if id, err := unprivileged(); err != nil {
		return err
	} else if id != nil {
		if err := os.Chown(s.dir, int(id.Uid), int(id.Gid)); err != nil {
			return err
		}
	}
	initdb, err := s.command(ctx, "initdb", "-D", s.data(), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if err != nil {
		return err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("make a database cluster: %w: %s", err, bytes.TrimSpace(out))
	}
	if s.Port, err = freePort(); err != nil {
		return err
	}
	return s.Restart(ctx)
}

// Restart starts the server again after Kill, on the same port and data. A killed server's children live on for a moment, and
// until they have noticed a new one refuses to start: then it is tried again.
func (s *Server) Restart(ctx context.Context) (err error) {
	for range 100 {
		if err = s.launch(ctx); !errors.Is(err, errExited) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

var errExited = errors.New("PostgreSQL did not start")

func (s *Server) launch(ctx context.Context) error {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.Port), "-k", s.dir}
	for _, o := range slices.Concat([]string{
		"listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", // not synchronous_commit=off: a commit must survive Kill
		"max_connections=100", "max_prepared_transactions=10", "autovacuum_naptime=5s",
	}, s.options) {
		args = append(args, "-c", o)
	}
	cmd, err := s.command(context.WithoutCancel(ctx), "postgres", args...)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.process, s.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) { _ = cmd.Wait(); close(exited) }(s.exited)
	return s.waitReady(ctx)
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("%w: %s", errExited, log[max(0, len(log)-2000):])
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// DSN is the connection string of a database for the superuser.
func (s *Server) DSN(database string) string { return s.UserDSN("postgres", database) }

// UserDSN is the connection string of a database for a user.
func (s *Server) UserDSN(name, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s", name, s.Port, database)
}

// Kill ends the server as a crash would: with SIGKILL. Its children end as soon as they notice.
func (s *Server) Kill() error {
	if err := syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL); err != nil {
		return err
	}
	<-s.exited
	// The next start refuses while the dead server's lock file names a process that lives.
	return ignoreMissing(os.Remove(filepath.Join(s.data(), "postmaster.pid")))
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	if s.process != nil {
		_ = s.process.Process.Signal(syscall.SIGINT) // fast shutdown
		select {
		case <-s.exited:
		case <-time.After(20 * time.Second):
			_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
			<-s.exited
		}
	}
	return os.RemoveAll(s.dir)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is one of the server's programs, as a user other than root (which PostgreSQL refuses), in a process group of its own.
func (s *Server) command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	id, err := unprivileged()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "PGTZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: id}
	return cmd, nil
}

// unprivileged is who runs the server when we are root: postgres, else nobody. Nil when we are not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// binaries is the folder of the newest PostgreSQL server.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", ErrNotInstalled
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
