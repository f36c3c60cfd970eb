package caller

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// TestVersionOfNumbersFollowsWhatTheyAre: directories leave a contact alone whose phones say the same, as long as the version does.
func TestVersionOfNumbersFollowsWhatTheyAre(t *testing.T) {
	t.Parallel()
	digest := sha256.New()
	random := rand.New(rand.NewPCG(1, 2))
	read := func(region string, phones ...string) {
		for _, n := range Numbers(phones, region) {
			fmt.Fprintf(digest, "%q ", []string{n.Raw, n.E164, n.Match, n.Extension})
		}
		fmt.Fprintln(digest, region)
	}
	regions := slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
	for _, region := range append(regions, "") {
		for range 25 {
			length, text := 3+random.IntN(10), ""
			for range length {
				text += string(rune('0' + random.IntN(10)))
			}
			read(region, text, "0"+text, "+"+text, text[:3]+"-"+text[3:]+" ext. 12", "+"+text+" / 0"+text, "("+text[:2]+") "+text[2:])
		}
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			for _, form := range []phonenumbers.PhoneNumberFormat{phonenumbers.E164, phonenumbers.INTERNATIONAL, phonenumbers.NATIONAL, phonenumbers.RFC3966} {
				read(region, phonenumbers.Format(example, form))
			}
		}
		read(region, "0000000000", "12", "n/a", "call 030 1234567", "1-800-FLOWERS", "00 49 30 1234567", "011 44 20 7946 0018", "*31#", "+1 415 555 2671;ext=5")
	}
	if version := hex.EncodeToString(digest.Sum(nil)[:8]); version != numbersVersion {
		t.Errorf("what Numbers makes of phones has changed: set numbersVersion to %q, so that directories read every contact's numbers anew", version)
	}
}
