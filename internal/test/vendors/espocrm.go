package vendors

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An EspoCRM is an installation of EspoCRM with its contacts.
type EspoCRM struct {
	*Base
	*Store
	Hostname string
	APIKey   string
	Secret   string // of HMAC
	// User and Pass sign in by Basic authentication.
	User, Pass string
	// ListsHaveData says that lists hold emailAddressData and phoneNumberData, as some installations' do.
	ListsHaveData bool
	// MaxSize is the most records of a page (recordListMaxSizeLimit).
	MaxSize int
}

// espoLayout is how EspoCRM writes times.
const espoLayout = "2006-01-02 15:04:05"

// NewEspoCRM returns an installation at crm.example.com.
func NewEspoCRM(now func() time.Time) *EspoCRM {
	e := &EspoCRM{
		Base: newBase(now), Hostname: "crm.example.com", APIKey: "espo-key", Secret: "espo-secret", User: "sync", Pass: "espo-password",
		MaxSize: 200,
	}
	e.Store = newStore(e.Now, time.Second, func(n int) string { return fmt.Sprintf("66e%014x", n) })
	return e
}

// Host implements [Simulator].
func (e *EspoCRM) Host(host string) bool { return host == e.Hostname }

// Knows implements [Simulator].
func (e *EspoCRM) Knows(r *http.Request) bool {
	if key := r.Header.Get("X-Api-Key"); key != "" {
		return key == e.APIKey
	}
	if signed := r.Header.Get("X-Hmac-Authorization"); signed != "" {
		mac := hmac.New(sha256.New, []byte(e.Secret))
		mac.Write([]byte(r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")))
		want := append([]byte(e.APIKey+":"), mac.Sum(nil)...)
		return signed == base64.StdEncoding.EncodeToString(want)
	}
	user, pass, ok := r.BasicAuth()
	return ok && user == e.User && pass == e.Pass
}

func (e *EspoCRM) open(*http.Request) bool { return false }

// ServeHTTP implements [http.Handler].
func (e *EspoCRM) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.serve(e, w, r) }

// refuse writes an error: EspoCRM gives the reason in a header, and often no body.
func (e *EspoCRM) refuse(w http.ResponseWriter, why *refusal) {
	w.Header().Set("X-Status-Reason", why.message)
	if why.reason == throttled { // by a proxy in front of it
		w.Header().Set("Retry-After", fmt.Sprint(int(why.wait.Seconds()+0.999)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(why.statusOf())
}

func (e *EspoCRM) answer(w http.ResponseWriter, r *http.Request) error {
	id, one := strings.CutPrefix(r.URL.Path, "/api/v1/Contact/")
	switch {
	case r.Method != http.MethodGet:
		return noSuchPath(r)
	case r.URL.Path == "/api/v1/Contact":
		return e.contacts(w, r)
	case r.URL.Path == "/api/v1/App/user":
		return writeJSON(w, http.StatusOK, map[string]any{"user": map[string]any{"userName": e.User, "type": "api"}})
	case one:
		found := e.Get(id)
		if found == nil || found.Gone() {
			return &refusal{reason: notFound, message: "Record not found."}
		}
		return writeJSON(w, http.StatusOK, e.record(found, nil, true))
	}
	return noSuchPath(r)
}

// An espoSearch is what a list asks for.
type espoSearch struct {
	where   []any
	fields  []string
	orderBy string
	desc    bool
	size    int
	offset  int
}

func (e *EspoCRM) contacts(w http.ResponseWriter, r *http.Request) error {
	search, err := e.search(r)
	if err != nil {
		return err
	}
	test, err := e.all(search.where)
	if err != nil {
		return err
	}
	found := where(e.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	if search.orderBy != "" {
		order(found, e.Traffic().Requests, key{func(r *Record) any { return e.value(r, search.orderBy) }, search.desc})
	} else {
		order(found, 0, key{func(r *Record) any { return r.Created }, true})
	}
	list := []any{}
	for _, c := range cut(found, search.offset, search.size) {
		list = append(list, e.record(c, search.fields, e.ListsHaveData))
	}
	total := len(found)
	if r.Header.Get("X-No-Total") == "true" {
		if total = -2; len(found) > search.offset+search.size {
			total = -1
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"total": total, "list": list})
}

// search reads the parameters of a list: one by one, or all in searchParams.
func (e *EspoCRM) search(r *http.Request) (espoSearch, error) {
	p := read(r)
	sent, err := nested(p)
	if err != nil {
		return espoSearch{}, err
	}
	if text := p.text("searchParams", ""); text != "" {
		if err := json.Unmarshal([]byte(text), &sent); err != nil {
			return espoSearch{}, invalidf("", "searchParams is not JSON: %v", err)
		}
	}
	s := espoSearch{size: e.MaxSize}
	for name, value := range sent {
		text := textOf(value)
		if list, ok := value.([]any); ok && (name == "select" || name == "attributeSelect") {
			for _, v := range list {
				s.fields = append(s.fields, textOf(v))
			}
			continue
		}
		switch name {
		case "where", "whereGroup":
			list, ok := value.([]any)
			if !ok {
				return s, invalidf("", "Bad where.")
			}
			s.where = append(s.where, list...)
		case "select", "attributeSelect":
			s.fields = strings.Split(text, ",")
		case "orderBy":
			s.orderBy = text
		case "order":
			if s.desc = strings.EqualFold(text, "desc"); !s.desc && !strings.EqualFold(text, "asc") {
				return s, invalidf("", "Bad order.")
			}
		case "maxSize", "offset":
			n, ok := digits(json.Number(text))
			if !ok || n < 0 {
				return s, invalidf("", "%s is not a number", name)
			}
			if name == "offset" {
				s.offset = int(n)
			} else if s.size = int(n); s.size > e.MaxSize {
				return s, &refusal{reason: forbidden, message: fmt.Sprintf("Max size should not exceed %d. Use offset and limit.", e.MaxSize)}
			}
		case "searchParams":
		default:
			if !e.Lenient {
				return s, invalidf("", "unknown parameter %s", name)
			}
		}
	}
	if s.orderBy != "" && !e.isAttribute(s.orderBy) {
		return s, &refusal{reason: forbidden, message: fmt.Sprintf("Order by %q is not allowed.", s.orderBy)}
	}
	return s, nil
}

// brackets splits the name of a parameter: where[0][type].
var brackets = regexp.MustCompile(`\[([^\]]*)\]`)

// nested reads parameters with brackets, as PHP does: numbers in brackets make lists.
func nested(p *params) (map[string]any, error) {
	top := map[string]any{}
	for name, sent := range p.values {
		if name == "searchParams" {
			continue
		}
		if len(sent) > 1 {
			return nil, invalidf("", "parameter %s is sent %d times", name, len(sent))
		}
		at := top
		path := []string{strings.SplitN(name, "[", 2)[0]}
		for _, m := range brackets.FindAllStringSubmatch(name, -1) {
			path = append(path, m[1])
		}
		for _, step := range path[:len(path)-1] {
			below, ok := at[step].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[step] = below
			}
			at = below
		}
		at[path[len(path)-1]] = sent[0]
	}
	return lists(top).(map[string]any), nil
}

// lists makes lists of maps with the keys 0, 1, 2…
func lists(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	list := make([]any, len(m))
	isList := len(m) > 0
	for name, value := range m {
		m[name] = lists(value)
		n, ok := digits(json.Number(name))
		if isList = isList && ok && n >= 0 && int(n) < len(m); isList {
			list[n] = m[name]
		}
	}
	if isList {
		return list
	}
	return m
}

func (e *EspoCRM) all(items []any) (condition, error) {
	test := condition(func(*Record) bool { return true })
	for _, item := range items {
		next, err := e.item(item)
		if err != nil {
			return nil, err
		}
		before := test
		test = func(r *Record) bool { return before(r) && next(r) }
	}
	return test, nil
}

// espoOperators are the types of where items that compare.
var espoOperators = map[string]string{
	"equals": "=", "notEquals": "!=", "greaterThan": ">", "greaterThanOrEquals": ">=", "lessThan": "<", "lessThanOrEquals": "<=",
}

func (e *EspoCRM) item(item any) (condition, error) {
	m, ok := item.(map[string]any)
	if !ok {
		return nil, invalidf("", "Bad where item.")
	}
	kind := textOf(m["type"])
	if kind == "and" || kind == "or" {
		list, ok := m["value"].([]any)
		if !ok {
			return nil, invalidf("", "Bad where item: %s without a list.", kind)
		}
		if kind == "and" {
			return e.all(list)
		}
		return e.any(list)
	}
	name := textOf(m["attribute"])
	if !e.isAttribute(name) {
		return nil, invalidf("", "Unknown attribute '%s' in where.", name)
	}
	operator := espoOperators[kind]
	if operator == "" {
		return nil, invalidf("", "Unknown where type '%s'.", kind)
	}
	operand, err := e.operand(name, textOf(m["value"]))
	return func(r *Record) bool { return holds(operator, e.value(r, name), operand) }, err
}

func (e *EspoCRM) any(items []any) (condition, error) {
	test := condition(func(*Record) bool { return false })
	for _, item := range items {
		next, err := e.item(item)
		if err != nil {
			return nil, err
		}
		before := test
		test = func(r *Record) bool { return before(r) || next(r) }
	}
	return test, nil
}

// operand reads what an attribute is compared with.
func (e *EspoCRM) operand(name, text string) (any, error) {
	switch name {
	case "createdAt", "modifiedAt":
		t, err := time.Parse(espoLayout, text)
		if err != nil {
			return nil, invalidf("", "Bad value of %s: %q.", name, text)
		}
		return t, nil
	}
	return text, nil
}

// espoAttributes are the attributes of a contact. Custom ones begin with c and a capital letter.
var espoAttributes = []string{
	"id", "salutationName", "firstName", "middleName", "lastName", "name", "title", "accountId", "accountName", "emailAddress",
	"phoneNumber", "addressStreet", "addressCity", "addressState", "addressPostalCode", "addressCountry", "description", "createdAt",
	"modifiedAt",
}

var espoCustom = regexp.MustCompile(`^c[A-Z]`)

func (e *EspoCRM) isAttribute(name string) bool {
	return !e.isRenamed(name) && (slices.Contains(espoAttributes, name) || espoCustom.MatchString(name))
}

func (e *EspoCRM) value(r *Record, name string) any {
	switch name {
	case "id":
		return r.ID
	case "createdAt":
		return stampOf(r.Created)
	case "modifiedAt":
		return byUpdated(r)
	}
	return r.Fields[name]
}

// record returns a contact as EspoCRM shows it: the attributes that were asked for, and its id.
func (e *EspoCRM) record(r *Record, fields []string, data bool) map[string]any {
	all := map[string]any{"deleted": false}
	for _, name := range espoAttributes {
		all[name] = nil
	}
	maps.Copy(all, r.Fields)
	all["id"], all["createdAt"], all["modifiedAt"] = r.ID, r.Created.UTC().Format(espoLayout), nil
	if !r.Updated.IsZero() {
		all["modifiedAt"] = r.Updated.UTC().Format(espoLayout)
	}
	if !data {
		delete(all, "emailAddressData")
		delete(all, "phoneNumberData")
	}
	if len(fields) > 0 {
		for name := range all {
			if name != "id" && !slices.Contains(fields, name) {
				delete(all, name)
			}
		}
	}
	return e.rename(all)
}

// escape writes a value for a URL.
func escape(text string) string { return url.QueryEscape(text) }
