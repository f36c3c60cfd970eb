package source

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// IsGone reports whether the value of a deleted column, as text, says that the contact is gone. Every kind of source asks it,
// so that one column means the same in all of them: a contact is gone unless the value is empty, zero, a word for no, or a
// time that stands for no time. In doubt the contact is kept: it can still be deleted later.
//
// Zero is any text of zeros and what stands beside digits, so that 0.00, 0 %, 000 (a bit string), {0} (a list) and 0000-00-00
// are zeros too, and 0E-10. The words are those of [words], in any case, with quotes or without.
func IsGone(value string) bool {
	if bytes, ok := strings.CutPrefix(value, `\x`); ok { // PostgreSQL's bytes
		if text, err := hex.DecodeString(bytes); err == nil {
			value = string(text)
		}
	}
	value = strings.ToLower(strings.TrimFunc(value, isAround))
	if strings.Trim(value, "0.,:-/ ") == "" || slices.Contains(words, value) {
		return false
	}
	if number, err := strconv.ParseFloat(value, 64); err == nil && number == 0 {
		return strings.ContainsAny(mantissa(value), "123456789")
	}
	return !slices.ContainsFunc(never, func(prefix string) bool { return strings.HasPrefix(value, prefix) })
}

// isAround reports whether a character beside a value means nothing: white space, quotes, the brackets of lists and JSON,
// signs, and the marks of money and percent.
func isAround(r rune) bool {
	return strings.ContainsRune("\"'`{}[]()+-–—%€$£¥\x00\u00a0 \t\r\n\v\f", r)
}

// mantissa returns a number without its exponent: 1e-400 is not zero.
func mantissa(number string) string {
	text, _, _ := strings.Cut(number, "e")
	return text
}

// words say that a contact is not gone.
var words = []string{
	"f", "false", "n", "no", "not", "off", "null", "nil", "none", "n/a", "never", "undefined",
	"falsch", "falso", "faux", "nao", "não", "ne", "nee", "nei", "nein", "nej", "nie", "non", "нет",
}

// never begins times that stand for no time at all: the zero time of databases, programs and spreadsheets, also as other time
// zones write it, and the end of time.
var never = []string{
	"infinity", "9999-", "0001-01-01", "0001-12-31", "1753-01-01", "1899-12-3", "1900-01-01", "1969-12-31", "1970-01-01",
}
