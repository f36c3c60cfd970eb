package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// draft returns the draft that the path names, as a page of a step.
func (c *Console) draft(q *request, step int) (view.Draft, error) {
	d, err := c.hub.Draft(q.Context(), q.PathValue("draft"))
	if err != nil {
		return view.Draft{}, err
	}
	return c.draftPage(q, d, step)
}

func (c *Console) draftPage(q *request, d hub.Draft, step int) (shown view.Draft, err error) {
	below := map[int]string{view.StepChoose: "things", view.StepContacts: "contacts"}[step]
	shown = view.Draft{Draft: d, Step: step, Action: view.DraftPath(d.ID, below)}
	if shown.Offer, err = c.hub.Offer(d.Kind); err != nil {
		return shown, err
	}
	q.page.Account = d.Account
	if err := c.fillConnect(q, &shown); err != nil {
		return shown, err
	}
	if shown.Fields, err = c.hub.DraftForm(d); err != nil {
		return shown, err
	}
	if step != view.StepContacts {
		return shown, nil
	}
	shown.Name, shown.Every = suggestedName(d), "5m"
	shown.Says, err = c.whatSavingDoes(q, d)
	return shown, err
}

// suggestedName names an integration by what is read.
func suggestedName(d hub.Draft) string {
	name := d.Kind
	if d.Found != nil && len(d.Found.Chosen) == 1 && !strings.ContainsAny(d.Found.Chosen[0], "/=") {
		name = d.Found.Chosen[0]
	}
	return strings.ToLower(strings.Trim(unfit.ReplaceAllString(name, "-"), "-_"))
}

// whatSavingDoes says what becomes of contacts and checkpoint.
func (c *Console) whatSavingDoes(q *request, d hub.Draft) ([]string, error) {
	if !d.Changes {
		return []string{"The first run reads every contact. Credentials are sealed, and never shown again."}, nil
	}
	found, err := c.hub.Integration(q.Context(), d.Key())
	if err != nil {
		return nil, err
	}
	return whatAnotherSourceDoes(q, found), nil
}

// whatAnotherSourceDoes says what it means for an integration's contacts that they come from elsewhere, or are made of other values.
func whatAnotherSourceDoes(q *request, i hub.IntegrationView) []string {
	says := []string{
		"The next run reads everything: the checkpoint belongs to what was read before, and how.",
		"Contacts keep their history where their ids stay the same.",
	}
	if i.State.Contacts > 0 {
		says = append(says, fmt.Sprintf("Of the %s that the hub has, those that the new source does not show are deleted, unless there are so many that the deletion guard stops it and asks.",
			q.page.Count(i.State.Contacts, "contact", "contacts")))
	}
	return says
}

// fillConnect says what of the first page depends on the hub: its uploaded files, and whether people can sign in.
func (c *Console) fillConnect(q *request, d *view.Draft) error {
	if d.Step != view.StepConnect || d.Account == "" {
		return nil
	}
	if _, registered := c.hub.Options.OAuthClients[d.Offer.Client]; !registered {
		d.NoClient = d.Offer.Client
	}
	if d.Offer.File == "" {
		return nil
	}
	each, _, _, err := c.hub.FileLimits(q.Context(), d.Account)
	if err != nil {
		return nil // who may not is told when the form is sent
	}
	d.MaxFile = humanize.IBytes(uint64(each))
	files, err := c.hub.Files(q.Context(), d.Account)
	for _, f := range files {
		if f.Kind == d.Kind {
			d.Files = append(d.Files, f.Name)
		}
	}
	return err
}

func (c *Console) draftConnect(q *request) error {
	d, err := c.draft(q, view.StepConnect)
	if err != nil {
		return err
	}
	return q.showDraft(http.StatusOK, d)
}

func (c *Console) connectDraft(q *request) error {
	d, err := c.hub.Draft(q.Context(), q.PathValue("draft"))
	if err != nil {
		return err
	}
	return c.connect(q, d)
}

// connect takes where a source is, tries it, and goes on to what was found there.
func (c *Console) connect(q *request, d hub.Draft) error {
	d, err := c.fill(q, d)
	shown, failed := c.draftPage(q, d, view.StepConnect)
	if failed != nil {
		return failed
	}
	if file := shown.Offer.File; err == nil && file != "" && shown.Value(file) == "" {
		err = &failure.Error{Code: failure.Invalid, Field: file, Message: "no file was chosen", Hint: "Choose one on your machine."}
	}
	if err == nil && q.PostForm.Get("do") == "sign-in" {
		return c.beginDraftSignIn(q, shown)
	}
	if err == nil && d.Client != "" && hasSecret(shown.Fields) {
		if d, err = c.hub.WithoutSignIn(q.Context(), d); err != nil {
			return err
		}
	}
	if err == nil {
		err = ofFields(c.hub.CheckDraft(d), shown.Fields, hub.GroupConnection, hub.GroupMore)
	}
	if err != nil {
		return q.refuseDraft(shown, err, sameField)
	}
	return c.goOn(q, d, shown)
}

// hasSecret reports whether a credential is filled in.
func hasSecret(fields []hub.SourceField) bool {
	return slices.ContainsFunc(fields, func(f hub.SourceField) bool { return f.Secret && f.Set })
}

// fill puts what was typed into a draft, and the file that was uploaded.
func (c *Console) fill(q *request, d hub.Draft) (hub.Draft, error) {
	offer, err := c.hub.Offer(d.Kind)
	if err != nil {
		return d, err
	}
	if q.file != nil && offer.File != "" {
		name, err := c.addFile(q, d.Account)
		if err != nil {
			return d, inField(err, offer.File)
		}
		q.PostForm.Set(offer.File, "upload:"+name)
	}
	return c.hub.FillDraft(q.Context(), d, q.PostForm)
}

// goOn leads to what is next once a source is connected.
func (c *Console) goOn(q *request, d hub.Draft, shown view.Draft) (err error) {
	proposed := d.Found != nil && len(d.Found.Chosen) > 0
	if !shown.Offer.Looks || proposed || d.Kept && d.Found == nil { // nothing of the connection was changed
		return q.redirect(view.DraftPath(d.ID, "contacts"), "")
	}
	if d, err = c.hub.FindDraft(q.Context(), d, nil); err != nil && (d.Found == nil || len(d.Found.Things) == 0) {
		return q.refuseDraft(shown, err, sameField)
	}
	if err != nil || len(d.Found.Things) > 1 {
		return q.redirect(view.DraftPath(d.ID, "things"), "")
	}
	return q.redirect(view.DraftPath(d.ID, "contacts"), "")
}

// beginDraftSignIn sends the browser to the external service, whose answer leads on with the draft.
func (c *Console) beginDraftSignIn(q *request, d view.Draft) error {
	begun, err := c.hub.BeginDraftSignIn(q.Context(), d.Draft, c.callback(q), view.DraftPath(d.ID, "signed-in"))
	if err != nil {
		return q.refuseDraft(d, err, sameField)
	}
	return c.leave(q, begun, view.DraftPath(d.ID, ""))
}

// signedIn is where the browser comes back to from an external service.
func (c *Console) signedIn(q *request) error {
	d, err := c.draft(q, view.StepConnect)
	if err != nil {
		return err
	}
	grant := q.Form.Get("grant")
	if grant == "" {
		return q.refuseDraft(d, &failure.Error{Code: failure.Invalid, Message: "the external service did not permit the access", Hint: "Sign in again, or give credentials of your own."}, sameField)
	}
	signed, err := c.hub.DraftSignedIn(q.Context(), d.Draft, grant)
	if err != nil {
		return q.refuseDraft(d, err, sameField)
	}
	return c.goOn(q, signed, d)
}

// ofFields returns what is wrong with fields of some groups: the others are filled in later.
func ofFields(err error, fields []hub.SourceField, groups ...string) error {
	var wrong []error
	for _, known := range failure.All(err) {
		if slices.ContainsFunc(fields, func(f hub.SourceField) bool { return f.Path == known.Field && slices.Contains(groups, f.Group) }) {
			wrong = append(wrong, &known)
		}
	}
	return errors.Join(wrong...)
}

func (c *Console) draftThings(q *request) error {
	d, err := c.draft(q, view.StepChoose)
	if err != nil {
		return err
	}
	if d.Found == nil {
		return c.findThings(q, d)
	}
	return q.showDraft(http.StatusOK, d)
}

// findThings looks again, where nothing has been found since the connection was changed.
func (c *Console) findThings(q *request, shown view.Draft) error {
	d, err := c.hub.LookDraft(q.Context(), shown.Draft)
	if d.Found != nil && len(d.Found.Things) > 0 {
		shown.Draft = d
		return q.showDraft(http.StatusOK, shown)
	}
	if err == nil {
		return q.redirect(view.DraftPath(d.ID, "contacts"), "")
	}
	if shown, failed := c.draftPage(q, d, view.StepConnect); failed == nil {
		return q.refuseDraft(shown, err, sameField)
	}
	return err
}

func (c *Console) chooseThings(q *request) error {
	shown, err := c.draft(q, view.StepChoose)
	if err != nil {
		return err
	}
	things := q.PostForm["thing"]
	if len(things) == 0 {
		return q.refuseDraft(shown, &failure.Error{Code: failure.Invalid, Field: "thing", Message: "nothing is chosen", Hint: "Choose where the contacts are."}, sameField)
	}
	d, err := c.hub.FindDraft(q.Context(), shown.Draft, things)
	if err != nil {
		shown.Draft = d
		return q.refuseDraft(shown, err, sameField)
	}
	return q.redirect(view.DraftPath(d.ID, "contacts"), "")
}

func (c *Console) draftContacts(q *request) error {
	d, err := c.draft(q, view.StepContacts)
	if err != nil {
		return err
	}
	return c.showContacts(q, d)
}

// showContacts shows a draft's contacts, or what has to be corrected before there are some.
func (c *Console) showContacts(q *request, d view.Draft) error {
	preview, err := c.hub.PreviewDraft(q.Context(), d.Draft)
	if err != nil {
		return q.refuseDraft(d, err, sameField)
	}
	d.Preview = preview
	for n, f := range d.Fields { // what the source maps by itself
		if name, ok := strings.CutPrefix(f.Path, "source.fields."); ok && f.Value == "" {
			var from []string
			for _, m := range preview.Mapping {
				if m.Field == name {
					from = append(from, m.From)
				}
			}
			d.Fields[n].Example = strings.Join(from, ", ")
		}
	}
	return q.showDraft(http.StatusOK, d)
}

// changeContacts takes another mapping, and shows the contacts again or saves.
func (c *Console) changeContacts(q *request) error {
	d, err := c.hub.Draft(q.Context(), q.PathValue("draft"))
	if err != nil {
		return err
	}
	d, err = c.hub.FillDraft(q.Context(), d, q.PostForm)
	shown, failed := c.draftPage(q, d, view.StepContacts)
	if failed != nil {
		return failed
	}
	if q.PostForm.Has("name") {
		shown.Name, shown.Every = q.typed("name"), q.typed("every")
	}
	if err == nil {
		err = c.hub.CheckDraft(d)
	}
	if err != nil {
		return q.refuseDraft(shown, err, sameField)
	}
	if q.PostForm.Get("do") != "save" {
		return c.showContacts(q, shown)
	}
	return c.saveDraft(q, shown)
}

func (c *Console) saveDraft(q *request, d view.Draft) error {
	every, err := time.ParseDuration(d.Every)
	if err != nil && !d.Changes {
		return q.refuseDraft(d, &failure.Error{Code: failure.Invalid, Field: "every", Message: fmt.Sprintf("%q is not an interval", d.Every), Hint: "Choose one of the list."}, sameField)
	}
	key, err := c.hub.SaveDraft(q.Context(), d.Draft, d.Name, func(i *registry.Integration) {
		if !d.Changes {
			i.Schedule.Every = every
		}
	})
	if err != nil {
		return q.refuseDraft(d, err, sameField)
	}
	if err := c.hub.Ask(q.Context(), key, registry.Ask{Run: true}); err != nil {
		return err
	}
	if d.Changes {
		return q.redirect(view.IntegrationPath(key), "changed")
	}
	return q.redirect(view.IntegrationPath(key), "added")
}

// comesFrom says where an integration gets its contacts, and what it means to change that.
func (c *Console) comesFrom(q *request) error {
	found, err := c.hub.Integration(q.Context(), q.key())
	if err != nil {
		return err
	}
	o := view.Origin{IntegrationView: found, Says: whatAnotherSourceDoes(q, found)}
	if found.Source != "" {
		o.Offer, _ = c.hub.Offer(found.Source) // one that the catalogue does not have is named by its kind
	}
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, "Where "+found.Key.Integration+" gets its contacts", view.OriginPage(q.page, o))
}

// changeSource begins a change of an integration's source.
func (c *Console) changeSource(q *request) error {
	d, err := c.hub.DraftOf(q.Context(), q.key())
	if err != nil {
		return err
	}
	return q.redirect(view.DraftPath(d.ID, ""), "")
}
