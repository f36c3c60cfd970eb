package vendors

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// A Kustomer is an organization of Kustomer with its customers.
type Kustomer struct {
	*Base
	*Store
	Org    string
	APIKey string
}

// NewKustomer returns an organization.
func NewKustomer(now func() time.Time, org string) *Kustomer {
	k := &Kustomer{Org: org, APIKey: "kustomer-" + org}
	k.Base = newBase(now, &Limit{Name: "minute", Requests: 300, Window: time.Minute})
	k.Store = newStore(k.Now, time.Millisecond, func(n int) string { return "5f0c9a3e1d2b4c" + strconv.FormatInt(int64(0x1000000000+n), 16) })
	return k
}

// Host implements [Simulator].
func (k *Kustomer) Host(host string) bool { return host == k.Org+".api.kustomerapp.com" }

// Knows implements [Simulator].
func (k *Kustomer) Knows(r *http.Request) bool { return bearer(r, "Bearer") == k.APIKey }

func (k *Kustomer) open(*http.Request) bool { return false }

// ServeHTTP implements [http.Handler].
func (k *Kustomer) ServeHTTP(w http.ResponseWriter, r *http.Request) { k.serve(k, w, r) }

// refuse writes an error as JSON:API has it. A throttled request is told when there are more, as a Unix time, and by no Retry-After.
func (k *Kustomer) refuse(w http.ResponseWriter, why *refusal) {
	status := why.statusOf()
	code := map[reason]string{invalid: "bad_request", unauthorized: "unauthorized", forbidden: "forbidden", notFound: "not_found", throttled: "rate_limit", broken: "internal"}[why.reason]
	if why.reason == throttled {
		w.Header().Set("X-Ratelimit-Limit", "300")
		w.Header().Set("X-Ratelimit-Remaining", "0")
		w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(k.Now().Add(why.wait+time.Second).Unix(), 10))
	}
	_ = writeJSON(w, status, map[string]any{"errors": []any{map[string]any{"status": status, "code": code, "title": why.message}}})
}

func (k *Kustomer) answer(w http.ResponseWriter, r *http.Request) error {
	left := 300
	if _, ok := k.window("minute"); ok {
		left = k.remaining("minute")
	}
	w.Header().Set("X-Ratelimit-Limit", "300")
	w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(left))
	w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(k.Now().Add(time.Minute).Unix(), 10))
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/customers":
		p := read(r)
		page, size := p.number("page", 1, 1, 1<<30), p.number("pageSize", 100, 1, 100)
		if err := p.end(k.Lenient); err != nil {
			return err
		}
		found := where(k.Visible(), live)
		order(found, 0, key{byID, false})
		return k.write(w, r, found, page, size)
	case "POST /v1/customers/search":
		return k.search(w, r)
	}
	return noSuchPath(r)
}

// A kustomerSearch is the body of a search.
type kustomerSearch struct {
	And          []map[string]map[string]any `json:"and"`
	Or           []map[string]map[string]any `json:"or"`
	Sort         []map[string]string         `json:"sort"`
	QueryContext string                      `json:"queryContext"`
	TimeZone     string                      `json:"timeZone"`
}

// kustomerCap is how many customers a search reaches, whatever its filter.
const kustomerCap = 10_000

func (k *Kustomer) search(w http.ResponseWriter, r *http.Request) error {
	p := read(r)
	page, size := p.number("page", 1, 1, 1<<30), p.number("pageSize", 100, 1, 300)
	if err := p.end(k.Lenient); err != nil {
		return err
	}
	var sent kustomerSearch
	if err := k.body(r, &sent); err != nil {
		return err
	}
	if page*size > kustomerCap {
		return invalidf("", "A search cannot return more than 10000 results.")
	}
	if sent.QueryContext != "customer" || len(sent.Or) > 0 {
		return invalidf("", "queryContext must be customer.")
	}
	all, err := k.all(sent.And)
	if err != nil {
		return err
	}
	found := where(k.Visible(), all)
	// Of several keys only the last one counts, as users report. Customers of one time are in an order of their own, which is another one
	// for each search by the time of change.
	for _, sort := range sent.Sort {
		for name, direction := range sort {
			if k.attribute(name) == nil || direction != "asc" && direction != "desc" {
				return invalidf("", "Cannot sort by %s %s.", name, direction)
			}
			salt := 0
			if name == "customer_updated_at" {
				salt = k.Traffic().Requests
			}
			order(found, salt, key{k.attribute(name), direction == "desc"})
		}
	}
	return k.write(w, r, found, page, size)
}

// attribute returns the value of an attribute of searches; nil if there is none of that name.
func (k *Kustomer) attribute(name string) func(*Record) any {
	switch name {
	case "customer_updated_at":
		return func(r *Record) any { return stampOf(deletionStamp(r)) }
	case "customer_created_at":
		return func(r *Record) any { return stampOf(r.Created) }
	case "customer_name":
		return func(r *Record) any { return r.Fields["name"] }
	}
	return nil
}

func (k *Kustomer) all(filters []map[string]map[string]any) (condition, error) {
	var tests []condition
	for _, filter := range filters {
		for name, operators := range filter {
			value := k.attribute(name)
			if value == nil {
				return nil, invalidf("", "Unknown attribute %s.", name)
			}
			for operator, operand := range operators {
				sign := map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "equals": "="}[operator]
				if sign == "" {
					return nil, invalidf("", "Unknown operator %s.", operator)
				}
				if name != "customer_name" {
					t, err := time.Parse(isoMillis, textOf(operand))
					if err != nil {
						return nil, invalidf("", "%v is not a date.", operand)
					}
					operand = t
				}
				tests = append(tests, func(r *Record) bool { return holds(sign, value(r), operand) })
			}
		}
	}
	return func(r *Record) bool {
		return !slices.ContainsFunc(tests, func(test condition) bool { return !test(r) })
	}, nil
}

func (k *Kustomer) write(w http.ResponseWriter, r *http.Request, found []*Record, page, size int) error {
	data := []any{}
	for _, c := range cut(found, (page-1)*size, size) {
		data = append(data, k.customer(c))
	}
	pages := (len(found) + size - 1) / size
	links := map[string]any{"self": r.URL.RequestURI(), "next": nil}
	if page < pages {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(page+1))
		links["next"] = r.URL.Path + "?" + query.Encode()
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"data": data, "links": links, "meta": map[string]any{"page": page, "pageSize": size, "totalPages": pages, "total": len(found)},
	})
}

func (k *Kustomer) customer(r *Record) map[string]any {
	attributes := map[string]any{
		"name": nil, "displayName": nil, "firstName": nil, "lastName": nil, "externalId": nil, "username": nil, "avatarUrl": nil, "emails": []any{}, "phones": []any{},
		"socials": []any{}, "urls": []any{}, "locations": []any{}, "locale": nil, "tags": []any{}, "custom": map[string]any{}, "deleted": r.Gone(),
	}
	maps.Copy(attributes, r.Fields)
	attributes["createdAt"], attributes["updatedAt"], attributes["modifiedAt"] = r.Created.UTC().Format(isoMillis), nil, nil
	if stamp := deletionStamp(r); !stamp.IsZero() {
		attributes["updatedAt"], attributes["modifiedAt"] = stamp.UTC().Format(isoMillis), stamp.Add(time.Second).UTC().Format(isoMillis)
	}
	return map[string]any{
		"type": "customer", "id": r.ID, "attributes": k.rename(attributes),
		"relationships": map[string]any{"org": map[string]any{"data": map[string]any{"type": "org", "id": "5a5f6c7b"}}}, "links": map[string]any{"self": "/v1/customers/" + r.ID},
	}
}
