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
		s.leadTo(w, r, s.options.IntegrationPage(landing.Key))
	default:
		s.leadTo(w, r, "/")
	}
}

// land sends a browser to a page of this hub, with one more parameter.
func (s *site) land(w http.ResponseWriter, r *http.Request, back, name, value string) {
	to, err := url.Parse(back)
	if err != nil || back == "" {
		to = &url.URL{Path: "/"}
	}
	query := to.Query()
	query.Set(name, value)
	to.RawQuery = query.Encode()
	s.leadTo(w, r, to.String())
}

// leadTo sends a browser to a page of this hub once its sign-in is over.
func (s *site) leadTo(w http.ResponseWriter, r *http.Request, page string) {
	http.SetCookie(w, exchange.SignInBinding("", s.options.Secure))
	http.Redirect(w, r, page, http.StatusSeeOther)
}
