package api

import (
	"context"
	"net/http"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A runsQuestion asks for a part of the history.
type runsQuestion struct {
	IntegrationPath
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Runs in the answer."`
	Before int64 `query:"before" minimum:"0" doc:"Only runs before this id: where a list goes on."`
}

type runsView struct {
	Runs []runView `json:"runs" doc:"The newest first."`
}

// A rejectedQuestion asks for a part of what could not be taken.
type rejectedQuestion struct {
	IntegrationPath
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Contacts in the answer."`
	Before int64 `query:"before" minimum:"0" doc:"Only contacts before this seq: where a list goes on."`
}

type rejectedView struct {
	Seq    int64  `json:"seq" doc:"Its number in the integration's list, ascending."`
	Run    int64  `json:"run" doc:"The id of the run that brought it."`
	ID     string `json:"id,omitempty" doc:"The contact's id. Absent where it has none."`
	Reason string `json:"reason" doc:"Why it could not be taken, a sentence."`
}

type rejectedListView struct {
	Rejected []rejectedView `json:"rejected" doc:"The newest first."`
}

// An agentsQuestion asks for a part of an integration's agents.
type agentsQuestion struct {
	IntegrationPath
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Agents in the answer."`
	After string `query:"after" maxLength:"2048" doc:"Only agents with an id after this one: where a list goes on."`
}

type agentsView struct {
	Agents []caller.Agent `json:"agents" doc:"By id."`
}

func viewAgent(v hub.AgentView) caller.Agent {
	return caller.Agent{Integration: v.Integration, ID: v.Agent.ID, Name: v.Agent.Name, Email: v.Agent.Email, User: v.User}
}

type progressView struct {
	Account     string  `json:"account" doc:"The account."`
	Integration string  `json:"integration" doc:"The integration."`
	Run         runView `json:"run" doc:"The run, as far as it has come."`
	Rate        float64 `json:"rate" doc:"Contacts a second, lately."`
	Note        string  `json:"note,omitempty" doc:"What it waits for. Absent while pages flow."`
}

type runningView struct {
	Running []progressView `json:"running" doc:"Runs under way in the process that answers."`
}

type beginView struct {
	URL string `json:"url" doc:"Where a browser must go to connect the integration."`
}

// routeControl adds what is done with integrations.
func (a *API) routeControl() {
	const tag, path = "integrations", "/api/v1/integrations/{integration}"
	register(a, operation{
		id: "listRuns", method: http.MethodGet, path: path + "/runs", tag: tag, scopes: lookers,
		summary: "An integration's runs",
	}, func(ctx context.Context, in *runsQuestion) (*answer[runsView], error) {
		runs, err := a.hub.Runs(ctx, in.key(ctx), in.Before, in.Limit)
		return answered(runsView{views(runs, viewRun)}), err
	})
	a.routeRun()
	register(a, operation{
		id: "listRejected", method: http.MethodGet, path: path + "/rejected", tag: tag, scopes: lookers,
		summary: "Contacts that the newest runs could not take, and why",
	}, func(ctx context.Context, in *rejectedQuestion) (*answer[rejectedListView], error) {
		list, err := a.hub.Rejected(ctx, in.key(ctx), in.Before, in.Limit)
		return answered(rejectedListView{views(list, func(r directory.Rejected) rejectedView { return rejectedView(r) })}), err
	})
	register(a, operation{
		id: "listAgents", method: http.MethodGet, path: path + "/agents", tag: tag, scopes: []registry.Scope{registry.ScopeCallers, registry.ScopeContacts, registry.ScopeRead},
		summary: "Users of the external service who may be agents, and who of the hub's users they are",
	}, func(ctx context.Context, in *agentsQuestion) (*answer[agentsView], error) {
		list, err := a.hub.Agents(ctx, in.key(ctx), in.After, in.Limit)
		return answered(agentsView{views(list, viewAgent)}), err
	})
	register(a, operation{
		id: "listRunning", method: http.MethodGet, path: "/api/v1/running", tag: tag, scopes: lookers, account: anyAccount,
		summary: "Runs under way in the process that answers",
	}, a.listRunning)
	register(a, operation{
		id: "testIntegration", method: http.MethodPost, path: path + "/test", tag: tag, scopes: only(registry.ScopeControl),
		summary: "Try an integration's credentials",
		details: "Asks its auth validation endpoint, or reads its first page. What is wrong with the bridge is the answer's problem, not an error.",
	}, func(ctx context.Context, in *IntegrationPath) (*answer[hub.TestResult], error) {
		result, err := a.hub.Test(ctx, in.key(ctx))
		return answered(result), err
	})
	a.routeAsk("run", "runIntegration", "Run as soon as there is a worker", registry.Ask{Run: true})
	a.routeAsk("full", "runFull", "Run, and read everything", registry.Ask{Run: true, Full: true})
	a.routeHeld()
	a.routeHook()
	a.routeAsk("cancel", "cancelRun", "End the run under way", registry.Ask{Cancel: true})
	a.routePause("pause", "pauseIntegration", "Run only when asked to", true)
	a.routePause("resume", "resumeIntegration", "Run by the schedule again", false)
	register(a, operation{
		id: "beginOAuth", method: http.MethodPost, path: path + "/oauth", tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Begin to connect an integration by OAuth",
		details: "The address that the external service sends the browser back to is /oauth/callback of the hub.",
	}, a.beginOAuth)
}

func (a *API) routeAsk(word, id, summary string, ask registry.Ask) {
	register(a, operation{
		id: id, method: http.MethodPost, path: "/api/v1/integrations/{integration}/" + word, tag: "integrations",
		scopes: only(registry.ScopeControl), summary: summary, status: http.StatusAccepted,
		details: "The answer says that it was asked for; status.asked of the integration shows it until it happens.",
	}, func(ctx context.Context, in *IntegrationPath) (*nothing, error) {
		return nil, a.hub.Ask(ctx, in.key(ctx), ask)
	})
}

func (a *API) routePause(word, id, summary string, paused bool) {
	register(a, operation{
		id: id, method: http.MethodPost, path: "/api/v1/integrations/{integration}/" + word, tag: "integrations",
		scopes: only(registry.ScopeControl), summary: summary,
	}, func(ctx context.Context, in *IntegrationPath) (*nothing, error) {
		return nil, a.hub.Pause(ctx, in.key(ctx), paused)
	})
}

// listRunning shows what the account may see: the hub's list is of the whole process.
func (a *API) listRunning(ctx context.Context, _ *InAccount) (*answer[runningView], error) {
	account, list := accountOf(ctx), []progressView{}
	actor, _ := hub.ActorOf(ctx)
	for _, p := range a.hub.Running() {
		if account != "" && p.Account != account || !mayAny(actor, lookers, p.Account) {
			continue
		}
		list = append(list, progressView{Account: p.Account, Integration: p.Integration, Run: viewRun(p.Run), Rate: p.Rate, Note: p.Note})
	}
	return answered(runningView{list}), nil
}

type beginInput struct {
	IntegrationPath
	Body *struct {
		Redirect string `json:"redirect,omitempty" maxLength:"2048" doc:"The hub's /oauth/callback, as browsers reach it. Default: the public URL of the hub's configuration, or where this request went."`
	} `nameHint:"BeginOAuth"`
}

func (a *API) beginOAuth(ctx context.Context, in *beginInput) (*answer[beginView], error) {
	said := ""
	if in.Body != nil {
		said = in.Body.Redirect
	}
	redirect, err := a.callback(ctx, said)
	if err != nil {
		return nil, err
	}
	to, err := a.hub.BeginOAuth(ctx, in.key(ctx), redirect)
	return answered(beginView{URL: to}), err
}
