package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// endpoints are the bridge's, one for each page size; they share the table and so the checkpoint.
var endpoints = map[string]int{"small": 97, "medium": 1000, "large": 5000}

// A bridge is a running `contactbridge serve`.
type bridge struct {
	binary, config, address string
	source                  string // its configuration, but for the mapping's mark
	mark                    int    // what every contact's company says: another one is another mapping
	log                     *os.File
	process                 *exec.Cmd
}

// build compiles the command under test, unless CONTACTBRIDGE_BINARY names one that is built already.
func build(ctx context.Context, dir string) (string, error) {
	if built := os.Getenv("CONTACTBRIDGE_BINARY"); built != "" {
		return built, nil
	}
	binary := filepath.Join(dir, "contactbridge")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/contactbridge/contactbridge/cmd/contactbridge").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build contactbridge: %w\n%s", err, out)
	}
	return binary, nil
}

func newBridge(binary, dir, source string) (*bridge, error) {
	address, err := ports.Address()
	if err != nil {
		return nil, err
	}
	b := &bridge{binary: binary, config: filepath.Join(dir, "bridge.yaml"), address: address, source: source}
	if b.log, err = os.Create(filepath.Join(dir, "bridge.log")); err != nil {
		return nil, err
	}
	return b, b.configure()
}

// configure writes the configuration.
func (b *bridge) configure() error {
	config := "listen: " + b.address + "\nendpoints:\n"
	source := strings.Replace(b.source, "fields: {", fmt.Sprintf("fields: {company: \"'%s'\", ", b.company()), 1)
	for name, size := range endpoints {
		config += fmt.Sprintf("  %s:\n    auth: {username: agent, password: s3cret}\n    page: {contacts: %d}\n    source: %s\n", name, size, source)
	}
	return os.WriteFile(b.config, []byte(config), 0o600)
}

// company returns the company that the mapping gives every contact.
func (b *bridge) company() string { return fmt.Sprint("Mapping ", b.mark) }

// remap replaces the bridge by one that maps the contacts in another way.
func (b *bridge) remap(ctx context.Context) error {
	b.mark++
	if err := b.configure(); err != nil {
		return err
	}
	b.kill()
	return b.start(ctx)
}

// start starts the bridge and waits until it answers.
func (b *bridge) start(ctx context.Context) error {
	b.process = exec.CommandContext(ctx, b.binary, "serve", "-c", b.config)
	b.process.Stdout, b.process.Stderr = b.log, b.log
	if err := b.process.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://" + b.address + "/healthz")
		if err == nil {
			response.Body.Close()
			return nil
		}
	}
	log, _ := os.ReadFile(b.log.Name())
	return fmt.Errorf("the bridge did not come up:\n%s", log)
}

// kill ends the bridge with SIGKILL.
func (b *bridge) kill() {
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
}

func (b *bridge) url(endpoint string) string {
	return "http://" + b.address + "/" + endpoint + "/contact_sync"
}

// key is the integration that all runs fill.
var key = directory.Key{Account: "default", Integration: "customers"}

// A report is the output of `contactbridge sync --json`.
type report struct {
	Kind     string `json:"kind"`
	Pages    int64  `json:"pages"`
	Contacts int64  `json:"contacts"`
}

// synchronize makes the command of one run.
func synchronize(ctx context.Context, binary, url, db string, extra ...string) *exec.Cmd {
	args := append([]string{
		"sync", url, "--json", "--db", db, "--integration", key.Integration,
		"--auth", "username=agent", "--auth", "password=s3cret", "--guard", "100%",
	}, extra...)
	return exec.CommandContext(ctx, binary, args...)
}

// begin starts a prepared command; the returned function waits for its end and reads its report.
func begin(cmd *exec.Cmd) (finish func() (report, error), err error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() (r report, err error) {
		if err := cmd.Wait(); err != nil {
			return r, fmt.Errorf("sync: %w: %s%s", err, stderr.Bytes(), stdout.Bytes())
		}
		return r, json.Unmarshal(stdout.Bytes(), &r)
	}, nil
}

// complete runs a prepared command to its end and reads its report.
func complete(cmd *exec.Cmd) (report, error) {
	finish, err := begin(cmd)
	if err != nil {
		return report{}, err
	}
	return finish()
}

// held reads which version of every customer a directory holds.
func held(ctx context.Context, path string) (map[int64]int64, error) {
	all := map[int64]int64{}
	err := each(ctx, path, func(c contact.Contact) error {
		id, err1 := strconv.ParseInt(c.ID, 10, 64)
		v, err2 := strconv.ParseInt(c.Title, 10, 64)
		all[id] = v
		return errors.Join(err1, err2)
	})
	return all, err
}

// mapped returns the contacts of a directory that a mapping did not make.
func mapped(ctx context.Context, path, company string) (otherwise []violation, err error) {
	err = each(ctx, path, func(c contact.Contact) error {
		if c.Company == company {
			return nil
		}
		id, err := strconv.ParseInt(c.ID, 10, 64)
		otherwise = append(otherwise, violation{id, fmt.Sprintf("mapped as %q, not as %q", c.Company, company)})
		return err
	})
	return otherwise, err
}

// each calls a function with every contact of a directory.
func each(ctx context.Context, path string, see func(contact.Contact) error) (err error) {
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for after := ""; ; {
		contacts, err := store.Contacts(ctx, key, after, 5000)
		if err != nil {
			return err
		}
		for _, c := range contacts {
			if err := see(c); err != nil {
				return err
			}
			after = c.ID
		}
		if len(contacts) < 5000 {
			return nil
		}
	}
}
