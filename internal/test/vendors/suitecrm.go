package vendors

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A SuiteCRM is an installation of SuiteCRM with its contacts, which its API shows as version 8 does.
type SuiteCRM struct {
	*Base
	*Store
	Hostname string
	OAuth    *OAuth
	// User and Pass sign in with the grant password.
	User, Pass string
	// Zone is that of the server's PHP: times of answers are those of UTC with the offset of this zone, which is wrong in any other.
	Zone *time.Location
}

// NewSuiteCRM returns an installation at suite.example.com.
func NewSuiteCRM(now func() time.Time) *SuiteCRM {
	s := &SuiteCRM{Base: newBase(now), Hostname: "suite.example.com", User: "sync", Pass: "suite-password", Zone: time.UTC}
	s.Store = newStore(s.Now, time.Second, uuids("7c2d4f10-0000-4000-8000-"))
	s.OAuth = newOAuth(s.Now, "suite", time.Hour, ClientCredentials, Password)
	return s
}

// Host implements [Simulator].
func (s *SuiteCRM) Host(host string) bool { return host == s.Hostname }

// Knows implements [Simulator].
func (s *SuiteCRM) Knows(r *http.Request) bool { return s.OAuth.knows(bearer(r, "Bearer")) }

func (s *SuiteCRM) open(r *http.Request) bool { return r.URL.Path == "/legacy/Api/access_token" }

// ServeHTTP implements [http.Handler].
func (s *SuiteCRM) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(s, w, r) }

func (s *SuiteCRM) refuse(w http.ResponseWriter, why *refusal) {
	switch {
	case why.code == "invalid_client" || why.code == "invalid_grant" || why.code == "unsupported_grant_type" || why.code == "invalid_request":
		writeOAuthError(w, why)
		return
	case why.reason == unauthorized:
		_ = writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "access_denied", "error_description": "The resource owner or authorization server denied the request.", "hint": why.message})
		return
	}
	status := why.statusOf()
	_ = writeJSON(w, status, map[string]any{"errors": map[string]any{"status": status, "title": nil, "detail": why.message}})
}

func (s *SuiteCRM) answer(w http.ResponseWriter, r *http.Request) error {
	module, ofModule := strings.CutPrefix(r.URL.Path, "/legacy/Api/V8/module/")
	switch {
	case r.Method == http.MethodPost && s.open(r):
		token, err := s.OAuth.grantJSON(r, func(form url.Values) bool { return form.Get("username") == s.User && form.Get("password") == s.Pass })
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, token)
	case r.Method == http.MethodGet && ofModule && module == "Contacts":
		return s.contacts(w, r)
	}
	return noSuchPath(r)
}

// grantJSON answers a request for a token that is sent as JSON.
func (o *OAuth) grantJSON(r *http.Request, mayBe func(url.Values) bool) (map[string]any, error) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" && kind != "application/vnd.api+json" {
		return nil, invalidf("invalid_request", "Content-Type must be application/json")
	}
	var sent map[string]string
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
		return nil, invalidf("invalid_request", "%v", err)
	}
	form := url.Values{}
	for name, value := range sent {
		form.Set(name, value)
	}
	if form.Get("grant_type") == Password && !mayBe(form) {
		return nil, &refusal{reason: unauthorized, code: "invalid_grant", message: "The user credentials were incorrect."}
	}
	return o.grantForm(r, form)
}

// suiteAttributes are the attributes of a contact. Custom ones end with _c.
var suiteAttributes = []string{
	"id", "salutation", "first_name", "last_name", "name", "full_name", "title", "department", "account_name", "account_id", "email1", "phone_work", "phone_mobile", "phone_home",
	"phone_other", "primary_address_street", "primary_address_city", "primary_address_state", "primary_address_postalcode", "primary_address_country", "photo", "description",
	"date_entered", "date_modified", "deleted",
}

func (s *SuiteCRM) isAttribute(name string) bool {
	return !s.isRenamed(name) && (slices.Contains(suiteAttributes, name) || strings.HasSuffix(name, "_c"))
}

// suiteOperators are the operators of filters.
var suiteOperators = map[string]string{"eq": "=", "neq": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

func (s *SuiteCRM) contacts(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	sent, err := nested(p)
	if err != nil {
		return err
	}
	for name := range sent {
		if !slices.Contains([]string{"fields", "filter", "sort", "page"}, name) && !s.Lenient {
			return invalidf("", "The option %q does not exist.", name)
		}
	}
	test, err := s.filter(sent["filter"])
	if err != nil {
		return err
	}
	number, size, err := suitePage(sent["page"])
	if err != nil {
		return err
	}
	found := where(s.Visible(), test)
	if sort := textOf(sent["sort"]); sort != "" {
		name := strings.TrimLeft(sort, "-")
		if !s.isAttribute(name) { // several keys are taken for the name of one
			return invalidf("", "Sort field %s in Contact module is not found", name)
		}
		order(found, s.Traffic().Requests, key{func(r *Record) any { return s.value(r, name) }, strings.HasPrefix(sort, "-")})
	}
	fields, err := s.fields(sent["fields"])
	if err != nil {
		return err
	}
	data := []any{}
	for _, c := range cut(found, (number-1)*size, size) {
		data = append(data, s.contact(c, fields))
	}
	body := map[string]any{"data": data}
	if len(data) > 0 {
		pages := (len(found) + size - 1) / size
		body["meta"] = map[string]any{"total-pages": pages, "records-on-this-page": len(data)}
		body["links"] = map[string]any{"first": nil, "prev": nil, "next": nil, "last": nil}
	} else {
		body["meta"] = map[string]any{"message": "There is no data in this list"}
	}
	return writeJSON(w, http.StatusOK, body)
}

// filter reads a filter: all of its conditions. Deleted contacts are left out unless it speaks of them.
func (s *SuiteCRM) filter(sent any) (condition, error) {
	filter, ok := sent.(map[string]any)
	if !ok && sent != nil {
		return nil, invalidf("", "The option \"filter\" must be an array.")
	}
	filter = maps.Clone(filter)
	if operator := cmp.Or(textOf(filter["operator"]), "and"); !strings.EqualFold(operator, "and") { // what it adds itself would be or-ed too
		return nil, invalidf("", "Filter operator %s is not simulated", operator)
	}
	delete(filter, "operator")
	if filter["deleted"] == nil {
		if filter == nil {
			filter = map[string]any{}
		}
		filter["deleted"] = map[string]any{"eq": "0"}
	}
	var tests []condition
	for name, sent := range filter {
		if !s.isAttribute(name) {
			return nil, invalidf("", "Filter field %s in Contact module is not found", name)
		}
		operators, ok := sent.(map[string]any)
		if !ok {
			return nil, invalidf("", "Filter field %s must be an array", name)
		}
		for operator, value := range operators {
			sign := suiteOperators[operator]
			if sign == "" {
				return nil, invalidf("", "Filter operator %s is invalid", operator)
			}
			operand, err := suiteOperand(name, textOf(value))
			if err != nil {
				return nil, err
			}
			tests = append(tests, func(r *Record) bool { return holds(sign, s.value(r, name), operand) })
		}
	}
	return func(r *Record) bool {
		return !slices.ContainsFunc(tests, func(test condition) bool { return !test(r) })
	}, nil
}

// suiteOperand reads what an attribute is compared with: the database compares texts, so a time in any other form than its own is wrong.
func suiteOperand(name, text string) (any, error) {
	switch name {
	case "date_modified", "date_entered":
		t, err := time.Parse(espoLayout, text)
		if err != nil {
			return nil, invalidf("", "%q is not a time of the database", text)
		}
		return t, nil
	}
	return text, nil
}

func suitePage(sent any) (number, size int, err error) {
	page, ok := sent.(map[string]any)
	if !ok && sent != nil {
		return 0, 0, invalidf("", "The option \"page\" must be an array.")
	}
	number, size = 1, 20
	for name, into := range map[string]*int{"number": &number, "size": &size} {
		if page[name] == nil {
			continue
		}
		n, ok := digits(json.Number(textOf(page[name])))
		if !ok || n < 1 || n > 1000 && name == "size" {
			return 0, 0, invalidf("", "page[%s] is not a positive number", name)
		}
		*into = int(n)
	}
	return number, size, nil
}

func (s *SuiteCRM) fields(sent any) ([]string, error) {
	modules, ok := sent.(map[string]any)
	if !ok && sent != nil {
		return nil, invalidf("", "The option \"fields\" must be an array.")
	}
	for module := range modules {
		if module != "Contacts" {
			return nil, invalidf("", "fields of the module %s are not wanted", module)
		}
	}
	fields := strings.FieldsFunc(textOf(modules["Contacts"]), func(c rune) bool { return c == ',' })
	for _, name := range fields {
		if !s.isAttribute(name) {
			return nil, invalidf("", "The following field in Contact module is not found: %s", name)
		}
	}
	return fields, nil
}

func (s *SuiteCRM) value(r *Record, name string) any {
	switch name {
	case "id":
		return r.ID
	case "date_entered":
		return stampOf(r.Created)
	case "date_modified":
		return stampOf(deletionStamp(r))
	case "deleted":
		return textOf(json.Number([]string{"0", "1"}[number(r.Gone())]))
	}
	return r.Fields[name]
}

func (s *SuiteCRM) contact(r *Record, fields []string) map[string]any {
	attributes := map[string]any{}
	for _, name := range suiteAttributes {
		attributes[name] = ""
	}
	maps.Copy(attributes, r.Fields)
	shown := func(t time.Time) any {
		if t.IsZero() {
			return ""
		}
		t = t.UTC() // as the database has it, with the offset of the server's zone
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, s.Zone).Format("2006-01-02T15:04:05-07:00")
	}
	attributes["date_entered"], attributes["date_modified"], attributes["deleted"] = shown(r.Created), shown(deletionStamp(r)), textOf(s.value(r, "deleted"))
	delete(attributes, "id")
	if len(fields) > 0 {
		maps.DeleteFunc(attributes, func(name string, _ any) bool { return !slices.Contains(fields, name) })
	}
	return map[string]any{
		"type": "Contact", "id": r.ID, "attributes": s.rename(attributes),
		"relationships": map[string]any{"Accounts": map[string]any{"links": map[string]any{"related": "V8/module/Contacts/" + r.ID + "/relationships/accounts"}}},
	}
}
