package phonebook

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/phone"
)

// A Format is how numbers are written for telephones.
type Format string

// The formats.
const (
	E164     Format = "e164"     // +442079460018
	IDD      Format = "idd"      // 00442079460018, or with the region's own exit code
	Digits   Format = "digits"   // 442079460018
	National Format = "national" // 02079460018 in the region, as IDD elsewhere
	Local    Format = "local"    // as National, without the own area code
	Raw      Format = "raw"      // as the external service writes it
)

// Formats lists the formats.
func Formats() []Format { return []Format{E164, IDD, Digits, National, Local, Raw} }

// Numbers say how a phonebook writes numbers, and reads those that it is asked for.
type Numbers struct {
	Format        Format
	Region        string // where the telephones are: ISO 3166-1 alpha-2; empty: the account's
	Area          string // own area code, with its trunk prefix: 020. For Local
	OutsidePrefix string // dialled for an outside line; not with E164 and Raw
}

// A Kind is what a number is used for.
type Kind int

// The kinds. Which numbers are somebody's home is not known.
const (
	Work Kind = iota
	Mobile
)

// A Number is one of an entry's numbers.
type Number struct {
	Kind Kind
	Dial string // in the phonebook's format
	E164 string // empty where it is not a full number
	Raw  string // as the external service writes it
}

// numbersOf returns a contact's numbers, each once.
func (n Numbers) numbersOf(c *contact.Contact) []Number {
	var all []Number
	for _, number := range caller.Numbers(c.Phones, n.Region) {
		one := Number{E164: number.E164, Raw: number.Raw}
		if one.Dial = n.Write(number.E164, number.Match, number.Raw); one.Dial == "" {
			continue
		}
		if number.E164 != "" && phone.IsMobile(number.E164) {
			one.Kind = Mobile
		}
		if !slices.ContainsFunc(all, func(other Number) bool { return other.Dial == one.Dial }) {
			all = append(all, one)
		}
	}
	return all
}

// Write writes a number in the format: one that is a full number by its E.164 form, any other, such as an extension, as the external
// service has it, for what is dialled is not known.
func (n Numbers) Write(e164, digits, raw string) string {
	switch {
	case n.Format == Raw:
		return strings.TrimSpace(raw)
	case e164 == "":
		return cmp.Or(asDialled(raw), digits)
	}
	switch n.Format {
	case Digits:
		return n.OutsidePrefix + e164[1:]
	case IDD:
		return n.OutsidePrefix + phone.ExitCode(n.Region) + e164[1:]
	case National, Local:
		own := n.national(e164)
		if own == "" {
			return n.OutsidePrefix + phone.ExitCode(n.Region) + e164[1:]
		}
		if local, ok := strings.CutPrefix(own, n.Area); ok && n.Format == Local && n.Area != "" && local != "" {
			own = local
		}
		return n.OutsidePrefix + own
	}
	return e164
}

// asDialled returns the digits of a number as it is written, with the plus before them; empty for one that has letters, of which some may
// stand for digits.
func asDialled(raw string) string {
	digits := onlyDigits(raw)
	if digits == "" || strings.ContainsFunc(raw, unicode.IsLetter) {
		return ""
	}
	if strings.HasPrefix(strings.TrimLeft(raw, " ("), "+") {
		return "+" + digits
	}
	return digits
}

// national returns the digits that are dialled within the region; empty for a number of another country.
func (n Numbers) national(e164 string) string {
	code := phone.CallingCode(n.Region)
	if code == "" || !strings.HasPrefix(e164[1:], code) {
		return ""
	}
	return onlyDigits(phone.FormatNational(e164))
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// leastEnding is how many digits a number has at least that is looked for by its end.
const leastEnding = 7

// Spellings are the ways in which a number that a telephone asks for can be meant.
type Spellings struct {
	E164   []string // the likeliest first
	Ending string   // digits at the end of the number; empty where there are too few
}

// Read says what a number that a telephone sent may mean: with or without the outside prefix, within the own area, with an exit
// code, as "tel:" and "sip:" addresses. A text without digits means nothing.
func (n Numbers) Read(text string) (s Spellings) {
	text = bare(text)
	if text == "" || onlyDigits(text) == "" {
		return s
	}
	texts := []string{text}
	if without, ok := strings.CutPrefix(onlyDigits(text), n.OutsidePrefix); ok && n.OutsidePrefix != "" && !strings.HasPrefix(text, "+") {
		texts = append(texts, without)
	}
	for _, one := range texts {
		readings := append([]phone.Number{phone.Parse(one, n.Region)}, phone.Others(one, n.Region)...)
		if n.Area != "" {
			readings = append(readings, phone.Parse(n.Area+onlyDigits(one), n.Region))
		}
		for _, number := range readings {
			if number.Valid && !slices.Contains(s.E164, number.E164) {
				s.E164 = append(s.E164, number.E164)
			}
		}
	}
	if digits := strings.TrimLeft(onlyDigits(text), "0"); len(digits) >= leastEnding {
		s.Ending = digits
	}
	return s
}

// bare is a number without what an address has around it.
func bare(text string) string {
	text = strings.TrimSpace(text)
	for _, scheme := range []string{"tel:", "sip:", "sips:"} {
		if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
			text = text[len(scheme):]
		}
	}
	text, _, _ = strings.Cut(text, "@")
	text, _, _ = strings.Cut(text, ";")
	return text
}

// Ask puts the spelling of a number that was asked for into the entry, in the place of that number: telephones compare texts.
func (e *Entry) Ask(n Numbers, asked string) {
	s := n.Read(asked)
	digits := onlyDigits(bare(asked))
	for i := range e.Numbers {
		number := &e.Numbers[i]
		own := onlyDigits(number.E164)
		if own == "" {
			own = onlyDigits(number.Dial)
		}
		if slices.Contains(s.E164, number.E164) && number.E164 != "" || own == digits || s.Ending != "" && strings.HasSuffix(own, s.Ending) {
			number.Dial = bare(asked)
			return
		}
	}
}

// Spelt returns the ways in which a number may be written, as digits: telephones look for the beginnings of any of them.
func (n Numbers) Spelt(number *Number) []string {
	if number.E164 == "" {
		digits := onlyDigits(number.Dial)
		return []string{digits}
	}
	whole := number.E164[1:]
	all := []string{whole, phone.ExitCode(n.Region) + whole, "00" + whole}
	if own := n.national(number.E164); own != "" {
		all = append(all, own)
		if local, ok := strings.CutPrefix(own, n.Area); ok && n.Area != "" {
			all = append(all, local)
		}
	}
	if n.OutsidePrefix != "" {
		for _, one := range all[1:] {
			all = append(all, n.OutsidePrefix+one)
		}
	}
	return append(all, onlyDigits(number.Dial))
}

// starts are the digits with which a number may begin in the directory, of what was typed of it: without what is dialled before a number.
func (n Numbers) starts(typed string) (all []string) {
	digits := onlyDigits(typed)
	add := func(digits string) {
		if digits = strings.TrimLeft(digits, "0"); digits != "" && !slices.Contains(all, digits) {
			all = append(all, digits)
		}
	}
	for _, one := range []string{digits, strings.TrimPrefix(digits, n.OutsidePrefix)} {
		add(one)
		if abroad, ok := strings.CutPrefix(one, phone.ExitCode(n.Region)); ok {
			add(abroad)
		}
		if national, ok := strings.CutPrefix(one, n.trunk()); ok {
			add(national)
		}
		if n.Area != "" {
			add(n.Area + one)
		}
	}
	return all
}

// trunk is what is dialled before national numbers where that is not 0: 8 in Russia.
func (n Numbers) trunk() string {
	if strings.EqualFold(n.Region, "RU") || strings.EqualFold(n.Region, "KZ") {
		return "8"
	}
	return "0"
}

// Asked reports whether a number that a telephone asks for is this one, in whichever spelling.
func (n Numbers) Asked(number *Number, s Spellings, digits string) bool {
	if number.E164 != "" && slices.Contains(s.E164, number.E164) {
		return true
	}
	return slices.ContainsFunc(n.Spelt(number), func(one string) bool {
		return one == digits || s.Ending != "" && strings.HasSuffix(one, s.Ending)
	})
}

// OnlyDigits are the digits of a text.
func OnlyDigits(text string) string { return onlyDigits(text) }
