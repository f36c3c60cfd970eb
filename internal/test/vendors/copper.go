package vendors

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Copper is an account of Copper with its people.
type Copper struct {
	*Base
	*Store
	Account int
	APIKey  string
	User    string // the e-mail address that goes with the key
}

// NewCopper returns an account.
func NewCopper(now func() time.Time, account int) *Copper {
	c := &Copper{Account: account, APIKey: "copper-" + strconv.Itoa(account), User: "sync@example.com"}
	c.Base = newBase(now, &Limit{Name: "minute", Requests: 180, Window: time.Minute})
	c.Store = newStore(c.Now, time.Second, numbers(61_000_000))
	return c
}

// Host implements [Simulator].
func (c *Copper) Host(host string) bool { return host == "api.copper.com" }

// Knows implements [Simulator]: all three headers must be right.
func (c *Copper) Knows(r *http.Request) bool {
	h := r.Header
	return h.Get("X-PW-AccessToken") == c.APIKey && h.Get("X-PW-Application") == "developer_api" && h.Get("X-PW-UserEmail") == c.User
}

func (c *Copper) open(*http.Request) bool { return false }

// ServeHTTP implements [http.Handler].
func (c *Copper) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.serve(c, w, r) }

// refuse writes an error. A throttled request is not told when to come again.
func (c *Copper) refuse(w http.ResponseWriter, why *refusal) {
	status := why.statusOf()
	message := why.message
	switch why.reason {
	case throttled:
		message = "Rate limit exceeded"
	case unauthorized:
		message = "Invalid API Key"
	case notFound:
		message = "Resource not found"
	}
	_ = writeJSON(w, status, map[string]any{"success": false, "status": status, "message": message})
}

func (c *Copper) answer(w http.ResponseWriter, r *http.Request) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
		return &refusal{reason: invalid, status: http.StatusUnsupportedMediaType, message: "Content-Type must be application/json"}
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /developer_api/v1/account":
		return writeJSON(w, http.StatusOK, map[string]any{"id": c.Account, "name": "Acme"})
	case "POST /developer_api/v1/people/search":
		return c.search(w, r)
	}
	return noSuchPath(r)
}

// A copperSearch is the body of a search. A number of null is none.
type copperSearch struct {
	PageNumber          *int   `json:"page_number"`
	PageSize            *int   `json:"page_size"`
	SortBy              string `json:"sort_by"`
	SortDirection       string `json:"sort_direction"`
	MinimumModifiedDate *int64 `json:"minimum_modified_date"`
	MaximumModifiedDate *int64 `json:"maximum_modified_date"`
	MinimumCreatedDate  *int64 `json:"minimum_created_date"`
	MaximumCreatedDate  *int64 `json:"maximum_created_date"`
	Name                string `json:"name"`
	Emails              []any  `json:"emails"`
	PhoneNumber         string `json:"phone_number"`
}

// copperCap is how many records a search reaches.
const copperCap = 100_000

// page reads which page is asked for.
func (s copperSearch) page() (number, size int, err error) {
	number, size = 1, 20
	if s.PageNumber != nil {
		number = *s.PageNumber
	}
	if s.PageSize != nil {
		size = *s.PageSize
	}
	if number < 1 || size < 1 || size > 200 || number*size > copperCap {
		return 0, 0, &refusal{reason: invalid, status: http.StatusUnprocessableEntity, message: "Invalid input: page_size must be from 1 to 200, and no page goes beyond 100,000 records"}
	}
	return number, size, nil
}

// copperOrders are the fields that people are sorted by; the id is none of them.
var copperOrders = []string{"name", "first_name", "last_name", "title", "email", "phone", "company_name", "city", "state", "country", "date_created", "date_modified"}

func (c *Copper) search(w http.ResponseWriter, r *http.Request) error {
	var sent copperSearch
	if err := c.body(r, &sent); err != nil {
		return err
	}
	number, size, err := sent.page()
	if err != nil {
		return err
	}
	if sent.SortBy != "" && !slices.Contains(copperOrders, sent.SortBy) || !slices.Contains([]string{"", "asc", "desc"}, sent.SortDirection) {
		return &refusal{reason: invalid, status: http.StatusUnprocessableEntity, message: "Invalid input: sort_by or sort_direction"}
	}
	within := func(t time.Time, from, to *int64) bool {
		return (from == nil || !t.IsZero() && t.Unix() >= *from) && (to == nil || !t.IsZero() && t.Unix() <= *to)
	}
	found := where(c.Visible(), func(r *Record) bool {
		return !r.Gone() && within(r.Updated, sent.MinimumModifiedDate, sent.MaximumModifiedDate) && within(r.Created, sent.MinimumCreatedDate, sent.MaximumCreatedDate) &&
			(sent.Name == "" || sent.Name == r.Fields["name"])
	})
	// People of one second are in another order for each search by their time of change; in any other order they stay as they are.
	salt := 0
	if sent.SortBy == "date_modified" {
		salt = c.Traffic().Requests
	}
	order(found, salt, key{func(r *Record) any { return c.value(r, sent.SortBy) }, sent.SortDirection == "desc"})
	list := []any{}
	for _, r := range cut(found, (number-1)*size, size) {
		list = append(list, c.person(r))
	}
	w.Header().Set("X-PW-TOTAL", strconv.Itoa(len(found)))
	return writeJSON(w, http.StatusOK, list)
}

func (c *Copper) value(r *Record, field string) any {
	switch field {
	case "date_modified":
		return byUpdated(r)
	case "date_created":
		return stampOf(r.Created)
	case "":
		field = "name"
	}
	return r.Fields[field]
}

func (c *Copper) person(r *Record) map[string]any {
	person := map[string]any{
		"name": nil, "prefix": nil, "first_name": nil, "middle_name": nil, "last_name": nil, "suffix": nil, "address": nil, "assignee_id": nil, "company_id": nil,
		"company_name": nil, "contact_type_id": nil, "details": nil, "emails": []any{}, "phone_numbers": []any{}, "socials": []any{}, "tags": []any{}, "title": nil,
		"websites": []any{}, "custom_fields": []any{}, "interaction_count": 0, "leads_converted_from": []any{}, "date_lead_created": nil,
	}
	maps.Copy(person, r.Fields)
	person["id"], person["date_created"], person["date_modified"] = idOf(r.ID), r.Created.Unix(), nil
	if !r.Updated.IsZero() {
		person["date_modified"] = r.Updated.Unix()
	}
	return c.rename(person)
}
