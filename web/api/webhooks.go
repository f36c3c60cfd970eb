package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A WebhookView is a webhook without its secret.
type WebhookView struct {
	ID       string    `json:"id" doc:"The webhook's id."`
	Account  string    `json:"account,omitempty" doc:"Whose events it is told of. Absent: everybody's."`
	URL      string    `json:"url" doc:"Where events are posted to."`
	Kinds    []string  `json:"kinds" doc:"Kinds of events. Empty: all."`
	Managed  bool      `json:"managed,omitempty" doc:"Declared by the configuration file, and changed there only."`
	Disabled bool      `json:"disabled,omitempty" doc:"It is told nothing."`
	Created  time.Time `json:"created,omitzero" doc:"When it was added."`
	Way      string    `json:"way,omitempty" enum:"chat,email" doc:"A receiver of alerts, declared by the configuration file: told in a chat or by e-mail. Absent: it is told of events by POST."`
}

type webhooksView struct {
	Webhooks []WebhookView `json:"webhooks" doc:"All of them."`
}

type createdWebhookView struct {
	WebhookView
	Secret string `json:"secret" doc:"What deliveries are signed with. It is shown this once."`
}

type newWebhookInput struct {
	InAccount
	Body struct {
		URL   string   `json:"url" minLength:"1" maxLength:"2048" doc:"Where events are posted to."`
		Kinds []string `json:"kinds,omitempty" maxItems:"50" doc:"Kinds of events, such as run.failed. Default: all."`
	} `nameHint:"NewWebhook"`
}

func viewWebhook(w registry.Webhook) WebhookView {
	v := WebhookView(w)
	v.Kinds = append([]string{}, v.Kinds...)
	return v
}

func (a *API) routeWebhooks() {
	const tag = "events"
	register(a, operation{
		id: "listWebhooks", method: http.MethodGet, path: "/api/v1/webhooks", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "List webhooks",
	}, func(ctx context.Context, _ *InAccount) (*answer[webhooksView], error) {
		list, err := a.hub.Webhooks(ctx, accountOf(ctx))
		return answered(webhooksView{views(list, viewWebhook)}), err
	})
	register(a, operation{
		id: "addWebhook", method: http.MethodPost, path: "/api/v1/webhooks", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		status: http.StatusCreated, summary: "Add a webhook",
	}, func(ctx context.Context, in *newWebhookInput) (*answer[createdWebhookView], error) {
		w, secret, err := a.hub.AddWebhook(ctx, registry.Webhook{Account: accountOf(ctx), URL: in.Body.URL, Kinds: in.Body.Kinds})
		return answered(createdWebhookView{WebhookView: viewWebhook(w), Secret: secret}), err
	})
	register(a, operation{
		id: "removeWebhook", method: http.MethodDelete, path: "/api/v1/webhooks/{id}", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "Remove a webhook",
	}, func(ctx context.Context, in *idPath) (*nothing, error) { return nil, a.hub.RemoveWebhook(ctx, in.ID) })
	a.routeDeliveries()
}
