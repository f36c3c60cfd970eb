package ldapbook

import (
	"encoding/hex"
	"strings"

	"github.com/contactbridge/contactbridge/phonebook"
)

// normalDN writes a DN so that two spellings of one are equal: in lower case, without space around its parts. ok is false where it is
// not a DN.
func normalDN(text string) (dn string, ok bool) {
	text = strings.TrimSpace(phonebook.UTF8(text))
	if text == "" {
		return "", true
	}
	var parts []string
	for _, part := range cutUnescaped(text, ",;") {
		name, value, found := strings.Cut(part, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !found || name == "" {
			return "", false
		}
		if longer, is := map[string]string{"surname": "sn", "commonname": "cn", "userid": "uid", "domaincomponent": "dc"}[name]; is {
			name = longer
		}
		parts = append(parts, name+"="+strings.ToLower(unescaped(value)))
	}
	return strings.Join(parts, ","), true
}

// cutUnescaped cuts a text at characters that have no backslash before them and are not in quotes.
func cutUnescaped(text, at string) (parts []string) {
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(at, text[i]) >= 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func unescaped(value string) string {
	value = strings.Trim(value, `"`)
	if !strings.Contains(value, `\`) {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		if i+2 < len(value) {
			if c, err := hex.DecodeString(value[i+1 : i+3]); err == nil {
				b.Write(c)
				i += 2
				continue
			}
		}
		i++
		b.WriteByte(value[i])
	}
	return b.String()
}

// below returns what stands before a base in a DN; ok is false where the DN is not below it.
func below(dn, base string) (first string, ok bool) {
	if base == "" {
		return dn, dn != ""
	}
	return strings.CutSuffix(dn, ","+base)
}
