package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/source/memory"
)

var (
	server  pgtest.Suite
	mariadb mysqltest.Suite
)

// withServers stops the database servers after the tests.
type withServers struct{ *testing.M }

func (m withServers) Run() int { return server.Main(runner(m)) }

// A runner runs the tests, and stops MariaDB after them.
type runner struct{ *testing.M }

func (m runner) Run() int { return mariadb.Main(m.M) }

func TestMain(m *testing.M) {
	testscript.Main(withServers{m}, map[string]func(){
		"contactbridge": func() { os.Exit(interruptible(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/script: what the commands print, and how they exit. Each script has a CRM with 25 contacts and
// a bridge at $BRIDGE, which takes the credentials agent and s3cret, and bridges that misbehave at $BAD/NAME/contact_sync.
func TestScripts(t *testing.T) { scripts(t, "testdata/script") }

// TestScriptsOnPostgreSQL runs those that need a database: $DATABASE and $SECOND are empty ones, for a user with the password
// pa55word.
func TestScriptsOnPostgreSQL(t *testing.T) {
	dsn := func() string { return strings.Replace(server.Database(t).DSN, "postgres@", "postgres:pa55word@", 1) }
	scripts(t, "testdata/postgres", "DATABASE="+dsn(), "SECOND="+dsn())
}

func scripts(t *testing.T, folder string, vars ...string) {
	testscript.Run(t, testscript.Params{
		Dir: folder,
		Setup: func(env *testscript.Env) error {
			crm := sampleCRM(25)
			good := httptest.NewServer(&bridge.Handler{
				Open:         func(context.Context, bridge.Auth) (bridge.Source, error) { return crm.Source(), nil },
				Authenticate: bridge.RequireAuth(bridge.Auth{"username": "agent", "password": "s3cret"}),
				Limits:       bridge.Limits{Contacts: 10},
			})
			bad := httptest.NewServer(badBridges())
			env.Defer(good.Close)
			env.Defer(bad.Close)
			env.Vars = append(env.Vars, "BRIDGE="+good.URL, "BAD="+bad.URL, "CRM_PASSWORD=s3cret", "LISTEN="+ports.AddressForTest(t))
			env.Vars = append(env.Vars, vars...)
			env.Values[crmKey{}] = crm
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"crm": crmCommand, "field": fieldCommand, "keep": keepCommand, "exits": exitsCommand, "unpack": unpackCommand, "until": untilCommand, "get": getCommand},
	})
}

// untilCommand repeats a command until it prints something, at most for a minute: until REGEXP COMMAND ARGUMENT….
func untilCommand(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	for range 600 {
		if err := ts.Exec(args[1], args[2:]...); err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%v does not print %s", args[1:], args[0])
}

// getCommand asks an address as a telephone does, and prints the answer: get URL.
func getCommand(ts *testscript.TestScript, _ bool, args []string) {
	request, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	request.Header.Set("User-Agent", "telephone/1.0")
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	if response.StatusCode != http.StatusOK {
		ts.Fatalf("%s answers %s: %s", args[0], response.Status, body)
	}
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
}

// unpackCommand is unpack FILE FOLDER: the files of a ZIP archive.
func unpackCommand(ts *testscript.TestScript, _ bool, args []string) {
	archive, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer archive.Close()
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), archive))
}

type crmKey struct{}

// samplePerson is the nth contact of the sample CRM.
func samplePerson(n int, title string) contact.Contact {
	return contact.Contact{
		ID: fmt.Sprintf("c%02d", n), Name: fmt.Sprintf("Person %d", n), Title: title, Company: "Example Corp.",
		Phones: []string{fmt.Sprintf("(415) 555-%04d", 2000+n)}, URL: fmt.Sprintf("https://crm.test/%d", n),
	}
}

func sampleCRM(n int) *memory.Store {
	crm := memory.NewStore(nil)
	for i := 1; i <= n; i++ {
		crm.Put(samplePerson(i, "CTO"))
	}
	return crm
}

// crmCommand changes the script's CRM: crm put N TITLE, crm delete N.
func crmCommand(ts *testscript.TestScript, _ bool, args []string) {
	crm := ts.Value(crmKey{}).(*memory.Store)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	switch args[0] {
	case "put":
		crm.Put(samplePerson(n, args[2]))
	case "delete":
		crm.Delete(fmt.Sprintf("c%02d", n))
	default:
		ts.Fatalf("crm put N TITLE or crm delete N, not %s", args[0])
	}
}

// exitsCommand runs a command that has to fail with a status: exits STATUS COMMAND ARGUMENT….
func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	var failure *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case err == nil:
		ts.Fatalf("%v succeeded, want exit status %s", args[1:], args[0])
	case !errors.As(err, &failure):
		ts.Check(err)
	case strconv.Itoa(failure.ExitCode()) != args[0]:
		ts.Fatalf("%v: %v, want exit status %s", args[1:], err, args[0])
	}
}

// printedField is a field of the JSON object that the last command printed.
func printedField(ts *testscript.TestScript, name string) (value any, ok bool) {
	var fields map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &fields))
	value, ok = fields[name]
	return value, ok
}

// keepCommand keeps a field of the JSON object that the last command printed in a variable: keep VARIABLE NAME.
func keepCommand(ts *testscript.TestScript, _ bool, args []string) {
	value, ok := printedField(ts, args[1])
	if !ok {
		ts.Fatalf("there is no field %s", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// fieldCommand compares a field of the JSON object that the last command printed: field NAME VALUE.
func fieldCommand(ts *testscript.TestScript, _ bool, args []string) {
	value, ok := printedField(ts, args[0])
	if got := fmt.Sprint(value); !ok || got != args[1] {
		ts.Fatalf("%s is %v, want %s", args[0], value, args[1])
	}
}

// badBridges are bridges that do not keep to the protocol.
func badBridges() http.Handler {
	mux := http.NewServeMux()
	write := func(name, contentType, body string) {
		mux.HandleFunc("/"+name+"/contact_sync", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			io.WriteString(w, body)
		})
	}
	write("html", "text/html", "<html><title>Sign in</title></html>")
	write("json", "application/json", `{"contacts": [}`)
	write("loop", "application/json", `{"contacts": [{"id": 1, "name": "Ann"}], "next_offset": "1"}`)
	write("one", "application/json", `{"contacts": [{"id": 1, "name": "Ann"}], "synchronization_checkpoint": "1"}`)
	write("noid", "application/json", `{"contacts": [{"id": 1, "name": "Ann"}, {"name": "Bob"}], "synchronization_checkpoint": "1"}`)
	write("big", "application/json", `{"contacts": [], "filler": "`+string(make([]byte, 4096))+`"}`)
	mux.HandleFunc("/down/contact_sync", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/away/contact_sync", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://login.test/", http.StatusFound)
	})
	mux.HandleFunc("/slow/contact_sync", func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does the server notice that the caller has gone
		<-r.Context().Done()
	})
	return mux
}
