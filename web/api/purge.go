package api

import (
	"context"
	"strings"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
)

// A RefView names a record of an account.
type RefView struct {
	Integration string `json:"integration" maxLength:"64" doc:"The integration."`
	ID          string `json:"id" minLength:"1" doc:"The contact's id in the external service."`
	Agent       bool   `json:"agent,omitempty" doc:"It is the id of an agent, not of a contact."`
}

type purgeRequest struct {
	Refs   []RefView `json:"refs,omitempty" maxItems:"1000" doc:"The records. One of refs, number and email."`
	Number string    `json:"number,omitempty" maxLength:"128" doc:"The person's number: every record that has it."`
	Email  string    `json:"email,omitempty" maxLength:"254" doc:"The person's e-mail address: every record that has it."`
	DryRun bool      `json:"dry_run,omitempty" doc:"Only say what would be deleted."`
}

type purgeView struct {
	DryRun     bool             `json:"dry_run" doc:"Nothing was deleted."`
	Purged     int64            `json:"purged" doc:"Records that were deleted; of a dry run: that would be."`
	Records    []recordView     `json:"records" doc:"The records."`
	Phonebooks []erasedFromView `json:"phonebooks,omitempty" doc:"The phonebooks that showed such a record, each with the devices that keep a copy and have not read it since."`
	Files      []string         `json:"files,omitempty" doc:"Uploaded files that the records came from. The person may still be in them: replace each by one without. No run brings the person back."`
	Uncertain  []recordView     `json:"uncertain" doc:"Records that are kept: only the last digits of their number agree. Name them by refs if they are this person's."`
}

// A recordView names a record, and its person as far as that is known.
type recordView struct {
	RefView
	Name    string `json:"name,omitempty" doc:"Absent where no such contact is kept."`
	Company string `json:"company,omitempty" doc:"The contact's company."`
}

type purgeInput struct {
	InAccount
	Body purgeRequest
}

const mostPurged = 1000

func (a *API) purge(ctx context.Context, in *purgeInput) (*answer[purgeView], error) {
	view, err := a.purgeable(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	if view.DryRun = in.Body.DryRun; view.DryRun {
		view.Purged = int64(len(view.Records) - view.unknown())
		return answered(view), nil
	}
	if in.Body.Number != "" {
		if _, err := a.hub.PurgeCalls(ctx, accountOf(ctx), in.Body.Number); err != nil {
			return nil, err
		}
	}
	refs := views(view.Records, func(r recordView) directory.Ref { return directory.Ref(r.RefView) })
	if len(refs) > 0 {
		result, err := a.hub.Purge(ctx, accountOf(ctx), refs)
		if err != nil {
			return nil, err
		}
		view.Purged, view.Files, view.Phonebooks = result.Purged, result.Files, views(result.Phonebooks, viewErasedFrom)
	}
	return answered(view), nil
}

// unknown is how many of the records are not there.
func (v *purgeView) unknown() (n int) {
	for _, r := range v.Records {
		if r.Name == "" {
			n++
		}
	}
	return n
}

// purgeable finds the records that a request means.
func (a *API) purgeable(ctx context.Context, in purgeRequest) (purgeView, error) {
	given := 0
	for _, is := range []bool{len(in.Refs) > 0, in.Number != "", in.Email != ""} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return purgeView{}, invalid("refs", "It takes refs, a number or an e-mail address.", "Send one of refs, number and email.")
	case in.Number != "":
		return a.purgeableByNumber(ctx, in.Number)
	case in.Email != "":
		return a.purgeableByEmail(ctx, in.Email)
	}
	view := purgeView{Records: []recordView{}, Uncertain: []recordView{}}
	for _, ref := range in.Refs {
		record := recordView{RefView: ref}
		if ref.Agent {
			var err error
			if record.Name, err = a.agentNamed(ctx, ref); err != nil {
				return view, err
			}
			view.Records = append(view.Records, record)
			continue
		}
		entry, err := a.hub.Contact(ctx, directory.Key{Account: accountOf(ctx), Integration: ref.Integration}, ref.ID)
		if err != nil && failure.Of(err).Code != failure.NotFound {
			return view, err
		}
		record.Name, record.Company = entry.Contact.Name, entry.Contact.Company
		view.Records = append(view.Records, record)
	}
	return view, nil
}

func (a *API) purgeableByNumber(ctx context.Context, number string) (purgeView, error) {
	view := purgeView{Records: []recordView{}, Uncertain: []recordView{}}
	found, err := a.hub.Lookup(ctx, accountOf(ctx), number, "", caller.LookupOptions{Limit: mostPurged, All: true})
	if err != nil {
		return view, err
	}
	if found.Note != "" {
		return view, invalid("number", found.Note, "Send a whole phone number.")
	}
	for _, m := range found.Matches {
		record := recordView{RefView: RefView{Integration: m.Integration, ID: m.ID}, Name: m.Name, Company: m.Company}
		switch m.How {
		case caller.Range: // a company, and no record
		case caller.Suffix:
			view.Uncertain = append(view.Uncertain, record)
		default:
			view.Records = append(view.Records, record)
		}
	}
	return view, nil
}

func (a *API) purgeableByEmail(ctx context.Context, email string) (purgeView, error) {
	view := purgeView{Records: []recordView{}, Uncertain: []recordView{}}
	if !strings.Contains(email, "@") {
		return view, invalid("email", "This is not an e-mail address.", "Send a whole one, such as jane@example.com.")
	}
	found, err := a.hub.ByEmail(ctx, accountOf(ctx), email)
	view.Records = views(found, func(e directory.Entry) recordView {
		return recordView{RefView: RefView{Integration: e.Integration, ID: e.Contact.ID}, Name: e.Contact.Name, Company: e.Contact.Company}
	})
	if err != nil {
		return view, err
	}
	agents, err := a.hub.AgentsByEmail(ctx, accountOf(ctx), email)
	for _, v := range agents {
		view.Records = append(view.Records, recordView{RefView: RefView{Integration: v.Integration, ID: v.Agent.ID, Agent: true}, Name: v.Agent.Name})
	}
	return view, err
}

// agentNamed returns the name of an agent; empty where there is no such agent.
func (a *API) agentNamed(ctx context.Context, ref RefView) (string, error) {
	agent, err := a.hub.Agent(ctx, directory.Key{Account: accountOf(ctx), Integration: ref.Integration}, ref.ID)
	if failure.Of(err).Code == failure.NotFound {
		return "", nil
	}
	return agent.Name, err
}
