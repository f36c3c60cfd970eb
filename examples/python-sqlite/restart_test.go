package pythonsqlite

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A page is the bridge's answer to a synchronizer that supports deletions.
type page struct {
	NextOffset string                `json:"next_offset"`
	Checkpoint string                `json:"synchronization_checkpoint"`
	Restarted  bool                  `json:"restarted"`
	Exact      bool                  `json:"exact"`
	Contacts   []struct{ ID string } `json:"contacts"`
}

// ask asks for a page; status is 200 if there is a page.
func ask(t *testing.T, url, checkpoint, offset string) (p page, status int) {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"auth": auth, "meta": map[string]any{
		"synchronization_checkpoint": checkpoint, "offset": offset, "supports_deletions": true,
	}})
	response, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p, response.StatusCode
}

// follow follows a run to its end: how many contacts came, the last checkpoint, and on how many pages it says restarted.
func follow(t *testing.T, url, checkpoint string) (contacts int, last string, restarted int) {
	t.Helper()
	for offset, pages := "", 0; ; pages++ {
		p, status := ask(t, url, checkpoint, offset)
		if status != 200 || !p.Exact || pages > 10 {
			t.Fatalf("page %d: %d %+v", pages+1, status, p)
		}
		contacts += len(p.Contacts)
		if p.Restarted {
			restarted++
			if pages > 0 {
				t.Errorf("page %d says restarted", pages+1)
			}
		}
		if p.Checkpoint != "" {
			last = p.Checkpoint
		}
		if offset = p.NextOffset; offset == "" {
			return contacts, last, restarted
		}
	}
}

// D10: a checkpoint of another database, mapping or bridge has every contact sent; an offset of another one is refused.
func TestD10TheExampleRestartsWhereACheckpointIsNotItsOwn(t *testing.T) {
	database := sample(t)
	url := start(t, database, "0").url
	_, own, _ := follow(t, url, "")
	if contacts, _, restarted := follow(t, url, own); contacts != 0 || restarted != 0 {
		t.Fatalf("its own checkpoint: %d contacts, restarted %d", contacts, restarted)
	}
	other := start(t, sample(t), "0").url
	program, err := os.ReadFile("bridge.py")
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "bridge.py")
	if err := os.WriteFile(changed, bytes.Replace(program, []byte("\nMAPPING = 1 "), []byte("\nMAPPING = 2 "), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	remapped := startProgram(t, changed, database, "0").url
	for name, c := range map[string]struct{ url, checkpoint string }{
		"another database": {other, own},
		"another mapping":  {remapped, own},
		"another bridge":   {url, "2012-11-20 23:01:00 UTC"},
		"without its seal": {url, strings.Split(own, "~")[0]},
		"in the future":    {url, "2099" + own[4:len(own)-1] + "0"},
	} {
		if contacts, _, restarted := follow(t, c.url, c.checkpoint); contacts != 2000 || restarted != 1 {
			t.Errorf("%s: %d contacts, restarted %d", name, contacts, restarted)
		}
	}
	first, _ := ask(t, url, "", "")
	if _, status := ask(t, url, own, own); status != 400 {
		t.Errorf("a checkpoint as offset: status %d", status)
	}
	for name, url := range map[string]string{"database": other, "mapping": remapped} {
		if _, status := ask(t, url, own, first.NextOffset); status != 400 {
			t.Errorf("an offset of another %s: status %d", name, status)
		}
	}
}
