package keyset

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source/stamp"
)

// A Layout says what the stamps of a source are, and how they are written in its checkpoints.
type Layout byte

// The layouts.
const (
	Unsorted Layout = 'u' // no stamps: the checkpoint is a fingerprint of the whole (E10)
	Instant  Layout = 't' // microseconds since 2000-01-01 00:00 UTC
	Local    Layout = 'l' // the same of a wall clock, whatever its zone
	Date     Layout = 'd' // days since 2000-01-01
	Number   Layout = 'n' // an integer
	Any      Layout = 'v' // any value as it stands in the column
)

// A Mark is a place in the order (updated, id) as a checkpoint holds it. An ID of kind None comes after every id.
type Mark struct {
	Updated, ID Value
}

// Infinity and MinusInfinity are the stamps that PostgreSQL calls so, in layouts Instant, Local and Date.
const (
	Infinity      = math.MaxInt64
	MinusInfinity = math.MinInt64
)

// Format writes a mark as a checkpoint: the stamp and, after a slash, the id. It is printable UTF-8.
func (l Layout) Format(m Mark) string {
	text := l.FormatStamp(m.Updated)
	if m.ID.Kind == None {
		return text
	}
	return text + "/" + l.formatID(m.ID)
}

// Parse reads what Format wrote. Anything else is an error.
func (l Layout) Parse(text string) (Mark, error) {
	stamp, id, hasID := strings.Cut(text, "/")
	var m Mark
	var err error
	if m.Updated, err = l.parseStamp(stamp); err != nil {
		return Mark{}, err
	}
	if hasID {
		if m.ID, err = l.parseID(id); err != nil {
			return Mark{}, err
		}
	}
	if l.Format(m) != text {
		return Mark{}, errText
	}
	return m, nil
}

var errText = errors.New("not a checkpoint of this source")

// FormatStamp writes a stamp for people: RFC 3339 for times.
func (l Layout) FormatStamp(v Value) string {
	switch {
	case l == Any:
		return formatAny(v)
	case v.Int == Infinity && l != Number:
		return "infinity"
	case v.Int == MinusInfinity:
		return "-infinity"
	case l == Number:
		return strconv.FormatInt(v.Int, 10)
	case l == Date:
		return formatDate(time.Unix(v.Int*86400+stamp.Epoch, 0).UTC())
	}
	t := stamp.Moment(v.Int)
	text := formatDate(t) + t.Format("T15:04:05.000000")
	if l == Instant {
		text += "Z"
	}
	return text
}

// formatDate writes years that time.Format cannot: beyond 9999, and before Christ as ISO 8601 counts them.
func formatDate(t time.Time) string {
	year, sign := t.Year(), ""
	if year < 0 {
		year, sign = -year, "-"
	}
	return fmt.Sprintf("%s%04d-%02d-%02d", sign, year, t.Month(), t.Day())
}

func (l Layout) parseStamp(text string) (Value, error) {
	switch {
	case l == Any:
		return parseAny(text)
	case text == "infinity" && l != Number:
		return IntValue(Infinity), nil
	case text == "-infinity":
		return IntValue(MinusInfinity), nil
	}
	if l == Number {
		i, err := strconv.ParseInt(text, 10, 64)
		return IntValue(i), err
	}
	return l.parseTime(text)
}

func (l Layout) parseTime(text string) (Value, error) {
	switch l {
	case Date:
		text += "T00:00:00"
	case Instant:
		text = strings.TrimSuffix(text, "Z")
	}
	t, err := parseWall(text)
	if err != nil {
		return Value{}, err
	}
	seconds := t.Unix() - stamp.Epoch
	if l == Date {
		return IntValue(floorDiv(seconds, 86400)), nil
	}
	if seconds > Infinity/1_000_000-1 || seconds < MinusInfinity/1_000_000+1 {
		return Value{}, errText
	}
	return IntValue(seconds*1_000_000 + int64(t.Nanosecond()/1000)), nil
}

// parseWall reads a stamp as FormatStamp writes it, without the zone. It forgives more than that: Parse compares.
func parseWall(text string) (time.Time, error) {
	date, clock, _ := strings.Cut(text, "T")
	year, rest, _ := strings.Cut(strings.TrimPrefix(date, "-"), "-")
	y, err := strconv.ParseInt(year, 10, 32)
	if err != nil || y > 10_000_000 {
		return time.Time{}, errText
	}
	if strings.HasPrefix(date, "-") {
		y = -y
	}
	// A leap year stands in for the real one, so that every day there is can be read.
	t, err := time.Parse("2006-01-02T15:04:05", "2000-"+rest+"T"+clock)
	if err != nil {
		return time.Time{}, errText
	}
	return time.Date(int(y), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC), nil
}

func (l Layout) formatID(id Value) string {
	if l == Any {
		return formatAny(id)
	}
	return escape(id.Text)
}

func (l Layout) parseID(text string) (Value, error) {
	if l == Any {
		return parseAny(text)
	}
	id, err := unescape(text)
	return TextValue(id), err
}

// formatAny writes a value so that its kind can be told: 42, 2.5, abc, x'00ff'. A text that would be taken for something
// else has an apostrophe before it.
func formatAny(v Value) string {
	switch v.Kind {
	case Int:
		return strconv.FormatInt(v.Int, 10)
	case Real:
		text := strconv.FormatFloat(v.Real, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return text
	case Blob:
		return "x'" + hex.EncodeToString([]byte(v.Text)) + "'"
	}
	text := escape(v.Text)
	if guess, err := parseAny(text); err != nil || guess.Kind != Text || guess.Text != v.Text {
		return "'" + text
	}
	return text
}

func parseAny(text string) (Value, error) {
	if bare, quoted := strings.CutPrefix(text, "'"); quoted {
		s, err := unescape(bare)
		return TextValue(s), err
	}
	if digits, blob := strings.CutPrefix(text, "x'"); blob {
		b, err := hex.DecodeString(strings.TrimSuffix(digits, "'"))
		return Value{Kind: Blob, Text: string(b)}, err
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return IntValue(i), nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) {
		return Value{Kind: Real, Real: f}, nil
	}
	s, err := unescape(text)
	return TextValue(s), err
}

// escape writes what is not printable, and what separates the parts of a checkpoint, as %XX.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && size == 1) || !unicode.IsPrint(r) || strings.ContainsRune("%/?", r) {
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", errText
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", errText
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
