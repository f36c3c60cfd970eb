package source

import "strings"

// IsGone reports whether the value of a deleted column, as text, says that the contact is gone. Every kind of source asks it,
// so that one column means the same in all of them: a contact is gone unless the value is empty, zero, or a word for no.
//
// Zero is any text of zeros and what stands between digits, so that 0.00, 000 (a bit string) and 0000-00-00 (a time that
// never was) are zeros too. The words are f, false, n, no, off, null and none, in any case, with quotes or without.
func IsGone(value string) bool {
	value = strings.Trim(value, "\"' \t\r\n\x00")
	value = strings.TrimPrefix(value, `\x`) // PostgreSQL's bytes
	if strings.Trim(value, "0.,:-/ ") == "" {
		return false
	}
	switch strings.ToLower(value) {
	case "f", "false", "n", "no", "off", "null", "none":
		return false
	}
	return true
}
