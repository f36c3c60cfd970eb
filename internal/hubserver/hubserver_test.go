package hubserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/source/memory"
)

var server pgtest.Suite

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"PBX_TOKEN": token, "CRM_BRIDGE_PASSWORD": "s3cret"} { // which the configurations name
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(server.Main(m))
}

const token = "0123456789abcdef0123456789abcdef"

// crm is a bridge with one contact.
func crm(t *testing.T, more ...contact.Contact) string {
	t.Helper()
	store := memory.NewStore(nil)
	store.Put(more...)
	store.Put(contact.Contact{ID: "1", Name: "Jane Doe", Phones: []string{"020 7946 0018"}})
	s := httptest.NewServer(&bridge.Handler{
		Open: store.Factory().Open, Authenticate: bridge.RequireAuth(bridge.Auth{"username": "agent", "password": "s3cret"}), Digest: "memory",
	})
	t.Cleanup(s.Close)
	return s.URL + "/crm/contact_sync"
}

// parse writes a configuration and reads it.
func parse(t *testing.T, dir, text string) *hubconfig.Config {
	t.Helper()
	file := filepath.Join(dir, "hub.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := hubconfig.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func everyday(url, more string) string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
data: ./data
accounts:
  acme:
    region: GB
    integrations:
      crm:
        bridge: %s
        auth: {username: agent, password: "${CRM_BRIDGE_PASSWORD}"}
        every: 30m
tokens:
  pbx: {account: acme, scopes: [callers:read], value: "${PBX_TOKEN}"}
network: {allow_private: true}
%s`, url, more)
}

// A listened store tells who is looked for.
type listenedStore struct {
	directory.Store
	asked chan string
}

func (s listenedStore) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	select {
	case s.asked <- account:
	default:
	}
	return s.Store.ByE164(ctx, account, numbers, limit)
}

// What a look-up needs is open before the first call comes, which waits for no more than 50 ms.
func TestEveryAccountIsReadyBeforeTheFirstCall(t *testing.T) {
	s, err := hubserver.New(t.Context(), parse(t, t.TempDir(), everyday(crm(t), "")), hubserver.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	store := listenedStore{hubserver.Store(s), make(chan string, 10)}
	s.Hub = hub.New(s.Hub.Registry, store)
	hubserver.WarmUp(t.Context(), s)
	select {
	case account := <-store.asked:
		if account != "acme" {
			t.Errorf("asked in account %q", account)
		}
	default:
		t.Error("no account is asked")
	}
}

// serve runs a hub until the function is called, or the test ends.
func serve(t *testing.T, cfg *hubconfig.Config) (address string, s *hubserver.Server, stop func()) {
	t.Helper()
	s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listener.Open(t.Context(), cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return listener.URL(l, false), s, stop
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// knows waits until the hub knows who is calling.
func knows(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if status, name := get(t, address+"/callerid?number=%2B442079460018"); status == 200 && name == "Jane Doe" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the hub does not learn who is calling")
		}
	}
}

func TestAnEverydayFileIsAllThatAHubNeeds(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, dir, everyday(crm(t), ""))
	address, _, _ := serve(t, cfg)
	knows(t, address)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"} {
		if status, text := get(t, address+path); status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read %s: %s", path, info.Mode())
		}
		text, _ := os.ReadFile(path)
		if strings.Contains(string(text), "s3cret") || strings.Contains(string(text), token) {
			t.Errorf("%s holds a secret in clear", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestTheSameFileAgainChangesNothing(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, dir, everyday(crm(t), "webhooks: {ops: {url: 'https://ops.example.com/hook', secret: '"+token+"'}}"))
	for range 3 {
		s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		entries, err := s.Hub.Audit(t.Context(), registry.Filter{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var actions []string
		for _, e := range entries {
			if e.Actor != "configuration file" {
				t.Errorf("%+v", e)
			}
			actions = append(actions, e.Action)
		}
		slices.Sort(actions)
		if want := []string{"account.set", "integration.add", "token.create", "webhook.set"}; !slices.Equal(actions, want) {
			t.Errorf("%v, want %v", actions, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsTakenOutOfTheFileGoes(t *testing.T) {
	dir := t.TempDir()
	address, s, stop := serve(t, parse(t, dir, everyday(crm(t), "")))
	knows(t, address)
	// What was added elsewhere is not the file's.
	other := directory.Key{Account: "acme", Integration: "other"}
	if err := s.Hub.AddIntegration(t.Context(), registry.Integration{Key: other, Bridge: "https://bridge.example.com/x", Paused: true}, nil); err != nil {
		t.Fatal(err)
	}
	stop()
	next, err := hubserver.New(t.Context(), parse(t, dir, "data: ./data\n"), hubserver.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	views, err := next.Hub.Integrations(t.Context(), "", directory.Key{}, 0)
	if err != nil || len(views) != 1 || views[0].Key != other {
		t.Errorf("%+v, %v", views, err)
	}
	accounts, err := next.Hub.Accounts(t.Context())
	if err != nil || len(accounts) != 1 || accounts[0].Managed {
		t.Errorf("%+v, %v", accounts, err)
	}
	if tokens, err := next.Hub.Tokens(t.Context(), ""); err != nil || len(tokens) != 0 {
		t.Errorf("%+v, %v", tokens, err)
	}
}

// A key that is gone must not be replaced by a new one in silence: every credential would be lost.
func TestAHubWhoseKeyIsGoneDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, dir, everyday(crm(t), ""))
	s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "data", hubserver.KeyFile)); err != nil {
		t.Fatal(err)
	}
	_, err = hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
	if e := failure.Of(err); !strings.Contains(e.Message, hubserver.KeyFile) || e.Hint == "" {
		t.Errorf("%v", err)
	}
}

// Nor on PostgreSQL: a hub that was moved there is easily started without the key that it had.
func TestAHubOnPostgreSQLWhoseKeyIsGoneDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, dir, everyday(crm(t), "database: "+server.Database(t).DSN))
	for range 2 { // the first makes the key
		s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(dir, "data", hubserver.KeyFile)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
	if e := failure.Of(err); !strings.Contains(e.Message, hubserver.KeyFile) || e.Hint == "" {
		t.Errorf("%v", err)
	}
	if err == nil {
		s.Close()
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a new key was made")
	}
}

// Web and worker processes on one database are one hub.
func TestSeveralProcessesOnPostgreSQLAreOneHub(t *testing.T) {
	database := server.Database(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hub.key"), []byte("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(everyday(crm(t), "secrets: {key_file: hub.key}"), "data: ./data", "database: "+database.DSN, 1)
	web := parse(t, dir, text)
	web.Role = "web"
	worker := parse(t, dir, text)
	worker.Role = "worker"
	address, _, _ := serve(t, web)
	if status, name := get(t, address+"/callerid?number=%2B442079460018"); status != 200 || name != "" {
		t.Errorf("before anything ran: %d %q", status, name)
	}
	_, _, _ = serve(t, worker)
	knows(t, address)
}

func TestProcessesStartTogetherBehindPgBouncer(t *testing.T) {
	database := server.Database(t)
	bouncer, err := database.Bouncer(t, "transaction")
	if errors.Is(err, pgtest.ErrNoBouncer) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hub.key"), []byte("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := everyday(crm(t), "secrets: {key_file: hub.key}")
	cfg := parse(t, dir, strings.Replace(text, "data: ./data", "database: "+bouncer, 1))
	if _, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{}); !strings.Contains(failure.Of(err).Hint, "default_query_exec_mode=exec") {
		t.Errorf("without the setting that it needs: %v", err)
	}
	cfg = parse(t, dir, strings.Replace(text, "data: ./data", "database: "+bouncer+"&default_query_exec_mode=exec", 1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := hubserver.New(ctx, cfg, hubserver.ServerOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	address, _, _ := serve(t, cfg)
	knows(t, address)
}

func TestADirectoryThatCannotBeOpenedIsAnError(t *testing.T) {
	database := server.Database(t)
	cfg := parse(t, t.TempDir(), strings.Replace(everyday(crm(t), ""), "data: ./data", "database: "+database.DSN, 1))
	if s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{}); err != nil {
		t.Fatal(err)
	} else if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	database.Exec(t, "UPDATE contactbridge.directory_migrations SET version_id = version_id + 1000 WHERE version_id > 0")
	if _, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{}); err == nil || !strings.Contains(err.Error(), "a newer contactbridge") {
		t.Errorf("%v", err)
	}
}

func TestAWorkerAnswersNothingButHowItFares(t *testing.T) {
	database := server.Database(t)
	cfg := parse(t, t.TempDir(), strings.Replace(everyday(crm(t), ""), "data: ./data", "database: "+database.DSN, 1))
	s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{}) // makes the key, as a worker does not
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Role = "worker"
	address, _, _ := serve(t, cfg)
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/metrics": 200,
		"/": 404, "/api/v1/openapi.json": 404, "/callerid?number=1&token=" + token: 404, "/sign-in": 404, "/oauth/callback": 404,
	} {
		if status, body := get(t, address+path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// With a proxy in front, every visitor seems to come from this machine: only the code tells the operator from others.
func TestAHubBehindAProxyAsksForACodeAtTheFirstVisit(t *testing.T) {
	for name, c := range map[string]struct {
		listen, more string
		code         bool
	}{
		"on this machine":  {"127.0.0.1:0", "", false},
		"with a proxy":     {"127.0.0.1:0", "public_url: https://contacts.example.com\n", true},
		"everywhere":       {"0.0.0.0:0", "", true},
		"on a Unix socket": {"unix:" + filepath.Join(t.TempDir(), "hub.sock"), "", true},
	} {
		cfg := parse(t, t.TempDir(), "data: ./data\nlisten: '"+c.listen+"'\n"+c.more)
		s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := listener.Open(t.Context(), cfg.Listen)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(s.Describe(t.Context(), l), "\n")
		if strings.Contains(said, "asks for this code") != c.code {
			t.Errorf("%s: %s", name, said)
		}
		if clear := c.listen == "0.0.0.0:0"; strings.Contains(said, "can read passwords") != clear {
			t.Errorf("%s: %s", name, said)
		}
		if err := errors.Join(l.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestAHubThatAsksPublicAddressesOnlySaysSo(t *testing.T) {
	for text, want := range map[string]bool{"": true, "network: {allow_private: true}\n": false, "network: {allow: [127.0.0.1/32]}\n": false} {
		address, s, _ := serve(t, parse(t, t.TempDir(), "listen: 127.0.0.1:0\n"+text))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if said := strings.Join(s.Describe(t.Context(), l), "\n"); strings.Contains(said, "--allow-private") != want {
			t.Errorf("%q at %s says\n%s", text, address, said)
		}
	}
}

// logLines passes on each line of a log that holds a word.
type logLines struct {
	word  string
	found chan string
}

func (l logLines) Write(line []byte) (int, error) {
	if strings.Contains(string(line), l.word) {
		select {
		case l.found <- string(line):
		default:
		}
	}
	return len(line), nil
}

func TestTheLogSaysHowABridgeOnThisMachineIsAllowed(t *testing.T) {
	cfg := parse(t, t.TempDir(), "accounts: {acme: {integrations: {crm: {bridge: "+crm(t)+"}}}}\n")
	lines := logLines{word: "run failed", found: make(chan string, 1)}
	s, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{Logger: slog.New(slog.NewTextHandler(lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	select {
	case line := <-lines.found:
		if !strings.Contains(line, "--allow-private") {
			t.Errorf("the log says %s", line)
		}
	case <-time.After(30 * time.Second):
		t.Error("no run failed")
	}
}

func TestTwoHubsDoNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, dir, "data: ./data\n")
	first, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{}); err == nil {
		second.Close()
		t.Error("a second hub started on the folder")
	} else if e := failure.Of(err); !strings.Contains(e.Message, "another hub is running on the folder") || !strings.Contains(e.Hint, "--data") {
		t.Error(err)
	}
	beside, err := hubserver.Open(t.Context(), cfg, hubserver.ServerOptions{}) // as commands do
	if err != nil {
		t.Fatalf("a command beside the hub: %v", err)
	}
	check(t, beside.Close())
	check(t, first.Close())
	next, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{})
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	check(t, next.Close())
}
