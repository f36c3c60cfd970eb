package bridgeserver_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
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

// files is a folder with what the examples of kinds read: the files of examples/, and a database.
func files(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "files")
	if err := os.CopyFS(folder, os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(makeDatabase(t), filepath.Join(folder, "crm.db")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// served are the kinds with examples that need no server.
func served() []source.Kind {
	return slices.DeleteFunc(kinds.All(), func(k source.Kind) bool { return strings.Contains(k.Example, "://") || k.Family == source.FamilyREST })
}

// What a kind shows as its example works beside the files of examples/. Where it needs a server of its own, the tests of the kind's
// package read it.
func TestEveryKindsExampleIsServed(t *testing.T) {
	folder := files(t)
	for _, kind := range kinds.All() {
		configured(t, folder, "none", kind.Example)
	}
	for _, kind := range served() {
		t.Run(kind.Name, func(t *testing.T) {
			r := serve(t, configured(t, folder, "none", kind.Example), nil)
			if a := r.do(t, "POST", "/tried/contact_sync", `{"auth":{}}`); a.status != 200 || len(a.page.Contacts) == 0 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// D10: a checkpoint belongs to its kind. Another kind at the same endpoint begins an initial run, or refuses it where that is configured.
func TestD10NoKindTakesTheCheckpointOfAnother(t *testing.T) {
	folder := files(t)
	checkpoints := map[string]string{}
	for _, kind := range served() {
		a := serve(t, configured(t, folder, "none", kind.Example), nil).do(t, "POST", "/tried/contact_sync", `{"auth":{}}`)
		if checkpoints[kind.Name] = a.page.Checkpoint; a.status != 200 || a.page.Checkpoint == "" {
			t.Fatalf("%s: %d %s", kind.Name, a.status, a.body)
		}
	}
	for _, kind := range served() {
		cfg := configured(t, folder, "none", kind.Example)
		r := serve(t, cfg, nil)
		strict := cfg.Endpoints["tried"]
		strict.UnknownCheckpoint = bridge.RefuseUnknown
		refusing := serve(t, &config.Config{Listen: cfg.Listen, Endpoints: map[string]config.Endpoint{"tried": strict}}, nil)
		for from, checkpoint := range checkpoints {
			body := fmt.Sprintf(`{"auth":{},"meta":{"synchronization_checkpoint":%q,"supports_deletions":true}}`, checkpoint)
			a := r.do(t, "POST", "/tried/contact_sync", body)
			if restarted := strings.Contains(a.body, `"restarted":true`); a.status != 200 || restarted != (from != kind.Name) {
				t.Errorf("%s with the checkpoint of %s: %d %s", kind.Name, from, a.status, a.body)
			}
			if a := refusing.do(t, "POST", "/tried/contact_sync", body); (a.status == 400) != (from != kind.Name) {
				t.Errorf("%s with the checkpoint of %s, where others are refused: %d %s", kind.Name, from, a.status, a.body)
			}
		}
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
