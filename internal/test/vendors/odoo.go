package vendors

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An Odoo is a database of Odoo with its partners: JSON-2 of version 19, and JSON-RPC of all versions.
type Odoo struct {
	*Base
	*Store
	Hostname string
	Database string
	User     string
	APIKey   string
	// Several says that the server has several databases, so that requests must name theirs.
	Several bool
	// NoJSON2 makes it a version before 19.
	NoJSON2 bool
}

// NewOdoo returns the database acme at acme.odoo.com.
func NewOdoo(now func() time.Time) *Odoo {
	o := &Odoo{Base: newBase(now), Hostname: "acme.odoo.com", Database: "acme", User: "sync@example.com", APIKey: "odoo-key"}
	o.Store = newStore(o.Now, time.Microsecond, numbers(0))
	return o
}

// Host implements [Simulator].
func (o *Odoo) Host(host string) bool { return host == o.Hostname }

// Knows implements [Simulator].
func (o *Odoo) Knows(r *http.Request) bool {
	kind, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(kind, "bearer") && key == o.APIKey
}

func (o *Odoo) open(r *http.Request) bool { return r.URL.Path == "/jsonrpc" } // the key stands in the body

// ServeHTTP implements [http.Handler].
func (o *Odoo) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.serve(o, w, r) }

func (o *Odoo) refuse(w http.ResponseWriter, why *refusal) {
	name := why.code
	if name == "" {
		name = map[reason]string{
			invalid: "builtins.ValueError", unauthorized: "werkzeug.exceptions.Unauthorized", forbidden: "odoo.exceptions.AccessError",
			notFound: "werkzeug.exceptions.NotFound", throttled: "werkzeug.exceptions.TooManyRequests", broken: "psycopg2.OperationalError",
		}[why.reason]
	}
	status := why.statusOf()
	if why.reason == invalid && why.status == 0 {
		status = http.StatusUnprocessableEntity
	}
	_ = writeJSON(w, status, map[string]any{"name": name, "message": why.message, "arguments": []any{why.message}, "context": map[string]any{}, "debug": "Traceback"})
}

func (o *Odoo) answer(w http.ResponseWriter, r *http.Request) error {
	method, ok := strings.CutPrefix(r.URL.Path, "/json/2/res.partner/")
	switch {
	case r.Method != http.MethodPost:
		return noSuchPath(r)
	case r.URL.Path == "/jsonrpc":
		return o.rpc(w, r)
	case !ok || o.NoJSON2 || method != "search_read" && method != "search_count" && method != "search":
		return noSuchPath(r)
	case o.Several && r.Header.Get("X-Odoo-Database") != o.Database, r.Header.Get("X-Odoo-Database") != "" && r.Header.Get("X-Odoo-Database") != o.Database:
		return &refusal{reason: notFound, message: "No database is selected and the /json/2 URL was not found in the server-wide controllers."}
	}
	var q odooQuery
	if err := o.body(r, &q); err != nil {
		return err
	}
	result, err := o.call(method, q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// An odooQuery is the arguments of search_read and its like.
type odooQuery struct {
	Domain  []any          `json:"domain"`
	Fields  []string       `json:"fields"`
	Order   string         `json:"order"`
	Limit   int            `json:"limit"`
	Offset  int            `json:"offset"`
	Context map[string]any `json:"context"`
}

// rpc answers JSON-RPC. Its errors have the status 200.
func (o *Odoo) rpc(w http.ResponseWriter, r *http.Request) error {
	var sent struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		ID      any    `json:"id"`
		Params  struct {
			Service string `json:"service"`
			Method  string `json:"method"`
			Args    []any  `json:"args"`
		} `json:"params"`
	}
	if err := o.body(r, &sent); err != nil {
		return err
	}
	if sent.Version != "2.0" || sent.Method != "call" {
		return invalidf("", "invalid JSON-RPC data")
	}
	var result any
	var err error
	switch what := sent.Params.Service + "." + sent.Params.Method; what {
	case "common.version":
		result = map[string]any{"server_version": "18.0", "protocol_version": 1}
	case "common.login", "common.authenticate":
		if result, err = any(false), error(nil); len(sent.Params.Args) >= 3 && o.isUser(sent.Params.Args[0], sent.Params.Args[1], sent.Params.Args[2]) {
			result = 2
		}
	case "object.execute_kw":
		result, err = o.execute(sent.Params.Args)
	default:
		err = invalidf("", "Method not found: %s", what)
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": sent.ID}
	if err != nil {
		why := err.(*refusal) //nolint:errorlint,forcetypeassert // nothing else comes here
		o.refused(why)
		name := map[reason]string{unauthorized: "odoo.exceptions.AccessDenied", forbidden: "odoo.exceptions.AccessError"}[why.reason]
		answer["error"] = map[string]any{
			"code": 200, "message": "Odoo Server Error",
			"data": map[string]any{"name": name, "debug": "Traceback", "message": why.message, "arguments": []any{why.message}},
		}
	} else {
		answer["result"] = result
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (o *Odoo) isUser(database, user, key any) bool {
	return textOf(database) == o.Database && (textOf(user) == o.User || textOf(user) == "2") && textOf(key) == o.APIKey
}

// execute answers execute_kw: database, user id, key, model, method, arguments, named arguments.
func (o *Odoo) execute(args []any) (any, error) {
	if len(args) < 6 || !o.isUser(args[0], args[1], args[2]) {
		return nil, &refusal{reason: unauthorized, message: "Access Denied"}
	}
	o.Base.lock.Lock()
	expired := o.faults.expired || o.faults.expireIn == 0
	lacks := o.faults.forbidden
	o.faults.expireIn = max(o.faults.expireIn-1, min(o.faults.expireIn, 0))
	o.Base.lock.Unlock()
	switch {
	case expired:
		return nil, &refusal{reason: unauthorized, message: "Access Denied"}
	case lacks != "":
		return nil, &refusal{reason: forbidden, message: "You are not allowed to access 'Contact' (res.partner) records."}
	case textOf(args[3]) != "res.partner":
		return nil, invalidf("", "Object %v doesn't exist", args[3])
	}
	var q odooQuery
	if len(args) > 6 {
		text, err := json.Marshal(args[6])
		if err != nil || json.Unmarshal(text, &q) != nil {
			return nil, invalidf("", "invalid named arguments")
		}
	}
	if list, ok := args[5].([]any); ok && len(list) > 0 {
		q.Domain, _ = list[0].([]any)
	}
	return o.call(textOf(args[4]), q)
}

// call runs a method of res.partner.
func (o *Odoo) call(method string, q odooQuery) (any, error) {
	rest, test, err := o.domain(q.Domain)
	for err == nil && len(rest) > 0 { // what stands beside each other must all hold
		var next condition
		before := test
		rest, next, err = o.domain(rest)
		test = func(r *Record) bool { return before(r) && next(r) }
	}
	if err != nil {
		return nil, err
	}
	archived := q.Context["active_test"] == false
	found := where(o.Visible(), func(r *Record) bool {
		return !r.Gone() && (archived || r.Fields["active"] != false) && test(r)
	})
	if method == "search_count" {
		return len(found), nil
	}
	keys, err := o.order(q.Order)
	if err != nil {
		return nil, err
	}
	order(found, o.Traffic().Requests, keys...)
	if q.Limit <= 0 {
		q.Limit = len(found)
	}
	list := []any{}
	for _, r := range cut(found, q.Offset, q.Limit) {
		if method == "search" {
			list = append(list, idOf(r.ID))
			continue
		}
		shown, err := o.record(r, q.Fields)
		if err != nil {
			return nil, err
		}
		list = append(list, shown)
	}
	return list, nil
}

// order reads an order such as "write_date asc, id asc".
func (o *Odoo) order(text string) ([]key, error) {
	var keys []key
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		desc := len(words) == 2 && strings.EqualFold(words[1], "desc")
		if len(words) > 2 || len(words) == 2 && !desc && !strings.EqualFold(words[1], "asc") || !o.isField(words[0]) {
			return nil, invalidf("odoo.exceptions.UserError", "Invalid \"order\" specified (%s).", text)
		}
		keys = append(keys, key{func(r *Record) any { return o.value(r, words[0]) }, desc})
	}
	if len(keys) == 0 {
		keys = []key{{func(r *Record) any { return o.value(r, "name") }, false}, {byID, false}}
	}
	return keys, nil
}

// domain reads one expression in Polish notation, and returns what comes after it.
func (o *Odoo) domain(items []any) (rest []any, test condition, err error) {
	if len(items) == 0 {
		return nil, func(*Record) bool { return true }, nil
	}
	if operator, ok := items[0].(string); ok {
		rest, left, err := o.operand(items[1:])
		if err != nil || operator == "!" {
			return rest, func(r *Record) bool { return !left(r) }, err
		}
		rest, right, err := o.operand(rest)
		switch operator {
		case "&":
			return rest, func(r *Record) bool { return left(r) && right(r) }, err
		case "|":
			return rest, func(r *Record) bool { return left(r) || right(r) }, err
		}
		return nil, nil, invalidf("", "Invalid domain operator %s", operator)
	}
	term, ok := items[0].([]any)
	if !ok || len(term) != 3 {
		return nil, nil, invalidf("", "Invalid domain term %v", items[0])
	}
	test, err = o.term(textOf(term[0]), textOf(term[1]), term[2])
	return items[1:], test, err
}

// operand is domain for what must be there.
func (o *Odoo) operand(items []any) ([]any, condition, error) {
	if len(items) == 0 {
		return nil, nil, invalidf("", "Domain is malformed")
	}
	return o.domain(items)
}

func (o *Odoo) term(field, operator string, value any) (condition, error) {
	if !o.isField(field) {
		return nil, invalidf("", "Invalid field res.partner.%s in condition", field)
	}
	if values, ok := value.([]any); ok && operator == "in" {
		return func(r *Record) bool {
			return slices.ContainsFunc(values, func(v any) bool { return textOf(v) == textOf(o.value(r, field)) })
		}, nil
	}
	if !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, operator) {
		return nil, invalidf("", "Invalid operator %s", operator)
	}
	switch field {
	case "write_date", "create_date":
		at, err := time.Parse(espoLayout, textOf(value))
		if err != nil {
			return nil, invalidf("", "time data '%v' does not match format '%%Y-%%m-%%d %%H:%%M:%%S'", value)
		}
		value = at
	case "id":
		value = ident(textOf(value))
	}
	if value == false {
		value = nil
	}
	return func(r *Record) bool { return holds(operator, o.value(r, field), value) }, nil
}

// odooFields are the fields of a partner. Custom ones begin with x_.
var odooFields = []string{
	"id", "name", "display_name", "is_company", "parent_id", "commercial_company_name", "title", "function", "email", "phone", "mobile", "street",
	"street2", "city", "zip", "state_id", "country_id", "country_code", "website", "image_128", "active", "category_id", "ref", "comment",
	"create_date", "write_date",
}

var odooCustom = regexp.MustCompile(`^x_`)

func (o *Odoo) isField(name string) bool {
	return !o.isRenamed(name) && (slices.Contains(odooFields, name) || odooCustom.MatchString(name))
}

func (o *Odoo) value(r *Record, name string) any {
	switch name {
	case "id":
		return ident(r.ID)
	case "create_date":
		return stampOf(r.Created)
	case "write_date":
		return byUpdated(r)
	}
	return r.Fields[name]
}

// record returns a partner as Odoo shows it: nothing is false, and times have no fractions.
func (o *Odoo) record(r *Record, fields []string) (map[string]any, error) {
	all := map[string]any{}
	for _, name := range odooFields {
		all[name] = false
	}
	all["active"] = true
	maps.Copy(all, r.Fields)
	all["id"], all["create_date"] = idOf(r.ID), r.Created.UTC().Format(espoLayout)
	if !r.Updated.IsZero() {
		all["write_date"] = r.Updated.UTC().Format(espoLayout)
	}
	all = o.rename(all)
	if len(fields) == 0 {
		return all, nil
	}
	shown := map[string]any{"id": all["id"]}
	for _, name := range fields {
		value, ok := all[name]
		if !ok && !odooCustom.MatchString(name) {
			return nil, invalidf("", "Invalid field '%s' on 'res.partner'", name)
		}
		if value == nil {
			value = false
		}
		shown[name] = value
	}
	return shown, nil
}
