package caller_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
)

// spellings are the ways in which people write one number of a country. Each is stored, and found by every other.
var spellings = map[string][]string{
	"AE": {"+971 4 366 8888", "04 366 8888", "00971-4-3668888", "٠٤ ٣٦٦ ٨٨٨٨"},
	"AR": {"+54 9 11 2345-6789", "011 15-2345-6789", "(011) 15 2345 6789", "+54 11 15 2345 6789"},
	"AT": {"+43 1 5134505", "01/513 45 05", "0043 (0)1 5134505", "+43 01 5134505"},
	"AU": {"+61 2 9332 3633", "(02) 9332 3633", "0011 61 2 9332 3633", "+61 (02) 9332 3633"},
	"BE": {"+32 2 219 03 03", "02/219.03.03", "0032 2 2190303", "+32 (0)2 219 03 03"},
	"BG": {"+359 2 981 1833", "02 981 1833", "00359 2 9811833"},
	"BR": {"+55 (12) 3923-5555", "(12) 3923-5555", "012 3923 5555", "0 15 12 3923-5555", "0xx12 3923-5555"},
	"CA": {"+1 (514) 721-4711", "514.721.4711", "1-514-721-4711", "(514) 721 4711"},
	"CH": {"+41 44 668 18 00", "044 668 18 00", "0041 44 6681800", "+41 (0)44 668 18 00"},
	"CL": {"+56 2 2635 4444", "2 2635 4444", "(2) 26354444", "+56 (0)2 2635 4444"},
	"CN": {"+86 10 6552 9988", "010-65529988", "0086 10 65529988", "（010）6552 9988"},
	"CO": {"+57 601 3077000", "601 307 7000", "(601) 3077000"},
	"CZ": {"+420 2 4172 5555", "241 725 555", "00420 241725555", "+420 241 725 555"},
	"DE": {"+49 0711 2842222", "0711/28 42 222", "0049 711 2842222", "+49 (0) 711 - 284 22 22", "(0711) 2842222"},
	"DK": {"+45 33 31 99 91", "3331 9991", "0045 33319991", "33-31-99-91"},
	"EG": {"+20 2 27982000", "02 2798 2000", "٠٢ ٢٧٩٨٢٠٠٠", "0020 2 27982000"},
	"ES": {"+34 914 454 454", "91 445 44 54", "0034914454454", "914-454-454"},
	"FI": {"+358 9 870 2000", "09 870 2000", "00358 9 8702000", "+358 (0)9 870 2000"},
	"FR": {"+33 01 49 70 65 65", "01.49.70.65.65", "0033 1 49 70 65 65", "+33 (0)1 49 70 65 65", "01 49 70 65 65"},
	"GB": {"+44 020 7707 0707", "(020) 7707 0707", "0044 20 7707 0707", "+44 (0)20 7707 0707", "020 77 07 07 07"},
	"GR": {"+30 21 0373 5000", "210 3735000", "0030 210 373 5000"},
	"HK": {"+852 2739 1111", "2739 1111", "001 852 2739-1111"},
	"HU": {"+36 1 457 8000", "06 1 457-8000", "(06-1) 457 8000", "0036 1 4578000", "+36 (06) 1 457 8000"},
	"ID": {"+62 21 5290 6666", "(021) 52906666", "021-5290-6666"},
	"IE": {"+353 1 679 2424", "(01) 679 2424", "00353 1 6792424", "+353 (0)1 6792424"},
	"IL": {"+972 3-695-5050", "03-6955050", "00972 3 695 5050"},
	"IN": {"+91 080 22289999", "080-2228 9999", "0091 80 22289999", "०८० २२२८ ९९९९"},
	"IR": {"+98 21 8888 7777", "۰۲۱ ۸۸۸۸ ۷۷۷۷", "021-88887777"},
	"IT": {"+39 06 39733434", "06 3973 3434", "0039 06 39733434", "06/39733434"},
	"JP": {"+81 3-3224-9999", "03-3224-9999", "（０３）３２２４−９９９９", "010 81 3 3224 9999"},
	"KE": {"+254 20 2714000", "020 271 4000", "000 254 20 2714000"},
	"KR": {"+82 2-2112-5114", "02-2112-5114", "(02) 2112 5114"},
	"MA": {"+212 5 22 20 49 10", "0522-204910", "00212 522 204 910"},
	"MX": {"+52 55 5093 0100", "55 5093 0100", "01 (55) 5093-0100", "+52 1 55 5093 0100", "044 55 5093 0100", "00 52 55 50930100"},
	"MY": {"+60 3-2380 2700", "03-2380 2700", "0060 3 23802700"},
	"NG": {"+234 803 123 4567", "0803 123 4567", "009 234 803 123 4567"},
	"NL": {"+31 020 6223130", "020-622 31 30", "0031 20 6223130", "+31 (0)20 622 3130"},
	"NO": {"+47 22 44 22 22", "22442222", "0047 224 42 222"},
	"NZ": {"+64 9 356 7000", "09-356 7000", "0064 9 3567000", "(09) 356 7000"},
	"PE": {"+51 1 2117000", "01 211-7000", "(01) 211 7000"},
	"PH": {"+63 2 8889 1234", "(02) 8889 1234", "02-8889-1234"},
	"PK": {"+92 21 111 0000", "(021) 1110000", "0092 21 1110000"},
	"PL": {"+48 22 828 37 39", "22 828 37 39", "(0-22) 828-37-39", "0048 228283739"},
	"PT": {"+351 (213) 466-111", "21 346 61 11", "00351 213466111"},
	"RO": {"+40 21 312 0101", "021.312.01.01", "0040 213120101"},
	"RU": {"+7 (495) 974-70-00", "8 495 974 70 00", "8-495-9747000", "8 10 7 495 974 70 00"},
	"SA": {"+966 11 211 0000", "011 211 0000", "٠١١ ٢١١ ٠٠٠٠", "00966112110000"},
	"SE": {"+46 08-651 52 52", "08-651 52 52", "0046 8 6515252", "+46 (0)8 651 52 52"},
	"SG": {"+65 6521 8000", "6521 8000", "6521-8000"},
	"TH": {"+66 2 696 2000", "02-696-2000", "001 66 2 6962000"},
	"TR": {"+90 212 326 72 00", "0 (212) 326 72 00", "0090 212 3267200", "(0212) 326 7200"},
	"TW": {"+886 2 2722 3456", "(02) 2722-3456", "002 886 2 27223456"},
	"UA": {"+380 44 247 7000", "(044) 247-70-00", "0 44 2477000", "00380442477000"},
	"US": {"+1 (415) 555-0100", "415-555-0100", "(415) 555.0100", "1 415 555 0100", "011 1 415 555 0100", "4155550100"},
	"VN": {"+84 24 3826 1122", "024 3826 1122", "(024) 38261122"},
	"ZA": {"+27 11 302 3800", "(011) 302 3800", "0027 11 302 3800"},
}

func TestEverySpellingFindsEveryOther(t *testing.T) {
	store := newStore(t)
	for region, list := range spellings {
		for i, stored := range list {
			fill(t, store, region+strconv.Itoa(i), region, person{region, []string{stored}})
		}
	}
	if len(spellings) < 40 {
		t.Fatalf("only %d countries", len(spellings))
	}
	for region, list := range spellings {
		for _, asked := range list {
			a := lookup(t, store, asked, region, caller.LookupOptions{Limit: 100})
			if len(a.Matches) != len(list) {
				t.Errorf("%s %q (%s): %d of %d spellings found", region, asked, a.E164, len(a.Matches), len(list))
			}
			for _, m := range a.Matches {
				if m.ID != region || m.How != caller.Exact {
					t.Errorf("%s %q found %s %s %q", region, asked, m.How, m.ID, m.Number)
				}
			}
		}
	}
}

func TestWhatWasStoredWithoutARegionIsFoundFromAbroad(t *testing.T) {
	store := newStore(t)
	for region, list := range spellings {
		for i, stored := range list {
			fill(t, store, region+strconv.Itoa(i), "", person{region, []string{stored}})
		}
	}
	for region, list := range spellings {
		a := lookup(t, store, list[0], "", caller.LookupOptions{Limit: 100, All: true})
		seen := map[string]bool{}
		for _, m := range a.Matches {
			if m.ID == region {
				seen[m.Integration] = true
			} else if m.How != caller.Suffix {
				t.Errorf("%s %q found %s %s %q", region, list[0], m.How, m.ID, m.Number)
			}
		}
		if len(seen) != len(list) {
			t.Errorf("%s %q (%s): %d of %d spellings found", region, list[0], a.E164, len(seen), len(list))
		}
	}
}

func TestEveryCustomerOfTheSampleIsFound(t *testing.T) {
	store := newStore(t)
	customers := sample.All(1, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), 400)
	byRegion := map[string][]person{}
	for _, c := range customers {
		byRegion[c.Region] = append(byRegion[c.Region], person{strconv.Itoa(c.ID), []string{c.Phone, c.Mobile}})
	}
	for region, persons := range byRegion {
		fill(t, store, region, region, persons...)
	}
	for _, c := range customers {
		for _, number := range []string{c.E164, c.Phone} {
			a := lookup(t, store, number, c.Region, caller.LookupOptions{})
			if len(a.Matches) == 0 || a.Matches[0].How != caller.Exact || a.Matches[0].ID != strconv.Itoa(c.ID) {
				t.Errorf("%s, stored as %q in %s: %q", number, c.Phone, c.Region, found(a))
			}
		}
	}
}
