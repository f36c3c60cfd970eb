package preview

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/cell"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
)

// The codes of what is found in phone numbers and cells.
const (
	codeRounded        = "rounded_phone"
	codePlaceholder    = "placeholder_phone"
	codeNotSent        = "not_sent"
	codeUnknownCountry = "unknown_country"
	codeForeign        = "foreign_phones"
)

// lookAtNumbers looks at a contact's phone cells, as the source gives them.
func (x *examination) lookAtNumbers(c *contact.Contact) {
	region, e164 := x.phones.Of(c.Country)
	if c.Country != "" && country.Code(c.Country) == "" {
		x.add(codeUnknownCountry, strconv.Quote(shorten(c.Country))+of(c))
	}
	for _, raw := range c.Phones {
		if strings.TrimSpace(raw) == "" {
			continue
		}
		parts := phone.Split(raw, region)
		for _, part := range parts {
			x.number(c, part, region, e164)
		}
		if rest := unsent(raw, parts); rest != "" {
			x.add(codeNotSent, strconv.Quote(shorten(rest))+of(c))
		}
	}
}

// number looks at one number.
func (x *examination) number(c *contact.Contact, raw, region string, e164 bool) {
	x.numbers++
	n := phone.Parse(raw, region)
	own := country.Code(c.Country) != "" // the contact says itself which country its numbers belong to
	example := strconv.Quote(shorten(raw)) + of(c)
	switch {
	case n.Dummy:
		x.add(codePlaceholder, example)
		return
	case n.Digits == "" && strings.ContainsAny(raw, "0123456789") && strings.Trim(raw[:1], "[{") != "": // JSON lost nothing
		x.add(codeRounded, example)
		return
	case !n.Valid:
		if !own && !strings.HasPrefix(strings.TrimSpace(raw), "+") {
			x.local++
		}
		x.add(codeBadPhone, example)
	case n.Extension != "" && e164:
		x.add(codeNotSent, strconv.Quote("ext. "+n.Extension)+of(c))
	}
	if !own {
		x.foreign.add(raw, example, x.phones.Region)
	}
}

func of(c *contact.Contact) string { return " (id " + shorten(c.ID) + ")" }

// word is a word of two letters or more.
var word = regexp.MustCompile(`\p{L}[\p{L}\p{M}'’.-]*\p{L}`)

// labels are words that say that a number follows, and nothing else.
var labels = map[string]bool{
	"tel": true, "telefon": true, "telefono": true, "teléfono": true, "telephone": true, "téléphone": true, "phone": true, "mobile": true,
	"mobil": true, "cell": true, "ext": true, "extension": true, "sip": true, "sips": true, "br": true, "handy": true, "fon": true, "mob": true,
}

// unsent returns the words in a cell of phone numbers that are not part of what is sent. Those in JSON are its keys and are not looked
// at.
func unsent(raw string, parts []string) string {
	if _, isJSON := cell.JSON(raw); isJSON || !strings.ContainsFunc(raw, unicode.IsDigit) || strings.ContainsAny(raw, "@:<") {
		return ""
	}
	var rest []string
	for _, found := range word.FindAllString(raw, -1) {
		if name := strings.ToLower(strings.Trim(found, ".")); labels[name] || cell.IsConnector(name) || isDialled(found, parts) {
			continue
		}
		rest = append(rest, found)
	}
	return strings.Join(rest, " ")
}

// isDialled reports whether a word is a part of what is sent: of a number with letters in it, or of a part that is sent as it
// is written.
func isDialled(found string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(part, found) {
			continue
		}
		n := phone.Parse(part, "")
		without := phone.Parse(strings.Replace(part, found, " ", 1), "")
		if !n.Valid && !without.Valid { // a national number: the United States have those with letters
			n, without = phone.Parse(part, "US"), phone.Parse(strings.Replace(part, found, " ", 1), "US")
		}
		return n.Digits != without.Digits
	}
	return false
}

// foreigners are the national numbers that look like those of another country than the one they are read as.
type foreigners struct {
	local    int // national numbers
	home     int // of them, those that are the home country's own
	american int // of them, those that are written as only North America does
	of       map[string]int
	examples map[string][]string
}

// maxLocal is how many numbers are compared with the countries' ways to write theirs.
const maxLocal = 200

// likely are the countries that numbers are compared with, those first that most exports are from.
var likely = []string{
	"US", "GB", "DE", "FR", "IT", "ES", "NL", "BR", "MX", "CA", "AU", "IN", "CH", "AT", "BE", "PT", "PL", "SE", "DK", "NO", "FI", "IE", "CZ", "HU",
	"RO", "GR", "TR", "RU", "UA", "ZA", "JP", "KR", "CN", "HK", "SG", "NZ", "AR", "CL", "CO", "PE", "IL", "AE", "SA",
}

// american is a number as it is written in North America and nearly nowhere else.
var american = regexp.MustCompile(`^(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])[2-9]\d\d[-. ]\d{4}$`)

// add compares a number with the countries' ways to write.
func (f *foreigners) add(raw, example, region string) {
	raw = strings.TrimSpace(raw)
	if region == "" || strings.HasPrefix(raw, "+") || strings.HasPrefix(raw, "00") || f.local >= maxLocal {
		return
	}
	f.local++
	if isAtHome(raw, region) {
		f.home++
		return
	}
	if f.of == nil {
		f.of, f.examples = map[string]int{}, map[string][]string{}
	}
	for _, other := range likely {
		if other == region || !phone.IsWritten(raw, other) || !phone.Parse(raw, other).Valid {
			continue
		}
		f.of[other]++
		if len(f.examples[other]) < maxExamples {
			f.examples[other] = append(f.examples[other], example)
		}
	}
	if american.MatchString(raw) && phone.CallingCode(region) != phone.CallingCode("US") {
		f.american++
		if !phone.IsWritten(raw, "US") { // an area code that is not in use
			f.of["US"]++
			f.examples["US"] = append(f.examples["US"], example)
		}
	}
}

// isAtHome reports whether a number surely is one of the region: it is written as the region writes its own, is dialled so there, or is
// valid without the prefix that is dialled in front where numbers have one length. Where they have many, such as in Germany, nearly all digits
// are valid.
func isAtHome(raw, region string) bool {
	n := phone.Parse(raw, region)
	if !n.Valid || phone.CallingCode(n.Region) != phone.CallingCode(region) {
		return false
	}
	digits := onlyDigits(raw)
	switch {
	case phone.IsWritten(raw, region), digits == onlyDigits(phone.FormatNational(n.E164)):
		return true
	case digits != n.National:
		return false
	}
	return !phone.Parse(n.E164[:len(n.E164)-1], "").Valid && !phone.Parse(n.E164+"0", "").Valid
}

func onlyDigits(text string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, text)
}

// looks says how many numbers look like those of another country.
func (f *foreigners) looks(other, region string) string {
	if n := f.of[other]; n != 1 {
		return fmt.Sprintf("%d of %d national phone numbers look like those of %s, but are read as those of %s", n, f.local, other, region)
	}
	if f.local == 1 {
		return fmt.Sprintf("the only national phone number looks like a number of %s, but is read as one of %s", other, region)
	}
	return fmt.Sprintf("1 of %d national phone numbers looks like a number of %s, but is read as one of %s", f.local, other, region)
}

// problem returns the warning about the country that these numbers seem to belong to.
func (f *foreigners) problem(region string) (source.Problem, bool) {
	best := ""
	for _, code := range likely {
		if f.of[code] > f.of[best] {
			best = code
		}
	}
	const few = 3 // with fewer it may be chance
	american := f.american >= few || f.american > 0 && 2*f.american >= f.local
	if !american && (f.of[best] < few || f.of[best] <= f.home) || best == "" {
		return source.Problem{}, false
	}
	if american && f.american >= f.of[best] {
		best = "US"
	}
	return source.Problem{
		Severity: source.Warning, Code: codeForeign,
		Message: f.looks(best, region) + ": " + strings.Join(f.examples[best], ", "),
		Hint:    "Set phones.region to their country, or map source.fields.country to the column that says each contact's country.",
	}, true
}

// phoneProblems are the problems of the cells, in words.
func (x *examination) phoneProblems(add func(code string, severity source.Severity, message func(n int) string, hint string)) {
	add(codeBadPhone, source.Warning, x.ofNumbers, x.phoneHint())
	add(codeRounded, source.Warning, amount("phone number has lost digits in a spreadsheet or a floating-point column and is not a phone number any more",
		"phone numbers have lost digits in a spreadsheet or a floating-point column and are not phone numbers any more"),
		"They are sent as they are written, and no call finds them. Format the column as text before numbers are entered or pasted, and export again.")
	add(codePlaceholder, source.Note, amount("phone number is a placeholder, not anyone's number", "phone numbers are placeholders, not anyone's numbers"),
		"They are sent as they are written; look-ups ignore them.")
	add(codeUnknownCountry, source.Warning, x.contacts("has an unknown country and is read as one of phones.region", "have an unknown country and are read as some of phones.region"),
		"Write ISO codes (DE, DEU) or the country's name in English, German, French, Spanish, Italian, Portuguese or Dutch.")
	add(codeNotSent, source.Note, amount("phone cell holds something that is not sent", "phone cells hold something that is not sent"),
		"Only numbers are sent. Map a custom field to the column to keep the rest.")
}
