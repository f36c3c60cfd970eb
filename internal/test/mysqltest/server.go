// Package mysqltest starts a private, throw-away MariaDB server for tests and measurements: loopback only, its own port, nothing
// synced to disk, gone when the process is gone.
package mysqltest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/internal/test/process"
)

// ErrNotInstalled means that the machine has no MariaDB server.
var ErrNotInstalled = errors.New("no MariaDB server is installed: mariadbd and mariadb-install-db are missing (Debian package mariadb-server)")

// A Server is a running MariaDB server. User root may log in without a password.
type Server struct {
	Port int
	Dir  string // holds the data, the socket and the log; removed by Stop

	daemon  string
	owner   *syscall.Credential // nil if the server runs as ourselves
	options []string
	command *exec.Cmd
	exited  chan struct{}
}

// Start makes a data directory and starts a server on it. options are flags of mariadbd, such as "--sql-mode=ANSI_QUOTES".
func Start(ctx context.Context, options ...string) (*Server, error) {
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return nil, ErrNotInstalled
	}
	s := &Server{daemon: findDaemon(), options: options}
	if s.daemon == "" {
		return nil, ErrNotInstalled
	}
	if s.Dir, err = os.MkdirTemp("", "mysqltest-"); err != nil {
		return nil, err
	}
	if err = os.Mkdir(s.file("tmp"), 0o777); err == nil {
		err = os.Chmod(s.file("tmp"), 0o777|os.ModeSticky)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	if err = s.install(ctx, install); err == nil {
		err = s.Launch(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func findDaemon() string {
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// install makes the data directory, with the system's tables.
func (s *Server) install(ctx context.Context, program string) error {
	args := []string{
		"--no-defaults", "--datadir=" + s.file("data"), "--tmpdir=" + s.file("tmp"),
		"--auth-root-authentication-method=normal", "--skip-test-db",
	}
	if os.Geteuid() == 0 { // the server refuses to run as root
		var err error
		if s.owner, err = process.Owner("mysql"); err != nil {
			return err
		}
		if err := errors.Join(os.Chmod(s.Dir, 0o755), os.Chown(s.Dir, int(s.owner.Uid), int(s.owner.Gid))); err != nil {
			return err
		}
		args = append(args, "--user=mysql")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, out.String())
	}
	return nil
}

// Launch starts the server, again after [Server.Kill] or [Server.Shutdown], and waits until it answers.
func (s *Server) Launch(ctx context.Context) (err error) {
	if s.Port == 0 {
		if s.Port, err = ports.Free(); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(s.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.daemon, s.arguments()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	cmd.SysProcAttr = process.Attributes(s.owner)
	wait, err := process.Start(cmd)
	if err != nil {
		return fmt.Errorf("start mariadbd: %w", err)
	}
	s.command, s.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		defer close(exited)
		_ = wait() // its status says nothing that the log does not
	}(s.exited)
	return s.await(ctx)
}

func (s *Server) arguments() []string {
	return append([]string{
		"--no-defaults", "--datadir=" + s.file("data"), "--socket=" + s.Socket(), "--pid-file=" + s.file("pid"),
		// A server that starts deletes the temporary tables that it finds, and one whose tables were deleted crashes (10.11).
		"--tmpdir=" + s.file("tmp"),
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.Port), "--skip-name-resolve", "--character-set-server=utf8mb4",
		// Commits outlive the server's processes, though not the machine.
		"--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--skip-log-bin", "--max-connections=300",
	}, s.options...)
}

// await waits until the server answers a query.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	db, err := s.Open("root", "", "")
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("mariadbd did not start: %s", s.Log())
		case <-ctx.Done():
			return fmt.Errorf("mariadbd does not answer: %w: %s", err, s.Log())
		}
	}
}

func (s *Server) file(name string) string { return filepath.Join(s.Dir, name) }

// Socket returns the path of the server's Unix socket.
func (s *Server) Socket() string { return s.file("socket") }

// Open returns a pool of connections of the plain driver to a database. It connects when it is used.
func (s *Server) Open(user, password, database string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = user, password, database
	cfg.Net, cfg.Addr = "tcp", "127.0.0.1:"+strconv.Itoa(s.Port)
	cfg.MultiStatements, cfg.Logger = true, quiet{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// quiet drops the driver's messages: a server that does not answer yet is expected.
type quiet struct{}

// Print implements [mysql.Logger].
func (quiet) Print(...any) {}

// DSN returns the address of a database for a user, as kind mysql takes it.
func (s *Server) DSN(user, password, database string) string {
	u := url.URL{Scheme: "mysql", User: url.User(user), Host: "127.0.0.1:" + strconv.Itoa(s.Port), Path: "/" + database}
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}

// Log returns the end of the server's log.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.file("log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-4000):]))
}

// Kill ends the server with SIGKILL. [Server.Launch] starts it again.
func (s *Server) Kill() { s.signal(syscall.SIGKILL) }

// Shutdown ends the server in order. [Server.Launch] starts it again.
func (s *Server) Shutdown() { s.signal(syscall.SIGTERM) }

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
	s.signal(syscall.SIGKILL)
	return os.RemoveAll(s.Dir)
}
