package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// A TokenView is a token without its value.
type TokenView struct {
	ID      string           `json:"id" doc:"The token's id."`
	Name    string           `json:"name" doc:"Unique in its account."`
	Account string           `json:"account,omitempty" doc:"The account that it is for. Absent: all."`
	Scopes  []registry.Scope `json:"scopes" doc:"What it may do."`
	Managed bool             `json:"managed,omitempty" doc:"Declared by the configuration file, and changed there only."`
	Created time.Time        `json:"created,omitzero" doc:"When it was made."`
	Expires time.Time        `json:"expires,omitzero" doc:"When it ends. Absent: never."`
	Used    time.Time        `json:"used,omitzero" doc:"About when it was last used. Absent: never."`
	MadeBy  string           `json:"made_by,omitempty" doc:"Who made it: user jane, token deploy, command line, configuration file. Absent: not known. It ends when they may not make it any more."`
}

type tokensView struct {
	Tokens []TokenView `json:"tokens" doc:"By name."`
}

type createdTokenView struct {
	TokenView
	Value string `json:"value" doc:"What programs send. It is shown this once."`
}

type newToken struct {
	Name    string           `json:"name" minLength:"1" maxLength:"64" doc:"Unique in its account."`
	Scopes  []registry.Scope `json:"scopes" minItems:"1" maxItems:"7" enum:"callers:read,contacts:read,contacts:purge,integrations:read,integrations:control,integrations:write,admin" doc:"What it may do."`
	Expires time.Time        `json:"expires,omitzero" doc:"When it ends. Default: never."`
	Value   string           `json:"value,omitempty" maxLength:"256" doc:"What programs send. Default: a random value, which is the better choice."`
}

type newTokenInput struct {
	InAccount
	Body newToken
}

type idPath struct {
	ID string `path:"id" maxLength:"64" doc:"The id."`
	InAccount
}

func viewToken(t registry.Token) TokenView {
	return TokenView{
		ID: t.ID, Name: t.Name, Account: t.Account, Scopes: append([]registry.Scope{}, t.Scopes...), Managed: t.Managed,
		Created: t.Created, Expires: t.Expires, Used: t.Used, MadeBy: t.MadeBy,
	}
}

func (a *API) routeTokens() {
	const tag = "administration"
	register(a, operation{
		id: "listTokens", method: http.MethodGet, path: "/api/v1/tokens", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "List tokens",
	}, func(ctx context.Context, _ *InAccount) (*answer[tokensView], error) {
		list, err := a.hub.Tokens(ctx, accountOf(ctx))
		return answered(tokensView{views(list, viewToken)}), err
	})
	register(a, operation{
		id: "createToken", method: http.MethodPost, path: "/api/v1/tokens", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		status: http.StatusCreated, summary: "Make a token",
		details: "Its value is shown this once. A token without an account is for all of them, and must have the scope admin. It ends when who makes it may not any more: when the user is locked, demoted or removed, or the token by which it is made is removed.",
	}, func(ctx context.Context, in *newTokenInput) (*answer[createdTokenView], error) {
		t, value, err := a.hub.CreateToken(ctx, registry.Token{
			Name: in.Body.Name, Account: accountOf(ctx), Scopes: in.Body.Scopes, Expires: in.Body.Expires,
		}, in.Body.Value)
		return answered(createdTokenView{TokenView: viewToken(t), Value: value}), err
	})
	register(a, operation{
		id: "removeToken", method: http.MethodDelete, path: "/api/v1/tokens/{id}", tag: tag, scopes: only(registry.ScopeAdmin), account: anyAccount,
		summary: "End a token", details: "With all tokens that were made by it; at once in the process that answers, within a second in others.",
	}, func(ctx context.Context, in *idPath) (*nothing, error) { return nil, a.hub.RemoveToken(ctx, in.ID) })
	a.routeAudit()
}
