package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

type accountView struct {
	Name     string    `json:"name" doc:"The account's name."`
	Region   string    `json:"region,omitempty" doc:"Country of numbers that are written without a country code."`
	TimeZone string    `json:"time_zone,omitempty" doc:"IANA name. Absent: UTC."`
	Managed  bool      `json:"managed,omitempty" doc:"Declared by the configuration file, and changed there only."`
	Created  time.Time `json:"created,omitzero" doc:"When it was made."`
}

type accountsView struct {
	Accounts []accountView `json:"accounts" doc:"By name."`
}

// AccountPath names an account.
type AccountPath struct {
	Account string `path:"account" maxLength:"64" doc:"The account."`
}

type putAccountInput struct {
	AccountPath
	Body struct {
		Region   string `json:"region,omitempty" pattern:"^([A-Z]{2})?$" patternDescription:"two capital letters" doc:"Country of numbers that are written without a country code, ISO 3166-1 alpha-2."`
		TimeZone string `json:"time_zone,omitempty" maxLength:"64" doc:"IANA name, such as Europe/London. Default: UTC."`
	} `nameHint:"AccountSettings"`
}

func viewAccount(a registry.Account) accountView { return accountView(a) }

func (a *API) routeAccounts() {
	const tag, path = "accounts", "/api/v1/accounts/{account}"
	register(a, operation{
		id: "listAccounts", method: http.MethodGet, path: "/api/v1/accounts", tag: tag, scopes: lookers, account: noAccount,
		summary: "List the accounts that the token may see",
	}, func(ctx context.Context, _ *struct{}) (*answer[accountsView], error) {
		list, err := a.hub.Accounts(ctx)
		return answered(accountsView{views(list, viewAccount)}), err
	})
	register(a, operation{
		id: "readAccount", method: http.MethodGet, path: path, tag: tag, scopes: lookers, account: pathAccount,
		summary: "One account",
	}, func(ctx context.Context, in *AccountPath) (*answer[accountView], error) {
		one, err := a.hub.Account(ctx, in.Account)
		return answered(viewAccount(one)), err
	})
	register(a, operation{
		id: "putAccount", method: http.MethodPut, path: path, tag: tag, scopes: only(registry.ScopeAdmin), account: pathAccount,
		summary: "Make or change an account",
	}, func(ctx context.Context, in *putAccountInput) (*answer[accountView], error) {
		if err := a.hub.PutAccount(ctx, registry.Account{Name: in.Account, Region: in.Body.Region, TimeZone: in.Body.TimeZone}); err != nil {
			return nil, err
		}
		one, err := a.hub.Account(ctx, in.Account)
		return answered(viewAccount(one)), err
	})
	register(a, operation{
		id: "removeAccount", method: http.MethodDelete, path: path, tag: tag, scopes: only(registry.ScopeAdmin), account: pathAccount,
		summary: "Remove an account with everything in it",
	}, func(ctx context.Context, in *AccountPath) (*nothing, error) {
		return nil, a.hub.RemoveAccount(ctx, in.Account)
	})
}
