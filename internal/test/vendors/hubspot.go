package vendors

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A HubSpot is a HubSpot account with its contacts. Fields are properties.
type HubSpot struct {
	*Base
	*Store
	Portal int
	// AccessToken is that of a private app.
	AccessToken string
	OAuth       *OAuth
}

// hubSpotCap is how many records one search gives.
const hubSpotCap = 10_000

// NewHubSpot returns an account.
func NewHubSpot(now func() time.Time, portal int) *HubSpot {
	h := &HubSpot{Portal: portal, AccessToken: fmt.Sprintf("pat-na1-%d", portal)}
	h.Base = newBase(
		now,
		&Limit{Name: "SECONDLY", Requests: 5, Window: time.Second, Applies: isHubSpotSearch},
		&Limit{Name: "TEN_SECONDLY_ROLLING", Requests: 100, Window: 10 * time.Second, Applies: func(r *http.Request) bool { return !isHubSpotSearch(r) }},
		&Limit{Name: "DAILY", Requests: 250_000, Window: 24 * time.Hour},
	)
	h.Store = newStore(h.Now, time.Millisecond, numbers(500))
	h.Merged = func(winner Fields, loser string) Fields {
		ids := loser
		if before := textOf(winner["hs_merged_object_ids"]); before != "" {
			ids = before + ";" + loser
		}
		winner["hs_merged_object_ids"] = ids
		return winner
	}
	h.OAuth = newOAuth(h.Now, fmt.Sprintf("hubspot-%d", portal), 30*time.Minute, RefreshToken, AuthorizationCode)
	return h
}

func isHubSpotSearch(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/contacts/search") }

// Host implements [Simulator].
func (h *HubSpot) Host(host string) bool { return host == "api.hubapi.com" }

// Knows implements [Simulator].
func (h *HubSpot) Knows(r *http.Request) bool {
	token := bearer(r, "Bearer")
	return token == h.AccessToken || h.OAuth.knows(token)
}

func (h *HubSpot) open(r *http.Request) bool { return r.URL.Path == "/oauth/v1/token" }

// ServeHTTP implements [http.Handler].
func (h *HubSpot) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(h, w, r) }

func (h *HubSpot) refuse(w http.ResponseWriter, why *refusal) {
	body := map[string]any{"status": "error", "message": why.message, "correlationId": "a2c5b7f0-0000-4000-8000-000000000001"}
	switch why.reason {
	case throttled: // no Retry-After
		body["errorType"], body["policyName"] = "RATE_LIMIT", why.limit
	case unauthorized:
		body["category"] = "INVALID_AUTHENTICATION"
		if h.isExpired() {
			body["category"] = "EXPIRED_AUTHENTICATION"
		}
	case forbidden:
		body["category"] = "MISSING_SCOPES"
		body["errors"] = []any{map[string]any{"message": "One or more of the following scopes are required.", "context": map[string]any{"requiredGranularScopes": []any{why.code}}}}
	case notFound:
		body["category"] = "OBJECT_NOT_FOUND"
	case broken:
		body["message"] = "internal error"
	default:
		body["category"] = "VALIDATION_ERROR"
	}
	_ = writeJSON(w, why.statusOf(), body)
}

func (b *Base) isExpired() bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.faults.expired
}

func (h *HubSpot) answer(w http.ResponseWriter, r *http.Request) error {
	if !isHubSpotSearch(r) { // search is not counted by these
		w.Header().Set("X-HubSpot-RateLimit-Remaining", strconv.Itoa(h.remaining("TEN_SECONDLY_ROLLING")))
		w.Header().Set("X-HubSpot-RateLimit-Daily-Remaining", strconv.Itoa(h.remaining("DAILY")))
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /oauth/v1/token":
		token, err := h.OAuth.grant(r)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, token)
	case "GET /account-info/v3/details":
		return writeJSON(w, http.StatusOK, map[string]any{"portalId": h.Portal, "accountType": "STANDARD", "timeZone": "Europe/Berlin", "uiDomain": "app.hubspot.com"})
	case "POST /crm/v3/objects/contacts/search":
		return h.search(w, r)
	case "GET /crm/v3/objects/contacts":
		return h.contacts(w, r)
	}
	return noSuchPath(r)
}

// A hubSpotSearch is the body of a search.
type hubSpotSearch struct {
	FilterGroups []struct {
		Filters []hubSpotFilter `json:"filters"`
	} `json:"filterGroups"`
	Sorts []struct {
		PropertyName string `json:"propertyName"`
		Direction    string `json:"direction"`
	} `json:"sorts"`
	Properties []string `json:"properties"`
	Query      string   `json:"query"`
	Limit      any      `json:"limit"` // a number, or a text with one
	After      any      `json:"after"`
}

type hubSpotFilter struct {
	PropertyName string   `json:"propertyName"`
	Operator     string   `json:"operator"`
	Value        any      `json:"value"`
	HighValue    any      `json:"highValue"`
	Values       []string `json:"values"`
}

func (h *HubSpot) search(w http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if len(text) > 3000 {
		return invalidf("", "The request is longer than 3,000 characters.")
	}
	r.Body = io.NopCloser(strings.NewReader(string(text)))
	var sent hubSpotSearch
	if err := h.body(r, &sent); err != nil {
		return err
	}
	test, err := h.filters(sent)
	if err != nil {
		return err
	}
	limit, after := 10, 0
	for _, n := range []struct {
		value any
		into  *int
	}{{sent.Limit, &limit}, {sent.After, &after}} {
		if n.value == nil || n.value == "" {
			continue
		}
		if *n.into, err = strconv.Atoi(textOf(n.value)); err != nil {
			return invalidf("", "Cannot deserialize value of type int from String %q", textOf(n.value))
		}
	}
	if limit < 1 || limit > 200 || after < 0 {
		return invalidf("", "The limit must be between 1 and 200, and after a whole number.")
	}
	if after+limit > hubSpotCap {
		return invalidf("", "The search can return at most %d results.", hubSpotCap)
	}
	found := where(h.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	if len(sent.Sorts) > 1 {
		return invalidf("", "Only one sort is allowed.")
	}
	by := key{func(r *Record) any { return r.Created }, false}
	for _, s := range sent.Sorts {
		if s.Direction != "ASCENDING" && s.Direction != "DESCENDING" || !h.isProperty(s.PropertyName) {
			return invalidf("", "Invalid sort: %s %s", s.PropertyName, s.Direction)
		}
		by = key{func(r *Record) any { return h.value(r, s.PropertyName) }, s.Direction == "DESCENDING"}
	}
	order(found, h.Traffic().Requests, by)
	body := map[string]any{"total": len(found), "results": h.records(cut(found, after, limit), sent.Properties)}
	if after+limit < len(found) {
		body["paging"] = map[string]any{"next": map[string]any{"after": strconv.Itoa(after + limit)}}
	}
	return writeJSON(w, http.StatusOK, body)
}

// filters reads filterGroups: any group, all of its filters.
func (h *HubSpot) filters(sent hubSpotSearch) (condition, error) {
	var groups []condition
	n := 0
	for _, g := range sent.FilterGroups {
		all := condition(func(*Record) bool { return true })
		for _, f := range g.Filters {
			next, err := h.filter(f)
			if err != nil {
				return nil, err
			}
			before := all
			all = func(r *Record) bool { return before(r) && next(r) }
			n++
		}
		if len(g.Filters) == 0 || len(g.Filters) > 6 {
			return nil, invalidf("", "A filter group has from 1 to 6 filters.")
		}
		groups = append(groups, all)
	}
	if len(groups) > 5 || n > 18 {
		return nil, invalidf("", "There are more than 5 filter groups or 18 filters.")
	}
	return func(r *Record) bool {
		return len(groups) == 0 || slices.ContainsFunc(groups, func(g condition) bool { return g(r) })
	}, nil
}

// hubSpotOperators are the operators that compare.
var hubSpotOperators = map[string]string{"EQ": "=", "NEQ": "!=", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}

func (h *HubSpot) filter(f hubSpotFilter) (condition, error) {
	if !h.isProperty(f.PropertyName) {
		return nil, invalidf("", "Property %q does not exist", f.PropertyName)
	}
	value := func(r *Record) any { return h.value(r, f.PropertyName) }
	switch f.Operator {
	case "HAS_PROPERTY":
		return func(r *Record) bool { return value(r) != nil }, nil
	case "NOT_HAS_PROPERTY":
		return func(r *Record) bool { return value(r) == nil }, nil
	case "BETWEEN":
		low, err := h.operand(f.PropertyName, f.Value)
		if err != nil {
			return nil, err
		}
		high, err := h.operand(f.PropertyName, f.HighValue)
		return func(r *Record) bool { return holds(">=", value(r), low) && holds("<=", value(r), high) }, err
	case "IN":
		if len(f.Values) == 0 {
			return nil, invalidf("", "IN needs values")
		}
		return func(r *Record) bool { return slices.Contains(f.Values, textOf(value(r))) }, nil
	}
	operator := hubSpotOperators[f.Operator]
	if operator == "" {
		return nil, invalidf("", "Invalid operator %q", f.Operator)
	}
	operand, err := h.operand(f.PropertyName, f.Value)
	return func(r *Record) bool { return holds(operator, value(r), operand) }, err
}

// operand reads what a property is compared with. Dates are milliseconds, or ISO 8601.
func (h *HubSpot) operand(property string, value any) (any, error) {
	text := textOf(value)
	switch property {
	case "lastmodifieddate", "createdate":
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
			return time.UnixMilli(ms), nil
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, invalidf("", "%q is not a valid date for %s", text, property)
		}
		return t.Truncate(time.Millisecond), nil
	case "hs_object_id":
		return ident(text), nil
	}
	return text, nil
}

// hubSpotProperties are the properties of every account. Others are custom, and are known once a record has them.
var hubSpotProperties = []string{
	"hs_object_id", "firstname", "lastname", "email", "hs_additional_emails", "phone", "mobilephone", "hs_whatsapp_phone_number", "company",
	"jobtitle", "address", "city", "state", "zip", "country", "website", "twitterhandle", "createdate", "lastmodifieddate",
	"hs_merged_object_ids",
}

func (h *HubSpot) isProperty(name string) bool {
	if h.isRenamed(name) {
		return false
	}
	return slices.Contains(hubSpotProperties, name) || slices.ContainsFunc(h.Visible(), func(r *Record) bool { _, ok := r.Fields[name]; return ok })
}

func (h *HubSpot) value(r *Record, property string) any {
	switch property {
	case "hs_object_id":
		return ident(r.ID)
	case "createdate":
		return stampOf(r.Created)
	case "lastmodifieddate":
		return byUpdated(r)
	}
	if r.Fields[property] == "" {
		return nil
	}
	return r.Fields[property]
}

// contacts lists all contacts, or those in the recycling bin, in the order of their ids.
func (h *HubSpot) contacts(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	limit, after := p.number("limit", 10, 1, 100), p.text("after", "")
	properties := strings.Split(p.text("properties", ""), ",")
	archived := p.oneOf("archived", "true", "false") == "true"
	p.text("propertiesWithHistory", "")
	p.text("associations", "")
	if err := p.end(h.Lenient); err != nil {
		return err
	}
	kept := h.Now().Add(-90 * 24 * time.Hour)
	found := where(h.Visible(), func(r *Record) bool {
		if archived {
			return r.Gone() && r.MergedInto == "" && r.Deleted.After(kept)
		}
		return !r.Gone()
	})
	order(found, 0, key{byID, false})
	if after != "" {
		found = where(found, func(r *Record) bool { return compare(ident(r.ID), ident(after)) >= 0 })
	}
	body := map[string]any{"results": h.records(cut(found, 0, limit), properties)}
	if len(found) > limit {
		next := found[limit].ID
		body["paging"] = map[string]any{"next": map[string]any{"after": next, "link": "https://api.hubapi.com" + r.URL.Path + "?after=" + escape(next)}}
	}
	return writeJSON(w, http.StatusOK, body)
}

// isoMillis is how HubSpot writes times.
const isoMillis = "2006-01-02T15:04:05.000Z"

// records returns contacts as HubSpot shows them: the properties that were asked for, and some that always come.
func (h *HubSpot) records(records []*Record, properties []string) []any {
	list := []any{}
	for _, r := range records {
		shown := map[string]any{}
		for _, name := range append([]string{"hs_object_id", "createdate", "lastmodifieddate"}, properties...) {
			if name == "" || h.isRenamed(name) {
				continue
			}
			value := h.value(r, name)
			if t, ok := value.(time.Time); ok {
				value = t.UTC().Format(isoMillis)
			}
			if id, ok := value.(ident); ok {
				value = string(id)
			}
			if _, known := r.Fields[name]; known || value != nil || slices.Contains(hubSpotProperties, name) {
				shown[name] = value
			}
		}
		record := map[string]any{
			"id": r.ID, "properties": shown, "createdAt": r.Created.UTC().Format(isoMillis), "updatedAt": r.Updated.UTC().Format(isoMillis),
			"archived": r.Gone(), "url": fmt.Sprintf("https://app.hubspot.com/contacts/%d/record/0-1/%s", h.Portal, r.ID),
		}
		if r.Gone() {
			record["archivedAt"] = r.Deleted.UTC().Format(isoMillis)
		}
		list = append(list, record)
	}
	return list
}
