package xlsx

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// unescape replaces control characters that are written as _xHHHH_ in the text from a place on (ECMA-376 part 1, 22.9.2.19).
func unescape(text []byte, from int) []byte {
	if !bytes.Contains(text[from:], []byte("_x")) {
		return text
	}
	to := text[:from]
	for rest := text[from:]; len(rest) > 0; {
		if code, ok := escaped(rest); ok {
			to = utf8.AppendRune(to, code)
			rest = rest[len("_x0000_"):]
			continue
		}
		to = append(to, rest[0])
		rest = rest[1:]
	}
	return to
}

// escaped reads an escape at the beginning of a text. Halves of a surrogate pair are none.
func escaped(text []byte) (rune, bool) {
	if len(text) < len("_x0000_") || text[0] != '_' || text[1] != 'x' || text[6] != '_' {
		return 0, false
	}
	code, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(code), err == nil && utf8.ValidRune(rune(code))
}
