package vendors

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A ServiceNow is an instance of ServiceNow with one table of people.
type ServiceNow struct {
	*Base
	*Store
	Instance   string
	User, Pass string
	OAuth      *OAuth
	// Table is the name of the table.
	Table string
	// Zone is that of the user who asks: times in queries are read in it, those in answers are UTC.
	Zone *time.Location
	// Hidden says which records the user may not see. They count for pages nevertheless, so that pages are shorter than was asked for.
	Hidden func(*Record) bool
	// Cancel is how many of the next lists are cut off because they take too long: with status 200, an error, and a part of the records.
	Cancel int
}

// NewServiceNow returns an instance with the table sys_user.
func NewServiceNow(now func() time.Time, instance string) *ServiceNow {
	s := &ServiceNow{Instance: instance, User: "sync", Pass: "servicenow-" + instance, Table: "sys_user", Zone: time.UTC}
	s.Base = newBase(now, &Limit{Name: "Table API", Requests: 600, Window: time.Minute})
	s.Store = newStore(s.Now, time.Second, func(n int) string { return fmt.Sprintf("46d44a5dc0a8010e%016x", n) })
	s.OAuth = newOAuth(s.Now, "servicenow-"+instance, 30*time.Minute, RefreshToken, Password)
	return s
}

// Host implements [Simulator].
func (s *ServiceNow) Host(host string) bool { return host == s.Instance+".service-now.com" }

// Knows implements [Simulator].
func (s *ServiceNow) Knows(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == s.User && password == s.Pass || s.OAuth.knows(bearer(r, "Bearer"))
}

func (s *ServiceNow) open(r *http.Request) bool { return r.URL.Path == "/oauth_token.do" }

// ServeHTTP implements [http.Handler].
func (s *ServiceNow) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(s, w, r) }

func (s *ServiceNow) refuse(w http.ResponseWriter, why *refusal) {
	if strings.HasPrefix(why.code, "invalid_") || why.code == "unsupported_grant_type" {
		writeOAuthError(w, why)
		return
	}
	message, detail := why.message, any(nil)
	switch why.reason {
	case throttled:
		seconds := int(why.wait.Seconds() + 0.999)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		s.limits(w, seconds)
		message, detail = "Rate limit exceeded", "Rejected by rate limiting. Check response headers for more details."
	case unauthorized:
		message, detail = "User Not Authenticated", "Required to provide Auth information"
	case forbidden:
		message, detail = "User Not Authorized", "Failed API level ACL Validation"
	case notFound:
		message, detail = "Requested URI does not represent any resource", why.message
	case broken:
		message = "Internal Server Error"
	}
	_ = writeJSON(w, why.statusOf(), map[string]any{"error": map[string]any{"message": message, "detail": detail}, "status": "failure"})
}

// limits writes the headers of the rule for requests, which reset in so many seconds.
func (s *ServiceNow) limits(w http.ResponseWriter, seconds int) {
	w.Header().Set("X-RateLimit-Limit", "600")
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(s.Now().Unix()+int64(seconds), 10))
	w.Header().Set("X-RateLimit-Rule", "a1b2c3d4e5f60718293a4b5c6d7e8f90")
}

func (s *ServiceNow) answer(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost && r.URL.Path == "/oauth_token.do" {
		token, err := s.OAuth.grant(r)
		if err != nil {
			return err
		}
		token["scope"] = "useraccount"
		return writeJSON(w, http.StatusOK, token)
	}
	table, ok := strings.CutPrefix(r.URL.Path, "/api/now/table/")
	if !ok || r.Method != http.MethodGet {
		return noSuchPath(r)
	}
	if table != s.Table {
		return invalidf("", "Invalid table %s", table)
	}
	return s.list(w, r)
}

func (s *ServiceNow) list(w http.ResponseWriter, r *http.Request) error {
	s.limits(w, 60)
	p := read(r)
	limit, offset := p.number("sysparm_limit", 10_000, 1, 10_000), p.number("sysparm_offset", 0, 0, 1<<40)
	query := p.text("sysparm_query", "")
	fields := strings.FieldsFunc(p.text("sysparm_fields", ""), func(c rune) bool { return c == ',' })
	links := p.oneOf("sysparm_exclude_reference_link", "true", "false") != "true"
	if p.oneOf("sysparm_display_value", "true", "false", "all") != "false" && p.has("sysparm_display_value") {
		p.fail("", "this simulator shows no display values")
	}
	noCount := p.oneOf("sysparm_no_count", "true", "false") == "true"
	if err := p.end(s.Lenient); err != nil {
		return err
	}
	test, keys, err := s.query(query)
	if err != nil {
		return err
	}
	found := where(s.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	order(found, s.Traffic().Requests, keys...) // without keys in another order each time
	result := []any{}
	for _, row := range cut(found, offset, limit) {
		if s.Hidden == nil || !s.Hidden(row) {
			result = append(result, s.row(row, fields, links))
		}
	}
	if !noCount {
		w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	}
	if offset+limit < len(found) {
		w.Header().Set("Link", s.link(r, 0, "first")+","+s.link(r, offset+limit, "next"))
	}
	body := map[string]any{"result": result}
	if s.isCancelled() {
		body["result"] = result[:len(result)/2]
		body["error"] = map[string]any{"message": "Transaction cancelled: maximum execution time exceeded", "detail": "maximum execution time exceeded Check logs for error trace"}
		body["status"] = "failure"
	}
	return writeJSON(w, http.StatusOK, body)
}

func (s *ServiceNow) isCancelled() bool {
	s.Base.lock.Lock()
	defer s.Base.lock.Unlock()
	if s.Cancel == 0 {
		return false
	}
	s.Cancel--
	return true
}

// link returns one address of the Link header. It has the commas of the request, unescaped.
func (s *ServiceNow) link(r *http.Request, offset int, rel string) string {
	query := r.URL.Query()
	query.Set("sysparm_offset", strconv.Itoa(offset))
	return fmt.Sprintf("<https://%s.service-now.com%s?%s>;rel=%q", s.Instance, r.URL.Path, strings.ReplaceAll(query.Encode(), "%2C", ","), rel)
}

// query reads an encoded query: ^ is and, ^OR or, ^NQ begins a query whose records come as well, ^ORDERBY sorts.
func (s *ServiceNow) query(text string) (condition, []key, error) {
	var keys []key
	var queries []condition
	all := []condition{}
	end := func() {
		tests := slices.Clone(all)
		queries, all = append(queries, func(r *Record) bool {
			return !slices.ContainsFunc(tests, func(c condition) bool { return !c(r) })
		}), nil
	}
	for term := range strings.SplitSeq(text, "^") {
		if field, isOrder := strings.CutPrefix(term, "ORDERBY"); isOrder {
			field, desc := strings.CutPrefix(field, "DESC")
			if !s.isColumn(field) && !s.Lenient {
				return nil, nil, invalidf("", "Invalid order: %s", field)
			}
			keys = append(keys, key{func(r *Record) any { return s.value(r, field) }, desc})
			continue
		}
		if next, isNew := strings.CutPrefix(term, "NQ"); isNew {
			end()
			term = next
		}
		alternative, isOr := strings.CutPrefix(term, "OR")
		if isOr {
			term = alternative
		}
		if term == "" {
			continue
		}
		test, err := s.term(term)
		if err != nil {
			return nil, nil, err
		}
		if n := len(all) - 1; isOr && n >= 0 {
			before := all[n]
			all[n] = func(r *Record) bool { return before(r) || test(r) }
			continue
		}
		all = append(all, test)
	}
	end()
	return func(r *Record) bool { return slices.ContainsFunc(queries, func(c condition) bool { return c(r) }) }, keys, nil
}

// serviceNowTerm is one condition: field, operator, value.
var serviceNowTerm = regexp.MustCompile(`^([a-z0-9_.]+)(>=|<=|!=|=|>|<|ISEMPTY|ISNOTEMPTY)(.*)$`)

func (s *ServiceNow) term(text string) (condition, error) {
	m := serviceNowTerm.FindStringSubmatch(text)
	if m == nil || !s.isColumn(m[1]) {
		if s.Lenient { // as the vendor is: a condition that it does not understand is left out, and everything comes
			return func(*Record) bool { return true }, nil
		}
		return nil, invalidf("", "Invalid query: %s", text)
	}
	field, operator := m[1], m[2]
	switch operator {
	case "ISEMPTY", "ISNOTEMPTY":
		return func(r *Record) bool { return (textOf(s.value(r, field)) == "") == (operator == "ISEMPTY") }, nil
	}
	operand, err := s.operand(field, m[3])
	return func(r *Record) bool { return holds(operator, s.value(r, field), operand) }, err
}

// serviceNowScript is the only script that a query of this simulator may hold.
var serviceNowScript = regexp.MustCompile(`^javascript:gs\.dateGenerate\('([0-9-]+)','([0-9:]+)'\)$`)

// operand reads what a column is compared with. Times are in the user's zone.
func (s *ServiceNow) operand(field, text string) (any, error) {
	if field != "sys_updated_on" && field != "sys_created_on" {
		return text, nil
	}
	if m := serviceNowScript.FindStringSubmatch(text); m != nil {
		text = m[1] + " " + m[2]
	}
	at, err := time.ParseInLocation(time.DateTime, text, s.Zone)
	if err != nil {
		return nil, invalidf("", "Invalid date: %s", text)
	}
	return at, nil
}

// serviceNowColumns are the columns of a table of people. Custom ones begin with u_.
var serviceNowColumns = []string{
	"sys_id", "sys_created_on", "sys_updated_on", "sys_class_name", "name", "first_name", "middle_name", "last_name", "user_name", "title", "company", "account", "email",
	"phone", "mobile_phone", "home_phone", "street", "city", "state", "zip", "country", "photo", "active",
}

func (s *ServiceNow) isColumn(name string) bool {
	return !s.isRenamed(name) && (slices.Contains(serviceNowColumns, name) || strings.HasPrefix(name, "u_"))
}

func (s *ServiceNow) value(r *Record, column string) any {
	switch column {
	case "sys_id":
		return ident(r.ID)
	case "sys_created_on":
		return stampOf(r.Created)
	case "sys_updated_on":
		return byUpdated(r)
	}
	return r.Fields[column]
}

// row returns a record as the API shows it: every value is a text. Fields that it does not know are left out; company.name is that of
// the record which company refers to.
func (s *ServiceNow) row(r *Record, fields []string, links bool) map[string]any {
	all := map[string]any{"active": "true", "sys_class_name": s.Table}
	for _, name := range serviceNowColumns {
		switch value := s.value(r, name).(type) {
		case time.Time:
			all[name] = value.UTC().Format(time.DateTime)
		case nil:
			if all[name] == nil {
				all[name] = ""
			}
		default:
			all[name] = textOf(value)
		}
	}
	for name, value := range r.Fields {
		if _, isColumn := all[name]; !isColumn {
			all[name] = textOf(value)
		}
	}
	if links && all["company"] != "" {
		all["company"] = map[string]any{"link": fmt.Sprintf("https://%s.service-now.com/api/now/table/core_company/%v", s.Instance, all["company"]), "value": all["company"]}
	}
	all = s.rename(all)
	if len(fields) == 0 {
		for name := range all {
			if strings.Contains(name, ".") { // only those that were asked for
				delete(all, name)
			}
		}
		return all
	}
	shown := map[string]any{}
	for _, name := range fields {
		if value, ok := all[name]; ok {
			shown[name] = value
		}
	}
	return shown
}
