package vendors

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Pipedrive is a company's account of Pipedrive with its persons.
type Pipedrive struct {
	*Base
	*Store
	Company  string
	APIToken string
	OAuth    *OAuth
	// Organizations are the names of organizations by their ids.
	Organizations map[int]string
}

// NewPipedrive returns an account.
func NewPipedrive(now func() time.Time, company string) *Pipedrive {
	p := &Pipedrive{Company: company, APIToken: "pipedrive-" + company, Organizations: map[int]string{}}
	p.Base = newBase(now, &Limit{Name: "burst", Requests: 20, Window: 2 * time.Second}, &Limit{Name: "daily", Requests: 30_000, Window: 24 * time.Hour})
	p.Store = newStore(p.Now, time.Second, numbers(0))
	p.OAuth = newOAuth(p.Now, "pipedrive-"+company, time.Hour, RefreshToken)
	return p
}

// Host implements [Simulator].
func (p *Pipedrive) Host(host string) bool {
	return host == p.Company+".pipedrive.com" || host == "api.pipedrive.com" || host == "oauth.pipedrive.com"
}

// Knows implements [Simulator].
func (p *Pipedrive) Knows(r *http.Request) bool {
	return r.Header.Get("X-Api-Token") == p.APIToken || p.OAuth.knows(bearer(r, "Bearer"))
}

func (p *Pipedrive) open(r *http.Request) bool { return r.URL.Path == "/oauth/token" }

// ServeHTTP implements [http.Handler].
func (p *Pipedrive) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.serve(p, w, r) }

func (p *Pipedrive) refuse(w http.ResponseWriter, why *refusal) {
	if why.code == "invalid_client" || why.code == "invalid_grant" || why.code == "unsupported_grant_type" || why.code == "invalid_request" {
		writeOAuthError(w, why)
		return
	}
	body := map[string]any{"success": false, "error": why.message, "error_info": "Please check developers.pipedrive.com for more information."}
	switch why.reason {
	case throttled: // the seconds until there is more, and no Retry-After
		w.Header().Set("X-Ratelimit-Limit", "20")
		w.Header().Set("X-Ratelimit-Remaining", "0")
		w.Header().Set("X-Ratelimit-Reset", strconv.Itoa(int(why.wait.Seconds()+0.999)))
		body = map[string]any{"success": false, "error": "request over limit", "errorCode": http.StatusTooManyRequests}
	case unauthorized:
		body = map[string]any{"success": false, "error": "unauthorized access", "errorCode": http.StatusUnauthorized}
	case forbidden:
		body = map[string]any{"success": false, "error": "Scope and URL mismatch", "errorCode": http.StatusForbidden}
	case invalid:
		body["code"] = "ERR_SCHEMA_VALIDATION_FAILED"
	}
	_ = writeJSON(w, why.statusOf(), body)
}

func (p *Pipedrive) answer(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-Ratelimit-Limit", "20")
	w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(p.remaining("burst")))
	w.Header().Set("X-Ratelimit-Reset", "2")
	w.Header().Set("X-Daily-Requests-Left", strconv.Itoa(p.remaining("daily")))
	switch r.Method + " " + r.URL.Path {
	case "POST /oauth/token":
		if _, _, ok := r.BasicAuth(); !ok {
			return &refusal{reason: unauthorized, code: "invalid_client", message: "the client must be sent by Basic authentication"}
		}
		token, err := p.OAuth.grant(r)
		if err != nil {
			return err
		}
		token["api_domain"] = "https://" + p.Company + ".pipedrive.com"
		return writeJSON(w, http.StatusOK, token)
	case "GET /api/v1/users/me":
		return p.write(w, map[string]any{"id": 1, "company_id": len(p.Company), "company_domain": p.Company, "email": "sync@example.com"}, nil)
	case "GET /api/v2/persons":
		return p.persons(w, r)
	case "GET /api/v2/organizations":
		return p.organizations(w, r)
	}
	return noSuchPath(r)
}

func (p *Pipedrive) write(w http.ResponseWriter, data, additional any) error {
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": data, "additional_data": additional})
}

// A pipedriveCursor is a place in a list, and the list that it belongs to.
type pipedriveCursor struct {
	Query string
	Stamp int64
	ID    string
}

func (p *Pipedrive) persons(w http.ResponseWriter, r *http.Request) error {
	q := read(r)
	limit := q.number("limit", 100, 1, 500)
	sortBy, direction := q.oneOf("sort_by", "id", "update_time", "add_time"), q.oneOf("sort_direction", "asc", "desc")
	var bounds [2]time.Time
	for i, name := range []string{"updated_since", "updated_until"} {
		if text := q.text(name, ""); q.has(name) {
			var err error
			if bounds[i], err = time.Parse(time.RFC3339, text); err != nil {
				q.fail("", "%s must be a date of RFC 3339", name)
			}
		}
	}
	ids := strings.FieldsFunc(q.text("ids", ""), func(c rune) bool { return c == ',' })
	if custom := q.text("custom_fields", ""); len(ids) > 100 || len(strings.Split(custom, ",")) > 15 {
		q.fail("", "too many ids or custom fields")
	}
	for _, known := range []string{"filter_id", "owner_id", "org_id", "deal_id", "include_fields", "include_option_labels", "include_labels"} {
		q.text(known, "")
	}
	at := q.text("cursor", "")
	if err := q.end(p.Lenient); err != nil {
		return err
	}
	found := where(p.Visible(), func(r *Record) bool {
		return !r.Gone() && (len(ids) == 0 || slices.Contains(ids, r.ID)) &&
			(bounds[0].IsZero() || !r.Updated.IsZero() && !r.Updated.Before(bounds[0])) && (bounds[1].IsZero() || r.Updated.Before(bounds[1]))
	})
	value := byID
	switch sortBy {
	case "update_time":
		value = byUpdated
	case "add_time":
		value = func(r *Record) any { return stampOf(r.Created) }
	}
	keys := []key{{value, direction == "desc"}, {byID, direction == "desc"}}
	order(found, 0, keys...)
	values := r.URL.Query()
	values.Del("cursor")
	values.Del("limit")
	query := values.Encode()
	if at != "" {
		place, err := p.place(at, query)
		if err != nil {
			return err
		}
		// The place is that of the last record as it was then: a record that has moved is not looked for.
		last := &Record{ID: place.ID, Updated: time.Unix(place.Stamp, 0), Created: time.Unix(place.Stamp, 0)}
		found = where(found, func(r *Record) bool {
			c := compare(value(r), value(last))
			if c == 0 {
				c = compare(byID(r), byID(last))
			}
			return c != 0 && (c > 0) == (direction != "desc")
		})
	}
	page := cut(found, 0, limit)
	list := []any{}
	for _, r := range page {
		list = append(list, p.person(r))
	}
	additional := map[string]any{"next_cursor": nil}
	if len(found) > limit {
		last := page[len(page)-1]
		place := pipedriveCursor{Query: query, ID: last.ID}
		if t, ok := value(last).(time.Time); ok {
			place.Stamp = t.Unix()
		}
		text, err := json.Marshal(place)
		if err != nil {
			return err
		}
		additional["next_cursor"] = base64.RawURLEncoding.EncodeToString(text)
	}
	return p.write(w, list, additional)
}

// place reads a cursor. One of another list is refused.
func (p *Pipedrive) place(cursor, query string) (place pipedriveCursor, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || json.Unmarshal(text, &place) != nil || place.Query != query {
		return place, invalidf("", "Invalid cursor")
	}
	return place, nil
}

var pipedriveCustom = regexp.MustCompile(`^[0-9a-f]{40}$`)

// person returns a person as version 2 shows it. Fields with the key of a custom field stand in custom_fields.
func (p *Pipedrive) person(r *Record) map[string]any {
	custom := map[string]any{}
	person := map[string]any{
		"name": nil, "first_name": nil, "last_name": nil, "emails": []any{}, "phones": []any{}, "org_id": nil, "owner_id": 1, "label_ids": []any{},
		"picture_id": nil, "visible_to": 3, "is_deleted": false,
	}
	maps.Copy(person, r.Fields)
	for name, value := range r.Fields {
		if pipedriveCustom.MatchString(name) {
			custom[name] = value
			delete(person, name)
		}
	}
	person["id"], person["custom_fields"] = idOf(r.ID), custom
	person["add_time"], person["update_time"] = r.Created.UTC().Format(time.RFC3339), nil
	if !r.Updated.IsZero() {
		person["update_time"] = r.Updated.UTC().Format(time.RFC3339)
	}
	return p.rename(person)
}

func (p *Pipedrive) organizations(w http.ResponseWriter, r *http.Request) error {
	q := read(r)
	ids := strings.Split(q.text("ids", ""), ",")
	q.number("limit", 100, 1, 500)
	if len(ids) > 100 {
		q.fail("", "too many ids")
	}
	if err := q.end(p.Lenient); err != nil {
		return err
	}
	list := []any{}
	for id, name := range p.Organizations {
		if slices.Contains(ids, fmt.Sprint(id)) {
			list = append(list, map[string]any{"id": id, "name": name})
		}
	}
	return p.write(w, list, map[string]any{"next_cursor": nil})
}
