package rest

import (
	"cmp"
	"reflect"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// users returns a language whose records are the users of the service: its request agents reads them, in all of its pages and with the
// same connection. A language without that request is returned as it is.
func (l Language) users() Language {
	a := l.Agents
	if a.IsZero() {
		return l
	}
	l.ID, l.Keep = cmp.Or(a.ID, "id"), a.Keep
	l.Changes = a.Reading
	l.Changes.Order = cmp.Or(a.Order, orderNone)
	l.Updated, l.Deleted, l.Merged, l.Tenant, l.Link = Stamp{}, "", "", "", Text{}
	l.ByID, l.List, l.Agents, l.Whole = Reading{}, Reading{}, Agents{}, Request{}
	l.Deletions = Deletions{By: "none"}
	l.Fields = record.Fields{Name: a.Name, Emails: record.Expressions{a.Email}}
	return l
}

// createAgents returns what makes the factory of the service's users. A service whose users the preset does not know is asked for contacts
// by what the preset says, and those are no agents: it is refused, unless the configuration says what else to ask for.
func (p Preset) createAgents(typ reflect.Type) func(decode func(into any) error, deps source.Deps) (source.Factory, error) {
	if p.Language.Agents.IsZero() {
		return p.createChecked(typ, func(l *Language) error {
			if !reflect.DeepEqual(l.Changes, p.Language.Changes) {
				return nil
			}
			return &source.ConfigError{
				Key: "kind", Message: "kind " + p.Name + " reads contacts, and knows no users of the service",
				Hint: "Read the agents from another source, or say with changes and fields which request has the users.",
			}
		})
	}
	p.Language = p.Language.users()
	return p.create(typ)
}
