package phone_test

import (
	"slices"
	"testing"

	"github.com/contactbridge/contactbridge/phone"
)

// respelled has numbers of each renumbering as they were written before and after it, and the region in which the old one was
// written.
var respelled = []struct{ old, region, now string }{
	{"+54 11 2345 6789", "", "+54 9 11 2345 6789"},
	{"+229 97 12 34 56", "", "+229 01 97 12 34 56"},
	{"97 12 34 56", "BJ", "+229 01 97 12 34 56"},
	{"+55 11 9876-5432", "", "+55 11 99876-5432"},
	{"(11) 9876-5432", "BR", "+55 11 99876-5432"},
	{"+225 07 12 34 56", "", "+225 07 07 12 34 56"},
	{"07 12 34 56", "CI", "+225 07 07 12 34 56"},
	{"+225 05 12 34 56", "", "+225 05 05 12 34 56"},
	{"+225 40 12 34 56", "", "+225 01 40 12 34 56"},
	{"+225 20 21 22 23", "", "+225 27 20 21 22 23"},
	{"+225 22 40 15 16", "", "+225 27 22 40 15 16"},
	{"+57 1 234 5678", "", "+57 601 234 5678"},
	{"(1) 234 5678", "CO", "+57 601 234 5678"},
	{"+39 6 6981 2345", "", "+39 06 6981 2345"},
	{"0335 123 4567", "IT", "+39 335 123 4567"},
	{"8 044 234-56-78", "UA", "+380 44 234 56 78"},
	{"8 (044) 234-56-78", "", "+380 44 234 56 78"},
	{"+84 168 123 4567", "", "+84 38 123 4567"},
	{"0123 456 7890", "VN", "+84 83 456 7890"},
	{"+84 4 3825 1234", "", "+84 24 3825 1234"},
}

func TestBothSpellingsOfARenumberingFindEachOther(t *testing.T) {
	for _, c := range respelled {
		old, now := phone.Parse(c.old, c.region), phone.Parse(c.now, c.region)
		if !now.Valid {
			t.Errorf("%s is not valid", c.now)
		}
		for _, way := range []struct{ from, to phone.Number }{{old, now}, {now, old}} {
			found := phone.Respell(way.from, c.region)
			if !slices.ContainsFunc(found, func(r phone.Respelling) bool { return r.Digits == way.to.Digits && r.Full == way.to.Valid }) {
				t.Errorf("%s (%s) is not found from %s: %+v", way.to.Raw, way.to.Digits, way.from.Raw, found)
			}
		}
	}
}

func TestAnOldSpellingThatIsSomebodyElsesTodayIsNotTried(t *testing.T) {
	for _, c := range []struct{ number, region string }{
		{"+84 28 3812 3456", ""}, // 08 3812 3456 of old is a mobile number of today
		{"+39 332 1234567", ""},  // 0332 1234567 is in Varese
		{"+44 20 7946 0018", ""},
		{"+1 415 555 0100", ""},
	} {
		for _, r := range phone.Respell(phone.Parse(c.number, c.region), c.region) {
			if phone.Parse("+"+r.Digits, "").Valid {
				t.Errorf("%s: %+v", c.number, r)
			}
		}
	}
}

// Mexico's old spelling needs no other spelling: it is read as the new number.
func TestMexicosOldSpellingIsReadAsTheNewNumber(t *testing.T) {
	if old := phone.Parse("+52 1 55 1234 5678", ""); old.E164 != "+525512345678" {
		t.Errorf("read as %q", old.E164)
	}
}

func TestEveryRenumberingHasItsDateAndSource(t *testing.T) {
	for _, r := range phone.Renumberings() {
		if len(r.Date) < 10 || r.Source == "" || r.What == "" || !phone.KnownRegion(r.Region) {
			t.Errorf("%+v", r)
		}
	}
}

func FuzzRespell(f *testing.F) {
	for _, c := range respelled {
		f.Add(c.old, c.region)
		f.Add(c.now, c.region)
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		n := phone.Parse(raw, region)
		for _, r := range phone.Respell(n, region) {
			if r.Digits == n.Digits || r.By == nil || r.Full && !phone.Parse("+"+r.Digits, "").Valid {
				t.Errorf("%q in %q: %+v", raw, region, r)
			}
		}
	})
}

func TestFormatNational(t *testing.T) {
	for number, want := range map[string]string{"+442079460018": "020 7946 0018", "+14155550100": "(415) 555-0100", "2041": "2041", "": ""} {
		if got := phone.FormatNational(number); got != want {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
}
