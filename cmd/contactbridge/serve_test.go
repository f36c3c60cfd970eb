package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const examplesFolder = "../../examples"

// inProcess runs a command line in this process.
func inProcess(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServeCheckTellsEveryProblem(t *testing.T) {
	bad := writeFile(t, "bad.yaml", "listn: x\nendpoints:\n  crm:\n    source: {kind: memory, contacts: [{id: 1}]}\n    page: {time: 12s}\n")
	status, stdout, stderr := inProcess(t, "serve", "-c", bad, "--check")
	want := bad + `:1:1: unknown key "listn"
    Did you mean "listen"?
` + bad + `:3:3: endpoints.crm.auth is missing
    Choose one: a mapping of what callers must send (username: agent, password: ${NAME}); none, to let in anyone; source, to let the external service judge {{auth.name}}.
` + bad + `:5:18: a page cannot take 12s: the protocol fails a request after 10 s
    Choose at most 9s; 7s leaves time for the network.
3 problems in ` + bad + `. All keys: docs/configuration.md, or  contactbridge config docs
`
	if status != exitMisuse || stdout != "" || stderr != want {
		t.Errorf("status %d, printed %q and:\n%s\nwant:\n%s", status, stdout, stderr, want)
	}
	good := filepath.Join(examplesFolder, "bridge-memory.yaml")
	status, stdout, stderr = inProcess(t, "serve", "-c", good, "--check")
	if status != exitDone || stderr != "" || !strings.Contains(stdout, "1 endpoint, no problem") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
}

func TestServeRefusesToStart(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"without a file":          {filepath.Join(t.TempDir(), "none.yaml"), "does not exist"},
		"with a folder":           {t.TempDir(), "is a folder"},
		"without its certificate": {writeFile(t, "tls.yaml", "tls: {cert: no.pem, key: no.pem}\nendpoints: {a: {auth: none, source: {kind: memory, contacts: [{id: 1}]}}}"), "certificate"},
	} {
		if status, _, stderr := inProcess(t, "serve", "-c", c.file); status != exitMisuse || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%s: status %d, %s", name, status, stderr)
		}
	}
	taken := writeFile(t, "taken.yaml", "listen: 192.0.2.1:80\nendpoints: {a: {auth: none, source: {kind: memory, contacts: [{id: 1}]}}}")
	if status, _, stderr := inProcess(t, "serve", "-c", taken); status != exitFailed || !strings.Contains(stderr, "hint: This machine has no such address") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// commandLine makes a process of its own of this test binary: set to a command line, it is run instead of the tests.
const commandLine = "CONTACTBRIDGE_TEST_COMMAND"

// TestProcess is the process that startProcess starts. Among the other tests it has nothing to do.
func TestProcess(t *testing.T) {
	text, ok := os.LookupEnv(commandLine)
	if !ok {
		return
	}
	var args []string
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatal(err)
	}
	os.Exit(interruptible(args, os.Stdin, os.Stdout, os.Stderr))
}

// startProcess starts a command as a process. It returns the standard output.
func startProcess(t *testing.T, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcess$")
	cmd.Env = append(os.Environ(), commandLine+"="+string(text))
	cmd.Stderr = &bytes.Buffer{}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, stdout
}

func TestServeEndsInOrderOnASignal(t *testing.T) {
	config := writeFile(t, "bridge.yaml", `
listen: 127.0.0.1:0
log: {format: json}
endpoints: {crm: {auth: {password: s3cr3t-P4ss}, source: {kind: memory, contacts: [{id: 1, name: Ann}]}}}
`)
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd, stdout := startProcess(t, "serve", "-c", config)
			lines := bufio.NewScanner(stdout)
			lines.Scan()
			base, ok := strings.CutPrefix(lines.Text(), "bridge listening on ")
			if !ok {
				t.Fatalf("the first line is %q; %s", lines.Text(), cmd.Stderr)
			}
			if lines.Scan(); lines.Text() != "crm: POST /crm/contact_sync (memory)" {
				t.Errorf("the second line is %q", lines.Text())
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for password, want := range map[string]int{"s3cr3t-P4ss": http.StatusOK, "wrong": http.StatusUnauthorized} {
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/crm/contact_sync", strings.NewReader(`{"auth":{"password":"`+password+`"}}`))
				if err != nil {
					t.Fatal(err)
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != want {
					t.Errorf("%s: %d", password, response.StatusCode)
				}
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, stdout)
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
			log := cmd.Stderr.(*bytes.Buffer).String()
			if !strings.Contains(log, `"msg":"stopped"`) || strings.Contains(log, "s3cr3t") {
				t.Errorf("the log is:\n%s", log)
			}
		})
	}
}

func TestConfigPrintsWhatIsShipped(t *testing.T) {
	for name, file := range map[string]string{"docs": "../../docs/configuration.md", "schema": "../../schema/bridge.schema.json"} {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if status, stdout, stderr := inProcess(t, "config", name); status != exitDone || stdout != string(want) {
			t.Errorf("%s: status %d, %d bytes instead of %d; %s", name, status, len(stdout), len(want), stderr)
		}
		output := filepath.Join(t.TempDir(), "out")
		status, stdout, _ := inProcess(t, "config", name, "-o", output)
		got, _ := os.ReadFile(output)
		if status != exitDone || stdout != "" || !bytes.Equal(got, want) {
			t.Errorf("%s -o: status %d, %d bytes", name, status, len(got))
		}
	}
}
