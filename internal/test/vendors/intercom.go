package vendors

import (
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

// An Intercom is a workspace of Intercom with its contacts.
type Intercom struct {
	*Base
	*Store
	Workspace   string
	AccessToken string
	// Region is what stands between api. and intercom.io: empty, eu, or au.
	Region string
	// Zone is the workspace's: searches take times as days in it.
	Zone *time.Location
	// Seconds makes searches take times by the second, as the preview version of the API does.
	Seconds bool
	// Delay is how long a new contact is not found by a search; the list has it at once.
	Delay time.Duration
}

// NewIntercom returns a workspace.
func NewIntercom(now func() time.Time, workspace string) *Intercom {
	i := &Intercom{Workspace: workspace, AccessToken: "intercom-" + workspace, Zone: time.UTC, Delay: 2 * time.Minute}
	i.Base = newBase(now, &Limit{Name: "app", Requests: 1666, Window: 10 * time.Second})
	i.Store = newStore(i.Now, time.Second, func(n int) string { return fmt.Sprintf("6643703ffae7%012x", n) })
	return i
}

// Host implements [Simulator].
func (i *Intercom) Host(host string) bool {
	if i.Region != "" {
		return host == "api."+i.Region+".intercom.io"
	}
	return host == "api.intercom.io"
}

// Knows implements [Simulator].
func (i *Intercom) Knows(r *http.Request) bool { return bearer(r, "Bearer") == i.AccessToken }

func (i *Intercom) open(*http.Request) bool { return false }

// ServeHTTP implements [http.Handler].
func (i *Intercom) ServeHTTP(w http.ResponseWriter, r *http.Request) { i.serve(i, w, r) }

func (i *Intercom) refuse(w http.ResponseWriter, why *refusal) {
	code := why.code
	switch why.reason {
	case throttled: // the time at which there is more, and no Retry-After
		code = "rate_limit_exceeded"
		i.limits(w, 0, why.wait)
	case unauthorized:
		code = "unauthorized"
	case forbidden:
		code = "token_forbidden"
	case notFound:
		code = "not_found"
	case broken:
		code = "server_error"
	case invalid:
		if code == "" {
			code = "parameter_invalid"
		}
	}
	_ = writeJSON(w, why.statusOf(), map[string]any{
		"type": "error.list", "request_id": "00066ltgfertncb684rg", "errors": []any{map[string]any{"code": code, "message": why.message}},
	})
}

// limits writes the headers of the limit.
func (i *Intercom) limits(w http.ResponseWriter, left int, reset time.Duration) {
	w.Header().Set("X-RateLimit-Limit", "1666")
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(left))
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(i.Now().Add(reset+time.Second-1).Unix(), 10))
}

// intercomVersions are the versions of the API that give contacts as this simulator does.
var intercomVersions = []string{"", "2.11", "2.12", "2.13", "2.14", "2.15", "2.16", "Preview"}

func (i *Intercom) answer(w http.ResponseWriter, r *http.Request) error {
	if window, ok := i.window("app"); ok {
		i.limits(w, i.remaining("app"), window)
	} else {
		i.limits(w, 1666, 10*time.Second)
	}
	if version := r.Header.Get("Intercom-Version"); !slices.Contains(intercomVersions, version) {
		return invalidf("intercom_version_invalid", "The requested version could not be found")
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /me":
		return writeJSON(w, http.StatusOK, map[string]any{
			"type": "admin", "id": "493881", "email": "sync@example.com", "email_verified": true,
			"app": map[string]any{"type": "app", "id_code": i.Workspace, "name": i.Workspace, "region": "US", "timezone": i.Zone.String()},
		})
	case "GET /contacts":
		return i.list(w, r)
	case "POST /contacts/search":
		return i.search(w, r)
	}
	return noSuchPath(r)
}

// list lists contacts in the order in which they were made.
func (i *Intercom) list(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	perPage := p.number("per_page", 50, 1, 1<<30)
	after := p.text("starting_after", "")
	p.number("page", 1, 1, 1<<30)
	if err := p.end(i.Lenient); err != nil {
		return err
	}
	return i.page(w, where(i.Visible(), live), perPage, after, key{func(r *Record) any { return r.Created }, false})
}

// An intercomSearch is the body of a search.
type intercomSearch struct {
	Query      json.RawMessage `json:"query"`
	Pagination struct {
		PerPage       *int   `json:"per_page"`
		StartingAfter string `json:"starting_after"`
	} `json:"pagination"`
	Sort *struct {
		Field string `json:"field"`
		Order string `json:"order"`
	} `json:"sort"`
}

func (i *Intercom) search(w http.ResponseWriter, r *http.Request) error {
	var sent intercomSearch
	if err := i.body(r, &sent); err != nil {
		return err
	}
	test, err := i.query(sent.Query, 0)
	if err != nil {
		return err
	}
	perPage := 50
	if sent.Pagination.PerPage != nil {
		perPage = *sent.Pagination.PerPage
	}
	by := key{func(r *Record) any { return scatter(r.ID, i.Traffic().Requests) }, false} // it promises no order without sort
	if s := sent.Sort; s != nil {
		if s.Order != "ascending" && s.Order != "descending" || !i.isField(s.Field) {
			return invalidf("", "sort is invalid: %s %s", s.Field, s.Order)
		}
		by = key{func(r *Record) any { return i.value(r, s.Field) }, s.Order == "descending"}
	}
	searchable := i.Now().Add(-i.Delay)
	found := where(i.Visible(), func(r *Record) bool { return !r.Gone() && !r.Created.After(searchable) && test(r) })
	return i.page(w, found, perPage, sent.Pagination.StartingAfter, by)
}

// page answers with the records after a cursor: it holds the sort value and the id of the last one, so that others which move do not
// matter.
func (i *Intercom) page(w http.ResponseWriter, found []*Record, perPage int, after string, by key) error {
	if perPage < 1 || perPage > 150 {
		return invalidf("", "Per Page is too big")
	}
	order(found, 0, by, key{byID, by.desc})
	number, total := 1, len(found)
	if after != "" {
		place, err := readIntercomCursor(after)
		if err != nil {
			return err
		}
		number = place.page
		found = where(found, func(r *Record) bool {
			c := compare(intercomSortValue(by.value(r)), place.value)
			if c == 0 {
				c = compare(byID(r), ident(place.id))
			}
			return c != 0 && (c > 0) == !by.desc
		})
	}
	data := []any{}
	shown := cut(found, 0, perPage)
	for _, r := range shown {
		data = append(data, i.contact(r))
	}
	pages := map[string]any{"type": "pages", "page": number, "per_page": perPage, "total_pages": (total + perPage - 1) / perPage}
	if len(found) > perPage {
		last := shown[len(shown)-1]
		text, err := json.Marshal([]any{intercomSortValue(by.value(last)), last.ID, number + 1})
		if err != nil {
			return err
		}
		pages["next"] = map[string]any{"page": number + 1, "starting_after": base64.StdEncoding.EncodeToString(text)}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"type": "list", "data": data, "total_count": total, "pages": pages})
}

// intercomSortValue returns a value as a cursor holds it: times are milliseconds, -1 is nothing.
func intercomSortValue(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UnixMilli()
	case nil:
		return int64(-1)
	}
	return v
}

// An intercomCursor is a place in a list.
type intercomCursor struct {
	value any
	id    string
	page  int
}

func readIntercomCursor(text string) (c intercomCursor, err error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return c, invalidf("", "starting_after is invalid")
	}
	d := json.NewDecoder(strings.NewReader(string(decoded)))
	d.UseNumber()
	var parts []any
	if d.Decode(&parts) != nil || len(parts) != 3 {
		return c, invalidf("", "starting_after is invalid")
	}
	page, _ := digits(parts[2])
	return intercomCursor{value: parts[0], id: textOf(parts[1]), page: int(page)}, nil
}

// An intercomFilter is a filter, or several of them.
type intercomFilter struct {
	Field    string          `json:"field"`
	Operator string          `json:"operator"`
	Value    json.RawMessage `json:"value"`
}

// query reads a query: a filter, or up to 15 of them with AND or OR, two levels deep.
func (i *Intercom) query(text json.RawMessage, level int) (condition, error) {
	var f intercomFilter
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, invalidf("", "query is invalid: %v", err)
	}
	if f.Field != "" {
		return i.filter(f)
	}
	var several []json.RawMessage
	if json.Unmarshal(f.Value, &several) != nil || f.Operator != "AND" && f.Operator != "OR" || level > 1 || len(several) == 0 || len(several) > 15 {
		return nil, invalidf("", "query is invalid: an operator AND or OR has from 1 to 15 filters, on 2 levels")
	}
	var tests []condition
	for _, one := range several {
		test, err := i.query(one, level+1)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(r *Record) bool {
		fails := func(test condition) bool { return !test(r) }
		if f.Operator == "AND" {
			return !slices.ContainsFunc(tests, fails)
		}
		return slices.ContainsFunc(tests, func(test condition) bool { return test(r) })
	}, nil
}

// intercomFields are the fields that a search takes, besides custom attributes.
var intercomFields = []string{"id", "role", "name", "email", "phone", "external_id", "owner_id", "created_at", "updated_at", "location.country", "location.city"}

func (i *Intercom) isField(name string) bool {
	return !i.isRenamed(name) && (slices.Contains(intercomFields, name) || strings.HasPrefix(name, "custom_attributes."))
}

func (i *Intercom) filter(f intercomFilter) (condition, error) {
	if !i.isField(f.Field) {
		return nil, invalidf("", "%s is not a valid search field", f.Field)
	}
	var value any
	d := json.NewDecoder(strings.NewReader(string(f.Value)))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, invalidf("", "the value of %s is invalid", f.Field)
	}
	if f.Field == "updated_at" || f.Field == "created_at" {
		return i.date(f, value)
	}
	if f.Operator != "=" && f.Operator != "!=" {
		return nil, invalidf("", "%s is not a valid operator for %s", f.Operator, f.Field)
	}
	return func(r *Record) bool { return holds(f.Operator, i.value(r, f.Field), value) }, nil
}

// date reads a filter of times, which are cut to days of the workspace: a time after a day is one of the next day on.
func (i *Intercom) date(f intercomFilter, value any) (condition, error) {
	if !slices.Contains([]string{">", "<", "="}, f.Operator) {
		return nil, invalidf("", "%s is not a valid operator for the date %s", f.Operator, f.Field)
	}
	seconds, err := strconv.ParseInt(textOf(value), 10, 64)
	if err != nil {
		return nil, invalidf("", "%s must be a Unix timestamp", f.Field)
	}
	at := time.Unix(seconds, 0)
	y, m, d := at.In(i.Zone).Date()
	day, next := time.Date(y, m, d, 0, 0, 0, 0, i.Zone), time.Date(y, m, d+1, 0, 0, 0, 0, i.Zone)
	if i.Seconds {
		day, next = at, at.Add(time.Second)
	}
	return func(r *Record) bool {
		t, ok := i.value(r, f.Field).(time.Time)
		switch f.Operator {
		case ">":
			return ok && !t.Before(next)
		case "<":
			return ok && t.Before(day)
		}
		return ok && !t.Before(day) && t.Before(next)
	}, nil
}

func (i *Intercom) value(r *Record, field string) any {
	switch field {
	case "id":
		return r.ID
	case "created_at":
		return stampOf(r.Created)
	case "updated_at":
		return byUpdated(r)
	}
	outer, inner, nested := strings.Cut(field, ".")
	if m, ok := r.Fields[outer].(map[string]any); ok && nested {
		return m[inner]
	}
	return r.Fields[field]
}

// contact returns a contact as the API shows it.
func (i *Intercom) contact(r *Record) map[string]any {
	list := func() map[string]any { return map[string]any{"type": "list", "data": []any{}} }
	contact := map[string]any{
		"type": "contact", "workspace_id": i.Workspace, "external_id": nil, "role": "user", "email": nil, "phone": nil, "name": nil, "avatar": nil,
		"owner_id": nil, "social_profiles": list(), "companies": list(), "tags": list(), "custom_attributes": map[string]any{}, "last_seen_at": nil,
		"location": map[string]any{"type": "location", "country": nil, "region": nil, "city": nil, "country_code": nil, "continent_code": nil},
	}
	maps.Copy(contact, r.Fields)
	contact["id"], contact["created_at"], contact["updated_at"] = r.ID, r.Created.Unix(), nil
	if !r.Updated.IsZero() {
		contact["updated_at"] = r.Updated.Unix()
	}
	return i.rename(contact)
}
