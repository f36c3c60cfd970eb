package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// user is an entry of a memory source that is an agent.
func user(stamp int, id, name string, emails ...string) entry {
	return entry{stamp: stamp, contact: contact.Contact{ID: id, Name: name, Emails: emails}}
}

// staffed returns a handler with agents.
func staffed(users *memory, limits bridge.Limits) *bridge.Handler {
	h := handlerOf(numbered(1), limits)
	h.Agents = users.open
	return h
}

// agentsOf reads an answer with agents strictly.
func agentsOf(t *testing.T, a answer) (list []map[string]string, next *int) {
	t.Helper()
	var page struct {
		Agents     *[]map[string]string `json:"agents"`
		NextOffset *int                 `json:"next_offset"`
	}
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || page.Agents == nil || a.status != http.StatusOK {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return *page.Agents, page.NextOffset
}

func askAgents(t *testing.T, h http.Handler, offset string) answer {
	t.Helper()
	return postAgents(t, h, `{"auth":`+goodAuth+`,"meta":{"offset":`+offset+`}}`)
}

// postAgents asks for agents with a body.
func postAgents(t *testing.T, h http.Handler, body string) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, post("/crm/agent_sync", body))
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	if w.Code != http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// A1, A2: sorted by id whatever the source's order is, all three fields filled, and on one page where they fit.
func TestAgentsComeSortedByIDOnOnePage(t *testing.T) {
	users := &memory{entries: []entry{
		user(1, "9", "Zoe", "zoe@example.com"), user(2, "10", " Ann ", "", " ann@example.com "), user(3, "2", "", "bob@example.com"),
		user(4, "3", "No address"), {stamp: 5, contact: contact.Contact{ID: "4"}, deleted: true}, {stamp: 6, contact: contact.Contact{ID: "5"}, rejected: "is torn"},
	}}
	list, next := agentsOf(t, askAgents(t, staffed(users, bridge.Limits{Contacts: 1}), "null"))
	want := []map[string]string{
		{"id": "10", "name": "Ann", "email": "ann@example.com"}, {"id": "2", "name": "bob@example.com", "email": "bob@example.com"},
		{"id": "9", "name": "Zoe", "email": "zoe@example.com"},
	}
	if diff := cmp.Diff(want, list); diff != "" || next != nil {
		t.Error(diff, next)
	}
	users.waitUntilClosed(t, 1)
}

// A2: what does not fit into a page's bytes comes on the next one, and offsets count agents.
func TestAgentsThatDoNotFitComeOnTheNextPage(t *testing.T) {
	users := &memory{}
	for i := range 100 {
		users.entries = append(users.entries, user(i+1, fmt.Sprintf("%03d", 99-i), "Agent", fmt.Sprintf("a%d@example.com", i)))
	}
	h := staffed(users, bridge.Limits{Bytes: 1000})
	var ids []string
	offset := "null"
	for pages := 0; ; pages++ {
		list, next := agentsOf(t, askAgents(t, h, offset))
		for _, a := range list {
			ids = append(ids, a["id"])
		}
		if next == nil {
			if pages < 3 {
				t.Errorf("only %d pages", pages+1)
			}
			break
		}
		if *next != len(ids) {
			t.Fatalf("next_offset is %d after %d agents", *next, len(ids))
		}
		offset = fmt.Sprint(*next)
	}
	for i, id := range ids {
		if id != fmt.Sprintf("%03d", i) {
			t.Fatalf("agent %d is %s", i, id)
		}
	}
	if len(ids) != 100 {
		t.Errorf("%d agents", len(ids))
	}
	users.waitUntilClosed(t, len(users.opened))
}

func TestAgentOffsets(t *testing.T) {
	users := &memory{entries: []entry{user(1, "1", "Ann", "ann@example.com")}}
	h := staffed(users, bridge.Limits{})
	for offset, want := range map[string]int{`"0"`: 1, `""`: 1, "0": 1, "1": 0, "7": 0} {
		if list, next := agentsOf(t, askAgents(t, h, offset)); len(list) != want || next != nil {
			t.Errorf("offset %s: %v, %v", offset, list, next)
		}
	}
	for _, offset := range []string{"-1", "1.5", `"x"`, "99999999999999999999", "[1]"} {
		if a := askAgents(t, h, offset); a.status != http.StatusBadRequest {
			t.Errorf("offset %s: %d %s", offset, a.status, a.body)
		}
	}
	a := postAgents(t, h, `{"auth":`+goodAuth+`}`) // no meta
	if list, _ := agentsOf(t, a); len(list) != 1 {
		t.Error(a.body)
	}
}

func TestAgentsNeedCredentials(t *testing.T) {
	h := staffed(&memory{entries: []entry{user(1, "1", "Ann", "ann@example.com")}}, bridge.Limits{})
	if a := postAgents(t, h, `{"auth":{"username":"agent"}}`); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAnEndpointWithoutAgentsSaysSo(t *testing.T) {
	a := askAgents(t, handlerOf(numbered(1), bridge.Limits{}), "null")
	if a.status != http.StatusNotFound || a.Error == nil || !strings.Contains(a.Error.Message, "no agents") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// T11: agents that could not be read to their end are an error, never a shorter list.
func TestAgentsThatCannotBeReadAreAnError(t *testing.T) {
	users := &memory{entries: []entry{user(1, "1", "Ann", "ann@example.com"), user(2, "2", "Bob", "bob@example.com")}}
	users.onRead = func(_ context.Context, i int) error {
		if i == 1 {
			return &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "gone"}
		}
		return nil
	}
	if a := askAgents(t, staffed(users, bridge.Limits{}), "null"); a.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.status, a.body)
	}
	users.onRead = func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	if a := askAgents(t, staffed(users, bridge.Limits{Hard: 20 * time.Millisecond}), "null"); a.status != http.StatusGatewayTimeout {
		t.Errorf("%d %s", a.status, a.body)
	}
	users.onRead = func(context.Context, int) error { panic("boom") }
	if a := askAgents(t, staffed(users, bridge.Limits{}), "null"); a.status != http.StatusInternalServerError {
		t.Errorf("%d %s", a.status, a.body)
	}
	users.waitUntilClosed(t, 3)
}

func TestClientFollowsAgents(t *testing.T) {
	users := &memory{}
	for i := range 30 {
		users.entries = append(users.entries, user(i+1, fmt.Sprintf("%02d", i), "Agent", fmt.Sprintf("a%d@example.com", i)))
	}
	server := httptest.NewServer(staffed(users, bridge.Limits{Bytes: 400}))
	defer server.Close()
	c := &bridge.Client{URL: server.URL + "/crm/contact_sync", Auth: credentials}
	defer c.CloseIdleConnections()
	all, rejected, err := bridge.FollowAgents(t.Context(), func(ctx context.Context, offset string) (*bridge.AgentPage, error) {
		return c.AgentPage(ctx, server.URL+"/crm/agent_sync", offset)
	})
	if err != nil || rejected != 0 || len(all) != 30 || all[29] != (bridge.Agent{ID: "29", Name: "Agent", Email: "a29@example.com"}) {
		t.Errorf("%v, %d, %v", all, rejected, err)
	}
}

// A3, D1: numbers as ids, as in the documents' own samples, and offsets of any bridge.
func TestAgentPageIsReadLeniently(t *testing.T) {
	page, err := answering(200, `{"agents":[{"id":341231,"name":"John Doe","email":"john@example.com","role":"x"},{"id":"2","name":null,"email":" b@example.com "},
		{"id":"3","name":"No address"},{"name":"No id","email":"x@example.com"},null],"next_offset":"7"}`).AgentPage(t.Context(), "http://bridge.test/agent_sync", "")
	want := &bridge.AgentPage{
		Agents:   []bridge.Agent{{ID: "341231", Name: "John Doe", Email: "john@example.com"}, {ID: "2", Name: "b@example.com", Email: "b@example.com"}},
		Rejected: 3, NextOffset: "7",
	}
	if err == nil {
		want.Bytes = page.Bytes
	}
	if diff := cmp.Diff(want, page); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for body, said := range map[string]string{
		`{}`: "no agents", `{"agents":null}`: "no agents", `{"agents":{}}`: "agents is an object", `{"agents":[]`: "breaks off",
		`{"agents":[],"error":{"message":"down"}}`: "200 with an error", `{"contacts":[]}`: "no agents", `<html>`: "HTML", `{"agents":[],"next_offset":{}}`: "next_offset",
	} {
		if _, err := answering(200, body).AgentPage(t.Context(), "http://bridge.test/agent_sync", ""); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// The documents have an integer or null.
func TestAgentRequestAsDocumented(t *testing.T) {
	for offset, want := range map[string]string{
		"": `{"auth":{},"meta":{"offset":null}}`, "5": `{"auth":{},"meta":{"offset":5}}`, "x": `{"auth":{},"meta":{"offset":"x"}}`,
	} {
		var got string
		c := &bridge.Client{HTTP: &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			got = strings.TrimSpace(string(body))
			if err != nil {
				return nil, err
			}
			return nil, context.Canceled
		})}}
		_, _ = c.AgentPage(t.Context(), "http://bridge.test/agent_sync", offset)
		if got != want {
			t.Errorf("%q: %s", offset, got)
		}
	}
}

func TestAgentsThatDoNotEndAreALoop(t *testing.T) {
	_, _, err := bridge.FollowAgents(t.Context(), func(_ context.Context, offset string) (*bridge.AgentPage, error) {
		return &bridge.AgentPage{Agents: []bridge.Agent{{ID: "1", Name: "A", Email: "a@example.com"}}, NextOffset: "5"}, nil
	})
	if bridge.CodeOf(err) != bridge.CodeLoop {
		t.Error(err)
	}
}
