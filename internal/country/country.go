// Package country finds the country that a text names.
package country

import (
	"fmt"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"

	"github.com/contactbridge/contactbridge/phone"
)

// Code returns the ISO 3166-1 alpha-2 code of the country that a text names: by its code of two or three letters, or by its
// name in English, German, French, Spanish, Italian, Portuguese or Dutch. Case, accents and punctuation do not matter. It
// returns "" where the text names no country that has a numbering plan.
func Code(text string) string {
	if text = strings.TrimSpace(text); len(text) == 2 && phone.KnownRegion(text) {
		return strings.ToUpper(text)
	}
	if len(text) > maxName {
		return ""
	}
	if code := names()[plain(text)]; code != "" {
		return code
	}
	// "Iran, Islamic Republic of", and "Bahamas, The": the country's name stands in front
	if name, remark, ok := strings.Cut(text, ","); ok && plain(name) != "" {
		if code := names()[plain(remark+" "+name)]; code != "" {
			return code
		}
		if isArticle(remark) || strings.HasSuffix(strings.ToLower(remark), " of") {
			return names()[plain(name)]
		}
	}
	// "Germany (DE)", and "Netherlands (the)"
	if name, remark, ok := strings.Cut(text, "("); ok && strings.HasSuffix(remark, ")") && plain(name) != "" {
		return names()[plain(name)]
	}
	return ""
}

// isArticle reports whether a text is an article that stands after a name.
func isArticle(text string) bool {
	return strings.EqualFold(strings.TrimSpace(text), "the")
}

// Hint says what to write where a text was given for a region and is not the code of one: the code of the country that it names,
// where it names one.
func Hint(text string) string {
	if code := Code(text); code != "" {
		return fmt.Sprintf("Write %s, the country's two letters.", code)
	}
	return "Write the country's two letters: US, GB, PT, BR."
}

// maxName is the longest text that is looked at, in bytes.
const maxName = 200

// names maps plain names and codes to countries. The names are those of CLDR, and what people write besides.
var names = sync.OnceValue(func() map[string]string {
	all := make(map[string]string, 4000)
	add := func(name, code string) {
		if key := plain(name); key != "" && all[key] == "" {
			all[key] = code
		}
	}
	for code, list := range alsoWritten {
		for name := range strings.SplitSeq(list, ", ") {
			add(name, code)
			add(umlauts.Replace(name), code)
		}
	}
	regions := phone.Regions()
	for _, code := range regions { // not their two letters: "n/a" is not Namibia
		if region, err := language.ParseRegion(code); err == nil {
			add(region.ISO3(), code)
		}
	}
	for _, tongue := range []language.Tag{
		language.English, language.German, language.French, language.Spanish, language.Italian, language.Portuguese,
		language.EuropeanPortuguese, language.Dutch,
	} {
		of := display.Regions(tongue)
		for _, code := range regions {
			region, err := language.ParseRegion(code)
			if err != nil {
				continue
			}
			add(of.Name(region), code)
			if tongue == language.German {
				add(umlauts.Replace(of.Name(region)), code)
			}
		}
	}
	return all
})

// umlauts writes German letters as people do without them on their keyboard.
var umlauts = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue")

// plain returns a name's letters without accents, in lower case. "St." is "Saint", "&" is nothing, and so is an article in front.
func plain(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ReplaceAll(name, "ß", "ss")) {
		if unicode.IsLetter(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	text := b.String()
	if rest, ok := strings.CutPrefix(text, "the"); ok && strings.HasPrefix(strings.ToLower(strings.TrimSpace(name)), "the ") {
		return rest
	}
	return text
}
