package phone

import (
	"strings"
	"unicode/utf8"
)

// Placeholders that people type where a field must not stay empty.
const (
	upward     = "01234567890"
	downward   = "09876543210"
	leastDummy = 5 // digits of a repeated digit: with fewer it may be an extension
	leastRun   = 6 // digits of a run: with fewer it may be an extension
)

// mayBeDummy reports whether a text is worth the question: the last of its digits are all equal, or each is the one before it
// plus or minus one.
func mayBeDummy(text string) bool {
	const looked = 3
	var last [looked]byte
	n := 0
	for i := len(text) - 1; i >= 0 && n < looked; i-- {
		switch {
		case isDigit(text[i]):
			last[n] = text[i]
			n++
		case text[i] >= utf8.RuneSelf:
			return true
		}
	}
	if n < looked {
		return true
	}
	// Digits of a byte wrap around: 890 is a run as well.
	a, b := (last[1]-last[0]+10)%10, (last[2]-last[1]+10)%10
	return a == b && (a == 0 || a == 1 || a == 9)
}

// isDummy reports whether a number is a placeholder that belongs to nobody: zeros only, one digit repeated, or a run such as
// 123456789. A run that the numbering plan has room for is one only where it was written as nothing but the run. home is the
// plan that it was read in, nil for none.
func isDummy(n *Number, home *plan) bool {
	written := digitsOf(n.Raw)
	switch {
	case n.Digits == "" && written == "":
		return false
	case isRepeated(n.National), isZeros(written), isRepeated(written):
		return true
	case isRun(written):
		return !n.Valid || written[0] != '0'
	case n.Valid:
		return false
	}
	if home != nil {
		if national, ok := strings.CutPrefix(n.Digits, home.code.digits); ok && isRepeated(national) {
			return true
		}
	}
	return isRun(strings.TrimLeft(n.Digits, "0"))
}

func isZeros(digits string) bool { return digits != "" && strings.Trim(digits, "0") == "" }

func isRepeated(digits string) bool {
	return len(digits) >= leastDummy && strings.Trim(digits, digits[:1]) == ""
}

func isRun(digits string) bool {
	return len(digits) >= leastRun && (strings.HasPrefix(upward, digits) || strings.HasPrefix(upward[1:], digits) ||
		strings.HasPrefix(downward[1:], digits) || digits == downward)
}
