package console

import (
	"net/http"
	"strconv"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console/view"
)

const mostDeliveries = 50

func (c *Console) webhook(q *request) error { return q.showWebhook(http.StatusOK, nil) }

// showWebhook shows a webhook and what it was sent.
func (q *request) showWebhook(status int, tested *registry.SentDelivery) error {
	h, id := q.console.hub, q.PathValue("id")
	w, err := h.Webhook(q.Context(), id)
	if failure.Of(err).Code == failure.NotFound {
		return &failure.Error{Code: failure.NotFound, Message: "webhook not found", Hint: "Another user may have removed it. Look at the list."}
	}
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(q.URL.Query().Get("before"), 10, 64) // anything else is the newest
	list, err := h.Deliveries(q.Context(), id, before, mostDeliveries+1)
	if err != nil {
		return err
	}
	page := view.Webhook{Webhook: w, Tested: tested}
	if len(list) > mostDeliveries {
		list = list[:mostDeliveries]
		page.Older = q.page.In("/webhooks/" + w.ID + "?" + values("before", strconv.FormatInt(list[mostDeliveries-1].ID, 10)))
	}
	page.Deliveries = list
	q.page.Section = view.SectionWebhooks
	return q.show(status, "Webhook", view.WebhookPage(q.page, page))
}

func (c *Console) testWebhook(q *request) error {
	tested, err := c.hub.TestWebhook(q.Context(), q.PathValue("id"))
	if err != nil {
		return err
	}
	return q.showWebhook(http.StatusOK, &tested)
}

func (c *Console) redeliver(q *request) error {
	delivery, _ := strconv.ParseInt(q.PathValue("delivery"), 10, 64) // anything else is no delivery
	if err := c.hub.Redeliver(q.Context(), q.PathValue("id"), delivery); err != nil {
		return err
	}
	return q.redirect("/webhooks/"+q.PathValue("id"), "retry")
}

func (c *Console) enableWebhook(q *request) error {
	if err := c.hub.EnableWebhook(q.Context(), q.PathValue("id")); err != nil {
		return err
	}
	return q.redirect("/webhooks/"+q.PathValue("id"), "enabled")
}
