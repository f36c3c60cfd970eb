package config

import (
	"slices"

	"github.com/invopop/jsonschema"

	"github.com/contactbridge/contactbridge/source/record"
)

// agents reads what an endpoint's agents come from: one source, in which fields.email may stand for the address of one person.
func (c *checker) agents(path string, e Endpoint) Endpoint {
	if e.Agents.IsZero() {
		return e
	}
	part := Endpoint{Name: e.Name, Auth: e.Auth, ofAgents: true, Source: e.Agents.Renamed("fields", "email", record.FieldEmails)}
	part = c.source(path, part)
	e.AgentsKind, e.AgentsTitle, e.NewAgents = part.Kind, part.Title, part.New
	if e.Auth.Mode == AuthSource && len(part.SourceAuth) == 0 && part.Kind.Name != "" && !c.failed(path) {
		c.problem(path, "auth: source lets in whoever the source takes, but the agents use no credentials of the caller", callersHint(part.Kind))
	}
	e.SourceAuth = append(slices.Clone(e.SourceAuth), part.SourceAuth...)
	slices.Sort(e.SourceAuth)
	e.SourceAuth = slices.Compact(e.SourceAuth)
	return e
}

// withEmail adds the field email to the fields of every kind of agents.
func withEmail(endpoint *jsonschema.Schema) {
	agents, ok := endpoint.Properties.Get("agents")
	if !ok {
		return
	}
	for _, kind := range agents.AllOf {
		fields, ok := kind.Then.Properties.Get("fields")
		if !ok || fields.Properties == nil {
			continue
		}
		if emails, ok := fields.Properties.Get(record.FieldEmails); ok {
			fields.Properties.Set("email", emails)
		}
	}
}
