package vendors

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Salesforce is an organization of Salesforce with contacts and leads.
type Salesforce struct {
	*Base
	*Store        // contacts
	Leads  *Store // leads
	Domain string // My Domain: acme of acme.my.salesforce.com
	OAuth  *OAuth

	locators sync.Mutex
	open10   []salesforceLocator // the cursors that are open, oldest first
	opened   int
}

// A salesforceLocator is a cursor of a session.
type salesforceLocator struct {
	name, session string
	rest          []any
}

// NewSalesforce returns an organization. Deletions move SystemModstamp.
func NewSalesforce(now func() time.Time, domain string) *Salesforce {
	s := &Salesforce{Domain: domain}
	s.Base = newBase(now, &Limit{Name: "REQUEST_LIMIT_EXCEEDED", Requests: 100_000, Window: 24 * time.Hour})
	s.Store = newStore(s.Now, time.Second, func(n int) string { return fmt.Sprintf("003%012dAAA", n) })
	s.Leads = newStore(s.Now, time.Second, func(n int) string { return fmt.Sprintf("00Q%012dAAA", n) })
	s.OAuth = newOAuth(s.Now, "salesforce-"+domain, 2*time.Hour, RefreshToken, ClientCredentials, JWTBearer)
	s.OAuth.Audience = "https://login.salesforce.com"
	return s
}

// Host implements [Simulator].
func (s *Salesforce) Host(host string) bool {
	return host == s.host() || host == "login.salesforce.com"
}

func (s *Salesforce) host() string { return s.Domain + ".my.salesforce.com" }

// Knows implements [Simulator].
func (s *Salesforce) Knows(r *http.Request) bool { return s.OAuth.knows(bearer(r, "Bearer")) }

func (s *Salesforce) open(r *http.Request) bool { return r.URL.Path == "/services/oauth2/token" }

// ServeHTTP implements [http.Handler].
func (s *Salesforce) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(s, w, r) }

func (s *Salesforce) refuse(w http.ResponseWriter, why *refusal) {
	status, code := why.statusOf(), why.code
	switch {
	case code == "invalid_client" || strings.HasPrefix(code, "invalid_grant") || code == "unsupported_grant_type" || code == "invalid_request":
		writeOAuthError(w, &refusal{status: http.StatusBadRequest, code: code, message: why.message})
		return
	case why.reason == throttled: // no Retry-After
		status, code = http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED"
	case why.reason == unauthorized:
		code = "INVALID_SESSION_ID"
	case why.reason == forbidden:
		status, code, why.message = http.StatusForbidden, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this user: "+why.code
	case why.reason == notFound:
		code = "NOT_FOUND"
	case why.reason == broken:
		code = "UNKNOWN_EXCEPTION"
	case code == "":
		code = "MALFORMED_QUERY"
	}
	_ = writeJSON(w, status, []any{map[string]any{"message": why.message, "errorCode": code}})
}

var salesforcePath = regexp.MustCompile(`^/services/data/v([2-6][0-9])\.0/(queryAll|query|sobjects|limits)/?(.*)$`)

func (s *Salesforce) answer(w http.ResponseWriter, r *http.Request) error {
	if s.open(r) {
		return s.token(w, r)
	}
	if host, _, _ := strings.Cut(r.Host, ":"); host != s.host() {
		return noSuchPath(r)
	}
	w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/100000", s.Traffic().Requests))
	if r.Method == http.MethodGet && r.URL.Path == "/services/oauth2/userinfo" {
		return writeJSON(w, http.StatusOK, map[string]any{"organization_id": "00D" + s.Domain, "user_id": "005000000000001", "preferred_username": "sync@example.com"})
	}
	m := salesforcePath.FindStringSubmatch(r.URL.Path)
	if m == nil || r.Method != http.MethodGet {
		return noSuchPath(r)
	}
	switch {
	case m[2] == "limits" && m[3] == "":
		return writeJSON(w, http.StatusOK, map[string]any{"DailyApiRequests": map[string]any{"Max": 100_000, "Remaining": s.remaining("REQUEST_LIMIT_EXCEEDED")}})
	case m[2] == "sobjects":
		return s.deleted(w, r, m[3])
	case m[3] != "":
		return s.more(w, r, m[1], m[3])
	}
	return s.query(w, r, m[1], m[2] == "queryAll")
}

func (s *Salesforce) token(w http.ResponseWriter, r *http.Request) error {
	token, err := s.OAuth.grant(r)
	if err != nil {
		return err
	}
	if host, _, _ := strings.Cut(r.Host, ":"); r.PostForm.Get("grant_type") == ClientCredentials && host != s.host() {
		return invalidf("invalid_grant", "request not supported on this domain")
	}
	delete(token, "expires_in") // Salesforce does not say how long a session lasts
	token["instance_url"], token["id"] = "https://"+s.host(), "https://login.salesforce.com/id/00D"+s.Domain+"/005000000000001"
	token["issued_at"] = strconv.FormatInt(s.Now().UnixMilli(), 10)
	return writeJSON(w, http.StatusOK, token)
}

// A soql is a query.
type soql struct {
	object        string
	fields        []string
	test          condition
	keys          []key
	limit, offset int
	count         bool
}

func (s *Salesforce) query(w http.ResponseWriter, r *http.Request, version string, all bool) error {
	p := read(r)
	text := p.text("q", "")
	if err := p.end(s.Lenient); err != nil {
		return err
	}
	if len(r.URL.RequestURI()) > 16<<10 {
		return &refusal{reason: invalid, status: http.StatusRequestURITooLong, code: "URI_TOO_LONG", message: "The URI is too long."}
	}
	size, err := batchSize(r)
	if err != nil {
		return err
	}
	q, err := s.parse(text)
	if err != nil {
		return err
	}
	bin := s.Now().Add(-15 * 24 * time.Hour) // what is older has left the recycle bin
	found := where(s.of(q.object).Visible(), func(r *Record) bool { return (!r.Gone() || all && r.Deleted.After(bin)) && q.test(r) })
	if q.count {
		return writeJSON(w, http.StatusOK, map[string]any{"totalSize": len(found), "done": true, "records": []any{}})
	}
	order(found, s.Traffic().Requests, q.keys...)
	records := []any{}
	for _, r := range cut(found, q.offset, q.limit) {
		records = append(records, s.record(r, q, version))
	}
	return s.batch(w, r, version, records, len(records), size)
}

// batchSize reads how many records a batch should have.
func batchSize(r *http.Request) (int, error) {
	options := r.Header.Get("Sforce-Query-Options")
	if options == "" {
		return 2000, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(options, "batchSize="))
	if err != nil || n < 200 || n > 2000 {
		return 0, invalidf("INVALID_QUERY_OPTIONS", "batchSize must be from 200 to 2000")
	}
	return n, nil
}

// batch answers with the first records, and keeps the others under a locator. A session has at most ten of them.
func (s *Salesforce) batch(w http.ResponseWriter, r *http.Request, version string, records []any, total, size int) error {
	body := map[string]any{"totalSize": total, "done": len(records) <= size, "records": records[:min(size, len(records))]}
	if len(records) > size {
		s.locators.Lock()
		s.opened++
		name := fmt.Sprintf("01g%012d-%d", s.opened, size)
		if s.open10 = append(s.open10, salesforceLocator{name, bearer(r, "Bearer"), records[size:]}); len(s.open10) > 10 {
			s.open10 = s.open10[1:]
		}
		s.locators.Unlock()
		body["nextRecordsUrl"] = "/services/data/v" + version + ".0/query/" + name
	}
	return writeJSON(w, http.StatusOK, body)
}

// more answers with the next records of a locator. One of another session is unknown.
func (s *Salesforce) more(w http.ResponseWriter, r *http.Request, version, name string) error {
	s.locators.Lock()
	i := slices.IndexFunc(s.open10, func(l salesforceLocator) bool { return l.name == name && l.session == bearer(r, "Bearer") })
	if i < 0 {
		s.locators.Unlock()
		return invalidf("INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	rest := s.open10[i].rest
	s.locators.Unlock()
	size, err := batchSize(r)
	if err != nil {
		return err
	}
	return s.batch(w, r, version, rest, len(rest), size)
}

// parse reads SOQL as far as contacts need it.
func (s *Salesforce) parse(text string) (q soql, err error) {
	t, err := scan(text)
	if err != nil {
		return q, invalidf("MALFORMED_QUERY", "%v", err)
	}
	t.strict = true
	if err := t.expect("select"); err != nil {
		return q, invalidf("MALFORMED_QUERY", "%v", err)
	}
	if t.word("count", "(", ")") {
		q.count = true
	} else {
		for q.fields = append(q.fields, t.next().text); t.word(","); {
			q.fields = append(q.fields, t.next().text)
		}
	}
	if err := t.expect("from"); err != nil {
		return q, invalidf("MALFORMED_QUERY", "%v", err)
	}
	if q.object = t.next().text; s.of(q.object) == nil {
		return q, invalidf("INVALID_TYPE", "sObject type '%s' is not supported.", q.object)
	}
	for _, f := range q.fields {
		if !s.isField(q.object, f) {
			return q, s.noField(q.object, f)
		}
	}
	q.test = func(*Record) bool { return true }
	if t.word("where") {
		if q.test, err = t.condition(func() (condition, error) { return s.term(t, q.object) }); err != nil {
			return q, err
		}
	}
	if err := s.tail(t, &q); err != nil {
		return q, err
	}
	if !t.peek().end {
		return q, invalidf("MALFORMED_QUERY", "unexpected token: '%s'", t.peek().text)
	}
	return q, nil
}

// tail reads what comes after the condition.
func (s *Salesforce) tail(t *scanner, q *soql) error {
	if t.word("order", "by") {
		for more := true; more; more = t.word(",") {
			field := t.next().text
			if !s.isField(q.object, field) {
				return s.noField(q.object, field)
			}
			desc := t.word("desc")
			if !desc {
				t.word("asc")
			}
			if !t.word("nulls", "first") {
				t.word("nulls", "last")
			}
			q.keys = append(q.keys, key{func(r *Record) any { return s.value(r, field) }, desc})
		}
	}
	q.limit = 1 << 30
	for _, clause := range []struct {
		word string
		into *int
		most int
	}{{"limit", &q.limit, 1 << 30}, {"offset", &q.offset, 2000}} {
		if !t.word(clause.word) {
			continue
		}
		n, err := strconv.Atoi(t.next().text)
		if err != nil || n < 0 {
			return invalidf("MALFORMED_QUERY", "%s must be a number", clause.word)
		}
		if n > clause.most {
			return invalidf("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
		}
		*clause.into = n
	}
	return nil
}

func (s *Salesforce) noField(object, field string) error {
	return invalidf("INVALID_FIELD", "No such column '%s' on entity '%s'.", field, object)
}

var salesforceTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:?\d\d)$`)

func (s *Salesforce) term(t *scanner, object string) (condition, error) {
	field := t.next()
	if field.end || field.quoted || !s.isField(object, field.text) {
		return nil, s.noField(object, field.text)
	}
	if t.word("in") {
		values, err := t.texts()
		return func(r *Record) bool { return slices.Contains(values, textOf(s.value(r, field.text))) }, err
	}
	operator := t.next().text
	if !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, operator) {
		return nil, invalidf("MALFORMED_QUERY", "unexpected token: '%s'", operator)
	}
	value := t.next()
	operand, err := salesforceOperand(field.text, value)
	return func(r *Record) bool { return holds(operator, s.value(r, field.text), operand) }, err
}

func salesforceOperand(field string, value token) (any, error) {
	switch {
	case value.end:
		return nil, invalidf("MALFORMED_QUERY", "unexpected token: '<EOF>'")
	case !value.quoted && strings.EqualFold(value.text, "null"):
		return nil, nil //nolint:nilnil // null is a value
	case slices.Contains([]string{"SystemModstamp", "LastModifiedDate", "CreatedDate"}, field):
		if value.quoted || !salesforceTime.MatchString(value.text) {
			return nil, invalidf("INVALID_FIELD", "value of filter criterion for field '%s' must be of type dateTime and should not be enclosed in quotes", field)
		}
		return time.Parse(time.RFC3339Nano, value.text)
	case field == "IsDeleted", field == "IsConverted":
		if value.quoted || value.text != "true" && value.text != "false" {
			return nil, invalidf("INVALID_FIELD", "value of filter criterion for field '%s' must be of type boolean", field)
		}
		return value.text == "true", nil
	case !value.quoted:
		return nil, invalidf("INVALID_FIELD", "value of filter criterion for field '%s' must be of type string and should be enclosed in quotes", field)
	}
	return value.text, nil
}

// of returns the records of an object; nil if there is no such object.
func (s *Salesforce) of(object string) *Store {
	switch object {
	case "Contact":
		return s.Store
	case "Lead":
		return s.Leads
	}
	return nil
}

// The fields of every organization. Custom ones end with __c.
var (
	salesforceFields = []string{
		"Id", "IsDeleted", "Salutation", "FirstName", "LastName", "Name", "Title", "Email", "Phone", "MobilePhone", "Fax", "PhotoUrl",
		"CreatedDate", "LastModifiedDate", "SystemModstamp", "MasterRecordId", "OwnerId", "Description",
	}
	salesforceContactFields = []string{
		"Department", "AccountId", "Account.Name", "HomePhone", "OtherPhone", "AssistantPhone", "AssistantName", "MailingStreet",
		"MailingCity", "MailingState", "MailingPostalCode", "MailingCountry", "OtherStreet", "OtherCity", "OtherState", "OtherPostalCode",
		"OtherCountry",
	}
	salesforceLeadFields = []string{
		"Company", "Street", "City", "State", "PostalCode", "Country", "Website", "IsConverted", "ConvertedContactId", "Status",
	}
)

func (s *Salesforce) isField(object, name string) bool {
	own := salesforceContactFields
	if object == "Lead" {
		own = salesforceLeadFields
	}
	return !s.isRenamed(name) && (slices.Contains(salesforceFields, name) || slices.Contains(own, name) || strings.HasSuffix(name, "__c"))
}

func (s *Salesforce) value(r *Record, field string) any {
	switch field {
	case "Id":
		return r.ID
	case "IsDeleted":
		return r.Gone()
	case "MasterRecordId":
		if r.MergedInto == "" {
			return nil
		}
		return r.MergedInto
	case "CreatedDate":
		return stampOf(r.Created)
	case "LastModifiedDate":
		return byUpdated(r)
	case "SystemModstamp": // a deletion moves it
		if r.Deleted.After(r.Updated) {
			return r.Deleted
		}
		return byUpdated(r)
	case "IsConverted":
		return r.Fields[field] == true
	}
	return r.Fields[field]
}

// record returns a record as Salesforce shows it: exactly the fields that were asked for.
func (s *Salesforce) record(r *Record, q soql, version string) map[string]any {
	shown := map[string]any{"attributes": map[string]any{"type": q.object, "url": "/services/data/v" + version + ".0/sobjects/" + q.object + "/" + r.ID}}
	for _, field := range q.fields {
		value := s.value(r, field)
		if t, ok := value.(time.Time); ok {
			value = t.UTC().Format("2006-01-02T15:04:05.000+0000")
		}
		related, name, nested := strings.Cut(field, ".")
		switch {
		case !nested:
			shown[field] = value
		case value == nil:
			shown[related] = nil
		default:
			shown[related] = map[string]any{"attributes": map[string]any{"type": related}, name: value}
		}
	}
	return shown
}

// deleted answers getDeleted: the records that were deleted in a time of at most 30 days that is at most 15 days ago.
func (s *Salesforce) deleted(w http.ResponseWriter, r *http.Request, path string) error {
	object, rest, _ := strings.Cut(path, "/")
	store := s.of(object)
	if store == nil || strings.Trim(rest, "/") != "deleted" {
		return noSuchPath(r)
	}
	p := read(r)
	var times [2]time.Time
	for i, name := range []string{"start", "end"} {
		var err error
		if times[i], err = time.Parse(time.RFC3339, p.text(name, "")); err != nil {
			p.fail("MALFORMED_QUERY", "%s is not a time", name)
		}
	}
	if err := p.end(s.Lenient); err != nil {
		return err
	}
	bin := s.Now().Add(-15 * 24 * time.Hour)
	if times[0].Before(bin.Add(-time.Minute)) || !times[1].After(times[0]) || times[1].Sub(times[0]) > 30*24*time.Hour {
		return invalidf("INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
	}
	found := where(store.Visible(), func(r *Record) bool { return r.Gone() && !r.Deleted.Before(times[0]) && r.Deleted.Before(times[1]) })
	order(found, 0, key{func(r *Record) any { return r.Deleted }, false}, key{func(r *Record) any { return r.ID }, false})
	list := []any{}
	for _, r := range found {
		list = append(list, map[string]any{"id": r.ID, "deletedDate": r.Deleted.UTC().Format("2006-01-02T15:04:05.000+0000")})
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"deletedRecords": list, "earliestDateAvailable": bin.UTC().Format("2006-01-02T15:04:05.000+0000"),
		"latestDateCovered": times[1].UTC().Format("2006-01-02T15:04:05.000+0000"),
	})
}
