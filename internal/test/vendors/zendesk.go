package vendors

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Zendesk is an account of Zendesk Support with its users.
type Zendesk struct {
	*Base
	*Store
	Subdomain string
	Email     string
	APIToken  string
	OAuth     *OAuth
	// Organizations are the names of organizations by their ids.
	Organizations map[int]string
}

// NewZendesk returns an account. Its users have no stamps of their own finer than a second, and the export is in the order of changes.
func NewZendesk(now func() time.Time, subdomain string) *Zendesk {
	z := &Zendesk{Subdomain: subdomain, Email: "sync@example.com", APIToken: "zendesk-" + subdomain, Organizations: map[int]string{}}
	z.Base = newBase(
		now,
		&Limit{Name: "incremental", Requests: 10, Window: time.Minute, Applies: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/incremental/") }},
		&Limit{Name: "account", Requests: 200, Window: time.Minute},
	)
	z.Store = newStore(z.Now, time.Second, numbers(26_363_597_354_000))
	z.OAuth = newOAuth(z.Now, "zendesk-"+subdomain, time.Hour, RefreshToken)
	return z
}

// Host implements [Simulator].
func (z *Zendesk) Host(host string) bool { return host == z.Subdomain+".zendesk.com" }

// Knows implements [Simulator].
func (z *Zendesk) Knows(r *http.Request) bool {
	user, token, ok := r.BasicAuth()
	return ok && user == z.Email+"/token" && token == z.APIToken || z.OAuth.knows(bearer(r, "Bearer"))
}

func (z *Zendesk) open(r *http.Request) bool { return r.URL.Path == "/oauth/tokens" }

// ServeHTTP implements [http.Handler].
func (z *Zendesk) ServeHTTP(w http.ResponseWriter, r *http.Request) { z.serve(z, w, r) }

func (z *Zendesk) refuse(w http.ResponseWriter, why *refusal) {
	switch why.reason {
	case throttled:
		w.Header().Set("Retry-After", strconv.Itoa(int(why.wait.Seconds()+0.999)))
		_ = writeJSON(w, why.statusOf(), map[string]any{"error": "APIRateLimitExceeded", "description": "Number of allowed API requests per minute exceeded"})
	case unauthorized:
		_ = writeJSON(w, why.statusOf(), map[string]any{"error": "Couldn't authenticate you"})
	case forbidden:
		_ = writeJSON(w, why.statusOf(), map[string]any{"error": map[string]any{
			"title": "Forbidden", "message": "You do not have access to this page. Please contact the account owner of this help desk for further help.",
		}})
	case notFound:
		_ = writeJSON(w, why.statusOf(), map[string]any{"error": "InvalidEndpoint", "description": "Not found"})
	case broken:
		_ = writeJSON(w, why.statusOf(), map[string]any{"error": "InternalError", "description": why.message})
	default:
		code := why.code
		if code == "" {
			code = "InvalidValue"
		}
		_ = writeJSON(w, why.statusOf(), map[string]any{"error": code, "description": why.message})
	}
}

func (z *Zendesk) answer(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-Rate-Limit", "200")
	w.Header().Set("X-Rate-Limit-Remaining", strconv.Itoa(z.remaining("account")))
	switch r.Method + " " + strings.TrimSuffix(r.URL.Path, ".json") {
	case "GET /api/v2/incremental/users/cursor":
		return z.export(w, r)
	case "GET /api/v2/users":
		return z.list(w, r)
	case "GET /api/v2/deleted_users":
		return z.deletedUsers(w, r)
	case "GET /api/v2/users/me":
		return writeJSON(w, http.StatusOK, map[string]any{"user": map[string]any{"id": 1, "email": z.Email, "role": "admin", "active": true}})
	case "POST /oauth/tokens":
		token, err := z.OAuth.grant(r)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, token)
	}
	return noSuchPath(r)
}

// export answers the incremental export by cursor: the users in the order in which they were changed, without the last minute.
func (z *Zendesk) export(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	most := p.number("per_page", 1000, 1, 1000)
	cursor, start := p.text("cursor", ""), p.text("start_time", "")
	include := p.oneOf("include", "identities", "organizations", "identities,organizations", "organizations,identities")
	if err := p.end(z.Lenient); err != nil {
		return err
	}
	settled := z.Now().Add(-time.Minute)
	var after func(*Record) bool
	switch {
	case cursor != "" && start != "":
		return invalidf("", "start_time and cursor are both given")
	case cursor != "":
		at, id, err := parseZendeskCursor(cursor)
		if err != nil {
			return err
		}
		after = func(r *Record) bool {
			return r.Changed.Truncate(time.Second).After(at) || r.Changed.Truncate(time.Second).Equal(at) && compare(ident(r.ID), ident(id)) > 0
		}
	default:
		seconds, err := strconv.ParseInt(start, 10, 64)
		if err != nil || seconds < 0 {
			return invalidf("", "Invalid start_time parameter")
		}
		if time.Unix(seconds, 0).After(settled) {
			return &refusal{reason: invalid, status: http.StatusUnprocessableEntity, code: "StartTimeTooRecent", message: "Too recent start_time. Use a start_time older than 1 minute"}
		}
		cursor = zendeskCursor(time.Unix(seconds, 0).Add(-time.Second), "~")
		after = func(r *Record) bool { return r.Changed.Unix() >= seconds }
	}
	found := where(z.Visible(), func(r *Record) bool { return r.Changed.Truncate(time.Second).Before(settled) && after(r) })
	order(found, 0, key{func(r *Record) any { return r.Changed.Truncate(time.Second) }, false}, key{byID, false})
	page := cut(found, 0, most)
	if len(page) > 0 {
		last := page[len(page)-1]
		cursor = zendeskCursor(last.Changed, last.ID)
	}
	body := map[string]any{
		"users": z.users(page, include), "after_cursor": cursor, "before_cursor": nil, "before_url": nil, "end_of_stream": len(found) <= most,
		"after_url": "https://" + z.Subdomain + ".zendesk.com" + r.URL.Path + "?cursor=" + escape(cursor) + "&per_page=" + strconv.Itoa(most),
	}
	if strings.Contains(include, "organizations") {
		list := []any{}
		for id, name := range z.Organizations {
			list = append(list, map[string]any{"id": id, "name": name})
		}
		body["organizations"] = list
	}
	return writeJSON(w, http.StatusOK, body)
}

// list lists the users that are there now, in the order of their ids.
func (z *Zendesk) list(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	most, after := p.number("page[size]", 100, 1, 100), p.text("page[after]", "")
	role := p.oneOf("role", "end-user", "agent", "admin")
	if err := p.end(z.Lenient); err != nil {
		return err
	}
	found := where(z.Visible(), func(r *Record) bool {
		is := r.Fields["role"]
		return !r.Gone() && (after == "" || compare(ident(r.ID), ident(after)) > 0) && (role == "" || is == role || is == nil && role == "end-user")
	})
	order(found, 0, key{byID, false})
	page := cut(found, 0, most)
	meta, links := map[string]any{"has_more": len(found) > most, "after_cursor": nil}, map[string]any{"next": nil}
	if len(page) > 0 {
		last := page[len(page)-1].ID
		query := r.URL.Query()
		query.Set("page[after]", last)
		meta["after_cursor"], links["next"] = last, "https://"+z.Subdomain+".zendesk.com"+r.URL.Path+"?"+query.Encode()
	}
	return writeJSON(w, http.StatusOK, map[string]any{"users": z.users(page, ""), "meta": meta, "links": links})
}

// zendeskCursor makes a cursor as Zendesk's look: a time, and an id.
func zendeskCursor(t time.Time, id string) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d.0||%s|", t.Unix(), id))
}

func parseZendeskCursor(cursor string) (t time.Time, id string, err error) {
	text, err := base64.StdEncoding.DecodeString(cursor)
	seconds, id, ok := strings.Cut(strings.TrimSuffix(string(text), "|"), ".0||")
	n, failed := strconv.ParseInt(seconds, 10, 64)
	if err != nil || !ok || failed != nil {
		return t, "", invalidf("InvalidPaginationParameter", "cursor is not valid")
	}
	return time.Unix(n, 0), id, nil
}

// deletedUsers lists the users that were deleted for good or softly.
func (z *Zendesk) deletedUsers(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	most, after := p.number("page[size]", 100, 1, 100), p.text("page[after]", "")
	if err := p.end(z.Lenient); err != nil {
		return err
	}
	found := where(z.Visible(), func(r *Record) bool { return r.Gone() && compare(ident(r.ID), ident(after)) > 0 })
	order(found, 0, key{byID, false})
	page := cut(found, 0, most)
	meta := map[string]any{"has_more": len(found) > most, "after_cursor": nil}
	if len(page) > 0 {
		meta["after_cursor"] = page[len(page)-1].ID
	}
	return writeJSON(w, http.StatusOK, map[string]any{"deleted_users": z.users(page, ""), "meta": meta, "count": len(found)})
}

// users returns users as Zendesk shows them. One that is deleted or was merged into another one is not active.
func (z *Zendesk) users(records []*Record, include string) []any {
	list := []any{}
	for _, r := range records {
		user := map[string]any{
			"name": nil, "email": nil, "phone": nil, "photo": nil, "organization_id": nil, "role": "end-user", "external_id": nil, "alias": nil,
			"details": nil, "notes": nil, "tags": []any{}, "suspended": false, "verified": false, "time_zone": "Berlin", "locale": "en-US",
			"user_fields": map[string]any{}, "shared_phone_number": nil,
		}
		maps.Copy(user, r.Fields)
		if !strings.Contains(include, "identities") {
			delete(user, "identities")
		}
		user["id"], user["active"] = idOf(r.ID), !r.Gone()
		user["url"] = "https://" + z.Subdomain + ".zendesk.com/api/v2/users/" + r.ID + ".json"
		user["created_at"], user["updated_at"] = r.Created.UTC().Format(time.RFC3339), nil
		if !r.Updated.IsZero() {
			user["updated_at"] = r.Updated.UTC().Format(time.RFC3339)
		}
		list = append(list, z.rename(user))
	}
	return list
}
