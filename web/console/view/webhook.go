package view

import (
	"strings"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A Webhook is the page of one webhook: what it was sent.
type Webhook struct {
	registry.Webhook
	Deliveries []registry.SentDelivery
	Tested     *registry.SentDelivery // what came of a test; nil: there was none
	Older      string                 // path of the page that goes on; empty: none
}

func webhookPath(w registry.Webhook, below ...string) string {
	return strings.Join(append([]string{"/webhooks", w.ID}, below...), "/")
}

// webhookAddress is where a webhook is told, as people write it.
func webhookAddress(w registry.Webhook) string { return strings.TrimPrefix(w.URL, "mailto:") }

func webhookTitle(w registry.Webhook) string {
	switch w.Way {
	case registry.WayEmail:
		return "Alerts by e-mail"
	case registry.WayChat:
		return "Alerts in a chat"
	}
	return "Webhook"
}

// deliveryShape and deliveryWords say how a delivery stands.
func deliveryShape(d registry.SentDelivery) string {
	switch {
	case d.Ended.IsZero() && d.Attempts == 0:
		return "new"
	case d.Ended.IsZero():
		return "failing"
	case d.Problem == "":
		return "ok"
	}
	return "broken"
}

func deliveryWords(d registry.SentDelivery) string {
	switch deliveryShape(d) {
	case "new":
		return "Waiting"
	case "failing":
		return "Is tried again"
	case "ok":
		return "Delivered"
	}
	return "Failed"
}
