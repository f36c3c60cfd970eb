package phone

import (
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
	parsed, err := phonenumbers.Parse(e164, "")
	if err != nil || !strings.HasPrefix(e164, "+") {
		return e164
	}
	return phonenumbers.Format(parsed, phonenumbers.NATIONAL)
}

// IsMobile reports whether an E.164 number can only be a mobile telephone's. In countries with one plan for both, such as the
// United States, no number can only be that.
func IsMobile(e164 string) bool {
	parsed, err := phonenumbers.Parse(e164, "")
	return err == nil && phonenumbers.GetNumberType(parsed) == phonenumbers.MOBILE
}

// ExitCode returns what is dialled in a region before the calling code of another country: 00, 011. It is 00 where the region is
// unknown.
func ExitCode(region string) string {
	foreign, e164 := "+442079460018", "442079460018"
	if CallingCode(region) == "44" {
		foreign, e164 = "+493023125000", "493023125000"
	}
	parsed, err := phonenumbers.Parse(foreign, "")
	if err != nil || !KnownRegion(region) {
		return "00"
	}
	digits := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, phonenumbers.FormatOutOfCountryCallingNumber(parsed, strings.ToUpper(region)))
	if code, ok := strings.CutSuffix(digits, e164); ok && code != "" {
		return code
	}
	return "00"
}
