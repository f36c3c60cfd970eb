package api

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// An accountRule says how an operation knows the account that it is about.
type accountRule int

const (
	oneAccount  accountRule = iota // the token's, or the parameter's: there must be one
	anyAccount                     // the same, but a caller that sees all accounts may leave it out
	pathAccount                    // stands in the path
	noAccount                      // it is not about one
)

// enter lets a request in: it returns who asks and which account it is about.
func (a *API) enter(r *http.Request, token string, scopes []registry.Scope, rule accountRule) (hub.Actor, string, *problem) {
	actor, p := a.authenticate(r, token)
	if p != nil {
		return hub.Actor{}, "", p
	}
	account := ""
	switch rule {
	case oneAccount, anyAccount:
		if r.URL.RawQuery != "" {
			account = r.URL.Query().Get("account")
		}
	case pathAccount:
		account = r.PathValue("account")
	}
	account, p = chooseAccount(actor, account, scopes, rule)
	if p != nil {
		return hub.Actor{}, "", p
	}
	exchange.Of(r.Context()).Account = account
	return actor, account, nil
}

// chooseAccount is the account that a request is about, where the actor may do this.
func chooseAccount(actor hub.Actor, account string, scopes []registry.Scope, rule accountRule) (string, *problem) {
	if account == "" && !actor.All && len(actor.Accounts) == 1 {
		account = actor.Accounts[0]
	}
	if !actor.All && account != "" && !slices.Contains(actor.Accounts, account) {
		return "", newProblem("denied", "The token is for another account.", "Use a token of this account, or leave the account out.")
	}
	allowed := mayAny(actor, scopes, account)
	if account == "" && !actor.All {
		allowed = slices.ContainsFunc(actor.Accounts, func(one string) bool { return mayAny(actor, scopes, one) })
	}
	switch {
	case !allowed:
		return "", newProblem("denied", "The token lacks the scope "+scopeNames(scopes)+".", "Use a token that has it: tokens are made with  contactbridge hub token create .")
	case account == "" && rule == oneAccount:
		return "", invalid("account", "It does not say which account it is about.", "Add ?account=NAME: the token is for several accounts.")
	}
	return account, nil
}

// mayAny reports whether the actor has one of the scopes in an account; empty: in all.
func mayAny(actor hub.Actor, scopes []registry.Scope, account string) bool {
	return slices.ContainsFunc(scopes, func(s registry.Scope) bool { return actor.May(s, account) })
}

// bearer is the token of a request's Authorization header; empty where it has none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// authenticate finds out who asks. Addresses that keep on guessing are held off, but not the tokens that proved good.
func (a *API) authenticate(r *http.Request, token string) (hub.Actor, *problem) {
	if token == "" {
		return hub.Actor{}, newProblem("unauthorized", "The request has no token.", "Send  Authorization: Bearer TOKEN ; tokens are made with  contactbridge hub token create .")
	}
	if a.guesses.Trusted(token) { // nearly every request
		if actor, err := a.hub.Authenticate(r.Context(), token); err == nil {
			exchange.Of(r.Context()).Actor = actor.Name
			return actor, nil
		}
	}
	judged, wait := a.guesses.Try(token, guessesFrom(a.proxies.Client(r)))
	if wait > 0 {
		p := newProblem("rate_limited", "Too many wrong tokens came from this address.", "Wait, and check the token.")
		p.retryAfter = int(math.Ceil(wait.Seconds()))
		return hub.Actor{}, p
	}
	actor, err := a.hub.Authenticate(r.Context(), token)
	if err == nil {
		judged(guesses.Good)
		exchange.Of(r.Context()).Actor = actor.Name
		return actor, nil
	}
	if failure.Of(err).Code == failure.Denied {
		judged(guesses.Wrong)
		return hub.Actor{}, newProblem("unauthorized", "The token is not known, or has expired.", "Check it, or make a new one with  contactbridge hub token create .")
	}
	judged(guesses.Unknown)
	return hub.Actor{}, problemOf(r.Context(), err)
}

// guessesFrom says how many wrong tokens may come from an address: so many at once, then one every 3 s.
func guessesFrom(address netip.Prefix) guesses.Count {
	return guesses.Count{
		Key:  guesses.Key{Address: address},
		Rule: guesses.Rule{Free: 20, Wait: 3 * time.Second, MaxWait: 3 * time.Second, Forget: time.Minute},
	}
}

// A Problem says why a request is refused.
type Problem interface {
	// Write answers with it.
	Write(w http.ResponseWriter, r *http.Request)
}

// Admit lets in who has a scope for all accounts; nil where it does.
func (a *API) Admit(r *http.Request, scope registry.Scope) Problem {
	actor, p := a.authenticate(r, bearer(r))
	if p != nil {
		return p
	}
	if !actor.May(scope, "") {
		return newProblem("denied", "The token lacks the scope "+string(scope)+" for all accounts.", "Use an administrator's token.")
	}
	return nil
}

// Tell returns an error as it may be shown outside; the rest goes into the log.
func (a *API) Tell(ctx context.Context, err error) (message, hint string) {
	p := problemOf(ctx, err)
	return p.failure.Message, p.failure.Hint
}
