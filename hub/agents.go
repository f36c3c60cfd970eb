package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// The attempts to get one page of agents, and how long at most is waited between two.
const (
	agentAttempts = 3
	agentPause    = 10 * time.Second
)

// synchronizeAgents fetches all agents of an integration that has any, and stores them. A failure does not concern the run of its
// contacts: it is noted, told of once, and the next run tries again.
func (h *Hub) synchronizeAgents(ctx context.Context, c registry.Claim, given map[string]string) {
	if c.Agents == "" && (c.Source == "" || !h.Inside.HasAgents(insideSource(c.Integration, given))) {
		return
	}
	stored, rejected, err := h.fetchAgents(ctx, c.Integration, given)
	if err == nil {
		h.log().Info("agents synchronized", "account", c.Account, "integration", c.Key.Integration, "agents", stored, "rejected", rejected)
		return
	}
	if ctx.Err() != nil || errors.Is(err, directory.ErrNotFound) {
		return // the process ends, the run was stopped, or the integration is being removed
	}
	p := problemOf(err, h.now())
	h.log().Warn("agents were not synchronized", "account", c.Account, "integration", c.Key.Integration, "code", p.Code, "error", p.Message, "hint", p.Hint)
	state, known := h.store.State(ctx, c.Key)
	if known == nil && state.Agents.Error == "" {
		h.event(ctx, "agents.failed", c.Account, c.Key.Integration, map[string]any{"problem": p})
	}
	if err := h.store.FailAgents(ctx, c.Key, errors.New(p.Message), p.Hint); err != nil && !errors.Is(err, directory.ErrNotFound) {
		h.log().Error("could not note why agents were not synchronized", "account", c.Account, "integration", c.Key.Integration, "error", err)
	}
}

// fetchAgents gets every page of an integration's agents, and stores them.
func (h *Hub) fetchAgents(ctx context.Context, i registry.Integration, given map[string]string) (stored int64, rejected int, err error) {
	l, err := h.dial(ctx, i, given, true)
	if err != nil {
		return 0, 0, err
	}
	address, err := fill(i.Agents, l.client.Auth)
	if i.Source != "" {
		address = insideAgents
	}
	if err != nil {
		return 0, 0, &failure.Error{Code: failure.Invalid, Field: "agents", Message: "the agents URL " + err.Error(), Hint: "Give that auth field a value, or correct its name in the URL."}
	}
	all, rejected, err := bridge.FollowAgents(ctx, func(ctx context.Context, offset string) (*bridge.AgentPage, error) {
		return h.agentPage(ctx, l, address, offset)
	})
	if err != nil {
		return 0, 0, err
	}
	agents := make([]directory.Agent, len(all))
	for n, a := range all {
		agents[n] = directory.Agent(a)
	}
	stored, err = h.store.SetAgents(ctx, i.Key, agents)
	return stored, rejected, err
}

// agentPage gets one page, again after a moment where that may help.
func (h *Hub) agentPage(ctx context.Context, l *line, address, offset string) (*bridge.AgentPage, error) {
	for attempt := 1; ; attempt++ {
		page, err := l.agents(ctx, address, offset)
		if err == nil || attempt == agentAttempts || !bridge.Retryable(err) {
			return page, err
		}
		pause := min(max(bridge.RetryAfter(err), time.Duration(attempt)*time.Second), agentPause)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// agents asks the agent_sync endpoint.
func (l *line) agents(ctx context.Context, address, offset string) (*bridge.AgentPage, error) {
	page, err := l.client.AgentPage(ctx, address, offset)
	if l.refused(err) {
		if err := l.renew(ctx); err != nil {
			return nil, err
		}
		page, err = l.client.AgentPage(ctx, address, offset)
	}
	if bridge.CodeOf(err) == bridge.CodeNotFound {
		return nil, failure.WithHint(err, "Correct the integration's URL of agents, or take it away if the bridge has none.")
	}
	return page, explain(err)
}

// An AgentView is an agent, and the hub's own user with the same e-mail address.
type AgentView struct {
	directory.AgentEntry
	User string // name; empty: nobody
}

// Agents lists an integration's agents ascending by id, starting after one, at most limit.
func (h *Hub) Agents(ctx context.Context, key directory.Key, after string, limit int) ([]AgentView, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeCallers, registry.ScopeContacts, registry.ScopeRead); err != nil {
		return nil, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return nil, err
	}
	agents, err := h.store.Agents(ctx, key, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]directory.AgentEntry, len(agents))
	for n, a := range agents {
		entries[n] = directory.AgentEntry{Key: key, Agent: a}
	}
	return h.withUsers(ctx, key.Account, entries)
}

// Agent returns one agent by its id in the external service.
func (h *Hub) Agent(ctx context.Context, key directory.Key, id string) (directory.Agent, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeContacts, registry.ScopePurge); err != nil {
		return directory.Agent{}, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return directory.Agent{}, err
	}
	a, err := h.store.Agent(ctx, key, id)
	if errors.Is(err, directory.ErrNotFound) {
		return a, missing("agent", id)
	}
	return a, err
}

// AgentsByEmail returns the account's agents with an e-mail address.
func (h *Hub) AgentsByEmail(ctx context.Context, account, address string) ([]AgentView, error) {
	if err := permitAny(ctx, account, registry.ScopeCallers, registry.ScopeContacts, registry.ScopePurge); err != nil {
		return nil, err
	}
	shown, err := h.shown(ctx, account)
	if err != nil {
		return nil, err
	}
	found, err := shown.AgentsByEmail(ctx, account, address, maxKin)
	if err != nil {
		return nil, err
	}
	return h.withUsers(ctx, account, found)
}

// withUsers names the hub's users who have the agents' e-mail addresses and see the account.
func (h *Hub) withUsers(ctx context.Context, account string, entries []directory.AgentEntry) ([]AgentView, error) {
	list := make([]AgentView, len(entries))
	if len(entries) == 0 {
		return list, nil
	}
	users, err := h.Registry.Users(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, u := range users {
		address := u.Address()
		if address == "" || u.Disabled || len(u.Accounts) > 0 && !slices.Contains(u.Accounts, account) {
			continue
		}
		names[directory.FoldEmail(address)] = u.Name
	}
	for n, e := range entries {
		list[n] = AgentView{AgentEntry: e, User: names[directory.FoldEmail(e.Agent.Email)]}
	}
	return list, nil
}

// attributeAgent says which agent of an integration's external service has an e-mail address.
func (h *Hub) attributeAgent(ctx context.Context, key directory.Key, address string, into *caller.Attribution) error {
	views, err := h.AgentsByEmail(ctx, key.Account, address)
	if err != nil {
		return err
	}
	var agents []caller.Agent
	for _, v := range views {
		if v.Integration == key.Integration {
			agents = append(agents, caller.Agent{Integration: key.Integration, ID: v.Agent.ID, Name: v.Agent.Name, Email: v.Agent.Email, User: v.User})
		}
	}
	switch len(agents) {
	case 0:
		into.AgentReason = "No agent of " + key.Integration + " has this e-mail address."
	case 1:
		into.Agent = &agents[0]
	default:
		into.Agents, into.AgentReason = agents, fmt.Sprintf("%d agents of %s share this e-mail address.", len(agents), key.Integration)
	}
	return nil
}
