package faultybridge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// added is the field that the credential check of some faulty bridges adds to auth.
const added = "session"

const (
	agents       = 7
	agentsAtOnce = 3 // on a page
)

// serveValidation answers good credentials.
func (b *Bridge) serveValidation(w http.ResponseWriter, _ *request) {
	var answer string
	switch b.fault {
	case ValidationAnswersAList:
		answer = `["session-4711"]`
	case ValidationAnswersNested:
		answer = `{"session":{"id":"session-4711"}}`
	case AddedIsRefused, AddedIsRefusedAgain:
		answer = `{"session":"session-4711","expires":3600,"admin":false,"region":null}`
	default:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(answer))
}

// serveAgents answers a page of agents.
func (b *Bridge) serveAgents(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Auth map[string]string `json:"auth"`
		Meta *struct {
			Offset json.RawMessage `json:"offset"`
		} `json:"meta"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&q); err != nil {
		b.refuse(w, http.StatusBadRequest, "not the protocol's JSON")
		return
	}
	if !(b.fault == AgentsForAnyone && len(q.Auth) == 0) && !b.authorized(w, r, &request{Auth: q.Auth}) {
		return
	}
	if q.Meta == nil || q.Meta.Offset == nil {
		if b.fault == AgentOffsetMustBeThere {
			b.refuse(w, http.StatusBadRequest, "no offset")
			return
		}
	}
	from, ok := 0, true
	if q.Meta != nil && len(q.Meta.Offset) > 0 && string(q.Meta.Offset) != "null" {
		n, err := strconv.Atoi(strings.Trim(string(q.Meta.Offset), `"`))
		from, ok = n, err == nil && n >= 0
	}
	if !ok {
		status := http.StatusBadRequest
		if b.fault == AgentOffsetBreaks {
			status = http.StatusInternalServerError
		}
		b.refuse(w, status, "an offset that was never issued")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == AgentsHaveACursor && from > 0 {
		from = b.agentsSent
	}
	b.write(w, r, b.agentPage(from))
}

// agentPage returns a page as JSON values, faults included.
func (b *Bridge) agentPage(from int) map[string]any {
	list := []any{}
	n := from
	for ; n < agents && n < from+agentsAtOnce; n++ {
		list = append(list, b.agent(n))
	}
	b.agentsSent = n
	if b.fault == AgentTwice && from > 0 && len(list) > 0 {
		list = append(list, b.agent(0))
	}
	a := map[string]any{"agents": list}
	if b.fault == AgentsAreAnObject {
		a["agents"] = map[string]any{"list": list}
	}
	switch {
	case n < agents && b.fault == AgentOffsetIsText:
		a["next_offset"] = strconv.Itoa(n)
	case n < agents:
		a["next_offset"] = n
	case b.fault == AgentsNeverEnd:
		a["next_offset"] = agentsAtOnce
	}
	return a
}

func (b *Bridge) agent(n int) map[string]any {
	one := map[string]any{"id": fmt.Sprintf("u%d", n), "name": fmt.Sprintf("Agent %d", n), "email": fmt.Sprintf("agent%d@example.com", n)}
	switch {
	case b.fault == AgentIDsAreNumbers:
		one["id"] = 100 + n
	case b.fault == AgentWithoutEmail && n == 4:
		delete(one, "email")
	case b.fault == AgentsShareAnAddress && n == 5:
		one["email"] = "AGENT1@example.com"
	}
	return one
}
