// Package telephony_test makes calls through real telephone systems that ask a hub who is calling, with the configurations of
// docs/telephony.md.
package telephony_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/ports"
)

const calls = 200

// A stranger is an unknown caller: the last of every ten.
func stranger(n int) bool { return n%10 == 9 }

// callerNumber is the number of the nth caller, as the telephone network shows it.
func callerNumber(n int) string { return fmt.Sprintf("+1415555%04d", n) }

// hostile is a contact with a name that would end the header if it were not escaped.
func hostile(n int) bool { return n%10 == 8 }

// callerName returns the contact's name; empty if the caller is unknown.
func callerName(n int) string {
	switch {
	case stranger(n):
		return ""
	case hostile(n):
		return fmt.Sprintf(`Eve" <sip:x@y> ${z} %d\`, n)
	}
	if n%10 == 7 {
		return fmt.Sprintf("Colon):%d X", n) // which dial plans can misread
	}
	return fmt.Sprintf("Zoë O'Brien %d", n)
}

// nameShown returns the name that the called telephone is to show.
func nameShown(n int) string {
	if hostile(n) {
		return fmt.Sprintf("Eve' (sip:x@y) (z) %d/", n)
	}
	return callerName(n)
}

func TestEveryCallThroughKamailioGetsItsName(t *testing.T) {
	need(t, "kamailio", "sipp")
	hub := startHub(t)
	dir := t.TempDir()
	proxy, callee := ports.ForTest(t), ports.ForTest(t)

	background(t, dir, "kamailio", "-f", configuration(t), "-P", filepath.Join(dir, "pid"), "-Y", dir, "-w", dir, "-D", "-E",
		"-A", fmt.Sprintf("LISTEN=udp:127.0.0.1:%d", proxy), "-A", fmt.Sprintf("NEXT_HOP=\"sip:127.0.0.1:%d\"", callee),
		"-A", fmt.Sprintf("HUB=%q", hub), "-A", fmt.Sprintf("TOKEN=%q", token))
	messages := filepath.Join(dir, "messages.log")
	background(t, dir, "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", fmt.Sprint(callee), "-nostdin", "-trace_msg", "-message_file", messages)
	waitForPort(t, proxy)
	waitForPort(t, callee)

	numbers := "SEQUENTIAL\n"
	for n := range calls {
		numbers += callerNumber(n) + "\n"
	}
	list := filepath.Join(dir, "numbers.csv")
	if err := os.WriteFile(list, []byte(numbers), 0o600); err != nil {
		t.Fatal(err)
	}
	scenario, err := filepath.Abs("testdata/caller.xml")
	if err != nil {
		t.Fatal(err)
	}
	caller := exec.CommandContext(t.Context(), "sipp", "-sf", scenario, "-inf", list, fmt.Sprintf("127.0.0.1:%d", proxy), "-i", "127.0.0.1",
		"-p", fmt.Sprint(ports.ForTest(t)), "-m", fmt.Sprint(calls), "-r", "50", "-nostdin", "-timeout", "60s", "-timeout_error")
	caller.Dir = dir
	if out, err := caller.CombinedOutput(); err != nil { // its exit status is 0 when every call went well
		t.Fatalf("the calls failed: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	text, err := os.ReadFile(messages)
	if err != nil {
		t.Fatal(err)
	}
	shown := namesShown(text)
	for n := range calls {
		got, rang := shown[callerNumber(n)]
		if want := nameShown(n); !rang || got != want {
			t.Errorf("%s rang: %v, as %q, want %q", callerNumber(n), rang, got, want)
		}
	}
}

var from = regexp.MustCompile(`(?m)^From: *(?:"([^"]*)" *)?<sip:(\+[0-9]+)@`)

// namesShown holds the names that the called telephone was shown, by number.
func namesShown(messages []byte) map[string]string {
	shown := map[string]string{}
	for _, message := range bytes.Split(messages, []byte("message received")) {
		if !bytes.Contains(message, []byte("\nINVITE ")) {
			continue
		}
		if m := from.FindSubmatch(message); m != nil {
			shown[string(m[2])] = string(m[1])
		}
	}
	return shown
}

// need skips the test where a program is missing, and fails it in CI.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", program)
			}
			t.Skipf("%s is not installed (Debian packages kamailio, kamailio-utils-modules, sip-tester)", program)
		}
	}
}

func configuration(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../examples/telephony/kamailio.cfg")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// background runs a program until the test ends.
func background(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // kamailio ends its children
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s:\n%s", program, out.String()[max(0, out.Len()-4000):])
		}
	})
}

// waitForPort waits until a UDP port is taken.
func waitForPort(t *testing.T, port int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		c, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil && strings.Contains(err.Error(), "in use") {
			return
		}
		if err == nil {
			c.Close()
		}
	}
	t.Fatalf("nothing listens on port %d", port)
}
