package preview

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/screen"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Style paints words; the zero Style leaves them as they are.
type Style struct {
	Bold, Dim, Warn, Bad func(string) string
}

func (s Style) withDefaults() Style {
	plain := func(text string) string { return text }
	for _, paint := range []*func(string) string{&s.Bold, &s.Dim, &s.Warn, &s.Bad} {
		if *paint == nil {
			*paint = plain
		}
	}
	return s
}

// Print writes a preview for people, in lines of at most width columns where it can.
func Print(w io.Writer, p *Preview, width int, style Style) error {
	pr := printer{width: max(width, 40), style: style.withDefaults()}
	pr.heading(p)
	if len(p.Contacts) > 0 {
		pr.table(p.Contacts)
	}
	pr.pairs("Where the fields come from", mappingPairs(p.Mapping))
	pr.unused(p.Unused)
	var facts [][2]string
	for _, f := range p.Facts {
		facts = append(facts, [2]string{f.Name, f.Value})
	}
	pr.pairs("How a run works", facts)
	pr.problems(p.Problems)
	pr.checks(p.Checks)
	if p.Recorded != "" {
		pr.line("\nRecorded in %s. Credentials, names, numbers, addresses and all other data are replaced by others, countries and times", p.Recorded)
		pr.line("of changes are not. Look at its two files before you send them to anyone, and try them:  contactbridge preview --replay %s", p.Recorded)
	}
	_, err := io.WriteString(w, pr.out.String())
	return err
}

type printer struct {
	out   strings.Builder
	width int
	style Style
}

func (pr *printer) line(format string, args ...any) { fmt.Fprintf(&pr.out, format+"\n", args...) }

func (pr *printer) heading(p *Preview) {
	pr.line("%s  %s", pr.style.Bold(p.Endpoint), pr.style.Dim(clean(p.String())))
	var text string
	switch n := len(p.Contacts); {
	case p.Examined == 0:
		return
	case p.Complete && n == 1 && p.Examined == 1:
		text = "The only contact, as it would be sent"
	case p.Complete && n == p.Examined:
		text = fmt.Sprintf("All %d contacts, as they would be sent", n)
	case n == 1:
		text = fmt.Sprintf("The first of %s contacts, as it would be sent", p.total())
	default:
		text = fmt.Sprintf("The first %d of %s contacts, as they would be sent", n, p.total())
	}
	if !p.Complete {
		text += fmt.Sprintf("; problems were looked for in the first %d", p.Examined)
	}
	if p.Deleted > 0 {
		text += fmt.Sprintf("; %d more came as deleted", p.Deleted)
	}
	pr.line("%s:\n", text)
}

// total returns how many contacts there are, as far as it is known.
func (p *Preview) total() string {
	switch {
	case p.Complete:
		return strconv.Itoa(p.Examined)
	case p.Total > int64(p.Examined) && p.Deleted > 0: // rows of contacts that are gone were counted as well
		return "about " + strconv.FormatInt(p.Total, 10)
	case p.Total > int64(p.Examined):
		return strconv.FormatInt(p.Total, 10)
	}
	return fmt.Sprintf("at least %d", p.Examined)
}

// A column of the table.
type column struct {
	title string
	cells func(c *contact.Contact) []string // one, or the entries of a list
	width int
}

// columns returns those of the table, the ones that matter most first.
func columns() []*column {
	one := func(of func(c *contact.Contact) string) func(c *contact.Contact) []string {
		return func(c *contact.Contact) []string { return []string{of(c)} }
	}
	return []*column{
		{title: "id", cells: one(func(c *contact.Contact) string { return c.ID })},
		{title: "name", cells: one(func(c *contact.Contact) string { return c.Name })},
		{title: "phones", cells: func(c *contact.Contact) []string { return c.Phones }},
		{title: "company", cells: one(func(c *contact.Contact) string { return c.Company })},
		{title: "emails", cells: func(c *contact.Contact) []string { return c.Emails }},
		{title: "title", cells: one(func(c *contact.Contact) string { return c.Title })},
		{title: "address", cells: one(func(c *contact.Contact) string { return c.Address })},
		{title: "url", cells: one(func(c *contact.Contact) string { return c.URL })},
		{title: "websites", cells: func(c *contact.Contact) []string { return c.Websites }},
		{title: "twitter", cells: one(func(c *contact.Contact) string { return c.Twitter })},
		{title: "photo_url", cells: one(func(c *contact.Contact) string { return c.PhotoURL })},
	}
}

const (
	gap       = 2
	fairWidth = 18 // what a column gets before another one is let in
	leastRoom = 14 // what the last column is worth showing with
)

// table shows the columns that hold something and for which there is room; the others are named below it.
func (pr *printer) table(contacts []contact.Contact) {
	var shown []*column
	var others []string
	room := pr.width
	for _, c := range columns() {
		c.width = natural(c, contacts)
		switch need := min(c.width, fairWidth) + gap; {
		case c.width == 0:
		case len(shown) < 2, len(others) == 0 && room >= min(need, leastRoom):
			shown = append(shown, c)
			room -= need
		default:
			others = append(others, c.title)
		}
	}
	fit(shown, pr.width)
	var titles []string
	for _, c := range shown {
		titles = append(titles, pad(strings.ToUpper(c.title), c.width))
	}
	pr.line("%s", pr.style.Dim(strings.TrimRight(strings.Join(titles, strings.Repeat(" ", gap)), " ")))
	for i := range contacts {
		var cells []string
		for _, c := range shown {
			cells = append(cells, pad(shownIn(c.cells(&contacts[i]), c.width), c.width))
		}
		pr.line("%s", strings.TrimRight(strings.Join(cells, strings.Repeat(" ", gap)), " "))
	}
	pr.blanks(contacts)
	if keys := customKeys(contacts); len(keys) > 0 {
		others = append(others, "custom fields "+strings.Join(keys, ", "))
	}
	if len(others) > 0 {
		pr.line("%s", pr.style.Dim(truncate("also sent: "+strings.Join(others, ", "), pr.width)))
	}
}

// blanks explains the signs that stand for blanks, where a contact has such blanks.
func (pr *printer) blanks(contacts []contact.Contact) {
	seen := map[rune]bool{}
	for i := range contacts {
		for _, c := range columns() {
			for _, entry := range c.cells(&contacts[i]) {
				if shown := visible(entry); shown != clean(entry) {
					for _, r := range shown {
						seen[r] = true
					}
				}
			}
		}
	}
	var says []string
	for _, sign := range blankSigns {
		if seen[sign.sign] {
			says = append(says, string(sign.sign)+" "+sign.means)
		}
	}
	if len(says) > 0 {
		pr.line("%s", pr.style.Dim(truncate("sent as they are: "+strings.Join(says, ", "), pr.width)))
	}
}

// The signs that [visible] writes for blanks.
const (
	signSpace = '·'
	signBreak = '↵'
	signTab   = '⇥'
	signBlank = '␣'
)

var blankSigns = []struct {
	sign  rune
	means string
}{
	{signSpace, "a space at an end or beside another"}, {signBreak, "a line break"}, {signTab, "a tab"}, {signBlank, "another blank, such as a no-break space"},
}

// visible returns a value that is sent, in one line: a single space between two words is itself, and every other blank a sign.
func visible(text string) string {
	runes := []rune(text)
	space := func(i int) bool { return i < 0 || i >= len(runes) || unicode.IsSpace(runes[i]) }
	shown := make([]rune, len(runes))
	for i, r := range runes {
		switch {
		case r == ' ' && (space(i-1) || space(i+1)):
			r = signSpace
		case r == ' ':
		case r == '\n', r == '\r':
			r = signBreak
		case r == '\t':
			r = signTab
		case unicode.IsSpace(r):
			r = signBlank
		}
		shown[i] = r
	}
	return clean(string(shown))
}

// natural returns the width that a column would like; 0 if it is empty.
func natural(c *column, contacts []contact.Contact) int {
	widest := 0
	for i := range contacts {
		widest = max(widest, textWidth(visible(strings.Join(c.cells(&contacts[i]), ", "))))
	}
	if widest == 0 {
		return 0
	}
	return max(widest, len(c.title))
}

// fit narrows the widest columns until all fit.
func fit(shown []*column, width int) {
	total := (len(shown) - 1) * gap
	for _, c := range shown {
		total += c.width
	}
	for ; total > width; total-- {
		widest := slices.MaxFunc(shown, func(a, b *column) int { return a.width - b.width })
		if widest.width <= 4 {
			return
		}
		widest.width--
	}
}

// shownIn returns a value in its column: of a list as many entries as fit, and how many more there are.
func shownIn(entries []string, width int) string {
	whole := visible(strings.Join(entries, ", "))
	if len(entries) < 2 || textWidth(whole) <= width {
		return truncate(whole, width)
	}
	for n := len(entries) - 1; n > 0; n-- {
		more := fmt.Sprintf(" +%d", len(entries)-n)
		part := visible(strings.Join(entries[:n], ", "))
		if textWidth(part)+len(more) <= width {
			return part + more
		}
	}
	more := fmt.Sprintf(" +%d", len(entries)-1)
	return truncate(visible(entries[0]), max(width-len(more), 1)) + more
}

func customKeys(contacts []contact.Contact) []string {
	var keys []string
	for _, c := range contacts {
		for _, f := range c.CustomFields {
			if key := clean(f.Key); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

const usual = " (by usual name)"

// mappingPairs puts the sources of a field in one line.
func mappingPairs(mapping []record.Mapped) [][2]string {
	var pairs [][2]string
	for _, m := range mapping {
		from := m.From
		if m.Auto {
			from = from + usual
		}
		if last := len(pairs) - 1; last >= 0 && pairs[last][0] == m.Field {
			pairs[last][1] = strings.TrimSuffix(pairs[last][1], usual) + ", " + from
			continue
		}
		pairs = append(pairs, [2]string{m.Field, from})
	}
	return pairs
}

// pairs writes names and values, the values in one column.
func (pr *printer) pairs(title string, pairs [][2]string) {
	if len(pairs) == 0 {
		return
	}
	const most = 28
	widest := 0
	for _, p := range pairs {
		widest = max(widest, min(textWidth(clean(p[0])), most))
	}
	pr.line("\n%s", pr.style.Bold(title))
	for _, p := range pairs {
		name := pad(truncate(clean(p[0]), most), widest)
		lines := wrap(clean(p[1]), pr.width-4-textWidth(name))
		for i, text := range lines {
			if i > 0 {
				name = strings.Repeat(" ", widest)
			}
			pr.line("  %s  %s", pr.style.Dim(name), text)
		}
	}
}

// unused lists the columns that go nowhere.
func (pr *printer) unused(columns []string) {
	if len(columns) == 0 {
		return
	}
	pr.line("\n%s", pr.style.Bold("Columns that are not used"))
	for _, text := range wrap(clean(strings.Join(columns, ", ")), pr.width-2) {
		pr.line("  %s", text)
	}
}

// problems writes what is wrong, worst first, each with what to do about it.
func (pr *printer) problems(problems []source.Problem) {
	if len(problems) == 0 {
		pr.line("\n%s", pr.style.Bold("No problem found."))
		return
	}
	title := fmt.Sprintf("%d things to know", len(problems))
	if len(problems) == 1 {
		title = "1 thing to know"
	}
	pr.line("\n%s", pr.style.Bold(title))
	for _, p := range problems {
		paint := pr.style.Dim
		switch p.Severity {
		case source.Failure:
			paint = pr.style.Bad
		case source.Warning:
			paint = pr.style.Warn
		}
		label := pad(string(p.Severity), len(source.Failure))
		for i, text := range wrap(clean(p.Message), pr.width-11) {
			if i > 0 {
				label = strings.Repeat(" ", len(label))
			}
			pr.line("  %s  %s", paint(label), text)
		}
		for _, text := range wrap(clean(p.Hint), pr.width-11) {
			pr.line("  %s  %s", strings.Repeat(" ", len(source.Failure)), pr.style.Dim(text))
		}
	}
}

// terminal measures as terminals do outside East Asian locales: wide runes take two columns, ambiguous ones take one.
var terminal = runewidth.Condition{StrictEmojiNeutral: true}

func textWidth(text string) int { return terminal.StringWidth(text) }

func truncate(text string, width int) string { return terminal.Truncate(text, width, "…") }

func pad(text string, width int) string { return terminal.FillRight(text, width) }

// clean makes one line of a text that others wrote, with nothing in it that draws on the terminal.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case screen.Draws(r), r == unicode.ReplacementChar:
			return '\uFFFD'
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// wrap breaks a text into lines between words; a word that is longer than a line stays whole.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && textWidth(line)+1+textWidth(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
