package rest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/rest"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// decode reads a source's configuration as a bridge does.
func decode(text string) func(into any) error {
	return func(into any) error {
		return strictyaml.Read("bridge.yaml", []byte(text), strictyaml.Environment{}, func(d *strictyaml.Document) []strictyaml.Problem {
			return strictyaml.Found(d.Decode(into))
		})
	}
}

// kinds are the package's kinds, made once: the suite opens sources thousands of times.
var kinds = sync.OnceValue(rest.Kinds)

// newFactory makes the factory of a kind, whose requests a transport carries.
func newFactory(kind, text string, transport http.RoundTripper, clock *vendors.Clock) (source.Factory, error) {
	deps := source.Deps{Transport: transport}
	if clock != nil {
		deps.Clock = clock
	}
	for _, k := range kinds() {
		if k.Name == kind {
			return k.New(decode(text), deps)
		}
	}
	return nil, errors.New("there is no kind " + kind)
}

// A full source is what a source of this package can do.
type fullSource interface {
	bridge.Source
	bridge.Describer
	bridge.Prober
	source.Checker
	source.Counter
	source.Inspector
	source.Verifier
}

// An opened source closes its factory with itself, as a process does.
type openedSource struct {
	fullSource
	factory source.Factory
}

func (s openedSource) Close() error { return errors.Join(s.fullSource.Close(), s.factory.Close()) }

// open opens a source as a process that has just started does.
func open(ctx context.Context, kind, text string, transport http.RoundTripper, clock *vendors.Clock, auth bridge.Auth) (fullSource, error) {
	factory, err := newFactory(kind, text, transport, clock)
	if err != nil {
		return nil, err
	}
	s, err := factory.Open(ctx, auth)
	if err != nil {
		return nil, errors.Join(err, factory.Close())
	}
	return openedSource{s.(fullSource), factory}, nil
}

// A tenant is a simulated vendor to which the suite writes.
type tenant struct {
	kind string
	text string // the source's configuration; WRONG stands for what makes the credential wrong
	new  func(now func() time.Time) (vendors.Simulator, *vendors.Store)
	// fields are the vendor's fields of a contact.
	fields func(c contact.Contact) vendors.Fields
	// numbers says that ids are numbers: the suite's ids are translated.
	numbers bool
	// unordered says that contacts come in no order; token says that a token of the vendor is the checkpoint.
	unordered, token bool
	// flows says that pages go on after a record, and that the vendor's own pages say when a run ends.
	flows bool
	// deletesApart says that deletions are in a list of their own.
	deletesApart bool
	// ticks is how much the vendor's clock goes on with each change, of one that counts in whole seconds and knows by them who is new.
	ticks time.Duration
	// ownTies says that contacts of one stamp are read in the vendor's own order.
	ownTies bool
	// settles is how long it takes until a change is visible.
	settles time.Duration
	// deletes says that the vendor tells of deletions.
	deletes func(store *vendors.Store, at time.Time, id string)
}

// target returns what the suite needs.
func (v tenant) target() sourcetest.Target {
	t := sourcetest.Target{
		New: v.service, OwnClock: true, LateReturns: v.deletesApart, Unordered: v.unordered || v.token || v.flows, OwnEnd: v.unordered || v.token || v.flows, Restarts: v.token, OwnTies: v.ownTies, Slides: v.unordered, HistoryTime: 500 * time.Millisecond,
	}
	if v.numbers {
		t.Order = numbered.compare
	}
	return t
}

func (v tenant) service(testing.TB) sourcetest.Service {
	clock := new(vendors.Clock)
	simulator, store := v.new(clock.Now)
	cloud := new(vendors.Cloud)
	cloud.Add(simulator)
	opening := func(text string) func(ctx context.Context) (bridge.Source, error) {
		return func(ctx context.Context) (bridge.Source, error) {
			s, err := open(ctx, v.kind, text, cloud, clock, nil)
			if err != nil {
				return nil, err
			}
			if v.numbers {
				return numberedSource{s}, nil
			}
			return s, nil
		}
	}
	service := sourcetest.Service{
		Open: opening(strings.ReplaceAll(v.text, "WRONG", "")), OpenWrong: opening(strings.ReplaceAll(v.text, "WRONG", "0")), Now: clock.Now,
		Put: func(updated time.Time, contacts ...contact.Contact) error {
			for _, c := range contacts {
				store.Put(updated, v.id(c.ID), v.fields(c))
			}
			clock.Advance(v.settles + v.ticks)
			return nil
		},
	}
	if v.deletes != nil {
		service.Delete = func(at time.Time, ids ...string) error {
			for _, id := range ids {
				v.deletes(store, at, v.id(id))
			}
			clock.Advance(v.settles)
			return nil
		}
	}
	return service
}

func (v tenant) id(id string) string {
	if v.numbers {
		return strconv.Itoa(numbered.number(id))
	}
	return id
}

// numbers gives the suite's ids numbers, in the order in which they are seen first, once for all tests.
type numbers struct {
	lock sync.Mutex
	of   map[string]int
	ids  []string
}

var numbered = numbers{of: map[string]int{}}

func (n *numbers) number(id string) int {
	n.lock.Lock()
	defer n.lock.Unlock()
	if i, err := strconv.Atoi(strings.TrimPrefix(id, "c")); err == nil && len(id) == 6 {
		return 200_000 + i // as the suite orders them; all numbers have as many digits, so that their bytes are ordered alike
	}
	if _, ok := n.of[id]; !ok {
		n.ids = append(n.ids, id)
		n.of[id] = 100_000 + len(n.ids)
	}
	return n.of[id]
}

func (n *numbers) id(number string) string {
	n.lock.Lock()
	defer n.lock.Unlock()
	i, err := strconv.Atoi(number)
	switch {
	case err != nil || i <= 100_000:
		return number
	case i >= 200_000:
		return fmt.Sprintf("c%05d", i-200_000)
	}
	return n.ids[i-100_001]
}

func (n *numbers) compare(a, b string) int { return cmp.Compare(n.number(a), n.number(b)) }

// A numberedSource is a source of a vendor whose ids are numbers, with the suite's ids.
type numberedSource struct{ fullSource }

func (s numberedSource) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		for c, err := range s.fullSource.Read(ctx, run, after, limit) {
			c.Contact.ID = numbered.id(c.Contact.ID)
			if !yield(c, err) {
				return
			}
		}
	}
}

// part returns a value of a list; nothing if it is shorter.
func part(list []string, i int) any {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// plan returns the custom field of the suite's contacts.
func plan(c contact.Contact) string {
	if len(c.CustomFields) == 0 {
		return ""
	}
	return c.CustomFields[0].Value
}

func espoCRM() tenant {
	return tenant{
		kind: "espocrm",
		text: `
url: https://crm.example.com
api_key: espo-keyWRONG
changes: {page: {size: 5}}
link: ""
by_id: {page: {size: 3}, first_id: ""}
fields: {websites: cWebsite, photo_url: cPhoto, address: addressStreet, twitter: cTwitter, url: cUrl, country: "", custom_fields: {Plan: cPlan}}
`,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewEspoCRM(now)
			s.ListsHaveData = true
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			var emails, phones []any
			for _, e := range c.Emails {
				emails = append(emails, map[string]any{"emailAddress": e})
			}
			for _, p := range c.Phones {
				phones = append(phones, map[string]any{"phoneNumber": p})
			}
			return vendors.Fields{
				"name": c.Name, "title": c.Title, "accountName": c.Company, "emailAddressData": emails, "phoneNumberData": phones,
				"addressStreet": c.Address, "cWebsite": part(c.Websites, 0), "cPhoto": c.PhotoURL, "cTwitter": c.Twitter, "cUrl": c.URL, "cPlan": plan(c),
			}
		},
	}
}

func dolibarr() tenant {
	return tenant{
		kind: "dolibarr", numbers: true,
		text: `
url: https://erp.example.com
api_key: doli-keyWRONG
time_zone: Europe/Paris
changes: {page: {size: 5}}
link: ""
by_id: {page: {size: 3}}
fields:
  name: lastname
  emails: [email, mail]
  phones: [phone_pro, phone_mobile]
  websites: array_options.options_website
  photo_url: photo
  address: address
  twitter: socialnetworks.twitter
  url: array_options.options_url
  country: ""
  custom_fields: {Plan: array_options.options_plan}
`,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewDolibarr(now)
			s.Old = true
			s.Zone, _ = time.LoadLocation("Europe/Paris")
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			return vendors.Fields{
				"lastname": c.Name, "poste": c.Title, "socname": c.Company, "email": part(c.Emails, 0), "mail": part(c.Emails, 1),
				"phone_pro": part(c.Phones, 0), "phone_mobile": part(c.Phones, 1), "address": c.Address, "photo": c.PhotoURL,
				"socialnetworks": map[string]any{"twitter": c.Twitter},
				"array_options":  map[string]any{"options_website": part(c.Websites, 0), "options_url": c.URL, "options_plan": plan(c)},
			}
		},
	}
}

func odoo() tenant {
	return tenant{
		kind: "odoo", numbers: true,
		text: `
url: https://acme.odoo.com
api_key: odoo-keyWRONG
changes: {page: {size: 5}}
link: ""
by_id: {page: {size: 3}}
fields:
  company: commercial_company_name
  emails: [email, x_email]
  phones: [phone, mobile]
  photo_url: x_photo
  address: street
  twitter: x_twitter
  url: x_url
  country: ""
  custom_fields: {Plan: x_plan}
`,
		new: func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
			s := vendors.NewOdoo(now)
			return s, s.Store
		},
		fields: func(c contact.Contact) vendors.Fields {
			return vendors.Fields{
				"name": c.Name, "function": c.Title, "commercial_company_name": c.Company, "email": part(c.Emails, 0), "x_email": part(c.Emails, 1),
				"phone": part(c.Phones, 0), "mobile": part(c.Phones, 1), "street": c.Address, "website": part(c.Websites, 0), "x_photo": c.PhotoURL,
				"x_twitter": c.Twitter, "x_url": c.URL, "x_plan": plan(c),
			}
		},
		deletes: func(store *vendors.Store, at time.Time, id string) {
			if r := store.Get(id); r != nil { // archived
				fields := maps.Clone(r.Fields)
				fields["active"] = false
				store.Put(at, id, fields)
			}
		},
	}
}

func TestDolibarr(t *testing.T) { sourcetest.Run(t, dolibarr().target()) }

func TestOdoo(t *testing.T) { sourcetest.Run(t, odoo().target()) }

func TestEspoCRM(t *testing.T) { sourcetest.Run(t, espoCRM().target()) }
