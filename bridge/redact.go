package bridge

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/failure"
)

const redacted = "[redacted]"

// A wording says who wrote a text that credentials are removed from.
type wording int

const (
	// others is text that an external service, a proxy or a network wrote: every credential is removed.
	others wording = iota
	// ours is text that a bridge writes in the protocol's error body (D5), or this package itself: its sentences hold the words of
	// a language, and a credential that is such a word counts only where it stands as a value. To take it out of a sentence
	// would tell anyone who knows the sentence.
	ours
)

// unmistakable is the length from which a credential is not an ordinary word, whatever its characters.
const unmistakable = 16

// wordLike matches a credential that is also an ordinary word: "the credentials are wrong" does not reveal a password.
var wordLike = regexp.MustCompile(`^\p{L}?\p{Ll}+$`)

// redact removes every credential from a text, as it is and as it is written in a URL. A value that is short or an ordinary
// word itself is removed only where it stands alone, so that other words stay whole.
func redact(text string, auth Auth, by wording) string {
	var secrets []string
	for _, value := range auth {
		secrets = append(secrets, value, url.QueryEscape(value), url.PathEscape(value))
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	for _, secret := range secrets {
		word := len(secret) < unmistakable && wordLike.MatchString(secret)
		switch {
		case secret == "":
		case !word && len(secret) > 2:
			text = strings.ReplaceAll(text, secret, redacted)
		case word && by == ours:
			text = replaceWhere(text, secret, func(before, after string) bool { return alone(before, after) && isValue(before, after) })
		default:
			text = replaceWhere(text, secret, alone)
		}
	}
	return text
}

// replaceWhere redacts a secret where what stands before and after it says so.
func replaceWhere(text, secret string, here func(before, after string) bool) string {
	var out strings.Builder
	done := 0
	for from := 0; ; {
		i := strings.Index(text[from:], secret)
		if i < 0 {
			break
		}
		start, end := from+i, from+i+len(secret)
		if here(text[:start], text[end:]) {
			out.WriteString(text[done:start] + redacted)
			done, from = end, end
		} else {
			from = start + 1
		}
	}
	return out.String() + text[done:]
}

// alone reports whether what stands between two texts is not a part of a longer word.
func alone(before, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	return !inWord(last) && !inWord(first)
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// labels end with the name of a credential, or with what stands before a value.
var labels = regexp.MustCompile(`(?i)(\bpass(word|wd|phrase)?|pwd|secret|token|key|user(name)?|login|[=:(\[{<|/])[ \t]*$`)

// isValue reports whether the text in between is a value, as in password=secret or "secret", and not a word of a sentence.
func isValue(before, after string) bool {
	if n := len(before); n > 0 && strings.IndexByte("\"'`", before[n-1]) >= 0 {
		rest := strings.TrimLeft(after, `\`) // a quote inside of a JSON string
		return rest != "" && rest[0] == before[n-1]
	}
	return labels.MatchString(before) || before == "" && strings.TrimSpace(after) == ""
}

// redactError returns an error for a log: our own message, and a cause that others wrote.
func redactError(err error, auth Auth) string {
	said := failure.Of(err).Message
	cause, ok := strings.CutPrefix(err.Error(), said)
	if !ok {
		return redact(err.Error(), auth, others)
	}
	return redact(said, auth, ours) + redact(cause, auth, others)
}
