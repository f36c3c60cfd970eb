package phone

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// What is known without the library is what the library says.
func TestMobilesAndNationalSpellingsAreTheLibrarys(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	mobile := 0
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.TOLL_FREE, phonenumbers.VOIP, phonenumbers.PAGER} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			for range 8 {
				text := []byte(phonenumbers.Format(example, phonenumbers.E164))
				for range random.IntN(4) {
					text[len(text)-1-random.IntN(6)] = byte('0' + random.IntN(10))
				}
				e164 := string(text)
				parsed, err := phonenumbers.Parse(e164, "")
				if err != nil || phonenumbers.Format(parsed, phonenumbers.E164) != e164 {
					continue
				}
				want := phonenumbers.GetNumberType(parsed) == phonenumbers.MOBILE
				if got := IsMobile(e164); got != want {
					t.Errorf("%s of %s is a mobile's: %t, want %t", e164, region, got, want)
				}
				if want {
					mobile++
				}
				if got, want := FormatNational(e164), phonenumbers.Format(parsed, phonenumbers.NATIONAL); got != want {
					t.Errorf("%s of %s is written %q, want %q", e164, region, got, want)
				}
			}
		}
	}
	if mobile < 500 {
		t.Error(fmt.Sprint(mobile, " mobiles only"))
	}
	for _, text := range []string{"", "+", "+1", "4479", "+999123", "+44 7911 123456", "+49abc"} {
		if IsMobile(text) != (text == "+44 7911 123456") {
			t.Errorf("%q", text)
		}
	}
}

func BenchmarkIsMobile(b *testing.B) {
	for b.Loop() {
		IsMobile("+4917139200001")
	}
}

func BenchmarkFormatNational(b *testing.B) {
	for b.Loop() {
		FormatNational("+4917139200001")
	}
}
