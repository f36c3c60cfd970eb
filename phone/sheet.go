package phone

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unsheet undoes what spreadsheets and floating-point columns do to a number: 447911123457.0, 4.915112345678E+12,
// ="07911123458". lost reports that digits are missing, as in 4.91511E+12: such a text is not a number at all. A text that no
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

// restore undoes what a spreadsheet or a floating-point column did to the number in a text, also where a label, quotes or a
// remark stand around it: Tel: 4.915112345678E+12. lost reports that digits are missing, or that there is no telephone number in
// it, as in -4.9E+12. Any other text is returned unchanged.
func restore(raw string) (text string, lost bool) {
	if isUsual(raw) {
		return raw, false
	}
	if text, lost = unsheet(raw); lost {
		return raw, true
	}
	if !mayHoldFloat(text) {
		return text, false
	}
	written := plain(text)
	var b strings.Builder
	end := 0
	for _, f := range floatsIn(written) {
		if f.lost {
			return raw, true
		}
		b.WriteString(written[end:f.start] + f.digits)
		end = f.end
	}
	if end == 0 {
		return text, false
	}
	return b.String() + written[end:], false
}

// isUsual reports whether a text is digits with the usual punctuation, without points and commas. It decides for most numbers.
func isUsual(raw string) bool {
	for i := range len(raw) {
		if !usual[raw[i]] {
			return false
		}
	}
	return true
}

var usual = func() (is [256]bool) {
	for _, c := range []byte("0123456789+-()/ ") {
		is[c] = true
	}
	return is
}()

// mayHoldFloat reports whether a text is worth a closer look: digits on both sides of a point and an exponent after them,
// many digits in front of a point, a point and zeros at the end, or several commas between digits. It decides for the usual spellings without a second look.
func mayHoldFloat(text string) bool {
	const (
		wideLead  = 0xEF // begins full-width digits
		pointLead = 0xC2 // begins a raised point,
		raised    = 0xB7 // which ends so
	)
	run, point := 0, false // point: one came between digits
	for i := range len(text) {
		switch c := text[i]; {
		case isDigit(c):
			run++
			continue
		case c == wideLead:
			return true
		case c == pointLead:
			continue
		case (c == '.' || c == ',' || c == raised) && run > 0 && i+1 < len(text) && isDigit(text[i+1]):
			if run >= leastFloat || point && c == ',' || strings.Trim(text[i+1:], "0") == "" {
				return true
			}
			point = true
		case point && (c == 'e' || c == 'E' || c == '^'):
			return true
		}
		run = 0
	}
	return false
}

// A float is a place of a text where a program has written a number with an exponent, a fraction or separators of thousands.
type float struct {
	start, end int
	digits     string // all of them, unless some are lost
	lost       bool
}

// These match floating-point numbers: of an exponent, the mantissa as programs write it, with one digit in front of the
// point, or three as engineers do.
var (
	exponents = regexp.MustCompile(`([1-9][0-9]{0,2}[.,·][0-9]+)(?:[eE][+]?|[ ]?[eE][ ]?[+]|[ ]?[x×*][ ]?10\^[+]?)([0-9]{1,3})`)
	fractions = regexp.MustCompile(`([1-9][0-9]{6,})([.,])([0-9]+)`)
)

// grouped matches a number with commas between its groups, such as 447,911,123,456 with its thousands set apart, 703,555,0187 and
// 030,265,502,80. Other separators of thousands are usual between the groups of a number; here they only stand in front of a fraction.
var grouped = regexp.MustCompile(`([1-9][0-9]{0,2}(?:,[0-9]{3})+,[0-9]{1,4}|0[0-9]{1,4}(?:,[0-9]{2,4}){2,})(\.[0-9]+)?` +
	`|([1-9][0-9]{0,2}(?:\.[0-9]{3}){2,4})(,0{1,2})|([1-9][0-9]{0,2}(?: [0-9]{3}){2,4})([.,]0{1,2})`)

// floatsIn returns the floating-point numbers in a text, in their order.
func floatsIn(text string) []float {
	var list []float
	if !mayHoldFloat(text) {
		return nil
	}
	if strings.ContainsAny(text, "eE^") {
		for _, at := range exponents.FindAllStringSubmatchIndex(text, -1) {
			if !standsAlone(text, at[0], at[1]) {
				continue
			}
			f := float{start: at[0], end: at[1]}
			digits, ok, lost := expand(strings.Replace(text[at[2]:at[3]], "·", ".", 1), text[at[4]:at[5]])
			f.digits, f.lost = digits, !ok || lost || isNegative(text, f.start)
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		list = fractionsIn(text)
	}
	return withGrouped(list, text)
}

// fractionsIn returns the numbers with a fraction in a text.
func fractionsIn(text string) []float {
	var list []float
	for _, at := range fractions.FindAllStringSubmatchIndex(text, -1) {
		if !standsAlone(text, at[0], at[1]) || text[at[4]] == ',' && goesOn(text[at[1]:]) {
			continue
		}
		f := float{start: at[0], end: at[1]}
		digits, ok, lost := withoutFraction(text[at[0]:at[1]])
		if f.digits, f.lost = digits, lost || ok && isNegative(text, f.start); ok {
			list = append(list, f)
		}
	}
	return list
}

// withGrouped adds the numbers with separators between their groups to the floating-point numbers of a text.
func withGrouped(list []float, text string) []float {
	for _, at := range grouped.FindAllStringSubmatchIndex(text, -1) {
		of := slices.IndexFunc(at[2:], func(place int) bool { return place >= 0 }) + 2
		whole, fraction := text[at[of]:at[of+1]], ""
		if at[of+2] >= 0 {
			fraction = text[at[of+2]+1 : at[of+3]]
		}
		f := float{start: at[0], end: at[1], digits: digitsOf(whole)}
		overlaps := slices.ContainsFunc(list, func(other float) bool { return f.start < other.end && other.start < f.end })
		if overlaps || !standsAlone(text, f.start, f.end) || isList(whole) {
			continue
		}
		f.lost = strings.Trim(fraction, "0") != "" || isNegative(text, f.start) || len(f.digits) > maxE164 || f.digits == ""
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b float) int { return a.start - b.start })
	return list
}

// isList reports whether groups of digits are rather a list of extensions than a number: all with the same first digit, such as
// 201,202,203, or of few digits with a short one at the end, such as 201,305,12.
func isList(text string) bool {
	const leastUneven = 10
	last := text[strings.LastIndexByte(text, ',')+1:]
	if len(last) < 3 && text[0] != '0' {
		return countDigits(text) < leastUneven
	}
	for group := range strings.SplitSeq(text, ",") {
		if len(group) < 3 || group[0] != text[0] || group[0] == '0' {
			return false
		}
	}
	return strings.Contains(text, ",")
}

// standsAlone reports whether a part of a text is not part of a longer number or word. What follows may be a word.
func standsAlone(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	if start > 0 && (digitOf(before) >= 0 || unicode.IsLetter(before) || strings.ContainsRune(".,/", before)) {
		return false
	}
	if end < len(text)-1 && strings.ContainsRune(".,", rune(text[end])) && isDigit(text[end+1]) {
		return false
	}
	return end == len(text) || !isDigit(text[end])
}

// goesOn reports whether the digits that a text comes after begin a number: ",00 49 …" after another one.
func goesOn(text string) bool {
	rest := strings.TrimLeft(text, " -.(/")
	return rest != "" && isDigit(rest[0])
}

// isNegative reports whether a minus stands in front of a number: after a digit it is a hyphen.
func isNegative(text string, start int) bool {
	rest, ok := strings.CutSuffix(text[:start], "-")
	return ok && (rest == "" || !isDigit(rest[len(rest)-1]))
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
	mostCents    = 2  // digits of a fraction that is not a group of a number
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
	case !zeros && text[at] == '.' && len(digits) >= leastFloat && (len(fraction) <= mostCents || len(digits)+len(fraction) > maxE164-3):
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
