package phone

import (
	"strings"
	"testing"
)

func TestNumbersAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct{ raw, region, want, ext string }{
		// with a country code
		{"+49 30 26550280", "", "+493026550280", ""},
		{"+ 49 30 26550280", "", "+493026550280", ""},
		{"+49 (0)30 26550280", "", "+493026550280", ""},
		{"+49 030 26550280", "", "+493026550280", ""},
		{"(+49) 030/26550280", "US", "+493026550280", ""},
		{"++49.30.265-502-80", "", "+493026550280", ""},
		{"+44 (0)20 7946 0958", "", "+442079460958", ""},
		{"+39 06 39733434", "", "+390639733434", ""},
		{"+36 (06) 1 457 8000", "", "+3614578000", ""},
		{"+800 1234 5678", "", "+80012345678", ""},
		// with an international prefix
		{"0049 30 26550280", "", "+493026550280", ""},
		{"0049 30 26550280", "FR", "+493026550280", ""},
		{"0049 30 26550280", "US", "+493026550280", ""},
		{"+0049 30 26550280", "", "+493026550280", ""},
		{"011 49 30 26550280", "US", "+493026550280", ""},
		{"011 49 30 26550280", "", "+493026550280", ""},
		{"010 49 30 26550280", "JP", "+493026550280", ""},
		{"8~10 49 30 26550280", "RU", "+493026550280", ""},
		{"0011 49 30 26550280", "AU", "+493026550280", ""},
		{"00 15 49 30 26550280", "BR", "+493026550280", ""},
		// as one writes at home
		{"(415) 555-0100", "US", "+14155550100", ""},
		{"(415) 555-0100", "us", "+14155550100", ""},
		{"1-415-555-0100", "US", "+14155550100", ""},
		{"415.555.0100", "US", "+14155550100", ""},
		{"030 26550280", "DE", "+493026550280", ""},
		{"06·12·34·56·78", "FR", "+33612345678", ""},
		{"06 39733434", "IT", "+390639733434", ""},
		{"8 (495) 123-45-67", "RU", "+74951234567", ""},
		{"0xx11 3456-7890", "BR", "+551134567890", ""},
		{"0 15 11 3456-7890", "BR", "+551134567890", ""},
		{"06 1 457 8000", "HU", "+3614578000", ""},
		{"0 22 828 37 39", "PL", "+48228283739", ""},
		{"[030] 26550280", "DE", "+493026550280", ""},
		{"030_26550280", "DE", "+493026550280", ""},
		// other scripts, and what cannot be seen
		{"٠١٠٠ ١٢٣ ٤٥٦٧", "EG", "+201001234567", ""},
		{"۰۲۱ ۸۸۸۸ ۷۷۷۷", "IR", "+982188887777", ""},
		{"+९१ ९८७६५ ४३२१०", "", "+919876543210", ""},
		{"＋４４　２０　７９４６　０９５８", "", "+442079460958", ""},
		{"（０３）３２２４－９９９９", "JP", "+81332249999", ""},
		{"\u202a+44 20 7946 0958\u202c", "", "+442079460958", ""},
		{"\ufeff+44\u00a020\u20077946\u202f0958", "", "+442079460958", ""},
		{"+44\u201020\u20117946\u20130958", "", "+442079460958", ""},
		{"+44\t20\n7946 0958", "", "+442079460958", ""},
		{"4️⃣1️⃣5️⃣5550100", "US", "+14155550100", ""},
		{"+44 20\xff7946 0958", "", "+442079460958", ""},
		// extensions
		{"(415) 555-0100 x12", "US", "+14155550100", "12"},
		{"(415) 555-0100x12", "US", "+14155550100", "12"},
		{"(415) 555-0100 ext. 12", "US", "+14155550100", "12"},
		{"(415) 555-0100 Extension: 12", "US", "+14155550100", "12"},
		{"(415) 555-0100 (ext 12)", "US", "+14155550100", "12"},
		{"415-555-0100 #12", "US", "+14155550100", "12"},
		{"tel:+1-415-555-0100;ext=12", "", "+14155550100", "12"},
		{"8 (495) 123-45-67 доб. 12", "RU", "+74951234567", "12"},
		{"030 26550280 DW 12", "DE", "+493026550280", "12"},
		{"01 49 70 65 65 poste 12", "FR", "+33149706565", "12"},
		{"030-26550280, 12", "DE", "+493026550280", "12"},
		// letters, labels, remarks, addresses
		{"1-800-FLOWERS", "US", "+18003569377", ""},
		{"1-800-FLOWERS ext 12", "US", "+18003569377", "12"},
		{"+1-800-GOT-JUNK", "", "+18004685865", ""},
		{"Tel: 020 7946 0958", "GB", "+442079460958", ""},
		{"☎ 030 26550280", "DE", "+493026550280", ""},
		{"Phone 2: +49 30 26550280", "US", "+493026550280", ""},
		{"+49 30 26550280 (work)", "DE", "+493026550280", ""},
		{"+49 30 2655028 - Büro", "DE", "+49302655028", ""},
		{"030 2655028 Max", "DE", "+49302655028", ""},
		{"tel:+44-20-7946-0958", "US", "+442079460958", ""},
		{"tel:030-26550280;phone-context=+49", "FR", "+493026550280", ""},
		{"sip:+14155550100@example.com;user=phone", "", "+14155550100", ""},
		{"<sip:+14155550100@example.com>", "", "+14155550100", ""},
	} {
		got := Parse(c.raw, c.region)
		if got.E164 != c.want || got.Extension != c.ext || !got.Valid || got.Digits != c.want[1:] || got.Raw != c.raw {
			t.Errorf("Parse(%q, %q) = %+v, want %s ext %q", c.raw, c.region, got, c.want, c.ext)
		}
	}
}

func TestMexicanNumbersLoseTheirOldPrefixes(t *testing.T) {
	for _, raw := range []string{
		"55 1234 5678", "044 55 1234 5678", "045 55 1234 5678", "01 55 1234 5678", "5215512345678", "+52 1 55 1234 5678",
		"+52 01 55 1234 5678", "+52 55 1234 5678", "00 52 1 55 1234 5678",
	} {
		if got := Parse(raw, "MX").E164; got != "+525512345678" {
			t.Errorf("Parse(%q) = %q", raw, got)
		}
	}
}

func TestArgentineMobilesAreOneNumberHoweverTheyAreWritten(t *testing.T) {
	for _, raw := range []string{
		"011 15-1234-5678", "11 15 1234 5678", "9 11 1234-5678", "09 11 1234 5678", "09 11 15-1234-5678", "+54 9 11 1234 5678",
		"+54 11 15 1234 5678", "+54 9 11 15 1234 5678", "+54 9 011 15 1234 5678", "+54 9 011 1234 5678",
	} {
		if got := Parse(raw, "AR").E164; got != "+5491112345678" {
			t.Errorf("Parse(%q) = %q", raw, got)
		}
	}
	for raw, want := range map[string]string{
		"011 1234-5678":        "+541112345678", // a landline has no 9
		"0351 15 234 5678":     "+5493512345678",
		"+54 9 351 15 2345678": "+5493512345678",
		"02966 15 412345":      "+5492966412345",
		"+54 9 2966 15 412345": "+5492966412345",
	} {
		if got := Parse(raw, "AR").E164; got != want {
			t.Errorf("Parse(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestWhatIsNoFullNumberKeepsItsDigits(t *testing.T) {
	for _, c := range []struct{ raw, region, digits string }{
		{"110", "DE", "110"},
		{"112", "DE", "112"},
		{"911", "US", "911"},
		{"2041", "DE", "2041"},
		{"555-0100", "US", "5550100"},
		{"7946 0958", "GB", "79460958"},
		{"+1 555 555 5555", "", "15555555555"},
		{"(555) 555-5555", "US", "15555555555"},
		{"0201 555 12 34", "", "02015551234"},
		{"+56 (0)2 635 4444", "", "5626354444"},
		{"02 635 4444", "CL", "5626354444"},
		{"+453 3331 9991", "", "45333319991"}, // a digit too many
		{"٢٠٤١", "EG", "2041"},
		{"+99912345678", "", "99912345678"},
		{"009 234 1 271 1111", "NG", "23412711111"}, // Nigeria's own prefix is 009: not 00 and +92
		{"call me", "US", ""},
		{"", "US", ""},
		{"+", "US", ""},
		{strings.Repeat("7", 31), "US", ""},
		{strings.Repeat("7 ", 5000), "US", ""},
	} {
		got := Parse(c.raw, c.region)
		if got.Valid || got.E164 != "" || got.Region != "" || got.Digits != c.digits {
			t.Errorf("Parse(%.30q, %q) = %+v, want digits %q", c.raw, c.region, got, c.digits)
		}
	}
}

func TestANumberBelongsToItsCountryNotToTheWriters(t *testing.T) {
	for raw, want := range map[string]string{
		"+44 7624 350000": "IM", "+1 416 363 8888": "CA", "+1 876 555 0100": "JM", "+7 701 123 4567": "KZ",
		"+39 06 698 12345": "VA", "+800 1234 5678": "001", "+14155550100": "US",
	} {
		if got := Parse(raw, "DE").Region; got != want {
			t.Errorf("Parse(%q) is in %q, want %q", raw, got, want)
		}
	}
}

func TestSeveralNumbersInOneTextAreTakenApart(t *testing.T) {
	for _, raw := range []string{
		"030 26550280 / 0171 1234567", "030 26550280; +49 171 1234567", "030 26550280, 0171-1234567", "030 26550280/0171-1234567",
		"030 26550280\n0171 1234567", "030 26550280 oder 0171 1234567", "Tel. 030 26550280 Mobil 0171 1234567",
		"+49 30 26550280 +49 171 1234567x5",
	} {
		var got []string
		for _, n := range ParseAll(raw, "DE") {
			got = append(got, n.E164)
		}
		if strings.Join(got, " ") != "+493026550280 +491711234567" {
			t.Errorf("ParseAll(%q) = %q", raw, got)
		}
		if n := Parse(raw, "DE"); n.Valid {
			t.Errorf("Parse(%q) = %+v: not one number", raw, n)
		}
	}
}

func TestOneNumberInATextStaysOne(t *testing.T) {
	for raw, want := range map[string]string{
		"030/265-502.80": "+493026550280", "030 26550280 (work)": "+493026550280", "nobody, nowhere": "", "12, 34": "",
	} {
		if got := ParseAll(raw, "DE"); len(got) != 1 || got[0].E164 != want || got[0].Raw != raw {
			t.Errorf("ParseAll(%q) = %+v", raw, got)
		}
	}
}

func TestFormatLeavesAloneWhatIsNoNumber(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"(415) 555-0100", "US", "+14155550100"},
		{"(415) 555-0100 x12", "US", "+14155550100"},
		{"(415) 555-0100", "", "(415) 555-0100"},
		{"555-0100", "US", "555-0100"},
		{"ask Jane", "US", "ask Jane"},
		{"", "US", ""},
	} {
		if got := Format(c.raw, c.region); got != c.want {
			t.Errorf("Format(%q, %q) = %q, want %q", c.raw, c.region, got, c.want)
		}
		if got := string(AppendFormat([]byte("> "), c.raw, c.region)); got != "> "+c.want {
			t.Errorf("AppendFormat(%q, %q) = %q", c.raw, c.region, got)
		}
	}
}

func TestUsualSpellingsAllocateNothingButTheNumber(t *testing.T) {
	buffer := make([]byte, 0, 64)
	for _, c := range [][2]string{{"(415) 555-0100", "US"}, {"030/26550280", "DE"}, {"+44 20 7946 0958", ""}} {
		if n := testing.AllocsPerRun(100, func() { Parse(c[0], c[1]) }); n > 1 {
			t.Errorf("Parse(%q) allocates %v times", c[0], n)
		}
		if n := testing.AllocsPerRun(100, func() { buffer = AppendFormat(buffer[:0], c[0], c[1]) }); n > 0 {
			t.Errorf("AppendFormat(%q) allocates %v times", c[0], n)
		}
	}
}

func TestKnownRegion(t *testing.T) {
	for region, want := range map[string]bool{"US": true, "de": true, "XK": true, "": false, "ZZ": false, "001": false, "U": false, "é": false} {
		if got := KnownRegion(region); got != want {
			t.Errorf("KnownRegion(%q) = %v", region, got)
		}
	}
}

// TestParametersOfExchangesAreNoDigits: what telephone exchanges add to a number is no part of it.
func TestParametersOfExchangesAreNoDigits(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"tel:+1-703-555-0187;rn=+17034000000;npdi", "+17035550187"},
		{"tel:+41446681800;isub=1234", "+41446681800"},
		{"+17035550187;cic=+1-0288", "+17035550187"},
		{"+17035550187;oli=62", "+17035550187"},
		{"7035550187;isup-oli=62", "+17035550187"},
		{"+17035550187;verstat=TN-Validation-Passed-A@10.0.0.1", "+17035550187"},
		{"tel:+17035550187;tgrp=abc;trunk-context=10.0.0.1", "+17035550187"},
		{"<tel:+17035550187;isub=12>", "+17035550187"},
		{"tel:+17035550187;ext=12;rn=+17034000000", "+17035550187 12"},
		{"tel:5550187;phone-context=+1703;isub=12", "+17035550187"},
		{"703-555-0187;ext=12", "+17035550187 12"},
	} {
		n := Parse(c.raw, "US")
		if got := strings.TrimSpace(n.E164 + " " + n.Extension); got != c.want {
			t.Errorf("%q: %q, want %q", c.raw, got, c.want)
		}
		if all := ParseAll(c.raw, "US"); len(all) != 1 || all[0].E164 != n.E164 {
			t.Errorf("%q is taken apart: %+v", c.raw, all)
		}
	}
	if all := ParseAll("Phone=703-555-0187;Mobile=415-555-0143", "US"); len(all) != 2 {
		t.Errorf("a list with names became %+v", all)
	}
}
