package caller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// fillContacts stores contacts as one complete run of an integration, or adds them by an incremental one.
func fillContacts(t testing.TB, store directory.Store, integration, region string, full bool, contacts ...contact.Contact) {
	t.Helper()
	key := directory.Key{Account: account, Integration: integration}
	run, err := store.StartRun(t.Context(), key, directory.Start{Full: full, Lease: time.Minute, FreshFor: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1, Checkpoint: "c"}
	for _, c := range contacts {
		page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, region)})
	}
	if err := store.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
}

func someone(id, name, company string, phones ...string) contact.Contact {
	return contact.Contact{ID: id, Name: name, Company: company, Phones: phones}
}

// callsOfAllRegions fills a directory as an account with customers everywhere has it.
func callsOfAllRegions(t testing.TB) directory.Store {
	store := newStore(t)
	fillContacts(t, store, "crm", "GB", true,
		someone("jane", "Jane Doe", "Acme", "020 7946 0018"),
		someone("pair-1", "Ann Lee", "Lee Ltd", "020 7946 0111"), someone("pair-2", "Bob Lee", "Lee Ltd", "020 7946 0111"),
		someone("two-1", "Ann Ray", "Ray Ltd", "020 7946 0222"), someone("two-2", "Bob Ray", "Fox Ltd", "020 7946 0222"),
		someone("same", "Doe, John", "Acme", "020 7946 0333"),
		someone("desk-1", "One", "Range Ltd", "+44 161 496 0101"), someone("desk-2", "Two", "range ltd", "+44 161 496 0102"),
		someone("desk-3", "Three", "Range Ltd", "+44 161 496 0103"),
		someone("mixed-1", "A", "This Ltd", "+44 117 496 0101"), someone("mixed-2", "B", "This Ltd", "+44 117 496 0102"),
		someone("mixed-3", "C", "This Ltd", "+44 117 496 0103"), someone("mixed-4", "D", "That Ltd", "+44 117 496 0199"),
		someone("mobile-1", "A", "Fleet Ltd", "+44 7400 123401"), someone("mobile-2", "B", "Fleet Ltd", "+44 7400 123402"),
		someone("mobile-3", "C", "Fleet Ltd", "+44 7400 123403"),
		someone("bare", "Bare", "", "0711 2842222-x"), someone("american", "Al", "", "(415) 555-0100-x"),
		someone("us", "Sam", "", "+1 415 555 0177"),
		someone("br", "Bia", "", "+55 11 9876-5432"), someone("ci", "Aya", "", "+225 07 12 34 56"), someone("bj", "Koffi", "", "+229 97 12 34 56"),
		someone("co", "Luz", "", "+57 1 234 5678"), someone("vn", "Linh", "", "+84 168 123 4567"), someone("mx", "Eva", "", "+52 1 55 1234 5678"),
		someone("ar", "Sol", "", "+54 9 11 2345 6789"), someone("ua", "Olha", "", "8 (044) 234-56-78"), someone("it", "Ugo", "", "+39 6 6981 2345"),
		someone("it-new", "Ada", "", "+39 02 3456 7890"),
		someone("desk", "Front desk", "", "2041"),
	)
	fillContacts(t, store, "help", "GB", true, someone("9", "John Doe", "Acme", "020 7946 0333"), someone("8", "Other", "Elsewhere", "020 7946 0018"))
	fillContacts(t, store, "spam", "GB", true, someone("s1", "Sales robot", "", "020 7946 0999"), someone("s2", "Listed", "", "020 7946 0333"))
	fillContacts(t, store, "friends", "GB", true, someone("f1", "Partner", "", "020 7946 0999"))
	return store
}

// rulesOfAllRegions are those of the account.
func rulesOfAllRegions(t testing.TB) caller.Rules {
	configured, err := caller.ParseRange("+44 141 496 00xx: Glasgow Works")
	if err != nil {
		t.Fatal(err)
	}
	return caller.Rules{
		Ranges: []caller.NumberRange{configured},
		Integrations: map[string]caller.Integration{
			"crm":     {Priority: 1, Fresh: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
			"spam":    {Role: caller.Block},
			"friends": {Role: caller.Allow, Priority: 1},
		},
	}
}

func TestEveryCallIsExplained(t *testing.T) {
	store, rules := callsOfAllRegions(t), rulesOfAllRegions(t)
	for _, c := range []struct {
		number, region string
		reason         caller.Reason
		named          string
		by             caller.By
		list           caller.Role
		why            string // part of it
	}{
		{"020 7946 0018", "GB", "exact", "Jane Doe", caller.ByPriority, "", "Its integration has priority"},
		{"+44 20 7946 0018", "", "exact", "Jane Doe", caller.ByPriority, "", "Rule exact"},
		{"+442079460111", "GB", "exact", "Lee Ltd", caller.ByCompany, "", "share this company"},
		{"+442079460222", "GB", "ambiguous", "", "", "", "2 contacts agree equally well, and the policy (priority, company, newest) does not decide"},
		{"+442079460333", "GB", "exact", "Doe, John", caller.ByPriority, caller.Block, "has priority"},
		{"+442079460999", "GB", "exact", "Partner", caller.ByPriority, caller.Allow, "has priority"},
		{"+441614960177", "GB", "range", "Range Ltd", caller.ByRange, "", "a number among those of 3 contacts of the company"},
		{"0161 496 0177", "GB", "range", "Range Ltd", caller.ByRange, "", "the company has the range"},
		{"+441174960177", "GB", "unknown", "", "", "", "No contact has this number."},
		{"+447400123477", "GB", "unknown", "", "", "", ""},
		{"+441414960055", "GB", "range", "Glasgow Works", caller.ByRange, "", "a range that is configured"},
		{"+441414960155", "GB", "unknown", "", "", "", ""},
		{"(415) 555-0177", "DE", "wrong_region", "", "", "", "Read as a number of US"},
		{"(415) 555-0177", "US", "exact", "Sam", caller.ByOnly, "", "One contact agrees best"},
		{"415 555 0177", "", "national", "Sam", caller.ByOnly, "", "read in its country"},
		{"+5511998765432", "", "renumbered", "Bia", caller.ByOnly, "", "BR, 2012-07-29/2016-11-06: mobile numbers got a ninth digit"},
		{"+2250707123456", "", "renumbered", "Aya", caller.ByOnly, "", "CI, 2021-01-31"},
		{"+2290197123456", "", "renumbered", "Koffi", caller.ByOnly, "", "BJ, 2024-11-30"},
		{"+576012345678", "", "renumbered", "Luz", caller.ByOnly, "", "CO, 2021-09-01"},
		{"+84381234567", "", "renumbered", "Linh", caller.ByOnly, "", "VN, 2018-09-15"},
		{"+525512345678", "", "exact", "Eva", caller.ByOnly, "", ""},
		{"+541123456789", "", "renumbered", "Sol", caller.ByOnly, "", "AR, 1999-01-24"},
		{"+380442345678", "", "renumbered", "Olha", caller.ByOnly, "", "UA, 2009-10-14"},
		{"+390669812345", "", "renumbered", "Ugo", caller.ByOnly, "", "IT, 1998-06-19/1998-12-18"},
		{"+39234567890", "", "renumbered", "Ada", caller.ByOnly, "", "IT, 1998"},
		{"2041", "GB", "exact", "Front desk", caller.ByOnly, "", ""},
		{"2042", "GB", "unknown", "", "", "", ""},
		{"555-0177", "US", "suffix_only", "", "", "", "Only the last digits"},
		{"0000000000", "GB", "dummy", "", "", "", "placeholder"},
		{"anonymous", "GB", "withheld", "", "", "", "does not show a number"},
		{"Jane", "GB", "invalid", "", "", "", "not a phone number"},
		{"0999 999 9999 999", "GB", "invalid", "", "", "", "not a number of that country"},
		{"0171 8888 123", "", "wrong_region", "", "", "", "the account has no region"},
		{"+33 1 42 68 53 00", "GB", "unknown", "", "", "", ""},
		{"0x3c", "GB", "invalid", "", "", "", ""},
	} {
		a := lookup(t, store, c.number, c.region, caller.LookupOptions{Explain: true, Rules: rules})
		name, by := "", caller.By("")
		if a.Named != nil {
			name, by = a.Named.Name, a.Named.By
		}
		if a.Reason != c.reason || name != c.named || by != c.by || a.List != c.list {
			t.Errorf("%s in %q: %s, named %q by %q, list %q, want %s, %q by %q, list %q", c.number, c.region, a.Reason, name, by, a.List, c.reason, c.named, c.by, c.list)
		}
		e := a.Explanation
		if e == nil || !strings.Contains(e.Why, c.why) || e.Why == "" || e.Read == "" || e.Region != c.region {
			t.Errorf("%s in %q: explanation %+v, want one that says %q", c.number, c.region, e, c.why)
			continue
		}
		if got := byHand(a, &rules); got != name {
			t.Errorf("%s in %q: the explanation leads to %q, the answer names %q", c.number, c.region, got, name)
		}
		checkExplanation(t, a)
	}
}

// checkExplanation checks what holds of every explanation.
func checkExplanation(t interface{ Errorf(string, ...any) }, a caller.Answer) {
	chosen := 0
	for _, c := range a.Explanation.Candidates {
		if c.Chosen {
			chosen++
			if a.Named == nil || a.Named.Name != c.Name || c.Not != "" {
				t.Errorf("%s: %+v is marked as chosen, %+v is named", a.Number, c, a.Named)
			}
		} else if c.Not == "" {
			t.Errorf("%s: no word on why %s %s does not name the call", a.Number, c.Integration, c.ID)
		}
		if c.Rule == "" || c.Role == "" {
			t.Errorf("%s: candidate %+v", a.Number, c)
		}
	}
	want := 0
	if a.Named != nil && a.Named.By != caller.ByCompany {
		want = 1
	}
	if chosen != want {
		t.Errorf("%s: %d candidates are marked as chosen, want %d", a.Number, chosen, want)
	}
}

// byHand applies an explanation as a person would who reads the documentation: it knows the candidates and the policy, and none of the
// code that is tested.
func byHand(a caller.Answer, rules *caller.Rules) string {
	order := map[caller.How]int{caller.Exact: 1, caller.National: 2, caller.Renumbered: 3, caller.Range: 4}
	extension := func(c caller.Candidate) int {
		switch {
		case c.Extension == a.Extension:
			return 0
		case c.Extension == "" || a.Extension == "":
			return 1
		}
		return 2
	}
	for _, lists := range []bool{false, true} {
		var best []caller.Candidate
		for _, c := range a.Explanation.Candidates {
			if order[c.How] == 0 || (c.Role != caller.Contacts) != lists {
				continue
			}
			rank := [2]int{order[c.How], extension(c)}
			if len(best) > 0 {
				first := [2]int{order[best[0].How], extension(best[0])}
				if slices.Compare(rank[:], first[:]) > 0 {
					continue
				}
				if slices.Compare(rank[:], first[:]) < 0 {
					best = nil
				}
			}
			best = append(best, c)
		}
		if len(best) == 0 {
			continue
		}
		return decideByHand(best, a.Explanation.Policy)
	}
	return ""
}

func decideByHand(best []caller.Candidate, policy []caller.Criterion) string {
	priority := func(c caller.Candidate) int {
		if c.Priority == 0 {
			return 1 << 40
		}
		return c.Priority
	}
	keep := func(better func(a, b caller.Candidate) bool) {
		var kept []caller.Candidate
		for _, c := range best {
			if !slices.ContainsFunc(best, func(other caller.Candidate) bool { return better(other, c) }) {
				kept = append(kept, c)
			}
		}
		best = kept
	}
	one := func() string { // the name that all have: of the record with priority, then the newest
		for _, c := range best {
			if !sameWords(c.Name, best[0].Name) {
				return ""
			}
		}
		keep(func(a, b caller.Candidate) bool { return priority(a) < priority(b) })
		keep(func(a, b caller.Candidate) bool { return a.Changed.After(b.Changed) })
		return best[0].Name
	}
	if name := one(); name != "" {
		return name
	}
	for _, criterion := range policy {
		switch criterion {
		case caller.Priority:
			keep(func(a, b caller.Candidate) bool { return priority(a) < priority(b) })
		case caller.Company:
			shared := best[0].Company != ""
			for _, c := range best {
				shared = shared && sameWords(c.Company, best[0].Company)
			}
			if shared {
				return best[0].Company
			}
		case caller.Newest:
			keep(func(a, b caller.Candidate) bool { return a.Changed.After(b.Changed) })
		}
		if name := one(); name != "" {
			return name
		}
	}
	return ""
}

func sameWords(a, b string) bool { return strings.EqualFold(a, b) }

// TestAnExplanationLeadsToItsAnswer asks about numbers of random directories by random policies.
func TestAnExplanationLeadsToItsAnswer(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		store := &memory{}
		integrations := []string{"a", "b", "c"}
		rules := caller.Rules{Integrations: map[string]caller.Integration{}, NoDerive: rapid.Bool().Draw(r, "no derive")}
		for _, i := range integrations {
			rules.Integrations[i] = caller.Integration{
				Priority: rapid.IntRange(0, 2).Draw(r, "priority"),
				Role:     rapid.SampledFrom([]caller.Role{"", caller.Contacts, caller.Contacts, caller.Block, caller.Allow}).Draw(r, "role"),
			}
		}
		rules.Policy = rapid.SliceOfNDistinct(rapid.SampledFrom(caller.DefaultPolicy), 0, 3, func(c caller.Criterion) caller.Criterion { return c }).Draw(r, "policy")
		if rules.Policy == nil {
			rules.Policy = []caller.Criterion{}
		}
		number := rapid.Custom(func(r *rapid.T) string {
			n := rapid.SampledFrom([]string{
				"+44 161 496 010%d", "0161 496 010%d", "161 496 010%d", "+44 161 496 01%d0", "+55 11 9876-543%d", "+55 11 99876-543%d", "+54 9 11 2345 678%d",
				"+54 11 2345 678%d", "(415) 555-010%d", "+1 415 555 010%d", "55-010%d", "204%d",
			}).Draw(r, "shape")
			return fmt.Sprintf(n, rapid.IntRange(1, 3).Draw(r, "digit")) + rapid.SampledFrom([]string{"", "", "", " x12", " x34"}).Draw(r, "extension")
		})
		region := rapid.SampledFrom([]string{"GB", "US", "BR", ""}).Draw(r, "region")
		for i := range rapid.IntRange(0, 12).Draw(r, "contacts") {
			store.add(rapid.SampledFrom(integrations).Draw(r, "integration"), time.UnixMilli(rapid.Int64Range(0, 2).Draw(r, "changed")), contact.Contact{
				ID: fmt.Sprint(i), Name: rapid.SampledFrom([]string{"Ann", "ann", "Bob"}).Draw(r, "name"),
				Company: rapid.SampledFrom([]string{"", "Acme", "ACME", "Fox"}).Draw(r, "company"), Phones: []string{number.Draw(r, "number")},
			}, region)
		}
		asked := number.Draw(r, "asked")
		a, err := caller.Lookup(t.Context(), store, account, asked, region, caller.LookupOptions{Limit: 100, Explain: true, Rules: rules, All: rapid.Bool().Draw(r, "all")})
		if err != nil {
			r.Fatal(err)
		}
		name := ""
		if a.Named != nil {
			name = a.Named.Name
		}
		if got := byHand(a, &rules); got != name {
			r.Errorf("%s in %q: the explanation leads to %q, the answer names %q: %+v", asked, region, got, name, a)
		}
		checkExplanation(r, a)
		plain, err := caller.Lookup(t.Context(), store, account, asked, region, caller.LookupOptions{Limit: 100, Rules: rules})
		if err != nil || (plain.Named == nil) != (a.Named == nil) || plain.Named != nil && *plain.Named != *a.Named {
			r.Errorf("%s in %q: named %+v with an explanation, %+v without, %v", asked, region, a.Named, plain.Named, err)
		}
	})
}
