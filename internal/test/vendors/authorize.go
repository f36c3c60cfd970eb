package vendors

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
)

// Authorize is the page of consent: it shows two links, both back to who asked.
func (o *OAuth) Authorize(w http.ResponseWriter, r *http.Request) {
	permitted, err := o.Permit(r.URL.String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	refused := *permitted
	refused.RawQuery = url.Values{"error": {"access_denied"}, "state": {r.URL.Query().Get("state")}}.Encode()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!DOCTYPE html><title>Permit the access?</title><p>Scopes: %s</p><p><a href="%s">Permit</a> <a href="%s">Refuse</a></p>`,
		html.EscapeString(r.URL.Query().Get("scope")), html.EscapeString(permitted.String()), html.EscapeString(refused.String()))
}
