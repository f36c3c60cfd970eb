package vendors

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Close is an organization of Close with the contacts of its leads.
type Close struct {
	*Base
	*Store
	Organization string
	APIKey       string
	OAuth        *OAuth
	// MostSkip is how far a list can be paged by _skip.
	MostSkip int
	// Zone is the organization's: searches take times as days in it.
	Zone *time.Location
	// MostFound is how many contacts one search gives.
	MostFound int
	// NoFilters makes the list of contacts ignore its parameters but for _limit and _skip.
	NoFilters bool
}

// closeEvents is how long events are kept.
const closeEvents = 30 * 24 * time.Hour

// NewClose returns an organization.
func NewClose(now func() time.Time, organization string) *Close {
	c := &Close{Organization: organization, APIKey: "api_" + organization, MostSkip: 10_000, MostFound: 10_000, Zone: time.UTC}
	c.Base = newBase(now, &Limit{Name: "list", Requests: 60, Window: time.Second})
	c.Store = newStore(c.Now, time.Microsecond, func(n int) string { return fmt.Sprintf("cont_Cf4oIarVuMdM%027d", n) })
	c.OAuth = newOAuth(c.Now, "close-"+organization, time.Hour, RefreshToken)
	return c
}

// Host implements [Simulator].
func (c *Close) Host(host string) bool { return host == "api.close.com" }

// Knows implements [Simulator].
func (c *Close) Knows(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == c.APIKey && password == "" || c.OAuth.knows(bearer(r, "Bearer"))
}

func (c *Close) open(r *http.Request) bool { return r.URL.Path == "/oauth2/token/" }

// ServeHTTP implements [http.Handler].
func (c *Close) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.serve(c, w, r) }

func (c *Close) refuse(w http.ResponseWriter, why *refusal) {
	if strings.HasPrefix(why.code, "invalid_") || why.code == "unsupported_grant_type" {
		writeOAuthError(w, why)
		return
	}
	body := map[string]any{"error": why.message}
	switch why.reason {
	case throttled:
		seconds := int(why.wait.Seconds() + 0.999)
		w.Header().Set("RateLimit", fmt.Sprintf("limit=60, remaining=0, reset=%d", seconds))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		body = map[string]any{"error": map[string]any{"rate_reset": seconds, "message": "API call count exceeded for this second", "rate_limit": 60, "rate_window": 1}}
	case unauthorized:
		body["error"] = "The server could not verify that you are authorized to access the URL requested."
	case forbidden:
		body["error"] = "You don't have the permission to access the requested resource."
	case invalid:
		body = map[string]any{"errors": []any{why.message}, "field-errors": map[string]any{}}
	}
	_ = writeJSON(w, why.statusOf(), body)
}

func (c *Close) answer(w http.ResponseWriter, r *http.Request) error {
	switch r.Method + " " + r.URL.Path {
	case "POST /oauth2/token/":
		token, err := c.OAuth.grant(r)
		if err != nil {
			return err
		}
		token["organization_id"] = "orga_" + c.Organization
		return writeJSON(w, http.StatusOK, token)
	case "GET /api/v1/me/":
		return writeJSON(w, http.StatusOK, map[string]any{
			"id": "user_4N6K1Gpqhr", "email": "sync@example.com", "organizations": []any{map[string]any{"id": "orga_" + c.Organization, "name": c.Organization}},
		})
	case "GET /api/v1/contact/":
		return c.contacts(w, r)
	case "POST /api/v1/data/search/":
		return c.search(w, r)
	case "GET /api/v1/event/":
		return c.events(w, r)
	}
	return noSuchPath(r)
}

// closeOperators are what a filter's name ends in.
var closeOperators = map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

// filters reads the parameters that compare a field. Times have microseconds.
func (c *Close) filters(p *params, fields map[string]func(*Record) any) condition {
	test := condition(func(*Record) bool { return true })
	for field, value := range fields {
		for ending, operator := range closeOperators {
			name := field + "__" + ending
			if c.isRenamed(field) || !p.has(name) {
				continue
			}
			text := p.text(name, "")
			operand := any(text)
			if strings.HasPrefix(field, "date_") {
				at, err := time.Parse(time.RFC3339Nano, text)
				if err != nil {
					p.fail("", "%s must be a date of ISO 8601", name)
				}
				operand = at
			}
			before := test
			test = func(r *Record) bool { return before(r) && holds(operator, value(r), operand) }
		}
	}
	return test
}

func (c *Close) contacts(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	limit, skip := p.number("_limit", 100, 1, 200), p.number("_skip", 0, 0, 1<<40)
	if skip > c.MostSkip {
		p.fail("", "The skip you set is larger than the maximum skip for this resource (max_skip = %d).", c.MostSkip)
	}
	fields := map[string]func(*Record) any{
		"id": func(r *Record) any { return r.ID }, "date_updated": byUpdated, "date_created": func(r *Record) any { return stampOf(r.Created) },
	}
	test := c.filters(p, fields)
	sort, desc := strings.CutPrefix(p.text("_order_by", ""), "-")
	by := fields[sort]
	if p.has("_order_by") && (by == nil || c.isRenamed(sort)) {
		p.fail("", "Cannot order by %q", sort)
	}
	only := strings.FieldsFunc(p.text("_fields", ""), func(r rune) bool { return r == ',' })
	if err := p.end(c.Lenient); err != nil {
		return err
	}
	if c.NoFilters {
		test, by = live, nil
	}
	found := where(c.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	if by != nil {
		order(found, c.Traffic().Requests, key{by, desc}) // ties are in no order
	} else {
		order(found, c.Traffic().Requests)
	}
	data := []any{}
	for _, row := range cut(found, skip, limit) {
		data = append(data, c.contact(row, only))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"has_more": skip+limit < len(found), "data": data})
}

// closeTime is how Close writes times.
const closeTime = "2006-01-02T15:04:05.000000-07:00"

// contact returns a contact as the API shows it. Custom fields are keys of the contact itself.
func (c *Close) contact(r *Record, only []string) map[string]any {
	contact := map[string]any{
		"organization_id": "orga_" + c.Organization, "lead_id": "lead_YwEcogm9mopaw41K", "name": "", "title": "", "emails": []any{}, "phones": []any{}, "urls": []any{},
		"integration_links": []any{}, "created_by": nil, "updated_by": nil,
	}
	maps.Copy(contact, r.Fields)
	if contact["display_name"] == nil {
		contact["display_name"] = closeDisplayName(contact)
	}
	contact["id"], contact["date_created"], contact["date_updated"] = r.ID, r.Created.UTC().Format(closeTime), nil
	if !r.Updated.IsZero() {
		contact["date_updated"] = r.Updated.UTC().Format(closeTime)
	}
	maps.DeleteFunc(contact, func(name string, _ any) bool { return len(only) > 0 && !slices.Contains(only, name) })
	return c.rename(contact)
}

// closeDisplayName is the name of a contact, or else its first e-mail address.
func closeDisplayName(contact map[string]any) any {
	if contact["name"] != "" {
		return contact["name"]
	}
	emails, _ := contact["emails"].([]any)
	for _, e := range emails {
		if email, ok := e.(map[string]any); ok {
			return email["email"]
		}
	}
	return ""
}

// events lists what happened to contacts, the newest first.
func (c *Close) events(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	limit := p.number("_limit", 50, 1, 50)
	deleted := func(r *Record) any { return stampOf(r.Deleted) }
	test := c.filters(p, map[string]func(*Record) any{"date_updated": deleted})
	if p.text("object_type", "") != "contact" || p.text("action", "") != "deleted" {
		p.fail("", "this simulator has only events of deleted contacts")
	}
	cursor := p.text("_cursor", "")
	if err := p.end(c.Lenient); err != nil {
		return err
	}
	kept := c.Now().Add(-closeEvents)
	found := where(c.Visible(), func(r *Record) bool { return r.Gone() && r.Deleted.After(kept) && test(r) })
	order(found, 0, key{deleted, true}, key{byID, true})
	if cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(cursor)
		stamp, id, ok := strings.Cut(string(text), " ")
		at, parseErr := time.Parse(closeTime, stamp)
		if err != nil || !ok || parseErr != nil {
			return invalidf("", "Invalid cursor")
		}
		found = where(found, func(r *Record) bool {
			return r.Deleted.Before(at) || r.Deleted.Equal(at) && r.ID < id
		})
	}
	page := cut(found, 0, limit)
	data, next := []any{}, any(nil)
	for _, row := range page {
		at := row.Deleted.UTC().Format(closeTime)
		data = append(data, map[string]any{
			"id": fmt.Sprintf("ev_%d", row.Change), "object_type": "contact", "object_id": row.ID, "action": "deleted", "date_created": at, "date_updated": at,
			"lead_id": "lead_YwEcogm9mopaw41K", "data": nil, "previous_data": map[string]any{"id": row.ID},
		})
		next = base64.RawURLEncoding.EncodeToString([]byte(at + " " + row.ID))
	}
	if len(found) == len(page) {
		next = nil
	}
	return writeJSON(w, http.StatusOK, map[string]any{"data": data, "cursor_next": next, "cursor_previous": nil})
}

// A closeField is a field of an object.
type closeField struct {
	Type       string `json:"type"`
	ObjectType string `json:"object_type"`
	FieldName  string `json:"field_name"`
}

// A closeDay is one end of a range of time.
type closeDay struct {
	Type  string `json:"type"`
	Value string `json:"value"`
	Which string `json:"which"`
}

// A closeQuery is a condition of a search, or several of them.
type closeQuery struct {
	Type       string       `json:"type"`
	Queries    []closeQuery `json:"queries"`
	ObjectType string       `json:"object_type"`
	Field      *closeField  `json:"field"`
	Condition  *struct {
		Type      string    `json:"type"`
		OnOrAfter *closeDay `json:"on_or_after"`
		Before    *closeDay `json:"before"`
	} `json:"condition"`
}

// A closeSearch is the body of a search.
type closeSearch struct {
	Query  closeQuery          `json:"query"`
	Fields map[string][]string `json:"_fields"`
	Limit  *int                `json:"_limit"`
	Cursor *string             `json:"cursor"`
	Sort   []struct {
		Direction string     `json:"direction"`
		Field     closeField `json:"field"`
	} `json:"sort"`
}

// A closeCursor is a place in the results of a search.
type closeCursor struct {
	Updated time.Time
	ID      string
	Shown   int // how many contacts were given up to it
	Made    time.Time
}

// closeCursorLife is how long the cursor of a search lives.
const closeCursorLife = 30 * time.Second

// search answers an advanced search: times are days, a cursor lives for 30 seconds, and the pages end at a number of contacts.
func (c *Close) search(w http.ResponseWriter, r *http.Request) error {
	var sent closeSearch
	if err := c.body(r, &sent); err != nil {
		return err
	}
	test, err := c.condition(sent.Query)
	if err != nil {
		return err
	}
	limit := 50
	if sent.Limit != nil {
		limit = *sent.Limit
	}
	if limit < 1 || limit > 200 {
		return invalidf("", "_limit must be from 1 to 200")
	}
	found := where(c.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	if len(sent.Sort) > 1 {
		return invalidf("", "this simulator sorts by one field")
	}
	for _, s := range sent.Sort {
		if s.Field != (closeField{"regular_field", "contact", "date_updated"}) || s.Direction != "asc" && s.Direction != "desc" {
			return invalidf("", "invalid sort")
		}
		order(found, 0, key{byUpdated, s.Direction == "desc"}, key{byID, s.Direction == "desc"})
	}
	if len(sent.Sort) == 0 {
		order(found, c.Traffic().Requests)
	}
	shown := 0
	if sent.Cursor != nil {
		if found, shown, err = c.afterCursor(found, *sent.Cursor, len(sent.Sort) > 0 && sent.Sort[0].Direction == "desc"); err != nil {
			return err
		}
	}
	page := cut(found, 0, min(limit, c.MostFound-shown))
	data := []any{}
	for _, row := range page {
		data = append(data, c.contact(row, append([]string{"id"}, sent.Fields["contact"]...)))
	}
	shown += len(page)
	next := any(nil)
	if len(page) < len(found) && shown < c.MostFound {
		last := page[len(page)-1]
		text, err := json.Marshal(closeCursor{Updated: last.Updated, ID: last.ID, Shown: shown, Made: c.Now()})
		if err != nil {
			return err
		}
		next = base64.RawURLEncoding.EncodeToString(text)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"data": data, "cursor": next})
}

// afterCursor returns the contacts after the one of a cursor, and how many were given before.
func (c *Close) afterCursor(found []*Record, cursor string, desc bool) (rest []*Record, shown int, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var last closeCursor
	if err != nil || json.Unmarshal(text, &last) != nil {
		return nil, 0, invalidf("", "Invalid cursor")
	}
	if c.Now().Sub(last.Made) > closeCursorLife {
		return nil, 0, invalidf("", "The cursor has expired")
	}
	return where(found, func(r *Record) bool {
		n := cmp.Or(r.Updated.Compare(last.Updated), strings.Compare(r.ID, last.ID))
		return n != 0 && (n > 0) != desc
	}), last.Shown, nil
}

// condition reads a condition of a search.
func (c *Close) condition(q closeQuery) (condition, error) {
	switch {
	case q.Type == "object_type" && q.ObjectType == "contact":
		return live, nil
	case q.Type == "and" && len(q.Queries) > 0:
		test := condition(live)
		for _, inner := range q.Queries {
			next, err := c.condition(inner)
			if err != nil {
				return nil, err
			}
			before := test
			test = func(r *Record) bool { return before(r) && next(r) }
		}
		return test, nil
	case q.Type == "field_condition" && q.Field != nil && *q.Field == closeField{"regular_field", "contact", "date_updated"} && q.Condition != nil && q.Condition.Type == "moment_range":
		from, err := c.day(q.Condition.OnOrAfter)
		if err != nil {
			return nil, err
		}
		before, err := c.day(q.Condition.Before)
		return func(r *Record) bool {
			return !r.Updated.IsZero() && !r.Updated.Before(from) && (before.IsZero() || r.Updated.Before(before))
		}, err
	}
	return nil, invalidf("", "invalid query of type %q", q.Type)
}

// day reads the start of a day in the organization's zone.
func (c *Close) day(d *closeDay) (time.Time, error) {
	if d == nil {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, d.Value, c.Zone)
	if d.Type != "fixed_local_date" || d.Which != "start" || err != nil {
		return time.Time{}, invalidf("", "invalid moment")
	}
	return at, nil
}
