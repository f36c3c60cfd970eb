package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// documented returns the source of a configuration in docs/rest.md, with other values in it.
func documented(t *testing.T, title string, with ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/rest.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n### "+title+"\n")
	_, block, opened := strings.Cut(section, "```yaml\nsource:\n  kind: rest\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !opened || !closed {
		t.Fatalf("docs/rest.md has no configuration for %s", title)
	}
	var lines []string
	for line := range strings.Lines(block) {
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	block = strings.Join(lines, "")
	for i := 0; i < len(with); i += 2 {
		if !strings.Contains(block, with[i]) {
			t.Fatalf("the configuration for %s has no %q", title, with[i])
		}
		block = strings.ReplaceAll(block, with[i], with[i+1])
	}
	return block
}

// TestDocumentedSystems checks the configurations that the tests below run, where those do not run.
func TestDocumentedSystems(t *testing.T) {
	for title, password := range map[string]string{"PocketBase": "${POCKETBASE_PASSWORD}", "Tryton": "${TRYTON_PASSWORD}"} {
		factory, err := newFactory("rest", documented(t, title, password, "x"), nil, nil)
		if err != nil {
			t.Errorf("%s: %v", title, err)
			continue
		}
		_ = factory.Close()
	}
}

// A system is a real server with contacts that a test writes.
type system struct {
	source fullSource
	// write changes contacts, and returns what is there after it, by id: the name.
	write func(random *rand.Rand)
	truth map[string]string
	lag   time.Duration // how long a change is behind the safe horizon
}

// exercise makes runs while contacts are created, changed and deleted, each of which must bring what was there when it began; and a last
// one over all, after which both sides have the same.
func (s *system) exercise(t *testing.T, again func() fullSource) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		s.write(random)
	}
	d := directory{contacts: map[string]contact.Contact{}}
	for run := range 4 {
		for range 12 {
			s.write(random)
		}
		began := maps.Clone(s.truth)
		changed := map[string]bool{}
		between := func() {
			for range 2 {
				before := maps.Clone(s.truth)
				s.write(random)
				for id, name := range s.truth {
					changed[id] = changed[id] || before[id] != name
				}
				for id := range before {
					changed[id] = changed[id] || s.truth[id] == ""
				}
			}
		}
		if err := d.sync(t.Context(), s.source, 9, between); err != nil {
			t.Fatalf("run %d: %v", run, err)
		}
		for id, name := range began {
			if got := d.contacts[id].Name; got != name && !changed[id] {
				t.Errorf("run %d: contact %s is %q, and was %q when it began", run, id, got, name)
			}
		}
		if len(d.changed) == 0 && run > 0 {
			t.Errorf("run %d brought nothing", run)
		}
		time.Sleep(s.lag)
	}
	s.source = again()
	d.checkpoint = ""
	if err := d.sync(t.Context(), s.source, 50, nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for id, c := range d.contacts {
		got[id] = c.Name
	}
	if !maps.Equal(got, s.truth) {
		t.Errorf("in the end %v were read, and there are %v", got, s.truth)
	}
}

// start starts a program, and waits until its server answers.
func start(t *testing.T, address, name string, args ...string) {
	t.Helper()
	var output bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return
		}
	}
	t.Fatalf("%s does not answer: %s", name, output.String())
}

// finish runs a program to its end.
func finish(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
}

// exchange sends JSON to a server and returns its answer; headers are names and values.
func exchange(t *testing.T, method, address string, body any, headers ...string) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, address, answer.Status, content, err)
	}
	var said map[string]any
	if len(content) > 0 {
		if err := json.Unmarshal(content, &said); err != nil {
			t.Fatal(err)
		}
	}
	return said
}

// TestPocketBase reads from a real PocketBase with the configuration of docs/rest.md.
func TestPocketBase(t *testing.T) {
	if os.Getenv("POCKETBASE") == "" {
		t.Skip("OPTIONAL: to build PocketBase takes minutes; POCKETBASE=1 runs it")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "pocketbase")
	finish(t, nil, "go", "build", "-C", "../../internal/test/pocketbase", "-o", program, ".")
	const user, secret = "bridge@example.com", "s3cr3t-s3cr3t"
	finish(t, nil, program, "superuser", "upsert", user, secret, "--dir", dir)
	address := ports.AddressForTest(t)
	start(t, address, program, "serve", "--dir", dir, "--http", address)
	api := "http://" + address + "/api/collections/"
	token := exchange(t, http.MethodPost, api+"_superusers/auth-with-password", map[string]any{"identity": user, "password": secret})["token"].(string)
	texts := []any{map[string]any{"name": "updated", "type": "autodate", "onCreate": true, "onUpdate": true}}
	for _, name := range []string{"name", "company", "email", "phone"} {
		texts = append(texts, map[string]any{"name": name, "type": "text"})
	}
	exchange(t, http.MethodPost, strings.TrimSuffix(api, "/"), map[string]any{"name": "contacts", "type": "base", "fields": texts}, "Authorization", token)

	open1 := func(password string) fullSource {
		text := documented(t, "PocketBase", "http://127.0.0.1:8090", "http://"+address, "${POCKETBASE_PASSWORD}", password, "size: 500", "size: 10", "overlap: 30s", "overlap: 1s")
		s, err := open(t.Context(), "rest", text, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := &system{source: open1(secret), truth: map[string]string{}, lag: 400 * time.Millisecond}
	n := 0
	s.write = func(random *rand.Rand) {
		n++
		fields := map[string]any{"name": fmt.Sprint("Doe ", n), "company": "Acme", "email": "doe@example.com", "phone": "+14155550100"}
		ids := slices.Sorted(maps.Keys(s.truth))
		switch {
		case len(ids) < 25 || random.IntN(3) == 0:
			id := exchange(t, http.MethodPost, api+"contacts/records", fields, "Authorization", token)["id"].(string)
			s.truth[id] = fmt.Sprint("Doe ", n)
		case random.IntN(6) == 0:
			id := ids[random.IntN(len(ids))]
			exchange(t, http.MethodDelete, api+"contacts/records/"+id, nil, "Authorization", token)
			delete(s.truth, id)
		default:
			id := ids[random.IntN(len(ids))]
			exchange(t, http.MethodPatch, api+"contacts/records/"+id, fields, "Authorization", token)
			s.truth[id] = fmt.Sprint("Doe ", n)
		}
	}
	s.exercise(t, func() fullSource { return open1(secret) })
	unauthorized(t, open1("wrong"))
}

// TestTryton reads from a real Tryton with the configuration of docs/rest.md.
func TestTryton(t *testing.T) {
	if os.Getenv("TRYTON") == "" {
		t.Skip("OPTIONAL: to set up Tryton (the packages tryton-server and tryton-modules-party) takes half a minute; TRYTON=1 runs it")
	}
	dir := t.TempDir()
	address := ports.AddressForTest(t)
	configuration, password := filepath.Join(dir, "trytond.conf"), filepath.Join(dir, "password")
	const secret = "s3cr3t-s3cr3t"
	for name, content := range map[string]string{
		configuration:                    fmt.Sprintf("[database]\nuri = sqlite://\npath = %s\n[web]\nlisten = %s\n[session]\nauthentications = password\n", dir, address),
		password:                         secret,
		filepath.Join(dir, "crm.sqlite"): "",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, []string{"TRYTONPASSFILE=" + password}, "trytond-admin", "-c", configuration, "-d", "crm", "--all", "--email", "admin@example.com")
	finish(t, nil, "trytond-admin", "-c", configuration, "-d", "crm", "-u", "party", "--activate-dependencies")
	start(t, address, "trytond", "-c", configuration, "-d", "crm")
	call := func(method string, params ...any) any {
		request := map[string]any{"id": 1, "method": "model." + method, "params": append(params, map[string]any{})}
		said := exchange(t, http.MethodPost, "http://"+address+"/crm/", request, "Authorization", basic("admin", secret))
		if said["error"] != nil {
			t.Fatalf("%s: %v", method, said["error"])
		}
		return said["result"]
	}
	opened := func(password string) fullSource {
		text := documented(t, "Tryton", "http://127.0.0.1:8000", "http://"+address, "user: bridge", "user: admin", "${TRYTON_PASSWORD}", password, "size: 500", "size: 10", "overlap: 1m", "overlap: 2s")
		s, err := open(t.Context(), "rest", text, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := &system{source: opened(secret), truth: map[string]string{}, lag: 1500 * time.Millisecond}
	n := 0
	s.write = func(random *rand.Rand) {
		n++
		name := fmt.Sprint("Doe ", n)
		ids := slices.Sorted(maps.Keys(s.truth))
		switch {
		case len(ids) < 25 || random.IntN(3) == 0:
			made := call("party.party.create", []any{map[string]any{
				"name": name, "addresses": []any{[]any{"create", []any{map[string]any{"street": "1 Main St", "city": "Springfield"}}}},
				"contact_mechanisms": []any{[]any{"create", []any{map[string]any{"type": "mobile", "value": "+14155550100"}, map[string]any{"type": "email", "value": "doe@example.com"}}}},
			}})
			s.truth[fmt.Sprint(made.([]any)[0])] = name
		case random.IntN(6) == 0:
			id := ids[random.IntN(len(ids))]
			call("party.party.delete", []any{json.Number(id)})
			delete(s.truth, id)
		default:
			id := ids[random.IntN(len(ids))]
			call("party.party.write", []any{json.Number(id)}, map[string]any{"name": name})
			s.truth[id] = name
		}
	}
	s.exercise(t, func() fullSource { return opened(secret) })

	// A number that is changed by itself counts as a change of its party.
	d := directory{contacts: map[string]contact.Contact{}}
	if err := d.sync(t.Context(), s.source, 50, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second) // until all of that is settled
	if err := d.sync(t.Context(), s.source, 50, nil); err != nil {
		t.Fatal(err)
	}
	found := call("party.contact_mechanism.search", []any{[]any{"type", "=", "mobile"}}, 0, 1, nil).([]any)
	call("party.contact_mechanism.write", found, map[string]any{"value": "+14155550177"})
	if err := d.sync(t.Context(), s.source, 50, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(d.changed, func(id string) bool {
		return slices.Contains(d.contacts[id].Phones, "+1 415-555-0177") || slices.Contains(d.contacts[id].Phones, "+14155550177")
	}) {
		t.Errorf("a number was changed, and of the parties that were sent none has it: %v", d.changed)
	}
	for id, c := range d.contacts {
		if len(c.Phones) != 1 || len(c.Emails) != 1 || c.Address != "1 Main St, Springfield" {
			t.Errorf("party %s: %+v", id, c)
			break
		}
	}
	unauthorized(t, opened("wrong"))
}

// basic returns a header for basic authentication.
func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// unauthorized expects that a source's credentials are refused.
func unauthorized(t *testing.T, s fullSource) {
	t.Helper()
	if err := s.Probe(t.Context()); bridge.CodeOf(err) != bridge.CodeUnauthorized {
		t.Errorf("a wrong password: %v", err)
	}
}
