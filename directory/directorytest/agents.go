package directorytest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/contactbridge/contactbridge/directory"
)

var agentCases = []testCase{
	{"AgentsAreReplaced", agentsAreReplaced},
	{"AgentsAreListedInPages", agentsAreListedInPages},
	{"AgentsAreFoundByTheirAddress", agentsAreFoundByAddress},
	{"AgentsAreReadByTheirId", agentsAreReadByID},
	{"AgentsBelongToAnIntegrationThatRan", agentsNeedAnIntegration},
	{"FailedAgentsKeepWhatThereIs", failedAgentsKeep},
	{"AgentsAreForgottenWithTheirIntegration", agentsAreForgotten},
	{"PurgedAgentsStayAway", purgedAgentsStayAway},
	{"AnAgentIsNoContact", anAgentIsNoContact},
}

func agent(id, name, email string) directory.Agent {
	return directory.Agent{ID: id, Name: name, Email: email}
}

// setAgents stores agents, of whom want are taken.
func (b *bench) setAgents(want int64, agents ...directory.Agent) {
	b.Helper()
	if n, err := b.store.SetAgents(ctx, b.key, agents); err != nil || n != want {
		b.Errorf("stored %d agents, %v; want %d", n, err, want)
	}
}

func (b *bench) wantAgents(want ...directory.Agent) {
	b.Helper()
	got, err := b.store.Agents(ctx, b.key, "", 1000)
	if err != nil || !slices.Equal(got, want) {
		b.Errorf("agents %v, %v; want %v", got, err, want)
	}
	state, err := b.store.State(ctx, b.key)
	if err != nil || state.Agents.Count != int64(len(want)) {
		b.Errorf("the state has %d agents, %v; want %d", state.Agents.Count, err, len(want))
	}
}

func (b *bench) agentsOf(email string) (ids []string) {
	b.Helper()
	found, err := b.store.AgentsByEmail(ctx, b.key.Account, email, 10)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range found {
		if e.Account != b.key.Account {
			b.Errorf("%+v is of another account", e)
		}
		ids = append(ids, e.Integration+"/"+e.Agent.ID)
	}
	return ids
}

func agentsAreReplaced(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	b.wantAgents()
	if state, _ := b.store.State(ctx, b.key); !state.Agents.Synced.IsZero() {
		b.Error("synchronized before it was")
	}
	ann, bob, odd := agent("2", "Ann", "ann@example.com"), agent("10", "Bob", "bob@example.com"), agent("z\x00'\"ß", "Zoë \U0001F600", "zoë@exämple.com")
	b.setAgents(3, ann, agent("10", "Old", "old@example.com"), odd, bob)
	b.wantAgents(bob, ann, odd)
	b.advance(1)
	bob.Name = "Robert"
	b.setAgents(2, bob, odd)
	b.wantAgents(bob, odd)
	if got := b.agentsOf("ann@example.com"); got != nil {
		b.Errorf("found %v", got)
	}
	state, err := b.store.State(ctx, b.key)
	if err != nil || state.Agents.Synced.UnixMilli() != b.clock().UnixMilli() {
		b.Errorf("synchronized at %v, %v", state.Agents.Synced, err)
	}
	states, err := b.store.States(ctx, "")
	if err != nil || len(states) != 1 || states[0].Agents != state.Agents {
		b.Errorf("states %+v, %v", states, err)
	}
	b.setAgents(0)
	b.wantAgents()
}

func agentsAreListedInPages(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	var all []directory.Agent
	for i := range 250 {
		all = append(all, agent(fmt.Sprintf("%03d", i), "Agent", fmt.Sprintf("a%d@example.com", i)))
	}
	b.setAgents(250, all...)
	var got []directory.Agent
	for after := ""; ; after = got[len(got)-1].ID {
		page, err := b.store.Agents(ctx, b.key, after, 100)
		if err != nil {
			b.Fatal(err)
		}
		if got = append(got, page...); len(page) < 100 {
			break
		}
	}
	if !slices.Equal(got, all) {
		b.Errorf("%d agents", len(got))
	}
}

func agentsAreFoundByAddress(b *bench) {
	for _, integration := range []string{"crm", "helpdesk"} {
		b.key.Integration = integration
		b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
		b.setAgents(3, agent("1", "Ann", "Ann@Example.com"), agent("2", "Ann B", "ann@example.com"), agent("3", "Bob", "bob@example.com"))
	}
	b.key = directory.Key{Account: "other", Integration: "crm"}
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	b.setAgents(1, agent("9", "Ann", "ann@example.com"))
	b.key.Account = "acme"
	if got, want := b.agentsOf(" ANN@example.COM "), []string{"crm/1", "crm/2", "helpdesk/1", "helpdesk/2"}; !slices.Equal(got, want) {
		b.Errorf("found %v, want %v", got, want)
	}
	if found, err := b.store.AgentsByEmail(ctx, "acme", "ann@example.com", 1); err != nil || len(found) != 1 || found[0].Agent.Email != "Ann@Example.com" {
		b.Errorf("%v, %v", found, err)
	}
	for _, unknown := range []string{"", " ", "nobody@example.com"} {
		if got := b.agentsOf(unknown); got != nil {
			b.Errorf("%q finds %v", unknown, got)
		}
	}
}

func agentsAreReadByID(b *bench) {
	_, err := b.store.Agent(ctx, b.key, "1")
	b.wantError(err, directory.ErrNotFound)
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	b.setAgents(1, agent("1", "Ann", "ann@example.com"))
	if got, err := b.store.Agent(ctx, b.key, "1"); err != nil || got != agent("1", "Ann", "ann@example.com") {
		b.Errorf("%v, %v", got, err)
	}
	_, err = b.store.Agent(ctx, b.key, "2")
	b.wantError(err, directory.ErrNotFound)
}

func agentsNeedAnIntegration(b *bench) {
	if _, err := b.store.SetAgents(ctx, b.key, []directory.Agent{agent("1", "Ann", "ann@example.com")}); !errors.Is(err, directory.ErrNotFound) {
		b.Errorf("stored: %v", err)
	}
	if err := b.store.FailAgents(ctx, b.key, errors.New("x"), ""); !errors.Is(err, directory.ErrNotFound) {
		b.Errorf("noted: %v", err)
	}
	b.wantAgents()
}

func failedAgentsKeep(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	ann := agent("1", "Ann", "ann@example.com")
	b.setAgents(1, ann)
	if err := b.store.FailAgents(ctx, b.key, errors.New("the bridge is down"), "Start it."); err != nil {
		b.Fatal(err)
	}
	b.wantAgents(ann)
	if state, err := b.store.State(ctx, b.key); err != nil || state.Agents.Error != "the bridge is down" || state.Agents.Hint != "Start it." || state.Agents.Synced.IsZero() {
		b.Errorf("%+v, %v", state.Agents, err)
	}
	b.setAgents(1, ann)
	if state, _ := b.store.State(ctx, b.key); state.Agents.Error != "" || state.Agents.Hint != "" {
		b.Errorf("%+v", state.Agents)
	}
}

func agentsAreForgotten(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	b.setAgents(1, agent("1", "Ann", "ann@example.com"))
	if err := b.store.Forget(ctx, b.key); err != nil {
		b.Fatal(err)
	}
	b.wantAgents()
	if got := b.agentsOf("ann@example.com"); got != nil {
		b.Errorf("found %v", got)
	}
	// A late worker stores none.
	if _, err := b.store.SetAgents(ctx, b.key, []directory.Agent{agent("1", "Ann", "ann@example.com")}); !errors.Is(err, directory.ErrNotFound) {
		b.Errorf("stored: %v", err)
	}
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	b.wantAgents()
}

func purgedAgentsStayAway(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 1, "Ann")})
	ann, bob, cid := agent("1", "Ann", "ann@example.com"), agent("2", "Bob", "bob@example.com"), agent("3", "Cid", "cid@example.com")
	b.setAgents(3, ann, bob, cid)
	purge := func(suppress bool, want int64, id string) {
		b.Helper()
		n, err := b.store.Purge(ctx, b.key.Account, []directory.Ref{{Integration: b.key.Integration, ID: id, Agent: true}}, suppress)
		if err != nil || n != want {
			b.Errorf("purged %d, %v; want %d", n, err, want)
		}
	}
	purge(false, 1, "2")
	purge(true, 1, "1")
	purge(true, 0, "1")
	b.wantAgents(cid)
	b.setAgents(2, ann, bob, cid)
	b.wantAgents(bob, cid)
	if got := b.agentsOf("ann@example.com"); got != nil {
		b.Errorf("found %v", got)
	}
}

// An agent and a contact may have the same id: purging one leaves the other.
func anAgentIsNoContact(b *bench) {
	b.complete(directory.PageChanges{Contacts: []directory.Record{person("1", "Contact", "")}})
	b.setAgents(1, agent("1", "Ann", "ann@example.com"))
	b.purge(true, 1, "1")
	b.wantAgents(agent("1", "Ann", "ann@example.com"))
	b.setAgents(1, agent("1", "Ann", "ann@example.com"))
	b.holds(map[string]string{})
}
