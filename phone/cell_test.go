package phone

import (
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// partsOf returns the numbers of a cell in E.164; in angle brackets, the parts that are kept as they are written.
func partsOf(raw, region string) string {
	var list []string
	for _, n := range ParseAll(raw, region) {
		text := n.E164
		if !n.Valid {
			text = "<" + n.Raw + ">"
		}
		if n.Extension != "" {
			text += "x" + n.Extension
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func TestSeveralNumbersInOneCell(t *testing.T) {
	const gb = "+447911123468 +442079460111"
	for _, c := range []struct{ raw, region, want string }{
		{"07911123468;02079460111", "GB", gb},
		{"07911123468；02079460111", "GB", gb},
		{"07911123468,02079460111", "GB", gb},
		{"07911123468、02079460111", "GB", gb},
		{"07911123468，02079460111", "GB", gb},
		{"07911123468 + 02079460111", "GB", gb},
		{"07911123468<br>02079460111", "GB", gb},
		{"07911123468 ::: 02079460111", "GB", gb},
		{"07911123468 02079460111", "GB", gb},
		{"07911123468  02079460111", "GB", gb},
		{"07911123468 / 02079460111", "GB", gb},
		{"07911123468/02079460111", "GB", gb},
		{"07911123468 - 02079460111", "GB", gb},
		{"07911123468 – 02079460111", "GB", gb},
		{"07911123468 • 02079460111", "GB", gb},
		{"07911123468 · 02079460111", "GB", gb},
		{"07911123468 or 02079460111", "GB", gb},
		{"07911123468|02079460111", "GB", gb},
		{"07911123468&02079460111", "GB", gb},
		{"07911123468\t02079460111", "GB", gb},
		{"07911123468\r\n02079460111", "GB", gb},
		{"912345678 612345678", "ES", "+34912345678 +34612345678"},
		{"32123456 32123457", "DK", "+4532123456 +4532123457"},
		{`07911123468\02079460111`, "GB", gb},
		{"07911123468\u202802079460111", "GB", gb},
		{"+44 7911 123468+44 20 7946 0111", "US", gb},
		{"+447911123468 + 44 20 7946 0111", "US", gb},
		{"07911 123468 (020 7946 0111)", "GB", gb},
		{"07911 123468 mobile, 020 7946 0111 office", "GB", gb},
		{"{07911123468,02079460111}", "GB", gb},
		{"07911123468;02079460111;", "GB", gb},
		{"; 07911123468 ,; 02079460111", "GB", gb},
		{"912345678,612345678", "ES", "+34912345678 +34612345678"},
		{"912345678、612345678", "ES", "+34912345678 +34612345678"},
		{"912345678 + 612345678", "ES", "+34912345678 +34612345678"},
		{"030 26550280; +49 171 1234567 / 0172 1234567", "DE", "+493026550280 +491711234567 +491721234567"},
		// parts that the plan does not know
		{"07911123468; 12345", "GB", "+447911123468 <12345>"},
		{"1-800-FLOWERS; 01 49 70 65 65", "FR", "<1-800-FLOWERS> +33149706565"},
		{"=\"07911123468; 02079460111\"", "GB", gb},
		{"07911123468 / 12345", "GB", "+447911123468 <12345>"},
		{"07911123468 / 0123", "GB", "+447911123468 <0123>"},
		{"01 / 02; 07911123468", "GB", "<01 / 02> +447911123468"},
		{"2041; 2042", "DE", "<2041> <2042>"},
		{"555-0100 ::: 555-0101", "US", "<555-0100> <555-0101>"},
		{"07911123468; 02079460111", "", "<07911123468> <02079460111>"},
		{"07911123468 / 02079460111", "", "<07911123468> <02079460111>"},
		// one number
		{"030 / 26550280", "DE", "+493026550280"},
		{"030 - 26550280", "DE", "+493026550280"},
		{"030, 26550280", "DE", "+493026550280"},
		{"030  26550280", "DE", "+493026550280"},
		{"030/265/502/80", "DE", "+493026550280"},
		{"030 / 123456", "DE", "+4930123456"},
		{"0171/123-456", "DE", "<0171/123-456>"},
		{"0171/234-567", "DE", "<0171/234-567>"},
		{"0171/123-4567", "DE", "+491711234567"},
		{"+1 415-555-2671 / ext. 5", "US", "+14155552671x5"},
		{"+1 415-555-2671, ext. 5", "US", "+14155552671x5"},
		{"+1 415-555-2671;ext=5", "US", "+14155552671x5"},
		{"+1 415-555-2671, 1234", "US", "+14155552671x1234"},
		{"06·12·34·56·78", "FR", "+33612345678"},
		{"06.12.34.56.78", "FR", "+33612345678"},
		{"+49 (0) 30 / 265 502 - 80", "DE", "+493026550280"},
		{"030 26550280 (Mo-Fr, 9-17)", "DE", "+493026550280"},
		{"1-800-FLOWERS", "US", "+18003569377"},
		{"Tel, 030 26550280", "DE", "+493026550280"},
		{"030 26550280;", "DE", "+493026550280"},
		// JSON
		{`[{"type":"work","value":"07911123468"},{"type":"home","value":"02079460111"}]`, "GB", gb},
		{`[["07911123468"],["02079460111; 12345"]]`, "GB", gb + " <12345>"},
		{`{"work":"07911123468","home":"02079460111"}`, "GB", gb},
		{`[447911123468, 442079460111.0]`, "GB", gb},
		{`{"number":"07911123468","extension":"12","country":"44"}`, "GB", "+447911123468x12"},
		{`{"phones":[{"phone":"07911123468"}, null, true]}`, "GB", "+447911123468"},
		{`["", {"number":"07911123468"}, {"number":null}]`, "GB", "+447911123468"},
		{`[]`, "GB", ""},
		{`[""," ",null]`, "GB", ""},
		{`{"type":"work","number":""}`, "GB", ""},
		{`[,]`, "GB", "<[,]>"},
	} {
		if got := partsOf(c.raw, c.region); got != c.want {
			t.Errorf("%q in %s: %s, want %s", c.raw, c.region, got, c.want)
		}
	}
}

// TestAnAreaCodeInBracketsBeginsANumber: with one space between, two numbers never become one.
func TestAnAreaCodeInBracketsBeginsANumber(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"(030) 26550280 (089) 63648018", "DE", "+493026550280 +498963648018"},
		{"(030) 26550280(089)63648018", "DE", "+493026550280 +498963648018"},
		{"(30) 26550280 [89] 63648018", "DE", "+493026550280 +498963648018"},
		{"030 26550280 Büro (089) 63648018", "DE", "+493026550280 +498963648018"},
		{"+49 (0)30 26550280 (0)89 63648018", "DE", "+493026550280 +498963648018"},
		{"(01) 5131234 (0664) 1234568", "AT", "+4315131234 +436641234568"},
		{"(01) 51312 (01) 513", "AT", "+43151312 <(01) 513>"},
		{"(020) 7946 0018 (0161) 496 0000", "GB", "+442079460018 +441614960000"},
		{"(01) 42 68 53 00 (06) 12 34 56 79", "FR", "+33142685300 +33612345679"},
		{"(06) 69821234 (02) 76281234", "IT", "+390669821234 +390276281234"},
		{"(020) 6241234 (06) 23456789", "NL", "+31206241234 +31623456789"},
		{"(91) 234 56 78 (61) 234 56 79", "ES", "+34912345678 +34612345679"},
		{"(08) 123 456 78 (070) 123 45 67", "SE", "+46812345678 +46701234567"},
		{"(+420) 601123457 (+420) 224123457", "CZ", "+420601123457 +420224123457"},
		{"(010) 62345678 (021) 62345678", "CN", "+861062345678 +862162345678"},
		{"(022) 23456789 (011) 23456789", "IN", "+912223456789 +911123456789"},
		{"(11) 2161-7276 (11) 98765-4322", "BR", "+551121617276 +5511987654322"},
		{"55 (11) 2161-7276 55 (11) 98765-4322", "BR", "+551121617276 +5511987654322"},
		{"（03）3123-4567 （06）6312-4567", "JP", "+81331234567 +81663124567"},
		{"(703) 555-0187 x12 (415) 555-0143", "US", "+17035550187x12 +14155550143"},
		{"1 (703) 555-0187 1 (415) 555-0143", "US", "+17035550187 +14155550143"},
		{"8 (495) 223-45-68 8(495)223-45-69", "RU", "+74952234568 +74952234569"},
		{"044 223 45 38 (044) 223-45-69", "UA", "+380442234538 +380442234569"},
		{"38 (044) 223-45-68 38 (044) 223-45-69", "UA", "+380442234568 +380442234569"},
		// one number
		{"+44 (0)20 7946 0018", "GB", "+442079460018"},
		{"+44 20 7946 (0018)", "GB", "+442079460018"},
		{"0800 123 (456) 789", "DE", "+49800123456789"},
	} {
		if got := partsOf(c.raw, c.region); got != c.want {
			t.Errorf("%q in %s: %s, want %s", c.raw, c.region, got, c.want)
		}
	}
}

func TestAPlusAfterARemark(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"501-555-0187 (home) + 479-655-0143 (cell)", "US", "+15015550187 +14796550143"},
		{"501-555-0187 (home) + (479) 655-0143 (cell) / 703-555-0187", "US", "+15015550187 +14796550143 +17035550187"},
		{"501-555-0187 home + 479-655-0143 cell + 703-555-0187", "US", "+15015550187 +14796550143 +17035550187"},
		{"089 63648018 (Büro) + 0151 23456781", "DE", "+498963648018 +4915123456781"},
		{"089 63648018 (Büro) + 0151 234", "DE", "+498963648018 <0151 234>"},
		{"089 63648018 ext 5 + 0151 23456781", "DE", "+498963648018x5 +4915123456781"},
		{"01 42 68 53 00 bureau + 06 12 34 56 79", "FR", "+33142685300 +33612345679"},
		{"bureau + 06 12 34 56 79", "FR", "+33612345679"},
		{"020 6241234 (bureau)+ 06 23456789", "NL", "+31206241234 +31623456789"},
		// signs
		{"020 7946 0017 home +44 20 7946 0018", "GB", "+442079460017 +442079460018"},
		{"703-555-0187 (home) +44 20 7946 0018", "US", "+17035550187 +442079460018"},
		{"703-555-0187 (home) + 44 20 7946 0018", "US", "+17035550187 +442079460018"},
		{"home + 44 20 7946 0018", "US", "+442079460018"},
		{"089 63648018 (Büro) + 49 151 23456781", "DE", "+498963648018 +4915123456781"},
		{"089 63648018 + 44 20 7946 0018", "DE", "+498963648018 +442079460018"},
		{"020 6241234 bureau + 31 6 23456789", "NL", "+31206241234 +31623456789"},
	} {
		if got := partsOf(c.raw, c.region); got != c.want {
			t.Errorf("%q in %s: %s, want %s", c.raw, c.region, got, c.want)
		}
	}
}

func TestNumbersThatWentThroughASpreadsheet(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"4.915112345678E+12", "DE", "+4915112345678"},
		{"4,915112345678E+12", "DE", "+4915112345678"},
		{"4.915112345678e12", "DE", "+4915112345678"},
		{"4915112345678E+00", "DE", "+4915112345678"},
		{"4.4791112346E+11", "GB", "+447911123460"},
		{"447911123457.0", "GB", "+447911123457"},
		{"447911123457.00", "", "<447911123457.00>"},
		{"+447911123457.00", "", "+447911123457"},
		{"447911123457,00", "GB", "+447911123457"},
		{"447911123800.0", "GB", "+447911123800"},
		{"3331234567.0", "IT", "+393331234567"},
		{`="07911123458"`, "GB", "+447911123458"},
		{"'07911123458", "GB", "+447911123458"},
		{"4155552671.0", "US", "+14155552671"},
		{"415.5552671", "US", "+14155552671"},
		{"415555.2671", "US", "+14155552671"},
		// digits are missing: no number
		{"4.91511E+12", "DE", "<4.91511E+12>"},
		{"4,91511E+12", "DE", "<4,91511E+12>"},
		{"4.4791112e+11", "GB", "<4.4791112e+11>"},
		{"447911123457.5", "GB", "<447911123457.5>"},
	} {
		if got := partsOf(c.raw, c.region); got != c.want {
			t.Errorf("%q in %s: %s, want %s", c.raw, c.region, got, c.want)
		}
	}
	for _, raw := range []string{"4.91511E+12", "447911123457.5", "1E+11"} {
		if n := Parse(raw, "GB"); n.Digits != "" {
			t.Errorf("%q has the digits %s: they are not those of a number", raw, n.Digits)
		}
	}
	if got := Format("2041.0", "DE"); got != "2041" {
		t.Errorf("an extension as a float became %q", got)
	}
}

// TestSeparatorsOfThousandsStandInOneNumber: no part of it, such as 911, becomes a number of its own.
func TestSeparatorsOfThousandsStandInOneNumber(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"447,911,123,456", "GB", "+447911123456"},
		{"+447,911,123,456", "", "+447911123456"},
		{"7,911,123,456", "GB", "+447911123456"},
		{"7.911.123.456", "GB", "+447911123456"},
		{"7'911'123'456", "GB", "+447911123456"},
		{"447’911’123’456", "GB", "+447911123456"},
		{"7,911,123,456.00", "GB", "+447911123456"},
		{"7.911.123.456,00", "GB", "+447911123456"},
		{"7'911'123'456.00", "GB", "+447911123456"},
		{"7 911 123 456,00", "GB", "+447911123456"},
		{"7,911,123,456.5", "GB", "<7,911,123,456.5>"},
		{"Tel 447,911,123,456", "GB", "+447911123456"},
		{"447,911,123,456; 7,911,123,457", "GB", "+447911123456 +447911123457"},
		{"447,911,123,456, 7,911,123,457", "GB", "+447911123456 +447911123457"},
		{"447,911,123,456", "", "<447,911,123,456>"},
		{"447,911,123,45", "GB", "<447,911,123,45>"},
		{"447,911,123,456,447,911,123,457", "GB", "<447,911,123,456,447,911,123,457>"},
		{"703,555,0187", "US", "+17035550187"},
		{"030,265,502,80", "DE", "+493026550280"},
		{"01,42,68,53,00", "FR", "+33142685300"},
		// extensions
		{"201,202,203", "DE", "<201> <202> <203>"},
		{"2041,2042,2043", "DE", "<2041> <2042> <2043>"},
		{"201,305,12", "DE", "<201> <305> <12>"},
		{"201, 305, 410", "DE", "<201> <305> <410>"},
	} {
		if got := partsOf(c.raw, c.region); got != c.want {
			t.Errorf("%q in %s: %s, want %s", c.raw, c.region, got, c.want)
		}
	}
}

func TestRoundedNumbersOfEveryCountryAreNone(t *testing.T) {
	for region, list := range sample() {
		for _, s := range list {
			digits := s.want[1:]
			if len(digits) < 9 {
				continue
			}
			raw := digits[:1] + "." + digits[1:6] + "E+" + digitsOf(string(rune('0'+(len(digits)-1)/10))+string(rune('0'+(len(digits)-1)%10)))
			if strings.Trim(digits[6:], "0") == "" {
				continue
			}
			if n := Parse(raw, region); n.Valid || n.Digits != "" {
				t.Errorf("%s %q is read as %s", region, raw, n.Digits)
			}
		}
	}
}

func TestPlaceholdersAreNobodysNumber(t *testing.T) {
	for _, c := range []struct {
		raw, region string
		want        bool
	}{
		{"0000000000", "DE", true},
		{"0000000000", "US", true},
		{"000", "US", true},
		{"+000000000", "", true},
		{"+49 00000000", "DE", true},
		{"00000", "", true},
		{"1111111", "US", true},
		{"9999999999", "US", true},
		{"(555) 555-5555", "US", true},
		{"+1 555 555 5555", "US", true},
		{"99999", "DE", true},
		{"123456789", "DE", true},
		{"123456789", "FR", true},
		{"0123456789", "DE", true},
		{"1234567890", "US", true},
		{"9876543210", "US", true},
		{"123456", "DE", true},
		{"٠٠٠٠٠٠٠", "EG", true},
		{"01 23 45 67 89", "FR", false}, // the plan has it
		{"+33123456789", "FR", false},
		{"112", "DE", false},
		{"911", "US", false},
		{"999", "GB", false},
		{"2222", "DE", false},
		{"12345", "DE", false},
		{"1234", "DE", false},
		{"030 26550280", "DE", false},
		{"", "DE", false},
		{"ask Jane", "DE", false},
	} {
		n := Parse(c.raw, c.region)
		if n.Dummy != c.want {
			t.Errorf("%q in %s: Dummy is %t", c.raw, c.region, n.Dummy)
		}
		if c.want && Format(c.raw, c.region) != c.raw {
			t.Errorf("%q is sent as %q", c.raw, Format(c.raw, c.region))
		}
	}
}

func TestInternationalDigitsWithoutTheirPlus(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"442079460018", "DE", "+442079460018"},
		{"442079460018", "FR", "+442079460018"},
		{"442079460018", "US", "+442079460018"},
		{"44 20 7946 0018", "FR", "+442079460018"},
		{"14155552671", "GB", "+14155552671"},
		{"4915112345678", "ES", "+4915112345678"},
		{"+442079460018@10.0.0.1", "US", "+442079460018"},
		{"442079460018@10.0.0.1:5060", "US", "+442079460018"},
		{"02079460018@pbx.example", "GB", "+442079460018"},
		{"<442079460018@pbx.example>", "US", "+442079460018"},
		{"sip: 442079460018@pbx", "DE", "+442079460018"},
		{"sip:%2B442079460018@pbx", "DE", "+442079460018"},
		{`"Jane 2" <sip:+442079460018@pbx>`, "DE", "+442079460018"},
		{"(442) 079-460018", "US", ""},
		{"jane.4420@example.com", "DE", ""},
	} {
		n := Parse(c.raw, c.region)
		if n.E164 != c.want {
			read := n.E164
			if others := Others(c.raw, c.region); len(others) == 1 && others[0].E164 == c.want {
				continue // the country has such a number itself: the look-up tries the other reading next
			}
			t.Errorf("%q in %s is read as %q, want %q", c.raw, c.region, read, c.want)
		}
	}
}

func TestDigitsWithTwoReadingsHaveBoth(t *testing.T) {
	for _, c := range []struct{ raw, region, first, other string }{
		{"4915110000019", "DE", "", "+4915110000019"},
		{"33140000019", "DE", "+4933140000019", "+33140000019"},
		{"33140000019", "", "", "+33140000019"},
		{"+33140000019", "DE", "+33140000019", ""},
		{"0033140000019", "DE", "+33140000019", ""},
		{"14155552671", "US", "+14155552671", ""},
		{"2041", "DE", "", ""},
	} {
		n := Parse(c.raw, c.region)
		other := ""
		for _, o := range Others(c.raw, c.region) {
			other = o.E164
		}
		if c.first != "" && n.E164 != c.first || n.E164 != c.other && other != c.other {
			t.Errorf("%q in %s: %q and %q, want %q and %q", c.raw, c.region, n.E164, other, c.first, c.other)
		}
	}
}

func FuzzParseAllTwice(f *testing.F) {
	for _, raw := range []string{
		"07911123468;02079460111", "030 / 123456", "0171/123-456, 030 26550280 or 2041", `[{"value":"1"},["2 / 3"]]`, "4.91511E+12",
		"447911123457.0", "+49 30 26550280 + 49 171 1234567", "a ::: b ::: 12345678", "(030) 1234567 (0171 1234567) x5", "1, 2; 3",
		"(030) 26550280 (089) 63648018", "030 1234567 (a) + 0171 1234567", "7,911,123,456.00; 201,202,203",
	} {
		for _, region := range []string{"", "US", "DE", "GB", "AT"} {
			f.Add(raw, region)
		}
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		for _, n := range ParseAll(raw, region) {
			checkNumber(t, n)
			sent := Format(n.Raw, region)
			again := ParseAll(sent, region)
			if len(again) != 1 {
				t.Fatalf("%q of %q was sent as %q, which is read as %d numbers in %s: %+v", n.Raw, raw, sent, len(again), region, again)
			}
			if twice := Format(again[0].Raw, region); twice != sent || n.Valid && !n.Dummy && again[0].E164 != n.E164 {
				t.Fatalf("%q of %q was sent as %q and then as %q in %s", n.Raw, raw, sent, twice, region)
			}
		}
	})
}

func TestACellMayHoldVeryManyNumbers(t *testing.T) {
	cell := strings.Repeat("030 / 26550280 or 0171/1234567; ", 120)
	if got := ParseAll(cell, "DE"); len(got) != 240 {
		t.Errorf("%d numbers", len(got))
	}
}

func TestACellIsReadInReasonableTime(t *testing.T) {
	for _, unit := range []string{"1;", "0/", ", a", "1 a ", "+1", "012345/", "0 / ", "(", "((1", "[1,", "12345 ", "030 / 1 - ", "\n", "e1", "9999999 "} {
		text := strings.Repeat(unit, maxTexts/len(unit))
		ParseAll(text, "AT") // builds the plans that it needs
		start := time.Now()
		ParseAll(text, "AT")
		if took := time.Since(start); took > pace.Limit(3*time.Second) {
			t.Errorf("%q repeated takes %s", unit, took)
		}
	}
}

// TestFloatsAreReadWhereverTheyStand: a floating-point number is found with a label, quotes or another number beside it, and
// digits that it lost are never made up.
func TestFloatsAreReadWhereverTheyStand(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"Mobil: 4,915112345678E+12", "DE", "+4915112345678"},
		{"'4.915112345678E+12", "DE", "+4915112345678"},
		{"4.915112345678E+12 / 4.915112345679E+12", "DE", "+4915112345678 +4915112345679"},
		{"4.915112345678e12 (mobil)", "DE", "+4915112345678"},
		{`="4,915112345678E+12"`, "DE", "+4915112345678"},
		{"4.91511E+12; 030 901820", "DE", "<4.91511E+12> +4930901820"},
		{"4,91511E+12, 4,91512E+12", "DE", "<4,91511E+12> <4,91512E+12>"},
		{"Tel: 4.91511E+12", "DE", "<Tel: 4.91511E+12>"},
		{"tel:4.91511E+12", "DE", "<tel:4.91511E+12>"},
		{"4.91511 E+12", "DE", "<4.91511 E+12>"},
		{"4.91511×10^12", "DE", "<4.91511×10^12>"},
		{"4.91511E12x5", "DE", "<4.91511E12x5>"},
		{"-4.915112345678E+12", "DE", "<-4.915112345678E+12>"},
		{"Tel: 447911123457.0", "GB", "+447911123457"},
		{"447911123457.0, 447911123458.00", "GB", "+447911123457 +447911123458"},
		{"Mobile 447911123457.00 ext. 5", "GB", "+447911123457x5"},
		{`"447911123457.0"`, "GB", "+447911123457"},
		{"3331234567.50", "IT", "<3331234567.50>"},
		{"-1234567.5", "AT", "<-1234567.5>"},
		{"00 49 1512 3456789,00 49 800 1234567890", "DE", "+4915123456789 +498001234567890"},
	} {
		if got := partsOf(c.raw, c.region); got != c.want {
			t.Errorf("%q in %s: %s, want %s", c.raw, c.region, got, c.want)
		}
	}
}

// TestWordsWithDigitsAreNoNumbers: digits of words, of opening hours and of labels become part of no number.
func TestWordsWithDigitsAreNoNumbers(t *testing.T) {
	for _, c := range []struct{ raw, region, want string }{
		{"030 901820, Mo-Fr 9-17 Uhr", "DE", "+4930901820 <Mo-Fr 9-17 Uhr>"},
		{"see 2023 file", "SE", "<see 2023 file>"},
		{"24h 365d", "FI", "<24h 365d>"},
		{"550e8400-e29", "DE", "<550e8400-e29>"},
		{"Phone 2: 030 901820", "DE", "+4930901820"},
		{"Tel2 030 901820", "DE", "+4930901820"},
		{"Line 1 - 020 7946 0018", "GB", "+442079460018"},
		{"1. 030 901820; 2. 0151 12345678", "DE", "+4930901820 +4915112345678"},
		{"1) 030 901820\n2) 0151 12345678", "DE", "+4930901820 +4915112345678"},
		{"212-736-5000 (9am-5pm EST)", "US", "+12127365000"},
		{"030 901820 (App. 12)", "DE", "+4930901820x12"},
		{"212.736.5000 (w) 415.555.2671 (c)", "US", "+12127365000 +14155552671"},
		{"1 800 Flowers", "US", "+18003569377"},
		{"212-PLAZA-00", "US", "+12127529200"},
		{"020 7946 0018/9", "GB", "+442079460018 <9>"},
		{"030 901820 / 21 / 22", "DE", "+4930901820 <21 / 22>"},
		{"sip:alice1234567@x.example", "AT", "<sip:alice1234567@x.example>"},
		{"https://x.example/12345678", "AT", "<https://x.example/12345678>"},
		{"https://wa.me/4915112345678?text=hi", "DE", "+4915112345678"},
	} {
		if got := partsOf(c.raw, c.region); got != c.want {
			t.Errorf("%q in %s: %s, want %s", c.raw, c.region, got, c.want)
		}
	}
}

// TestDocumentsHoldOnlyTheirNumbers: what else a JSON document says is part of no number, and a document that is cut off or
// written in another way gives its numbers too.
func TestDocumentsHoldOnlyTheirNumbers(t *testing.T) {
	const both = "+4930901820 +4915112345678"
	for _, c := range []struct{ raw, want string }{
		{`"030 901820"`, "+4930901820"},
		{`"030 901820; 0151 12345678"`, both},
		{`"[\"030 901820\",\"0151 12345678\"]"`, both},
		{`{"id":12345678,"label":"x"}`, `<{"id":12345678,"label":"x"}>`},
		{`[{"lat":52.520008,"lon":13.404954}]`, `<[{"lat":52.520008,"lon":13.404954}]>`},
		{`{"created":"2023-01-01T10:00:00Z"}`, `<{"created":"2023-01-01T10:00:00Z"}>`},
		{`["030 901820", "0151 12345678"`, both},
		{`['030 901820', '0151 12345678']`, both},
		{`{'work': '030 901820', 'mobile': '0151 12345678'}`, both},
		{`{"030 901820","0151 12345678"}`, both},
		{`{{030901820,015112345678},{NULL,NULL}}`, both},
	} {
		if got := partsOf(c.raw, "DE"); got != c.want {
			t.Errorf("%s: %s, want %s", c.raw, got, c.want)
		}
	}
	if got := strings.Join(Split(`["030 901820", "[030] 901821", '0151 1234`, "DE"), "|"); got != "030 901820|[030] 901821|0151 1234" {
		t.Errorf("parts are %s, want them without quotes", got)
	}
	for _, raw := range []string{`{"id":12345678,"label":"x"}`, `[{"id":12345678}]`} {
		if n := Parse(raw, "AT"); n.Valid || n.Digits != "" || len(Others(raw, "AT")) > 0 {
			t.Errorf("%s is read as %+v", raw, n)
		}
	}
}

// TestOddSeparatorsInventNothing: what separates two numbers unlike people do may leave them unread, but no number is made of a
// part of one, or of parts of both.
func TestOddSeparatorsInventNothing(t *testing.T) {
	for _, between := range []string{
		"=", " -> ", " > ", "*", " # ", "…", ": ", " _ ", " ‖ ", " ¦ ", " ¶ ", " ~ ", " ! ", " ? ", " ← ", "\x00", "\u200b\u200b", "・", " –– ", " -- ", " 2) ", " (2) ",
	} {
		for _, c := range []struct{ region, a, inE164, b, alsoInE164 string }{
			{"DE", "030 123456", "+4930123456", "01512 3456789", "+4915123456789"},
			{"AT", "0810 123456", "+43810123456", "01 234567890", "+431234567890"},
			{"DE", "+49 30 123456", "+4930123456", "+49 1512 3456789", "+4915123456789"},
		} {
			raw := c.a + between + c.b
			for _, n := range ParseAll(raw, c.region) {
				if n.Valid && n.E164 != c.inE164 && n.E164 != c.alsoInE164 {
					t.Errorf("%q in %s holds %s", raw, c.region, n.E164)
				}
			}
		}
	}
	if got := partsOf("030 123456 2) 01512 3456789", "DE"); got != "+4930123456 +4915123456789" {
		t.Errorf("numbers of a numbered list are %s", got)
	}
}
