// Package screen knows what a text must not hold that others wrote and that is shown on a terminal.
package screen

import "unicode"

// Draws reports whether a character does something else on a terminal than to stand there: it controls it, turns the direction of what
// follows, ends a line, or is not seen. Joiners are not among them: names and emoji need them.
func Draws(r rune) bool {
	switch r {
	case '\u2028', '\u2029', '\u200b', '\u2060', '\ufeff':
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}
