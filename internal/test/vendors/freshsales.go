package vendors

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Freshsales is an account of Freshsales (Freshworks CRM) with its contacts.
type Freshsales struct {
	*Base
	*Store
	Bundle string
	APIKey string
	// PerPage is the most contacts of a page: who asks for more gets as many, without a word.
	PerPage int
}

// The views of an account.
const (
	freshsalesAll = "402000000001"
	freshsalesBin = "402000000009"
)

// NewFreshsales returns an account.
func NewFreshsales(now func() time.Time, bundle string) *Freshsales {
	f := &Freshsales{Bundle: bundle, APIKey: "freshsales-" + bundle, PerPage: 100}
	f.Base = newBase(now, &Limit{Name: "hour", Requests: 1000, Window: time.Hour})
	f.Store = newStore(f.Now, time.Second, numbers(402_000_100_000))
	return f
}

// Host implements [Simulator].
func (f *Freshsales) Host(host string) bool { return host == f.Bundle+".myfreshworks.com" }

// Knows implements [Simulator].
func (f *Freshsales) Knows(r *http.Request) bool {
	return r.Header.Get("Authorization") == "Token token="+f.APIKey
}

func (f *Freshsales) open(*http.Request) bool { return false }

// ServeHTTP implements [http.Handler].
func (f *Freshsales) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.serve(f, w, r) }

func (f *Freshsales) refuse(w http.ResponseWriter, why *refusal) {
	errors := func(code int, message string) map[string]any {
		return map[string]any{"errors": map[string]any{"code": code, "message": []any{message}}}
	}
	body := errors(why.statusOf(), why.message)
	switch why.reason {
	case throttled:
		w.Header().Set("Retry-After", strconv.Itoa(int(why.wait.Seconds()+0.999)))
		body = map[string]any{"message": "You have exceeded the limit of requests per hour"}
	case unauthorized:
		body = map[string]any{"login": "failed", "message": "Incorrect or expired API key"}
	case forbidden:
		body = map[string]any{"message": "You are not authorized to perform this action."}
	}
	_ = writeJSON(w, why.statusOf(), body)
}

func (f *Freshsales) answer(w http.ResponseWriter, r *http.Request) error {
	path, ok := strings.CutPrefix(r.URL.Path, "/crm/sales/api/contacts/")
	if !ok || r.Method != http.MethodGet {
		return noSuchPath(r)
	}
	view, isView := strings.CutPrefix(path, "view/")
	switch {
	case path == "filters":
		return writeJSON(w, http.StatusOK, map[string]any{"filters": []any{
			map[string]any{"id": idOf(freshsalesAll), "name": "All Contacts", "model_class_name": "Contact", "is_default": true},
			map[string]any{"id": idOf(freshsalesBin), "name": "Recycle Bin", "model_class_name": "Contact", "is_default": true},
		}})
	case isView && (view == freshsalesAll || view == freshsalesBin):
		return f.view(w, r, view == freshsalesBin)
	}
	return noSuchPath(r)
}

// view lists the contacts of a view. There is no filter by the time of a change.
func (f *Freshsales) view(w http.ResponseWriter, r *http.Request, bin bool) error {
	p := read(r)
	page, perPage := p.number("page", 1, 1, 1<<30), p.number("per_page", 25, 1, 1<<30)
	sort, direction := p.oneOf("sort", "updated_at", "created_at", "lead_score", "open_deals_amount"), p.oneOf("sort_type", "asc", "desc")
	include := strings.Split(p.text("include", ""), ",")
	if err := p.end(f.Lenient); err != nil {
		return err
	}
	perPage = min(perPage, f.PerPage)
	by := key{byUpdated, direction != "asc"}
	if sort != "updated_at" {
		by.value = func(r *Record) any { return stampOf(r.Created) }
	}
	found := where(f.Visible(), func(r *Record) bool { return r.Gone() == bin })
	order(found, 0, by, key{byID, by.desc})
	list := []any{}
	for _, c := range cut(found, (page-1)*perPage, perPage) {
		list = append(list, f.contact(c, include))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"contacts": list, "meta": map[string]any{"total_pages": (len(found) + perPage - 1) / perPage, "total": len(found)}})
}

// contact returns a contact as a view shows it: its accounts only where they were asked for.
func (f *Freshsales) contact(r *Record, include []string) map[string]any {
	contact := map[string]any{
		"first_name": nil, "last_name": nil, "display_name": nil, "avatar": nil, "job_title": nil, "email": nil, "emails": []any{}, "work_number": nil, "mobile_number": nil,
		"address": nil, "city": nil, "state": nil, "zipcode": nil, "country": nil, "twitter": nil, "facebook": nil, "linkedin": nil, "external_id": nil, "custom_field": map[string]any{},
		"is_deleted": r.Gone(), "links": map[string]any{"conversations": fmt.Sprintf("/crm/sales/contacts/%s/conversations/all", r.ID)},
	}
	maps.Copy(contact, r.Fields)
	if len(include) == 0 || include[0] != "sales_accounts" {
		delete(contact, "sales_accounts")
	}
	contact["id"], contact["created_at"], contact["updated_at"] = idOf(r.ID), r.Created.UTC().Format(time.RFC3339), nil
	if !r.Updated.IsZero() { // in the zone of the account
		contact["updated_at"] = r.Updated.In(time.FixedZone("", 5*60*60+30*60)).Format(time.RFC3339)
	}
	return f.rename(contact)
}
