package phone

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest text that is looked at, in bytes: the library's limit.
const maxText = 250

// maxTexts is the longest text in which several numbers are looked for, in bytes.
const maxTexts = 4000

// understand reads a spelling, the usual ones first, and leaves r without a code if it does not understand it.
func understand(r *reading, raw string, home *plan) {
	raw = withoutNumbering(raw)
	var d dialled
	if d.scan(raw) && d.read(r, home) && r.valid() {
		return
	}
	u := unusual{home: home}
	u.understand(raw)
	*r = u.best
}

// withoutNumbering returns a text without what numbers it in a list of numbers: "2. 0151 …" or "2) +49 …".
func withoutNumbering(text string) string {
	if len(text) > minNational && '1' <= text[0] && text[0] <= '9' && (text[1] == '.' || text[1] == ')') && text[2] == ' ' {
		if rest := strings.TrimLeft(text[2:], " "); startsNumber(rest) {
			return rest
		}
	}
	return text
}

// withoutNumberedLabel returns a text without a label that ends in a digit of its own: "Tel2 030 …", "Line 1 - 020 …".
func withoutNumberedLabel(text string) string {
	digit := strings.IndexAny(text, "0123456789+")
	if digit <= 0 || text[digit] < '1' || letters(lastWord(text[:digit])) == 0 {
		return text
	}
	rest := strings.TrimLeft(text[digit+1:], ".):")
	number := strings.TrimLeft(rest, " -")
	if number != rest && (startsNumber(number) || strings.HasPrefix(number, "(")) {
		return number
	}
	return text
}

// lastWord returns the text after the last space or other separator of a label, without a dot, "#" or space at its end.
func lastWord(label string) string {
	label = strings.TrimRight(label, " .#")
	return label[strings.LastIndexAny(label, " .:;,-/()")+1:]
}

// An unusual tries one reading after the other until one is valid. The first that is understood at all stays the best
// until then.
type unusual struct {
	home *plan
	best reading
}

func (u *unusual) understand(raw string) {
	if len(raw) > maxText || len(digitsOf(raw)) < minNational {
		return
	}
	text := withoutScheme(plain(raw))
	text = withoutNumberedLabel(text)
	bare := withoutWords(text)
	if u.tryWithWords(text, bare) {
		return
	}
	if without := strings.Replace(bare, "(0)", "", 1); without != bare && u.startsInternationally(without) {
		u.best = reading{} // the zero is not dialled after the country code
		if u.byTables(without); u.best.valid() {
			return
		}
	}
	if u.byForeignPrefix(compact.Replace(bare)); !u.best.valid() && u.home != nil {
		u.byBareCode(text, leastBare)
	}
}

// The fewest digits that are read as an international number without its +: where the region has no such number, and where
// all other readings have found no contact.
const (
	leastBare         = 8
	leastBareAnywhere = 7
)

// byOwnCode reads digits out of a spreadsheet that begin with the calling code of home. A spreadsheet takes away the zero that
// national numbers begin with, so that a longer national reading is the less likely one.
func (r *reading) byOwnCode(text string, home *plan) bool {
	if home == nil {
		return false
	}
	if !onlyDigits(text) {
		text = withoutWords(withoutScheme(plain(text)))
	}
	if !onlyDigits(text) || !strings.HasPrefix(text, home.code.digits) {
		return false
	}
	var found reading
	if readInternational(&found, []byte(text)) && found.valid() {
		*r = found
		return true
	}
	return false
}

// byBareCode reads digits that begin with a calling code as an international number that lacks its +. Digits with the
// punctuation of a national number are left alone.
func (u *unusual) byBareCode(text string, least int) {
	text, ext := splitExtension(text)
	digits := withBareCode(text, least)
	if digits == "" {
		return
	}
	var r reading
	if understand(&r, "+"+digits, nil); r.valid() {
		r.ext = ext
		u.best = r
	}
}

// withBareCode returns the digits of a text if they may be an international number that lacks its +.
func withBareCode(text string, least int) string {
	digits := compact.Replace(text)
	if len(digits) < least || len(digits) > maxE164 || !onlyDigits(digits) || strings.ContainsAny(text, "(/") {
		return ""
	}
	code := codeAt([]byte(digits))
	if code == nil || !strings.HasPrefix(text, code.digits) {
		return ""
	}
	if rest := text[len(code.digits):]; len(digits) < len(text) && rest != "" && isDigit(rest[0]) {
		return "" // the groups do not set the calling code apart
	}
	return digits
}

// byForeignPrefix reads a number after an international prefix that is not the region's own, as people write it who dial
// from elsewhere.
func (u *unusual) byForeignPrefix(text string) {
	if u.home != nil && u.home.ready() && u.home.internationalPrefix(leadingDigits(text)) > 0 {
		return
	}
	for _, prefix := range [...]string{"+00", "00", "011"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			u.byTables("+" + rest)
			return
		}
	}
}

func leadingDigits(text string) []byte {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return []byte(text[:n])
}

// tryWithWords reads a text in which letters may be part of the number, or may not: bare is the text without them. It reports
// whether the number is valid.
func (u *unusual) tryWithWords(text, bare string) bool {
	decided := u.byTables(text)
	if decided {
		return u.best.valid()
	}
	if text != bare && !strings.Contains(text, phoneContext) {
		decided = u.byTables(bare)
	}
	if !u.best.valid() {
		u.byLibrary(text)
	}
	if !u.best.valid() && !decided && text != bare {
		u.byLibrary(bare)
	}
	return u.best.valid()
}

// byTables reads a text without the library and reports whether that was enough to know.
func (u *unusual) byTables(text string) bool {
	head, ext := splitExtension(text)
	var d dialled
	var r reading
	if !d.scan(head) || !d.read(&r, u.home) {
		return false
	}
	r.ext = ext
	u.take(r)
	return true
}

func (u *unusual) byLibrary(text string) {
	var r reading
	if ask(&r, text, u.home) && (r.ext != "" || !hasLetters(text) || strings.Contains(text, phoneContext) || isVanity(&r, text)) {
		u.take(r)
	}
}

// phoneContext begins what of a tel address its number goes after.
const phoneContext = ";phone-context="

func hasLetters(text string) bool { return strings.ContainsFunc(text, unicode.IsLetter) }

// isVanity reports whether the letters of a text may stand for digits in the number that it was read as, where they do: capital
// letters after the digits, or of a toll-free number small ones, but no words with digits among them such as "9-17 Uhr".
func isVanity(r *reading, text string) bool {
	first, last := strings.IndexFunc(text, isDigitOrPlus), strings.LastIndexFunc(text, isDigitOrPlus)
	if strings.HasSuffix(digitsOf(text), string(r.number())) {
		return first < 0 || !hasLetters(text[first:last]) // they stand for none, and keep no digits apart
	}
	word := strings.IndexFunc(text, unicode.IsLetter)
	return first >= 0 && first < word && (strings.ToUpper(text) == text || r.isTollFree())
}

func isDigitOrPlus(c rune) bool { return c == '+' || digitOf(c) >= 0 }

// take keeps a reading if it is better than the best so far.
func (u *unusual) take(r reading) {
	repair(&r)
	if u.best.code == nil || r.valid() {
		u.best = r
	}
}

// startsInternationally reports whether the text's number comes with its country code.
func (u *unusual) startsInternationally(text string) bool {
	var d dialled
	head, _ := splitExtension(text)
	return d.scan(head) && (d.plus || strings.HasPrefix(string(d.all()), "00"))
}

// compact leaves out the punctuation that may stand in a number.
var compact = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "/", "")

// plain writes digits, punctuation and spaces of all scripts in ASCII and leaves out what cannot be seen.
func plain(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < utf8.RuneSelf && plainRune(rune(text[i])) == rune(text[i])
	}
	if !ascii {
		text = strings.Map(plainRune, text)
	}
	return strings.TrimSpace(text)
}

// plainRune returns the character that means the same in ASCII, the character itself if ASCII has no such character, and -1 if it means nothing.
func plainRune(c rune) rune {
	if c < utf8.RuneSelf && c >= ' ' && strings.IndexByte(`[]{}_\"'`, byte(c)) < 0 {
		return c
	}
	if d := digitElsewhere(c); d >= 0 {
		return rune('0' + d)
	}
	switch c {
	case '_', '\\', '"', '\'', '“', '”', '„', '‟', '«', '»', '‘', '’', utf8.RuneError:
		return ' '
	case '＋', '﹢', '➕', '⁺':
		return '+'
	case '[', '{', '（', '﹙', '【', '［':
		return '('
	case ']', '}', '）', '﹚', '】', '］':
		return ')'
	case '，', '、', '،':
		return ','
	case '；', '؛':
		return ';'
	case '：':
		return ':'
	case '＃':
		return '#'
	case '／', '⁄', '∕':
		return '/'
	case '．', '·', '•', '‧', '∙', '⋅', '・', '。':
		return '.'
	case '−', 'ー', '～', '∼', '─':
		return '-'
	case '⃣': // the frame of a keycap
		return -1
	}
	switch {
	case c < ' ', unicode.In(c, unicode.Zs, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.Is(unicode.Pd, c):
		return '-'
	case unicode.In(c, unicode.Cf, unicode.Mn, unicode.Cc):
		return -1
	case 'Ａ' <= c && c <= 'Ｚ', 'ａ' <= c && c <= 'ｚ':
		return c - 'Ａ' + 'A'
	}
	return c
}

// digitElsewhere returns the value of a decimal digit outside ASCII, or -1. Unicode keeps every script's ten digits together and
// in order.
func digitElsewhere(c rune) int {
	for _, r := range unicode.Nd.R16 {
		if rune(r.Lo) <= c && c <= rune(r.Hi) {
			return int(c-rune(r.Lo)) % 10
		}
	}
	for _, r := range unicode.Nd.R32 {
		if rune(r.Lo) <= c && c <= rune(r.Hi) {
			return int(c-rune(r.Lo)) % 10
		}
	}
	return -1
}

// withoutScheme returns the number of a sip, callto or tel address, with the scheme or without. What else tel addresses hold is
// left to the library.
func withoutScheme(text string) string {
	text = withoutParameters(text)
	i := strings.IndexByte(text, ':')
	if i < 0 {
		return withoutHost(text)
	}
	scheme := strings.ToLower(text[strings.LastIndexAny(text[:i], "<\" ")+1 : i])
	switch scheme {
	case "sip", "sips", "callto", "skype", "whatsapp", "wa":
		text = text[i+1:]
		if at := strings.IndexAny(text, "@;?>"); at >= 0 {
			text = text[:at]
		}
		text = strings.ReplaceAll(strings.ReplaceAll(text, "%2B", "+"), "%2b", "+")
		if len(text) > 1 && text[0] == ' ' && isDigit(text[1]) {
			return "+" + text[1:] // a + that was not encoded
		}
		if first := strings.IndexFunc(text, isDigitOrPlus); first > strings.IndexFunc(text, unicode.IsLetter) && hasLetters(text) {
			return "" // somebody's name
		}
	case "http", "https":
		text = ofMessenger(text[i:])
	case "tel":
		text = strings.ReplaceAll(text[i+1:], "%20", " ")
	default:
		text = withoutHost(text)
	}
	return text
}

// withoutParameters returns a number without what telephone exchanges add to it, such as ";rn=+17034000000;npdi", ";isub=1234" or
// ";verstat=…". An extension and what the number goes after stay; so does the rest of a text with something else after a semicolon.
func withoutParameters(text string) string {
	start := strings.IndexByte(text, ';')
	if start < 0 {
		return text
	}
	head, rest := text[:start], text[start:]
	host := ""
	if at := strings.IndexByte(rest, '@'); at >= 0 {
		rest, host = rest[:at], rest[at:]
	}
	var kept strings.Builder
	for _, parameter := range strings.Split(rest[1:], ";") {
		name, value, _ := strings.Cut(parameter, "=")
		name = strings.ToLower(name)
		switch {
		case isKept(parameter):
			kept.WriteString(";" + parameter)
		case name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "",
			countDigits(value) >= leastNumber && !slices.Contains(longParameters[:], name):
			return text // no parameter, or another number: "Phone=030 26550280;Mobile=0171 2345671"
		}
	}
	return head + kept.String() + host
}

// longParameters are those whose values may have many digits.
var longParameters = [...]string{"rn", "cic", "isub", "tgrp", "trunk-context", "rn-context", "cic-context", "verstat", "tag"}

// isKept reports whether a parameter says something about the number itself.
func isKept(parameter string) bool {
	parameter = ";" + strings.ToLower(parameter)
	return strings.HasPrefix(parameter, ";ext=") || strings.HasPrefix(parameter, phoneContext)
}

// messengers are hosts with phone numbers in their addresses.
var messengers = [...]string{"://wa.me/", "://api.whatsapp.com/send?phone=", "://signal.me/#p/", "://t.me/+"}

// ofMessenger returns the number in a messenger's web address, "" if the address is not a messenger's.
func ofMessenger(address string) string {
	for _, host := range messengers {
		if number, ok := strings.CutPrefix(address, host); ok {
			if end := strings.IndexAny(number, "?&/"); end >= 0 {
				number = number[:end]
			}
			return "+" + strings.TrimLeft(strings.TrimPrefix(number, "%2B"), "+ ")
		}
	}
	return ""
}

// withoutHost returns the number in number@host. An e-mail address stays as it is.
func withoutHost(text string) string {
	at := strings.IndexByte(text, '@')
	if at < 0 {
		return text
	}
	number := strings.TrimLeft(text[:at], "<\" ")
	if len(digitsOf(number)) < leastBeforeWords || strings.Trim(number, "+0123456789-.() *#") != "" {
		return text
	}
	return number
}

// withoutWords returns a text without labels before the number, remarks after it and text in brackets. Where
// there seems to be more than one number it is the text, unchanged.
func withoutWords(text string) string {
	var b strings.Builder
	digits := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case isDigit(c):
			digits++
			b.WriteByte(c)
		case c == '+' && digits >= leastNumber:
			return text
		case c == '(' && digits >= leastBeforeWords && remarkIn(text[i:]) > 0:
			i += remarkIn(text[i:]) - 1
		case c == '+':
			b.Reset() // whatever stood before it was a label: "Phone 2: +49 …"
			digits = 0
			b.WriteByte(c)
		case strings.IndexByte(" -.()/", c) >= 0:
			b.WriteByte(c)
		case digits < leastBeforeWords:
			if few := strings.TrimLeft(b.String(), " -.()/"); few != "" && few[0] != '+' && few[0] != '0' {
				if countDigits(text[i:]) < leastNumber {
					return text // words with digits among them, such as "24h"
				}
				b.Reset() // the digit is the label's: "Phone 2: 030 …"
				digits = 0
			}
			b.WriteByte(' ')
		case isWord(c):
			return withoutRemark(text, b.String(), text[i:])
		default:
			return text // anything else after digits may separate numbers
		}
	}
	return strings.TrimSpace(b.String())
}

// leastBeforeWords is the number of digits after which words are a remark and not a label with a digit in it.
const leastBeforeWords = 3

// leastNumber is how many digits what may be a number of its own has at least.
const leastNumber = 6

// remarkIn returns the length of the remark in brackets that a text begins with: words, with few digits among them, that lead to no
// extension. 0 means that it begins with none.
func remarkIn(text string) int {
	end := strings.IndexByte(text[:min(len(text), longestRemark)], ')')
	if end < 0 || countDigits(text[:end]) >= leastNumber {
		return 0
	}
	word := strings.TrimLeft(text[1:end], " .,;:-0123456789")
	n := letters(word)
	if n == 0 || leadsToExtension(word[:n]) {
		return 0
	}
	return end + 1
}

// withoutRemark drops the words after a number, unless they lead to an extension or to another number.
func withoutRemark(text, number, remark string) string {
	if _, ext := splitExtension(text); ext != "" {
		return number + remark
	}
	digits := 0
	for i := range len(remark) {
		if isDigit(remark[i]) {
			digits++
		}
	}
	if digits >= leastNumber {
		return text
	}
	return strings.TrimRight(number, " -.(/")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || c >= utf8.RuneSelf
}

// extensionWords stand before an extension, in lower case, longest first where one ends in another.
var extensionWords = [...]string{
	";ext=", "extension", "extn", "ext", "extensión", "extensao", "extensão", "anexo", "interno", "int", "ramal", "poste", "durchwahl",
	"dw", "nebenstelle", "nst", "apparat", "app", "toestel", "tst", "anknytning", "ankn", "wewnętrzny", "wew", "linka", "kl",
	"dahili", "доб", "добавочный", "вн", "внутр", "x", "#", "~", "内線", "分机", "转", "轉", "내선",
}

// splitExtension cuts an extension off: at most seven digits at the end with a word or sign for it in front.
func splitExtension(text string) (head, ext string) {
	end := strings.TrimRight(text, " .)#")
	start := len(end)
	for start > 0 && isDigit(end[start-1]) {
		start--
	}
	if start == len(end) || len(end)-start > 7 {
		return text, ""
	}
	before := strings.ToLower(strings.TrimRight(end[:start], " .:-"))
	for _, word := range extensionWords {
		head, ok := strings.CutSuffix(before, word)
		if !ok {
			continue
		}
		head = strings.TrimRight(head, " .,;-(/")
		if head == "" || !isDigit(head[len(head)-1]) {
			return text, ""
		}
		return head, end[start:]
	}
	return text, ""
}

func leadsToExtension(word string) bool {
	word = strings.ToLower(word)
	return slices.Contains(extensionWords[:], word)
}
