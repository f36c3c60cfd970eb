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

// mayBeDummy reports whether a text is worth the question: the last of its digits are all equal, or a run. It does not
// allocate.
func mayBeDummy(text string) bool {
	var last [leastDummy]byte // the last digit first
	n, zeros := 0, true
	for i := len(text) - 1; i >= 0 && n < len(last); i-- {
		switch c := text[i]; {
		case isDigit(c):
			last[n] = c
			zeros = zeros && c == '0'
			n++
		case c >= utf8.RuneSelf:
			return true
		}
	}
	if n < len(last) {
		return n > 0 && zeros
	}
	step := (last[1] - last[0] + 10) % 10 // a run goes on after 9 with 0
	if step != 0 && step != 1 && step != 9 {
		return false
	}
	for i := 2; i < len(last); i++ {
		if (last[i]-last[i-1]+10)%10 != step {
			return false
		}
	}
	return true
}

// isDummy reports whether a number is a placeholder, not anyone's number: zeros only, one digit repeated, or a run such as
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
	code := ""
	if home != nil {
		code = home.code.digits
	}
	if strings.HasPrefix(strings.TrimSpace(n.Raw), "+") {
		if c := codeAt([]byte(n.Digits)); c != nil {
			code = c.digits
		}
	}
	if national, ok := strings.CutPrefix(n.Digits, code); ok && isRepeated(national) {
		return true
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
