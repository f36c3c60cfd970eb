package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// An AuditFilter chooses entries of the audit log.
type AuditFilter struct {
	Subject string    `query:"subject" maxLength:"200" doc:"Only what is about this."`
	Actor   string    `query:"actor" maxLength:"200" doc:"Only what this one did: user jane, token pbx, …"`
	Action  string    `query:"action" maxLength:"100" doc:"Only actions that begin so: webhook.add, or session. for everything about signing in."`
	Since   time.Time `query:"since" doc:"Nothing before this time."`
	Until   time.Time `query:"until" doc:"Only what was before this time."`
	InAccount
}

func (f AuditFilter) registry(ctx context.Context) registry.Filter {
	return registry.Filter{Account: accountOf(ctx), Subject: f.Subject, Actor: f.Actor, Action: f.Action, Since: f.Since, Until: f.Until}
}

type auditQuestion struct {
	Before int64 `query:"before" minimum:"0" doc:"Only entries before this id: where a list goes on."`
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Entries in the answer."`
	AuditFilter
}

type auditEntryView struct {
	ID      int64     `json:"id" doc:"Its number."`
	Time    time.Time `json:"time" doc:"When."`
	Actor   string    `json:"actor" doc:"Who: user jane, token pbx, file hub.yaml, command line, hub."`
	Action  string    `json:"action" doc:"What was done: integration.add, token.create, contact.purge, session.start, …"`
	Account string    `json:"account,omitempty" doc:"Where."`
	Subject string    `json:"subject,omitempty" doc:"To what."`
	Detail  string    `json:"detail,omitempty" doc:"A phrase."`
}

type auditView struct {
	Entries []auditEntryView `json:"entries" doc:"The newest first."`
}

func (a *API) routeAudit() {
	const tag = "administration"
	register(a, operation{
		id: "listAudit", method: http.MethodGet, path: "/api/v1/audit", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "Who changed what, and who signed in", details: "The newest first. Entries are kept for a year at least. Who signed in stands in no account.",
	}, a.listAudit)
	o := operation{
		id: "exportAudit", method: http.MethodGet, path: "/api/v1/audit.csv", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "The audit log as CSV",
		details: "All entries of the filter, the newest first, as a program for tables takes them: a cell that such a program would calculate begins with an apostrophe.",
		answers: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	register(a, o, a.exportAudit)
}

func (a *API) listAudit(ctx context.Context, in *auditQuestion) (*answer[auditView], error) {
	f := in.registry(ctx)
	f.Before, f.Limit = in.Before, in.Limit
	list, err := a.hub.Audit(ctx, f)
	return answered(auditView{views(list, func(e registry.AuditEntry) auditEntryView { return auditEntryView(e) })}), err
}

func (a *API) exportAudit(ctx context.Context, in *AuditFilter) (*huma.StreamResponse, error) {
	f := in.registry(ctx)
	if _, err := a.hub.Audit(ctx, registry.Filter{Account: f.Account, Limit: 1}); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(answer huma.Context) {
		answer.SetHeader("Content-Type", "text/csv; charset=utf-8")
		answer.SetHeader("Content-Disposition", `attachment; filename="`+hub.AuditFile+`"`)
		if err := a.hub.WriteAudit(ctx, answer.BodyWriter(), f); err != nil {
			exchange.Of(ctx).Err = err
			panic(http.ErrAbortHandler) // the answer is under way: a list that ends early must not look whole
		}
	}}, nil
}
