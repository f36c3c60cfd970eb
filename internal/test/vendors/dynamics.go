package vendors

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Dynamics is an environment of Dynamics 365 (Dataverse) with its contacts.
type Dynamics struct {
	*Base
	*Store
	Hostname string
	Tenant   string
	OAuth    *OAuth
	// NoTracking says that changes of the table are not tracked.
	NoTracking bool
}

// dynamicsTokenLife is how long a delta token lives (ExpireChangeTrackingInDays).
const dynamicsTokenLife = 7 * 24 * time.Hour

// NewDynamics returns the environment ORG.crm4.dynamics.com.
func NewDynamics(now func() time.Time, org string) *Dynamics {
	d := &Dynamics{Hostname: org + ".crm4.dynamics.com", Tenant: "tenant-of-" + org}
	d.Base = newBase(now, &Limit{Name: "requests", Requests: 6000, Window: 5 * time.Minute})
	d.Store = newStore(d.Now, time.Second, func(n int) string { return fmt.Sprintf("cdcf%04d-cb0c-ea11-a813-000d3a1b1223", n) })
	d.OAuth = newOAuth(d.Now, "dynamics-"+org, time.Hour, ClientCredentials, RefreshToken)
	return d
}

// Host implements [Simulator].
func (d *Dynamics) Host(host string) bool {
	return host == d.Hostname || host == "login.microsoftonline.com"
}

// Knows implements [Simulator].
func (d *Dynamics) Knows(r *http.Request) bool {
	return d.open(r) || d.OAuth.knows(bearer(r, "Bearer"))
}

func (d *Dynamics) open(r *http.Request) bool { return isMicrosoftLogin(r, d.Tenant) }

// ServeHTTP implements [http.Handler].
func (d *Dynamics) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.serve(d, w, r) }

func (d *Dynamics) refuse(w http.ResponseWriter, why *refusal) {
	code := why.code
	switch {
	case strings.HasPrefix(code, "invalid_") || code == "unsupported_grant_type":
		writeOAuthError(w, why)
		return
	case why.reason == throttled:
		w.Header().Set("Retry-After", strconv.Itoa(int(why.wait.Seconds()+0.999)))
		code, why.message = "0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
	case why.reason == unauthorized: // an empty body
		w.Header().Set("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/"+d.Tenant+"/oauth2/authorize, resource_id=https://"+d.Hostname)
		w.WriteHeader(http.StatusUnauthorized)
		return
	case why.reason == forbidden:
		code, why.message = "0x80040220", "Principal user is missing prvReadContact privilege."
	case why.reason == notFound:
		code = "0x8006088a"
	case code == "":
		code = "0x80060888"
	}
	_ = writeJSON(w, why.statusOf(), map[string]any{"error": map[string]any{"code": code, "message": why.message}})
}

func (d *Dynamics) answer(w http.ResponseWriter, r *http.Request) error {
	switch {
	case d.open(r):
		if r.ParseForm(); r.PostForm.Get("scope") != "https://"+d.Hostname+"/.default" { //nolint:errcheck // grant says so
			return invalidf("invalid_scope", "The provided value for the input parameter 'scope' is not valid")
		}
		token, err := d.OAuth.grant(r)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, token)
	case r.Method != http.MethodGet:
		return noSuchPath(r)
	case r.URL.Path == "/api/data/v9.2/WhoAmI":
		return writeJSON(w, http.StatusOK, map[string]any{"UserId": "1", "OrganizationId": "org-of-" + d.Hostname})
	case r.URL.Path != "/api/data/v9.2/contacts":
		return noSuchPath(r)
	}
	prefer := preferences(r)
	size, err := pageSize(r, 5000, 5000)
	if err != nil {
		return err
	}
	for name := range prefer {
		if !slices.Contains([]string{"odata.maxpagesize", "odata.include-annotations", "odata.track-changes"}, name) && !d.Lenient {
			return invalidf("", "unknown preference %s", name)
		}
	}
	_, track := prefer["odata.track-changes"]
	query := r.URL.Query()
	if track || query.Has("$deltatoken") || strings.HasPrefix(query.Get("$skiptoken"), "d") {
		return d.changes(w, r, size, track)
	}
	return d.list(w, r, size)
}

// dynamicsFields are the columns of a contact. Custom ones begin with new_.
var dynamicsFields = []string{
	"contactid", "salutation", "firstname", "middlename", "lastname", "suffix", "fullname", "jobtitle", "department", "_parentcustomerid_value",
	"emailaddress1", "emailaddress2", "emailaddress3", "telephone1", "telephone2", "telephone3", "mobilephone", "fax", "address1_line1",
	"address1_line2", "address1_line3", "address1_city", "address1_stateorprovince", "address1_postalcode", "address1_country",
	"address1_composite", "websiteurl", "entityimage_url", "statecode", "createdon", "modifiedon", "versionnumber",
}

var dynamicsCustom = regexp.MustCompile(`^(new_|_new_)`)

func (d *Dynamics) schema() odataSchema {
	return odataSchema{
		isField: func(name string) bool {
			return !d.isRenamed(name) && (slices.Contains(dynamicsFields, name) || dynamicsCustom.MatchString(name))
		},
		times: []string{"createdon", "modifiedon"},
		value: func(r *Record, name string) any {
			switch name {
			case "contactid":
				return guid(r.ID)
			case "createdon":
				return stampOf(r.Created)
			case "modifiedon":
				return byUpdated(r)
			}
			return r.Fields[name]
		},
	}
}

// guid returns an id in such a form that its order is SQL Server's: by the last group first.
func guid(id string) any {
	groups := strings.Split(id, "-")
	slices.Reverse(groups)
	return strings.Join(groups, "-")
}

// changes answers with odata.track-changes: what was changed, then what was deleted. Links are followed as they are.
func (d *Dynamics) changes(w http.ResponseWriter, r *http.Request, size int, track bool) error {
	p := read(r)
	selects, delta, skip := p.text("$select", ""), p.text("$deltatoken", ""), strings.TrimPrefix(p.text("$skiptoken", ""), "d")
	if err := p.end(false); err != nil { // $filter, $orderby, $expand and $top are refused
		return err
	}
	if d.NoTracking {
		return invalidf("0x80044350", "Entity: contact does not have change tracking enabled.")
	}
	if !track && delta == "" && skip == "" {
		return invalidf("", "odata.track-changes is missing")
	}
	fields, err := d.schema().selected(selects)
	if err != nil {
		return err
	}
	state := syncState{Kind: "contacts", Upto: d.lastChange(), Select: selects, Made: d.Now()}
	if token := delta + skip; token != "" {
		var ok bool
		if state, ok = readState(token, "contacts"); !ok || state.Select != selects {
			return invalidf("0x80060888", "Malformed XML in the token, or another $select.")
		}
		if d.Now().Sub(state.Made) > dynamicsTokenLife {
			return invalidf("0x80044352", "Version stamp associated with the client has expired. Please perform a full sync.")
		}
		if delta != "" {
			state.Upto, state.Page = d.lastChange(), 0
		}
	}
	left := d.round(state)
	page := cut(left, 0, size)
	value := []any{}
	for _, c := range page {
		if state.Page, state.After = max(state.Page, number(c.Gone())), strconv.FormatInt(c.Change, 10); c.Gone() {
			value = append(value, map[string]any{"@odata.context": "https://" + d.Hostname + "/api/data/v9.2/$metadata#contacts/$deletedEntity", "id": c.ID, "reason": "deleted"})
		} else {
			value = append(value, d.record(c, fields, r))
		}
	}
	base := "https://" + d.Hostname + "/api/data/v9.2/contacts?$select=" + escape(selects)
	body := map[string]any{"@odata.context": "https://" + d.Hostname + "/api/data/v9.2/$metadata#contacts/$delta", "value": value}
	if len(page) < len(left) {
		body["@odata.nextLink"] = base + "&$skiptoken=d" + state.token()
	} else {
		next := syncState{Kind: "contacts", Since: max(state.Upto, 1), Select: selects, Made: d.Now()}
		body["@odata.deltaLink"] = base + "&$deltatoken=" + next.token()
	}
	return writeJSON(w, http.StatusOK, body)
}

// round returns what a round of changes still has to give: what was changed in the order of the changes, then what was deleted. What
// changes meanwhile moves to the end. Page is 1 once deletions have begun.
func (d *Dynamics) round(state syncState) []*Record {
	after, _ := strconv.ParseInt(state.After, 10, 64) // the simulator's own; 0 in the beginning
	found := where(d.Visible(), func(r *Record) bool {
		switch {
		case r.Change <= state.Since, state.Since == 0 && r.Gone():
			return false
		case state.Page == 1:
			return r.Change > after && (r.Gone() || r.Change > state.Upto) // what is back is after all that was deleted
		}
		return r.Gone() || r.Change > after
	})
	order(found, 0, key{func(r *Record) any { return state.Page == 0 && r.Gone() }, false}, key{func(r *Record) any { return r.Change }, false})
	return found
}

// list answers a query.
func (d *Dynamics) list(w http.ResponseWriter, r *http.Request, size int) error {
	p := read(r)
	selects, filter, orderBy := p.text("$select", ""), p.text("$filter", ""), p.text("$orderby", "")
	p.text("$count", "")
	top := p.number("$top", 0, 1, 5000)
	if _, paged := preferences(r)["odata.maxpagesize"]; top > 0 && paged {
		p.fail("", "$top and odata.maxpagesize are both given")
	}
	from := 0
	if token := p.text("$skiptoken", ""); token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		if from, _ = strconv.Atoi(string(text)); err != nil || from == 0 {
			p.fail("", "Malformed XML in the paging cookie")
		}
	}
	if err := p.end(d.Lenient); err != nil {
		return err
	}
	schema := d.schema()
	test, err := schema.filter(filter)
	if err != nil {
		return err
	}
	keys, err := schema.keys(orderBy)
	if err != nil {
		return err
	}
	fields, err := schema.selected(selects)
	if err != nil {
		return err
	}
	found := where(d.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	order(found, d.Traffic().Requests, keys...)
	if top > 0 {
		found, size = cut(found, 0, top), top
	}
	value := []any{}
	for _, c := range cut(found, from, size) {
		value = append(value, d.record(c, fields, r))
	}
	body := map[string]any{"@odata.context": "https://" + d.Hostname + "/api/data/v9.2/$metadata#contacts", "value": value}
	if from+size < len(found) {
		query := r.URL.Query()
		query.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(from+size))))
		body["@odata.nextLink"] = "https://" + d.Hostname + r.URL.Path + "?" + query.Encode()
	}
	return writeJSON(w, http.StatusOK, body)
}

// record returns a contact as Dataverse shows it. Annotations come if they are asked for.
func (d *Dynamics) record(c *Record, fields []string, r *http.Request) map[string]any {
	all := map[string]any{}
	maps.Copy(all, c.Fields)
	all["createdon"], all["modifiedon"], all["versionnumber"] = c.Created.UTC().Format(time.RFC3339), nil, c.Change
	if !c.Updated.IsZero() {
		all["modifiedon"] = c.Updated.UTC().Format(time.RFC3339)
	}
	if _, ok := all["statecode"]; !ok {
		all["statecode"] = 0
	}
	names := fields
	if len(names) == 0 {
		names = dynamicsFields
	}
	shown := map[string]any{"@odata.etag": fmt.Sprintf(`W/"%d"`, c.Change)}
	annotated := preferences(r)["odata.include-annotations"] != ""
	for _, name := range names {
		shown[name] = all[name]
		if value, ok := all[name+"@OData.Community.Display.V1.FormattedValue"]; ok && annotated {
			shown[name+"@OData.Community.Display.V1.FormattedValue"] = value
		}
	}
	shown["contactid"] = c.ID
	return d.rename(shown)
}
