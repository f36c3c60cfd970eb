package vendors

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A SugarCRM is an installation of SugarCRM with its contacts, which its API shows as version 11 does.
type SugarCRM struct {
	*Base
	*Store
	Hostname string
	OAuth    *OAuth
	// User and Pass sign in on a platform.
	User, Pass string
	Platforms  []string
}

// NewSugarCRM returns an installation at sugar.example.com.
func NewSugarCRM(now func() time.Time) *SugarCRM {
	s := &SugarCRM{Base: newBase(now), Hostname: "sugar.example.com", User: "sync", Pass: "sugar-password", Platforms: []string{"base", "mobile", "portal"}}
	s.Store = newStore(s.Now, time.Second, uuids("9e1b6a20-0000-11ef-8000-"))
	s.OAuth = newOAuth(s.Now, "sugar", time.Hour, Password)
	s.OAuth.ClientID, s.OAuth.ClientSecret = "sugar", ""
	return s
}

const sugarAPI = "/rest/v11_24"

// Host implements [Simulator].
func (s *SugarCRM) Host(host string) bool { return host == s.Hostname }

// Knows implements [Simulator].
func (s *SugarCRM) Knows(r *http.Request) bool {
	return s.OAuth.knows(r.Header.Get("OAuth-Token")) || s.OAuth.knows(bearer(r, "Bearer"))
}

func (s *SugarCRM) open(r *http.Request) bool { return r.URL.Path == sugarAPI+"/oauth2/token" }

// ServeHTTP implements [http.Handler].
func (s *SugarCRM) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(s, w, r) }

func (s *SugarCRM) refuse(w http.ResponseWriter, why *refusal) {
	status := why.statusOf()
	code := map[reason]string{
		invalid: "invalid_parameter", unauthorized: "need_login", forbidden: "not_authorized", notFound: "no_method", throttled: "too_many_requests", broken: "fatal_error",
	}[why.reason]
	if why.reason == invalid && why.status == 0 {
		status = http.StatusUnprocessableEntity
	}
	if strings.HasPrefix(why.code, "invalid_") || why.code == "unsupported_grant_type" {
		code, status = why.code, max(why.statusOf(), http.StatusBadRequest)
	}
	_ = writeJSON(w, status, map[string]any{"error": code, "error_message": why.message})
}

func (s *SugarCRM) answer(w http.ResponseWriter, r *http.Request) error {
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, sugarAPI) {
	case "POST /oauth2/token":
		token, err := s.OAuth.grantJSON(r, func(form url.Values) bool {
			return form.Get("username") == s.User && form.Get("password") == s.Pass && slices.Contains(s.Platforms, form.Get("platform"))
		})
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, token)
	case "GET /me":
		return writeJSON(w, http.StatusOK, map[string]any{"current_user": map[string]any{"type": "user", "id": "1", "user_name": s.User, "full_name": "Sync"}})
	case "POST /Contacts/filter":
		return s.contacts(w, r)
	}
	return noSuchPath(r)
}

// A sugarFilter is the body of a filter.
type sugarFilter struct {
	Filter  []map[string]any `json:"filter"`
	OrderBy string           `json:"order_by"`
	MaxNum  *int             `json:"max_num"`
	Offset  int              `json:"offset"`
	Fields  string           `json:"fields"`
	Deleted bool             `json:"deleted"`
}

// sugarFields are the fields of a contact. Custom ones end with _c.
var sugarFields = []string{
	"id", "salutation", "first_name", "last_name", "full_name", "name", "title", "department", "account_name", "account_id", "email", "email1", "phone_work", "phone_mobile", "phone_home", "phone_other",
	"primary_address_street", "primary_address_city", "primary_address_state", "primary_address_postalcode", "primary_address_country", "twitter", "picture", "description",
	"date_entered", "date_modified", "deleted",
}

func (s *SugarCRM) isField(name string) bool {
	return !s.isRenamed(name) && (slices.Contains(sugarFields, name) || strings.HasSuffix(name, "_c"))
}

func (s *SugarCRM) contacts(w http.ResponseWriter, r *http.Request) error {
	var sent sugarFilter
	if err := s.body(r, &sent); err != nil {
		return err
	}
	size := 20
	if sent.MaxNum != nil {
		size = *sent.MaxNum
	}
	if size < 1 || size > 1000 || sent.Offset < 0 {
		return invalidf("", "max_num must be from 1 to 1000, and offset not negative")
	}
	test, err := s.filter(sent.Filter)
	if err != nil {
		return err
	}
	found := where(s.Visible(), func(r *Record) bool { return (sent.Deleted || !r.Gone()) && test(r) })
	keys, err := s.keys(sent.OrderBy)
	if err != nil {
		return err
	}
	order(found, s.Traffic().Requests, keys...)
	fields := strings.FieldsFunc(sent.Fields, func(c rune) bool { return c == ',' })
	for _, name := range fields {
		if !s.isField(name) {
			return invalidf("", "Unknown field %s in module Contacts", name)
		}
	}
	list := []any{}
	for _, c := range cut(found, sent.Offset, size) {
		list = append(list, s.contact(c, fields))
	}
	next := -1
	if sent.Offset+size < len(found) {
		next = sent.Offset + size
	}
	return writeJSON(w, http.StatusOK, map[string]any{"next_offset": next, "records": list})
}

// keys reads an order: fields with their directions.
func (s *SugarCRM) keys(text string) ([]key, error) {
	var keys []key
	for part := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		name, direction, _ := strings.Cut(part, ":")
		if !s.isField(name) || !slices.Contains([]string{"", "asc", "desc"}, strings.ToLower(direction)) {
			return nil, invalidf("", "Invalid order_by %s", part)
		}
		keys = append(keys, key{func(r *Record) any { return s.value(r, name) }, strings.EqualFold(direction, "desc")})
	}
	return keys, nil
}

// filter reads a filter: all of its conditions.
func (s *SugarCRM) filter(sent []map[string]any) (condition, error) {
	var tests []condition
	for _, part := range sent {
		for name, condition := range part {
			if !s.isField(name) {
				return nil, invalidf("", "Unknown field %s in filter of module Contacts", name)
			}
			operators, ok := condition.(map[string]any)
			if !ok {
				operators = map[string]any{"$equals": condition}
			}
			for operator, value := range operators {
				sign := map[string]string{"$equals": "=", "$not_equals": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}[operator]
				if sign == "" {
					return nil, invalidf("", "Unknown operator %s", operator)
				}
				operand, err := s.operand(name, value)
				if err != nil {
					return nil, err
				}
				tests = append(tests, func(r *Record) bool { return holds(sign, s.value(r, name), operand) })
			}
		}
	}
	return func(r *Record) bool {
		return !slices.ContainsFunc(tests, func(test condition) bool { return !test(r) })
	}, nil
}

// operand reads what a field is compared with. Times are of ISO 8601, with an offset.
func (s *SugarCRM) operand(name string, value any) (any, error) {
	if name != "date_modified" && name != "date_entered" {
		return textOf(value), nil
	}
	t, err := time.Parse(time.RFC3339, textOf(value))
	if err != nil {
		return nil, invalidf("", "%v is not a date and time", value)
	}
	return t, nil
}

func (s *SugarCRM) value(r *Record, name string) any {
	switch name {
	case "id":
		return r.ID
	case "date_entered":
		return stampOf(r.Created)
	case "date_modified":
		return stampOf(deletionStamp(r))
	case "deleted":
		return textOf(r.Gone())
	}
	return r.Fields[name]
}

// contact returns a contact as Sugar shows it; of a deleted one only that it is gone.
func (s *SugarCRM) contact(r *Record, fields []string) map[string]any {
	const layout = "2006-01-02T15:04:05-07:00"
	stamp := ""
	if t := deletionStamp(r); !t.IsZero() {
		stamp = t.UTC().Format(layout)
	}
	if r.Gone() {
		return map[string]any{"id": r.ID, "date_modified": stamp, "deleted": true, "_module": "Contacts"}
	}
	contact := map[string]any{}
	for _, name := range sugarFields {
		contact[name] = ""
	}
	maps.Copy(contact, r.Fields)
	if contact["email"] == "" {
		contact["email"] = []any{}
	}
	contact["id"], contact["date_entered"], contact["date_modified"], contact["deleted"] = r.ID, r.Created.UTC().Format(layout), stamp, false
	if len(fields) > 0 {
		maps.DeleteFunc(contact, func(name string, _ any) bool {
			return name != "id" && name != "date_modified" && !slices.Contains(fields, name)
		})
	}
	contact["_acl"], contact["_module"] = map[string]any{"fields": map[string]any{}}, "Contacts"
	return s.rename(contact)
}
