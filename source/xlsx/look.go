package xlsx

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// builtIn are the number formats that have no code in the workbook (ECMA-376 part 1, 18.8.30). How Excel shows a date of formats
// 14, 22, 27 to 36 and 50 to 58 depends on the reader's country: here it is isoDate for everyone.
var builtIn = func() map[int]string {
	codes := map[int]string{
		1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: isoDate,
		15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: isoDate,
		37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
		48: "##0.0E+0", 49: "@",
	}
	for _, span := range [][2]int{{27, 36}, {50, 58}} {
		for id := span[0]; id <= span[1]; id++ {
			codes[id] = isoDate
		}
	}
	return codes
}()

// isoDate is the code of dates that are written as 2026-03-31, 2026-03-31 12:00:00 or 12:00:00.
const isoDate = "[$-F800]"

// A look is a number format.
type look struct{ sections []*section }

var general = newLook("")

// A section is the part of a number format for some numbers.
type section struct {
	kind   looks
	code   string
	holds  func(value float64) bool // nil where no condition is written
	pieces []piece                  // of a mask, from the left
}

// looks are the kinds of number formats.
type looks int

const (
	plain looks = iota // the number as it is stored
	mask               // its digits among other characters, as in (000) 000-0000
	date
	other // what excelize formats: decimals, percent, fractions
)

// A piece of a mask is a place for a digit ('0', '#' or '?') or a text.
type piece struct {
	digit byte
	text  string
}

func newLook(code string) *look {
	l := &look{}
	for _, text := range splitSections(code) {
		l.sections = append(l.sections, newSection(text))
	}
	return l
}

// splitSections splits a code at the semicolons that are not quoted.
func splitSections(code string) []string {
	var list []string
	start, quoted := 0, false
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c == '\\' && !quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			list = append(list, code[start:i])
			start = i + 1
		}
	}
	return append(list, code[start:])
}

// newSection understands a section. What it cannot understand is excelize's.
func newSection(code string) *section {
	s := &section{kind: plain, code: code}
	if strings.HasPrefix(code, isoDate) {
		s.kind = date
		s.code = isoDate
		return s
	}
	var clean strings.Builder // without conditions and separators of thousands
	digits, points, dates, exponent, words := 0, 0, 0, false, false
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '"':
			end := strings.IndexByte(code[i+1:], '"')
			if end < 0 {
				end = len(code) - i - 1
			}
			s.pieces = append(s.pieces, piece{text: code[i+1 : i+1+end]})
			words = words || end > 0 // LibreOffice writes truth values as "TRUE";"TRUE";"FALSE"
			clean.WriteString(code[i:min(i+2+end, len(code))])
			i += end + 1
		case '\\', '_', '*':
			next := runeAt(code, i+1)
			switch c {
			case '\\':
				s.pieces = append(s.pieces, piece{text: next})
			case '_': // a space as wide as the next character
				s.pieces = append(s.pieces, piece{text: " "})
			}
			clean.WriteString(string(c) + next)
			i += len(next)
		case '[':
			end := max(strings.IndexByte(code[i:], ']'), 0)
			inside := code[i+1 : max(i+end, i+1)]
			switch holds := condition(inside); {
			case holds != nil:
				s.holds = holds
			case strings.HasPrefix(inside, "$"):
				symbol, _, _ := strings.Cut(inside[1:], "-")
				s.pieces = append(s.pieces, piece{text: symbol})
				clean.WriteString(code[i : i+end+1])
			case strings.Trim(strings.ToLower(inside), "hms") == "" && inside != "":
				dates++
				clean.WriteString(code[i : i+end+1])
			}
			i += end
		case '0', '#', '?':
			digits++
			s.pieces = append(s.pieces, piece{digit: c})
			clean.WriteByte(c)
		case ',': // separates thousands, in some countries: a reader of numbers would take it for several
		case '.', '/', '%':
			points++
			clean.WriteByte(c)
		default:
			exponent = exponent || (c == 'E' || c == 'e') && i+1 < len(code) && (code[i+1] == '+' || code[i+1] == '-')
			if strings.IndexByte("yYmMdDhHsSgG", c) >= 0 {
				dates++
			}
			s.pieces = append(s.pieces, piece{text: string(c)})
			clean.WriteByte(c)
		}
	}
	s.code = clean.String()
	switch {
	case exponent, strings.Contains(strings.ToLower(s.code), "general"), digits == 0 && dates == 0 && !words:
		s.kind = plain
	case dates > 0:
		s.kind = date
	case points == 0:
		s.kind = mask
	default:
		s.kind = other
	}
	return s
}

// runeAt returns the character at a place of a text, or "".
func runeAt(text string, i int) string {
	for _, r := range text[min(i, len(text)):] {
		return string(r)
	}
	return ""
}

// condition reads a condition such as <=9999999; nil where it is none.
func condition(text string) func(float64) bool {
	operator := text[:len(text)-len(strings.TrimLeft(text, "<>="))]
	limit, err := strconv.ParseFloat(text[len(operator):], 64)
	if err != nil {
		return nil
	}
	switch operator {
	case "<":
		return func(v float64) bool { return v < limit }
	case "<=":
		return func(v float64) bool { return v <= limit }
	case ">":
		return func(v float64) bool { return v > limit }
	case ">=":
		return func(v float64) bool { return v >= limit }
	case "=":
		return func(v float64) bool { return v == limit }
	case "<>":
		return func(v float64) bool { return v != limit }
	}
	return nil
}

// section returns the section for a number, and the number as the section shows it: a section for negative numbers has the sign in it,
// if it wants one. nil where no section is for it.
func (l *look) section(value float64) (*section, float64) {
	conditions := false
	for _, s := range l.sections {
		conditions = conditions || s.holds != nil
	}
	if conditions {
		for _, s := range l.sections {
			if s.holds == nil || s.holds(value) {
				return s, value
			}
		}
		return nil, value
	}
	switch n := len(l.sections); {
	case value < 0 && n >= 2:
		return l.sections[1], -value
	case value == 0 && n >= 3:
		return l.sections[2], value
	}
	return l.sections[0], value
}

// mask writes a whole number in the places for digits. Digits that are left over stand at the first place.
func (s *section) mask(value float64) string {
	number := strconv.FormatFloat(math.Abs(math.Round(value)), 'f', 0, 64)
	if number == "0" {
		number = ""
	}
	first := 0
	for first < len(s.pieces) && s.pieces[first].digit == 0 {
		first++
	}
	parts := make([]string, len(s.pieces))
	for i := len(s.pieces) - 1; i >= 0; i-- {
		switch p := s.pieces[i]; {
		case p.digit == 0:
			parts[i] = p.text
		case i == first:
			parts[i], number = number, ""
			if parts[i] == "" {
				parts[i] = missing(p.digit)
			}
		case number != "":
			parts[i], number = number[len(number)-1:], number[:len(number)-1]
		default:
			parts[i] = missing(p.digit)
		}
	}
	if math.Round(value) < 0 {
		return "-" + strings.Join(parts, "")
	}
	return strings.Join(parts, "")
}

// missing is what stands in the place of a digit that there is not.
func missing(digit byte) string {
	switch digit {
	case '0':
		return "0"
	case '?':
		return " "
	}
	return ""
}

// A renderer writes numbers as people see them.
type renderer struct {
	sheet  *excelize.File // of one cell, in which excelize formats
	styles map[string]int
	known  map[shown]string
}

// A shown number is one that excelize has formatted.
type shown struct {
	code  string
	value float64
}

// mostShown is how many numbers are remembered.
const mostShown = 20_000

// text is the text of a number that is stored as a text. exact asks for all digits of a date.
func (r *renderer) text(stored []byte, l *look, date1904, exact bool) ([]byte, error) {
	stored = bytes.TrimSpace(stored)
	if l == general && isDigits(stored) {
		return stored, nil
	}
	value, err := strconv.ParseFloat(string(stored), 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
		return stored, nil
	}
	s, value := l.section(value)
	if s == nil || s.kind == plain || s.kind == mask && math.Abs(value) >= 1e15 { // more digits than Excel keeps: they are somebody's own
		return withoutExponent(stored), nil
	}
	switch s.kind {
	case mask:
		return []byte(s.mask(value)), nil
	case date:
		if date1904 {
			value += daysTo1904
		}
		if value < 0 || value >= endOfDates {
			return withoutExponent(stored), nil
		}
		if exact || s.code == isoDate {
			return []byte(isoText(value)), nil
		}
	}
	text, err := r.excelize(s.code, value)
	return []byte(text), err
}

// isDigits reports whether a number is written in at most 15 digits, as many as Excel keeps, and nothing else.
func isDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

// withoutExponent is a number as it is stored, in the 15 digits that Excel keeps, and without an exponent.
func withoutExponent(stored []byte) []byte {
	if isDigits(bytes.TrimPrefix(stored, []byte("-"))) {
		return stored
	}
	value, err := strconv.ParseFloat(string(stored), 64)
	if err != nil || value != 0 && (math.Abs(value) >= 1e30 || math.Abs(value) < 1e-15) {
		return stored
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 15, 64), 64)
	return strconv.AppendFloat(nil, rounded, 'f', -1, 64)
}

// Days as Excel counts them.
const (
	daysTo1904  = 1462    // from the first day of 1900's calendar to that of 1904's
	endOfDates  = 2958466 // 1 January 10000
	firstOfLeap = 60      // 29 February 1900, a day that Excel believes in
)

// isoText is a number of days as a date, with a time if it has one, to the millisecond.
func isoText(days float64) string {
	t := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if days < firstOfLeap {
		t = t.AddDate(0, 0, 1)
	}
	whole := math.Floor(days)
	t = t.AddDate(0, 0, int(whole)).Add(time.Duration(math.Round((days-whole)*24*3600*1000)) * time.Millisecond)
	clock := t.Format("15:04:05.999")
	switch {
	case days < 1:
		return clock
	case clock == "00:00:00":
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 ") + clock
}

// excelize has excelize format a number.
func (r *renderer) excelize(code string, value float64) (string, error) {
	if text, ok := r.known[shown{code, value}]; ok {
		return text, nil
	}
	if r.sheet == nil {
		r.sheet, r.styles = excelize.NewFile(), map[string]int{}
	}
	style, ok := r.styles[code]
	if !ok {
		var err error
		if style, err = r.sheet.NewStyle(&excelize.Style{CustomNumFmt: &code}); err != nil {
			return strconv.FormatFloat(value, 'f', -1, 64), nil // a code that excelize refuses
		}
		r.styles[code] = style
	}
	const name, at = "Sheet1", "A1"
	if err := r.sheet.SetCellStyle(name, at, at, style); err != nil {
		return "", err
	}
	if err := r.sheet.SetCellFloat(name, at, value, -1, 64); err != nil {
		return "", err
	}
	text, err := r.sheet.GetCellValue(name, at)
	if err != nil {
		return "", err
	}
	if r.known == nil || len(r.known) >= mostShown {
		r.known = make(map[shown]string, 64)
	}
	r.known[shown{code, value}] = text
	return text, nil
}

func (r *renderer) close() {
	if r.sheet != nil {
		_ = r.sheet.Close() // it has no files
	}
}
