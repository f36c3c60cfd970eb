package contact

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// AppendJSON appends the contact as it goes over the wire (P10) and returns the extended buffer. It allocates only where
// the buffer must grow.
//
// id and name are always written; every other field only if it has a value, never as null or empty (D1).
// Empty entries of arrays and custom fields without key or value are not written. The output is valid UTF-8 whatever the
// contact holds: bytes that are not UTF-8 become U+FFFD.
func (c *Contact) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = AppendString(dst, c.ID)
	dst = append(dst, `,"name":`...)
	dst = AppendString(dst, c.Name)
	dst = appendField(dst, `,"title":`, c.Title)
	dst = appendField(dst, `,"company":`, c.Company)
	dst = appendList(dst, `,"emails":`, c.Emails)
	dst = appendList(dst, `,"phones":`, c.Phones)
	dst = appendField(dst, `,"photo_url":`, c.PhotoURL)
	dst = appendField(dst, `,"address":`, c.Address)
	dst = appendList(dst, `,"websites":`, c.Websites)
	dst = appendField(dst, `,"twitter":`, c.Twitter)
	dst = appendField(dst, `,"url":`, c.URL)
	dst = appendCustomFields(dst, c.CustomFields)
	return append(dst, '}')
}

// MarshalJSON is [Contact.AppendJSON] for encoding/json.
func (c Contact) MarshalJSON() ([]byte, error) {
	return c.AppendJSON(nil), nil
}

func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendString(append(dst, name...), value)
}

func appendList(dst []byte, name string, list []string) []byte {
	written := 0
	for _, s := range list {
		if s == "" {
			continue
		}
		if written == 0 {
			dst = append(append(dst, name...), '[')
		} else {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, s)
		written++
	}
	if written == 0 {
		return dst
	}
	return append(dst, ']')
}

func appendCustomFields(dst []byte, fields []CustomField) []byte {
	written := 0
	for i := range fields {
		f := &fields[i]
		if f.Key == "" || f.Value == "" {
			continue
		}
		if written == 0 {
			dst = append(dst, `,"custom_fields":[{"key":`...)
		} else {
			dst = append(dst, `,{"key":`...)
		}
		dst = AppendString(dst, f.Key)
		dst = append(dst, `,"value":`...)
		dst = AppendString(dst, f.Value)
		dst = append(dst, '}')
		written++
	}
	if written == 0 {
		return dst
	}
	return append(dst, ']')
}

// AppendString appends s as a JSON string: control characters escaped, U+2028 and U+2029 too (so that it may stand in
// JavaScript), bytes that are not UTF-8 replaced by U+FFFD. The bytes are those that encoding/json writes without its escapes for HTML.
func AppendString(dst []byte, s string) []byte {
	start, need := len(dst), len(s)+len(`""`)
	if cap(dst)-start < need {
		dst = slices.Grow(dst, need)
	}
	text := dst[:start+need]
	text[start] = '"'
	if !copyPlain(text[start+1:start+1+len(s)], s) {
		return appendEscaping(dst, s)
	}
	text[start+need-1] = '"'
	return text
}

// copyPlain copies s if all of it may stand in a JSON string as it is, and otherwise some of it. Both must be of one length. It looks at
// eight bytes at a time, the last of which may be looked at twice: this is where encoding takes its time.
func copyPlain(dst []byte, s string) bool {
	n := len(s)
	if n < wordLen {
		return copyShort(dst, s)
	}
	found := uint64(0)
	for i := 0; i < n-wordLen; i += wordLen {
		x := word(s, i)
		binary.LittleEndian.PutUint64(dst[i:], x)
		found |= special(x)
	}
	x := word(s, n-wordLen)
	binary.LittleEndian.PutUint64(dst[n-wordLen:], x)
	return found|special(x) == 0
}

// copyShort is copyPlain for less than eight bytes.
func copyShort(dst []byte, s string) bool {
	if n := len(s); n >= wordLen/2 {
		x, y := halfWord(s, 0), halfWord(s, n-wordLen/2)
		binary.LittleEndian.PutUint32(dst, x)
		binary.LittleEndian.PutUint32(dst[n-wordLen/2:], y)
		return special(uint64(x)|uint64(y)<<32) == 0
	}
	for i := range len(s) {
		if !plain[s[i]] {
			return false
		}
		dst[i] = s[i]
	}
	return true
}

const (
	wordLen = 8
	ones    = 0x0101010101010101
	highs   = 0x8080808080808080
)

// word returns eight bytes, the first one in the lowest bits.
func word(s string, i int) uint64 {
	s = s[i : i+wordLen]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// halfWord returns four bytes, the first one in the lowest bits.
func halfWord(s string, i int) uint32 {
	s = s[i : i+wordLen/2]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// special returns a word that is not zero if a byte of x is a control character, a quote, a backslash or not ASCII.
func special(x uint64) uint64 {
	quote, backslash := x^ones*'"', x^ones*'\\' // zero in the bytes that are one
	return (x | (x-ones*' ')&^x | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
}

// appendEscaping is AppendString for texts of any characters.
func appendEscaping(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0 // of what is not yet written and needs no change
	for i := 0; i < len(s); {
		b := s[i]
		if plain[b] {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = appendEscaped(append(dst, s[start:i]...), b)
			i++
			start = i
			continue
		}
		if n := usualRune(s, i); n > 0 {
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[start:i]...), `\u202`...)
			dst = append(dst, "89"[r&1])
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

// usualRune returns the length of the character of two or three bytes at i where it surely stands in a JSON string as it is, and
// otherwise 0.
func usualRune(s string, i int) int {
	const tail, tailBits = 0x80, 0xC0 // of every byte of a character but the first one
	switch b := s[i]; {
	case b >= 0xC2 && b <= 0xDF && i+1 < len(s) && s[i+1]&tailBits == tail:
		return 2
	case b >= 0xE1 && b <= 0xEC && i+2 < len(s) && s[i+1]&tailBits == tail && s[i+2]&tailBits == tail && (b != 0xE2 || s[i+1] != 0x80):
		return 3 // without surrogates, and without the block of U+2028
	}
	return 0
}

// appendEscaped appends one ASCII character that may not stand in a JSON string as it is.
func appendEscaped(dst []byte, b byte) []byte {
	const hex = "0123456789abcdef"
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	default:
		return append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
	}
}

// plain marks the ASCII characters that stand in a JSON string as they are. Never written to.
var plain = func() (table [256]bool) {
	for b := ' '; b < utf8.RuneSelf; b++ {
		table[b] = b != '"' && b != '\\'
	}
	return table
}()
