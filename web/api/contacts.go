package api

import (
	"context"
	"net/http"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A contactView describes the JSON of a [contact.Contact].
type contactView struct {
	ID           string            `json:"id" doc:"Its id in the external service."`
	Name         string            `json:"name" doc:"Full name."`
	Title        string            `json:"title,omitempty" doc:"Job title."`
	Company      string            `json:"company,omitempty" doc:"Company."`
	Emails       []string          `json:"emails,omitempty" doc:"E-mail addresses."`
	Phones       []string          `json:"phones,omitempty" doc:"Numbers, as the bridge sent them."`
	Websites     []string          `json:"websites,omitempty" doc:"Websites."`
	PhotoURL     string            `json:"photo_url,omitempty" doc:"A picture."`
	Address      string            `json:"address,omitempty" doc:"Postal address in one line."`
	Twitter      string            `json:"twitter,omitempty" doc:"Handle without @."`
	URL          string            `json:"url,omitempty" doc:"Its page in the external service."`
	CustomFields []customFieldView `json:"custom_fields,omitempty" doc:"What else the external service says."`
}

type customFieldView struct {
	Key   string `json:"key" doc:"What it is."`
	Value string `json:"value" doc:"What it says."`
}

// An EntryView is a contact and where it comes from.
type EntryView struct {
	Integration string          `json:"integration" doc:"Where it comes from."`
	Contact     contact.Contact `json:"contact" doc:"The contact."`
}

type contactsView struct {
	Contacts []EntryView `json:"contacts" doc:"By name."`

	Unsearchable int64 `json:"not_searchable_yet,omitempty" doc:"How many contacts of the account a run stored that words do not find yet; their numbers and e-mail addresses name callers already. Left out where there are none."`
}

type kinView struct {
	EntryView
	Shares []string `json:"shares" doc:"The numbers and e-mail addresses that both records have."`
	Same   bool     `json:"same" doc:"It is surely the same person: the same page of the external service under the same id, or the same name with a number or address that no three names have. Others may be colleagues at a switchboard, or a couple."`
}

type personView struct {
	Record EntryView `json:"record" doc:"The record that was asked for."`
	Others []kinView `json:"others" doc:"Records that share a number or an address with the first: of the same person where same is true. The nearest first."`
}

type searchQuestion struct {
	Text        string `query:"q" required:"true" maxLength:"200" doc:"What a user has typed so far: words of a name, company, title or address, or the start or end of a number."`
	Integration string `query:"integration" maxLength:"64" doc:"Only its contacts."`
	Limit       int    `query:"limit" minimum:"1" maximum:"200" default:"20" doc:"Contacts in the answer."`
	InAccount
}

type contactPath struct {
	Integration string `path:"integration" maxLength:"64" doc:"The integration."`
	ID          string `path:"id" doc:"The contact's id in the external service, percent-encoded: a/b is a%2Fb."`
	InAccount
}

func (p contactPath) key(ctx context.Context) directory.Key {
	return directory.Key{Account: accountOf(ctx), Integration: p.Integration}
}

func (a *API) routeContacts() {
	register(a, operation{
		id: "searchContacts", method: http.MethodGet, path: "/api/v1/contacts", tag: "contacts", scopes: only(registry.ScopeContacts),
		summary: "Find contacts while a user types",
	}, a.searchContacts)
	register(a, operation{
		id: "readContact", method: http.MethodGet, path: "/api/v1/contacts/{integration}/{id}", tag: "contacts", scopes: only(registry.ScopeContacts),
		summary: "One contact",
	}, func(ctx context.Context, in *contactPath) (*answer[EntryView], error) {
		e, err := a.hub.Contact(ctx, in.key(ctx), in.ID)
		return answered(viewEntry(e)), err
	})
	register(a, operation{
		id: "readPerson", method: http.MethodGet, path: "/api/v1/contacts/{integration}/{id}/person", tag: "contacts", scopes: only(registry.ScopeContacts),
		summary: "Every source's record of one person, side by side",
	}, func(ctx context.Context, in *contactPath) (*answer[personView], error) {
		p, err := a.hub.Person(ctx, in.key(ctx), in.ID)
		return answered(viewPerson(p)), err
	})
	register(a, operation{
		id: "purgePerson", method: http.MethodPost, path: "/api/v1/purge", tag: "contacts", scopes: only(registry.ScopePurge),
		summary: "Forget a person on their request",
		details: "Deletes records for good and keeps later runs from bringing them back. With dry_run it says what it would delete. The audit log says that it was done, and by whom, but not to whom.",
	}, a.purge)
}

func (a *API) searchContacts(ctx context.Context, in *searchQuestion) (*answer[contactsView], error) {
	missing, err := a.hub.Unsearchable(ctx, accountOf(ctx)) // before the search: one that is entered meanwhile is found
	if err != nil {
		return nil, err
	}
	found, err := a.hub.Search(ctx, accountOf(ctx), directory.Query{Text: in.Text, Integration: in.Integration, Limit: in.Limit})
	return answered(contactsView{Contacts: viewEntries(found), Unsearchable: missing}), err
}

func viewEntry(e directory.Entry) EntryView {
	return EntryView{Integration: e.Integration, Contact: e.Contact}
}

func viewEntries(entries []directory.Entry) []EntryView {
	return views(entries, viewEntry)
}

// views turns a list into its views; the result is never nil.
func views[T, V any](list []T, view func(T) V) []V {
	all := make([]V, 0, len(list))
	for _, one := range list {
		all = append(all, view(one))
	}
	return all
}

func viewPerson(p hub.Person) personView {
	return personView{Record: viewEntry(p.Entry), Others: views(p.Others, func(k hub.Kin) kinView {
		return kinView{EntryView: viewEntry(k.Entry), Shares: append([]string{}, k.Shares...), Same: k.Same}
	})}
}
