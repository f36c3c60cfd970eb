package phone_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/phone"
)

// Every spelling of a number reads as that number again, and has no character that means something in a query.
func TestSpellingsReadAsTheirNumber(t *testing.T) {
	for _, c := range []struct {
		number, region string
		want           []string
	}{
		{"+442079460018", "GB", []string{"+442079460018", "020 7946 0018", "02079460018", "00442079460018", "+44 (0)20 7946 0018", "020-7946-0018", "2079460018"}},
		{"+14155552671", "US", []string{"(415) 555-2671", "415-555-2671", "415.555.2671", "+1-415-555-2671", "01114155552671", "4155552671"}},
		{"+493026550280", "DE", []string{"030 26550280", "030/26550280", "030-26550280", "+49 30 26550280", "+49 (0)30 26550280"}},
		{"+390612345678", "IT", []string{"06 1234 5678", "+39 06 1234 5678"}},
		{"+5511987654321", "BR", []string{"+5511987654321", "+551187654321"}},
		{"+33612345678", "FR", []string{"06 12 34 56 78", "0612345678", "+33 6 12 34 56 78"}},
	} {
		n := phone.Parse(c.number, "")
		got := phone.Spellings(n, c.region)
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s is not written %q: %q", c.number, want, got)
			}
		}
		if got[0] != c.number || len(got) > 60 {
			t.Errorf("%s: %d spellings, the first %q", c.number, len(got), got[0])
		}
		for _, spelled := range got {
			if strings.Trim(spelled, "0123456789 +()-./") != "" {
				t.Errorf("%s: %q", c.number, spelled)
			}
			if again := phone.Parse(spelled, c.region); again.E164 != c.number && len(phone.Respell(n, c.region)) == 0 && !slices.ContainsFunc(phone.Others(spelled, c.region), func(o phone.Number) bool { return o.E164 == c.number }) {
				t.Errorf("%s is written %q, which reads as %q", c.number, spelled, again.E164)
			}
		}
	}
	if got := phone.Spellings(phone.Parse("0000000000", "US"), "US"); got != nil {
		t.Errorf("%q", got)
	}
}
