package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// newPeopleAPI serves 60 people who were changed at different times. It looks at the parameter with this name for the time from which on
// it is asked.
func newPeopleAPI(t *testing.T, since string) (address string) {
	t.Helper()
	type person struct {
		ID      int       `json:"id"`
		Name    string    `json:"name"`
		Email   string    `json:"email"`
		Phone   string    `json:"phone"`
		Updated time.Time `json:"updated_at"`
	}
	var people []person
	began := time.Now().UTC().Truncate(time.Second).Add(-30 * 24 * time.Hour)
	for i := range 60 {
		people = append(people, person{
			1000 + i, fmt.Sprintf("Wilhelmina Roe %d", 70000+i), fmt.Sprintf("roe%d@featherstone.example", 70000+i), fmt.Sprintf("+49 171 81%05d", 31000+37*i),
			began.Add(time.Duration(i) * 1807 * time.Second),
		})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer right-token-123" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		query := r.URL.Query()
		from, _ := time.Parse(time.RFC3339, query.Get(since))
		most, err := strconv.Atoi(query.Get("per_page"))
		if err != nil {
			most = 20
		}
		data := []person{}
		for _, p := range people {
			if !p.Updated.Before(from) && len(data) < most {
				data = append(data, p)
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// peopleConfiguration writes the configuration of a bridge for that API.
func peopleConfiguration(t *testing.T, address string) string {
	t.Helper()
	t.Setenv("PEOPLE_TOKEN", "right-token-123")
	return writeFile(t, "bridge.yaml", `
endpoints:
  crm:
    auth: none
    phones: {region: DE}
    source:
      kind: rest
      language: 1
      url: `+address+`/v2
      auth: [{by: bearer, token: "${PEOPLE_TOKEN}"}]
      verify: {path: /people, query: {per_page: "1"}}
      id: id
      updated: {path: updated_at}
      changes:
        path: /people
        query: {updated_since: "{{since}}", per_page: "{{limit}}"}
        records: data
        order: updated
        page: {by: keyset, size: 20}
      deletions: {by: sweep}
      fields: {name: name, emails: email, phones: phone}
`)
}

func TestPreviewVerifiesAService(t *testing.T) {
	config := peopleConfiguration(t, newPeopleAPI(t, "updated_since"))
	status, stdout, stderr := inProcess(t, "preview", "-c", config, "--verify")
	if status != exitDone || stderr != "" || !strings.Contains(stdout, " 0 failed, 0 could not be judged.") || !strings.Contains(stdout, "nothing has changed in the far future") {
		t.Errorf("status %d, %s\n%s", status, stderr, stdout)
	}
	config = peopleConfiguration(t, newPeopleAPI(t, "changed_since")) // the parameter of the configuration is ignored
	status, stdout, _ = inProcess(t, "preview", "-c", config, "--verify", "--json")
	var got struct {
		OK     bool
		Checks []struct {
			Name, Verdict, Asked, Came, Means string
			Keys                              []string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	found := false
	for _, c := range got.Checks {
		found = found || c.Name == "far_future" && c.Verdict == "failed" && c.Keys[0] == "changes.query" && c.Asked != "" && c.Came == "20 records (200)" && c.Means != ""
	}
	if status != exitFailed || got.OK || !found {
		t.Errorf("status %d: %s", status, stdout)
	}
}

// What holds for any source is checked of any kind.
func TestPreviewVerifiesAFile(t *testing.T) {
	status, stdout, stderr := inProcess(t, "preview", "-c", filepath.Join(examplesFolder, "bridge-csv.yaml"), "--verify")
	if status != exitDone || !strings.Contains(stdout, "contacts that are read in parts are those that are read at once") || !strings.Contains(stdout, " 0 failed,") {
		t.Errorf("status %d, %s\n%s", status, stderr, stdout)
	}
}

func TestPreviewRecordsAndReplays(t *testing.T) {
	config := peopleConfiguration(t, newPeopleAPI(t, "updated_since"))
	folder := filepath.Join(t.TempDir(), "report")
	status, recorded, stderr := inProcess(t, "preview", "-c", config, "--record", folder, "--json")
	if status != exitDone {
		t.Fatalf("status %d, %s\n%s", status, stderr, recorded)
	}
	for _, name := range []string{"recording.json", "bridge.yaml"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{"Wilhelmina", "Roe", "featherstone", "right-token", "127.0.0.1", "8131000", "PEOPLE_TOKEN"} {
			if strings.Contains(string(content), hidden) {
				t.Errorf("%s has %s", name, hidden)
			}
		}
	}
	t.Setenv("PEOPLE_TOKEN", "") // whoever replays it has none
	status, replayed, stderr := inProcess(t, "preview", "--replay", folder, "--json")
	if status != exitDone {
		t.Fatalf("status %d, %s\n%s", status, stderr, replayed)
	}
	type shown struct {
		Contacts, Facts, Mapping, Problems []any
		Examined                           int
		Complete                           bool
	}
	var before, after shown
	if err := json.Unmarshal([]byte(recorded), &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(replayed), &after); err != nil {
		t.Fatal(err)
	}
	if len(before.Contacts) != len(after.Contacts) || before.Examined != 60 || after.Examined != 60 || !after.Complete || fmt.Sprint(before.Mapping, before.Problems, before.Facts[1:]) != fmt.Sprint(after.Mapping, after.Problems, after.Facts[1:]) {
		t.Errorf("recorded:\n%s\nreplayed:\n%s", recorded, replayed)
	}

	// A mapping that asks for something else says so.
	name := filepath.Join(folder, "bridge.yaml")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(content), "size: 20", "size: 30")), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, _ := inProcess(t, "preview", "--replay", folder)
	if status != exitFailed || !strings.Contains(stdout, "the recording has no answer to GET /v2/people?per_page=30") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	for what, args := range map[string][]string{
		"already":                      {"-c", config, "--record", folder},
		"cannot be recorded":           {"-c", filepath.Join(examplesFolder, "bridge-csv.yaml"), "--record", folder + "2"},
		"has no recording":             {"-c", config, "--replay", t.TempDir()},
		"nothing has no recording":     {"--replay", "nothing"},
		"none of the others can be":    {"-c", config, "--replay", folder, "--record", folder},
		"Name the folder that preview": {"--replay", t.TempDir()}, // not that its configuration is missing
	} {
		t.Setenv("PEOPLE_TOKEN", "right-token-123")
		status, stdout, stderr := inProcess(t, append([]string{"preview"}, args...)...)
		if status == exitDone || !strings.Contains(stderr, what) {
			t.Errorf("%s: status %d\n%s\n%s", what, status, stderr, stdout)
		}
	}
}
