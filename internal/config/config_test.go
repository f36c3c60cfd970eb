package config_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

var update = flag.Bool("update", false, "write what is generated or expected anew")

const secret = "cr4zy: {secret}"

// environment returns the variables and files that testdata refers to.
func environment() strictyaml.Environment {
	variables := map[string]string{"CRM_BRIDGE_PASSWORD": secret, "EMPTY": ""}
	return strictyaml.Environment{
		Folder: "/etc/contactbridge",
		Lookup: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		ReadFile: func(name string) ([]byte, error) {
			if name == "/etc/contactbridge/secret" {
				return []byte(secret + "\n"), nil
			}
			return nil, fs.ErrNotExist
		},
	}
}

func parse(t *testing.T, file string) (*config.Config, error) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return config.Parse(filepath.Base(file), text, environment())
}

func TestTheWholeExampleIsRead(t *testing.T) {
	cfg, err := parse(t, "good/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := cfg.Endpoints["crm"]
	if want := (bridge.Auth{"username": "agent", "password": secret}); !cmp.Equal(e.Auth.Fields, want) {
		t.Errorf("auth is %v", e.Auth.Fields)
	}
	if want := (config.Page{Contacts: 1000, Bytes: 1 << 20, Time: 7 * time.Second}); e.Page != want {
		t.Errorf("page is %+v", e.Page)
	}
	if e.Name != "crm" || e.Kind.Name != "postgres" || e.Title != "table customers" || e.OnDelete != bridge.SkipDeleted {
		t.Errorf("endpoint is %q of kind %q, %q, on_delete %q", e.Name, e.Kind.Name, e.Title, e.OnDelete)
	}
	if want := (config.Phones{Region: "US", Format: config.FormatE164}); e.Phones != want {
		t.Errorf("phones are %+v", e.Phones)
	}
}

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	cfg, err := config.Parse("f", []byte("endpoints:\n  a:\n    auth: none\n    source: {kind: memory, contacts: [{id: 1}]}\n"), environment())
	if err != nil {
		t.Fatal(err)
	}
	e := cfg.Endpoints["a"]
	if cfg.Listen != "127.0.0.1:8080" || cfg.TLS.Enabled() || cfg.Log != (config.Log{Level: "info", Format: "text"}) {
		t.Errorf("got %+v", cfg)
	}
	if e.Page != (config.Page{Contacts: 1000, Bytes: 1 << 20, Time: 7 * time.Second}) || e.Phones != (config.Phones{Format: config.FormatAsIs}) ||
		e.OnDelete != bridge.SkipDeleted {
		t.Errorf("got %+v", e)
	}
}

func TestEveryFormIsRead(t *testing.T) {
	cfg, err := parse(t, "good/many.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "unix:/run/contactbridge.sock" || cfg.Log.SlogLevel() != slog.LevelDebug {
		t.Errorf("listen %q, level %v", cfg.Listen, cfg.Log.SlogLevel())
	}
	if want := (config.TLS{Cert: "/etc/contactbridge/tls/cert.pem", Key: "/etc/key.pem"}); cfg.TLS != want {
		t.Errorf("tls is %+v", cfg.TLS)
	}
	tenants, fixed, open := cfg.Endpoints["tenants"], cfg.Endpoints["fixed"], cfg.Endpoints["open"]
	if tenants.Auth.Mode != config.AuthSource || !cmp.Equal(tenants.SourceAuth, []string{"password", "username"}) {
		t.Errorf("tenants: %+v, uses %v", tenants.Auth, tenants.SourceAuth)
	}
	if want := (bridge.Auth{"tenant": "0042", "password": secret}); !cmp.Equal(fixed.Auth.Fields, want) || fixed.OnDelete != bridge.BlankDeleted {
		t.Errorf("fixed: %v, %q", fixed.Auth.Fields, fixed.OnDelete)
	}
	small := config.Page{Contacts: 10, Bytes: 2000, Time: 500 * time.Millisecond}
	if open.Auth.Mode != config.AuthNone || open.Page != small || fixed.Page != small {
		t.Errorf("open: %+v, %+v", open.Auth, open.Page)
	}
	if open.Phones != (config.Phones{Region: "DE", Format: config.FormatE164}) {
		t.Errorf("phones are %+v: e164 goes without saying where there is a region", open.Phones)
	}
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := parse(t, strings.TrimPrefix(file, "testdata/"))
			if err == nil {
				t.Fatal("accepted")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

// golden compares with a file, or writes it under -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what comes out; go test -update writes it anew (-file +got):\n%s", file, diff)
	}
}

func TestTimeLeavesRoomWithinTheProtocol(t *testing.T) {
	for _, page := range []time.Duration{100 * time.Millisecond, 7 * time.Second, 9 * time.Second} {
		limits := config.Page{Contacts: 1, Bytes: 1024, Time: page}.Limits()
		if limits.Time != page || limits.Hard <= page || limits.Hard >= 10*time.Second {
			t.Errorf("%v: %+v", page, limits)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0": 0, "1": 1, "12B": 12, "2kB": 2000, "2KB": 2000, "1KiB": 1024, " 3 MiB ": 3 << 20, "1GB": 1_000_000_000,
	} {
		var got config.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "1 mib", "99999999999GiB", "1e3"} {
		var got config.Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{filepath.Join(folder, "none.yaml"): "no such file", folder: "is a folder"} {
		if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "pw"), []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "bridge.yaml")
	text := "endpoints: {a: {auth: {password: '${file:pw}'}, source: {kind: memory, contacts: [{id: 1}]}}}"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil || cfg.Endpoints["a"].Auth.Fields["password"] != "hush" {
		t.Errorf("a secret next to the file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.yaml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := config.Parse("f.yaml", []byte(text), environment())
		if (cfg == nil) == (err == nil) {
			t.Errorf("configuration %v, error %v", cfg, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) && !strings.Contains(text, "cr4zy") {
			t.Errorf("a secret shows: %v", err)
		}
		if cfg != nil && len(cfg.Endpoints) == 0 {
			t.Error("accepted without an endpoint")
		}
	})
}

// A configured password is not sent to a host that callers choose, where nothing but the database judges them.
func TestCallersDoNotChooseWhoIsSentThePassword(t *testing.T) {
	const text = "endpoints: {crm: {auth: %s, source: {kind: postgres, dsn: 'postgres://svc:s3cret@{{auth.host}}/crm', table: t, id: id}}}"
	_, err := config.Parse("bridge.yaml", fmt.Appendf(nil, text, "source"), strictyaml.Environment{})
	problems, ok := errors.AsType[*strictyaml.Problems](err)
	if !ok || len(problems.List) != 1 || problems.List[0].Path != "endpoints.crm.source.dsn" || problems.List[0].Hint == "" || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("auth: source gives %v", err)
	}
	if _, err := config.Parse("bridge.yaml", fmt.Appendf(nil, text, "{host: db.example.com}"), strictyaml.Environment{}); err != nil {
		t.Errorf("a mapping, which says what the host is, gives %v", err)
	}
}
