package directory

import (
	"slices"
	"strings"
)

// MinDigits is how many digits a typed number has at least, leading zeros aside, to be looked for ([Query]).
const MinDigits = 4

// Digits are those of a typed number, without the zeros that it is dialled with; empty where the text is not a number, or has
// fewer than [MinDigits]. "0171 2345" is 1712345, "+49 (0)171/2345" is 491712345.
func Digits(text string) string {
	digits := make([]byte, 0, len(text))
	for _, r := range strings.ReplaceAll(text, "(0)", "") {
		switch {
		case '0' <= r && r <= '9':
			digits = append(digits, byte(r))
		case !strings.ContainsRune("+()/-–. \u00a0", r):
			return ""
		}
	}
	if typed := strings.TrimLeft(string(digits), "0"); len(typed) >= MinDigits {
		return typed
	}
	return ""
}

// Starts are the digits that a typed number is compared with the beginning of ([Query]): all digits that lookups compare,
// and the national ones, each without leading zeros. National is the second; the same as the first where the number is no
// E.164.
func Starts(n *Number) (whole, national string) {
	if n.E164 == "" {
		whole = strings.TrimLeft(n.Match, "0")
		return whole, whole
	}
	whole = n.E164[1:]
	return whole, strings.TrimLeft(whole[min(len(whole), countryCode(whole)):], "0")
}

// twoDigits are the country codes of two digits (ITU-T E.164, Annex D). 1 and 7 stand alone; all others have three.
var twoDigits = []string{
	"20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
	"51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
	"81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
}

// countryCode is how long the country code at the beginning of E.164 digits is.
func countryCode(digits string) int {
	switch {
	case digits == "" || digits[0] == '1' || digits[0] == '7':
		return 1
	case len(digits) >= 2 && slices.Contains(twoDigits, digits[:2]):
		return 2
	}
	return 3
}

// Reverse turns digits around, so that an ending becomes a beginning, which an index can find.
func Reverse(digits string) string {
	b := []byte(digits)
	slices.Reverse(b)
	return string(b)
}
