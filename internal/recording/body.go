package recording

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// member is a key of an object, whose order stays.
type member struct {
	key   string
	value any
}

// object is a JSON object with the order of its keys.
type object []member

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// parse reads one JSON value.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the value")
	}
	return value, nil
}

func parseValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		made := object{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			made = append(made, member{fmt.Sprint(key), value})
		}
		_, err := d.Token()
		return made, err
	case json.Delim('['):
		made := []any{}
		for d.More() {
			value, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			made = append(made, value)
		}
		_, err := d.Token()
		return made, err
	}
	return token, nil
}

// answer replaces what is somebody's in an answer.
func (s *scrubber) answer(body []byte) []byte {
	value, err := parse(body)
	if err != nil {
		return []byte(s.foreign(string(body)))
	}
	text, err := json.Marshal(s.value("", "", value))
	if err != nil {
		return nil
	}
	return text
}

// foreign replaces the text of an answer that is not JSON.
func (s *scrubber) foreign(text string) string {
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "<") {
		return "<html><body>" + s.text(tags.ReplaceAllString(trimmed, " ")) + "</body></html>"
	}
	return s.text(text)
}

var tags = regexp.MustCompile(`(?s)<[^>]*>`)

// value replaces a value that stands at a path under a key.
func (s *scrubber) value(path, key string, value any) any {
	switch value := value.(type) {
	case object:
		made := make(object, len(value))
		for i, m := range value {
			made[i] = member{s.key(m.key), s.value(strings.TrimPrefix(path+"."+m.key, "."), m.key, m.value)}
		}
		return made
	case []any:
		made := make([]any, len(value))
		for i, element := range value {
			made[i] = s.value(path, key, element)
		}
		return made
	case string:
		return s.leaf(path, key, value)
	case json.Number:
		return s.figure(path, key, value)
	}
	return value // true, false, null
}

// has reports whether a set has a key, or the end of its path.
func has(keys map[string]bool, path, key string) bool { return keys[key] || keys[path] }

// ordinaryKey fits the names of fields; see [isOrdinaryKey]. How long they may be does not stand in it: eighty times the class of all
// letters would take megabytes of memory, in every process.
var ordinaryKey = regexp.MustCompile(`^[@$_\pL][\pL\pN_.@$:\-]*$`)

const longestKey = 80 // characters

// isOrdinaryKey reports whether a key looks like the name of a field. Anything else, such as an address, is data in the place of a name.
func isOrdinaryKey(key string) bool {
	return utf8.RuneCountInString(key) <= longestKey && ordinaryKey.MatchString(key)
}

// key replaces a key that is data.
func (s *scrubber) key(key string) string {
	_, isID := s.ids[key]
	switch {
	case s.keys[key], isHex.MatchString(key):
		return key
	case isID, !isOrdinaryKey(key), isMail.MatchString(key) && !strings.HasPrefix(key, "@") && !isAnnotation.MatchString(key), len(onlyDigits(key)) > ending, s.isHeard(key):
		return s.text(key)
	}
	return key
}

// isHeard reports whether a key has a word of a value in it, such as somebody's name.
func (s *scrubber) isHeard(key string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(key, func(r rune) bool { return !unicode.IsLetter(r) }), func(word string) bool {
		return len(word) > 2 && s.heard[strings.ToLower(word)]
	})
}

var (
	isMail = regexp.MustCompile(`[^@\s]+@[^@\s]+\.[^@\s]+`)
	// isAnnotation fits a key that says something of another one, as OData has them: name@OData.Community.Display.V1.FormattedValue.
	isAnnotation = regexp.MustCompile(`^\w+@(odata|OData|Microsoft)\.[\w.]+$`)

	isHex = regexp.MustCompile(`^[0-9a-f]{40}$`) // as Pipedrive names custom fields
)

// vocabulary are values that say what a record is, and not whose.
var vocabulary = strings.Fields("true false yes no y n 0 1 2 deleted changed active inactive archived removed enabled disabled")

// leaf replaces a text.
func (s *scrubber) leaf(path, key, text string) any {
	switch {
	case text == "":
		return text
	case has(s.idKeys, path, key) && s.learning:
		s.seenIDs[text] = true
		return text
	case has(s.times, path, key) && isTime(text):
		return text
	case has(s.flags, path, key) && slices.Contains(vocabulary, strings.ToLower(text)):
		return text
	case has(s.countries, path, key) && isCountry(text):
		return text
	case has(s.cursors, path, key):
		return s.cursor(text)
	}
	if to, ok := s.ids[text]; ok && !s.literals[text] {
		return to
	}
	if s.literals[text] {
		return text
	}
	for _, word := range s.known.Reactions {
		if len(word) > 4 && !s.learning {
			if at := strings.Index(strings.ToLower(text), strings.ToLower(word)); at >= 0 {
				return s.text(text[:at]) + text[at:at+len(word)] + s.text(text[at+len(word):])
			}
		}
	}
	return s.text(text)
}

// cursor replaces a value with which reading goes on: an address, an id, a number of a page, or something opaque, which may hold data.
func (s *scrubber) cursor(text string) string {
	if strings.Contains(text, "://") || strings.HasPrefix(text, "/") {
		return s.url(text)
	}
	if isNumber(text) {
		if to, ok := s.ids[text]; ok || isSmall(text) {
			return cmp.Or(to, text) // how many were read, or which page is next
		}
		if s.learning {
			s.seenIDs[text] = true // it may be the next id
		}
		return s.datum(text)
	}
	if to, ok := s.ids[text]; ok {
		return to
	}
	return s.token(text)
}

// isTime reports whether a text is a time with a date.
func isTime(text string) bool {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n > 1e8 && n < 1e14
	}
	return slices.ContainsFunc(layouts, func(layout string) bool { _, err := time.Parse(layout, text); return err == nil })
}

// figure replaces a number.
func (s *scrubber) figure(path, key string, n json.Number) any {
	text := n.String()
	value, err := n.Float64()
	switch {
	case has(s.idKeys, path, key) && s.learning:
		s.seenIDs[text] = true
		return n
	case has(s.times, path, key) && isTime(text):
		return n
	case key == "expires_in", s.literals[text], has(s.flags, path, key) && err == nil && math.Abs(value) < 100, value == 0:
		return n
	case has(s.cursors, path, key):
		return json.Number(s.cursor(text))
	}
	if to, ok := s.ids[text]; ok {
		return json.Number(to)
	}
	if strings.ContainsAny(text, "eE") {
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	sign := ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
	}
	whole, fraction, isFraction := strings.Cut(text, ".")
	replaced := sign + s.number(whole)
	if isFraction {
		replaced += "." + s.number(fraction)
	}
	return json.Number(replaced)
}

// nameIDs gives the ids that were seen others, in the same order and of the same form. What all of them begin with stays.
func (s *scrubber) nameIDs() {
	list := make([]string, 0, len(s.seenIDs))
	for id := range s.seenIDs {
		list = append(list, id)
	}
	common := beginning(list)
	var numbers, texts []string
	for _, id := range list {
		if rest := id[len(common):]; isDigits(rest) {
			numbers = append(numbers, rest)
		} else {
			texts = append(texts, rest)
		}
	}
	slices.Sort(texts)
	uuids := len(texts) > 0 && !slices.ContainsFunc(texts, func(id string) bool { return !isUUID.MatchString(id) })
	for rank, id := range texts {
		to := fmt.Sprintf("r%08d", rank+1)
		if uuids {
			to = fmt.Sprintf("%08x-0000-4000-8000-%012x", rank+0x10000000, rank)
		}
		s.nameID(common, id, to)
	}
	byLength := map[int][]string{}
	for _, id := range numbers {
		byLength[len(id)] = append(byLength[len(id)], id)
	}
	for length, ids := range byLength {
		slices.Sort(ids)
		for rank, id := range ids {
			s.nameID(common, id, strconv.Itoa(s.offset(length, ids)+rank))
		}
	}
}

// offset returns the first of the numbers of a length that come instead of ids, none of which is one of them where there is room.
func (s *scrubber) offset(length int, ids []string) int {
	if length > 17 {
		length = 17
	}
	least := int(math.Pow10(length - 1))
	if length == 1 && len(ids) > 9 {
		least = 0
	}
	room := 9*int(math.Pow10(length-1)) - len(ids)
	for step := 0; step < 20 && room > len(ids)*3; step++ {
		from := least + room/20*step
		first, last := strconv.Itoa(from), strconv.Itoa(from+len(ids))
		if !slices.ContainsFunc(ids, func(id string) bool { return len(id) == length && id >= first && id <= last }) {
			return from
		}
	}
	return least
}

func (s *scrubber) nameID(common, id, to string) {
	s.ids[common+id] = common + to
	if len(id) > 2 {
		s.ids[id] = to
	}
}

var isUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == "" && (text[0] != '0' || text == "0")
}

// beginning returns what all ids begin with, up to a sign that is no letter or digit: people/, gid://shopify/Customer/.
func beginning(ids []string) string {
	if len(ids) < 2 {
		return ""
	}
	common := ids[0]
	for _, id := range ids[1:] {
		for !strings.HasPrefix(id, common) {
			common = common[:len(common)-1]
		}
	}
	end := strings.LastIndexFunc(common, func(r rune) bool { return strings.ContainsRune("/:_", r) })
	if end < 0 || strings.ContainsFunc(common[:end], func(r rune) bool { return unicode.IsDigit(r) || r == '@' }) {
		return ""
	}
	return common[:end+1]
}
