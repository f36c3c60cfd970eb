package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/bridge/bridgetest/faultybridge"
)

// checkFault runs check against a bridge with one fault.
func checkFault(t *testing.T, fault faultybridge.Fault, flags ...string) (status int, stdout, stderr string) {
	t.Helper()
	server := httptest.NewServer(faultybridge.New(50, 10, fault))
	defer server.Close()
	args := []string{"check", server.URL + "/contact_sync", "--pause", "10ms"}
	for key, value := range faultybridge.Auth() {
		args = append(args, "--auth", key+"="+value)
	}
	return checkWith(t, append(args, flags...)...)
}

func checkWith(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

func TestCheckExitsByWhatFailed(t *testing.T) {
	for _, c := range []struct {
		fault  faultybridge.Fault
		flags  []string
		status int
	}{
		{faultybridge.None, []string{"--strict"}, exitDone},
		{faultybridge.NullFields, nil, exitDone}, // should
		{faultybridge.NullFields, []string{"--strict"}, exitFailed},
		{faultybridge.NumberIDs, nil, exitFailed}, // must
		{faultybridge.EmptyFields, []string{"--strict"}, exitDone},
	} {
		status, stdout, stderr := checkFault(t, c.fault, c.flags...)
		if status != c.status || stderr != "" || !strings.Contains(stdout, "must failed") {
			t.Errorf("%q %q: status %d, %q\n%s", c.fault, c.flags, status, stderr, stdout)
		}
	}
}

func TestCheckRefusesWrongUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"URL is missing":           {"check"},
		"not a URL":                {"check", "bridge.example.com"},
		"speaks http or https":     {"check", "ftp://bridge.example.com"},
		"key=value":                {"check", "http://127.0.0.1:1/", "--auth", "password"},
		"takes no URL":             {"check", "http://127.0.0.1:1/", "--replay", "x"},
		"no such file":             {"check", "--replay", filepath.Join(t.TempDir(), "none")},
		"exclude each other":       {"check", "--replay", "x", "--record", "y"},
		"a quote is not closed":    {"check", "http://127.0.0.1:1/", "--mutate", "python3 'mutate.py"},
		"the command is missing":   {"check", "http://127.0.0.1:1/", "--restart", " "},
		"unexpected argument":      {"check", "http://127.0.0.1:1/", "more"},
		"unknown flag: --nonsense": {"check", "http://127.0.0.1:1/", "--nonsense"},
	} {
		if status, stdout, stderr := checkWith(t, args...); status != exitMisuse || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%q: status %d, %q", args, status, stderr)
		}
	}
}

func TestCheckPrintsJSONAndJUnitWithoutCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.xml")
	status, stdout, _ := checkFault(t, faultybridge.EchoesCredentials, "--json", "--junit", file)
	var report bridgetest.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != exitFailed || report.OK || report.Counts.Must != 1 {
		t.Errorf("status %d, %v, %+v", status, err, report.Counts)
	}
	junit, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(junit, new(struct{ XMLName xml.Name })); err != nil {
		t.Error(err)
	}
	if strings.Contains(stdout+string(junit), faultybridge.Auth()["password"]) {
		t.Error("the password is shown")
	}
}

func TestCheckReplaysWhatItRecorded(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "traffic")
	_, recorded, _ := checkFault(t, faultybridge.NumberIDs, "--record", folder)
	status, replayed, stderr := checkWith(t, "check", "--replay", folder)
	if withoutTime(replayed) != withoutTime(recorded) || status != exitFailed {
		t.Errorf("status %d %s\n%s\nrecorded\n%s", status, stderr, replayed, recorded)
	}
}

// withoutTime is a report without its last line, which says how long it took.
func withoutTime(report string) string {
	report, _, _ = strings.Cut(report, " skipped, in ")
	return report
}

func TestCheckRunsTheCommandThatChangesContacts(t *testing.T) {
	_, stdout, _ := checkFault(t, faultybridge.None, "--mutate", `echo "well then"`)
	// echo prints its arguments: the id that it "took".
	if want := `the contact "well then create 1050" was created`; !strings.Contains(stdout, want) {
		t.Errorf("%q is missing from\n%s", want, stdout)
	}
	_, stdout, _ = checkFault(t, faultybridge.None, "--mutate", `sh -c 'echo no luck >&2; exit 3'`)
	if want := "failed on create 1050: exit status 3: no luck"; !strings.Contains(stdout, want) {
		t.Errorf("%q is missing from\n%s", want, stdout)
	}
}

func TestWordsAreSplitAsAShellDoes(t *testing.T) {
	for line, want := range map[string][]string{
		`python3 mutate.py  contacts.db`:  {"python3", "mutate.py", "contacts.db"},
		`a 'b c' "d e"`:                   {"a", "b c", "d e"},
		`a\ b "c\"d" 'e\f' "g\h"`:         {"a b", `c"d`, `e\f`, `g\h`},
		`psql -c "UPDATE t SET a = '$1'"`: {"psql", "-c", "UPDATE t SET a = '$1'"},
		`a '' b""c`:                       {"a", "", "bc"},
		"\ta\n":                           {"a"},
	} {
		if got, err := splitWords(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{"", " ", `a 'b`, `a "b`, `a \`} {
		if got, err := splitWords(line); err == nil {
			t.Errorf("%q: %q", line, got)
		}
	}
}
