package api

import (
	"context"
	"math"
	"net/http"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/guesses"
)

type hookView struct {
	Path  string `json:"path" doc:"Where the external service sends its POST: below the hub's address."`
	Token string `json:"token" doc:"The hook's own token, as Authorization: Bearer TOKEN or ?token=TOKEN. It starts runs of this integration and does nothing else. It is shown once."`
}

// HookPath is where an integration's hook is.
func HookPath(key directory.Key) string { return "/hooks/" + key.Account + "/" + key.Integration }

// routeHook makes and ends the token with which an external service says that something changed.
func (a *API) routeHook() {
	const tag, path = "integrations", "/api/v1/integrations/{integration}/hook"
	register(a, operation{
		id: "makeHook", method: http.MethodPost, path: path, tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Make the hook's token",
		details: "An external service that sends POST to the path with the token starts a run. An older token ends.",
	}, func(ctx context.Context, in *IntegrationPath) (*answer[hookView], error) {
		key := in.key(ctx)
		token, err := a.hub.NewHook(ctx, key)
		return answered(hookView{Path: HookPath(key), Token: token}), err
	})
	register(a, operation{
		id: "removeHook", method: http.MethodDelete, path: path, tag: tag, scopes: only(registry.ScopeWrite),
		summary: "End the hook's token",
	}, func(ctx context.Context, in *IntegrationPath) (*nothing, error) {
		return nil, a.hub.RemoveHook(ctx, in.key(ctx))
	})
}

// mostHandshake is how long a validation token may be that is sent back.
const mostHandshake = 4 << 10 // bytes

// hook starts a run. Nothing of the body is read: who knows the token may start a run, and nothing else.
func (a *API) hook(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	if r.Method != http.MethodPost {
		header.Set("Allow", http.MethodPost)
		newProblem("method_not_allowed", "A hook takes POST.", "Send a POST request.").Write(w, r)
		return
	}
	account, integration, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/hooks/"), "/")
	key := directory.Key{Account: account, Integration: integration}
	query := r.URL.Query()
	token := bearer(r)
	if token == "" {
		token = query.Get("token")
	}
	if p := a.knowsHook(r, key, token); p != nil {
		p.Write(w, r)
		return
	}
	if handshake := query.Get("validationToken"); handshake != "" { // Microsoft Graph asks whether this is its place
		if len(handshake) > mostHandshake {
			invalid("validationToken", "validationToken: it is too long.", "").Write(w, r)
			return
		}
		header.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(handshake)) // a caller that has gone has no use for it
		return
	}
	if err := a.hub.Hook(r.Context(), key); err != nil {
		problemOf(r.Context(), err).Write(w, r)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// knowsHook refuses a token that is not the hook's, and addresses that keep on guessing.
func (a *API) knowsHook(r *http.Request, key directory.Key, token string) *problem {
	judged, wait := a.guesses.Try(token, guessesFrom(a.proxies.Client(r)))
	if wait > 0 {
		p := newProblem("rate_limited", "Too many wrong tokens came from this address.", "Wait, and check the token.")
		p.retryAfter = int(math.Ceil(wait.Seconds()))
		return p
	}
	err := a.hub.CheckHook(r.Context(), key, token)
	switch {
	case err == nil:
		judged(guesses.Good)
		return nil
	case failure.Of(err).Code == failure.Denied:
		judged(guesses.Wrong)
		return newProblem("unauthorized", "There is no such hook, or its token is another one.", "Make a new one with  contactbridge hub integration hook NAME .")
	}
	judged(guesses.Unknown)
	return problemOf(r.Context(), err)
}
