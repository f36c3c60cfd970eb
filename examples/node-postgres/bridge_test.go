// Package nodepostgres proves that the example bridge in Node does what it teaches.
package nodepostgres

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

var (
	server pgtest.Suite
	auth   = map[string]string{"username": "agent", "password": "correct horse bättery staple"}
)

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

// missing skips a test for want of something, or fails it where CI is "true".
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what + ": the example bridge in Node was not tested")
}

// install copies the example and installs what its lock file names.
func install(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed")
		}
	}
	folder := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "bridge.js", "mutate.js"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = folder
	if output, err := npm.CombinedOutput(); err != nil {
		t.Logf("%s", output)
		missing(t, fmt.Sprintf("npm ci: %v", err))
	}
	return folder
}

// A process is the running bridge.
type process struct {
	command *exec.Cmd
	url     *url.URL
}

// start starts the bridge on a port, 0 for a free one, and waits until it listens.
func start(t *testing.T, folder, dsn, port string) *process {
	t.Helper()
	command := exec.Command("node", "bridge.js")
	command.Dir = folder
	command.Env = append(os.Environ(), "DATABASE_URL="+dsn, "PORT="+port,
		"BRIDGE_USERNAME="+auth["username"], "BRIDGE_PASSWORD="+auth["password"])
	command.Stderr = os.Stderr
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
	if p.url, err = url.Parse(strings.TrimPrefix(lines.Text(), "listening on ")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) stop() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

func TestTheExamplePassesTheCheckStrict(t *testing.T) {
	script, err := os.ReadFile("contacts.sql")
	if err != nil {
		t.Fatal(err)
	}
	database := server.Database(t, string(script))
	folder := install(t)
	running := start(t, folder, database.DSN, "0")
	bridgetest.Run(t, bridgetest.Target{
		URL:  running.url.String(),
		Auth: auth,
		Mutate: func(ctx context.Context, verb bridgetest.Verb, id string) (string, error) {
			command := exec.CommandContext(ctx, "node", "mutate.js", string(verb), id)
			command.Dir = folder
			command.Env = append(os.Environ(), "DATABASE_URL="+database.DSN)
			output, err := command.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, output)
			}
			return "", err
		},
		Restart: func(context.Context) error {
			running.stop()
			running = start(t, folder, database.DSN, running.url.Port())
			return nil
		},
		Contacts: 2000,
	}, bridgetest.Options{Pause: time.Second})
}
