package proposal

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/phone"
)

var (
	// phoneSigns are what people write numbers with.
	phoneSigns = regexp.MustCompile(`^[+(]?[0-9(][0-9 ()./\x{2010}-\x{2015}\x{a0}-]*[0-9](?: ?(?:x|ext\.?|#|-) ?[0-9]{1,6})?$`)
	// dates, times, addresses of machines, amounts
	notPhone = regexp.MustCompile(`^(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}:\d{2}|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$|\d+\.\d+$)`)
	email    = regexp.MustCompile(`^[^@\s;,]+@[^@\s;,]+\.[^@\s;,]+$`)
)

// looksLikePhone reports whether a value is a phone number whatever its column is called: in a usual form, with a sign that
// numbers of other sorts lack.
func looksLikePhone(value string) bool {
	value = strings.TrimSpace(value)
	if !phoneSigns.MatchString(value) || notPhone.MatchString(value) {
		return false
	}
	digits := 0
	for _, r := range value {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	if digits < 7 || digits > 17 {
		return false
	}
	return value[0] == '+' || value[0] == '(' || value[0] == '0' && strings.ContainsAny(value, " /-.") || strings.HasPrefix(value, "00") ||
		strings.Count(value, " ")+strings.Count(value, "-")+strings.Count(value, ".") >= 2
}

// hasPhone reports whether a value of a column that is called after phones may be a number: it has some digits.
func hasPhone(value string) bool {
	digits := 0
	for _, r := range value {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return digits >= 3
}

func looksLikeEmail(value string) bool { return email.MatchString(strings.TrimSpace(value)) }

// isNational reports whether a number is written without its country, as nearly all are that begin with neither + nor 00.
func isNational(value string) bool {
	value = strings.TrimLeft(value, " (")
	return hasPhone(value) && !strings.HasPrefix(value, "+") && !strings.HasPrefix(value, "00") && !phone.Parse(value, "").Valid
}

// regionOf returns the country of a number with its country code, or "".
func regionOf(value string) string {
	n := phone.Parse(value, "")
	if !n.Valid || n.Region == "001" {
		return ""
	}
	return n.Region
}

// looksLikeName reports whether a value is written as the names of people are: two to four words of letters, half of which or more begin
// with a capital letter where the script has any.
func looksLikeName(value string) bool {
	words := strings.Fields(value)
	if len(words) < 2 || len(words) > 4 {
		return false
	}
	small := 0
	for _, word := range words {
		first := true
		for _, r := range word {
			switch {
			case !unicode.IsLetter(r) && !unicode.Is(unicode.M, r) && !strings.ContainsRune(".'’-,", r):
				return false
			case first && unicode.IsLower(r):
				small++
			}
			first = false
		}
	}
	return small*2 <= len(words)
}

func hasLetters(value string) bool { return strings.ContainsFunc(value, unicode.IsLetter) }

// everyOf makes of a question about a value one about a list as well, of texts in JSON: it is asked of each of them.
func everyOf(is func(string) bool) func(string) bool {
	return func(value string) bool {
		var list []string
		if !strings.HasPrefix(value, "[") || json.Unmarshal([]byte(value), &list) != nil {
			return is(value)
		}
		for _, one := range list {
			if !is(one) {
				return false
			}
		}
		return len(list) > 0
	}
}
