package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/internal/test/process"
)

// ErrNoBouncer means that the machine has no PgBouncer.
var ErrNoBouncer = errors.New("no PgBouncer is installed")

// Bouncer starts a PgBouncer in front of a database and returns its DSN there, until the test ends. mode is its pool_mode.
func (d *Database) Bouncer(t testing.TB, mode string) (dsn string, err error) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; !exists(program) {
			return "", ErrNoBouncer
		}
	}
	port, err := ports.Free()
	if err != nil {
		return "", err
	}
	server := d.suite.Server(t)
	file := filepath.Join(server.Dir, fmt.Sprintf("pgbouncer-%d.ini", port))
	settings := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir =\nauth_type=any\npool_mode=%s\n",
		server.Port, port, mode)
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command(program, "-q", file)
	cmd.Dir, cmd.SysProcAttr = server.Dir, process.Attributes(server.owner)
	wait, err := process.Start(cmd)
	if err != nil {
		return "", fmt.Errorf("start PgBouncer: %w", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL) // it may have ended by itself
		_ = wait()
	})
	dsn = "postgres://postgres@127.0.0.1:" + strconv.Itoa(port) + "/" + d.Name + "?sslmode=disable"
	return dsn, answers(t.Context(), dsn)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// answers waits until a server can be connected to.
func answers(ctx context.Context, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
