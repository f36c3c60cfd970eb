// Package cell takes apart a cell of an external service that holds several values: JSON, and lists of e-mail addresses or
// websites with separators between them. Phone numbers are taken apart by package phone, which knows the numbering plans.
//
// Reading a value again that was taken out of a cell gives that value.
package cell

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest text that is taken apart, in bytes.
const maxText = 4000

// EachEmail reads every cell of a list with [Emails]. It returns the list itself where no cell holds several.
func EachEmail(list []string) []string {
	return readEach(list, func(text string) bool {
		return isJSON(text) || strings.Count(text, "@") > 1 || withoutEnds(text) != text
	}, Emails)
}

// EachWebsite reads every cell of a list with [Websites]. It returns the list itself where no cell holds several.
func EachWebsite(list []string) []string {
	return readEach(list, func(text string) bool {
		return isJSON(text) || strings.ContainsAny(text, ";,| \t\r\n\v\f<") || strings.HasPrefix(text, ":::") || strings.HasSuffix(text, ":::") || strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
	}, Websites)
}

func isJSON(text string) bool {
	text = trimBlanks(text)
	return text != "" && (text[0] == '[' || text[0] == '{' || text[0] == '"')
}

// readEach reads those cells of a list that may hold several values.
func readEach(list []string, several func(string) bool, read func(string) []string) []string {
	if !slices.ContainsFunc(list, several) {
		return list
	}
	return each(list, read)
}

// Emails returns the e-mail addresses of a cell in their order. A part that is not an address is returned as it is written. A
// cell of one value is returned unchanged but for separators at its ends.
func Emails(text string) []string {
	if values, ok := JSON(text); ok {
		return each(values, Emails)
	}
	if !strings.Contains(text, "@") || len(text) > maxText {
		return []string{text}
	}
	text = withoutEnds(text)
	if strings.Count(text, "@") < 2 {
		return []string{text}
	}
	var list []string
	for _, part := range joinNames(split(text, true, false)) {
		if strings.Count(part, "@") < 2 {
			list = append(list, part)
			continue
		}
		for _, word := range strings.FieldsFunc(part, isBetweenAddresses) {
			if strings.Contains(word, "@") || len(list) == 0 || hasLetter(word) && !IsConnector(word) {
				list = append(list, word)
			}
		}
	}
	if len(list) == 1 && list[0] == text {
		return list
	}
	return each(list, Emails) // a part may hold several values itself
}

// isBetweenAddresses reports whether a character may stand between two addresses that no usual separator separates.
func isBetweenAddresses(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(`/\&•·`, r)
}

func hasLetter(word string) bool { return strings.ContainsFunc(word, unicode.IsLetter) }

// joinNames puts together again a name that has a comma in it and the address after it: Doe, Jane <jane@x.example>.
func joinNames(parts []string) []string {
	var list []string
	name := ""
	for _, part := range parts {
		if name != "" && strings.Contains(part, "<") {
			part, name = name+", "+part, ""
		}
		if name != "" {
			list = append(list, name)
			name = ""
		}
		if !strings.Contains(part, "@") {
			name = part
			continue
		}
		list = append(list, part)
	}
	if name != "" {
		list = append(list, name)
	}
	return list
}

// Websites returns the addresses of a cell in their order, without separators at its ends. A cell that does not consist of addresses is
// returned unchanged.
func Websites(text string) []string {
	if values, ok := JSON(text); ok {
		return each(values, Websites)
	}
	if len(text) > maxText {
		return []string{text}
	}
	inner := withoutEnds(text)
	parts := split(inner, false, true)
	if len(parts) < 2 {
		if isSite(inner) {
			return []string{inner}
		}
		return []string{text}
	}
	for _, part := range parts {
		if !isSite(part) {
			return []string{text}
		}
	}
	return each(parts, Websites)
}

// isSite reports whether a text looks like the address of a website: a name with a dot in it, and no space.
func isSite(text string) bool {
	host := withoutScheme(text)
	host, _, _ = strings.Cut(host, "/")
	dot := strings.IndexByte(host, '.')
	return dot > 0 && dot < len(host)-1 && !strings.ContainsFunc(text, unicode.IsSpace) && !strings.ContainsAny(host, ",;|@&")
}

func withoutScheme(text string) string {
	if i := strings.Index(text, "://"); i >= 0 {
		return text[i+len("://"):]
	}
	return text
}

// each reads values with a reader of cells.
func each(values []string, read func(string) []string) []string {
	list := slices.Grow([]string(nil), len(values))
	for _, value := range values {
		if isPlain(value) {
			list = append(list, value)
			continue
		}
		list = append(list, read(value)...)
	}
	return distinct(list)
}

// isPlain reports whether a text surely is one value for every reader of cells: letters, digits and what stands within one address.
func isPlain(text string) bool {
	at := 0
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_':
		case c == '@':
			at++
		default:
			return false
		}
	}
	return at < 2
}

// few is how many values are compared with each other without a map.
const few = 16

// distinct leaves out what came before.
func distinct(list []string) []string {
	kept := list[:0]
	if len(list) <= few {
		for _, value := range list {
			if !slices.Contains(kept, value) {
				kept = append(kept, value)
			}
		}
		return kept
	}
	seen := make(map[string]bool, len(list))
	for _, value := range list {
		if !seen[value] {
			seen[value] = true
			kept = append(kept, value)
		}
	}
	return kept
}

// split splits a text at separators, outside of quotes where quoted says so. Of separators that may be part of an address,
// careful takes only those that cannot be.
func split(text string, quoted, careful bool) []string {
	var parts []string
	start, inQuotes := 0, false
	for i := 0; i < len(text); {
		if quoted && text[i] == '"' {
			inQuotes = !inQuotes
		}
		n := 0
		if !inQuotes {
			n = separator(text, i, careful)
		}
		if n == 0 {
			_, size := utf8.DecodeRuneInString(text[i:])
			i += size
			continue
		}
		parts = append(parts, text[start:i])
		i += n
		start = i
	}
	parts = append(parts, text[start:])
	kept := parts[:0]
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			kept = append(kept, part)
		}
	}
	return kept
}

// withoutEnds returns a text without the separators that it begins or ends with, which other values stood next to. A text that has none
// keeps its spaces.
func withoutEnds(text string) string {
	for {
		if rest := strings.TrimLeft(text, " "); rest != "" && firstSeparator(rest) > 0 {
			text = strings.TrimLeft(rest[firstSeparator(rest):], " ")
			continue
		}
		if rest := strings.TrimRight(text, " "); rest != "" && lastSeparator(rest) > 0 {
			text = strings.TrimRight(rest[:len(rest)-lastSeparator(rest)], " ")
			continue
		}
		return text
	}
}

// separating are the characters that separate values wherever they stand between two, spacedOnly those that do with spaces around them.
const (
	separating = "\t；，、|;,"
	spacedOnly = `/\&+-–—•·`
)

// firstSeparator returns the length of the separator that a text begins with, or 0.
func firstSeparator(text string) int {
	if n := LineBreak(text); n > 0 {
		return n
	}
	r, size := utf8.DecodeRuneInString(text)
	if strings.ContainsRune(separating, r) || strings.ContainsRune(spacedOnly, r) && strings.HasPrefix(text[size:], " ") {
		return size
	}
	return 0
}

// lastSeparator returns the length of the separator that a text ends with, or 0.
func lastSeparator(text string) int {
	r, size := utf8.DecodeLastRuneInString(text)
	start := len(text) - size
	switch {
	case strings.ContainsRune(separating, r), strings.ContainsRune(spacedOnly, r) && strings.HasSuffix(text[:start], " "), LineBreak(text[start:]) == size:
		return size
	case r == ':':
		start = strings.LastIndex(text, ":::")
	case r == '>':
		start = strings.LastIndexByte(text, '<')
	default:
		return 0
	}
	if start >= 0 && LineBreak(text[start:]) == len(text)-start {
		return len(text) - start
	}
	return 0
}

// separator returns the length of the separator at a place of a text, or 0.
func separator(text string, i int, careful bool) int {
	if n := LineBreak(text[i:]); n > 0 {
		return n
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	switch {
	case r == '\t', strings.ContainsRune("；，、|", r):
		return size
	case strings.ContainsRune(";,", r):
		if !careful || endsPlainly(text[:i]) || beginsSite(text[i+size:]) {
			return size
		}
		return 0
	case strings.ContainsRune(spacedOnly, r) && isSpaced(text, i, size):
		return size
	case r == ' ' && careful && beginsSite(text[i+size:]):
		return size
	case unicode.IsLetter(r) && i > 0 && text[i-1] == ' ':
		if end := strings.IndexByte(text[i:], ' '); end > 0 && IsConnector(text[i:i+end]) {
			return end
		}
	}
	return 0
}

// isSpaced reports whether spaces stand on both sides of a character.
func isSpaced(text string, i, size int) bool {
	return i > 0 && text[i-1] == ' ' && i+size < len(text) && text[i+size] == ' '
}

// endsPlainly reports whether the address that a text ends in has no path: only there is a comma no part of it.
func endsPlainly(text string) bool {
	if i := strings.LastIndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(";,|；，、", r) }); i >= 0 {
		_, size := utf8.DecodeRuneInString(text[i:])
		text = text[i+size:]
	}
	_, path, _ := strings.Cut(withoutScheme(text), "/")
	return path == ""
}

// beginsSite reports whether a text begins with an address that says so itself.
func beginsSite(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text[:min(len(text), 16)]))
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "www.")
}

// LineBreak returns the length of what a text begins with and means the end of a line or value: a line break of any kind, an
// HTML tag that makes one, or Google's ":::". 0 means that it begins with something else.
func LineBreak(text string) int {
	if text == "" {
		return 0
	}
	switch text[0] {
	case '\n', '\r', '\v', '\f':
		return 1
	case 0xC2, 0xE2:
		if r, size := utf8.DecodeRuneInString(text); r == '\u0085' || r == '\u2028' || r == '\u2029' {
			return size
		}
	case ':':
		if strings.HasPrefix(text, ":::") {
			return len(":::")
		}
	case '<':
		return breakingTag(text)
	}
	return 0
}

// breakingTag returns the length of the HTML tag that a text begins with if text after it stands on a new line.
func breakingTag(text string) int {
	end := strings.IndexByte(text[:min(len(text), 64)], '>')
	if end < 0 {
		return 0
	}
	name := strings.ToLower(strings.Trim(text[1:end], "/ "))
	name, _, _ = strings.Cut(name, " ")
	switch name {
	case "br", "p", "div", "li", "ul", "ol", "tr", "td":
		return end + 1
	}
	return 0
}

// connectors are the words that stand between two values.
var connectors = map[string]bool{
	"or": true, "and": true, "oder": true, "und": true, "ou": true, "et": true, "o": true, "y": true, "e": true, "u": true,
	"oppure": true, "bzw": true, "resp": true, "of": true, "en": true, "eller": true, "och": true, "og": true, "lub": true,
	"или": true, "и": true, "або": true, "alebo": true, "nebo": true, "tai": true, "veya": true,
}

// IsConnector reports whether a word stands between two values: "or", "oder", "ou".
func IsConnector(word string) bool { return connectors[strings.ToLower(strings.TrimRight(word, "."))] }
