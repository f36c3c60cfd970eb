package vendors

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Dolibarr is an installation of Dolibarr with contacts and third parties.
type Dolibarr struct {
	*Base
	*Store          // contacts
	Parties  *Store // third parties
	Hostname string
	APIKey   string
	// Zone is the server's time zone: filters are read in it.
	Zone *time.Location
	// Old makes it answer as versions before 20 do: 404 for an empty list, 503 for a wrong filter.
	Old bool
}

// NewDolibarr returns an installation at erp.example.com, of a new version, in UTC.
func NewDolibarr(now func() time.Time) *Dolibarr {
	d := &Dolibarr{Base: newBase(now), Hostname: "erp.example.com", APIKey: "doli-key", Zone: time.UTC}
	d.Store, d.Parties = newStore(d.Now, time.Second, numbers(0)), newStore(d.Now, time.Second, numbers(0))
	return d
}

// Host implements [Simulator].
func (d *Dolibarr) Host(host string) bool { return host == d.Hostname }

// Knows implements [Simulator].
func (d *Dolibarr) Knows(r *http.Request) bool { return r.Header.Get("DOLAPIKEY") == d.APIKey }

func (d *Dolibarr) open(*http.Request) bool { return false }

// ServeHTTP implements [http.Handler].
func (d *Dolibarr) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.serve(d, w, r) }

func (d *Dolibarr) refuse(w http.ResponseWriter, why *refusal) {
	status := why.statusOf()
	if why.reason == throttled {
		w.Header().Set("Retry-After", fmt.Sprint(int(why.wait.Seconds()+0.999)))
	}
	_ = writeJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": http.StatusText(status) + ": " + why.message}})
}

func (d *Dolibarr) answer(w http.ResponseWriter, r *http.Request) error {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/index.php/")
	if !ok || r.Method != http.MethodGet {
		return noSuchPath(r)
	}
	store, name := d.Store, "Contacts"
	if strings.HasPrefix(path, "thirdparties") {
		store, name = d.Parties, "Thirdparties"
	}
	switch collection, id, one := strings.Cut(path, "/"); {
	case path == "status":
		return writeJSON(w, http.StatusOK, map[string]any{"success": map[string]any{"code": 200, "dolibarr_version": "22.0.1", "access_locked": "0"}})
	case collection != "contacts" && collection != "thirdparties":
		return noSuchPath(r)
	case one:
		found := store.Get(id)
		if found == nil || found.Gone() {
			return &refusal{reason: notFound, message: name + " not found"}
		}
		return writeJSON(w, http.StatusOK, d.record(found))
	}
	return d.list(w, r, store, name)
}

func (d *Dolibarr) list(w http.ResponseWriter, r *http.Request, store *Store, name string) error {
	p := read(r)
	limit, page := p.number("limit", 100, 1, 1<<20), p.number("page", 0, 0, 1<<30)
	fields, directions := strings.Split(p.text("sortfield", "t.rowid"), ","), strings.Split(p.text("sortorder", "ASC"), ",")
	filters := p.text("sqlfilters", "")
	for _, known := range []string{"thirdparty_ids", "category", "includecount", "includeroles", "properties", "mode"} {
		p.text(known, "")
	}
	if err := p.end(d.Lenient); err != nil {
		return err
	}
	test, err := d.filter(filters)
	if err != nil {
		return err
	}
	found := where(store.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	var keys []key
	for i, field := range fields {
		direction := directions[min(i, len(directions)-1)]
		if !d.isColumn(field) || !strings.EqualFold(direction, "ASC") && !strings.EqualFold(direction, "DESC") {
			return &refusal{reason: broken, status: http.StatusServiceUnavailable, message: "Error when retrieve list : " + field + " " + direction}
		}
		keys = append(keys, key{func(r *Record) any { return d.value(r, field) }, strings.EqualFold(direction, "DESC")})
	}
	order(found, d.Traffic().Requests, keys...)
	list := []any{}
	for _, c := range cut(found, page*limit, limit) {
		list = append(list, d.record(c))
	}
	if len(list) == 0 && d.Old {
		return &refusal{reason: notFound, message: name + " not found"}
	}
	return writeJSON(w, http.StatusOK, list)
}

// filter reads sqlfilters: (field:operator:'value') and (…).
func (d *Dolibarr) filter(text string) (condition, error) {
	if text == "" {
		return func(*Record) bool { return true }, nil
	}
	wrong := &refusal{reason: invalid, message: "Error when validating parameter sqlfilters -> " + text}
	if d.Old {
		wrong.reason, wrong.status = broken, http.StatusServiceUnavailable
	}
	s, err := scan(text)
	if err != nil {
		return nil, wrong
	}
	test, err := s.condition(func() (condition, error) { return d.term(s) })
	if err != nil || !s.peek().end {
		return nil, wrong
	}
	return test, nil
}

func (d *Dolibarr) term(s *scanner) (condition, error) {
	if s.at == 0 || s.tokens[s.at-1].text != "(" {
		return nil, invalidf("", "a term without parentheses")
	}
	term, value := "", token{}
	for !value.quoted {
		t := s.next()
		if t.end || t.text == ")" {
			return nil, invalidf("", "a term without a value")
		}
		if value = t; !t.quoted {
			term += t.text
			if strings.Count(term, ":") == 2 && !strings.HasSuffix(term, ":") {
				value.text = term[strings.LastIndex(term, ":")+1:]
				break
			}
		}
	}
	parts := strings.Split(term, ":")
	if len(parts) != 3 || !d.isColumn(parts[0]) || !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, parts[1]) {
		return nil, invalidf("", "invalid term %s", term)
	}
	operand := any(value.text)
	switch parts[0] {
	case "t.tms", "t.datec":
		at, err := time.ParseInLocation(espoLayout, value.text, d.Zone)
		if err != nil {
			return nil, invalidf("", "invalid time %s", value.text)
		}
		operand = at
	case "t.rowid":
		operand = ident(value.text)
	}
	return func(r *Record) bool { return holds(parts[1], d.value(r, parts[0]), operand) }, nil
}

// dolibarrColumns are the columns that a filter and an order may name.
var dolibarrColumns = []string{"t.rowid", "t.tms", "t.datec", "t.lastname", "t.firstname", "t.email", "t.nom", "t.statut", "t.status", "t.fk_soc"}

func (d *Dolibarr) isColumn(name string) bool { return slices.Contains(dolibarrColumns, name) }

func (d *Dolibarr) value(r *Record, column string) any {
	switch column {
	case "t.rowid":
		return ident(r.ID)
	case "t.tms":
		return byUpdated(r)
	case "t.datec":
		return stampOf(r.Created)
	}
	return r.Fields[strings.TrimPrefix(column, "t.")]
}

// record returns a record as Dolibarr shows it: ids are texts, times are seconds.
func (d *Dolibarr) record(r *Record) map[string]any {
	all := map[string]any{}
	maps.Copy(all, r.Fields)
	all["id"], all["ref"], all["date_creation"], all["date_modification"] = r.ID, r.ID, r.Created.Unix(), nil
	if !r.Updated.IsZero() {
		all["date_modification"] = r.Updated.Unix()
	}
	if _, ok := all["array_options"]; !ok {
		all["array_options"] = []any{} // PHP writes an empty map as a list
	}
	return d.rename(all)
}
