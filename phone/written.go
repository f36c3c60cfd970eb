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
