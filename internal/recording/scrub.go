package recording

import (
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
)

// A scrubber replaces what is somebody's: the same by the same, wherever it stands. It goes over everything twice: first it learns which
// ids and numbers there are, then it replaces them.
type scrubber struct {
	known  source.Recorded
	region string // where numbers without a country code are read
	random *rand.Rand

	learning bool
	ids      map[string]string   // by id, and by what follows the beginning that all ids have
	seenIDs  map[string]bool     // while learning
	tails    map[string][]string // numbers by their last digits, while learning
	endings  map[string]string   // of numbers, by their last digits
	words    map[string]string
	tokens   map[string]string
	digits   map[string]string
	hosts    map[string]string
	values   []replacement // of the connection, the longest first
	taken    map[string]bool
	heard    map[string]bool // words of values
	shift    time.Duration   // of times that do not decide
	literals map[string]bool

	keys, times, flags, idKeys, cursors, countries map[string]bool
}

// A replacement is what comes instead of a value of the connection.
type replacement struct{ name, from, to string }

func newScrubber(known source.Recorded, region string, seed [32]byte) *scrubber {
	s := &scrubber{
		known: known, region: region, random: rand.New(rand.NewChaCha8(seed)), learning: true,
		ids: map[string]string{}, seenIDs: map[string]bool{}, tails: map[string][]string{}, endings: map[string]string{}, words: map[string]string{},
		tokens: map[string]string{}, digits: map[string]string{}, hosts: map[string]string{}, taken: map[string]bool{}, heard: map[string]bool{}, keys: set(known.Keys), literals: set(known.Literals),
		times: set(known.Times), flags: set(known.Flags), idKeys: set(known.IDs), cursors: set(known.Cursors), countries: set(known.Countries),
	}
	s.shift = time.Duration(400+s.random.IntN(4000)) * 24 * time.Hour
	s.connection()
	return s
}

func set(list []string) map[string]bool {
	of := map[string]bool{}
	for _, text := range list {
		of[text] = true
	}
	return of
}

// connection decides what comes instead of the connection's values.
func (s *scrubber) connection() {
	for name, value := range s.known.Secrets {
		if value == "" {
			continue
		}
		to := "replaced-" + strings.NewReplacer("_", "-", ".", "-").Replace(name)
		s.values = append(s.values, replacement{name, value, to})
		if s.known.Wrong != nil {
			s.values = append(s.values, replacement{"", s.known.Wrong(value), s.known.Wrong(to)})
		}
	}
	for name, value := range s.known.Values {
		if value == "" || isOrdinary(value) {
			continue
		}
		s.values = append(s.values, replacement{name, value, s.connectionValue(value)})
	}
	if address, err := url.Parse(s.known.Values["url"]); err == nil && address.Host != "" {
		s.values = append(s.values, replacement{"", address.Host, s.host(address.Host)})
	}
	slices.SortStableFunc(s.values, func(a, b replacement) int { return len(b.from) - len(a.from) })
}

// ordinary are values that name no tenant: data centers, and folders that everyone has.
var ordinary = strings.Fields("com eu in jp sa us au ca cn uk com.au com.cn contacts common organizations me true false UTC")

// isOrdinary reports whether a value names no tenant.
func isOrdinary(value string) bool {
	if slices.Contains(ordinary, value) {
		return true
	}
	_, err := time.LoadLocation(value)
	return err == nil && strings.Contains(value, "/")
}

// connectionValue returns what comes instead of a value that names a tenant. Its form stays.
func (s *scrubber) connectionValue(value string) string {
	s.learning = false
	defer func() { s.learning = true }()
	if address, err := url.Parse(value); err == nil && address.Host != "" {
		return address.Scheme + "://" + s.host(address.Host) + strings.TrimRight(address.Path, "/")
	}
	if before, after, found := strings.Cut(value, "."); found && !strings.ContainsAny(value, "@/ ") { // acme.crm4
		return s.word(before) + "." + after
	}
	return s.text(value)
}

// host returns what comes instead of a host: what the service's own hosts end in stays.
func (s *scrubber) host(host string) string {
	name, port, _ := strings.Cut(host, ":")
	if s.hosts[name] == "" {
		s.hosts[name] = "host" + strconv.Itoa(len(s.hosts)+1) + ".example.com"
	}
	if port != "" {
		return s.hosts[name] + ":" + port
	}
	return s.hosts[name]
}

// connected replaces the values of the connection in a text.
func (s *scrubber) connected(text string) string {
	for _, v := range s.values {
		text = replaceWhole(text, v.from, v.to)
	}
	return text
}

// replaceWhole replaces a text where it is not a part of a longer word.
func replaceWhole(text, from, to string) string {
	if len(from) < 2 || !strings.Contains(text, from) {
		return text
	}
	isPart := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	var b strings.Builder
	for {
		at := strings.Index(text, from)
		if at < 0 {
			break
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(from):])
		first, _ := utf8.DecodeRuneInString(from)
		last, _ := utf8.DecodeLastRuneInString(from)
		b.WriteString(text[:at])
		if at > 0 && isPart(before) && isPart(first) || at+len(from) < len(text) && isPart(after) && isPart(last) {
			b.WriteString(from)
		} else {
			b.WriteString(to)
		}
		text = text[at+len(from):]
	}
	return b.String() + text
}

// Parts of texts, in the order in which they are looked for at each place.
var parts = regexp.MustCompile(`(?i)` +
	`(?P<url>\b[a-z][a-z0-9+.-]*://[^\s"'<>]+)` +
	`|(?P<mail>[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*)` +
	`|(?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b)` +
	`|(?P<token>[A-Za-z0-9+/=_-]{16,})` +
	`|(?P<number>\+?\p{Nd}(?:[\p{Nd}\s().\-/\x{2010}-\x{2015}]*\p{Nd})?)` +
	`|(?P<word>[\p{L}\p{M}\p{N}_]+)`)

// text replaces everything in a text but its spaces and punctuation.
func (s *scrubber) text(text string) string {
	if text == "" || s.literals[text] {
		return text
	}
	if to, ok := s.ids[text]; ok {
		return to
	}
	for _, v := range s.values {
		if v.from == text {
			return v.to
		}
	}
	var b strings.Builder
	done := 0
	for _, at := range parts.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[done:at[0]])
		done = at[1]
		for group, name := range parts.SubexpNames() {
			if group == 0 || at[2*group] < 0 {
				continue
			}
			b.WriteString(s.part(name, text[at[0]:at[1]]))
			break
		}
	}
	b.WriteString(text[done:])
	return b.String()
}

func (s *scrubber) part(name, text string) string {
	switch name {
	case "url":
		return s.url(text)
	case "mail":
		return s.mail(text)
	case "time":
		return s.time(text)
	case "number":
		return s.number(text)
	case "token":
		if isNumber(text) {
			return s.number(text)
		}
		if !strings.ContainsAny(text, "0123456789+/=_-") {
			return s.word(text)
		}
		return s.token(text)
	}
	if isNumber(text) {
		return s.number(text)
	}
	return s.word(text)
}

func isNumber(text string) bool { return strings.Trim(text, "0123456789-") == "" }

// mail replaces an e-mail address: the name before @, and the domain.
func (s *scrubber) mail(text string) string {
	local, domain, _ := strings.Cut(text, "@")
	var b strings.Builder
	for i, piece := range strings.FieldsFunc(local, func(r rune) bool { return strings.ContainsRune("._%+-'", r) }) {
		if i > 0 {
			b.WriteByte('.')
		}
		if isNumber(piece) {
			b.WriteString(s.number(piece))
		} else {
			b.WriteString(strings.ToLower(s.word(piece)))
		}
	}
	return b.String() + "@" + s.host(strings.ToLower(domain))
}

// url replaces an address: its host, where it is not the service's, and what stands in its path and query.
func (s *scrubber) url(text string) string {
	trimmed := strings.TrimRight(text, ".,;:!?)")
	address, err := url.Parse(trimmed)
	if err != nil {
		return s.token(text)
	}
	address.User = nil
	if address.Host != "" && !s.isService(address.Host) {
		address.Host = s.host(strings.ToLower(address.Host))
	} else if address.Host != "" {
		address.Host = s.connected(address.Host)
	}
	segments := strings.Split(address.Path, "/")
	for i, segment := range segments {
		if !s.isPath(segment) {
			segments[i] = s.datum(segment)
		}
	}
	address.Path, address.RawPath = strings.Join(segments, "/"), ""
	query := address.Query()
	for name, values := range query {
		for i, value := range values {
			if isSmall(value) {
				continue // how many, or which page
			}
			values[i] = s.datum(value)
		}
		query[name] = values
	}
	address.RawQuery = query.Encode()
	if address.Fragment != "" {
		address.Fragment = s.text(address.Fragment)
	}
	return address.String() + text[len(trimmed):]
}

// datum replaces a value that is data and nothing else.
func (s *scrubber) datum(value string) string {
	if to, ok := s.ids[value]; ok {
		return to
	}
	if to, ok := s.tokens[value]; ok {
		return to
	}
	return s.text(value)
}

func isSmall(value string) bool {
	return len(value) <= 4 && strings.Trim(value, "0123456789") == "" || value == "true" || value == "false"
}

// isService reports whether a host is one that the source asks.
func (s *scrubber) isService(host string) bool {
	address, err := url.Parse(s.known.Address)
	return err == nil && strings.EqualFold(address.Host, host)
}

// isPath reports whether a part of a path is one of the API's own.
func (s *scrubber) isPath(segment string) bool {
	address, err := url.Parse(s.known.Address)
	return segment == "" || err == nil && slices.Contains(strings.Split(address.Path, "/"), segment)
}

// layouts are the forms of times that are moved.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04Z07:00", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly,
}

// time moves a time that does not decide, such as a date of birth.
func (s *scrubber) time(text string) string {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Add(-s.shift).Format(layout)
		}
	}
	return s.number(text)
}

// names are taken for words that begin with a capital letter.
var names = strings.Fields(`Alma Arno Bela Bruno Carla Cyril Dana Denis Edda Emil Fenna Franz Greta Gustav Hanna Heiko Ilka Ingo Jonna Jorge Katja Klaas Lena Luca
	Maren Mirko Nadia Nils Olga Oskar Petra Pavel Quinn Rania Ruben Sanna Stefan Tilda Tomas Ulla Uwe Vera Viktor Wanda Wim Xenia Yara Yusuf Zita Zoran`)

const consonants, vowels = "bdfgklmnprstvz", "aeiou"

// word replaces a word by one that does not occur, with capital letters as it has them.
func (s *scrubber) word(text string) string {
	key := strings.ToLower(text)
	if s.learning {
		s.taken[key], s.heard[key] = true, true // nobody else is to be called so
		return text
	}
	to, ok := s.words[key]
	if !ok {
		to = s.unused(func(attempt int) string {
			if attempt < 3 && unicode.IsUpper([]rune(text)[0]) {
				return strings.ToLower(names[s.random.IntN(len(names))])
			}
			return s.syllables(min(max(len([]rune(text)), 4), 12) + attempt/20)
		}, key)
		s.words[key] = to
	}
	switch {
	case strings.ToUpper(text) == text && strings.ToLower(text) != text:
		return strings.ToUpper(to)
	case unicode.IsUpper([]rune(text)[0]):
		return strings.ToUpper(to[:1]) + to[1:]
	}
	return to
}

// syllables makes a word that can be said.
func (s *scrubber) syllables(length int) string {
	var b strings.Builder
	for i := range length {
		letters := consonants
		if i%2 == 1 {
			letters = vowels
		}
		b.WriteByte(letters[s.random.IntN(len(letters))])
	}
	return b.String()
}

// unused makes a replacement that nothing else has, and that is not what it replaces.
func (s *scrubber) unused(make func(attempt int) string, from string) string {
	for attempt := 0; ; attempt++ {
		to := make(attempt)
		if to != from && (!s.taken[to] || attempt > 200) {
			s.taken[to] = true
			return to
		}
	}
}

// token replaces something opaque by something of the same length and the same sorts of characters.
func (s *scrubber) token(text string) string {
	if s.learning {
		return text
	}
	if to, ok := s.tokens[text]; ok {
		return to
	}
	to := s.unused(func(int) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z':
				return rune('a' + s.random.IntN(26))
			case r >= 'A' && r <= 'Z':
				return rune('A' + s.random.IntN(26))
			case r >= '0' && r <= '9':
				return rune('0' + s.random.IntN(10))
			case unicode.IsLetter(r):
				return 'x'
			}
			return r
		}, text)
	}, text)
	s.tokens[text] = to
	return to
}

// ending is how many digits of a phone number are replaced at its end.
const ending = 6

// number replaces digits. Of what is long enough for a phone number the beginning stays, by which country and kind are known, and the
// same end is replaced by the same end, however the number is written.
func (s *scrubber) number(text string) string {
	digits := onlyDigits(text)
	if len(digits) <= ending {
		return s.short(text, digits)
	}
	kept := min(4, len(digits)-ending)
	if strings.HasPrefix(text, "+") {
		kept = min(5, len(digits)-ending)
	}
	tail := digits[len(digits)-ending:]
	if s.learning {
		s.tails[tail] = append(s.tails[tail], text)
		return text
	}
	middle := digits[kept : len(digits)-ending]
	if len(digits) > 13 { // several numbers, or none
		middle = s.other(middle)
	}
	return withDigits(text, digits[:kept]+middle+s.end(tail))
}

// end returns what comes instead of the last digits of numbers: such that each of the numbers that end so stays one of its country and kind.
func (s *scrubber) end(tail string) string {
	if to, ok := s.endings[tail]; ok {
		return to
	}
	to := ""
	for range 300 {
		next := s.random.IntN(1_000_000)
		candidate := strconv.Itoa(1_000_000 + next)[1:]
		if s.taken["end"+candidate] || same(candidate, tail) > 2 {
			continue
		}
		to = candidate
		if !slices.ContainsFunc(s.tails[tail], func(text string) bool { return s.changesKind(text, to) }) {
			break
		}
	}
	if to == "" {
		to = s.other(tail)
	}
	s.taken["end"+to] = true
	s.endings[tail] = to
	return to
}

// same counts the places at which two texts have the same digit.
func same(a, b string) (n int) {
	for i := range a {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}

// changesKind reports whether a number with another end would be of another country or kind.
func (s *scrubber) changesKind(text, end string) bool {
	before := phone.Parse(text, s.region)
	if !before.Valid {
		return false
	}
	digits := onlyDigits(text)
	after := phone.Parse(withDigits(text, digits[:len(digits)-ending]+end), s.region)
	return !after.Valid || after.Region != before.Region || kindOf(after) != kindOf(before)
}

// kindOf tells mobile from fixed numbers.
func kindOf(n phone.Number) phonenumbers.PhoneNumberType {
	parsed, err := phonenumbers.Parse(n.E164, "")
	if err != nil {
		return phonenumbers.UNKNOWN
	}
	return phonenumbers.GetNumberType(parsed)
}

// short replaces the digits of what is too short for a phone number.
func (s *scrubber) short(text, digits string) string {
	if s.learning {
		return text
	}
	to, ok := s.digits[digits]
	if !ok {
		to = s.other(digits)
		s.digits[digits] = to
	}
	return withDigits(text, to)
}

// other returns digits of which each is another one; the first is not zero unless it was.
func (s *scrubber) other(digits string) string {
	to := make([]byte, len(digits))
	for i := range to {
		switch {
		case i == 0 && digits[i] == '0' && len(digits) > 1:
			to[i] = '0'
		case i == 0:
			to[i] = '1' + (digits[i]-'1'+byte(1+s.random.IntN(8)))%9
			if digits[i] == '0' {
				to[i] = byte('1' + s.random.IntN(9))
			}
		default:
			to[i] = '0' + (digits[i]-'0'+byte(1+s.random.IntN(9)))%10
		}
	}
	return string(to)
}

// onlyDigits returns the digits of a text, of any script.
func onlyDigits(text string) string {
	var b strings.Builder
	for _, r := range text {
		if d := digitOf(r); d >= 0 {
			b.WriteByte(byte('0' + d))
		}
	}
	return b.String()
}

// digitOf returns a digit's value; -1 for anything else. The digits of a script follow each other, and zero begins them.
func digitOf(r rune) int {
	if r >= '0' && r <= '9' {
		return int(r - '0')
	}
	if !unicode.Is(unicode.Nd, r) {
		return -1
	}
	zero := r
	for unicode.Is(unicode.Nd, zero-1) && r-zero < 9 {
		zero--
	}
	return int(r - zero)
}

// withDigits puts digits in the places of those of a text.
func withDigits(text, digits string) string {
	next := 0
	return strings.Map(func(r rune) rune {
		if digitOf(r) < 0 || next >= len(digits) {
			return r
		}
		next++
		return rune(digits[next-1])
	}, text)
}

// isCountry reports whether a text names a country.
func isCountry(text string) bool { return country.Code(text) != "" }
