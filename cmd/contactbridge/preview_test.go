package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestPreviewShowsTheOnlyEndpoint(t *testing.T) {
	t.Setenv("COLUMNS", "70")
	status, stdout, stderr := inProcess(t, "preview", "-c", filepath.Join(examplesFolder, "bridge-csv.yaml"), "--limit", "2")
	want := `customers  csv, customers.csv
The first 2 of 5 contacts, as they would be sent:

ID    NAME           PHONES                        COMPANY
1001  Amelia Hughes  +442079460018, +447911123456  Northwind Traders
1002  Oliver Patel   +441174960123
also sent: emails

Where the fields come from
  id       Customer No
  name     First Name, Last Name (by usual name)
`
	if status != exitDone || stderr != "" || !strings.HasPrefix(stdout, want) {
		t.Errorf("status %d, %s, printed:\n%s\nwant it to begin with:\n%s", status, stderr, stdout, want)
	}
}

const severalEndpoints = `
endpoints:
  good: {auth: none, source: {kind: memory, contacts: [{id: 1, name: Ann}]}}
  lost: {auth: none, source: {kind: csv, path: nowhere.csv, id: id}}
  theirs: {auth: source, source: {kind: csv, path: "{{auth.tenant}}/{{auth.file}}.csv", id: id}}
`

func TestPreviewAsksWhichEndpoint(t *testing.T) {
	config := writeFile(t, "bridge.yaml", severalEndpoints)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"none named":      {nil, "hint: Choose one: good, lost, theirs."},
		"an unknown one":  {[]string{"crm"}, "hint: Choose one: good, lost, theirs."},
		"two":             {[]string{"good", "lost"}, `unexpected argument "lost"`},
		"no credentials":  {[]string{"theirs", "--auth", "file=x"}, "hint: Give an example: --auth file=… --auth tenant=…"},
		"a negative size": {[]string{"good", "--limit", "-1"}, "negative"},
	} {
		status, stdout, stderr := inProcess(t, append([]string{"preview", "-c", config}, c.args...)...)
		if status != exitMisuse || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %q, %s", name, status, stdout, stderr)
		}
	}
}

func TestPreviewFailsWhereNothingCanBeSent(t *testing.T) {
	config := writeFile(t, "bridge.yaml", severalEndpoints)
	for _, args := range [][]string{{"lost"}, {"theirs", "--auth", "tenant=s3cr3t", "--auth", "file=x"}} {
		status, stdout, stderr := inProcess(t, append([]string{"preview", "-c", config, "--json"}, args...)...)
		var got struct {
			Endpoint string
			OK       bool
			Contacts []any
			Problems []struct{ Severity, Code, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		if status != exitFailed || got.OK || got.Endpoint != args[0] || got.Contacts == nil || stderr != "" ||
			len(got.Problems) == 0 || got.Problems[0].Severity != "failure" || got.Problems[0].Hint == "" {
			t.Errorf("status %d, %s%s", status, stdout, stderr)
		}
	}
	if status, stdout, _ := inProcess(t, "preview", "-c", config, "good"); status != exitDone || !strings.Contains(stdout, "The only contact, as it would be sent:") {
		t.Errorf("status %d: %s", status, stdout)
	}
}

func TestPreviewIsSilentAboutCredentials(t *testing.T) {
	config := writeFile(t, "bridge.yaml", `
endpoints:
  down: {auth: {password: s3cr3t-P4ss}, source: {kind: postgres, dsn: "postgres://u:{{auth.password}}@127.0.0.1:1/x", table: t, id: id}}
  odd: {auth: {password: s3cr3t-P4ss}, source: {kind: postgres, dsn: "host=127.0.0.1 port=1 password={{auth.password}}", table: t, id: id}}
`)
	for _, name := range []string{"down", "odd"} {
		status, stdout, stderr := inProcess(t, "preview", "-c", config, name)
		if status == exitDone || strings.Contains(stdout+stderr, "s3cr3t") || !strings.Contains(stdout+stderr, name) {
			t.Errorf("%s: status %d, %s%s", name, status, stdout, stderr)
		}
	}
}
