package api

import (
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
)

// Integrations are integrations as the API writes them, for whoever prints the same JSON elsewhere.
func Integrations(list []hub.IntegrationView) any { return views(list, viewIntegration) }

// Integration is one integration as the API writes it.
func Integration(i hub.IntegrationView) any { return viewIntegration(i) }

// Runs are runs as the API writes them.
func Runs(list []directory.Run) any { return views(list, viewRun) }

// RejectedContacts are rejected contacts as the API writes them.
func RejectedContacts(list []directory.Rejected) any {
	return views(list, func(r directory.Rejected) rejectedView { return rejectedView(r) })
}
