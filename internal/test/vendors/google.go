package vendors

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Google is the contacts of one account of Google, as the People API shows them.
type Google struct {
	*Base
	*Store
	Account string
	OAuth   *OAuth
	// Gone makes expired tokens HTTP 410, as the documentation once said, instead of 400.
	Gone bool
}

// googleTokenLife is how long a sync token lives.
const googleTokenLife = 7 * 24 * time.Hour

// NewGoogle returns an account. Ids are those after people/.
func NewGoogle(now func() time.Time, account string) *Google {
	g := &Google{Account: account}
	g.Base = newBase(
		now,
		&Limit{Name: "full sync", Requests: 20, Window: time.Minute, Applies: func(r *http.Request) bool {
			q := r.URL.Query()
			return q.Get("requestSyncToken") == "true" && !q.Has("syncToken") && !q.Has("pageToken")
		}},
		&Limit{Name: "read", Requests: 90, Window: time.Minute},
	)
	g.Store = newStore(g.Now, time.Microsecond, func(n int) string { return fmt.Sprintf("c%d", 3_194_283_054_244_000_000+n) })
	g.OAuth = newOAuth(g.Now, "google-"+account, time.Hour, RefreshToken, JWTBearer)
	g.OAuth.Audience = "https://oauth2.googleapis.com/token"
	return g
}

// Host implements [Simulator].
func (g *Google) Host(host string) bool {
	return host == "people.googleapis.com" || host == "oauth2.googleapis.com"
}

// Knows implements [Simulator].
func (g *Google) Knows(r *http.Request) bool { return g.OAuth.knows(bearer(r, "Bearer")) }

func (g *Google) open(r *http.Request) bool { return r.URL.Path == "/token" }

// ServeHTTP implements [http.Handler].
func (g *Google) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.serve(g, w, r) }

func (g *Google) refuse(w http.ResponseWriter, why *refusal) {
	if strings.HasPrefix(why.code, "invalid_") || why.code == "unsupported_grant_type" {
		writeOAuthError(w, why)
		return
	}
	status := why.statusOf()
	body := map[string]any{"code": status, "message": why.message}
	switch why.reason {
	case throttled: // no Retry-After
		body["status"], body["message"] = "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric '"+why.limit+"'."
	case unauthorized:
		body["status"], body["message"] = "UNAUTHENTICATED", "Request had invalid authentication credentials."
	case forbidden:
		body["status"], body["message"] = "PERMISSION_DENIED", "Request had insufficient authentication scopes."
		body["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}}
	case notFound:
		body["status"] = "NOT_FOUND"
	case broken:
		body["status"] = "INTERNAL"
	default:
		body["status"] = "INVALID_ARGUMENT"
	}
	if why.code == "EXPIRED_SYNC_TOKEN" {
		body["status"] = "FAILED_PRECONDITION"
		body["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": why.code, "domain": "googleapis.com"}}
	}
	_ = writeJSON(w, status, map[string]any{"error": body})
}

func (g *Google) answer(w http.ResponseWriter, r *http.Request) error {
	switch r.Method + " " + r.URL.Path {
	case "POST /token":
		token, err := g.OAuth.grant(r)
		if err != nil {
			return err
		}
		delete(token, "refresh_token") // Google gives the same one for ever, and says it once
		return writeJSON(w, http.StatusOK, token)
	case "GET /v1/people/me":
		return writeJSON(w, http.StatusOK, map[string]any{"resourceName": "people/" + g.Account, "etag": "x"})
	case "GET /v1/people/me/connections":
		return g.connections(w, r)
	}
	return noSuchPath(r)
}

// googleFields are the fields that personFields may name.
var googleFields = []string{
	"addresses", "ageRanges", "biographies", "birthdays", "calendarUrls", "clientData", "coverPhotos", "emailAddresses", "events", "externalIds",
	"genders", "imClients", "interests", "locales", "locations", "memberships", "metadata", "miscKeywords", "names", "nicknames", "occupations",
	"organizations", "phoneNumbers", "photos", "relations", "sipAddresses", "skills", "urls", "userDefined",
}

func (g *Google) connections(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	fields := strings.Split(p.text("personFields", ""), ",")
	size, _ := strconv.Atoi(p.text("pageSize", "100"))
	sort := p.oneOf("sortOrder", "LAST_MODIFIED_ASCENDING", "LAST_MODIFIED_DESCENDING", "FIRST_NAME_ASCENDING", "LAST_NAME_ASCENDING")
	p.text("sources", "")
	sync := p.oneOf("requestSyncToken", "true", "false") == "true"
	pageToken, syncToken := p.text("pageToken", ""), p.text("syncToken", "")
	if err := p.end(g.Lenient); err != nil {
		return err
	}
	for _, f := range fields {
		if !slices.Contains(googleFields, f) {
			return invalidf("", "Invalid personFields mask path: %q.", f)
		}
	}
	if size < 1 || size > 1000 {
		return invalidf("", "Page size must be less than or equal to 1000.")
	}
	state := syncState{Kind: "connections", Upto: g.lastChange(), Select: strings.Join(fields, ","), Size: size, Made: g.Now()}
	if syncToken != "" {
		read, ok := readState(syncToken, "connections")
		if !ok || read.Select != state.Select || read.Size != size {
			return invalidf("", "Sync token is invalid, or a parameter is not that of the first call.")
		}
		if g.Now().Sub(read.Made) > googleTokenLife {
			why := invalidf("EXPIRED_SYNC_TOKEN", "Sync token is expired. Clear local cache and retry call without the sync token.")
			if g.Gone {
				why.status = http.StatusGone
			}
			return why
		}
		state.Since, sync = read.Since, true
	}
	if pageToken != "" {
		read, ok := readState(pageToken, "page")
		if !ok || read.Select != state.Select || read.Size != size || read.Since != state.Since {
			return invalidf("", "Page token is invalid, or a parameter is not that of the first call.")
		}
		state = read
		state.Kind = "connections"
	}
	if !sync {
		return g.sorted(w, state, sort)
	}
	left := state.round(g.Store)
	page := cut(left, 0, size)
	body := g.page(page, fields)
	if len(page) < len(left) {
		state.Kind, state.After = "page", page[len(page)-1].ID
		body["nextPageToken"] = state.token()
	} else {
		body["nextSyncToken"] = syncState{Kind: "connections", Since: max(state.Upto, 1), Select: state.Select, Size: size, Made: g.Now()}.token()
	}
	return writeJSON(w, http.StatusOK, body)
}

// sorted answers a list without a sync token: in an order, by places that drift.
func (g *Google) sorted(w http.ResponseWriter, state syncState, sort string) error {
	found := where(g.Visible(), live)
	by := key{byUpdated, sort == "LAST_MODIFIED_DESCENDING"}
	order(found, 0, by)
	from := 0
	if state.After != "" {
		text, err := base64.StdEncoding.DecodeString(state.After)
		if err != nil {
			return invalidf("", "Page token is invalid.")
		}
		from, _ = strconv.Atoi(string(text))
	}
	page := cut(found, from, state.Size)
	body := g.page(page, strings.Split(state.Select, ","))
	if next := from + len(page); next < len(found) {
		state.Kind, state.After = "page", base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(next)))
		body["nextPageToken"] = state.token()
	}
	return writeJSON(w, http.StatusOK, body)
}

// page returns an answer. Without people it has no connections.
func (g *Google) page(people []*Record, fields []string) map[string]any {
	body := map[string]any{"totalPeople": g.Live(), "totalItems": g.Live()}
	var list []any
	for _, r := range people {
		list = append(list, g.person(r, fields))
	}
	if list != nil {
		body["connections"] = list
	}
	return body
}

func (g *Google) person(r *Record, fields []string) map[string]any {
	person := map[string]any{"resourceName": "people/" + r.ID, "etag": fmt.Sprintf("%%EgUB%d", r.Change)}
	if r.Gone() {
		person["metadata"] = map[string]any{"deleted": true}
		return person
	}
	all := map[string]any{}
	maps.Copy(all, r.Fields)
	if !r.Updated.IsZero() {
		all["metadata"] = map[string]any{"objectType": "PERSON", "sources": []any{
			map[string]any{"type": "CONTACT", "id": r.ID, "updateTime": r.Updated.UTC().Format("2006-01-02T15:04:05.999999Z")},
		}}
	}
	for name, value := range g.rename(all) {
		if slices.Contains(fields, name) || !slices.Contains(googleFields, name) {
			person[name] = value
		}
	}
	return person
}
