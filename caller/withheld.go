package caller

import (
	"slices"
	"strings"
	"unicode"
)

// withheldWords are the words that networks and exchanges send in place of a number that is not shown, without anything but letters.
var withheldWords = []string{
	"restricted", "private", "privatenumber", "privatecaller",
	"withheld", "numberwithheld", "blocked", "unavailable", "notavailable", "unknown", "unknowncaller", "unknownnumber",
	"nocallerid", "nonumber", "callerwithheld", "hidden", "payphone", "coinline", "none", "null", "anonym", "unbekannt", "anonyme",
	"anonimo", "anónimo", "desconocido", "privado", "inconnu", "masqué", "o", "p", "u", "s", "c",
}

// withheldDigits are such words as some carriers type them on a keypad. They are not anyone's number; without the + all but the
// first could be somebody's.
var withheldDigits = []string{
	"266696687",
	"+266696687",   // ANONYMOUS
	"+7378742833",  // RESTRICTED
	"+2562533",     // BLOCKED
	"+8656696",     // UNKNOWN
	"+86282452253", // UNAVAILABLE
}

// Withheld reports whether a caller's number says that it is not shown.
func Withheld(number string) bool {
	number, hasHost := withoutHost(number)
	if slices.Contains(withheldDigits, number) {
		return true
	}
	if strings.ContainsFunc(number, unicode.IsDigit) {
		return false
	}
	word := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, number)
	if hasHost && len(word) == 1 {
		return false // somebody's name there
	}
	return word == "" || strings.HasPrefix(word, "anonymous") || slices.Contains(withheldWords, word)
}

// withoutHost returns what stands for the number in a sip or tel address, with the scheme or without: restricted in
// "Unknown" <sip:restricted@host;user=phone>.
func withoutHost(number string) (user string, hasHost bool) {
	user = strings.TrimSpace(number)
	if _, address, ok := strings.Cut(user, "<"); ok && strings.Contains(address, ":") {
		user = strings.TrimSuffix(address, ">")
	}
	for _, scheme := range []string{"sips:", "sip:", "tel:"} {
		if len(user) >= len(scheme) && strings.EqualFold(user[:len(scheme)], scheme) {
			user = user[len(scheme):]
			break
		}
	}
	user, _, hasHost = strings.Cut(user, "@")
	user, _, _ = strings.Cut(user, ";")
	return user, hasHost
}
