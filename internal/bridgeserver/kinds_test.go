package bridgeserver_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// configured is a configuration with one endpoint that has a source.
func configured(t *testing.T, folder, auth, src string) *config.Config {
	t.Helper()
	text := "listen: 127.0.0.1:0\nendpoints:\n  tried:\n    auth: " + auth + "\n    source:\n      " + strings.ReplaceAll(strings.TrimSpace(src), "\n", "\n      ") + "\n"
	cfg, err := config.Parse("tried.yaml", []byte(text), strictyaml.Environment{
		Folder: folder, ReadFile: os.ReadFile, Lookup: func(string) (string, bool) { return "secret", true },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// What a kind shows as its example works beside the files of examples/. Where it needs a server of its own, the tests of the kind's
// package read it.
func TestEveryKindsExampleIsServed(t *testing.T) {
	folder := filepath.Dir(makeDatabase(t))
	if err := os.CopyFS(filepath.Join(folder, "files"), os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(folder, "crm.db"), filepath.Join(folder, "files", "crm.db")); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds.All() {
		t.Run(kind.Name, func(t *testing.T) {
			cfg := configured(t, filepath.Join(folder, "files"), "none", kind.Example)
			if strings.Contains(kind.Example, "://") {
				return // the loader took it
			}
			r := serve(t, cfg, nil)
			if a := r.do(t, "POST", "/tried/contact_sync", `{"auth":{}}`); a.status != 200 || len(a.page.Contacts) == 0 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// Where callers' credentials open a source, its kind says how, and the start-up line who may read where nothing checks them.
func TestEveryKindShowsHowCallersOpenIt(t *testing.T) {
	for _, kind := range kinds.All() {
		t.Run(kind.Name, func(t *testing.T) {
			mayHold := false
			for range source.Templates(kind.Config()) {
				mayHold = true
			}
			if mayHold != (kind.CallerExample != "") {
				t.Fatalf("a key may hold {{auth.name}}: %t, and the example with callers' credentials is %q", mayHold, kind.CallerExample)
			}
			if !mayHold {
				return
			}
			cfg := configured(t, t.TempDir(), "source", withLine(kind.Example, kind.CallerExample))
			if len(cfg.Endpoints["tried"].SourceAuth) == 0 {
				t.Error("the example uses no credentials")
			}
			line := strings.Join(serve(t, cfg, nil).server.Describe("http://bridge"), "\n")
			if open := "; open to " + kind.OpenTo; kind.OpenTo != "" && !strings.Contains(line, open) {
				t.Errorf("%q does not say %q", line, open)
			}
		})
	}
}

// withLine replaces the line of an example that gives the same key.
func withLine(example, line string) string {
	key, _, _ := strings.Cut(line, ":")
	lines := strings.Split(example, "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+":") })
	if at < 0 {
		return example + line + "\n"
	}
	lines[at] = line
	return strings.Join(lines, "\n")
}
