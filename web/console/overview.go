package console

import (
	"net/http"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/web/console/view"
)

const chartDays = 90

func (c *Console) overview(q *request) error {
	seen, err := c.newestEvent(q) // before anything is read: what comes later is news
	if err != nil {
		return err
	}
	o, err := c.hub.Overview(q.Context(), q.page.Account)
	if err != nil {
		return err
	}
	samples, err := c.hub.Samples(q.Context(), q.page.Account, c.clock().AddDate(0, 0, -chartDays))
	if err != nil && !denied(err) { // who sees some accounts only sees no sum of all
		return err
	}
	calls, err := c.hub.Recognitions(q.Context(), q.page.Account, c.clock().AddDate(0, 0, -chartDays))
	if err != nil && !denied(err) {
		return err
	}
	shown := view.Overview{Overview: o, Chart: view.NewLine(samples), Rate: view.NewRate(calls), Seen: seen}
	if len(calls) > 0 {
		shown.Today = calls[len(calls)-1]
	}
	q.page.Section = view.SectionOverview
	return q.show(http.StatusOK, "Overview", view.OverviewPage(q.page, shown))
}

func (c *Console) overviewLive(q *request) error {
	o, err := c.hub.Overview(q.Context(), q.page.Account)
	if err != nil {
		return err
	}
	return q.part(http.StatusOK, view.OverviewLive(q.page, view.Overview{Overview: o}))
}

const mostIntegrations = 200 // on a page

func (c *Console) integrations(q *request) error {
	after := directory.Key{Account: q.Form.Get("after-account"), Integration: q.Form.Get("after")}
	list, err := c.hub.Integrations(q.Context(), q.page.Account, after, mostIntegrations+1)
	if err != nil {
		return err
	}
	next := ""
	if len(list) > mostIntegrations {
		list = list[:mostIntegrations]
		last := list[mostIntegrations-1].Key
		next = q.page.In("/integrations?" + values("after-account", last.Account, "after", last.Integration))
	}
	q.page.Section = view.SectionIntegrations
	return q.show(http.StatusOK, "Integrations", view.IntegrationsPage(q.page, list, next))
}
