package phone

import "strings"

// unsheet undoes what spreadsheets and floating-point columns do to a number: 447911123457.0, 4.915112345678E+12,
// ="07911123458". lost reports that digits are missing, as in 4.91511E+12: such a text is no number at all. A text that no
// such program wrote is returned unchanged.
func unsheet(raw string) (text string, lost bool) {
	if !mayBeSheet(raw) {
		return raw, false
	}
	text = strings.TrimSpace(raw)
	if inner, ok := strings.CutPrefix(text, `="`); ok && strings.HasSuffix(inner, `"`) {
		return inner[:len(inner)-1], false
	}
	sign := ""
	if rest, ok := strings.CutPrefix(text, "+"); ok {
		sign, text = "+", rest
	}
	whole := leadingDigits(text)
	if len(whole) == 0 || whole[0] == '0' && sign == "" {
		return raw, false
	}
	var digits string
	var ok bool
	if at := strings.IndexAny(text, "eE"); at > 0 {
		digits, ok, lost = expand(text[:at], text[at+1:])
	} else {
		digits, ok, lost = withoutFraction(text)
	}
	if !ok {
		return raw, false
	}
	if lost {
		return raw, true
	}
	return sign + digits, false
}

// Tidy returns a number without what a spreadsheet or a floating-point column has added to it: 447911123457 for
// 447911123457.0. Any other text it returns unchanged.
func Tidy(raw string) string {
	text, _ := unsheet(raw)
	return text
}

// mayBeSheet reports whether a text is worth a closer look: one dot or comma with nothing but digits around it, an exponent,
// a formula. It decides for the usual spellings without a second look.
func mayBeSheet(raw string) bool {
	points := 0
	for i := range len(raw) {
		switch c := raw[i]; {
		case isDigit(c), c == '+':
		case c == '.', c == ',':
			if points++; points > 1 {
				return false
			}
		case c == 'e', c == 'E', c == '=':
			return true
		case c == ' ' && (i == 0 || i == len(raw)-1):
		default:
			return false
		}
	}
	return points == 1
}

// Limits of what is understood of numbers that a program has written as floating-point numbers.
const (
	leastFloat   = 7  // digits in front of a fraction that is not just .0: with fewer it is punctuation
	sureMantissa = 10 // digits of a mantissa that was not rounded
	mostTrailing = 2  // zeros that the end of a mantissa may lack
	leastPower   = 5  // of an exponent; a smaller one may be a letter in an extension
)

// withoutFraction reads 447911123457.0 and 447911123457,00. Another fraction means that the digits are not those of a number.
func withoutFraction(text string) (digits string, ok, lost bool) {
	at := strings.IndexAny(text, ".,")
	if at < 0 {
		return "", false, false
	}
	digits, fraction := text[:at], text[at+1:]
	if fraction == "" || !onlyDigits(digits) || !onlyDigits(fraction) {
		return "", false, false
	}
	zeros := strings.Trim(fraction, "0") == ""
	switch {
	case zeros && text[at] == '.' && len(fraction) == 1 && len(digits) > 2, zeros && len(digits) >= leastFloat:
		return digits, true, false
	case !zeros && text[at] == '.' && len(digits) >= leastFloat && len(digits)+len(fraction) > maxE164-3:
		return "", true, true
	}
	return "", false, false
}

// expand writes out a mantissa and an exponent where the mantissa has the digits for it. Programs leave out the zeros at a
// mantissa's end; more than a few of them missing means that it was rounded.
func expand(mantissa, exponent string) (digits string, ok, lost bool) {
	exponent = strings.TrimPrefix(exponent, "+")
	if !onlyDigits(exponent) || len(exponent) > 3 || exponent == "" {
		return "", false, false
	}
	power := 0
	for _, d := range []byte(exponent) {
		power = power*10 + int(d-'0')
	}
	whole, fraction := mantissa, ""
	if at := strings.IndexAny(mantissa, ".,"); at >= 0 {
		whole, fraction = mantissa[:at], mantissa[at+1:]
	}
	if !onlyDigits(whole) || !onlyDigits(fraction) || whole == "" || power < leastPower && fraction == "" && exponent != "00" {
		return "", false, false
	}
	missing := power - len(fraction)
	switch {
	case missing == 0, missing > 0 && missing <= mostTrailing && len(whole)+len(fraction) >= sureMantissa:
		return whole + fraction + strings.Repeat("0", missing), true, false
	case missing < 0 && strings.Trim(fraction[power:], "0") == "":
		return whole + fraction[:power], true, false
	}
	return "", true, true
}

func onlyDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }
