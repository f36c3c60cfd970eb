package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// oauthCallback takes what a browser brings back from an external service's page of consent. The state proves what it belongs to; where it
// goes from here was said when it began, and is a page of this hub.
func (s *site) oauthCallback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	answer := hub.SignInAnswer{State: query.Get("state"), Code: query.Get("code"), Refused: query.Get("error"), Issuer: query.Get("iss")}
	if cookie, err := r.Cookie(exchange.SignInCookie); err == nil {
		answer.Binding = cookie.Value
	}
	landing, err := s.options.Hub.FinishSignIn(r.Context(), answer)
	switch {
	case err != nil && landing.Back != "" && answer.Code == "":
		s.land(w, r, landing.Back, "sign_in", "refused")
	case err != nil:
		message, hint := s.api.Tell(r.Context(), err)
		plain(w, http.StatusBadRequest, strings.TrimSpace(message+" "+hint)+"\n")
	case landing.Grant != "":
		s.land(w, r, landing.Back, "grant", landing.Grant)
	case landing.Back != "":
		s.land(w, r, landing.Back, "sign_in", "done")
	case s.options.IntegrationPage != nil && landing.Integration != "":
		http.Redirect(w, r, s.options.IntegrationPage(landing.Key), http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// land sends a browser to a page of this hub, with one more parameter.
func (s *site) land(w http.ResponseWriter, r *http.Request, back, name, value string) {
	http.SetCookie(w, exchange.SignInBinding("", s.options.Secure))
	to, err := url.Parse(back)
	if err != nil || back == "" {
		to = &url.URL{Path: "/"}
	}
	query := to.Query()
	query.Set(name, value)
	to.RawQuery = query.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}
