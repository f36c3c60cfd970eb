package phone

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// An outcome is the result of reading a spelling.
type outcome struct {
	digits string // country code and national number; empty where nothing was understood
	valid  bool
	region string // where it is valid
}

// byLibrary returns the library's reading of a spelling. A number that is too long for E.164 is not valid.
func byLibrary(text, region string) outcome {
	p, err := phonenumbers.Parse(text, region)
	if err != nil {
		return outcome{}
	}
	o := outcome{digits: phonenumbers.Format(p, phonenumbers.E164)[1:]}
	if o.valid = phonenumbers.IsValidNumber(p) && len(o.digits) <= maxE164; o.valid {
		o.region = phonenumbers.GetRegionCodeForNumber(p)
	}
	return o
}

// byTables returns the reading of the tables alone; ok is false where they would ask the library.
func byTables(text, region string) (o outcome, ok bool) {
	var d dialled
	var r reading
	if !d.scan(text) || !d.read(&r, planOf(region)) {
		return outcome{}, false
	}
	o = outcome{digits: string(r.appendDigits(nil)), valid: r.valid()}
	if o.valid {
		o.region = r.owner.region
	}
	return o, true
}

// agree compares both on one spelling and counts how often the tables answer.
func agree(t *testing.T, text, region string, asked, answered *int) {
	t.Helper()
	*asked++
	got, ok := byTables(text, region)
	if !ok {
		return
	}
	*answered++
	want := byLibrary(text, region)
	if !got.valid && !want.valid && len(digitsOf(text)) < 3 {
		return // no number either way, and too few digits to be kept
	}
	if got != want {
		t.Errorf("%q in %s: tables say %+v, the library %+v", text, region, got, want)
	}
}

// exampleNumbers returns the library's examples of every type that a region has.
func exampleNumbers(region string) []*phonenumbers.PhoneNumber {
	var numbers []*phonenumbers.PhoneNumber
	for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
		if n := phonenumbers.GetExampleNumberForType(region, kind); n != nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func TestTablesAgreeWithTheLibraryOnEveryRegionsExamples(t *testing.T) {
	asked, answered, regions := 0, 0, 0
	for region := range phonenumbers.GetSupportedRegions() {
		regions++
		for _, n := range exampleNumbers(region) {
			for _, format := range []phonenumbers.PhoneNumberFormat{
				phonenumbers.E164, phonenumbers.INTERNATIONAL, phonenumbers.NATIONAL, phonenumbers.RFC3966,
			} {
				text := phonenumbers.Format(n, format)
				for _, home := range []string{region, "US", ""} {
					agree(t, text, home, &asked, &answered)
				}
			}
		}
	}
	if regions < 240 || answered*2 < asked {
		t.Errorf("the tables answered %d of %d in %d regions", answered, asked, regions)
	}
}

func TestTablesAgreeWithTheLibraryOnRandomDigits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	regions := sortedRegions()
	asked, answered := 0, 0
	for range 10000 {
		region := regions[random.IntN(len(regions))]
		text := randomDigits(random, 3+random.IntN(14))
		switch random.IntN(6) {
		case 0:
			text = "+" + text
		case 1:
			text = "0" + text
		case 2:
			text = "00" + text
		case 3:
			text = fmt.Sprintf("+%s%s", planOf(region).code.digits, text)
		case 4:
			text = planOf(region).code.digits + text
		}
		agree(t, text, region, &asked, &answered)
	}
	if answered*2 < asked {
		t.Errorf("the tables answered %d of %d", answered, asked)
	}
}

func TestTablesAgreeWithTheLibraryOnMutatedExamples(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	asked, answered := 0, 0
	for _, region := range sortedRegions() {
		for _, n := range exampleNumbers(region) {
			for range 2 {
				text := []byte(phonenumbers.Format(n, phonenumbers.PhoneNumberFormat(random.IntN(3))))
				mutate(random, &text)
				agree(t, string(text), region, &asked, &answered)
			}
		}
	}
	if answered*2 < asked {
		t.Errorf("the tables answered %d of %d", answered, asked)
	}
}

// mutate changes, drops, doubles or inserts a character or two.
func mutate(random *rand.Rand, text *[]byte) {
	for range 1 + random.IntN(2) {
		i := random.IntN(len(*text))
		switch random.IntN(4) {
		case 0:
			(*text)[i] = byte('0' + random.IntN(10))
		case 1:
			if len(*text) > 3 {
				*text = append((*text)[:i], (*text)[i+1:]...)
			}
		case 2:
			*text = append((*text)[:i+1], (*text)[i:]...)
		case 3:
			*text = append((*text)[:i], append([]byte{"0123456789 -./()"[random.IntN(16)]}, (*text)[i:]...)...)
		}
	}
}

func randomDigits(random *rand.Rand, n int) string {
	digits := make([]byte, n)
	for i := range digits {
		digits[i] = byte('0' + random.IntN(10))
	}
	return string(digits)
}

func TestPlansAreBuiltOnceForAll(t *testing.T) {
	national := map[string]string{"US": "(415) 555-0100", "DE": "030 26550280", "GI": "200 12345", "FJ": "321 2345", "CA": "(514) 721-4711"}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for region, raw := range national {
				if n := Parse(raw, region); n.Region != region {
					t.Errorf("%s: %+v", region, n)
				}
			}
		})
	}
	wait.Wait()
}
