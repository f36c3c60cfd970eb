package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// TestTheReadmeWorksToItsEnd does what the README says, in the order that it says it, with other ports and the programs of these
// tests.
func TestTheReadmeWorksToItsEnd(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs(examplesFolder)
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	onPath := strings.Index(readme, "\nexport PATH=")
	if first := strings.Index(readme, "\ncontactbridge "); !strings.Contains(readme[:max(onPath, 0)], "\ngo install ") || first < onPath {
		t.Error("contactbridge is used before it is on the PATH")
	}
	bridgeAt, hubAt := ports.AddressForTest(t), ports.AddressForTest(t)
	readme = strings.NewReplacer("127.0.0.1:8080", bridgeAt, "127.0.0.1:8090", hubAt).Replace(readme)
	t.Chdir(t.TempDir())
	if err := os.Symlink(examples, "examples"); err != nil {
		t.Fatal(err)
	}
	writeTo(t, "bridge.yaml", blocks(readme, "yaml")[0])

	demo, rest, _ := strings.Cut(readme, "## Serve your contacts")
	if !strings.Contains(demo, "\ncontactbridge demo\n") {
		t.Error("the README does not begin with the demo")
	}
	var printed string
	for line := range strings.Lines(strings.Join(blocks(rest, ""), "")) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "  #")
		if name, value, ok := strings.Cut(strings.TrimPrefix(command, "export "), "="); ok && strings.HasPrefix(command, "export ") {
			t.Setenv(name, value)
		}
		args, ok := strings.CutPrefix(command, "contactbridge ")
		if !ok {
			continue
		}
		switch fields := words(args); {
		case fields[0] == "completion":
		case fields[0] == "serve":
			startProcess(t, fields...)
			waitForServer(t, bridgeAt)
		case fields[0] == "hub" && strings.HasPrefix(fields[1], "--"):
			startProcess(t, append(fields, "--listen", hubAt)...)
			waitForServer(t, hubAt)
		default:
			status, stdout, stderr := inProcess(t, fields...)
			if status != exitDone {
				t.Errorf("%s: status %d\n%s%s", command, status, stdout, stderr)
			}
			printed += stdout
		}
	}
	lookedUp := blocks(rest[strings.Index(rest, "The look-up prints"):], "")[0]
	if !strings.Contains(printed, lookedUp) {
		t.Errorf("nothing printed\n%s\nthis was printed:\n%s", lookedUp, printed)
	}
	token := regexp.MustCompile(`cb_[A-Za-z0-9_-]{32}`).FindString(printed)
	asked := regexp.MustCompile(`curl -H "(.*): (.*)" "(.*)"\n(.*)\n`).FindStringSubmatch(rest)
	if token == "" || asked == nil {
		t.Fatalf("no token, or no curl:\n%s", printed)
	}
	header := strings.ReplaceAll(asked[2], "$TOKEN", token)
	deadline := time.Now().Add(30 * time.Second)
	for answer := ""; answer != asked[4]; time.Sleep(50 * time.Millisecond) {
		if answer = getWith(t, asked[3], asked[1], header); time.Now().After(deadline) {
			t.Fatalf("%s answers %q, want %q", asked[3], answer, asked[4])
		}
	}
}

// The README shows what the demo prints, but for what is another thing each time.
func TestTheReadmeShowsTheDemo(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := inProcess(t, "demo", "--once", "--listen", "127.0.0.1:0")
	if status != exitDone {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	same := func(text string) string {
		text = regexp.MustCompile(`(?m)^crm: .*\n`).ReplaceAllString(text, "") // a terminal shows it only while it lasts
		text = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "ADDRESS")
		text = regexp.MustCompile(`, [^,\n]* s: `).ReplaceAllString(text, ", TIME: ")
		return regexp.MustCompile(`checkpoint .*`).ReplaceAllString(text, "checkpoint")
	}
	if shown := same(blocks(string(text), "")[1]); !strings.HasPrefix(same(stdout), shown) {
		t.Errorf("the README shows\n%s\nbut the demo prints\n%s", shown, same(stdout))
	}
}

// blocks returns the fenced texts of a page in a language.
func blocks(page, language string) (found []string) {
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	return found
}

// words takes a command line apart; quotes hold a word together.
func words(line string) (found []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		found = append(found, m[1]+m[2])
	}
	return found
}

func waitForServer(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if response, err := http.Get((&url.URL{Scheme: "http", Host: address, Path: "/healthz"}).String()); err == nil {
			response.Body.Close()
			return
		}
	}
	t.Fatalf("nothing answers at %s", address)
}

func getWith(t *testing.T, address, name, value string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(name, value)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
