package rest

import (
	"slices"
	"strings"
)

// nextLink returns the address of the first link with the relation type next in the headers Link of an answer (RFC 8288); empty
// without one. readable is false if there is none up to a place where a header does not follow the RFC: what comes after it may
// have been that link.
func nextLink(headers []string) (address string, readable bool) {
	for _, header := range headers {
		for rest := skipped(header, ", \t"); rest != ""; rest = skipped(rest, ", \t") {
			target, after, closed := strings.Cut(strings.TrimPrefix(rest, "<"), ">")
			if rest[0] != '<' || !closed {
				return "", false
			}
			var relations string
			var ok bool
			if relations, rest, ok = linkParameters(after); !ok {
				return "", false
			}
			if slices.ContainsFunc(strings.Fields(relations), func(relation string) bool { return strings.EqualFold(relation, "next") }) {
				return target, true
			}
		}
	}
	return "", true
}

// linkParameters reads the parameters of a link up to the next link. It returns the first rel, which is the one that counts, and
// what is left of the header.
func linkParameters(text string) (relations, rest string, ok bool) {
	known := false
	for rest = skipped(text, "; \t"); rest != "" && rest[0] != ','; rest = skipped(rest, "; \t") { // a parameter may be empty
		end := strings.IndexAny(rest, "=;, \t")
		if end < 0 {
			end = len(rest)
		}
		name, value := rest[:end], ""
		rest = skipped(rest[end:], " \t")
		if strings.HasPrefix(rest, "=") {
			if value, rest, ok = linkValue(skipped(rest[1:], " \t")); !ok {
				return "", "", false
			}
		}
		if !known && strings.EqualFold(name, "rel") {
			relations, known = value, true
		}
	}
	return relations, rest, true
}

// linkValue reads the value of a parameter, in quotes or without. ok is false if its quotes are not closed.
func linkValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ";,")
		if end < 0 {
			end = len(text)
		}
		return strings.TrimRight(text[:end], " \t"), text[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

// skipped returns what follows any of some characters at the beginning of a text.
func skipped(text, characters string) string { return strings.TrimLeft(text, characters) }
