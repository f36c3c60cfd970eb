package vendors

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Freshdesk is a helpdesk of Freshdesk with its contacts.
type Freshdesk struct {
	*Base
	*Store
	Domain string
	APIKey string
}

// NewFreshdesk returns a helpdesk.
func NewFreshdesk(now func() time.Time, domain string) *Freshdesk {
	f := &Freshdesk{Domain: domain, APIKey: "freshdesk-" + domain}
	f.Base = newBase(now, &Limit{Name: "minute", Requests: 100, Window: time.Minute})
	f.Store = newStore(f.Now, time.Second, numbers(501_002_381_000))
	return f
}

// Host implements [Simulator].
func (f *Freshdesk) Host(host string) bool { return host == f.Domain+".freshdesk.com" }

// Knows implements [Simulator].
func (f *Freshdesk) Knows(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == f.APIKey && password != ""
}

func (f *Freshdesk) open(*http.Request) bool { return false }

// ServeHTTP implements [http.Handler].
func (f *Freshdesk) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.serve(f, w, r) }

func (f *Freshdesk) refuse(w http.ResponseWriter, why *refusal) {
	var body any
	switch why.reason {
	case throttled:
		w.Header().Set("Retry-After", strconv.Itoa(int(why.wait.Seconds()+0.999)))
		body = map[string]any{"message": "You have exceeded the limit of requests per minute"}
	case unauthorized:
		body = map[string]any{"code": "invalid_credentials", "message": "You have to be logged in to perform this action."}
	case forbidden:
		body = map[string]any{"code": "access_denied", "message": "You are not authorized to perform this action."}
	case notFound: // an empty body
		w.WriteHeader(http.StatusNotFound)
		return
	case broken:
		body = map[string]any{"code": "internal_error", "message": "We're sorry, but something went wrong."}
	default:
		body = map[string]any{"description": "Validation failed", "errors": []any{map[string]any{"field": why.code, "message": why.message, "code": "invalid_value"}}}
	}
	_ = writeJSON(w, why.statusOf(), body)
}

func (f *Freshdesk) answer(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-Ratelimit-Total", "100")
	w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(f.remaining("minute")))
	w.Header().Set("X-Ratelimit-Used-Currentrequest", "1")
	id, one := strings.CutPrefix(r.URL.Path, "/api/v2/contacts/")
	switch {
	case r.Method != http.MethodGet:
		return noSuchPath(r)
	case r.URL.Path == "/api/v2/contacts":
		return f.contacts(w, r)
	case r.URL.Path == "/api/v2/account":
		return writeJSON(w, http.StatusOK, map[string]any{"account_id": len(f.Domain), "account_name": f.Domain, "account_domain": f.Domain + ".freshdesk.com"})
	case one:
		found := f.Get(id)
		if found == nil || found.Purged {
			return noSuchPath(r)
		}
		return writeJSON(w, http.StatusOK, f.contact(found))
	}
	return noSuchPath(r)
}

// contacts lists contacts in the order of their names. A deletion moves updated_at.
func (f *Freshdesk) contacts(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	perPage, page := p.number("per_page", 30, 1, 100), p.number("page", 1, 1, 1<<30)
	state := p.oneOf("state", "verified", "unverified", "blocked", "deleted")
	var since time.Time
	if text := p.text("_updated_since", ""); p.has("_updated_since") {
		var err error
		if since, err = time.Parse("2006-01-02T15:04:05Z", text); err != nil {
			p.fail("_updated_since", "It should be in the ISO 8601 format")
		}
	}
	for _, known := range []string{"email", "mobile", "phone", "company_id", "unique_external_id"} {
		p.text(known, "")
	}
	if err := p.end(f.Lenient); err != nil {
		return err
	}
	found := where(f.Visible(), func(r *Record) bool {
		return r.Gone() == (state == "deleted") && (since.IsZero() || !deletionStamp(r).IsZero() && !deletionStamp(r).Before(since))
	})
	order(found, 0, key{func(r *Record) any { return textOf(r.Fields["name"]) }, false}, key{byID, false})
	list := []any{}
	for _, c := range cut(found, (page-1)*perPage, perPage) {
		shown := f.contact(c)
		delete(shown, "avatar") // only a single contact has it
		list = append(list, shown)
	}
	if page*perPage < len(found) {
		next := *r.URL
		query := next.Query()
		query.Set("page", strconv.Itoa(page+1))
		next.Scheme, next.Host, next.RawQuery = "https", f.Domain+".freshdesk.com", query.Encode()
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", next.String()))
	}
	return writeJSON(w, http.StatusOK, list)
}

func (f *Freshdesk) contact(r *Record) map[string]any {
	contact := map[string]any{
		"name": nil, "email": nil, "phone": nil, "mobile": nil, "job_title": nil, "address": nil, "company_id": nil, "twitter_id": nil,
		"description": nil, "language": "en", "time_zone": "Berlin", "other_emails": []any{}, "tags": []any{}, "custom_fields": map[string]any{},
		"active": true, "facebook_id": nil, "unique_external_id": nil,
	}
	maps.Copy(contact, r.Fields)
	contact["id"], contact["created_at"], contact["updated_at"] = idOf(r.ID), r.Created.UTC().Format(time.RFC3339), nil
	if stamp := deletionStamp(r); !stamp.IsZero() {
		contact["updated_at"] = stamp.UTC().Format(time.RFC3339)
	}
	if r.Gone() {
		contact["deleted"] = true
	}
	return f.rename(contact)
}
