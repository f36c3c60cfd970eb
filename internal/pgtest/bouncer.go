package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Bouncer starts PgBouncer in transaction mode in front of the suite's server, until the test ends, and returns a database's
// address behind it. A machine without PgBouncer skips the test, or fails it where CI is "true".
func (s *Suite) Bouncer(t testing.TB, database *Database) (dsn string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // which is not in everybody's path
	}
	if _, err := os.Stat(program); err != nil && os.Getenv("CI") != "true" {
		t.Skip("pgbouncer is not installed")
	}
	server := s.Server(t)
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(server.Dir, fmt.Sprintf("pgbouncer-%d.ini", port))
	text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\n"+
		"unix_socket_dir =\nauth_type = any\npool_mode = transaction\n", server.Port, port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-q", config)
	cmd.Dir, cmd.SysProcAttr = server.Dir, processAttributes(server.owner)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", address, database.Name)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("pgbouncer does not answer")
	return ""
}
