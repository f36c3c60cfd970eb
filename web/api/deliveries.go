package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A deliveryView is an event on its way to a webhook, or that was sent to it.
type deliveryView struct {
	ID       int64     `json:"id" doc:"Its number, ascending."`
	Event    int64     `json:"event" doc:"The event's id."`
	Kind     string    `json:"kind" doc:"The event's kind."`
	Account  string    `json:"account,omitempty" doc:"Where it happened."`
	Subject  string    `json:"subject,omitempty" doc:"The integration, or what else it is about."`
	Happened time.Time `json:"happened" doc:"When it happened."`
	State    string    `json:"state" enum:"waiting,delivered,failed" doc:"waiting: to be sent, for the first time or again. delivered: the receiver took it. failed: it is not tried again."`
	Attempts int       `json:"attempts" doc:"How often it was sent."`
	Tried    time.Time `json:"tried,omitzero" doc:"When it was sent last."`
	Status   int       `json:"status,omitempty" doc:"Status of the last answer. Absent: there was none."`
	Seconds  float64   `json:"seconds,omitempty" doc:"How long the last attempt took."`
	Answer   string    `json:"answer,omitempty" doc:"The beginning of the last answer."`
	Problem  string    `json:"problem,omitempty" doc:"Why the last attempt failed."`
	Next     time.Time `json:"next,omitzero" doc:"When it is sent next. Absent: it is over."`
}

type deliveriesView struct {
	Deliveries []deliveryView `json:"deliveries" doc:"The newest first."`
}

type deliveriesQuestion struct {
	InAccount
	ID     string `path:"id" maxLength:"64" doc:"The webhook's id."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Deliveries in the answer."`
	Before int64  `query:"before" minimum:"0" doc:"Only deliveries before this id: where a list goes on."`
}

type deliveryPath struct {
	InAccount
	ID       string `path:"id" maxLength:"64" doc:"The webhook's id."`
	Delivery int64  `path:"delivery" minimum:"1" doc:"The delivery's id."`
}

func viewDelivery(d registry.SentDelivery) deliveryView {
	v := deliveryView{
		ID: d.ID, Event: d.Event.ID, Kind: d.Event.Kind, Account: d.Event.Account, Subject: d.Event.Subject, Happened: d.Event.Time, State: "waiting",
		Attempts: d.Attempts, Tried: d.Tried, Status: d.Status, Seconds: d.Took.Seconds(), Answer: d.Answer, Problem: d.Problem, Next: d.Next,
	}
	switch {
	case d.Ended.IsZero():
	case d.Problem == "":
		v.State = "delivered"
	default:
		v.State = "failed"
	}
	return v
}

// Deliveries are deliveries as the API writes them.
func Deliveries(list []registry.SentDelivery) any { return views(list, viewDelivery) }

// Delivery is one delivery as the API writes it.
func Delivery(d registry.SentDelivery) any { return viewDelivery(d) }

// routeDeliveries adds what is done with deliveries to webhooks.
func (a *API) routeDeliveries() {
	const tag, path = "events", "/api/v1/webhooks/{id}"
	register(a, operation{
		id: "listDeliveries", method: http.MethodGet, path: path + "/deliveries", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "What a webhook was sent, or will be", details: "Those that are over are kept for a week.",
	}, func(ctx context.Context, in *deliveriesQuestion) (*answer[deliveriesView], error) {
		list, err := a.hub.Deliveries(ctx, in.ID, in.Before, in.Limit)
		return answered(deliveriesView{views(list, viewDelivery)}), err
	})
	register(a, operation{
		id: "testWebhook", method: http.MethodPost, path: path + "/test", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "Send a webhook an event to try it",
		details: "An event of kind webhook.test is sent at once, as real ones are. What is wrong with the receiver is the answer's problem, not an error. It is not tried again.",
	}, func(ctx context.Context, in *idPath) (*answer[deliveryView], error) {
		d, err := a.hub.TestWebhook(ctx, in.ID)
		return answered(viewDelivery(d)), err
	})
	register(a, operation{
		id: "redeliver", method: http.MethodPost, path: path + "/deliveries/{delivery}/retry", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		status: http.StatusAccepted, summary: "Send an event again", details: "At once, and then as often as a new one. The event keeps its id.",
	}, func(ctx context.Context, in *deliveryPath) (*nothing, error) {
		return nil, a.hub.Redeliver(ctx, in.ID, in.Delivery)
	})
	register(a, operation{
		id: "enableWebhook", method: http.MethodPost, path: path + "/enable", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "Go on telling a webhook that is disabled", details: "What waits for it is sent.",
	}, func(ctx context.Context, in *idPath) (*nothing, error) { return nil, a.hub.EnableWebhook(ctx, in.ID) })
}
