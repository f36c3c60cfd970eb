package strictyaml

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// A slot is where in a text a reference stands, as far as its value must be escaped there.
type slot string

const (
	slotAsIs     slot = ""          // in any other text, or for a whole URL or its beginning: as it is
	slotUserinfo slot = "user"      // of a URL: the user, or the password
	slotHost     slot = "host"      // of a URL: the host, or the port
	slotPath     slot = "path"      // of a URL: its slashes divide it
	slotQuery    slot = "query"     // of a URL: a value in the query, or the fragment
	slotKeyword  slot = "keyword"   // of  host=… password=… : a value
	slotQuoted   slot = "in quotes" // of  host='…' password='…' : a value
)

var (
	urlStart  = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]*://|file:)`)
	reference = regexp.MustCompile(`\$\{[^}]*\}`)
	// keywords is a text of libpq's keywords and values, a letter in place of each reference.
	keywords = regexp.MustCompile(`^\s*(?:host|hostaddr|port|dbname|user|password|service|sslmode)\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?:\s+[a-z_]+\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*))*\s*$`)
)

// slotOf tells where a reference stands: after what of the text is filled in already, and before what is not yet.
func slotOf(before, after string) slot {
	after = reference.ReplaceAllString(after, "x") // a value may hold anything
	start := urlStart.FindString(before)
	switch {
	case start != "":
		return slotInURL(start, before[len(start):], after)
	case !keywords.MatchString(before + "x" + after):
		return slotAsIs
	case insideQuotes(before):
		return slotQuoted
	}
	return slotKeyword
}

// slotInURL is [slotOf] for a text that begins as a URL does; before is the text after the scheme.
func slotInURL(scheme, before, after string) slot {
	switch before := strings.TrimPrefix(before, "//"); {
	case strings.Contains(before, "#"):
		return slotQuery
	case strings.Contains(before, "?"):
		_, query, _ := strings.Cut(before, "?")
		setting := query[strings.LastIndexByte(query, '&')+1:]
		if setting == "" && !strings.HasPrefix(after, "=") {
			return slotAsIs // whole settings: sslmode=require&application_name=crm
		}
		return slotQuery
	case scheme == "file:" || strings.Contains(before, "/"):
		return slotPath
	}
	if end := strings.IndexAny(after, "/?#"); end >= 0 {
		after = after[:end]
	}
	if strings.Contains(after, "@") {
		return slotUserinfo
	}
	return slotHost
}

// insideQuotes reports whether a quoted value is open at the end of a text.
func insideQuotes(text string) bool {
	open := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '\'':
			open = !open
		}
	}
	return open
}

var notInHost = regexp.MustCompile(`[^A-Za-z0-9\-._~:,\[\]%\x{80}-\x{10FFFF}]`)

// escape makes a value safe for the slot. name is the reference, for the problem of a value that cannot stand there.
func (s slot) escape(name, value string) (string, *Problem) {
	switch s {
	case slotUserinfo, slotQuery:
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), nil
	case slotPath:
		return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), "%2F", "/"), nil
	case slotHost:
		if notInHost.MatchString(value) {
			return "", &Problem{
				Message: fmt.Sprintf("the value of ${%s} cannot stand for the host of a URL: it holds a character that no host has", name),
				Hint:    "Write user, password and host as references of their own, ${USER}:${PASSWORD}@${HOST}, or the whole URL as one.",
			}
		}
		return strings.ReplaceAll(value, "%", "%25"), nil
	case slotKeyword, slotQuoted:
		return keywordEscaper(s == slotKeyword).Replace(value), nil
	}
	return value, nil
}

// keywordEscaper escapes a value of keywords and values; blanks only need it outside quotes.
func keywordEscaper(blanks bool) *strings.Replacer {
	pairs := []string{`\`, `\\`, `'`, `\'`}
	if blanks {
		for _, blank := range []string{" ", "\t", "\n", "\r", "\v", "\f"} {
			pairs = append(pairs, blank, `\`+blank)
		}
	}
	return strings.NewReplacer(pairs...)
}
