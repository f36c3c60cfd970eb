package phone

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// CallingCode returns a region's country calling code, "" if the region is unknown.
func CallingCode(region string) string {
	if p := planOf(region); p != nil {
		return p.code.digits
	}
	return ""
}

// IsWritten reports whether a number stands in groups as a region writes its national numbers. Digits without groups are not
// written in any country's way.
func IsWritten(raw, region string) bool {
	n := Parse(raw, region)
	if !n.Valid || n.Region != region && CallingCode(n.Region) != CallingCode(region) || onlyDigits(raw) {
		return false
	}
	parsed, err := phonenumbers.Parse(n.E164, "")
	if err != nil {
		return false
	}
	return groupsOf(phonenumbers.Format(parsed, phonenumbers.NATIONAL)) == groupsOf(raw)
}

// groupsOf returns a text's digits with one space between its groups.
func groupsOf(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c < '0' || c > '9' }), " ")
}

// FormatNational returns an E.164 number as its country writes it without the calling code: +442079460018 is 020 7946 0018. Any
// other text is returned unchanged.
func FormatNational(e164 string) string {
	if c, national, p := belongs(e164); p != nil {
		code, _ := strconv.ParseInt(c.digits, 10, 32)
		return phonenumbers.Format(numberOf(int32(code), national), phonenumbers.NATIONAL)
	}
	parsed, err := phonenumbers.Parse(e164, "")
	if err != nil || !strings.HasPrefix(e164, "+") {
		return e164
	}
	return phonenumbers.Format(parsed, phonenumbers.NATIONAL)
}

// belongs takes an E.164 number apart. The plan is nil where the number is not valid, or only the library can tell.
func belongs(e164 string) (*callingCode, []byte, *plan) {
	digits, ok := strings.CutPrefix(e164, "+")
	if !ok || !onlyDigits(digits) || len(digits) > maxE164 {
		return nil, nil, nil
	}
	c := codeAt([]byte(digits))
	if c == nil || !c.ready() {
		return nil, nil, nil
	}
	national := []byte(digits[len(c.digits):])
	if owner := c.valid.run(national); owner > 0 {
		return c, national, c.plans[owner-1]
	}
	return nil, nil, nil
}

// numberOf is a valid number as the library has it.
func numberOf(code int32, national []byte) *phonenumbers.PhoneNumber {
	value, _ := strconv.ParseUint(string(national), 10, 64)
	n := &phonenumbers.PhoneNumber{CountryCode: &code, NationalNumber: &value}
	if zeros := int32(len(national) - len(bytes.TrimLeft(national, "0"))); zeros > 0 {
		leading := true
		n.ItalianLeadingZero, n.NumberOfLeadingZeros = &leading, &zeros
	}
	return n
}

// IsMobile reports whether an E.164 number can only be a mobile telephone's. In countries with one plan for both, such as the
// United States, no number can only be that.
func IsMobile(e164 string) bool {
	if _, national, p := belongs(e164); p != nil {
		if mobile := p.mobiles(); mobile != nil {
			return mobile.run(national) != 0
		}
	}
	parsed, err := phonenumbers.Parse(e164, "")
	return err == nil && phonenumbers.GetNumberType(parsed) == phonenumbers.MOBILE
}

// ExitCode returns what is dialled in a region before the calling code of another country: 00, 011. It is 00 where the region is
// unknown.
func ExitCode(region string) string {
	p := planOf(region)
	if p == nil {
		return usualExit
	}
	p.onceExit.Do(func() { p.exit = exitCode(p) })
	return p.exit
}

const usualExit = "00"

// exitCode asks the library how a number abroad is dialled.
func exitCode(p *plan) string {
	foreign, e164 := "+442079460018", "442079460018"
	if p.code.digits == "44" {
		foreign, e164 = "+493023125000", "493023125000"
	}
	parsed, err := phonenumbers.Parse(foreign, "")
	if err != nil {
		return usualExit
	}
	digits := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, phonenumbers.FormatOutOfCountryCallingNumber(parsed, p.region))
	if code, ok := strings.CutSuffix(digits, e164); ok && code != "" {
		return code
	}
	return usualExit
}

// Spellings returns ways in which people and programs write a full number, the likeliest first, those from before and after a
// renumbering among them. Region is where they write it. They consist of digits, spaces and +()-./ only. A number that is not valid has
// none.
func Spellings(n Number, region string) []string {
	if !n.Valid {
		return nil
	}
	list := spellings(nil, n, region)
	for _, r := range Respell(n, region) {
		if other := Parse("+"+r.Digits, ""); r.Full && other.Valid {
			list = spellings(list, other, region)
			continue
		}
		list = addSpellings(list, r.Digits)
		if code := CallingCode(n.Region); strings.HasPrefix(r.Digits, code) {
			list = addSpellings(list, "+"+r.Digits, strings.TrimPrefix(r.Digits, code))
		}
	}
	return list
}

func spellings(list []string, n Number, region string) []string {
	parsed, err := phonenumbers.Parse(n.E164, "")
	if err != nil {
		return list
	}
	national, abroad := phonenumbers.Format(parsed, phonenumbers.NATIONAL), phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL)
	dialled, groups := digitsOf(national), groupsOf(national)
	list = addSpellings(list, n.E164, n.Digits, dialled, national, abroad, n.National, "00"+n.Digits)
	if exit := ExitCode(region); len(exit) < 5 { // a longer one has every carrier's prefix in it
		list = addSpellings(list, exit+n.Digits)
	}
	code := strings.TrimSuffix(n.Digits, n.National)
	if trunk, ok := strings.CutSuffix(dialled, n.National); ok && trunk != "" && strings.HasPrefix(groups, trunk) {
		list = addSpellings(list, "+"+code+" ("+trunk+")"+strings.TrimPrefix(groups, trunk))
	}
	local := strings.TrimPrefix(groupsOf(abroad), code+" ")
	for _, separator := range []string{"-", " ", ".", "/"} {
		list = addSpellings(list, strings.ReplaceAll(groups, " ", separator), "+"+code+separator+strings.ReplaceAll(local, " ", separator))
	}
	if area, rest, ok := strings.Cut(groups, " "); ok {
		list = addSpellings(list, "("+area+") "+rest, area+"/"+strings.ReplaceAll(rest, " ", ""), area+"-"+strings.ReplaceAll(rest, " ", ""), area+" "+strings.ReplaceAll(rest, " ", ""))
	}
	return list
}

// addSpellings adds those that are not in a list yet and have no other characters than numbers have.
func addSpellings(list []string, texts ...string) []string {
	for _, text := range texts {
		if text != "" && strings.Trim(text, "0123456789 +()-./") == "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
