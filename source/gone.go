package source

import (
	"encoding/hex"
	"regexp"
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
	return !strings.HasPrefix(value, "infinity") && !strings.HasPrefix(value, "9999-") && !isNoTime(value)
}

// isAround reports whether a character beside a value means nothing: white space, quotes, the brackets of lists and JSON,
// signs, full stops, and the marks of money and percent.
func isAround(r rune) bool {
	return strings.ContainsRune("\"'`{}[]()+-–—.%€$£¥\x00\u00a0 \t\r\n\v\f", r)
}

// mantissa returns a number without its exponent: 1e-400 is not zero.
func mantissa(number string) string {
	text, _, _ := strings.Cut(number, "e")
	return text
}

// words say that a contact is not gone.
var words = []string{
	"f", "false", "n", "no", "not", "off", "null", "nil", "none", "n/a", "never", "undefined", "inf",
	"falsch", "falso", "faux", "nao", "não", "ne", "nee", "nei", "nein", "nej", "nie", "non", "нет",
}

// isNoTime reports whether a value, in lower case, is a time at which nothing was deleted: the end of time, in years from 9999 on, or the zero
// time of a database, a program or a spreadsheet. All of those are on the first day of 1970 or before it, in any time zone; programs that
// can delete a contact are younger.
func isNoTime(value string) bool {
	if isNever.MatchString(value) {
		return true
	}
	date := dates.FindStringSubmatch(value)
	if date == nil {
		return false
	}
	year, _ := strconv.Atoi(date[1] + date[6]) // one of them is empty: the pattern has two ways to write a date
	first := isFirst(date[2]+date[4]) && isFirst(date[3]+date[5])
	return year >= 9999 || year < 1970 || year == 1970 && first || strings.HasSuffix(value, " bc")
}

// isFirst reports whether a day or month is the first one.
func isFirst(text string) bool {
	return strings.TrimLeft(text, "0") == "1" || strings.HasPrefix(text, "jan")
}

// dates finds the year, and the two other parts, of the dates that times begin with: 2026-11-29T10:00:00Z, 29.11.2026, 11/29/2026 10:00 AM,
// 29-NOV-2026, Sun, 29 Nov 2026 10:00:00 GMT, Nov 29, 2026, Sun Nov 29 10:00:00 UTC 2026.
var dates = regexp.MustCompile(`^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +)?(?:` +
	`(\d{4,6})[-/.](\d\d?)[-/.](\d\d?)|` +
	`(\d\d?|` + month + `)[-/. ]+(\d\d?|` + month + `)[-/., ]+(?:\d\d:\d\d:\d\d(?:\.\d+)? (?:[a-z]+ )?)?(\d{4,6})` +
	`)(?:\D|$)`)

const month = `(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*`

// isNever finds dates that stand for no time and are written without anything between their parts, or with two digits of the year. Any other
// number of eight digits may be something else, and any other year of two digits is one in which contacts were deleted.
var isNever = regexp.MustCompile(`^(?:(?:99991231|19700101|19000101|18991230|17530101|16010101|00010101)(?:t?\d{4}(?:\d\d)?)?|` +
	`(?:31\W(?:12|dec)|12\W31)\W99|0?1\W(?:0?1|jan)\W70)(?:\D|$)`)
