package console

import (
	"net/http"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

// offers are what the catalogue has by the words that were typed.
func (c *Console) offers(q *request) view.Catalogue {
	all := c.hub.Offers()
	shown := view.Catalogue{Query: strings.TrimSpace(q.Form.Get("q")), Changes: q.Form.Get("integration"), None: len(all) == 0}
	words := strings.Fields(strings.ToLower(shown.Query))
	for _, o := range all {
		text := strings.ToLower(strings.Join([]string{o.Kind, o.Title, o.Summary, o.Group, o.Icon}, " "))
		if containsAll(text, words) {
			shown.Offers = append(shown.Offers, o)
		}
	}
	return shown
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func (c *Console) catalogue(q *request) error {
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, "Add an integration", view.CataloguePage(q.page, c.offers(q)))
}

func (c *Console) catalogueFound(q *request) error {
	return q.part(http.StatusOK, view.Offers(q.page, c.offers(q)))
}

// kind begins a source of a kind: nothing is kept until the form is sent.
func (c *Console) kind(q *request) error {
	d, err := c.beginning(q)
	if err != nil {
		return err
	}
	return q.showDraft(http.StatusOK, d)
}

// beginning is the first page of a draft that is not begun yet.
func (c *Console) beginning(q *request) (view.Draft, error) {
	offer, err := c.hub.Offer(q.PathValue("kind"))
	if err != nil {
		return view.Draft{}, err
	}
	d := view.Draft{Offer: offer, Action: "/catalogue/" + offer.Kind, NewAccount: len(q.page.Accounts) == 0}
	d.Kind, d.Account, d.Draft.Name = offer.Kind, q.chosen(), q.Form.Get("integration")
	d.Changes = d.Draft.Name != ""
	d.Text = "source:\n  kind: " + offer.Kind + "\n"
	if d.Fields, err = c.hub.DraftForm(d.Draft); err != nil {
		return d, err
	}
	d.MaxFile = humanize.IBytes(hub.DefaultFileBytes)
	return d, c.fillConnect(q, &d)
}

// begin begins a draft with what was typed, and goes on as the draft does.
func (c *Console) begin(q *request) error {
	d, err := c.beginning(q)
	if err != nil {
		return err
	}
	if d.NewAccount {
		d.Account, d.Region, d.TimeZone = q.typed("account"), q.typed("region"), q.typed("time_zone")
		a := registry.Account{Name: d.Account, Region: d.Region, TimeZone: d.TimeZone, Created: c.clock()}
		if err := c.hub.PutAccount(q.Context(), a); err != nil {
			return q.refuseDraft(d, err, accountFields)
		}
		d.NewAccount, q.page.Accounts = false, []string{d.Account}
	} else if account := q.typed("account"); account != "" {
		d.Account = account
	}
	begun, err := c.hub.NewDraft(q.Context(), d.Draft.Key(), d.Kind)
	if err != nil {
		return q.refuseDraft(d, err, accountFields)
	}
	return c.connect(q, begun)
}

func (q *request) typed(name string) string { return strings.TrimSpace(q.PostForm.Get(name)) }

// showDraft shows the page of a draft's step.
func (q *request) showDraft(status int, d view.Draft) error {
	q.page.Section = view.SectionIntegrations
	title := "Connect " + d.Offer.Title
	switch d.Step {
	case view.StepChoose:
		return q.show(status, title, view.DraftChoosePage(q.page, d))
	case view.StepContacts:
		return q.show(status, title, view.DraftContactsPage(q.page, d))
	}
	return q.show(status, title, view.DraftConnectPage(q.page, d))
}

// refuseDraft shows a draft's page again with what is wrong; other errors are passed on.
func (q *request) refuseDraft(d view.Draft, err error, field func(string) string) error {
	problem := renamed(problemOf(err), field)
	if problem == nil {
		return err
	}
	d.Problem = problem
	return q.showDraft(http.StatusUnprocessableEntity, d)
}

func sameField(field string) string { return field }
