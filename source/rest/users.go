package rest

import (
	"cmp"

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
	l.ByID, l.List, l.Agents = Reading{}, Reading{}, Agents{}
	l.Deletions = Deletions{By: "none"}
	l.Fields = record.Fields{Name: a.Name, Emails: record.Expressions{a.Email}}
	return l
}

// users returns the preset that reads the service's users.
func (p Preset) users() Preset {
	p.Language = p.Language.users()
	return p
}
