package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

type overviewView struct {
	Contacts     int64                   `json:"contacts" doc:"Contacts in the directory."`
	Integrations int                     `json:"integrations" doc:"Integrations."`
	ByHealth     map[registry.Health]int `json:"by_health" doc:"Integrations by health."`
	Attention    []integrationView       `json:"attention" doc:"Those that are broken, guarded or failing, the worst first; at most 100."`
	Stalest      []integrationView       `json:"stalest" doc:"The others, the least fresh first; at most 100."`
}

type sampleView struct {
	Day      time.Time `json:"day" doc:"Midnight UTC."`
	Contacts int64     `json:"contacts" doc:"Contacts in the directory."`
}

type samplesView struct {
	Samples []sampleView `json:"samples" doc:"Ascending by day."`
}

type samplesQuestion struct {
	Since time.Time `query:"since" doc:"The first day. Default: 90 days ago."`
	InAccount
}

func (a *API) routeOverview() {
	const tag = "integrations"
	register(a, operation{
		id: "readOverview", method: http.MethodGet, path: "/api/v1/overview", tag: tag, scopes: lookers, account: anyAccount,
		summary: "How everything stands",
	}, func(ctx context.Context, _ *InAccount) (*answer[overviewView], error) {
		o, err := a.hub.Overview(ctx, accountOf(ctx))
		return answered(viewOverview(o)), err
	})
	register(a, operation{
		id: "listSamples", method: http.MethodGet, path: "/api/v1/samples", tag: tag, scopes: lookers, account: anyAccount,
		summary: "How many contacts there were, by day",
	}, func(ctx context.Context, in *samplesQuestion) (*answer[samplesView], error) {
		since := in.Since
		if since.IsZero() {
			since = a.clock().AddDate(0, 0, -90)
		}
		list, err := a.hub.Samples(ctx, accountOf(ctx), since)
		return answered(samplesView{views(list, func(s registry.Sample) sampleView { return sampleView{Day: s.Day, Contacts: s.Contacts} })}), err
	})
}

func viewOverview(o hub.Overview) overviewView {
	v := overviewView{
		Contacts: o.Contacts, Integrations: o.Integrations, ByHealth: map[registry.Health]int{},
		Attention: views(o.Attention, viewIntegration), Stalest: views(o.Stalest, viewIntegration),
	}
	for health, n := range o.ByHealth {
		v.ByHealth[health] = n
	}
	return v
}
