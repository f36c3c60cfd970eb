package contact

import "unicode/utf8"

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
// JavaScript), bytes that are not UTF-8 replaced by U+FFFD.
func AppendString(dst []byte, s string) []byte {
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

// appendEscaped appends one ASCII character that may not stand in a JSON string as it is.
func appendEscaped(dst []byte, b byte) []byte {
	const hex = "0123456789abcdef"
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
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
