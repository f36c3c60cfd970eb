package rest_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// names returns the names of the contacts that a directory has, in order.
func (d *directory) names() string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(d.contacts)) {
		names = append(names, d.contacts[id].Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// Intercom's searches find a new contact minutes after it was made: a checkpoint does not go past it, though others that were changed
// later are found before it.
func TestIntercomsNewContactsAreFoundLate(t *testing.T) {
	s := newScene(t, intercom(), "")
	s.simulator.(*vendors.Intercom).Delay = 5 * time.Minute
	old := s.store.Create(s.fields(person("Old", 1)))
	s.run(t) // by the list, which has it at once
	if got := s.directory.names(); got != "Old" {
		t.Errorf("an initial run brings %q", got)
	}
	s.clock.Advance(time.Hour)
	s.store.Create(s.fields(person("New", 1)))
	s.clock.Advance(time.Minute)
	s.store.Update(old, s.fields(person("Changed", 2)))
	s.run(t)
	if got := s.directory.names(); got != "Changed" {
		t.Errorf("a run before the new contact is found brings %q", got)
	}
	s.clock.Advance(5 * time.Minute)
	s.run(t)
	if got := s.directory.names(); got != "Changed New" {
		t.Errorf("a run after that brings %q", got)
	}
}

// Whatever zone the workspace's days begin in, and whether or not searches go by the second, a run brings all that was changed and
// nothing that was read before.
func TestIntercomsDaysBeginInAnyZone(t *testing.T) {
	for _, zone := range []string{"UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "by the second"} {
		t.Run(zone, func(t *testing.T) {
			s := newScene(t, intercom(), "")
			simulator := s.simulator.(*vendors.Intercom)
			if simulator.Seconds = zone == "by the second"; !simulator.Seconds {
				simulator.Zone, _ = time.LoadLocation(zone)
			}
			for n := range 18 { // 72 hours
				s.store.Create(s.fields(person("Doe", n)))
				s.clock.Advance(4 * time.Hour)
				s.run(t)
				if known := len(s.directory.contacts); known != n+1 {
					t.Fatalf("after %d runs there are %d contacts of %d", n, known, n+1)
				}
				if again := len(s.directory.changed) - 1; again > 0 && n%6 != 0 { // every 24 hours a run brings all contacts
					t.Fatalf("run %d brings %d contacts again", n, again)
				}
			}
		})
	}
}

// Intercom says how many requests are left until when: none is sent that would be refused.
func TestIntercomsLimitIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, intercom(), "")
		s.simulator.Common().SetLimits(&vendors.Limit{Name: "app", Requests: 4, Window: 2 * time.Second})
		for n := range 40 {
			s.store.Create(s.fields(person("Doe", n)))
		}
		s.clock.Advance(27 * 365 * 24 * time.Hour) // synctest begins in 2000, when Unix times have a digit less
		s.run(t)
		if traffic := s.simulator.Common().Traffic(); len(s.directory.contacts) != 40 || traffic.Throttled > 0 {
			t.Errorf("%d contacts of 40, %d of %d requests were refused", len(s.directory.contacts), traffic.Throttled, traffic.Requests)
		}
	})
}

// What a user of ServiceNow may not see counts for its pages: one that is short, or that shows one contact, is not the last.
func TestServiceNowsShortPagesAreNotTheLast(t *testing.T) {
	s := newScene(t, serviceNow(), "")
	for n := range 60 {
		s.store.Create(s.fields(person("Doe", n)))
		if n%2 == 0 {
			s.clock.Advance(time.Second)
		}
	}
	hidden := func(r *vendors.Record) bool { return scattered(r.ID)%3 > 0 }
	s.simulator.(*vendors.ServiceNow).Hidden = hidden
	want := 0
	for _, r := range s.store.Visible() {
		if !hidden(r) {
			want++
		}
	}
	s.clock.Advance(20 * time.Minute)
	s.run(t)
	if n := len(s.directory.contacts); n != want || want == 0 {
		t.Errorf("%d contacts of %d that may be seen", n, want)
	}
}

// scattered is a number of an id that tells nothing of its order.
func scattered(id string) (sum int) {
	for _, c := range []byte(id) {
		sum = sum*31 + int(c)
	}
	return max(sum, -sum)
}

// ServiceNow answers 200 with a part of the records where a request takes too long: that is no page.
func TestServiceNowsCancelledRequestsAreNoPages(t *testing.T) {
	s := newScene(t, serviceNow(), "")
	for n := range 12 {
		s.store.Create(s.fields(person("Doe", n)))
	}
	s.clock.Advance(20 * time.Minute)
	s.simulator.(*vendors.ServiceNow).Cancel = 1 << 20
	err := s.directory.sync(t.Context(), s.source, 4, nil)
	if said := failure.Of(err); said.Code != bridge.CodeSourceUnavailable || !strings.Contains(said.Hint, "page.size") {
		t.Errorf("%v, hint %q", err, said.Hint)
	}
	s.simulator.(*vendors.ServiceNow).Cancel = 0
	s.run(t)
	if n := len(s.directory.contacts); n != 12 {
		t.Errorf("%d of 12 contacts", n)
	}
}

// ServiceNow reads the times of queries in the zone of its user, whose clock shows an hour twice in autumn.
func TestServiceNowsHourThatComesTwice(t *testing.T) {
	s := newScene(t, serviceNow(), "")
	from := time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC) // the clock is set back at 9:00 UTC
	s.clock.Advance(from.Add(-time.Hour).Sub(s.clock.Now()))
	for n := range 40 { // every 6 minutes, for 4 hours
		s.clock.Advance(from.Add(time.Duration(n) * 6 * time.Minute).Sub(s.clock.Now()))
		s.store.Create(s.fields(person("Doe", n)))
		if n%3 == 0 {
			s.run(t)
		}
	}
	s.clock.Advance(time.Hour)
	s.run(t)
	if n := len(s.directory.contacts); n != 40 {
		t.Errorf("%d of 40 contacts", n)
	}
}

// A user and a password do what a token does.
func TestServiceNowTakesAPassword(t *testing.T) {
	s := newScene(t, serviceNow(), withCredentials(strings.ReplaceAll(serviceNow().text, "WRONG", ""), "user: sync\npassword: servicenow-acme\n"))
	s.store.Create(s.fields(person("Doe", 1)))
	s.clock.Advance(time.Hour)
	s.run(t)
	if n := len(s.directory.contacts); n != 1 {
		t.Errorf("%d contacts", n)
	}
}

// Shopify counts points: no query is sent that would be refused, and where others have used the points, they are waited for.
func TestShopifysPointsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, shopify(), credentialsOf(shopify()))
		simulator := s.simulator.(*vendors.Shopify)
		simulator.Most, simulator.Rate = 1000, 50
		for n := range 400 {
			s.store.Create(s.fields(person("Doe", n)))
		}
		s.clock.Advance(time.Hour)
		began := time.Now()
		if err := s.directory.sync(t.Context(), s.source, 1000, nil); err != nil {
			t.Fatal(err)
		}
		// Each page asks for its last second's customers again: here that is all of them, by their ids.
		if traffic := simulator.Traffic(); len(s.directory.contacts) != 400 || traffic.Throttled > 0 || time.Since(began) < 10*time.Second {
			t.Errorf("%d contacts of 400 after %v, %d of %d queries were throttled", len(s.directory.contacts), time.Since(began), traffic.Throttled, traffic.Requests)
		}
		simulator.Throttle(2)
		s.clock.Advance(time.Hour)
		s.run(t)
		if throttled := simulator.Traffic().Throttled; throttled != 2 {
			t.Errorf("%d queries were throttled", throttled)
		}
	})
}

// A page that costs more than Shopify lets a query cost is refused with what to do.
func TestShopifysPagesThatCostTooMuch(t *testing.T) {
	s := newScene(t, shopify(), credentialsOf(shopify())+"changes: {page: {size: 250}}\nfields: {photo_url: image.url}\n")
	s.clock.Advance(time.Hour)
	err := s.directory.sync(t.Context(), s.source, 10, nil)
	if said := failure.Of(err); said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Hint, "page.size") {
		t.Errorf("%v, hint %q", err, said.Hint)
	}
}

// A field that the API does not have is not taken for an empty one, nor is a search that it does not understand for one that finds nothing.
func TestShopifysErrorsAreNoAnswers(t *testing.T) {
	for what, text := range map[string]string{
		"a field": "fields: {company: taxCompany}\n", "a term": "changes: {body: {variables: {search: \"updated:>='{{since}}'\"}}}\n",
	} {
		s := newScene(t, shopify(), credentialsOf(shopify())+text)
		s.store.Create(s.fields(person("Doe", 1)))
		s.clock.Advance(time.Hour)
		if err := s.directory.sync(t.Context(), s.source, 10, nil); bridge.CodeOf(err) != bridge.CodeSourceBroken {
			t.Errorf("%s that is not there: %v", what, err)
		}
	}
}

// Freshsales may give fewer contacts than it is asked for, without a word: a page that is not full is not the last.
func TestFreshsalesCapsItsPages(t *testing.T) {
	for _, most := range []int{1, 7, 25, 100} {
		s := newScene(t, freshsales(), credentialsOf(freshsales()))
		s.simulator.(*vendors.Freshsales).PerPage = most
		for n := range 60 {
			s.store.Create(vendors.Fields{"last_name": fmt.Sprint("Doe ", n)})
		}
		s.simulator.Common().SetLimits()
		s.clock.Advance(time.Hour)
		if err := s.directory.sync(t.Context(), s.source, 20, nil); err != nil || len(s.directory.contacts) != 60 {
			t.Errorf("%d contacts a page: %d of 60 contacts, %v", most, len(s.directory.contacts), err)
		}
	}
}

// A page of the newest first ends a run where it reaches what was read before: it does not read all contacts each time.
func TestFreshsalesReadsOnlyWhatIsNew(t *testing.T) {
	s := newScene(t, freshsales(), "")
	for n := range 60 {
		s.store.Create(s.fields(person("Doe", n)))
		s.clock.Advance(time.Second)
	}
	s.clock.Advance(time.Hour)
	s.run(t)
	before := s.simulator.Common().Traffic().Requests
	s.clock.Advance(time.Hour)
	s.store.Update(s.store.NewID(30), s.fields(person("Changed", 1)))
	s.clock.Advance(time.Hour)
	s.run(t)
	if got := s.simulator.Common().Traffic().Requests - before; got > 6 || len(s.directory.changed) != 1 {
		t.Errorf("%d requests for %d contacts", got, len(s.directory.changed))
	}
}

// closeSearching is Close's configuration that docs/vendors.md has for an organization whose list takes no parameters.
func closeSearching(t *testing.T) tenant {
	text, err := os.ReadFile("../../docs/vendors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "TestClosesSearchDoesWhatItsListDoes -->\n```yaml\nsource:\n  kind: close\n  api_key: ${CLOSE_KEY}\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("docs/vendors.md has no configuration that searches Close")
	}
	v := closeCRM()
	block = strings.ReplaceAll(strings.ReplaceAll("\n"+block, "\n  ", "\n"), "size: 200", "size: 5")
	v.text = "api_key: api_acmeWRONG\n" + block + fast + suiteMapping(prefixed("custom.cf_", ""))
	v.flows = true
	open := v.new
	v.new = func(now func() time.Time) (vendors.Simulator, *vendors.Store) {
		s, store := open(now)
		s.(*vendors.Close).NoFilters = true
		s.(*vendors.Close).Zone, _ = time.LoadLocation("Asia/Tokyo")
		return s, store
	}
	return v
}

func TestClosesSearchDoesWhatItsListDoes(t *testing.T) {
	v := closeSearching(t)
	t.Run("suite", func(t *testing.T) { sourcetest.Run(t, v.target()) })
	t.Run("churn", func(t *testing.T) { churn(t, v, asked(t, "CHURN_RUNS", 3), 1) })
	t.Run("cap", func(t *testing.T) { // the error says so, and the next run goes on
		s := newScene(t, v, strings.ReplaceAll(strings.ReplaceAll(v.text, "WRONG", ""), "most: 10000", "most: 20"))
		s.simulator.(*vendors.Close).MostFound = 20
		for n := range 30 {
			s.store.Create(s.fields(person("Doe", n)))
			s.clock.Advance(24 * time.Hour)
		}
		err := s.directory.sync(t.Context(), s.source, 3, nil)
		if said := failure.Of(err); said.Code != bridge.CodeSourceBroken || !strings.Contains(said.Message, "no more than 20") {
			t.Errorf("%v", err)
		}
		s.run(t)
		if n := len(s.directory.contacts); n != 30 {
			t.Errorf("%d of 30 contacts after the next run", n)
		}
	})
	t.Run("cursor", func(t *testing.T) { // one that has expired starts the run again from its checkpoint
		s := newScene(t, v, "")
		for n := range 20 {
			s.store.Create(s.fields(person("Doe", n)))
			s.clock.Advance(time.Second)
		}
		s.clock.Advance(time.Hour)
		err := s.directory.sync(t.Context(), s.source, 5, func() { s.clock.Advance(40 * time.Second) })
		if bridge.CodeOf(err) != bridge.CodeInvalidOffset {
			t.Errorf("a run whose cursor expires: %v", err)
		}
		s.run(t)
		if n := len(s.directory.contacts); n != 20 {
			t.Errorf("%d of 20 contacts", n)
		}
	})
}

// A list that ignores its parameters is not taken for one in the order of changes.
func TestClosesListWithoutParametersIsRefused(t *testing.T) {
	s := newScene(t, closeCRM(), "")
	s.simulator.(*vendors.Close).NoFilters = true
	for n := range 60 {
		s.store.Create(s.fields(person("Doe", n)))
	}
	s.clock.Advance(time.Hour)
	if err := s.directory.sync(t.Context(), s.source, 20, nil); bridge.CodeOf(err) != bridge.CodeSourceBroken {
		t.Errorf("%v", err)
	}
}

// What Close's event log does not tell of, the contacts of a lead that was deleted among them, is found by a run over all contacts.
func TestClosesEventsDoNotTellOfAll(t *testing.T) {
	s := newScene(t, closeCRM(), "")
	s.simulator.(*vendors.Close).MostSkip = 0 // the list is never paged by _skip
	var ids []string
	for n := range 12 {
		ids = append(ids, s.store.Create(s.fields(person("Doe", n))))
	}
	s.clock.Advance(time.Hour)
	s.run(t)
	s.store.Delete(s.clock.Now(), ids[0])
	s.store.Purge(ids[1])
	s.clock.Advance(time.Hour)
	s.run(t)
	if !slices.Equal(s.directory.gone, ids[:1]) || len(s.directory.contacts) != 11 {
		t.Errorf("deleted are %v, %d contacts are left", s.directory.gone, len(s.directory.contacts))
	}
	s.clock.Advance(24 * time.Hour)
	s.run(t)
	if n := len(s.directory.contacts); n != 10 {
		t.Errorf("%d contacts are left after a day", n)
	}
}

// Close's list takes the time of a change under another name, after which records come: the keys of the preset say so.
func TestClosesOtherNameForTheTimeOfAChange(t *testing.T) {
	text := strings.ReplaceAll(closeCRM().text, "WRONG", "")
	text = strings.Replace(text, "changes: {page: {size: 5}}", `changes: {page: {size: 5}, query: {date_updated__gte: "", date_updated__gt: "{{since|rfc3339_us}}"}, since: {exclusive: true}}`, 1)
	s := newScene(t, closeCRM(), text)
	for n := range 30 {
		s.store.Put(s.clock.Now().Truncate(time.Second).Add(time.Duration(n/3)*time.Microsecond), s.store.NewID(n+1), s.fields(person("Doe", n)))
	}
	s.clock.Advance(time.Hour)
	s.run(t)
	if n := len(s.directory.contacts); n != 30 {
		t.Errorf("%d of 30 contacts", n)
	}
}
