// Package pythonsqlite proves that the example bridge in Python does what it teaches.
package pythonsqlite

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
)

var auth = map[string]string{"username": "agent", "password": "correct horse bättery staple"}

// python returns the interpreter; a machine without it skips the test, or fails it where CI is "true".
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal("python3 is not installed")
	case err != nil:
		t.Skip("python3 is not installed: the example bridge in Python was not tested")
	}
	return path
}

// sample makes the sample database.
func sample(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "contacts.db")
	script, err := os.ReadFile("contacts.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(script)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A process is the running bridge.
type process struct {
	command *exec.Cmd
	url     string
}

// start starts the bridge on a port, 0 for a free one, and waits until it listens.
func start(t *testing.T, database, port string) *process {
	t.Helper()
	return startProgram(t, "bridge.py", database, port)
}

// startProgram starts another version of the bridge.
func startProgram(t *testing.T, program, database, port string) *process {
	t.Helper()
	command := exec.Command(python(t), program, database, port)
	command.Env = append(os.Environ(), "BRIDGE_USERNAME="+auth["username"], "BRIDGE_PASSWORD="+auth["password"])
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{command: command}
	t.Cleanup(func() { p.stop() })
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatal("the bridge said nothing")
	}
	var ok bool
	if p.url, ok = strings.CutPrefix(lines.Text(), "listening on "); !ok {
		t.Fatal(lines.Text())
	}
	return p
}

func (p *process) stop() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

func TestTheExamplePassesTheCheckStrict(t *testing.T) {
	database := sample(t)
	running := start(t, database, "0")
	_, port, _ := strings.Cut(strings.TrimPrefix(running.url, "http://"), ":")
	port, _, _ = strings.Cut(port, "/")
	bridgetest.Run(t, bridgetest.Target{
		URL:  running.url,
		Auth: auth,
		Mutate: func(ctx context.Context, verb bridgetest.Verb, id string) (string, error) {
			output, err := exec.CommandContext(ctx, python(t), "mutate.py", database, string(verb), id).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, output)
			}
			return "", err
		},
		Restart: func(context.Context) error {
			running.stop()
			running = start(t, database, port)
			return nil
		},
		Contacts: 2000,
	}, bridgetest.Options{Pause: time.Second})
}
