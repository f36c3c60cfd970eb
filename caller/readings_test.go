package caller_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
)

func TestInternationalDigitsWithoutTheirPlusAreFoundInEveryCountry(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "DE", person{"german", []string{"+49 1511 0000019"}}, person{"french", []string{"+33 1 40 00 00 19"}}, person{"british", []string{"+44 20 7946 0018"}},
		person{"american", []string{"+1 415 555 0100"}}, person{"austrian", []string{"+43 1 58858"}})
	for number, id := range map[string]string{
		"4915110000019": "german", "33140000019": "french", "442079460018": "british", "14155550100": "american", "43158858": "austrian",
		"sip: 4915110000019@pbx": "german", "sip:33140000019@10.0.0.1:5060": "french", "442079460018@10.0.0.1": "british", "+442079460018@10.0.0.1": "british",
	} {
		for _, region := range []string{"", "DE", "FR", "GB", "US", "IT", "AT", "CH", "BR", "JP"} {
			a := lookup(t, store, number, region, caller.LookupOptions{})
			if len(a.Matches) == 0 || a.Matches[0].How != caller.Exact || a.Matches[0].ID != id || a.E164 == "" && region != "" {
				t.Errorf("%q in %s: %q (%s)", number, region, found(a), a.E164)
			}
		}
	}
}

// TestInternationalDigitsWithoutTheirPlusAreFoundAcrossRenumberings: as they are with their +.
func TestInternationalDigitsWithoutTheirPlusAreFoundAcrossRenumberings(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "DE", person{"mexico", []string{"+52 1 55 1234 5679"}}, person{"brazil", []string{"+55 11 9876-5436"}}, person{"colombia", []string{"+57 1 234 5679"}},
		person{"benin", []string{"+229 97 12 34 57"}}, person{"italy", []string{"+39 6 6982 1239"}}, person{"argentina", []string{"+54 9 351 423 4561"}},
		person{"today", []string{"+55 11 98765-0000"}})
	for number, id := range map[string]string{
		"5215512345679": "mexico", "525512345679": "mexico", "5511998765436": "brazil", "576012345679": "colombia", "2290197123457": "benin",
		"390669821239": "italy", "543514234561": "argentina", "551187650000": "today",
	} {
		for _, region := range []string{"DE", "AT", "JP", "IN", "ID", "US", "BR", "CN", "FI"} {
			a := lookup(t, store, number, region, caller.LookupOptions{})
			if len(a.Matches) == 0 || a.Matches[0].ID != id || a.Matches[0].How != caller.Exact && a.Matches[0].How != caller.Renumbered {
				t.Errorf("%q in %s: %q", number, region, found(a))
			}
		}
	}
	fill(t, store, "erp", "DE", person{"national", []string{"+49 5511998765436"}})
	a := lookup(t, store, "5511998765436", "DE", caller.LookupOptions{})
	wantFound(t, a, "exact national")
}

func TestTheNationalReadingComesFirst(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "DE", person{"national", []string{"+49 33140000019"}}, person{"french", []string{"+33 1 40 00 00 19"}})
	a := lookup(t, store, "33140000019", "DE", caller.LookupOptions{})
	wantFound(t, a, "exact national")
	if a.E164 != "+4933140000019" {
		t.Errorf("read as %s", a.E164)
	}
	record, err := caller.Attribute(t.Context(), store, directory.Key{Account: account, Integration: "crm"}, caller.Subject{Number: "442079460018", Region: "DE"})
	if err != nil || record.Record != nil {
		t.Errorf("%+v, %v", record, err)
	}
}

func TestAPlaceholderNamesNobody(t *testing.T) {
	dummies := []string{"0000000000", "000", "+0000000000", "1111111111", "+1 555 555 5555", "(555) 555-5555", "99999", "123456789", "1234567890", "0123456789", "4.91511E+12", "12"}
	store := newStore(t)
	fill(t, store, "crm", "US", person{"dummy", dummies})
	for _, number := range append(dummies, "+15555555555", "+10000000000") {
		a := lookup(t, store, number, "US", caller.LookupOptions{All: true})
		if len(a.Matches) > 0 || a.Note == "" {
			t.Errorf("%q is %q, %q", number, found(a), a.Note)
		}
		got, err := caller.Attribute(t.Context(), store, directory.Key{Account: account, Integration: "crm"}, caller.Subject{Number: number, Region: "US"})
		if err != nil || got.Record != nil || got.Reason == "" {
			t.Errorf("%q is attributed to %+v, %v", number, got, err)
		}
	}
	if numbers := caller.Numbers(dummies, "US"); len(numbers) > 0 {
		t.Errorf("the directory keeps %+v", numbers)
	}
	extensions := []string{"2041", "112", "2222", "1234"}
	if numbers := caller.Numbers(extensions, "DE"); len(numbers) != len(extensions) {
		t.Errorf("of the extensions %q the directory keeps %+v", extensions, numbers)
	}
}

func TestCellsOfForeignBridgesAreTakenApart(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want int
	}{
		{"07911123468;02079460111", 2},
		{"07911123468 ::: 02079460111", 2},
		{`[{"value":"07911123468"},{"value":"02079460111"},{"value":"12345"}]`, 3},
		{"07911123468, 87654322", 2},
		{"020 7946 0111", 1},
	} {
		if got := caller.Numbers([]string{c.raw}, "GB"); len(got) != c.want {
			t.Errorf("%q: %+v, want %d", c.raw, got, c.want)
		}
	}
}
