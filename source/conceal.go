package source

import (
	"net/url"
	"regexp"
	"strings"
)

// ConcealInURL is the [Question.Conceal] of an answer that is a URL such as mysql://user:password@host/database. The password
// may hold @, :, / and other signs as it is: everything between the first colon after the user and the last @ before the
// host is the password. A password that is percent-encoded is decoded, since a reference in a URL is encoded again when the
// configuration is read. What holds a reference already is left as it is.
func ConcealInURL(answer, ref string) (text, secret, note string) {
	scheme, rest, ok := strings.Cut(answer, "://")
	at := userinfoEnd(rest)
	if !ok || at < 0 || strings.Contains(rest[:at], "${") {
		return answer, "", ""
	}
	user, password, ok := strings.Cut(rest[:at], ":")
	if !ok || password == "" {
		return answer, "", ""
	}
	if decoded, err := url.PathUnescape(password); err == nil && !strings.ContainsAny(password, "@:/?#[] ") {
		password = decoded
	} else {
		note = "the password holds signs that mean something else in a URL; all between the first : and the last @ was taken for it. In its variable it stands as it is, without escapes"
	}
	return scheme + "://" + user + ":" + ref + "@" + rest[at+1:], password, note
}

// userinfoEnd returns the place of the @ that ends the user and password of a URL without its scheme, or -1. It is the last one
// before the settings, unless no host follows it: then the question mark is the password's.
func userinfoEnd(rest string) int {
	last := strings.LastIndexByte(rest, '@')
	query := strings.IndexByte(rest, '?')
	if query < 0 || last < query {
		return last
	}
	if at := strings.LastIndexByte(rest[:query], '@'); at >= 0 && hosts.MatchString(rest[at+1:query]) {
		return at
	}
	return last
}

// hosts matches the hosts of a URL, with what follows them up to its settings.
var hosts = regexp.MustCompile(`^((\[[^\]]*\]|[\w.-]*)(:\d+)?,?)*(/.*)?$`)
