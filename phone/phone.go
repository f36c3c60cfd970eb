// Package phone turns a number as people write it into E.164 and into the digits that lookups compare. It does no I/O and
// keeps nothing but tables.
//
// The numbering plans are those of libphonenumber. The usual spellings are read with automata built from its metadata, with
// the same answers as the library's and without allocating; the rest goes to the library, and what neither of them reads
// but people write is put right before: see [Parse].
package phone

import (
	"strings"
	"unicode/utf8"
)

// A Number is a phone number as somebody wrote it, and what it means.
type Number struct {
	Raw       string // as written
	E164      string // with +; empty unless Valid
	Digits    string // what lookups compare: E.164 without +, or the digits that there are if it is not a full number
	National  string // Digits without the country code; empty unless Valid
	Extension string // digits; empty if there is no extension
	Valid     bool   // a full number that some country's numbering plan has room for
	Dummy     bool   // a placeholder that is not anyone's number: 0000000000, 1111111, 123456789
	Region    string // ISO 3166-1 alpha-2 of the country it belongs to, "001" if to no country; empty unless Valid
}

// Parse reads a number. Region is the ISO 3166-1 alpha-2 code of the country where it was written; where that is empty or
// unknown only international spellings are understood. A text that is not a number comes back with Valid false.
//
// It understands punctuation of all kinds, digits of all scripts, invisible characters, vanity letters, extensions, labels
// and remarks around the number, tel and sip addresses, number@host, "+49 (0)30", international prefixes of the region, and
// 00 and 011 anywhere they cannot mean anything else; 447911123457.0 and 4.915112345678E+12 as spreadsheets write them. It
// does not guess: a number without its country code is read as one of the region, and only where it cannot be one, and is
// consists only of digits that begin with a calling code, as an international one. See [Others].
//
// Digits of a number that is not valid still have the country code in front if that was written, or if the region's plan
// has numbers of this length and it is too long for an extension. A number that lost digits in a spreadsheet, such as
// 4.91511E+12, has no digits.
func Parse(raw, region string) Number {
	var r reading
	n := Number{Raw: raw}
	if isDocument(raw) {
		return n
	}
	home := planOf(region)
	text, lost := restore(raw)
	if lost {
		return n
	}
	if text == raw || !r.byOwnCode(text, home) {
		understand(&r, text, home)
	}
	n.Extension = r.ext
	switch {
	case r.valid():
		buffer := append(make([]byte, 0, 1+maxE164), '+')
		n.E164 = string(r.appendDigits(buffer))
		n.Digits, n.Valid, n.Region = n.E164[1:], true, r.owner.region
		n.National = n.Digits[len(r.code.digits):]
	case r.full():
		n.Digits = string(r.appendDigits(make([]byte, 0, maxCode+maxNational)))
	default:
		n.Digits = digitsOf(text)
	}
	n.Dummy = mayBeDummy(text) && isDummy(&n, home)
	return n
}

// Others returns the readings of a number besides that of [Parse]: that as an international number of which the + is missing, which is valid
// or was so before a renumbering. A look-up tries them if the first reading finds no contact.
func Others(raw, region string) []Number {
	text, lost := restore(raw)
	if lost || isDocument(raw) {
		return nil
	}
	bare, _ := splitExtension(withoutWords(withoutScheme(plain(text))))
	digits := withBareCode(bare, leastBareAnywhere)
	if digits == "" {
		return nil
	}
	other, first := Parse("+"+digits, region), Parse(raw, region)
	if other.Digits == first.Digits && other.Valid == first.Valid || !other.Valid && !isOld(other) {
		return nil
	}
	other.Raw, other.Extension = raw, first.Extension
	return []Number{other}
}

// Format returns the number in E.164 where it is valid, else raw, unchanged but for what a spreadsheet has added to it. The
// extension is left out. A placeholder such as 123456789 stays as it is.
func Format(raw, region string) string { return string(AppendFormat(nil, raw, region)) }

// AppendFormat appends what [Format] returns and returns the extended buffer. For the usual spellings it allocates nothing
// but the room that dst lacks.
func AppendFormat(dst []byte, raw, region string) []byte {
	text, lost := restore(raw)
	if lost || isDocument(raw) {
		return append(dst, raw...)
	}
	var r reading
	home := planOf(region)
	if text == raw || !r.byOwnCode(text, home) {
		understand(&r, text, home)
	}
	if !r.valid() || mayBeDummy(text) && Parse(raw, region).Dummy {
		return append(dst, text...)
	}
	return r.appendDigits(append(dst, '+'))
}

// AppendAbroad appends what [AppendFormat] does, for a receiver that reads numbers without a calling code as those of another region. A number
// that is not valid, because it is from before a renumbering or wrong, gets the region's calling code in front of its digits,
// which does not make it a valid one. Numbers with fewer digits than subscribers' have stay as they are.
func AppendAbroad(dst []byte, raw, region string) []byte {
	start := len(dst)
	dst = AppendFormat(dst, raw, region)
	if start < len(dst) && dst[start] == '+' {
		return dst
	}
	return append(dst[:start], withCode(string(dst[start:]), region)...)
}

// withCode returns a number that is not valid in a region as it would be dialled from abroad, or the text itself if it cannot be dialled.
func withCode(text, region string) string {
	home := planOf(region)
	head, _ := splitExtension(withoutWords(withoutScheme(plain(text))))
	n := Parse(text, region)
	var d dialled
	if home == nil || n.Dummy || n.Digits == "" || !d.scan(head) || d.plus || d.n < leastSure {
		return text
	}
	for _, other := range Respell(n, region) {
		if other.Full && other.By.inside {
			return "+" + other.Digits
		}
	}
	var r reading
	digits := home.code.digits
	switch rest, ok := home.withoutTrunk(d.all()); {
	case d.read(&r, home) && r.full():
		digits = string(r.appendDigits(nil))
	case strings.HasPrefix(head, "00"):
		return text // from abroad, where no calling code follows
	case ok:
		digits += string(rest)
	default:
		digits += string(d.all())
	}
	if len(digits) > maxE164 || Parse("+"+digits, "").Valid { // never a number that was not written
		return text
	}
	return "+" + digits
}

// isDocument reports whether a text is a JSON object, or a list of them. [Split] finds its numbers; its keys and
// other contents are not part of a number.
func isDocument(text string) bool {
	if text == "" || text[0] != '{' && text[0] != '[' && text[0] != ' ' {
		return false
	}
	inner := strings.TrimLeft(text, "[ \t\r\n")
	return strings.HasPrefix(inner, "{") && strings.Contains(inner, `":`)
}

// KnownRegion reports whether there is a numbering plan for the region. Case does not matter.
func KnownRegion(region string) bool { return planOf(region) != nil }

// digitsOf returns the digits of any script in a text; a text with more digits than two numbers have is not a number.
func digitsOf(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch d := digitOf(c); {
		case d >= 0 && b.Len() == 2*maxE164:
			return ""
		case d >= 0:
			b.WriteByte(byte('0' + d))
		}
	}
	return b.String()
}

// digitOf returns the value of a decimal digit of any script, or -1.
func digitOf(c rune) int {
	if c < utf8.RuneSelf {
		if '0' <= c && c <= '9' {
			return int(c - '0')
		}
		return -1
	}
	return digitElsewhere(c)
}
