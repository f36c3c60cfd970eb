package api

import (
	"context"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

type accountView struct {
	Name     string    `json:"name" doc:"The account's name."`
	Region   string    `json:"region,omitempty" doc:"Country of numbers that are written without a country code."`
	TimeZone string    `json:"time_zone,omitempty" doc:"IANA name. Absent: UTC."`
	Managed  bool      `json:"managed,omitempty" doc:"Declared by the configuration file, and changed there only."`
	Created  time.Time `json:"created,omitzero" doc:"When it was made."`

	Callers callersView `json:"callers" doc:"How callers are named, and which look-ups are kept."`
}

// A callersView says how an account names its callers.
type callersView struct {
	Policy []string  `json:"policy,omitempty" maxItems:"3" enum:"priority,company,newest" doc:"What decides where several contacts have the number of a call, in this order. Default: priority, company, newest."`
	Ranges []string  `json:"ranges,omitempty" maxItems:"1000" doc:"Numbers that belong to a company: +4420794600xx: Example Ltd"`
	Derive *bool     `json:"derive,omitempty" doc:"Name an unknown number by the company of which three contacts or more share all but its last digits. Default: true."`
	Keep   *duration `json:"keep,omitempty" doc:"How long look-ups are kept with their explanation. 0s: none is. Default: 720h."`
	Mask   *bool     `json:"mask,omitempty" doc:"Keep them without names and the last four digits of numbers. Default: true."`
}

func viewCallers(c registry.Callers) callersView {
	v := callersView{Policy: c.Policy, Ranges: c.Ranges}
	off := false
	if c.NoDerive {
		v.Derive = &off
	}
	if c.Unmasked {
		v.Mask = &off
	}
	if v.Keep = someDuration(c.Keep); c.Keep < 0 {
		v.Keep = new(duration)
	}
	return v
}

func (v *callersView) callers() registry.Callers {
	c := registry.Callers{Policy: v.Policy, Ranges: v.Ranges, NoDerive: v.Derive != nil && !*v.Derive, Unmasked: v.Mask != nil && !*v.Mask, Keep: v.Keep.orZero()}
	if v.Keep != nil && *v.Keep == 0 {
		c.Keep = -1 // registry.Callers: none
	}
	return c
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

		Callers *callersView `json:"callers,omitempty" doc:"How callers are named, and which look-ups are kept. Absent: as it is."`
	} `nameHint:"AccountSettings"`
}

func viewAccount(a registry.Account) accountView {
	return accountView{Name: a.Name, Region: a.Region, TimeZone: a.TimeZone, Managed: a.Managed, Created: a.Created, Callers: viewCallers(a.Callers)}
}

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
		account, err := a.hub.Account(ctx, in.Account)
		if err != nil && failure.Of(err).Code != failure.NotFound {
			return nil, err
		}
		account.Name, account.Region, account.TimeZone, account.Managed = in.Account, in.Body.Region, in.Body.TimeZone, false
		if in.Body.Callers != nil {
			account.Callers = in.Body.Callers.callers()
		}
		if err := a.hub.PutAccount(ctx, account); err != nil {
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
