package phone

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/internal/cell"
)

// ParseAll reads a text that may hold several numbers: JSON, or numbers with semicolons, commas, line breaks, slashes, words
// such as "or" and other separators between them. It returns all of them in their order, also those that are not valid, as
// they are written; what has no digits is left out. A separator inside one number does not split it. Where the text is one
// number or no number, or is over 4000 bytes long, it returns the text as one number. JSON that holds no value, such as [], is none.
//
// Reading the Raw or E164 of a number again gives that number alone.
func ParseAll(raw, region string) []Number {
	if IsOne(raw) {
		return []Number{Parse(raw, region)}
	}
	parts := Split(raw, region)
	numbers := make([]Number, len(parts))
	for i, part := range parts {
		numbers[i] = Parse(part, region)
	}
	return numbers
}

// Split returns the parts of a text that are phone numbers of their own, as [ParseAll] reads them. Where the text is one
// number or no number, it returns the text, unchanged. It returns no parts of JSON that holds no value, such as [].
func Split(raw, region string) []string {
	if IsOne(raw) || len(raw) > maxTexts {
		return []string{raw}
	}
	if values, ok := cell.JSON(raw); ok {
		return splitEach(values, region)
	}
	if isDocument(raw) && json.Valid([]byte(raw)) {
		return []string{raw} // it says something else
	}
	switch text, lost := unsheet(raw); {
	case text != raw && !onlyDigits(text): // a formula, which may hold anything
		return Split(text, region)
	case text != raw, lost:
		return []string{raw}
	}
	s := splitter{region: region}
	parts := s.split(raw)
	if len(parts) > 1 {
		for i, part := range parts {
			parts[i] = unquote(part)
		}
	}
	if len(parts) == 0 || len(parts) == 1 && !changesValue(raw, parts[0], region) {
		return splitRestored(raw, region)
	}
	if len(parts) == 1 {
		return parts
	}
	if !slices.ContainsFunc(parts, func(part string) bool { return countDigits(part) > minNational }) {
		return []string{raw} // "12, 34" is not a list of numbers
	}
	return splitEach(parts, region) // a part may hold several numbers itself
}

// splitRestored restores the digits of a text that a spreadsheet changed, and returns the numbers in it. For example, 4,9212345678E12"m" holds
// one number (4921234567800), and 45678E+1"4.915112345678E+12 holds two. If it finds no number in this way, it returns raw.
func splitRestored(raw, region string) []string {
	text, lost := restore(raw)
	if lost || text == raw {
		return []string{raw}
	}
	if parts := Split(text, region); len(parts) != 1 || changesValue(raw, parts[0], region) {
		return parts
	}
	return []string{raw}
}

// unquote returns a part of a list that is written in a programming language, or of a document that is cut off, without its quotes
// and brackets.
func unquote(part string) string {
	if !strings.ContainsAny(part, `"'`) {
		return part
	}
	inner := strings.Trim(part, `"'[]{} `)
	if countDigits(inner) < leastNumber || strings.ContainsAny(inner, `"'`) {
		return part
	}
	return inner
}

// splitEach splits texts until there is nothing left to split.
func splitEach(texts []string, region string) []string {
	list := slices.Grow([]string(nil), len(texts))
	for _, text := range texts {
		switch {
		case strings.TrimSpace(text) == "":
		case IsOne(text):
			list = append(list, text)
		default:
			list = append(list, Split(text, region)...)
		}
	}
	return list
}

// changesValue reports whether the only part of a text with a number in it is read better than the whole text.
func changesValue(raw, part, region string) bool {
	if part == strings.TrimSpace(raw) {
		return false
	}
	whole, better := Parse(raw, region), Parse(part, region)
	return better.Valid && (!whole.Valid || whole.Extension == "" && better.Extension != "")
}

// IsOne reports whether a text is so plain that it cannot hold two numbers: no more digits than one number has, and no
// punctuation that separates. For any other text [Split] decides. It does not allocate.
func IsOne(raw string) bool {
	digits := 0
	for i := range len(raw) {
		switch c := raw[i]; oneSigns[c] {
		case signDigit:
			digits++
		case signInside:
		case signSpace:
			if digits >= leastShort && i+1 < len(raw) && raw[i+1] == ' ' {
				return false
			}
		case signMore:
			spaced := i > 0 && raw[i-1] == ' '
			if c == '+' && digits > 0 || c == '-' && spaced || c == '/' && (digits >= leastShort || spaced) || c == '(' && digits >= leastNumber {
				return false
			}
		default:
			return false
		}
	}
	const longestPrefix = 3 // for calls abroad
	return digits <= maxE164 || raw[0] == '0' && digits <= maxE164+longestPrefix
}

// What a character of one number is.
const (
	signOther  = iota // not a part of a number
	signDigit         //
	signInside        // a part of a number wherever it is
	signSpace         // one of them is
	signMore          // +-/(, a part of a number at some places
)

// oneSigns says what each character is. Never written to.
var oneSigns = func() (signs [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		signs[c] = signDigit
	}
	for _, c := range ".)" {
		signs[c] = signInside
	}
	signs[' '] = signSpace
	for _, c := range "+-/(" {
		signs[c] = signMore
	}
	return signs
}()

// leastShort is how many digits the shortest whole numbers have, those of small islands.
const leastShort = 4

// A gap is a place of a text where one number may end and the next one begin.
type gap struct {
	start, end int // what is left out if it does
	kind       gapKind
	cut        bool // a number may end here at all
	open       bool // the digits after it may also be the last ones of the number before it
}

type gapKind uint8

const (
	weak   gapKind = iota // a slash, or a dot in the middle: rather a part of a number
	spaced                // " / ", " - ", " + ", two spaces: a part of a number, or between two
	worded                // before or after a word
	hard                  // what no number has in it: a semicolon, a line break
)

// A splitter finds the best way to cut a text.
type splitter struct {
	region string
	text   string
	floats []float // which are not cut
	gaps   []gap   // the first one ends where the text starts, the last one starts where it ends
}

// Costs of a part. The cheapest way to cut a text is taken: numbers that the plan knows, as few as possible.
const (
	costValid   = 10
	costInside  = 15  // of a gap within a part: two numbers that are both valid are cheaper
	costBare    = 2   // of a valid number that starts with neither + nor 0: it may be the end of one
	costWhole   = 200 // of a part that the plan does not know and that looks like two
	costUnknown = 100
	costDigit   = 10  // of each digit that the plan does not know what to do with
	costTooLong = 400 // of more digits than a number can have
	costWord    = 2   // of a part without digits: it rather stays with the number before it
	impossible  = 1 << 30
)

// Bounds of the work that one text is worth.
const (
	maxGaps   = 100 // of a text with more places to cut only those that surely separate are looked at
	maxInside = 10  // places to cut inside one part
)

// split cuts a text. Parts without digits are left out.
func (s *splitter) split(text string) []string {
	s.text = text
	s.findGaps()
	if len(s.gaps) > maxGaps { // what surely separates first; the parts are looked at again
		s.gaps = slices.DeleteFunc(s.gaps, func(g gap) bool { return g.kind != hard })
	}
	if len(s.gaps) == 2 {
		return []string{text}
	}
	s.findCuts()
	last := len(s.gaps) - 1
	best := make([]int, last+1) // the least cost up to a gap
	from := make([]int, last+1)
	for to := 1; to <= last; to++ {
		best[to] = impossible
		for begin := to - 1; begin >= 0 && to-begin <= maxInside; begin-- {
			if best[begin] < impossible && s.gaps[begin].cut {
				if cost := best[begin] + s.cost(begin, to); cost < best[to] {
					best[to], from[to] = cost, begin
				}
			}
		}
	}
	if best[last] >= impossible {
		return []string{text}
	}
	var parts []string
	for to := last; to > 0; to = from[to] {
		if part := s.joined(from[to], to); countDigits(part) > 0 {
			parts = append(parts, part)
		}
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

// part returns the text between two gaps.
func (s *splitter) part(from, to int) string {
	return strings.TrimSpace(s.text[s.gaps[from].end:s.gaps[to].start])
}

// joined returns the part between two gaps without a comma that stands after the beginning of its number.
func (s *splitter) joined(from, to int) string {
	for i := from + 1; i < to; i++ {
		if s.gaps[i].kind == hard && startsNumber(s.part(from, i)) && countDigits(s.part(from, i)) < leastNumber {
			return strings.TrimSpace(s.text[s.gaps[from].end:s.gaps[i].start] + " " + s.text[s.gaps[i].end:s.gaps[to].start])
		}
	}
	return s.part(from, to)
}

// findCuts finds the gaps at which a number may end at all.
func (s *splitter) findCuts() {
	for i := range s.gaps {
		s.gaps[i].cut = s.mayCut(i)
	}
}

// mayCut reports whether a number may end at a gap.
func (s *splitter) mayCut(i int) bool {
	g := s.gaps[i]
	if i == 0 || i == len(s.gaps)-1 || g.kind == hard || g.kind == worded {
		return true
	}
	before, after := s.before(i), s.after(i)
	least := leastNumber
	if g.kind == spaced && (startsNumber(after) && countDigits(before) > 2 || s.isKnown(before)) {
		least = 3
		return countDigits(before) >= least && countDigits(after) > 0
	}
	if s.isKnown(before) && (s.isKnown(after) || countDigits(before) >= leastNumber && s.isEnding(i)) {
		return true
	}
	return countDigits(before) >= least && countDigits(after) >= least
}

// isEnding reports whether a slash and the last digits of another number follow: 020 7946 0018/9.
func (s *splitter) isEnding(i int) bool {
	if i+1 >= len(s.gaps) || !strings.Contains(s.text[s.gaps[i].start:s.gaps[i].end], "/") {
		return false
	}
	next := s.part(i, i+1)
	return next != "" && onlyDigits(next) && len(next) <= longestEnding
}

// endings counts the endings of other numbers in a part and right after it, where the first slash of the part has one after it:
// 030 901820/21/22, but not 030/265/502/80.
func (s *splitter) endings(from, to int) int {
	n := 0
	for i := from + 1; i <= to && i < len(s.gaps)-1; i++ {
		switch {
		case s.isEnding(i) && (n > 0 || i < to && countDigits(s.part(from, i)) >= leastNumber && s.isKnown(s.part(from, i))):
			n++
		case strings.Contains(s.text[s.gaps[i].start:s.gaps[i].end], "/"):
			return n
		}
	}
	return n
}

// longestEnding is how many digits of a number's end stand after a slash for another number.
const longestEnding = 4

// before returns the text that ends at a gap and starts after the one before it that separates more surely.
func (s *splitter) before(i int) string {
	j := i - 1
	for j > 0 && s.gaps[j].kind <= s.gaps[i].kind && countDigits(s.part(j, i)) < leastNumber {
		j--
	}
	return s.part(j, i)
}

// after returns the text that starts at a gap and ends at the next one that separates more surely.
func (s *splitter) after(i int) string {
	j := i + 1
	for j < len(s.gaps)-1 && s.gaps[j].kind <= s.gaps[i].kind && countDigits(s.part(i, j)) < leastNumber {
		j++
	}
	return s.part(i, j)
}

func (s *splitter) isKnown(part string) bool {
	return len(part) <= maxText && countDigits(part) >= leastShort && Parse(part, s.region).Valid
}

// startsNumber reports whether a text starts as a whole number does: with + or 0.
func startsNumber(text string) bool {
	text = strings.TrimLeft(plain(text), "( ")
	return text != "" && (text[0] == '+' || text[0] == '0')
}

// cost judges a part.
func (s *splitter) cost(from, to int) int {
	inside, strong := 0, false
	endings := s.endings(from, to)
	for i := from + 1; i < to; i++ {
		switch g := s.gaps[i]; {
		case g.kind == hard && !s.mayJoin(from, i, to):
			return impossible
		case g.kind == worded:
			inside++
		case g.cut:
			inside += costInside
			strong = strong || countDigits(s.part(from, i)) > leastNumber && countDigits(s.part(i, to)) > leastNumber
		}
	}
	part := s.joined(from, to)
	digits := countDigits(part)
	switch {
	case digits == 0:
		return costWord
	case digits <= 2*maxE164 && endings < 2 && s.isKnown(part):
		if !startsNumber(part) {
			inside += costBare
		}
		return costValid + inside
	case digits > maxE164:
		inside += costTooLong
	case strong:
		inside += costWhole // both sides look like whole numbers
	}
	return costUnknown + costDigit*digits + inside
}

// mayJoin reports whether what surely separates stands in the middle of a number after all: after the beginning of one that
// cannot be whole, such as "030, 26550280", or before the last part of one that cannot begin one, such as ", 12".
func (s *splitter) mayJoin(from, i, to int) bool {
	before, after := s.part(from, i), s.part(i, to)
	if countDigits(before) == 0 || countDigits(after) == 0 {
		return false
	}
	if startsNumber(before) && countDigits(before) < leastNumber {
		return s.isKnown(s.joined(from, to))
	}
	const longestExtension = 5
	separator := strings.TrimSpace(s.text[s.gaps[i].start:s.gaps[i].end])
	return separator == "," && onlyDigits(after) && len(after) <= longestExtension && countDigits(before) >= leastNumber && !s.isKnown(after)
}

// findGaps finds the places where the text may be cut.
func (s *splitter) findGaps() {
	s.gaps = append(s.gaps[:0], gap{kind: hard})
	s.floats = floatsIn(s.text)
	digits, before := 0, 0 // since the last gap, and in front of it where only words stand between
	for i := 0; i < len(s.text); {
		if n := max(s.brackets(i), s.float(i)); n > 0 && (digits < leastNumber || s.areaCode(i) == weak) {
			digits += countDigits(s.text[i : i+n])
			i += n
			if digits >= leastNumber && remarkIn(plain(s.text[i-n:])) > 0 && startsAfterSpace(s.text[i:]) {
				s.gaps = append(s.gaps, gap{start: i, end: i, kind: worded}) // the remark ends a number
				digits, before = 0, digits
			}
			continue
		}
		g := s.gapAt(i, digits, before)
		if g.end > g.start || g.kind != weak {
			s.gaps = append(s.gaps, g)
			switch {
			case g.kind != worded:
				before = 0
			case digits > 0:
				before = digits
			}
			if !g.open {
				digits = 0
			}
			i = g.end
			if g.end == g.start { // before a number or a word
				i += s.unit(i, &digits)
			}
			continue
		}
		i += s.unit(i, &digits)
	}
	s.gaps = append(s.gaps, gap{start: len(s.text), end: len(s.text), kind: hard})
}

// unit returns the length of what cannot be cut at a place: a word or a character.
func (s *splitter) unit(i int, digits *int) int {
	if n := letters(s.text[i:]); n > 0 {
		return n
	}
	c, size := utf8.DecodeRuneInString(s.text[i:])
	if digitOf(c) >= 0 {
		*digits++
	}
	return size
}

// longestRemark is the longest text in brackets that is looked at, in bytes.
const longestRemark = 64

// brackets returns the length of brackets that hold no number of their own: "(0)", "(Mo-Fr, 9-17)".
func (s *splitter) brackets(i int) int {
	if !startsWithBracket(s.text[i:]) {
		return 0
	}
	text := s.text[i:min(len(s.text), i+longestRemark)]
	end := strings.IndexFunc(text, func(c rune) bool { return plainRune(c) == ')' || strings.ContainsRune("\n\r;", c) })
	if end < 0 {
		return 0
	}
	c, size := utf8.DecodeRuneInString(text[end:])
	if plainRune(c) != ')' || countDigits(text[:end]) >= leastNumber {
		return 0
	}
	return end + size
}

func startsWithBracket(text string) bool {
	c, size := utf8.DecodeRuneInString(text)
	return size > 0 && plainRune(c) == '('
}

// areaCode says what kind of gap is in front of brackets that follow a number, where another number begins with them: (030) 26550280
// (089) 63648018. It is weak where they hold no area code. What begins with a 0 or + cannot be the middle of a number.
func (s *splitter) areaCode(i int) gapKind {
	n := s.brackets(i)
	if n == 0 {
		return weak
	}
	inner, rest := strings.Trim(plain(s.text[i:i+n]), "() "), s.text[i+n:]
	rest, _, _ = strings.Cut(plain(rest[:numberAhead(rest)]), "(")
	before, after := countDigits(inner), countDigits(rest)
	switch {
	case strings.Trim(inner, "+0123456789 -./") != "" || before == 0 || after == 0:
		return weak
	case startsNumber(inner) && inner != "0" && before+after >= leastNumber-1 && !s.gaps[len(s.gaps)-1].open:
		return hard
	case before+after >= leastNumber:
		return spaced
	}
	return weak
}

// prefixed reports whether a text begins with what is dialled before an area code in brackets: 8 (495) 223-45-68.
func (s *splitter) prefixed(i int) bool {
	const longestPrefix = 3
	n := len(leadingDigits(s.text[i:]))
	if n == 0 || n > longestPrefix {
		return false
	}
	i += n
	if strings.HasPrefix(s.text[i:], " ") {
		i++
	}
	return s.areaCode(i) != weak
}

// numberAhead returns the length of the digits that a text begins with and of the punctuation that a number has in the middle.
func numberAhead(text string) int {
	for i, c := range text {
		inside := digitOf(c) >= 0 || unicode.IsSpace(c) && c >= ' ' || isDash(c) || strings.ContainsRune("./()", plainRune(c))
		if !inside || c == '(' && remarkIn(text[i:]) > 0 {
			return i
		}
	}
	return len(text)
}

// startsAfterSpace reports whether a text is a space and a number after it.
func startsAfterSpace(text string) bool {
	rest := strings.TrimLeft(text, " ")
	return rest != text && rest != "" && (isDigit(rest[0]) || rest[0] == '+' || rest[0] == '(')
}

// float returns the length of the floating-point number that starts at a place, 0 if there is no such number.
func (s *splitter) float(i int) int {
	for _, f := range s.floats {
		if f.start == i {
			return f.end - f.start
		}
	}
	return 0
}

// gapAt returns the gap that starts at a place; one of kind weak and without length where no gap starts. digits is how many came
// since the last gap, before how many the number has that only words separate from there.
func (s *splitter) gapAt(start, digits, before int) gap {
	g := gap{start: start, end: start}
	end, spaces := start, 0
	surely, broken, soft, plus, odd := false, false, false, false, false
	for end < len(s.text) {
		if n := cell.LineBreak(s.text[end:]); n > 0 {
			surely, broken = true, true
			end += n
			continue
		}
		c, size := utf8.DecodeRuneInString(s.text[end:])
		spacedHere := spaces > 0 && end+size < len(s.text) && isSpaceAt(s.text, end+size)
		switch {
		case c == '\t':
			surely = true
		case unicode.IsSpace(c):
			spaces++
		case strings.ContainsRune(";；,，、،؛|&\\", c):
			if c == ';' && isParameter(s.text[end:]) {
				return g
			}
			surely = true
		case (c == '•' || c == '·') && spacedHere:
			surely = true
		case strings.ContainsRune("/／•·・‧∙⋅", c):
			soft = true
		case isDash(c) && (spacedHere || soft || spaces > 0 && isDashAt(s.text, end+size)):
			soft = true
		case digits >= leastNumber && isOdd(c):
			odd = true
		case c == '+' && !plus && (spacedHere && (digits > 0 || before >= leastShort) || s.isBeforeTrunk(end)):
			plus = true
		default:
			if n := s.connector(start, end); n > 0 {
				surely = true
				end += n
				continue
			}
			if n := numbering(s.text[end:]); n > 0 && spaces > 0 && digits >= leastNumber {
				surely = true
				end += n
				continue
			}
			if odd {
				spaces = max(spaces, 2) // as good as two spaces
			}
			return s.classify(g, end, spaces, surely, broken, soft, plus, digits)
		}
		end += size
	}
	return s.classify(g, end, spaces, surely, broken, soft, plus, digits)
}

func isDash(c rune) bool { return unicode.Is(unicode.Pd, c) || c == '−' }

func isDashAt(text string, i int) bool {
	c, _ := utf8.DecodeRuneInString(text[i:])
	return isDash(c)
}

// isOdd reports whether a character is one that people rarely write in a number or between two, and programs do: an arrow, an
// equals sign, a control character.
func isOdd(c rune) bool {
	return !unicode.IsLetter(c) && digitOf(c) < 0 && !unicode.IsSpace(c) && !isDash(c) && !unicode.Is(unicode.Mn, c) && !strings.ContainsRune(`.+()[]{}"'/%@^`, plainRune(c))
}

// numbering returns the length of what numbers the next number of a list: "2) " and "(2) ".
func numbering(text string) int {
	inner := strings.TrimPrefix(text, "(")
	if len(inner) < 4 || inner[0] < '1' || inner[0] > '9' || inner[1] != ')' || inner[2] != ' ' {
		return 0
	}
	if c := inner[3]; !isDigit(c) && c != '+' && c != '(' {
		return 0
	}
	return len(text) - len(inner) + 3
}

// classify says what a run of spaces and separators means.
func (s *splitter) classify(g gap, end, spaces int, surely, broken, soft, plus bool, digits int) gap {
	rest := s.text[end:]
	word := letters(rest)
	switch {
	case word > 0 && leadsToExtension(rest[:word]) && digits > 0 && !broken:
	case surely:
		g.end, g.kind = end, hard
	case plus:
		g.end, g.kind = end, hard
		if at := strings.LastIndexByte(s.text[g.start:end], '+'); !s.isAtHome(end) {
			g.end = g.start + at // the + is the next number's own
		}
	case strings.HasPrefix(rest, "+") && digits > 2:
		g.end, g.kind = end, hard
	case soft && spaces > 1, spaces > 1:
		g.end, g.kind = end, spaced
	case soft:
		g.end, g.kind = end, weak
	case word > 0 && digits > 0 && !leadsToExtension(rest[:word]):
		g.end, g.kind = end, worded
	case startsWithBracket(rest) && digits >= leastNumber:
		if s.brackets(end) == 0 {
			g.end, g.kind = end, spaced
		} else if kind := s.areaCode(end); kind != weak {
			g.end, g.kind = end, kind
		}
	case spaces == 1 && digits >= leastNumber && s.prefixed(end):
		g.end, g.kind, g.open = end, spaced, true
	case spaces == 1 && digits >= leastNumber+1 && countDigits(nextRun(rest)) >= leastNumber+1:
		g.end, g.kind = end, spaced
	}
	return g
}

// isAtHome reports whether a number of the region begins at a place, after a + that then separates. Where numbers at home begin
// with a 0, the + is rather the sign of one without that begins with a calling code: + 44 20 7946 0018.
func (s *splitter) isAtHome(i int) bool {
	rest := s.text[i:]
	if strings.HasPrefix(strings.TrimLeft(rest, "( "), "0") {
		return true
	}
	number := rest[:numberAhead(rest)]
	if p := planOf(s.region); p != nil && p.meta.GetNationalPrefix() == "0" {
		group := leadingDigits(strings.TrimLeft(number, " "))
		if code := codeAt(group); code != nil && string(group) == code.digits && s.isKnown("+"+number) {
			return false
		}
	}
	piece := rest
	if end := strings.IndexAny(rest, "+;,|\n"); end >= 0 {
		piece = rest[:end]
	}
	return s.isKnown(piece) || s.isKnown(number)
}

// isBeforeTrunk reports whether a + at a place stands between words and a number as it is dialled at home: "office + 030 26550280". No
// calling code begins with a 0.
func (s *splitter) isBeforeTrunk(i int) bool {
	rest := s.text[i+1:]
	number := strings.TrimLeft(rest, "( ")
	return number != rest && len(number) > 1 && number[0] == '0' && '1' <= number[1] && number[1] <= '9' && strings.TrimSpace(s.text[:i]) != ""
}

// nextRun returns the digits that a text begins with.
func nextRun(text string) string { return string(leadingDigits(text)) }

// connector returns the length of a word between two numbers, such as "or".
func (s *splitter) connector(start, at int) int {
	n := letters(s.text[at:])
	if n == 0 || at == start && at > 0 && !isSpaceAt(s.text, at-1) || !cell.IsConnector(s.text[at:at+n]) {
		return 0
	}
	if at+n < len(s.text) && s.text[at+n] == '.' {
		n++
	}
	return n
}

// isParameter reports whether a semicolon begins a parameter of a tel or sip address: ";ext=12".
func isParameter(text string) bool {
	n := letters(text[1:])
	return n > 0 && strings.IndexAny(text[1+n:], "=-") == 0
}

func isSpaceAt(text string, i int) bool {
	c, _ := utf8.DecodeRuneInString(text[i:])
	return unicode.IsSpace(c)
}

// letters returns the length of the word at the start of a text.
func letters(text string) int {
	n := 0
	for n < len(text) {
		c, size := utf8.DecodeRuneInString(text[n:])
		if !unicode.IsLetter(c) || c >= '０' && c <= '９' {
			break
		}
		n += size
	}
	return n
}

func countDigits(text string) int {
	n := 0
	for _, c := range text {
		if digitOf(c) >= 0 {
			n++
		}
	}
	return n
}
