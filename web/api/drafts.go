package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// A SourceDraft is a source that is not kept yet.
type SourceDraft struct {
	Source      map[string]any    `json:"source" doc:"The external service: kind, and that kind's keys as in a bridge's configuration."`
	Phones      map[string]any    `json:"phones,omitempty" doc:"What happens to phone numbers, as in a bridge's configuration."`
	Page        map[string]any    `json:"page,omitempty" doc:"When a page ends, as in a bridge's configuration."`
	Auth        map[string]string `json:"auth,omitempty" doc:"Auth values that the source uses as {{auth.name}}."`
	Client      string            `json:"client,omitempty" maxLength:"64" doc:"The operator's client by which a person signs in, as oauth.client of an integration. Absent: nobody does."`
	Grant       string            `json:"grant,omitempty" maxLength:"64" doc:"What the person's sign-in gave."`
	Integration string            `json:"integration,omitempty" maxLength:"64" doc:"The integration that would be changed: its sign-in is used where it is for the same service."`
}

func (d SourceDraft) draft(ctx context.Context) (hub.SourceDraft, error) {
	s := IntegrationSettings{Source: d.Source, Phones: d.Phones, Page: d.Page}
	if len(d.Source) == 0 {
		return hub.SourceDraft{}, invalid("source", "source: it is empty.", "Write its kind, and that kind's keys.")
	}
	text, err := s.sourceText()
	if err != nil {
		return hub.SourceDraft{}, err
	}
	if _, reserved := d.Auth[registry.SourceValue]; reserved {
		return hub.SourceDraft{}, invalid("auth", "auth: "+registry.SourceValue+" is not a name of a value.", "Write the source below source.")
	}
	return hub.SourceDraft{Account: accountOf(ctx), Text: text, Auth: d.Auth, Client: d.Client, Grant: d.Grant, Integration: d.Integration}, nil
}

type draftInput struct {
	InAccount
	Body SourceDraft `nameHint:"SourceDraft"`
}

type previewView struct {
	OK       bool                 `json:"ok" doc:"No problem is a failure."`
	Kind     string               `json:"kind" doc:"The kind of source."`
	Reads    string               `json:"reads,omitempty" doc:"What is read, in a word or two."`
	Contacts []contact.Contact    `json:"contacts" doc:"The first contacts, as they would be stored."`
	Examined int                  `json:"examined" doc:"Contacts that were looked at."`
	Total    int64                `json:"total,omitempty" doc:"All contacts, where they were counted; less than examined: unknown."`
	Complete bool                 `json:"complete" doc:"These were all there are."`
	Mapping  []mappedView         `json:"mapping" doc:"Where the fields come from."`
	Unused   []string             `json:"unused" doc:"Columns that go nowhere."`
	Facts    []factView           `json:"facts" doc:"How a run works."`
	Problems []previewProblemView `json:"problems" doc:"The worst first."`
}

type mappedView struct {
	Field string `json:"field" doc:"The contact's field."`
	From  string `json:"from" doc:"The column or expression that it is made of."`
}

type factView struct {
	Name string `json:"name" doc:"What it is about."`
	Text string `json:"text" doc:"What is so."`
}

type previewProblemView struct {
	Severity string `json:"severity" enum:"failure,warning,note" doc:"failure: it does not work, or contacts are missing."`
	Code     string `json:"code" doc:"What kind of problem it is, for programs."`
	Message  string `json:"message" doc:"What is so."`
	Hint     string `json:"hint,omitempty" doc:"What to do."`
}

type lookInput struct {
	InAccount
	Body struct {
		SourceDraft
		Things []string `json:"things,omitempty" maxItems:"100" doc:"Names of what is to be read. Absent: what holds contacts, most likely."`
	} `nameHint:"SourceLook"`
}

type listingView struct {
	Noun     string               `json:"noun,omitempty" doc:"What one thing is called: table."`
	Key      string               `json:"key,omitempty" doc:"The key of the source that names one."`
	Things   []thingView          `json:"things" doc:"What could hold contacts."`
	Chosen   []string             `json:"chosen" doc:"What the settings read."`
	Why      string               `json:"why,omitempty" doc:"Why this."`
	Settings []settingView        `json:"settings" doc:"Keys of the source, besides those that it was given: the proposed mapping."`
	Region   string               `json:"region,omitempty" doc:"Country of numbers without a country code, if the other numbers tell."`
	National bool                 `json:"national,omitempty" doc:"There are numbers without a country code: phones.region is needed."`
	Problems []listingProblemView `json:"problems" doc:"What a person should know of it."`
}

type thingView struct {
	Name    string       `json:"name" doc:"Its name."`
	Title   string       `json:"title,omitempty" doc:"What people call it."`
	Sort    string       `json:"sort,omitempty" doc:"What it is, where it is not the noun: view."`
	Rows    int64        `json:"rows" doc:"How many records it has, roughly; -1: unknown."`
	Columns []columnView `json:"columns" doc:"Its columns."`
}

type columnView struct {
	Name string `json:"name" doc:"Its name."`
	Type string `json:"type,omitempty" doc:"What the external service calls its type."`
}

type settingView struct {
	Key   string `json:"key" doc:"The key, dotted where it is within another."`
	Value any    `json:"value" doc:"Its value."`
	Why   string `json:"why,omitempty" doc:"Why this value."`
}

type listingProblemView struct {
	Message string `json:"message" doc:"What is so."`
	Hint    string `json:"hint,omitempty" doc:"What to do."`
}

type signInInput struct {
	InAccount
	Body struct {
		SourceDraft
		Redirect string `json:"redirect,omitempty" maxLength:"2048" doc:"The hub's /oauth/callback, as browsers reach it. Default: the public URL of the hub's configuration, or where this request went."`
		Back     string `json:"back,omitempty" maxLength:"2048" doc:"Path of this hub where the browser goes afterwards, with grant as a parameter. Default: its start."`
	} `nameHint:"SourceSignIn"`
}

type signInView struct {
	URL   string `json:"url" doc:"Where a browser must go within ten minutes."`
	Grant string `json:"grant" doc:"What stands for the sign-in once it is complete: good for a day, for this account and this token, as grant of a draft or of an integration."`
}

// routeDrafts adds what is done with sources that are not kept yet.
func (a *API) routeDrafts() {
	const tag = "integrations"
	register(a, operation{
		id: "previewSource", method: http.MethodPost, path: "/api/v1/drafts/preview", tag: tag, scopes: only(registry.ScopeWrite),
		summary: "See the contacts of a source before it is kept",
		details: "Nothing is stored. What is wrong with the external service is among the problems, not an error.",
	}, func(ctx context.Context, in *draftInput) (*answer[previewView], error) {
		d, err := in.Body.draft(ctx)
		if err != nil {
			return nil, err
		}
		p, err := a.hub.PreviewSource(ctx, d)
		if err != nil {
			return nil, err
		}
		return answered(viewPreview(p)), nil
	})
	register(a, operation{
		id: "lookAtSource", method: http.MethodPost, path: "/api/v1/drafts/look", tag: tag, scopes: only(registry.ScopeWrite),
		summary: "List the tables of a database or the sheets of a file, with a proposed mapping",
		details: "The source needs only what connects to it.",
	}, func(ctx context.Context, in *lookInput) (*answer[listingView], error) {
		d, err := in.Body.draft(ctx)
		if err != nil {
			return nil, err
		}
		l, err := a.hub.LookAtSource(ctx, d, proposal.Wish{Things: in.Body.Things})
		return answered(viewListing(l)), err
	})
	register(a, operation{
		id: "beginSignIn", method: http.MethodPost, path: "/api/v1/drafts/sign-in", tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Begin to sign in at the external service of a source before it is kept",
		details: "The hub's operator has to have a client for the service (oauth_clients). Complete once the browser has come back to /oauth/callback.",
	}, a.beginSignIn)
}

func (a *API) beginSignIn(ctx context.Context, in *signInInput) (*answer[signInView], error) {
	d, err := in.Body.draft(ctx)
	if err != nil {
		return nil, err
	}
	if d.Client == "" {
		if _, d.Client, err = a.hub.SignInFor(ctx, d); err != nil {
			return nil, err
		}
	}
	redirect, err := a.callback(ctx, in.Body.Redirect)
	if err != nil {
		return nil, err
	}
	begun, err := a.hub.BeginSignIn(ctx, hub.SignInRequest{Draft: d, Redirect: redirect, Back: in.Body.Back})
	return answered(signInView{URL: begun.URL, Grant: begun.Grant}), err
}

// callback returns where external services send browsers back to.
func (a *API) callback(ctx context.Context, said string) (string, error) {
	if said != "" {
		return said, nil
	}
	base := a.hub.Options.PublicURL
	if base == "" {
		base = exchange.Of(ctx).Base()
	}
	redirect, err := url.JoinPath(base, "oauth", "callback")
	if err != nil {
		return "", invalid("redirect", "It is not known where browsers reach the hub.", "Set public_url in the configuration, or send redirect.")
	}
	return redirect, nil
}

func viewPreview(p *preview.Preview) previewView {
	v := previewView{
		OK: p.OK, Kind: p.Kind, Reads: p.Table, Contacts: p.Contacts, Examined: p.Examined, Total: p.Total, Complete: p.Complete, Unused: p.Unused,
		Mapping: []mappedView{}, Facts: []factView{}, Problems: []previewProblemView{},
	}
	for _, m := range p.Mapping {
		v.Mapping = append(v.Mapping, mappedView{m.Field, m.From})
	}
	for _, f := range p.Facts {
		v.Facts = append(v.Facts, factView{f.Name, f.Value})
	}
	for _, p := range p.Problems {
		v.Problems = append(v.Problems, previewProblemView{string(p.Severity), p.Code, p.Message, p.Hint})
	}
	return v
}

func viewListing(l hub.Listing) listingView {
	v := listingView{
		Noun: l.Inventory.Noun, Key: l.Inventory.Key, Why: l.Proposal.Why, Region: l.Proposal.Region, National: l.Proposal.National, Chosen: []string{},
		Things: views(l.Inventory.Things, func(t proposal.Thing) thingView {
			return thingView{t.Name, t.Title, t.Sort, t.Rows, views(t.Columns, func(c proposal.Column) columnView { return columnView{c.Name, c.Type} })}
		}),
		Settings: views(l.Proposal.Settings, func(s proposal.Setting) settingView { return settingView{s.Key, s.Value, s.Why} }),
		Problems: views(l.Proposal.Problems, func(p proposal.Problem) listingProblemView { return listingProblemView{p.Message, p.Hint} }),
	}
	for _, t := range l.Proposal.Things {
		v.Chosen = append(v.Chosen, t.Name)
	}
	return v
}
