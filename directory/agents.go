package directory

import (
	"slices"
	"time"
)

// An Agent is a user of an integration's external service, who may be an agent of the contact centre as well (A1).
type Agent struct {
	ID    string // in the external service
	Name  string
	Email string
}

// An AgentEntry is an agent and where it comes from.
type AgentEntry struct {
	Key
	Agent Agent
}

// Agents says how an integration's agents stand.
type Agents struct {
	Count  int64
	Synced time.Time // when they were stored last; zero: never
	Error  string    // of the last attempt, where it failed
	Hint   string    // what to do about it
}

// AgentSuppression returns the text that stands for an agent's id among the suppressed ids, where those of contacts are as well.
func AgentSuppression(id string) string { return "\x00agent\x00" + id }

// UniqueAgents returns agents in the order of their ids (byte by byte), each id once: the last one wins.
func UniqueAgents(agents []Agent) []Agent {
	byID := make(map[string]Agent, len(agents))
	for _, a := range agents {
		byID[a.ID] = a
	}
	list := make([]Agent, 0, len(byID))
	for _, a := range byID {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Agent) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	return list
}
