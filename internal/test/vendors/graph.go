package vendors

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Graph is what Microsoft Graph shows of one tenant: the contacts of one user by folder, and the organization's contacts.
type Graph struct {
	*Base
	*Store                    // the default folder
	Folders map[string]*Store // more folders, by id
	Org     *Store            // organizational contacts
	Tenant  string
	OAuth   *OAuth
	// OrgLife is how long tokens of the organization's contacts live; those of folders live until Forget.
	OrgLife time.Duration
	forgot  int64                // tokens with fewer changes are forgotten
	told    map[string][]*Record // the versions of contacts that changes told, by id
}

// NewGraph returns a tenant.
func NewGraph(now func() time.Time, tenant string) *Graph {
	g := &Graph{Tenant: tenant, Folders: map[string]*Store{}, told: map[string][]*Record{}, OrgLife: 7 * 24 * time.Hour}
	g.Base = newBase(now, &Limit{Name: "mailbox", Requests: 10_000, Window: 10 * time.Minute})
	g.Store = newStore(g.Now, time.Second, func(n int) string { return fmt.Sprintf("AAMkAG%06dAAA=", n) })
	g.Org = newStore(g.Now, time.Second, func(n int) string { return fmt.Sprintf("0000%04d-0000-4000-8000-000000000000", n) })
	g.OAuth = newOAuth(g.Now, "graph-"+tenant, time.Hour, ClientCredentials, RefreshToken)
	return g
}

// Folder adds a folder, or returns one that is there.
func (g *Graph) Folder(id string) *Store {
	if g.Folders[id] == nil {
		g.Folders[id] = newStore(g.Now, time.Second, func(n int) string { return fmt.Sprintf("AAMkAG%s%06dAAA=", id, n) })
	}
	return g.Folders[id]
}

// Forget makes every token that was given out for changes useless.
func (g *Graph) Forget() {
	g.Base.lock.Lock()
	defer g.Base.lock.Unlock()
	g.forgot = g.Now().UnixNano()
}

func isMicrosoftLogin(r *http.Request, tenant string) bool {
	return r.URL.Path == "/"+tenant+"/oauth2/v2.0/token"
}

// Host implements [Simulator].
func (g *Graph) Host(host string) bool {
	return host == "graph.microsoft.com" || host == "login.microsoftonline.com"
}

// Knows implements [Simulator].
func (g *Graph) Knows(r *http.Request) bool {
	return g.open(r) || g.OAuth.knows(bearer(r, "Bearer"))
}

func (g *Graph) open(r *http.Request) bool { return isMicrosoftLogin(r, g.Tenant) }

// ServeHTTP implements [http.Handler].
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.serve(g, w, r) }

func (g *Graph) refuse(w http.ResponseWriter, why *refusal) {
	code := why.code
	if strings.HasPrefix(code, "invalid_") || code == "unsupported_grant_type" {
		writeOAuthError(w, why)
		return
	}
	switch why.reason {
	case throttled:
		w.Header().Set("Retry-After", strconv.Itoa(int(why.wait.Seconds()+0.999)))
		code = "TooManyRequests"
	case unauthorized:
		code = "InvalidAuthenticationToken"
	case forbidden:
		code = "ErrorAccessDenied"
	case notFound:
		code = "ErrorItemNotFound"
	case broken:
		code = "InternalServerError"
	default:
		if code == "" {
			code = "BadRequest"
		}
	}
	_ = writeJSON(w, why.statusOf(), map[string]any{"error": map[string]any{"code": code, "message": why.message, "innerError": map[string]any{"request-id": "00000000-0000-4000-8000-000000000001"}}})
}

var graphPath = regexp.MustCompile(`^/v1\.0/(?:me|users/[^/]+)(?:/contactFolders/([^/]+))?/contacts(?:/([^/]+))?$`)

func (g *Graph) answer(w http.ResponseWriter, r *http.Request) error {
	if g.open(r) {
		if r.ParseForm(); !strings.HasPrefix(r.PostForm.Get("scope"), "https://graph.microsoft.com/") { //nolint:errcheck // grant says so
			return invalidf("invalid_scope", "The provided value for the input parameter 'scope' is not valid")
		}
		token, err := g.OAuth.grant(r)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, token)
	}
	if r.Method != http.MethodGet {
		return noSuchPath(r)
	}
	m := graphPath.FindStringSubmatch(r.URL.Path)
	switch {
	case r.URL.Path == "/v1.0/contacts/delta":
		return g.delta(w, r, g.Org, "org")
	case r.URL.Path == "/v1.0/me" || strings.HasPrefix(r.URL.Path, "/v1.0/users/") && m == nil && strings.Count(r.URL.Path, "/") == 3:
		return writeJSON(w, http.StatusOK, map[string]any{"id": "user-of-" + g.Tenant, "userPrincipalName": "sync@" + g.Tenant + ".example.com"})
	case r.URL.Path == "/v1.0/organization":
		return writeJSON(w, http.StatusOK, map[string]any{"value": []any{map[string]any{"id": g.Tenant}}})
	case m == nil:
		return noSuchPath(r)
	}
	store := g.Store
	if m[1] != "" && m[1] != "contacts" {
		if store = g.Folders[m[1]]; store == nil {
			return noSuchPath(r)
		}
	}
	switch m[2] {
	case "":
		return g.list(w, r, store)
	case "delta":
		return g.delta(w, r, store, "folder/"+m[1])
	}
	return g.one(w, r, store, m[2])
}

// one answers with a contact.
func (g *Graph) one(w http.ResponseWriter, r *http.Request, store *Store, id string) error {
	p := read(r)
	selects := p.text("$select", "")
	if err := p.end(g.Lenient); err != nil {
		return err
	}
	fields, err := g.schema(store).selected(selects)
	if err != nil {
		return err
	}
	c := store.Get(id)
	if c == nil || c.Gone() {
		return &refusal{reason: notFound, message: "The specified object was not found in the store."}
	}
	body := g.item(c, fields, store)
	body["@odata.context"] = "https://graph.microsoft.com/v1.0/$metadata#users('user-of-" + g.Tenant + "')/contacts/$entity"
	return writeJSON(w, http.StatusOK, body)
}

// The properties of contacts.
var (
	graphFields = []string{
		"id", "givenName", "middleName", "surname", "displayName", "title", "jobTitle", "companyName", "department", "emailAddresses",
		"businessPhones", "homePhones", "mobilePhone", "businessAddress", "homeAddress", "otherAddress", "businessHomePage", "imAddresses",
		"categories", "personalNotes", "parentFolderId", "changeKey", "createdDateTime", "lastModifiedDateTime", "birthday", "nickName",
	}
	graphOrgFields = []string{
		"id", "displayName", "givenName", "surname", "mail", "mailNickname", "proxyAddresses", "phones", "addresses", "companyName",
		"jobTitle", "department", "onPremisesLastSyncDateTime",
	}
)

func (g *Graph) schema(store *Store) odataSchema {
	names := graphFields
	if store == g.Org {
		names = graphOrgFields
	}
	return odataSchema{
		isField: func(name string) bool { return !g.isRenamed(name) && slices.Contains(names, name) },
		times:   []string{"createdDateTime", "lastModifiedDateTime"},
		value: func(r *Record, name string) any {
			switch name {
			case "id":
				return r.ID
			case "createdDateTime":
				return stampOf(r.Created)
			case "lastModifiedDateTime":
				return byUpdated(r)
			}
			return r.Fields[name]
		},
	}
}

// delta answers with what was changed: pages by $skiptoken, and at the end of a round the link with the $deltatoken of the next.
// Every third page is empty, and records of the page before may come again.
func (g *Graph) delta(w http.ResponseWriter, r *http.Request, store *Store, kind string) error {
	p := read(r)
	selects, skip, token := p.text("$select", ""), p.text("$skiptoken", ""), p.text("$deltatoken", "")
	if err := p.end(false); err != nil { // only these are allowed
		return err
	}
	size, err := pageSize(r, 100, 1000)
	if err != nil {
		return err
	}
	state := syncState{Kind: kind, Upto: store.lastChange(), Select: selects, Made: g.Now()}
	if skip != "" || token != "" {
		if selects != "" || skip != "" && token != "" {
			return invalidf("", "The token has the parameters of the first request.")
		}
		var ok bool
		if state, ok = readState(skip+token, kind); !ok {
			return invalidf("", "Badly formed token.")
		}
		if g.isForgotten(state, kind) {
			w.Header().Set("Location", "https://graph.microsoft.com"+r.URL.Path)
			return &refusal{reason: invalid, status: http.StatusGone, code: "syncStateNotFound", message: "The sync state generation is not found; a full sync is required."}
		}
		if token != "" { // a new round begins
			state.Upto, state.After, state.Page = store.lastChange(), "", 0
		}
	}
	fields, err := g.schema(store).selected(state.Select)
	if err != nil {
		return err
	}
	left := state.round(store)
	page := cut(left, 0, size)
	if state.Page++; state.Page%3 == 0 {
		page = nil
	}
	value := []any{}
	if state.Page%3 == 2 && state.After != "" {
		if again := store.Get(state.After); again != nil {
			value = append(value, g.changed(again, fields, store, state))
		}
	}
	for _, c := range page {
		value = append(value, g.changed(c, fields, store, state))
	}
	body := map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(contact)", "value": value}
	base := "https://graph.microsoft.com" + r.URL.Path
	if len(page) < len(left) {
		if len(page) > 0 {
			state.After = page[len(page)-1].ID
		}
		body["@odata.nextLink"] = base + "?$skiptoken=" + state.token()
	} else {
		next := syncState{Kind: kind, Since: max(state.Upto, 1), Select: state.Select, Made: g.Now()}
		body["@odata.deltaLink"] = base + "?$deltatoken=" + next.token()
	}
	return writeJSON(w, http.StatusOK, body)
}

func (g *Graph) isForgotten(state syncState, kind string) bool {
	g.Base.lock.Lock()
	defer g.Base.lock.Unlock()
	return state.Made.UnixNano() <= g.forgot || kind == "org" && g.Now().Sub(state.Made) > g.OrgLife
}

// changed returns what a round tells of a contact: of one of the organization all that is selected; of one in a folder no more than what is
// not as it was when an earlier round told of it.
func (g *Graph) changed(c *Record, fields []string, store *Store, round syncState) map[string]any {
	item := g.item(c, fields, store)
	if store == g.Org {
		return item
	}
	g.Base.lock.Lock()
	earlier := where(g.told[c.ID], func(r *Record) bool { return r.Change <= round.Since })
	g.told[c.ID] = append(g.told[c.ID], c)
	g.Base.lock.Unlock()
	if len(earlier) == 0 || c.Gone() || earlier[len(earlier)-1].Gone() {
		return item
	}
	before := g.item(earlier[len(earlier)-1], fields, store)
	for name := range item {
		if name != "id" && reflect.DeepEqual(item[name], before[name]) {
			delete(item, name)
		}
	}
	return item
}

// item returns a contact, or that it is removed.
func (g *Graph) item(r *Record, fields []string, store *Store) map[string]any {
	if r.Gone() {
		return map[string]any{"id": r.ID, "@removed": map[string]any{"reason": "deleted"}}
	}
	all := map[string]any{}
	maps.Copy(all, r.Fields)
	if store != g.Org {
		all["createdDateTime"], all["lastModifiedDateTime"] = r.Created.UTC().Format(time.RFC3339), r.Updated.UTC().Format(time.RFC3339)
	}
	item := map[string]any{"@odata.etag": fmt.Sprintf(`W/"%d"`, r.Change)}
	names := fields
	if len(names) == 0 {
		if names = graphFields; store == g.Org {
			names = graphOrgFields
		}
	}
	for _, name := range names {
		item[name] = all[name]
	}
	item["id"] = r.ID
	return g.rename(item)
}

// list answers a list of a folder.
func (g *Graph) list(w http.ResponseWriter, r *http.Request, store *Store) error {
	p := read(r)
	top, skip := p.number("$top", 10, 1, 999), p.number("$skip", 0, 0, 1<<30)
	selects, filter, orderBy := p.text("$select", ""), p.text("$filter", ""), p.text("$orderby", "")
	p.text("$count", "")
	if token := p.text("$skiptoken", ""); token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		n, failed := strconv.Atoi(string(text))
		if err != nil || failed != nil {
			p.fail("", "Badly formed token.")
		}
		skip = n
	}
	if err := p.end(g.Lenient); err != nil {
		return err
	}
	schema := g.schema(store)
	test, err := schema.filter(filter)
	if err != nil {
		return err
	}
	keys, err := schema.keys(orderBy)
	if err != nil {
		return err
	}
	if filter != "" && orderBy != "" && !strings.HasPrefix(strings.TrimLeft(filter, "("), strings.Fields(orderBy)[0]) {
		return invalidf("InefficientFilter", "The restriction or sort order is too complex for this operation.")
	}
	fields, err := schema.selected(selects)
	if err != nil {
		return err
	}
	found := where(store.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	order(found, 0, keys...)
	value := []any{}
	for _, c := range cut(found, skip, top) {
		value = append(value, g.item(c, fields, store))
	}
	body := map[string]any{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users('user-of-" + g.Tenant + "')/contacts(" + selects + ")", "value": value}
	if skip+top < len(found) {
		query := r.URL.Query()
		query.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(skip+top))))
		body["@odata.nextLink"] = "https://graph.microsoft.com" + r.URL.Path + "?" + query.Encode()
	}
	return writeJSON(w, http.StatusOK, body)
}
