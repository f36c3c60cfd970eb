// Package pgtest starts a private, throw-away PostgreSQL server for tests and measurements: loopback only, a port of its
// own, nothing synced to disk, gone when the process is gone.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/internal/test/process"
)

// ErrNotInstalled means that the machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("no PostgreSQL server is installed: initdb and postgres are neither in PATH nor under /usr/lib/postgresql")

// A Server is a running PostgreSQL server. User postgres may log in without a password, everybody else needs theirs.
type Server struct {
	Port int
	Dir  string // holds the data and the log; removed by Stop

	bin     string
	owner   *syscall.Credential // nil if the server runs as ourselves
	options []string
	command *exec.Cmd
	exited  chan struct{}
}

// Start makes a database cluster and starts a server on it. options are settings such as "wal_level=logical".
func Start(ctx context.Context, options ...string) (*Server, error) {
	s, err := prepare(options)
	if err != nil {
		return nil, err
	}
	args := []string{"-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}
	if out, err := s.run(ctx, "initdb", args...); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(s.Dir))
	}
	return s, s.begin(ctx)
}

// Save copies the cluster into a folder, from which [Restore] starts a server. This server is ended meanwhile.
func (s *Server) Save(ctx context.Context, folder string) error {
	s.Shutdown()
	if err := process.Copy(ctx, s.data(), folder); err != nil {
		return err
	}
	return s.Launch(ctx)
}

// Restore starts a server on a copy of what [Server.Save] wrote.
func Restore(ctx context.Context, folder string, options ...string) (*Server, error) {
	s, err := prepare(options)
	if err != nil {
		return nil, err
	}
	if err := process.Copy(ctx, folder, s.data()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.Dir))
	}
	return s, s.begin(ctx)
}

// Attach returns a server that another process runs, such as pgserver. It cannot be ended or started with it; Stop removes only
// the folder for files of one's own.
func Attach(port int) (*Server, error) {
	s, err := prepare(nil)
	if err != nil {
		return nil, err
	}
	s.Port = port
	return s, nil
}

// prepare finds the programs and makes the folder.
func prepare(options []string) (*Server, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, options: options}
	if s.Dir, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return s, nil
	}
	// The server refuses to run as root.
	if s.owner, err = process.Owner("postgres"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.Dir))
	}
	return s, errors.Join(os.Chmod(s.Dir, 0o755), os.Chown(s.Dir, int(s.owner.Uid), int(s.owner.Gid)))
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// begin writes the access rules, starts the server, and stops it again if it does not answer.
func (s *Server) begin(ctx context.Context) error {
	err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(access), 0o600)
	if err == nil {
		err = s.Launch(ctx)
	}
	if err != nil {
		return errors.Join(err, s.Stop())
	}
	return nil
}

const access = `
local all all trust
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
`

// Standby starts a server that replays what this one does.
func (s *Server) Standby(ctx context.Context) (*Server, error) {
	if _, err := os.Stat(filepath.Join(s.bin, "pg_basebackup")); err != nil {
		return nil, fmt.Errorf("%w: no pg_basebackup beside it", ErrNotInstalled)
	}
	standby, err := prepare(s.options)
	if err != nil {
		return nil, err
	}
	args := []string{"-D", standby.data(), "-d", s.DSN(""), "-R", "-X", "stream", "-c", "fast", "--no-sync"}
	if out, err := standby.run(ctx, "pg_basebackup", args...); err != nil {
		return nil, errors.Join(fmt.Errorf("pg_basebackup: %w: %s", err, out), os.RemoveAll(standby.Dir))
	}
	return standby, standby.begin(ctx)
}

// CaughtUp waits until a standby has replayed everything that this server has written.
func (s *Server) CaughtUp(ctx context.Context, standby *Server) error {
	primary, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer primary.Close(ctx)
	var written string
	if err := primary.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&written); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, standby.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		var done bool
		err := conn.QueryRow(ctx, "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written).Scan(&done)
		if err != nil || done {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// BinVariable names the environment variable that chooses the folder of the server's programs, for tests against another
// version. One without pg_basebackup does, for all but standbys.
const BinVariable = "PGTEST_BIN"

// findBin finds the folder of the server's programs: the chosen one, or the newest.
func findBin() (string, error) {
	if dir := os.Getenv(BinVariable); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err != nil {
			return "", fmt.Errorf("%s: %w", BinVariable, err)
		}
		return dir, nil
	}
	candidates, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(candidates, func(a, b string) int { return version(b) - version(a) })
	if found, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(found))
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", ErrNotInstalled
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// run runs one of the server's programs and returns what it printed.
func (s *Server) run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir = s.Dir
	cmd.SysProcAttr = process.Attributes(s.owner)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	wait, err := process.Start(cmd)
	if err == nil {
		err = wait()
	}
	return strings.TrimSpace(out.String()), err
}

// Launch starts the server, again after [Server.Kill] or [Server.Shutdown], and waits until it answers. A killed server's
// children live on until they notice, and as long as they do a new server refuses to start: then it is tried again.
func (s *Server) Launch(ctx context.Context) (err error) {
	if s.Port == 0 {
		if s.Port, err = ports.Free(); err != nil {
			return err
		}
	}
	for range 100 {
		if err = s.launch(ctx); !errors.Is(err, errExited) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

var errExited = errors.New("postgres did not start")

func (s *Server) launch(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), s.arguments()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	cmd.SysProcAttr = process.Attributes(s.owner)
	wait, err := process.Start(cmd)
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.command, s.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		defer close(exited)
		_ = wait() // its status says nothing that the log does not
	}(s.exited)
	return s.await(ctx)
}

func (s *Server) arguments() []string {
	args := []string{"-D", s.data()}
	for _, option := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.Port), "unix_socket_directories=" + s.Dir,
		// Commits outlive the server's processes, though not the machine.
		"fsync=off", "full_page_writes=off", "max_connections=100", "max_prepared_transactions=10",
		"shared_buffers=256MB", "max_wal_size=4GB",
	}, s.options...) {
		args = append(args, "-c", option)
	}
	return args
}

// await waits until the server answers a query.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("%w: %s", errExited, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w: %s", err, s.Log())
		}
	}
}

// DSN is the address of a database for user postgres.
func (s *Server) DSN(database string) string { return s.DSNFor("postgres", "", database) }

// DSNFor is the address of a database for a user.
func (s *Server) DSNFor(name, password, database string) string {
	if password != "" {
		name += ":" + password
	}
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", name, s.Port, database)
}

// Log is the end of what the server has logged.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// Kill ends the server with SIGKILL. [Server.Launch] starts it again.
func (s *Server) Kill() { s.signal(syscall.SIGKILL) }

// Shutdown ends the server in order; open connections are cut. [Server.Launch] starts it again.
func (s *Server) Shutdown() { s.signal(syscall.SIGINT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.command == nil {
		return
	}
	_ = s.command.Process.Signal(sig) // it may have ended by itself
	<-s.exited
	s.command = nil
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	s.signal(syscall.SIGQUIT)
	return os.RemoveAll(s.Dir)
}
