package vendors

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Shopify is a shop of Shopify with its customers, as the GraphQL Admin API shows them.
type Shopify struct {
	*Base
	*Store
	Shop        string
	AccessToken string // of a custom app; it does not expire
	OAuth       *OAuth // of an app of the developer dashboard
	// Most is how many points the bucket of the app holds, and Rate how many come back in a second. A query that may cost more than is
	// left is refused; 0 means that nothing is.
	Most, Rate float64

	left  float64
	asked time.Time // when left was right
}

// shopifyMostCost is how many points one query may cost.
const shopifyMostCost = 1000

// NewShopify returns a shop.
func NewShopify(now func() time.Time, shop string) *Shopify {
	s := &Shopify{Shop: shop, AccessToken: "shpat_" + shop, Most: 2000, Rate: 100, left: 2000}
	s.Base = newBase(now)
	s.Store = newStore(s.Now, time.Second, numbers(7_000_000_000_000))
	s.OAuth = newOAuth(s.Now, "shopify-"+shop, 24*time.Hour, ClientCredentials)
	s.asked = s.Now()
	return s
}

// Host implements [Simulator].
func (s *Shopify) Host(host string) bool { return host == s.Shop+".myshopify.com" }

// Knows implements [Simulator].
func (s *Shopify) Knows(r *http.Request) bool {
	token := r.Header.Get("X-Shopify-Access-Token")
	return token == s.AccessToken || s.OAuth.knows(token)
}

func (s *Shopify) open(r *http.Request) bool { return r.URL.Path == "/admin/oauth/access_token" }

// ServeHTTP implements [http.Handler].
func (s *Shopify) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(s, w, r) }

// refuse writes an error: GraphQL's have the status 200.
func (s *Shopify) refuse(w http.ResponseWriter, why *refusal) {
	body := map[string]any{}
	fails := func(code string) {
		body["errors"] = []any{map[string]any{"message": why.message, "path": []any{"query", "customers"}, "extensions": map[string]any{"code": code}}}
	}
	status := http.StatusOK
	switch why.reason {
	case throttled:
		fails("THROTTLED")
		body["extensions"] = s.cost(why.cost, nil)
	case forbidden:
		why.message = "Access denied for customers field. Required access: `read_customers` access scope."
		fails("ACCESS_DENIED")
		body["data"] = map[string]any{"customers": nil}
	case invalid:
		fails(why.code)
	default:
		status = why.statusOf()
		body["errors"] = map[reason]string{
			unauthorized: "[API] Invalid API key or access token (unrecognized login or wrong password)", notFound: "Not Found", broken: "Internal Server Error",
		}[why.reason]
	}
	if strings.HasPrefix(why.code, "invalid_") || why.code == "unsupported_grant_type" {
		writeOAuthError(w, why)
		return
	}
	_ = writeJSON(w, status, body)
}

// cost is what an answer says of points.
func (s *Shopify) cost(requested float64, actual any) map[string]any {
	s.Base.lock.Lock()
	defer s.Base.lock.Unlock()
	if s.Most == 0 {
		return map[string]any{}
	}
	return map[string]any{"cost": map[string]any{
		"requestedQueryCost": requested, "actualQueryCost": actual,
		"throttleStatus": map[string]any{"maximumAvailable": s.Most, "currentlyAvailable": float64(int(s.left)), "restoreRate": s.Rate},
	}}
}

// shopifyVersion is a version of the API.
var shopifyVersion = regexp.MustCompile(`^/admin/api/(20[0-9]{2}-(01|04|07|10)|unstable)/graphql\.json$`)

func (s *Shopify) answer(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost && r.URL.Path == "/admin/oauth/access_token" {
		token, err := s.OAuth.grant(r)
		if err != nil {
			return err
		}
		delete(token, "token_type")
		token["scope"] = "read_customers"
		return writeJSON(w, http.StatusOK, token)
	}
	if r.Method != http.MethodPost || !shopifyVersion.MatchString(r.URL.Path) {
		return noSuchPath(r)
	}
	var sent struct {
		Query         string         `json:"query"`
		Variables     map[string]any `json:"variables"`
		OperationName string         `json:"operationName"`
	}
	if err := s.body(r, &sent); err != nil {
		return err
	}
	fields, err := readGraphQL(sent.Query, sent.Variables)
	if err != nil {
		return err
	}
	data, requested, actual := map[string]any{}, 0.0, 0.0
	for _, f := range fields {
		if f.name == "customers" {
			n, err := s.customersCost(f)
			if err != nil {
				return err
			}
			requested += n
		}
	}
	if err := s.spend(requested); err != nil {
		return err
	}
	for _, f := range fields {
		switch f.name {
		case "shop":
			shop := map[string]any{"id": fmt.Sprintf("gid://shopify/Shop/%d", 60_000_000_000+len(s.Shop)), "name": s.Shop, "myshopifyDomain": s.Shop + ".myshopify.com"}
			data["shop"], err = selected(shop, f.fields, "Shop", shopifyTypes)
			actual++
		case "customers":
			var n float64
			data["customers"], n, err = s.customers(f)
			actual += n
		default:
			err = invalidf("undefinedField", "Field '%s' doesn't exist on type 'QueryRoot'", f.name)
		}
		if err != nil {
			return err
		}
	}
	s.restore(requested - actual)
	return writeJSON(w, http.StatusOK, map[string]any{"data": data, "extensions": s.cost(requested, actual)})
}

// spend takes what a query may cost out of the bucket.
func (s *Shopify) spend(points float64) error {
	if points > shopifyMostCost {
		return invalidf("MAX_COST_EXCEEDED", "Query cost is %v, which exceeds the single query max cost limit (%d).", points, shopifyMostCost)
	}
	s.Base.lock.Lock()
	defer s.Base.lock.Unlock()
	now := s.Now()
	s.left = min(s.left+s.Rate*now.Sub(s.asked).Seconds(), s.Most)
	s.asked = now
	if s.Most > 0 && s.left < points {
		return &refusal{reason: throttled, message: "Throttled", cost: points}
	}
	if s.Most > 0 {
		s.left -= points
	}
	return nil
}

// restore gives back what a query did not cost.
func (s *Shopify) restore(points float64) {
	s.Base.lock.Lock()
	defer s.Base.lock.Unlock()
	s.left = min(s.left+points, s.Most)
}

// shopifyTypes are the types of the API that this simulator knows: their fields, and the type of each that is an object.
var shopifyTypes = map[string]map[string][]string{
	"Shop": {"id": nil, "name": nil, "myshopifyDomain": nil},
	"Customer": {
		"id": nil, "legacyResourceId": nil, "firstName": nil, "lastName": nil, "displayName": nil, "note": nil, "tags": nil, "state": nil, "locale": nil, "verifiedEmail": nil,
		"numberOfOrders": nil, "createdAt": nil, "updatedAt": nil, "defaultEmailAddress": {"CustomerEmailAddress"}, "defaultPhoneNumber": {"CustomerPhoneNumber"},
		"defaultAddress": {"MailingAddress"}, "image": {"Image"}, "amountSpent": {"MoneyV2"},
	},
	"CustomerEmailAddress": {"emailAddress": nil, "marketingState": nil},
	"CustomerPhoneNumber":  {"phoneNumber": nil, "marketingState": nil},
	"MailingAddress": {
		"id": nil, "firstName": nil, "lastName": nil, "address1": nil, "address2": nil, "city": nil, "province": nil, "provinceCode": nil, "country": nil, "countryCodeV2": nil, "zip": nil,
		"phone": nil, "company": nil,
	},
	"Image":    {"url": nil, "altText": nil},
	"MoneyV2":  {"amount": nil, "currencyCode": nil},
	"PageInfo": {"hasNextPage": nil, "endCursor": nil, "hasPreviousPage": nil, "startCursor": nil},
}

// customersCost is what a query of customers may cost: 2, and for each customer 1 and 1 for each object of it.
func (s *Shopify) customersCost(f *selection) (float64, error) {
	first, err := strconv.Atoi(textOf(f.arguments["first"]))
	if err != nil || first < 1 || first > 250 {
		return 0, invalidf("argumentLiteralsIncompatible", "first must be from 1 to 250")
	}
	return 2 + float64(first)*s.customerCost(f), nil
}

func (s *Shopify) customerCost(f *selection) float64 {
	cost := 1.0
	for _, part := range f.fields {
		for _, field := range part.fields {
			if part.name == "nodes" && len(field.fields) > 0 {
				cost++
			}
		}
	}
	return cost
}

// shopifyCursor is a place in a list that is sorted by a key.
type shopifyCursor struct {
	Sort  string `json:"sort_key"`
	ID    string `json:"last_id"`
	Value int64  `json:"last_value"`
}

// shopifySortKeys are the keys that customers are sorted by.
var shopifySortKeys = map[enum]func(*Record) any{
	"ID": byID, "UPDATED_AT": byUpdated, "CREATED_AT": func(r *Record) any { return stampOf(r.Created) },
}

// customers answers a query of customers.
func (s *Shopify) customers(f *selection) (connection map[string]any, cost float64, err error) {
	sort, isEnum := f.arguments["sortKey"].(enum)
	if f.arguments["sortKey"] == nil {
		sort, isEnum = "ID", true
	}
	by := shopifySortKeys[sort]
	if !isEnum || by == nil {
		return nil, 0, invalidf("argumentLiteralsIncompatible", "Argument 'sortKey' on Field 'customers' has an invalid value.")
	}
	reverse, isBool := f.arguments["reverse"].(bool)
	if f.arguments["reverse"] != nil && !isBool {
		return nil, 0, invalidf("argumentLiteralsIncompatible", "Argument 'reverse' on Field 'customers' has an invalid value.")
	}
	for name := range f.arguments {
		switch name {
		case "first", "after", "query", "sortKey", "reverse":
		default:
			return nil, 0, invalidf("argumentNotAccepted", "Field 'customers' doesn't accept argument '%s'", name)
		}
	}
	test, err := s.search(textOf(f.arguments["query"]))
	if err != nil {
		return nil, 0, err
	}
	found := where(s.Visible(), func(r *Record) bool { return !r.Gone() && test(r) })
	order(found, 0, key{by, reverse}, key{byID, reverse})
	if after, sent := f.arguments["after"]; sent && after != nil {
		if found, err = afterShopifyCursor(found, textOf(after), string(sort), by, reverse); err != nil {
			return nil, 0, err
		}
	}
	first, _ := strconv.Atoi(textOf(f.arguments["first"]))
	page := cut(found, 0, first)
	connection = map[string]any{}
	for _, part := range f.fields {
		switch part.name {
		case "nodes":
			nodes := []any{}
			for _, r := range page {
				node, err := selected(s.customer(r), part.fields, "Customer", shopifyTypes)
				if err != nil {
					return nil, 0, err
				}
				nodes = append(nodes, node)
			}
			if len(page) == 0 { // the fields are checked nevertheless
				if _, err := selected(nil, part.fields, "Customer", shopifyTypes); err != nil {
					return nil, 0, err
				}
			}
			connection["nodes"] = nodes
		case "pageInfo":
			info := map[string]any{"hasNextPage": len(found) > len(page), "endCursor": nil}
			if len(page) > 0 {
				info["endCursor"] = shopifyCursorOf(page[len(page)-1], string(sort), by)
			}
			if connection["pageInfo"], err = selected(info, part.fields, "PageInfo", shopifyTypes); err != nil {
				return nil, 0, err
			}
		default:
			return nil, 0, invalidf("undefinedField", "Field '%s' doesn't exist on type 'CustomerConnection'", part.name)
		}
	}
	return connection, 2 + float64(len(page))*s.customerCost(f), nil
}

func shopifyCursorOf(r *Record, sort string, by func(*Record) any) string {
	c := shopifyCursor{Sort: sort, ID: r.ID}
	if t, ok := by(r).(time.Time); ok {
		c.Value = t.Unix()
	}
	text, _ := json.Marshal(c) // it cannot fail
	return base64.StdEncoding.EncodeToString(text)
}

// afterShopifyCursor returns the records after a cursor, wherever the one that it was made of is now.
func afterShopifyCursor(found []*Record, text, sort string, by func(*Record) any, reverse bool) ([]*Record, error) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	var c shopifyCursor
	if err != nil || json.Unmarshal(decoded, &c) != nil || c.Sort != sort {
		return nil, invalidf("BAD_REQUEST", "Invalid cursor for current pagination sort.")
	}
	last := &Record{ID: c.ID, Updated: time.Unix(c.Value, 0), Created: time.Unix(c.Value, 0)}
	return where(found, func(r *Record) bool {
		n := compare(by(r), by(last))
		if n == 0 {
			n = compare(byID(r), byID(last))
		}
		return n != 0 && (n > 0) != reverse
	}), nil
}

// shopifyTerm is one term of a search: field, operator, value.
var shopifyTerm = regexp.MustCompile(`^([a-z_]+):(>=|<=|>|<|)('[^']*'|"[^"]*"|[^\s'"]+)\s*`)

// search reads a search: terms that all must hold.
func (s *Shopify) search(text string) (condition, error) {
	test := condition(func(*Record) bool { return true })
	for text = strings.TrimSpace(text); text != ""; {
		text = strings.TrimPrefix(text, "AND ")
		m := shopifyTerm.FindStringSubmatch(text)
		if m == nil {
			return nil, invalidf("BAD_REQUEST", "Invalid search: %s", text)
		}
		text = text[len(m[0]):]
		next, err := s.term(m[1], m[2], strings.Trim(m[3], `'"`))
		if err != nil {
			return nil, err
		}
		before := test
		test = func(r *Record) bool { return before(r) && next(r) }
	}
	return test, nil
}

func (s *Shopify) term(field, operator, text string) (condition, error) {
	if operator == "" {
		operator = "="
	}
	value, operand := byUpdated, any(ident(text))
	switch {
	case field == "id":
		value = byID
	case field == "updated_at" && !s.isRenamed(field):
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, invalidf("BAD_REQUEST", "Input `%s` is not a valid time", text)
		}
		operand = at
	case s.Lenient: // as the vendor is: a term that it does not know is left out, with a warning, and everything comes
		return func(*Record) bool { return true }, nil
	default:
		return nil, invalidf("BAD_REQUEST", "Invalid search field for this query: %s", field)
	}
	return func(r *Record) bool { return holds(operator, value(r), operand) }, nil
}

// customer returns a customer with all of its fields. Without a name it shows the e-mail address or the phone number.
func (s *Shopify) customer(r *Record) map[string]any {
	customer := map[string]any{"tags": []any{}, "state": "DISABLED", "locale": "en", "numberOfOrders": "0"}
	maps.Copy(customer, r.Fields)
	if customer["displayName"] == nil {
		names := strings.TrimSpace(textOf(customer["firstName"]) + " " + textOf(customer["lastName"]))
		for _, object := range []string{"defaultEmailAddress", "defaultPhoneNumber"} {
			below, _ := customer[object].(map[string]any)
			for _, name := range []string{"emailAddress", "phoneNumber"} {
				if names == "" {
					names = textOf(below[name])
				}
			}
		}
		customer["displayName"] = names
	}
	customer["id"], customer["legacyResourceId"] = "gid://shopify/Customer/"+r.ID, r.ID
	customer["createdAt"], customer["updatedAt"] = r.Created.UTC().Format(time.RFC3339), nil
	if !r.Updated.IsZero() {
		customer["updatedAt"] = r.Updated.UTC().Format(time.RFC3339)
	}
	return s.rename(customer)
}
