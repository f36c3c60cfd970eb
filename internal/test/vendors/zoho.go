package vendors

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Zoho is an organization of Zoho CRM with contacts and leads.
type Zoho struct {
	*Base
	*Store // contacts
	Leads  *Store
	Domain string // of the data centre: eu
	Org    string
	OAuth  *OAuth
	// Zone is that of the user: stamps are written in it.
	Zone *time.Location
}

// zohoPlaces is how far the parameter page reaches, zohoCap how far anything does.
const (
	zohoPlaces = 2000
	zohoCap    = 100_000
)

// NewZoho returns an organization in the data centre of the EU.
func NewZoho(now func() time.Time, org string) *Zoho {
	z := &Zoho{Domain: "eu", Org: org, Zone: time.FixedZone("+02:00", 7200)}
	z.Base = newBase(now, &Limit{Name: "credits", Requests: 50_000, Window: 24 * time.Hour})
	z.Store, z.Leads = newStore(z.Now, time.Second, numbers(4_150_868_000_000)), newStore(z.Now, time.Second, numbers(4_150_869_000_000))
	z.OAuth = newOAuth(z.Now, "zoho-"+org, time.Hour, RefreshToken, ClientCredentials)
	return z
}

// Host implements [Simulator].
func (z *Zoho) Host(host string) bool {
	return host == "www.zohoapis."+z.Domain || host == "accounts.zoho."+z.Domain
}

// Knows implements [Simulator].
func (z *Zoho) Knows(r *http.Request) bool { return z.OAuth.knows(bearer(r, "Zoho-oauthtoken")) }

func (z *Zoho) open(r *http.Request) bool { return r.URL.Path == "/oauth/v2/token" }

// ServeHTTP implements [http.Handler].
func (z *Zoho) ServeHTTP(w http.ResponseWriter, r *http.Request) { z.serve(z, w, r) }

func (z *Zoho) refuse(w http.ResponseWriter, why *refusal) {
	code := why.code
	if z.isOAuth(code) { // with the status 200
		_ = writeJSON(w, http.StatusOK, map[string]any{"error": code})
		return
	}
	switch why.reason {
	case throttled: // no Retry-After
		code = "TOO_MANY_REQUESTS"
		if why.limit == "credits" {
			code = "API_CREDITS_EXCEEDED"
		}
	case unauthorized:
		code = "INVALID_TOKEN"
	case forbidden:
		code = "OAUTH_SCOPE_MISMATCH"
		why.status = http.StatusUnauthorized
	case notFound:
		code = "INVALID_URL_PATTERN"
	case broken:
		code = "INTERNAL_ERROR"
	default:
		if code == "" {
			code = "INVALID_DATA"
		}
	}
	_ = writeJSON(w, why.statusOf(), map[string]any{"code": code, "details": map[string]any{}, "message": why.message, "status": "error"})
}

func (z *Zoho) isOAuth(code string) bool {
	return slices.Contains([]string{"invalid_client", "invalid_grant", "unsupported_grant_type", "invalid_request"}, code)
}

func (z *Zoho) answer(w http.ResponseWriter, r *http.Request) error {
	path, ok := strings.CutPrefix(r.URL.Path, "/crm/v8/")
	switch {
	case z.open(r):
		token, err := z.OAuth.grant(r)
		if err != nil {
			return err
		}
		token["api_domain"] = "https://www.zohoapis." + z.Domain
		return writeJSON(w, http.StatusOK, token)
	case !ok:
		return noSuchPath(r)
	}
	if left := z.remaining("credits"); left < 25_000 {
		w.Header().Set("X-Api-Credits-Remaining", strconv.Itoa(left))
	}
	module, rest, _ := strings.Cut(path, "/")
	store := map[string]*Store{"Contacts": z.Store, "Leads": z.Leads}[module]
	switch {
	case r.Method == http.MethodPost && path == "coql":
		return z.coql(w, r)
	case r.Method != http.MethodGet:
		return noSuchPath(r)
	case path == "org":
		return writeJSON(w, http.StatusOK, map[string]any{"org": []any{map[string]any{"id": z.Org, "zgid": z.Org, "company_name": "Acme"}}})
	case store == nil:
		return noSuchPath(r)
	case rest == "deleted":
		return z.deleted(w, r, store)
	case rest == "":
		return z.records(w, r, store)
	}
	return noSuchPath(r)
}

var zohoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$`)

// since reads If-Modified-Since. What was changed at that very second is not after it.
func (z *Zoho) since(r *http.Request) (time.Time, error) {
	text := r.Header.Get("If-Modified-Since")
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !zohoTime.MatchString(text) {
		return t, invalidf("", "If-Modified-Since is not a date of ISO 8601")
	}
	return t, nil
}

func (z *Zoho) records(w http.ResponseWriter, r *http.Request, store *Store) error {
	since, err := z.since(r)
	if err != nil {
		return err
	}
	p := read(r)
	fields := strings.FieldsFunc(p.text("fields", ""), func(c rune) bool { return c == ',' })
	if len(fields) == 0 || len(fields) > 50 {
		p.fail("REQUIRED_PARAM_MISSING", "fields must name from 1 to 50 fields")
	}
	sortBy, direction := p.oneOf("sort_by", "id", "Created_Time", "Modified_Time"), p.oneOf("sort_order", "asc", "desc")
	perPage, page := p.number("per_page", 200, 1, 200), p.number("page", 1, 1, 1<<20)
	token := p.text("page_token", "")
	if token != "" && p.has("page") {
		p.fail("", "page and page_token are both given")
	}
	if err := p.end(z.Lenient); err != nil {
		return err
	}
	from := (page - 1) * perPage
	kind := strings.Join([]string{"records", strings.Join(fields, ","), sortBy, direction, since.String()}, "/")
	if token != "" {
		state, ok := readState(token, kind)
		if !ok || z.Now().Sub(state.Made) > 24*time.Hour {
			return invalidf("INVALID_PAGE_TOKEN", "The page token is invalid, expired, or of another request")
		}
		from = int(state.Since)
	} else if from+perPage > zohoPlaces {
		return invalidf("DISCRETE_PAGINATION_LIMIT_EXCEEDED", "use page_token after %d records", zohoPlaces)
	}
	if from+perPage > zohoCap {
		return invalidf("PAGINATION_LIMIT_EXCEEDED", "there are no records after %d", zohoCap)
	}
	found := where(store.Visible(), func(r *Record) bool { return !r.Gone() && (since.IsZero() || r.Updated.After(since)) })
	value := byID
	switch sortBy {
	case "Modified_Time":
		value = byUpdated
	case "Created_Time":
		value = func(r *Record) any { return stampOf(r.Created) }
	}
	order(found, 0, key{value, direction != "asc"})
	if len(found) == 0 {
		if since.IsZero() {
			w.WriteHeader(http.StatusNoContent)
		} else {
			w.WriteHeader(http.StatusNotModified)
		}
		return nil
	}
	data := []any{}
	for _, r := range cut(found, from, perPage) {
		data = append(data, z.record(r, fields))
	}
	info := map[string]any{"per_page": perPage, "count": len(data), "page": from/perPage + 1, "sort_by": sortBy, "sort_order": direction, "more_records": from+perPage < len(found), "next_page_token": nil}
	if from+perPage < len(found) {
		info["next_page_token"] = syncState{Kind: kind, Since: int64(from + perPage), Made: z.Now()}.token()
		info["page_token_expiry"] = z.Now().Add(24 * time.Hour).Format(time.RFC3339)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"data": data, "info": info})
}

// deleted lists the records that are in the recycle bin or were deleted for good.
func (z *Zoho) deleted(w http.ResponseWriter, r *http.Request, store *Store) error {
	since, err := z.since(r)
	if err != nil {
		return err
	}
	p := read(r)
	p.oneOf("type", "all", "recycle", "permanent")
	perPage, page := p.number("per_page", 200, 1, 200), p.number("page", 1, 1, 1<<20)
	if err := p.end(z.Lenient); err != nil {
		return err
	}
	found := where(store.Visible(), func(r *Record) bool { return r.Gone() && (since.IsZero() || r.Deleted.After(since)) })
	order(found, 0, key{func(r *Record) any { return r.Deleted }, true})
	if len(found) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	data := []any{}
	for _, r := range cut(found, (page-1)*perPage, perPage) {
		data = append(data, map[string]any{"id": r.ID, "display_name": r.Fields["Full_Name"], "type": "recycle", "deleted_time": r.Deleted.In(z.Zone).Format(time.RFC3339)})
	}
	return writeJSON(w, http.StatusOK, map[string]any{"data": data, "info": map[string]any{"per_page": perPage, "count": len(data), "page": page, "more_records": page*perPage < len(found)}})
}

// coql answers a query: select … from … where … order by … limit offset,count.
func (z *Zoho) coql(w http.ResponseWriter, r *http.Request) error {
	var sent struct {
		Query string `json:"select_query"`
	}
	if err := z.body(r, &sent); err != nil {
		return err
	}
	s, err := scan(sent.Query)
	if err != nil {
		return invalidf("SYNTAX_ERROR", "%v", err)
	}
	s.strict = true
	if !s.word("select") {
		return invalidf("SYNTAX_ERROR", "missing clause: select")
	}
	fields := []string{s.next().text}
	for s.word(",") {
		fields = append(fields, s.next().text)
	}
	if len(fields) > 50 {
		return invalidf("LIMIT_EXCEEDED", "more than 50 fields")
	}
	if !s.word("from") {
		return invalidf("SYNTAX_ERROR", "missing clause: from")
	}
	module := s.next().text
	store := map[string]*Store{"Contacts": z.Store, "Leads": z.Leads}[module]
	if store == nil {
		return invalidf("INVALID_QUERY", "unknown module %s", module)
	}
	if !s.word("where") {
		return invalidf("SYNTAX_ERROR", "missing clause: where")
	}
	test, err := s.condition(func() (condition, error) { return z.term(s) })
	if err != nil {
		return err
	}
	keys, from, most, err := z.coqlTail(s)
	if err != nil {
		return err
	}
	found := where(store.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	order(found, z.Traffic().Requests, keys...)
	page := cut(found, from, most)
	if len(page) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	data := []any{}
	for _, r := range page {
		data = append(data, z.record(r, fields))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"data": data, "info": map[string]any{"count": len(data), "more_records": from+most < len(found)}})
}

func (z *Zoho) coqlTail(s *scanner) (keys []key, from, most int, err error) {
	if s.word("order", "by") {
		for more := true; more; more = s.word(",") {
			field := s.next().text
			desc := s.word("desc")
			if !desc {
				s.word("asc")
			}
			keys = append(keys, key{func(r *Record) any { return z.value(r, field) }, desc})
		}
	}
	most = 200
	if s.word("limit") {
		first, failed := strconv.Atoi(s.next().text)
		if most = first; s.word(",") {
			var other error
			from = first
			if most, other = strconv.Atoi(s.next().text); other != nil {
				failed = other
			}
		}
		if failed != nil || most < 1 || most > 2000 || from+most > zohoCap {
			return nil, 0, 0, invalidf("LIMIT_EXCEEDED", "limit is not from 1 to 2000, or reaches after %d records", zohoCap)
		}
	}
	if !s.peek().end {
		return nil, 0, 0, invalidf("SYNTAX_ERROR", "unexpected %s", s.peek().text)
	}
	return keys, from, most, nil
}

func (z *Zoho) term(s *scanner) (condition, error) {
	field := s.next().text
	if s.word("in") {
		values, err := s.texts()
		return func(r *Record) bool { return slices.Contains(values, textOf(z.value(r, field))) }, err
	}
	operator := s.next().text
	if s.word("null") && operator == "is" {
		return func(r *Record) bool { return z.value(r, field) == nil }, nil
	}
	value := s.next()
	if !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, operator) || value.end {
		return nil, invalidf("SYNTAX_ERROR", "invalid operator %s", operator)
	}
	operand := any(value.text)
	switch field {
	case "Modified_Time", "Created_Time":
		t, err := time.Parse(time.RFC3339, value.text)
		if err != nil || !value.quoted || !zohoTime.MatchString(value.text) {
			return nil, invalidf("INVALID_QUERY", "%s is not a datetime", value.text)
		}
		operand = t
	case "id":
		operand = ident(value.text)
	}
	return func(r *Record) bool { return holds(operator, z.value(r, field), operand) }, nil
}

func (z *Zoho) value(r *Record, field string) any {
	switch field {
	case "id":
		return ident(r.ID)
	case "Created_Time":
		return stampOf(r.Created)
	case "Modified_Time":
		return byUpdated(r)
	}
	return r.Fields[field]
}

// record returns a record as Zoho shows it: stamps are in the user's time zone.
func (z *Zoho) record(r *Record, fields []string) map[string]any {
	all := map[string]any{}
	maps.Copy(all, r.Fields)
	all["Created_Time"], all["Modified_Time"] = r.Created.In(z.Zone).Format(time.RFC3339), nil
	if !r.Updated.IsZero() {
		all["Modified_Time"] = r.Updated.In(z.Zone).Format(time.RFC3339)
	}
	all = z.rename(all)
	shown := map[string]any{"id": r.ID}
	for _, name := range fields {
		if name != "id" && (!z.isRenamed(name)) {
			shown[name] = all[name]
		}
	}
	return shown
}
