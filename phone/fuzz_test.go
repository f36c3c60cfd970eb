package phone

import (
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, raw := range []string{
		"+49 (0)30 26550280", "1-800-FLOWERS x12", "٠١٠٠ ١٢٣ ٤٥٦٧", "tel:+1-415-555-0100;ext=12", "044 55 1234 5678",
		"tel:030;phone-context=+49", "sip:1@x", "011 15-1234-5678", "+0049 30 26550280", "030 1 / 0171 1234567",
	} {
		for _, region := range []string{"", "US", "DE", "AR", "MX", "BR", "CL", "JP"} {
			f.Add(raw, region)
		}
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		n := Parse(raw, region)
		checkNumber(t, n)
		if formatted := Format(raw, region); n.Valid && formatted != n.E164 || !n.Valid && formatted != raw {
			t.Errorf("Format(%q, %q) = %q, Parse %+v", raw, region, formatted, n)
		}
		for _, one := range ParseAll(raw, region) {
			checkNumber(t, one)
		}
	})
}

// checkNumber checks what holds for every number.
func checkNumber(t *testing.T, n Number) {
	t.Helper()
	if strings.Trim(n.Digits, "0123456789") != "" || strings.Trim(n.Extension, "0123456789") != "" {
		t.Errorf("%+v: not only digits", n)
	}
	if n.Valid != (n.E164 != "") || n.Valid != (n.Region != "") || n.Valid != (n.National != "") {
		t.Errorf("%+v: half valid", n)
	}
	if !n.Valid {
		return
	}
	const shortest = 6 // a calling code and four digits, in Austria and on some islands
	if n.E164 != "+"+n.Digits || !strings.HasSuffix(n.Digits, n.National) || len(n.Digits) < shortest || len(n.Digits) > maxE164 {
		t.Errorf("%+v: not E.164", n)
	}
	if again := Parse(n.E164, ""); again.E164 != n.E164 || again.Region != n.Region {
		t.Errorf("%+v read again is %+v", n, again)
	}
}

func FuzzTablesAgreeWithTheLibrary(f *testing.F) {
	f.Add("+49 (0)30 26550280", uint8(3))
	f.Add("(415) 555-0100", uint8(200))
	regions := append(sortedRegions(), "")
	f.Fuzz(func(t *testing.T, text string, region uint8) {
		var asked, answered int
		agree(t, text, regions[int(region)%len(regions)], &asked, &answered)
	})
}
