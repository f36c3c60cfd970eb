package api

import (
	"context"
	"net/http"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A heldQuestion asks for a part of the contacts that wait.
type heldQuestion struct {
	IntegrationPath
	Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Contacts in the answer."`
	After int64 `query:"after" minimum:"0" doc:"Only contacts after this seq: where a list goes on."`
}

type heldView struct {
	Set   string `json:"set,omitempty" doc:"Names what waits: an answer is for it. It changes when a contact is added, and stays when contacts come back and leave. Absent where nothing waits."`
	Count int64  `json:"count" doc:"Contacts that wait."`
}

type heldContactView struct {
	Seq     int64  `json:"seq" doc:"Its number in the list, ascending."`
	ID      string `json:"id" doc:"The contact's id in the external service."`
	Name    string `json:"name" doc:"Full name."`
	Company string `json:"company,omitempty" doc:"Company."`
	Named   bool   `json:"named" doc:"The bridge said that it is deleted. Otherwise a complete run did not show it."`
}

type heldListView struct {
	Set      string            `json:"set,omitempty" doc:"Names what waits: an answer is for it. Absent where nothing waits."`
	Count    int64             `json:"count" doc:"Contacts that wait."`
	Contacts []heldContactView `json:"contacts" doc:"In the order in which they came into the directory."`
}

// An answerInput is a decision: delete the contacts, or keep them.
type answerInput struct {
	IntegrationPath
	Body struct {
		Set string `json:"set" minLength:"1" maxLength:"64" doc:"What the answer is for: the set whose contacts were shown to the person who answers."`
	} `nameHint:"DeletionsAnswer"`
}

type settledView struct {
	Contacts int64 `json:"contacts" doc:"Contacts that were deleted, or that stay."`
}

func viewHeld(h directory.HeldContact) heldContactView {
	return heldContactView{Seq: h.Seq, ID: h.Contact.ID, Name: h.Contact.Name, Company: h.Contact.Company, Named: h.Named}
}

// routeHeld adds what is done with deletions that wait for a decision.
func (a *API) routeHeld() {
	const tag, path = "integrations", "/api/v1/integrations/{integration}"
	register(a, operation{
		id: "listHeld", method: http.MethodGet, path: path + "/held", tag: tag, scopes: []registry.Scope{registry.ScopeControl, registry.ScopeContacts},
		summary: "Contacts whose deletion waits for a decision",
	}, func(ctx context.Context, in *heldQuestion) (*answer[heldListView], error) {
		held, list, err := a.hub.Held(ctx, in.key(ctx), in.After, in.Limit)
		return answered(heldListView{held.Set, held.Count, views(list, viewHeld)}), err
	})
	for _, o := range []struct {
		word, id, summary, details string
		say                        func(context.Context, directory.Key, string) (int64, error)
	}{
		{
			"accept-deletions", "acceptDeletions", "Say yes to the deletions that the guard holds back",
			"The contacts of the set are deleted, but for those that a run has shown again since. Where other contacts wait by now, no contact is deleted and the answer is 409.",
			a.hub.AcceptDeletions,
		},
		{
			"refuse-deletions", "refuseDeletions", "Say no to the deletions that the guard holds back",
			"The contacts stay. Those that a complete run does not show again come up again; those that the bridge named do only if it names them again.",
			a.hub.RefuseDeletions,
		},
	} {
		register(a, operation{
			id: o.id, method: http.MethodPost, path: path + "/" + o.word, tag: tag, scopes: only(registry.ScopeControl), summary: o.summary, details: o.details,
		}, func(ctx context.Context, in *answerInput) (*answer[settledView], error) {
			n, err := o.say(ctx, in.key(ctx), in.Body.Set)
			return answered(settledView{n}), err
		})
	}
}
