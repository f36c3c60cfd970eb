package rest_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

// A directory holds what runs have brought.
type directory struct {
	contacts   map[string]contact.Contact
	gone       []string // the deletions of the last run
	changed    []string // the contacts of the last run
	checkpoint bridge.Checkpoint
}

// sync makes a run in pages, and judges after an initial one. between is called after each page and may be nil.
func (d *directory) sync(ctx context.Context, src bridge.Source, size int, between func()) error {
	run, err := src.Begin(ctx, d.checkpoint)
	if err != nil {
		return err
	}
	d.gone, d.changed = nil, nil
	shown := map[string]bool{}
	var at bridge.Position
	for {
		n := 0
		for c, err := range src.Read(ctx, run, at, size) {
			if err != nil {
				return err
			}
			at = slices.Clone(c.Position)
			n++
			if c.Deleted {
				delete(d.contacts, c.Contact.ID)
				d.gone = append(d.gone, strings.Clone(c.Contact.ID))
				continue
			}
			if c.Rejected != "" {
				return errors.New(c.Rejected)
			}
			kept := c.Contact.Clone()
			d.contacts[kept.ID], shown[kept.ID] = kept, true
			d.changed = append(d.changed, kept.ID)
		}
		if checkpoint := src.Checkpoint(run, at, n < size); checkpoint != "" {
			d.checkpoint = checkpoint
		}
		if n < size {
			break
		}
		if between != nil {
			between()
		}
	}
	if run.Initial() {
		maps.DeleteFunc(d.contacts, func(id string, _ contact.Contact) bool { return !shown[id] })
	}
	return nil
}

// A scene is a vendor with a bridge's source in front of it.
type scene struct {
	tenant
	clock     *vendors.Clock
	simulator vendors.Simulator
	store     *vendors.Store
	source    fullSource
	directory directory
}

// newScene opens a tenant as the suite does, with a text instead of its configuration if there is one.
func newScene(t *testing.T, v tenant, text string) *scene {
	t.Helper()
	s := &scene{tenant: v, clock: new(vendors.Clock), directory: directory{contacts: map[string]contact.Contact{}}}
	s.simulator, s.store = v.new(s.clock.Now)
	if text == "" {
		text = strings.ReplaceAll(v.text, "WRONG", "")
	}
	cloud := new(vendors.Cloud)
	cloud.Add(s.simulator)
	var err error
	if s.source, err = open(t.Context(), v.kind, text, cloud, s.clock, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.source.Close() })
	return s
}

// run makes a run that must not fail, once everything is visible.
func (s *scene) run(t *testing.T) {
	t.Helper()
	s.clock.Advance(s.settles)
	if err := s.directory.sync(t.Context(), s.source, 4, nil); err != nil {
		t.Fatal(err)
	}
}

// person is a contact of the suite's kind with a name and a version.
func person(name string, version int) contact.Contact {
	return contact.Contact{Name: name, Title: strconv.Itoa(version), Phones: []string{"+14155550100"}}
}

// TestNothingIsLostWhileContactsChange makes runs while contacts are created, changed and deleted, and shows changes late. A few runs in
// CI; for more, and for others: CHURN_RUNS=100 CHURN_SEED=7 go test ./source/rest -run TestNothingIsLostWhileContactsChange
func TestNothingIsLostWhileContactsChange(t *testing.T) {
	runs, seed := asked(t, "CHURN_RUNS", 3), asked(t, "CHURN_SEED", 1)
	for _, v := range append(ofVendors(), espoCRM(), dolibarr(), odoo()) {
		t.Run(v.kind, func(t *testing.T) { churn(t, v, runs, seed) })
	}
}

// asked returns a number that the environment may set.
func asked(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// A history of versions: what was written, by contact.
type churning struct {
	*scene
	random   *rand.Rand
	lock     sync.Mutex
	versions map[string][]int // by id; -1 is a deletion
	next     int
	left     int // how many more changes the run sees
}

func churn(t *testing.T, v tenant, runs, seed int) {
	text := ""
	if credentials, ok := renewing()[v.kind]; ok { // time passes, and tokens expire
		text = withCredentials(strings.ReplaceAll(v.text, "WRONG", ""), credentials)
	}
	c := &churning{scene: newScene(t, v, text), random: rand.New(rand.NewPCG(uint64(seed), 2)), versions: map[string][]int{}}
	for range 40 {
		c.write()
	}
	c.clock.Advance(20 * time.Minute)
	// Changes are seen a moment after they are made, where the overlap covers that.
	if !v.token {
		c.store.Lag(20 * time.Millisecond)
	}
	c.simulator.Common().Watch(func(*http.Request) {
		if c.left > 0 && c.random.IntN(2) == 0 {
			c.left--
			c.write()
		}
	})
	for n := range runs {
		c.clock.Advance(time.Duration(c.random.IntN(5)) * time.Minute) // some changes are settled, some are not
		before := c.now()
		c.left = 60 // with more, those that are deleted would be most of what a run has to read
		size := 1 + c.random.IntN(9)
		c.settleDown()
		if err := c.directory.sync(t.Context(), c.source, size, func() { c.clock.Advance(c.settles / 4) }); err != nil {
			t.Fatalf("run %d: %v", n, err)
		}
		c.check(t, n, before)
	}
	c.simulator.Common().Watch(nil)
	c.settleDown()
	for range 2 {
		c.run(t)
	}
	c.sweep(t)
	for id, versions := range c.versions {
		stored, ok := c.directory.contacts[id]
		if last := versions[len(versions)-1]; ok != (last >= 0) || ok && stored.Title != strconv.Itoa(last) {
			t.Errorf("when all is quiet contact %s is at version %q (%v); its versions were %v", id, stored.Title, ok, versions)
		}
	}
}

// settleDown waits until what was written is visible.
func (c *churning) settleDown() {
	time.Sleep(25 * time.Millisecond)
	c.clock.Advance(c.settles)
}

// write creates, changes or deletes a contact.
func (c *churning) write() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.next++
	var ids []string // of the contacts that are there
	for _, id := range slices.Sorted(maps.Keys(c.versions)) {
		if versions := c.versions[id]; versions[len(versions)-1] >= 0 {
			ids = append(ids, id)
		}
	}
	switch n := c.random.IntN(10); {
	case len(ids) < 20 || n < 3 && len(ids) < 120:
		id := c.store.Create(c.fields(person("Doe", c.next)))
		c.versions[id] = []int{c.next}
	case n < 8 || c.deletes == nil:
		id := ids[c.random.IntN(len(ids))]
		c.store.Update(id, c.fields(person("Doe", c.next)))
		c.versions[id] = append(c.versions[id], c.next)
	default:
		id := ids[c.random.IntN(len(ids))]
		c.deletes(c.store, c.clock.Now(), id)
		c.versions[id] = append(c.versions[id], -1)
	}
}

// now returns how many versions each contact has.
func (c *churning) now() map[string]int {
	c.lock.Lock()
	defer c.lock.Unlock()
	count := map[string]int{}
	for id, versions := range c.versions {
		count[id] = len(versions)
	}
	return count
}

// check compares the directory with every version since the run began.
func (c *churning) check(t *testing.T, run int, before map[string]int) {
	t.Helper()
	c.lock.Lock()
	defer c.lock.Unlock()
	for id, n := range before {
		stored, ok := c.directory.contacts[id]
		allowed := c.versions[id][n-1:]
		version := -1
		if ok {
			version, _ = strconv.Atoi(stored.Title)
		}
		if c.deletes == nil && allowed[0] < 0 {
			continue // the vendor does not tell
		}
		if c.settles > 0 && len(allowed) > 1 {
			continue // the vendor shows nothing of a record for a while after each change of it: the next run brings it
		}
		if !slices.Contains(allowed, version) {
			t.Errorf("run %d: contact %s is at version %d, and %v were written since it began", run, id, version, allowed)
		}
	}
}

// sweep makes the run over all contacts that finds what a vendor does not tell.
func (c *churning) sweep(t *testing.T) {
	if c.deletes == nil {
		c.clock.Advance(25 * time.Hour)
		c.run(t)
	}
}

func TestMergedContactsAreToldAsDeleted(t *testing.T) {
	for _, v := range []tenant{hubSpot(), salesforce("salesforce"), salesforce("salesforce_leads"), zendesk()} {
		t.Run(v.kind, func(t *testing.T) {
			s := newScene(t, v, "")
			var ids []string
			for i := range 6 {
				ids = append(ids, s.store.Create(v.fields(person("Doe", i))))
			}
			s.clock.Advance(20 * time.Minute)
			s.run(t)
			s.clock.Advance(20 * time.Minute)
			s.store.Merge(ids[1], ids[4])
			s.run(t)
			if !slices.Contains(s.directory.gone, ids[1]) {
				t.Errorf("%s was merged into another contact, and is not told as deleted: %v", ids[1], s.directory.gone)
			}
			if !slices.Contains(s.directory.changed, ids[4]) {
				t.Errorf("the contact that remains, %s, is not sent again: %v", ids[4], s.directory.changed)
			}
			if _, ok := s.directory.contacts[ids[4]]; !ok || len(s.directory.contacts) != 5 {
				t.Errorf("%d contacts are left: %v", len(s.directory.contacts), slices.Sorted(maps.Keys(s.directory.contacts)))
			}
		})
	}
}

// renewing are configurations with which a bridge fetches its access tokens itself.
func renewing() map[string]string {
	return map[string]string{
		"hubspot":                "client_id: hubspot-7-client\nclient_secret: hubspot-7-secret\nrefresh_token: hubspot-7-refresh-0\n",
		"salesforce":             "domain: acme\nclient_id: salesforce-acme-client\nclient_secret: salesforce-acme-secret\n",
		"salesforce_leads":       "domain: acme\nclient_id: salesforce-acme-client\nclient_secret: salesforce-acme-secret\nrefresh_token: salesforce-acme-refresh-0\n",
		"pipedrive":              "company: acme\nclient_id: pipedrive-acme-client\nclient_secret: pipedrive-acme-secret\nrefresh_token: pipedrive-acme-refresh-0\n",
		"microsoft_graph":        "directory: acme\nclient_id: graph-acme-client\nclient_secret: graph-acme-secret\nmailbox: users/jane@example.com\n",
		"microsoft_org_contacts": "directory: acme\nclient_id: graph-acme-client\nclient_secret: graph-acme-secret\n",
		"google":                 "client_id: google-1001-client\nclient_secret: google-1001-secret\nrefresh_token: google-1001-refresh-0\n",
		"dynamics365":            "environment: acme.crm4\ndirectory: tenant-of-acme\nclient_id: dynamics-acme-client\nclient_secret: dynamics-acme-secret\n",
		"zoho":                   "data_center: eu\nclient_id: zoho-7001-client\nclient_secret: zoho-7001-secret\nrefresh_token: zoho-7001-refresh-0\n",
		"close":                  "client_id: close-acme-client\nclient_secret: close-acme-secret\nrefresh_token: close-acme-refresh-0\n",
		"servicenow":             "instance: acme\nclient_id: servicenow-acme-client\nclient_secret: servicenow-acme-secret\nrefresh_token: servicenow-acme-refresh-0\n",
		"shopify":                "shop: acme\nclient_id: shopify-acme-client\nclient_secret: shopify-acme-secret\n",
		"suitecrm":               "url: https://suite.example.com\nclient_id: suite-client\nclient_secret: suite-secret\nusername: sync\npassword: suite-password\n",
		"sugarcrm":               "url: https://sugar.example.com\nusername: sync\npassword: sugar-password\n",
	}
}

// credentials are the keys of a configuration that are credentials, and what comes instead of them.
func withCredentials(text, credentials string) string {
	var kept []string
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(line, " ") && (key == "access_token" || key == "api_token" || key == "api_key" || strings.Contains("\n"+credentials, "\n"+key+":")) {
			continue
		}
		kept = append(kept, line)
	}
	return credentials + strings.Join(kept, "")
}

// oauthOf returns the token endpoint of a simulator; nil if it has none.
func oauthOf(s vendors.Simulator) *vendors.OAuth {
	switch s := s.(type) {
	case *vendors.HubSpot:
		return s.OAuth
	case *vendors.Salesforce:
		return s.OAuth
	case *vendors.Pipedrive:
		return s.OAuth
	case *vendors.Graph:
		return s.OAuth
	case *vendors.Google:
		return s.OAuth
	case *vendors.Dynamics:
		return s.OAuth
	case *vendors.Zoho:
		return s.OAuth
	case *vendors.Close:
		return s.OAuth
	case *vendors.ServiceNow:
		return s.OAuth
	case *vendors.Shopify:
		return s.OAuth
	case *vendors.SuiteCRM:
		return s.OAuth
	case *vendors.SugarCRM:
		return s.OAuth
	}
	return nil
}

func TestATokenThatExpiresInTheMiddleOfARunIsFetchedAgain(t *testing.T) {
	texts := renewing()
	for _, v := range ofVendors() {
		credentials, ok := texts[v.kind]
		if !ok {
			continue // its credential does not expire
		}
		t.Run(v.kind, func(t *testing.T) {
			s := newScene(t, v, withCredentials(v.text, credentials))
			for i := range 30 {
				s.store.Create(v.fields(person("Doe", i)))
			}
			s.clock.Advance(20 * time.Minute)
			oauth := oauthOf(s.simulator)
			n := 0
			s.simulator.Common().Watch(func(*http.Request) {
				if n++; n%4 == 0 {
					oauth.Revoke()
				}
			})
			s.run(t)
			if len(s.directory.contacts) != 30 {
				t.Errorf("%d of 30 contacts were read", len(s.directory.contacts))
			}
			if refused := s.simulator.Common().Traffic().Unauthorized; refused == 0 {
				t.Error("no request was refused, so nothing was tried")
			}
		})
	}
}

func TestACredentialThatIsRevokedInTheMiddleOfARunIsUnauthorized(t *testing.T) {
	for _, v := range ofVendors() {
		t.Run(v.kind, func(t *testing.T) {
			s := newScene(t, v, "")
			for i := range 30 {
				s.store.Create(v.fields(person("Doe", i)))
			}
			s.clock.Advance(20 * time.Minute)
			s.simulator.Common().Expire(3)
			err := s.directory.sync(t.Context(), s.source, 4, nil)
			if bridge.CodeOf(err) != bridge.CodeUnauthorized {
				t.Errorf("a run with a credential that expires: %v", err)
			}
			s.simulator.Common().Renew()
			s.run(t)
			if len(s.directory.contacts) != 30 {
				t.Errorf("%d of 30 contacts were read after that", len(s.directory.contacts))
			}
		})
	}
}

// errorsOf are what goes wrong, and the code of the error that says so.
func TestErrorsSayWhatIsWrong(t *testing.T) {
	for _, v := range ofVendors() {
		t.Run(v.kind, func(t *testing.T) {
			for _, c := range []struct {
				what string
				do   func(vendors.Simulator)
				code bridge.Code
			}{
				{"a missing right", func(s vendors.Simulator) { s.Common().Forbid("contacts.read") }, bridge.CodeUnauthorized},
				{"a vendor that fails", func(s vendors.Simulator) { s.Common().Fail(0, 1, http.StatusInternalServerError) }, bridge.CodeSourceUnavailable},
				{"a vendor that cannot be reached", func(s vendors.Simulator) { s.Common().Disconnect(true) }, bridge.CodeSourceUnavailable},
				{"a vendor that throttles", func(s vendors.Simulator) { s.Common().Throttle(1000) }, bridge.CodeRateLimited},
			} {
				s := newScene(t, v, "")
				c.do(s.simulator)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second) // no time to wait
				_, err := s.source.Begin(ctx, "")
				cancel()
				if bridge.CodeOf(err) != c.code {
					t.Errorf("%s: %v (%s), want %s", c.what, err, bridge.CodeOf(err), c.code)
				}
				said, ok := errors.AsType[*bridge.Error](err)
				if ok && said.Hint == "" {
					t.Errorf("%s: %v does not say what to do", c.what, err)
				}
			}
		})
	}
}

func TestManyTenantsOfOneVendorObeyItsLimitAndNoneStarves(t *testing.T) {
	const tenants, contacts = 200, 250
	synctest.Test(t, func(t *testing.T) {
		clock := new(vendors.Clock)
		cloud := new(vendors.Cloud)
		var simulators []*vendors.HubSpot
		for n := range tenants {
			s := vendors.NewHubSpot(clock.Now, 1000+n)
			for range contacts {
				s.Create(vendors.Fields{"lastname": "Doe"})
			}
			simulators = append(simulators, s)
			cloud.Add(s)
		}
		clock.Advance(20 * time.Minute)
		factory, err := newFactory("hubspot", `access_token: "{{auth.access_token}}"`, cloud, clock)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		took := make([]time.Duration, tenants)
		var all sync.WaitGroup
		for n, s := range simulators {
			all.Go(func() {
				source, err := factory.Open(t.Context(), bridge.Auth{"access_token": s.AccessToken})
				if err != nil {
					t.Error(err)
					return
				}
				d := directory{contacts: map[string]contact.Contact{}}
				if err := d.sync(t.Context(), source, 500, nil); err != nil || len(d.contacts) != contacts {
					t.Errorf("tenant %d: %d contacts, %v", n, len(d.contacts), err)
				}
				took[n] = time.Since(began)
				if err := source.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := factory.Close(); err != nil {
			t.Error(err)
		}
		for n, s := range simulators {
			if traffic := s.Traffic(); traffic.Throttled > 0 || traffic.Unauthorized > 0 {
				t.Fatalf("tenant %d was throttled %d times and refused %d times, of %d requests", n, traffic.Throttled, traffic.Unauthorized, traffic.Requests)
			}
		}
		if first, last := slices.Min(took), slices.Max(took); last > 2*first || last == 0 {
			t.Errorf("the first tenant was ready after %v, the last one after %v", first, last)
		}
		t.Logf("%d tenants, each ready after %v to %v", tenants, slices.Min(took), slices.Max(took))
	})
}
