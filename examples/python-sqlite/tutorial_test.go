package pythonsqlite

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
)

// blocks returns the named Python blocks of the tutorial.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "write-a-bridge.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, found := range regexp.MustCompile("(?ms)^```python ([a-z0-9-]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		named[found[1]] = found[2]
	}
	return named
}

// startStep runs the tutorial's bridge as it is after a step.
func startStep(t *testing.T, step, database string) (url string) {
	t.Helper()
	b := blocks(t)
	if b[step] == "" {
		t.Fatalf("the tutorial has no block %s", step)
	}
	// On a free port that the program itself finds and tells: another program could take one that is only looked for.
	program := strings.Join([]string{tellPort, b["frame"], b["contact"], b[step], b["start"]}, "\n")
	program = strings.ReplaceAll(program, "8080", "0")
	command := exec.Command(python(t), "-c", program)
	command.Dir = filepath.Dir(database)
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { (&process{command: command}).stop() })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if port, ok := strings.CutPrefix(lines.Text(), "port "); ok {
			return "http://127.0.0.1:" + port + "/contact_sync"
		}
	}
	t.Fatal("the bridge does not listen")
	return ""
}

// tellPort has every server print its port once it listens.
const tellPort = `
import socketserver
def activate(server, original=socketserver.TCPServer.server_activate):
    original(server)
    print("port", server.server_address[1], flush=True)
socketserver.TCPServer.server_activate = activate
`

// Every step of the tutorial fails the cases that it says it fails, and no later step fails them any more.
func TestTheTutorialTellsTheTruth(t *testing.T) {
	for step, want := range map[string]struct{ fails, passes []string }{
		"step-1": {fails: []string{"contact-id", "contact-name", "contact-nulls", "contact-unknown-fields"}},
		"step-2": {fails: []string{"checkpoint-set", "change-drift"}, passes: []string{"contact-id", "contact-name", "contact-nulls", "run-complete", "page-stable"}},
		"step-3": {fails: []string{"checkpoint-set"}, passes: []string{"run-complete", "contact-count", "change-drift", "change-ties"}},
		"step-4": {fails: []string{"checkpoint-clock"}, passes: []string{"incremental", "contact-count"}},
		"step-5": {fails: []string{"checkpoint-unknown"}, passes: []string{
			"checkpoint-set", "checkpoint-clock", "page-checkpoint", "change-updated", "change-same-moment", "change-drift",
			"change-ties", "change-during", "change-created", "contact-count",
		}},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			database := sample(t)
			target := bridgetest.Target{URL: startStep(t, step, database), Contacts: 2000}
			if step != "step-1" && step != "step-4" { // they send everything in one page
				target.Mutate = func(ctx context.Context, verb bridgetest.Verb, id string) (string, error) {
					return "", exec.CommandContext(ctx, python(t), "mutate.py", database, string(verb), id).Run()
				}
			}
			report, err := bridgetest.Check(t.Context(), target, bridgetest.Options{Pause: 1100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				if slices.Contains(want.fails, r.ID) && r.Outcome != bridgetest.Failed ||
					slices.Contains(want.passes, r.ID) && r.Outcome != bridgetest.Passed {
					t.Errorf("%s %s: %s %+v", r.ID, r.Outcome, r.Detail, r.Findings)
				}
			}
		})
	}
}
