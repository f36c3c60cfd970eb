package caller_test

import (
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
)

func TestARangeIsReadOrRefusedWithAHint(t *testing.T) {
	for text, want := range map[string]string{
		"+4420794600xx: Example Ltd":      "+4420794600xx: Example Ltd",
		"+44 20 7946-00XX:Example":        "+4420794600xx: Example",
		"+4420794600: Example":            "",
		"4420794600xx: Example":           "",
		"+4420794600xx":                   "",
		"+4420794600xx:  ":                "",
		"+44207x4600xx: Example":          "",
		"+44xxxxxx: Example":              "",
		"+442079460000000xx: Example Ltd": "",
	} {
		r, err := caller.ParseRange(text)
		if (err != nil) != (want == "") || err == nil && r.String() != want {
			t.Errorf("%q: %v, %v", text, r, err)
		}
		if err != nil && failure.Of(err).Hint == "" {
			t.Errorf("%q: no hint", text)
		}
	}
}

func TestAPolicyIsReadOrRefused(t *testing.T) {
	for _, c := range []struct {
		words []string
		ok    bool
	}{{nil, true}, {[]string{"newest"}, true}, {[]string{"company", "priority"}, true}, {[]string{"oldest"}, false}, {[]string{"newest", "newest"}, false}} {
		if _, err := caller.ParsePolicy(c.words); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.words, err)
		}
	}
}

// TestARangeIsNeverUsedForAttribution: something would be attached to a stranger's record.
func TestARangeIsNeverUsedForAttribution(t *testing.T) {
	store := callsOfAllRegions(t)
	a, err := caller.Attribute(t.Context(), store, directory.Key{Account: account, Integration: "crm"}, caller.Subject{Number: "+441614960177"})
	if err != nil || a.Record != nil || len(a.Candidates) > 0 || a.Reason == "" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err = caller.Attribute(t.Context(), store, directory.Key{Account: account, Integration: "crm"}, caller.Subject{Number: "+5511998765432"}); err != nil || a.Record == nil || a.Record.How != caller.Renumbered {
		t.Errorf("a renumbered contact is not attributed: %+v, %v", a, err)
	}
}

func TestRangesAreNotDerivedWhereTheAccountSaysSo(t *testing.T) {
	store := callsOfAllRegions(t)
	wantFound(t, lookup(t, store, "+441614960177", "GB", caller.LookupOptions{}), "range ")
	wantFound(t, lookup(t, store, "+441614960177", "GB", caller.LookupOptions{Rules: caller.Rules{NoDerive: true}}))
}

func TestARangeIsDerivedFromNumbersAsTheyAreWritten(t *testing.T) {
	store := newStore(t)
	fillContacts(t, store, "crm", "US", true, someone("1", "A", "Works", "(415) 555-2671"), someone("2", "B", "Works", "(415) 555-2672"), someone("3", "C", "Works", "(415) 555-2673"))
	wantFound(t, lookup(t, store, "+14155552699", "DE", caller.LookupOptions{Rules: caller.Rules{Region: "US"}}), "range ")
}

func TestNewestDecidesBetweenRuns(t *testing.T) {
	store := newStore(t)
	fillContacts(t, store, "crm", "GB", true, someone("1", "Ann", "A", "020 7946 0018"), someone("2", "Bob", "B", "020 7946 0018"))
	if a := lookup(t, store, "+442079460018", "GB", caller.LookupOptions{}); a.Reason != caller.Ambiguous || a.Named != nil {
		t.Errorf("two contacts of one run: %+v", a)
	}
	time.Sleep(2 * time.Millisecond)
	fillContacts(t, store, "crm", "GB", false, someone("2", "Rob", "B", "020 7946 0018"))
	a := lookup(t, store, "+442079460018", "GB", caller.LookupOptions{})
	if a.Named == nil || a.Named.Name != "Rob" || a.Named.By != caller.ByNewest || a.Matches[0].ID != "2" {
		t.Errorf("%+v", a)
	}
	if a := lookup(t, store, "+442079460018", "GB", caller.LookupOptions{Rules: caller.Rules{Policy: []caller.Criterion{}}}); a.Reason != caller.Ambiguous {
		t.Errorf("without a policy: %+v", a)
	}
}

func TestNumbersAreWrittenAsAsked(t *testing.T) {
	store := callsOfAllRegions(t)
	for spelling, want := range map[caller.Spelling][2]string{
		caller.AsAsked:          {"020-7946-0111", "020 7946 0111"},
		caller.E164Spelling:     {"+442079460111", "+442079460111"},
		caller.NationalSpelling: {"020 7946 0111", "020 7946 0111"},
	} {
		a := lookup(t, store, "020-7946-0111", "GB", caller.LookupOptions{Explain: true})
		a.Spell(spelling)
		if a.Number != want[0] || a.Matches[0].Number != want[1] || a.Explanation.Candidates[0].Number != want[1] {
			t.Errorf("%s: %q, %q", spelling, a.Number, a.Matches[0].Number)
		}
	}
	if _, err := caller.ParseSpelling("E.164"); err == nil {
		t.Error("an unknown spelling is accepted")
	}
}
