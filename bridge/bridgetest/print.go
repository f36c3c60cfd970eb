package bridgetest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/internal/screen"
)

// A palette colours a report; the zero value leaves it plain.
type palette struct{ red, yellow, blue, green, dim, bold, off string }

var colours = palette{
	red: "\x1b[31m", yellow: "\x1b[33m", blue: "\x1b[36m", green: "\x1b[32m", dim: "\x1b[2m", bold: "\x1b[1m", off: "\x1b[0m",
}

// WriteText writes the report for people: what failed first with all there is to say, then what was skipped, then a
// summary. With coloured it uses terminal colours; with verbose it also lists what passed.
func (r Report) WriteText(w io.Writer, coloured, verbose bool) error {
	p := palette{}
	if coloured {
		p = colours
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%scheck of %s%s\n", p.bold, r.Target, p.off)
	fmt.Fprintf(&b, "full run: %s\n", r.Run)
	for _, grade := range []Grade{Must, Should, Info} {
		for _, result := range r.Failed(grade) {
			writeFailed(&b, p, result)
		}
	}
	if verbose {
		r.writePassed(&b, p)
	}
	r.writeSkipped(&b, p)
	r.writeSummary(&b, p)
	_, err := io.WriteString(w, b.String())
	return err
}

// String returns the run in one line.
func (f RunFacts) String() string {
	end := ""
	if !f.Complete {
		end = ", NOT COMPLETE"
	}
	return fmt.Sprintf("%s in %s, %s, %.1f s, slowest answer %.2f s%s",
		plural(f.Contacts, "contact"), plural(f.Pages, "page"), size(f.Bytes), f.Seconds, f.Slowest, end)
}

func writeFailed(b *strings.Builder, p palette, r Result) {
	word, colour := "MUST", p.red
	switch r.Grade {
	case Should:
		word, colour = "SHOULD", p.yellow
	case Info:
		word, colour = "NOTE", p.blue
	}
	fmt.Fprintf(b, "\n%s%s%s  %s%s%s  [%s, %s]\n", colour, word, p.off, p.bold, r.Title, p.off, r.ID, r.Rule)
	if r.Detail != "" {
		writeIndented(b, "", r.Detail)
	}
	for _, f := range r.Findings {
		writeIndented(b, "found: ", f.Message)
		if f.Sent != "" {
			b.WriteString(p.dim)
			writeIndented(b, "sent: ", f.Sent)
			writeIndented(b, "came back: ", f.Received)
			b.WriteString(p.off)
		}
	}
	if more := r.Count - len(r.Findings); more > 0 {
		writeIndented(b, "", fmt.Sprintf("… and %d more", more))
	}
	writeIndented(b, "rule: ", r.Explanation)
	writeIndented(b, "to do: ", r.Advice)
}

func writeIndented(b *strings.Builder, label, text string) {
	lines := strings.Split(strings.TrimRight(printable(text), "\n"), "\n")
	fmt.Fprintf(b, "  %s%s\n", label, lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(b, "    %s\n", line)
	}
}

func (r Report) writePassed(b *strings.Builder, p palette) {
	fmt.Fprintf(b, "\n%spassed%s\n", p.bold, p.off)
	for _, result := range r.Results {
		if result.Outcome != Passed {
			continue
		}
		detail := ""
		if result.Detail != "" {
			detail = ": " + printable(result.Detail)
		}
		fmt.Fprintf(b, "  %-24s %s%s%s%s\n", result.ID, result.Title, p.dim, detail, p.off)
	}
}

// writeSkipped lists what was skipped, by reason.
func (r Report) writeSkipped(b *strings.Builder, p palette) {
	var reasons []string
	ids := map[string][]string{}
	for _, result := range r.Results {
		if result.Outcome != Skipped {
			continue
		}
		if ids[result.Detail] == nil {
			reasons = append(reasons, result.Detail)
		}
		ids[result.Detail] = append(ids[result.Detail], result.ID)
	}
	if len(reasons) > 0 {
		fmt.Fprintf(b, "\n%sskipped: not judged, so not proved%s\n", p.bold, p.off)
	}
	for _, reason := range reasons {
		fmt.Fprintf(b, "  %s\n    %s%s%s\n", printable(reason), p.dim, strings.Join(ids[reason], ", "), p.off)
	}
}

func (r Report) writeSummary(b *strings.Builder, p palette) {
	c := r.Counts
	colour := p.green
	if !r.OK {
		colour = p.red
	} else if !r.Strict {
		colour = p.yellow
	}
	fmt.Fprintf(b, "\n%s%d passed, %d must failed, %d should failed%s, %s, %d skipped, in %.1f s\n",
		colour, c.Passed, c.Must, c.Should, p.off, plural(c.Notes, "note"), c.Skipped, r.Seconds)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d MiB", n>>20)
	}
}

type junitSuite struct {
	XMLName   xml.Name    `xml:"testsuite"`
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML. A case of grade should counts as a failure only if strict.
func (r Report) WriteJUnit(w io.Writer, strict bool) error {
	suite := junitSuite{
		Name:      "contactbridge check " + r.Target,
		Tests:     len(r.Results),
		Skipped:   r.Counts.Skipped,
		Time:      fmt.Sprintf("%.3f", r.Seconds),
		Timestamp: r.Started.UTC().Format(time.RFC3339),
	}
	for _, result := range r.Results {
		c := junitCase{Name: result.ID + ": " + result.Title, Class: "contactbridge.check." + string(result.Grade)}
		switch {
		case result.Outcome == Skipped:
			c.Skipped = &junitMessage{Message: printable(result.Detail)}
		case result.Outcome == Failed && (result.Grade == Must || strict && result.Grade == Should):
			suite.Failures++
			c.Failure = &junitMessage{Message: printable(result.Findings[0].Message), Type: result.Rule, Text: printable(result.explain())}
		default:
			c.Output = printable(result.explain())
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// printable replaces control characters: what a bridge sends must not draw on a terminal, and XML cannot hold it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if screen.Draws(r) && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
