package record

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// A decimal is a number as it is written: the digits after a decimal point, and the power of ten that they are multiplied with. Numbers are
// compared by it, as a number in binary could not tell 9007199254740993 from its neighbours.
type decimal struct {
	sign   int    // -1, 0 or 1
	digits string // without zeros at either end; empty for zero
	power  int
}

// mostPower bounds the powers of numbers: what is beyond is equally large, or small.
const mostPower = 1 << 30

// decimalOf reads a number as JSON has it, or with a sign, and with zeros before it. ok is false for any other text.
func decimalOf(text string) (d decimal, ok bool) {
	d.sign = 1
	if text != "" && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			d.sign = -1
		}
		text = text[1:]
	}
	mantissa, exponent, hasExponent := text, "", false
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		mantissa, exponent, hasExponent = text[:at], text[at+1:], true
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || !isDigits(whole) || !isDigits(fraction) {
		return decimal{}, false
	}
	if hasExponent {
		if d.power, ok = power(exponent); !ok {
			return decimal{}, false
		}
	}
	d.power += len(whole)
	digits := strings.TrimLeft(whole+fraction, "0")
	d.power -= len(whole) + len(fraction) - len(digits)
	if d.digits = strings.TrimRight(digits, "0"); d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// power reads an exponent, within bounds.
func power(text string) (n int, ok bool) {
	unsigned := strings.TrimPrefix(text, "-")
	if unsigned == text {
		unsigned = strings.TrimPrefix(text, "+")
	}
	if unsigned == "" || !isDigits(unsigned) {
		return 0, false
	}
	n, err := strconv.Atoi(unsigned)
	if n = min(n, mostPower); err != nil { // it is longer than an int
		n = mostPower
	}
	if text[0] == '-' {
		n = -n
	}
	return n, true
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// compare orders two numbers.
func (d decimal) compare(e decimal) int {
	if d.sign != e.sign || d.sign == 0 {
		return cmp.Compare(d.sign, e.sign)
	}
	return d.sign * cmp.Or(cmp.Compare(d.power, e.power), strings.Compare(d.digits, e.digits))
}

// isNumber reports whether a value is a number, and not a text that may be read as one.
func isNumber(value any) bool {
	switch value.(type) {
	case int, float64, json.Number:
		return true
	}
	return false
}

// number reads a value as a number.
func number(value any) (decimal, bool) {
	switch value := value.(type) {
	case int:
		return decimalOf(strconv.Itoa(value))
	case float64:
		return decimalOf(strconv.FormatFloat(value, 'g', -1, 64))
	case json.Number:
		return decimalOf(value.String())
	case string:
		return decimalOf(strings.TrimSpace(value))
	}
	return decimal{}, false
}
