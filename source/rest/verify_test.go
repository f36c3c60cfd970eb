package rest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/rest"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// tenantsOfPresets returns a tenant for each preset: one without a simulator is a failure.
func tenantsOfPresets(t *testing.T) (list []tenant) {
	t.Helper()
	known := append(ofVendors(), espoCRM(), dolibarr(), odoo())
	for _, p := range rest.Presets() {
		i := slices.IndexFunc(known, func(v tenant) bool { return v.kind == p.Name })
		if i < 0 {
			t.Errorf("no simulator is known for preset %s", p.Name)
			continue
		}
		list = append(list, known[i])
	}
	return list
}

// presetOf returns the preset of a tenant.
func presetOf(v tenant) rest.Preset {
	for _, p := range rest.Presets() {
		if p.Name == v.kind {
			return p
		}
	}
	return rest.Preset{}
}

// populate writes contacts with which everything can be judged: of many times, some of one time, some deleted and merged, none of them
// of late.
func populate(v tenant, store *vendors.Store, clock *vendors.Clock) {
	full := func(i int) contact.Contact {
		c := sourcetest.Full(i)
		c.Emails = []string{fmt.Sprintf("first%d@example.com", i), fmt.Sprintf("second%d@example.com", i)}
		return c
	}
	began := clock.Now().Add(-40 * 24 * time.Hour)
	var ids []string
	at := began
	for i := range 50 {
		id := store.Create(v.fields(full(i)))
		if i < 20 || i > 23 { // five have one time: as many as a page
			at = at.Add(67*time.Minute + time.Duration(i)*1234567*time.Microsecond)
		}
		store.Put(at, id, v.fields(full(i)))
		ids = append(ids, id)
		clock.Advance(2 * time.Second) // so that the order in which they were created can be seen
	}
	if v.deletes != nil {
		for i, id := range ids[30:38] {
			v.deletes(store, clock.Now().Add(-50*time.Hour+time.Duration(i)*61*time.Minute), id)
		}
	}
	if store.Merged != nil {
		store.Merge(ids[40], ids[41])
		store.Merge(ids[42], ids[41])
	}
	clock.Advance(20 * time.Minute)
}

// someUsers are users with whom a list of users can be judged: more than two pages of most services, some of them inactive.
func someUsers() (users []vendors.User) {
	for n := range 450 {
		users = append(users, vendors.User{ID: fmt.Sprint(100_000 + n), Name: fmt.Sprint("Ada Agent", n), Email: fmt.Sprintf("ada%d@example.com", n), Inactive: n%50 == 7})
	}
	return users
}

// smallPages returns the configuration of a tenant with small pages of deletions too, where the preset says how many a page has.
func smallPages(v tenant) string {
	text := strings.ReplaceAll(v.text, "WRONG", "")
	if strings.Contains(text, "\ndeletions:") {
		return text
	}
	for name, value := range presetOf(v).Language.Deletions.Query {
		if written, _ := value.MarshalText(); len(written) > 0 && strings.Trim(string(written), "0123456789") == "" {
			return text + "deletions: {query: {" + name + ": \"3\"}}\n"
		}
	}
	return text
}

// checksOf returns what the checks of a tenant say, by their names; of several with one name the worst.
func checksOf(t *testing.T, s fullSource) (checks []source.Check) {
	t.Helper()
	for c := range s.Verify(t.Context(), 1000) {
		checks = append(checks, c)
		for what, text := range map[string]string{"title": c.Title, "asked": c.Asked, "came": c.Came, "name": c.Name} {
			if text == "" {
				t.Errorf("%s says nothing as %s", c.Name, what)
			}
		}
	}
	return checks
}

// tell prints checks.
func tell(checks []source.Check) string {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "  %-10s %s %v\n             asked: %s\n             came: %s\n             %s\n", c.Verdict, c.Name, c.Keys, c.Asked, c.Came, c.Means)
	}
	return b.String()
}

// unjudged are the checks that cannot be judged in a service that gives tokens: its list has no deleted contacts, and no token of it is
// old enough to have expired.
var unjudged = []string{"deletions", "wrong_token"}

// With a service that is as its preset says, every check passes.
func TestEveryPresetIsProvedByItsSimulator(t *testing.T) {
	for _, v := range tenantsOfPresets(t) {
		t.Run(v.kind, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, v, smallPages(v))
			populate(v, s.store, s.clock)
			s.simulator.Common().SetUsers(someUsers()...)
			before := s.store.Live()
			checks := checksOf(t, s.source)
			for _, c := range checks {
				if v.token && c.Verdict == source.NotJudged && slices.Contains(unjudged, c.Name) {
					continue
				}
				if c.Verdict != source.Passed {
					t.Errorf("%s is %s:\n%s", c.Name, c.Verdict, tell([]source.Check{c}))
				}
			}
			t.Logf("\n%s", tell(checks))
			if s.store.Live() != before {
				t.Error("something was written")
			}
		})
	}
}
