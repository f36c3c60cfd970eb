package phone

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ask has the library read a spelling: letters, prefixes that are rewritten, and whatever else is rare.
func ask(r *reading, text string, home *plan) bool {
	region := ""
	if home != nil {
		region = home.region
	}
	parsed, err := phonenumbers.Parse(text, region)
	if err != nil {
		return false
	}
	code := plans().codes[parsed.GetCountryCode()]
	if code == nil {
		return false
	}
	national := make([]byte, 0, maxNational)
	if parsed.GetItalianLeadingZero() {
		for range parsed.GetNumberOfLeadingZeros() {
			national = append(national, '0')
		}
	}
	national = strconv.AppendUint(national, parsed.GetNationalNumber(), 10)
	p := code.plans[0]
	if home != nil && home.code == code {
		p = home
	}
	r.possible = strings.HasPrefix(text, "+") || p.ready() && p.lengths.has(len(national)) && !p.local.has(len(national))
	if !r.settle(code, national) {
		return false
	}
	r.ext = parsed.GetExtension()
	return true
}

// isTollFree reports whether the number is free of charge for the caller.
func (r *reading) isTollFree() bool {
	if r.code == nil {
		return false
	}
	parsed, err := phonenumbers.Parse("+"+string(r.appendDigits(nil)), "")
	return err == nil && phonenumbers.GetNumberType(parsed) == phonenumbers.TOLL_FREE
}
