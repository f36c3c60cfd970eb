package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// oddPassword holds everything that means something in a URL.
const oddPassword = `r3ad:er@pw /?#%[]&=+`

// brokenSources returns a configuration in which crm and open work, theirs cannot be tried, and the others cannot work. The password
// of user "odd reader" is in the environment variable ODD.
func brokenSources(t *testing.T) (path string) {
	db := server.Database(t, "CREATE TABLE customers (id int PRIMARY KEY, name text)", "INSERT INTO customers VALUES (1, 'Ann')")
	db.Exec(t, `CREATE ROLE "odd reader" LOGIN PASSWORD '`+oddPassword+`'; GRANT SELECT ON customers TO "odd reader"; CREATE TABLE secret (id int, name text)`)
	t.Cleanup(func() { db.Exec(t, `DROP OWNED BY "odd reader"; DROP ROLE "odd reader"`) })
	t.Setenv("ODD", oddPassword)
	t.Setenv("ODD_USER", "odd reader")
	t.Setenv("WRONG", "wrong")
	port := fmt.Sprint(server.Server(t).Port)
	at := "127.0.0.1:" + port + "/" + db.Name
	folder := t.TempDir()
	csv := filepath.Join(folder, "c.csv")
	writeTo(t, csv, "id,name\n1,Ann\n")
	path = filepath.Join(folder, "bridge.yaml")
	text := `
listen: 127.0.0.1:0
endpoints:
  crm: {auth: {password: x}, source: {kind: postgres, dsn: "postgres://${ODD_USER}:${ODD}@` + at + `", table: customers, id: id, fields: {name: name}}}
  keywords: {auth: none, source: {kind: postgres, dsn: "host=127.0.0.1 port=` + port + ` dbname=` + db.Name + ` user=${ODD_USER} password=${ODD}", table: customers, id: id, fields: {name: name}}}
  open: {auth: none, source: {kind: csv, path: c.csv, id: id, fields: {name: name}}}
  theirs: {auth: source, source: {kind: postgres, dsn: "postgres://{{auth.user}}:{{auth.password}}@` + at + `", table: customers, id: id, fields: {name: name}}}
  wrong-password: {auth: none, source: {kind: postgres, dsn: "postgres://${ODD_USER}:${WRONG}@` + at + `", table: customers, id: id, fields: {name: name}}}
  wrong-table: {auth: none, source: {kind: postgres, dsn: "postgres://${ODD_USER}:${ODD}@` + at + `", table: custmers, id: id, fields: {name: name}}}
  wrong-column: {auth: none, source: {kind: postgres, dsn: "postgres://${ODD_USER}:${ODD}@` + at + `", table: customers, id: id, fields: {name: nam}}}
  wrong-query: {auth: none, source: {kind: postgres, dsn: "postgres://${ODD_USER}:${ODD}@` + at + `", query: SELECT id FROM custmers, id: id, fields: {name: id}}}
  no-privilege: {auth: none, source: {kind: postgres, dsn: "postgres://${ODD_USER}:${ODD}@` + at + `", table: secret, id: id, fields: {name: name}}}
  down: {auth: none, source: {kind: postgres, dsn: "postgres://${ODD_USER}:${ODD}@127.0.0.1:1/crm", table: customers, id: id, fields: {name: name}}}
  csv-column: {auth: none, source: {kind: csv, path: c.csv, id: id, fields: {name: nam}}}
  csv-missing: {auth: none, source: {kind: csv, path: none.csv, id: id, fields: {name: name}}}
  sqlite-missing: {auth: none, source: {kind: sqlite, path: none.db, table: customers, id: id}}
  sqlite-broken: {auth: none, source: {kind: sqlite, path: c.csv, table: customers, id: id}}
`
	writeTo(t, path, text)
	return path
}

// cannotWork maps the endpoints that cannot work to a part of what is said of them.
var cannotWork = map[string]string{
	"wrong-password": "the database refused the credentials", "wrong-table": `relation "custmers" does not exist`,
	"wrong-column": `column "nam" does not exist`, "wrong-query": `relation "custmers" does not exist`, "no-privilege": "permission denied",
	"down": "the database cannot be reached", "csv-column": `"nam"`, "csv-missing": "does not exist", "sqlite-missing": "does not exist", "sqlite-broken": "not an SQLite database",
}

func TestServeCheckTriesTheSources(t *testing.T) {
	path := brokenSources(t)
	status, stdout, stderr := inProcess(t, "serve", "-c", path, "--check")
	if status != exitFailed || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}
	for name, want := range cannotWork {
		if line := lineOf(stdout, name+": CANNOT BE READ NOW"); !strings.Contains(line, want) {
			t.Errorf("%s: %q, want %s", name, line, want)
		}
	}
	if !strings.Contains(stdout, "theirs: not tried: ") || !strings.Contains(stdout, "10 endpoints cannot be read") {
		t.Errorf("printed\n%s", stdout)
	}
	for _, name := range []string{"crm", "keywords", "open"} {
		if line := lineOf(stdout, name+": "); line != "" {
			t.Errorf("%s works: %s", name, line)
		}
	}
	if strings.Contains(stdout, "r3ad") {
		t.Errorf("the password is printed:\n%s", stdout)
	}
}

func TestServeSaysAtTheStartWhatCannotWork(t *testing.T) {
	cmd, stdout := startProcess(t, "serve", "-c", brokenSources(t))
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	base := strings.TrimPrefix(lines.Text(), "bridge listening on ")
	var printed strings.Builder
	for lines.Scan() {
		fmt.Fprintln(&printed, lines.Text())
		if strings.HasPrefix(lines.Text(), "wrong-table: CANNOT") { // the last by name
			break
		}
	}
	for name, want := range cannotWork {
		if line := lineOf(printed.String(), name+": CANNOT BE READ NOW"); !strings.Contains(line, want) {
			t.Errorf("%s: %q, want %s", name, line, want)
		}
	}
	if !strings.Contains(printed.String(), "theirs: not tried: ") {
		t.Errorf("printed\n%s", &printed)
	}
	response, err := http.Get(base + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var ready struct {
		Ready     bool
		Endpoints map[string]struct{ State, Message string }
	}
	if err := json.NewDecoder(response.Body).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusServiceUnavailable || ready.Ready {
		t.Errorf("readyz: %d %v", response.StatusCode, ready.Ready)
	}
	for name, e := range ready.Endpoints {
		want := "ready"
		switch {
		case cannotWork[name] != "":
			want = "not_ready"
		case name == "theirs":
			want = "unchecked"
		}
		if e.State != want || !strings.Contains(e.Message, cannotWork[name]) {
			t.Errorf("readyz: %s is %+v, want %s", name, e, want)
		}
	}
	page, err := http.Post(base+"/open/contact_sync", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	if page.StatusCode != http.StatusOK {
		t.Errorf("an endpoint that works answers %d", page.StatusCode)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// lineOf returns the first line of a text that begins with something, and the indented ones after it.
func lineOf(text, beginning string) string {
	var found string
	for line := range strings.Lines(text) {
		switch {
		case found == "" && strings.HasPrefix(line, beginning), found != "" && strings.HasPrefix(line, "    "):
			found += line
		case found != "":
			return found
		}
	}
	return found
}

func writeTo(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
