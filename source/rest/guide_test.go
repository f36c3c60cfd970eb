package rest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// guide returns the blocks of YAML of docs/write-a-preset.md.
func guide(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/write-a-preset.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for part := range strings.SplitSeq(string(text), "\n```yaml\n") {
		if block, _, ok := strings.Cut(part, "\n```"); ok {
			blocks = append(blocks, block+"\n")
		}
	}
	return blocks[1:] // the first part stands before the first block
}

// guideSource returns the source of the guide's last configuration, with other values in it.
func guideSource(t *testing.T, with ...string) string {
	t.Helper()
	blocks := guide(t)
	_, block, _ := strings.Cut(blocks[len(blocks)-1], "source:\n  kind: rest\n")
	block = strings.ReplaceAll("\n"+block, "\n  ", "\n")
	for i := 0; i < len(with); i += 2 {
		if !strings.Contains(block, with[i]) {
			t.Fatalf("the guide's configuration has no %q", with[i])
		}
		block = strings.ReplaceAll(block, with[i], with[i+1])
	}
	return block
}

// A jsonServer answers as json-server does, as far as the guide asks it.
type jsonServer struct {
	people []map[string]any
	asked  []string
}

// RoundTrip answers a request, without a connection. It is one in the guide's configuration, and nothing else.
func (s *jsonServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, r.URL.RequestURI())
	return roundTripper(func(r *http.Request) (int, string) {
		if r.URL.Path == "/users" {
			return http.StatusOK, `[{"id": 7, "name": "Ada Agent", "email": "ada@example.com", "active": true}, {"id": 8, "name": "Gone", "email": "gone@example.com", "active": false}]`
		}
		if r.URL.Path != "/people" {
			return http.StatusNotFound, `{}`
		}
		q := r.URL.Query()
		list := slices.DeleteFunc(slices.Clone(s.people), func(p map[string]any) bool {
			id, updated := p["id"].(int), p["updated"].(string)
			least, err := strconv.Atoi(q.Get("id_gte"))
			return updated < q.Get("updated_gte") || q.Has("updated_lte") && updated > q.Get("updated_lte") || err == nil && id < least || q.Get("id_ne") == strconv.Itoa(id)
		})
		slices.SortFunc(list, func(a, b map[string]any) int {
			order := cmp.Compare(a["id"].(int), b["id"].(int))
			if q.Get("_sort") == "updated" {
				order = cmp.Or(strings.Compare(a["updated"].(string), b["updated"].(string)), -order) // of one time in any order
			}
			if q.Get("_order") == "desc" {
				return -order
			}
			return order
		})
		limit, err := strconv.Atoi(q.Get("_limit"))
		if err != nil {
			return http.StatusBadRequest, `{}`
		}
		text, _ := json.Marshal(list[:min(limit, len(list))]) // it is JSON already
		return http.StatusOK, string(text)
	}).RoundTrip(r)
}

// TestTheGuidesConfigurationsWork reads with what docs/write-a-preset.md says: first with the least, then with the whole, more contacts of
// one time than a page holds.
func TestTheGuidesConfigurationsWork(t *testing.T) {
	blocks := guide(t)
	if len(blocks) != 2 {
		t.Fatalf("the guide has %d configurations", len(blocks))
	}
	cfg, err := config.Parse("bridge.yaml", []byte(blocks[0]), strictyaml.Environment{})
	if err != nil || cfg.Endpoints["crm"].Kind.Name != "rest" {
		t.Fatalf("the first configuration: %v", err)
	}
	s := &jsonServer{}
	for n := range 23 {
		at := time.Date(2026, 3, 1, 10, n/9, 0, 0, time.UTC) // nine of one time
		s.people = append(s.people, map[string]any{"id": n + 1, "name": fmt.Sprint("Doe ", n), "email": "doe@example.com", "phone": "+14155550100", "updated": at.Format("2006-01-02T15:04:05.000Z")})
	}
	src, err := open(t.Context(), "rest", guideSource(t, "size: 100", "size: 4"), s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	d := directory{contacts: map[string]contact.Contact{}}
	if err := d.sync(t.Context(), src, 5, nil); err != nil || len(d.contacts) != 23 {
		t.Fatalf("%d of 23 contacts, %v", len(d.contacts), err)
	}
	if !slices.ContainsFunc(s.asked, func(address string) bool { return strings.Contains(address, "id_ne=") }) {
		t.Error("by_id was never asked")
	}
	s.people[4]["name"], s.people[4]["updated"] = "Changed", time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	if err := d.sync(t.Context(), src, 5, nil); err != nil || d.contacts["5"].Name != "Changed" || len(d.changed) > 9 {
		t.Errorf("after a change %v came, %v", d.changed, err)
	}
	cfg, err = config.Parse("bridge.yaml", []byte("endpoints:\n  crm:\n    auth: none\n    source: {kind: memory, contacts: [{id: a, name: Jane}]}\n    agents:\n      kind: rest"+strings.ReplaceAll(guideSource(t), "\n", "\n      ")), strictyaml.Environment{})
	if err != nil || cfg.Endpoints["crm"].NewAgents == nil {
		t.Errorf("the guide's agents: %v", err)
	}
}

// TestTheGuideAgainstJSONServer reads from the server itself, while contacts change:
// npm install json-server@0.17.4, then JSON_SERVER=node_modules/json-server/lib/cli/bin.js go test ./source/rest -run JSONServer
func TestTheGuideAgainstJSONServer(t *testing.T) {
	program := os.Getenv("JSON_SERVER")
	if program == "" {
		t.Skip("OPTIONAL: json-server comes from npm; JSON_SERVER=PATH of its bin.js runs this")
	}
	file := filepath.Join(t.TempDir(), "db.json")
	if err := os.WriteFile(file, []byte(`{"people": [], "users": [{"id": 7, "name": "Ada", "email": "ada@example.com", "active": true}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	address := ports.AddressForTest(t)
	host, port, _ := strings.Cut(address, ":")
	start(t, address, "node", program, "--quiet", "--host", host, "--port", port, file)
	api := "http://" + address + "/people"
	opened := func() fullSource {
		s, err := open(t.Context(), "rest", guideSource(t, "http://127.0.0.1:3000", "http://"+address, "size: 100", "size: 10", "overlap: 10s", "overlap: 1s"), nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := &system{source: opened(), truth: map[string]string{}, lag: 2 * time.Second}
	n := 0
	s.write = func(random *rand.Rand) {
		n++
		fields := map[string]any{"name": fmt.Sprint("Doe ", n), "email": "doe@example.com", "phone": "+14155550100", "updated": time.Now().UTC().Format("2006-01-02T15:04:05.000Z")}
		ids := slices.Sorted(maps.Keys(s.truth))
		switch {
		case len(ids) < 25 || random.IntN(3) == 0:
			s.truth[fmt.Sprint(exchange(t, http.MethodPost, api, fields)["id"])] = fmt.Sprint("Doe ", n)
		case random.IntN(6) == 0:
			id := ids[random.IntN(len(ids))]
			exchange(t, http.MethodDelete, api+"/"+id, map[string]any{})
			delete(s.truth, id)
		default:
			id := ids[random.IntN(len(ids))]
			exchange(t, http.MethodPatch, api+"/"+id, fields)
			s.truth[id] = fmt.Sprint("Doe ", n)
		}
	}
	s.exercise(t, opened)
}
