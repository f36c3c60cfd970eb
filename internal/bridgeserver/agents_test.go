package bridgeserver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const staffed = `
listen: 127.0.0.1:0
endpoints:
  crm:
    auth: {username: agent, password: "${PASSWORD}"}
    source: {kind: memory, contacts: [{id: 1, name: Jane}]}
    agents:
      kind: memory
      contacts:
        - {id: 7, name: Zoe, emails: zoe@example.com}
        - {id: 12, name: Ann, emails: [ann@example.com, ann@home.example.com]}
        - {id: 3, name: Has no address}
        - {id: 4, name: Gone, emails: gone@example.com, deleted: true}
  bare:
    auth: none
    source: {kind: memory, contacts: [{id: 1, name: Jane}]}
  broken:
    auth: {username: agent, password: "${PASSWORD}"}
    source: {kind: memory, contacts: [{id: 1, name: Jane}]}
    agents: {kind: sqlite, path: /nowhere/crm.db, table: users, id: id}
`

// A1, A2: an endpoint's agents are answered beside its contacts, with the same credentials.
func TestAgentsAreServed(t *testing.T) {
	r := serve(t, parse(t, staffed), nil)
	ask := func(path, password string) (int, string) {
		t.Helper()
		body := `{"auth":{"username":"agent","password":"` + password + `"},"meta":{"offset":null}}`
		res, err := r.client.Post(r.url+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, strings.TrimSpace(string(text))
	}
	want := `{"agents":[{"id":"12","name":"Ann","email":"ann@example.com"},{"id":"7","name":"Zoe","email":"zoe@example.com"}]}`
	if status, text := ask("/crm/agent_sync", password); status != http.StatusOK || text != want {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask("/crm/agent_sync", "wrong"); status != http.StatusUnauthorized {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask("/bare/agent_sync", ""); status != http.StatusNotFound {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask("/broken/agent_sync", password); status < 500 || !strings.Contains(text, `"code"`) {
		t.Errorf("%d %s", status, text)
	}
	if logs := r.logs.String(); !strings.Contains(logs, `"left_out":1`) || !strings.Contains(logs, `"no_email":"3"`) || strings.Contains(logs, password) {
		t.Error(logs)
	}
	if lines := strings.Join(r.server.Describe("http://x"), "\n"); !strings.Contains(lines, "crm: POST /crm/agent_sync (memory") || strings.Contains(lines, "bare: POST /bare/agent_sync") {
		t.Error(lines)
	}
	res, err := r.client.Get(r.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, _ := io.ReadAll(res.Body)
	if !strings.Contains(string(metrics), `contactbridge_agents_total{endpoint="crm"} 2`) {
		t.Error("the metrics do not count agents")
	}
	standing := r.server.Try(t.Context())
	if standing["crm"].State != "ready" || standing["broken"].State != "not_ready" || !strings.HasPrefix(standing["broken"].Message, "source of the agents: ") {
		t.Errorf("%+v", standing)
	}
}
