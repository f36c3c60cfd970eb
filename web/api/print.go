package api

import (
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Integrations are integrations as the API writes them, for other places that print the same JSON.
func Integrations(list []hub.IntegrationView) any { return views(list, viewIntegration) }

// Integration is one integration as the API writes it.
func Integration(i hub.IntegrationView) any { return viewIntegration(i) }

// Runs are runs as the API writes them.
func Runs(list []directory.Run) any { return views(list, viewRun) }

// RejectedContacts are rejected contacts as the API writes them.
func RejectedContacts(list []directory.Rejected) any {
	return views(list, func(r directory.Rejected) rejectedView { return rejectedView(r) })
}

// HeldContacts are contacts that wait for a decision about their deletion, as the API writes them.
func HeldContacts(held directory.Held, list []directory.HeldContact) any {
	return heldListView{held.Set, held.Count, views(list, viewHeld)}
}

// Webhooks are webhooks as the API writes them, without their secrets.
func Webhooks(list []registry.Webhook) any { return views(list, viewWebhook) }

// CreatedWebhook is a webhook as the API writes it when it is added, with its secret.
func CreatedWebhook(w registry.Webhook, secret string) any {
	return createdWebhookView{WebhookView: viewWebhook(w), Secret: secret}
}

// Agents are agents as the API writes them.
func Agents(list []hub.AgentView) any { return agentsView{views(list, viewAgent)} }
