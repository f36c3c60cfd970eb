package vendors

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A User is somebody who works with the vendor's product, and may be an agent of the contact centre.
type User struct {
	ID, Name, Email string
	Inactive        bool
}

// SetUsers sets the tenant's users, in the order in which the vendor lists them.
func (b *Base) SetUsers(users ...User) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.users = users
}

// userList returns the tenant's users, or those who are active.
func (b *Base) userList(all bool) []User {
	b.lock.Lock()
	defer b.lock.Unlock()
	return slices.DeleteFunc(slices.Clone(b.users), func(u User) bool { return u.Inactive && !all })
}

// A userLister lists its users. known is false for a request that is about something else.
type userLister interface {
	listUsers(w http.ResponseWriter, r *http.Request) (known bool, err error)
}

// shown returns users as a vendor shows them, from a place on, and whether there are more after these.
func shown(users []User, from, most int, show func(User) map[string]any) (list []any, more bool) {
	from = min(max(from, 0), len(users))
	to := min(from+most, len(users))
	list = []any{}
	for _, u := range users[from:to] {
		list = append(list, show(u))
	}
	return list, to < len(users)
}

// names returns the two parts of a name.
func (u User) names() (first, last string) {
	first, last, _ = strings.Cut(u.Name, " ")
	return first, last
}

// place reads a cursor that is the number of what was listed already.
func (p *params) place(name string) int {
	text := p.text(name, "")
	n, err := strconv.Atoi(text)
	if text != "" && err != nil {
		p.fail("", "%s is not a cursor of this list", name)
	}
	return n
}

func (h *HubSpot) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/crm/v3/owners" {
		return false, nil
	}
	p := read(r)
	limit, from := p.number("limit", 100, 1, 500), p.place("after")
	archived := p.oneOf("archived", "true", "false") == "true"
	if err := p.end(h.Lenient); err != nil {
		return true, err
	}
	users := slices.DeleteFunc(h.userList(true), func(u User) bool { return u.Inactive != archived })
	list, more := shown(users, from, limit, func(u User) map[string]any {
		first, last := u.names()
		return map[string]any{"id": u.ID, "email": u.Email, "firstName": first, "lastName": last, "userId": 1, "archived": u.Inactive, "teams": []any{}}
	})
	body := map[string]any{"results": list}
	if more {
		body["paging"] = map[string]any{"next": map[string]any{"after": strconv.Itoa(from + limit)}}
	}
	return true, writeJSON(w, http.StatusOK, body)
}

// salesforceUsers is the only query of users that is simulated.
var salesforceUsers = regexp.MustCompile(`^SELECT Id, ?Name, ?Email FROM User WHERE IsActive = true AND UserType = 'Standard' ORDER BY Id$`)

func (s *Salesforce) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	m := salesforcePath.FindStringSubmatch(r.URL.Path)
	if m == nil || m[2] != "query" || m[3] != "" || !strings.Contains(r.URL.Query().Get("q"), " FROM User") {
		return false, nil
	}
	if !salesforceUsers.MatchString(r.URL.Query().Get("q")) {
		return true, invalidf("MALFORMED_QUERY", "unexpected token in a query of users")
	}
	size, err := batchSize(r)
	if err != nil {
		return true, err
	}
	users := s.userList(false)
	list, _ := shown(users, 0, len(users), func(u User) map[string]any {
		return map[string]any{"attributes": map[string]any{"type": "User"}, "Id": u.ID, "Name": u.Name, "Email": u.Email}
	})
	return true, s.batch(w, r, m[1], list, len(list), size)
}

func (z *Zendesk) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/v2/users" || !r.URL.Query().Has("role[]") {
		return false, nil
	}
	roles := r.URL.Query()["role[]"]
	p := read(r)
	p.used["role[]"] = true
	size, from := p.number("page[size]", 100, 1, 100), p.place("page[after]")
	for _, role := range roles {
		if !slices.Contains([]string{"agent", "admin", "end-user"}, role) {
			p.fail("", "role %s does not exist", role)
		}
	}
	if err := p.end(z.Lenient); err != nil {
		return true, err
	}
	list, more := shown(z.userList(true), from, size, func(u User) map[string]any {
		return map[string]any{"id": idOf(u.ID), "name": u.Name, "email": u.Email, "role": "agent", "active": !u.Inactive, "suspended": false}
	})
	return true, writeJSON(w, http.StatusOK, map[string]any{"users": list, "meta": map[string]any{"has_more": more, "after_cursor": strconv.Itoa(from + size)}, "links": map[string]any{}})
}

func (p *Pipedrive) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/v1/users" {
		return false, nil
	}
	if err := read(r).end(p.Lenient); err != nil {
		return true, err
	}
	list, _ := shown(p.userList(true), 0, 1<<30, func(u User) map[string]any {
		return map[string]any{"id": idOf(u.ID), "name": u.Name, "email": u.Email, "active_flag": !u.Inactive, "is_admin": 0, "role_id": 1}
	})
	return true, p.write(w, list, nil)
}

func (f *Freshdesk) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/v2/agents" {
		return false, nil
	}
	p := read(r)
	size, page := p.number("per_page", 30, 1, 100), p.number("page", 1, 1, 1<<30)
	if err := p.end(f.Lenient); err != nil {
		return true, err
	}
	list, more := shown(f.userList(false), (page-1)*size, size, func(u User) map[string]any {
		return map[string]any{"id": idOf(u.ID), "available": true, "type": "support_agent", "contact": map[string]any{"name": u.Name, "email": u.Email, "active": true}}
	})
	if more {
		w.Header().Set("Link", fmt.Sprintf(`<https://%s.freshdesk.com/api/v2/agents?per_page=%d&page=%d>; rel="next"`, f.Domain, size, page+1))
	}
	return true, writeJSON(w, http.StatusOK, list)
}

// odataUsers lists users as OData does: at most so many, and where the next ones are.
func odataUsers(w http.ResponseWriter, r *http.Request, base string, users []User, most int, show func(User) map[string]any) error {
	p := read(r)
	for _, known := range []string{"$select", "$filter", "$top"} {
		p.text(known, "")
	}
	from := p.place("$skiptoken")
	if err := p.end(false); err != nil {
		return err
	}
	list, more := shown(users, from, most, show)
	body := map[string]any{"value": list}
	if more {
		body["@odata.nextLink"] = base + r.URL.Path + "?" + url.Values{"$skiptoken": {strconv.Itoa(from + most)}}.Encode()
	}
	return writeJSON(w, http.StatusOK, body)
}

func (g *Graph) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/v1.0/users" {
		return false, nil
	}
	return true, odataUsers(w, r, "https://graph.microsoft.com", g.userList(true), 100, func(u User) map[string]any {
		return map[string]any{"id": u.ID, "displayName": u.Name, "mail": orNull(u.Email), "userPrincipalName": "x-" + u.ID, "accountEnabled": !u.Inactive}
	})
}

// orNull returns a text as a value; an empty one as null.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (d *Dynamics) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/data/v9.2/systemusers" {
		return false, nil
	}
	if filter := r.URL.Query().Get("$filter"); filter != "" && filter != "isdisabled eq false" {
		return true, invalidf("", "Syntax error in the filter %q", filter)
	}
	return true, odataUsers(w, r, "https://"+d.Hostname, d.userList(false), 200, func(u User) map[string]any {
		return map[string]any{"systemuserid": u.ID, "fullname": u.Name, "internalemailaddress": orNull(u.Email), "isdisabled": u.Inactive}
	})
}

func (z *Zoho) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/crm/v8/users" {
		return false, nil
	}
	p := read(r)
	size, page := p.number("per_page", 200, 1, 200), p.number("page", 1, 1, 1<<30)
	kind := p.oneOf("type", "AllUsers", "ActiveUsers", "DeactiveUsers")
	if err := p.end(z.Lenient); err != nil {
		return true, err
	}
	list, more := shown(z.userList(kind != "ActiveUsers"), (page-1)*size, size, func(u User) map[string]any {
		return map[string]any{"id": u.ID, "full_name": u.Name, "email": u.Email, "status": "active"}
	})
	return true, writeJSON(w, http.StatusOK, map[string]any{"users": list, "info": map[string]any{"per_page": size, "page": page, "count": len(list), "more_records": more}})
}

func (o *Odoo) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/json/2/res.users/search_read" {
		return false, nil
	}
	var q odooQuery
	if err := o.body(r, &q); err != nil {
		return true, err
	}
	if q.Order != "id asc" || q.Limit < 1 || fmt.Sprint(q.Domain) != "[[share = false]]" {
		return true, invalidf("", "another domain or order is not simulated")
	}
	list, _ := shown(o.userList(false), q.Offset, q.Limit, func(u User) map[string]any {
		user := map[string]any{"id": idOf(u.ID), "name": u.Name, "email": false}
		if u.Email != "" {
			user["email"] = u.Email
		}
		return user
	})
	return true, writeJSON(w, http.StatusOK, list)
}

func (e *EspoCRM) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/v1/User" {
		return false, nil
	}
	p := read(r)
	size, from := p.number("maxSize", e.MaxSize, 1, e.MaxSize), p.number("offset", 0, 0, 1<<30)
	active := p.text("where[0][type]", "") == "isTrue" && p.text("where[0][attribute]", "") == "isActive"
	p.oneOf("orderBy", "id", "name")
	p.oneOf("order", "asc", "desc")
	p.text("select", "")
	if err := p.end(e.Lenient); err != nil {
		return true, err
	}
	users := e.userList(!active)
	list, _ := shown(users, from, size, func(u User) map[string]any {
		return map[string]any{"id": u.ID, "name": u.Name, "emailAddress": orNull(u.Email), "type": "regular", "isActive": !u.Inactive}
	})
	return true, writeJSON(w, http.StatusOK, map[string]any{"total": len(users), "list": list})
}

func (d *Dolibarr) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/index.php/users" {
		return false, nil
	}
	p := read(r)
	size, page := p.number("limit", 100, 1, 1000), p.number("page", 0, 0, 1<<30)
	p.oneOf("sortfield", "t.rowid", "t.lastname")
	p.oneOf("sortorder", "ASC", "DESC")
	if err := p.end(d.Lenient); err != nil {
		return true, err
	}
	list, _ := shown(d.userList(true), page*size, size, func(u User) map[string]any {
		first, last := u.names()
		return map[string]any{"id": u.ID, "firstname": first, "lastname": last, "email": orNull(u.Email), "statut": strconv.Itoa(number(!u.Inactive)), "login": "u" + u.ID}
	})
	if len(list) == 0 {
		return true, &refusal{reason: notFound, message: "Users not found"}
	}
	return true, writeJSON(w, http.StatusOK, list)
}

func (c *Copper) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/developer_api/v1/users/search" {
		return false, nil
	}
	var sent copperSearch
	if err := c.body(r, &sent); err != nil {
		return true, err
	}
	page, size, err := sent.page()
	if err != nil {
		return true, err
	}
	list, _ := shown(c.userList(false), (page-1)*size, size, func(u User) map[string]any {
		return map[string]any{"id": idOf(u.ID), "name": u.Name, "email": u.Email}
	})
	return true, writeJSON(w, http.StatusOK, list)
}

func (k *Kustomer) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/v1/users" {
		return false, nil
	}
	p := read(r)
	size, page := p.number("pageSize", 100, 1, 100), p.number("page", 1, 1, 1<<30)
	if err := p.end(k.Lenient); err != nil {
		return true, err
	}
	list, more := shown(k.userList(true), (page-1)*size, size, func(u User) map[string]any {
		deleted := any(nil)
		if u.Inactive {
			deleted = "2025-01-02T03:04:05.006Z"
		}
		return map[string]any{"type": "user", "id": u.ID, "attributes": map[string]any{"name": u.Name, "displayName": u.Name, "email": u.Email, "userType": "user", "deletedAt": deleted}}
	})
	links := map[string]any{"next": nil}
	if more {
		links["next"] = fmt.Sprintf("/v1/users?page=%d&pageSize=%d", page+1, size)
	}
	return true, writeJSON(w, http.StatusOK, map[string]any{"data": list, "meta": map[string]any{"page": page, "pageSize": size}, "links": links})
}

func (s *SuiteCRM) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/legacy/Api/V8/module/Users" {
		return false, nil
	}
	sent, err := nested(read(r))
	if err != nil {
		return true, err
	}
	number, size, err := suitePage(sent["page"])
	if err != nil {
		return true, err
	}
	status, _ := json.Marshal(sent["filter"])
	if text := string(status); text != `{"status":{"eq":"Active"}}` || textOf(sent["sort"]) != "id" {
		return true, invalidf("", "the filter %s or the order is not simulated", text)
	}
	list, _ := shown(s.userList(false), (number-1)*size, size, func(u User) map[string]any {
		first, last := u.names()
		return map[string]any{"type": "User", "id": u.ID, "attributes": map[string]any{"first_name": first, "last_name": last, "email1": u.Email, "status": "Active"}}
	})
	return true, writeJSON(w, http.StatusOK, map[string]any{"data": list, "meta": map[string]any{}})
}

func (s *SugarCRM) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodPost || r.URL.Path != sugarAPI+"/Users/filter" {
		return false, nil
	}
	var sent sugarFilter
	if err := s.body(r, &sent); err != nil {
		return true, err
	}
	if fmt.Sprint(sent.Filter) != "[map[status:Active]]" || sent.OrderBy != "id:asc" || sent.MaxNum == nil || *sent.MaxNum > 1000 {
		return true, invalidf("", "another filter or order is not simulated")
	}
	list, more := shown(s.userList(false), sent.Offset, *sent.MaxNum, func(u User) map[string]any {
		email := []any{}
		if u.Email != "" {
			email = append(email, map[string]any{"email_address": u.Email, "primary_address": true})
		}
		return map[string]any{"id": u.ID, "full_name": u.Name, "email": email, "_module": "Users"}
	})
	next := -1
	if more {
		next = sent.Offset + *sent.MaxNum
	}
	return true, writeJSON(w, http.StatusOK, map[string]any{"next_offset": next, "records": list})
}

func (i *Intercom) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/admins" {
		return false, nil
	}
	if err := read(r).end(i.Lenient); err != nil {
		return true, err
	}
	list, _ := shown(i.userList(false), 0, 1<<30, func(u User) map[string]any {
		return map[string]any{"type": "admin", "id": u.ID, "name": u.Name, "email": orNull(u.Email), "job_title": nil, "away_mode_enabled": false, "has_inbox_seat": true, "team_ids": []any{}}
	})
	return true, writeJSON(w, http.StatusOK, map[string]any{"type": "admin.list", "admins": list})
}

// serviceNowUsers is the only query of users that is simulated; whatever else asks for sys_user wants contacts.
const serviceNowUsers = "active=true^ORDERBYsys_id"

func (s *ServiceNow) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/now/table/sys_user" || r.URL.Query().Get("sysparm_query") != serviceNowUsers {
		return false, nil
	}
	p := read(r)
	p.text("sysparm_query", "")
	limit, offset := p.number("sysparm_limit", 10_000, 1, 10_000), p.number("sysparm_offset", 0, 0, 1<<40)
	fields := strings.Split(p.text("sysparm_fields", ""), ",")
	p.oneOf("sysparm_display_value", "false")
	if err := p.end(s.Lenient); err != nil {
		return true, err
	}
	list, more := shown(s.userList(false), offset, limit, func(u User) map[string]any {
		user := map[string]any{"sys_id": u.ID, "name": u.Name, "email": u.Email, "active": strconv.FormatBool(!u.Inactive)}
		maps.DeleteFunc(user, func(name string, _ any) bool { return !slices.Contains(fields, name) })
		return user
	})
	if more {
		w.Header().Set("Link", s.link(r, 0, "first")+","+s.link(r, offset+limit, "next"))
	}
	return true, writeJSON(w, http.StatusOK, map[string]any{"result": list})
}

func (f *Freshsales) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/crm/sales/api/selector/owners" {
		return false, nil
	}
	if err := read(r).end(f.Lenient); err != nil {
		return true, err
	}
	list, _ := shown(f.userList(true), 0, 1<<30, func(u User) map[string]any {
		return map[string]any{"id": idOf(u.ID), "display_name": u.Name, "email": orNull(u.Email), "is_active": !u.Inactive, "work_number": nil, "mobile_number": nil}
	})
	return true, writeJSON(w, http.StatusOK, map[string]any{"users": list})
}

func (c *Close) listUsers(w http.ResponseWriter, r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || r.URL.Path != "/api/v1/user/" {
		return false, nil
	}
	p := read(r)
	limit, skip := p.number("_limit", 100, 1, 100), p.number("_skip", 0, 0, 1<<40)
	if err := p.end(c.Lenient); err != nil {
		return true, err
	}
	list, more := shown(c.userList(false), skip, limit, func(u User) map[string]any {
		first, last := u.names()
		return map[string]any{"id": u.ID, "first_name": first, "last_name": last, "email": orNull(u.Email), "organizations": []any{"orga_" + c.Organization}}
	})
	return true, writeJSON(w, http.StatusOK, map[string]any{"has_more": more, "data": list})
}
