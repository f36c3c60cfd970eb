package source

import (
	"net/url"
	"regexp"
	"strings"
)

// ConcealInURL is the [Question.Conceal] of an answer that is a URL such as mysql://user:password@host/database. The password
// may hold @, :, / and other signs as it is: everything between the first colon after the user and the last @ before the
// host is the password. It may also be a setting after the host: ?password=…, ?sslpassword=…. A password that is percent-encoded
// is decoded, since a reference in a URL is encoded again when the configuration is read. What is a reference already is left as
// it is.
func ConcealInURL(answer, ref string) (text, secret, note string) {
	scheme, rest, ok := strings.Cut(answer, "://")
	if !ok {
		return answer, "", ""
	}
	at := userinfoEnd(rest)
	if at >= 0 && !strings.Contains(rest[:at], "${") {
		if user, password, ok := strings.Cut(rest[:at], ":"); ok && password != "" {
			secret, note = decoded(password)
			return scheme + "://" + user + ":" + ref + "@" + rest[at+1:], secret, note
		}
	}
	head := len(answer) - len(rest) + at + 1
	text, secret = concealSetting(answer[head:], ref)
	return answer[:head] + text, secret, ""
}

// decoded returns a password between user and host as it is without its percent-encoding.
func decoded(password string) (secret, note string) {
	if decoded, err := url.PathUnescape(password); err == nil && !strings.ContainsAny(password, "@:/?#[] ") {
		return decoded, ""
	}
	return password, "the password holds signs that mean something else in a URL; all between the first : and the last @ was taken for it. In its variable it stands as it is, without escapes"
}

// secretSettings are the settings of a database's URL that are credentials, with their values. passfile and sslkey name files.
var secretSettings = regexp.MustCompile(`(?i)([?&][a-z_]*password=)([^&]*)`)

// concealSetting conceals the first credential among the settings after a URL's host.
func concealSetting(text, ref string) (concealed, secret string) {
	for _, at := range secretSettings.FindAllStringSubmatchIndex(text, -1) {
		value := text[at[4]:at[5]]
		if value == "" || strings.Contains(value, "${") {
			continue
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		return text[:at[4]] + ref + text[at[5]:], value
	}
	return text, ""
}

// userinfoEnd returns the place of the @ that ends the user and password of a URL without its scheme, or -1. It is the last one
// before the settings, unless no host follows it: then the question mark is the password's.
func userinfoEnd(rest string) int {
	last := strings.LastIndexByte(rest, '@')
	query := strings.IndexByte(rest, '?')
	if query < 0 || last < query {
		return last
	}
	at := strings.LastIndexByte(rest[:query], '@')
	if at >= 0 && hosts.MatchString(rest[at+1:query]) || at < 0 && hosts.MatchString(rest[:query]) && firstSetting.MatchString(rest[query:]) {
		return at
	}
	return last
}

// firstSetting matches the start of a URL's settings.
var firstSetting = regexp.MustCompile(`^\?[A-Za-z_]+=`)

// hosts matches the hosts of a URL, with what follows them up to its settings.
var hosts = regexp.MustCompile(`^((\[[^\]]*\]|[\w.-]*)(:\d+)?,?)*(/.*)?$`)
