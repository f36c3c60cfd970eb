package view

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// A Locale writes numbers as the reader's language does, and times in the account's time zone. The words are English.
type Locale struct {
	Zone    *time.Location
	Now     time.Time
	printer *message.Printer
}

// NewLocale reads what a browser accepts (Accept-Language). Zone may be nil: UTC.
func NewLocale(accept string, zone *time.Location, now time.Time) *Locale {
	if zone == nil {
		zone = time.UTC
	}
	tag := language.BritishEnglish
	if tags, _, err := language.ParseAcceptLanguage(accept); err == nil && len(tags) > 0 {
		tag = tags[0]
	}
	return &Locale{Zone: zone, Now: now, printer: message.NewPrinter(tag)}
}

// Number is a whole number with its thousands apart.
func (l *Locale) Number(n int64) string { return l.printer.Sprint(number.Decimal(n)) }

// Decimal formats a number with at most that many digits after the point.
func (l *Locale) Decimal(n float64, digits int) string {
	return l.printer.Sprint(number.Decimal(n, number.MaxFractionDigits(digits)))
}

// Percent is a share of 1.
func (l *Locale) Percent(share float64) string {
	return l.printer.Sprint(number.Percent(share, number.MaxFractionDigits(1)))
}

// Count is a number with its noun: 1 contact, 2 contacts.
func (l *Locale) Count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return l.Number(n) + " " + many
}

// Bytes is a size that people can read.
func (l *Locale) Bytes(n int64) string {
	size, units := float64(n), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for size >= 1024 && i < len(units)-1 {
		size /= 1024
		i++
	}
	if i == 0 {
		return l.Count(n, "byte", "bytes")
	}
	return l.Decimal(size, 1) + " " + units[i]
}

// Time is a date and time of day in the zone: 23 Nov 2026, 08:29.
func (l *Locale) Time(t time.Time) string {
	t = t.In(l.Zone)
	if t.Year() == l.Now.In(l.Zone).Year() {
		return t.Format("2 Jan, 15:04")
	}
	return t.Format("2 Jan 2006, 15:04")
}

// Exact is a time to the second with its zone, for who looks closer.
func (l *Locale) Exact(t time.Time) string {
	return t.In(l.Zone).Format("Mon 2 Jan 2006, 15:04:05 MST")
}

// ISO is a time for programs.
func (l *Locale) ISO(t time.Time) string { return t.In(l.Zone).Format(time.RFC3339) }

// Clock is the time of a day, to the second.
func (l *Locale) Clock(t time.Time) string { return t.In(l.Zone).Format(time.TimeOnly) }

// Day is a date.
func (l *Locale) Day(t time.Time) string { return t.Format("2 Jan 2006") }

// ShortDay is a date without its year, for an axis.
func (l *Locale) ShortDay(t time.Time) string { return t.Format("2 Jan") }

// Ago says how long ago a time was, or how far ahead it is.
func (l *Locale) Ago(t time.Time) string {
	d := l.Now.Sub(t)
	switch {
	case d < 0 && d > -5*time.Second, d >= 0 && d < 5*time.Second:
		return "just now"
	case d < 0:
		return "in " + rough(-d)
	}
	return rough(d) + " ago"
}

// rough is a duration in one unit.
func rough(d time.Duration) string {
	for _, u := range []struct {
		from, unit time.Duration
		name       string
	}{
		{48 * time.Hour, 24 * time.Hour, "day"},
		{90 * time.Minute, time.Hour, "hour"},
		{90 * time.Second, time.Minute, "minute"},
		{0, time.Second, "second"},
	} {
		if d >= u.from {
			n := int64((d + u.unit/2) / u.unit)
			if n == 1 {
				return "1 " + u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return ""
}

// Duration is how long something took: under 0.1 s, 0.4 s, 12 s, 3 min 20 s, 2 h 5 min.
func (l *Locale) Duration(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < 50*time.Millisecond:
		return "under 0.1 s"
	case d < 10*time.Second:
		return l.Decimal(d.Seconds(), 1) + " s"
	case d < time.Minute:
		return l.Decimal(d.Seconds(), 0) + " s"
	case d < time.Hour:
		return pair(d, time.Minute, time.Second, "min", "s")
	case d < 48*time.Hour:
		return pair(d, time.Hour, time.Minute, "h", "min")
	}
	return pair(d, 24*time.Hour, time.Hour, "days", "h")
}

func pair(d, big, small time.Duration, bigName, smallName string) string {
	d = d.Round(small)
	text := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := (d % big) / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// Every is an interval as a phrase: every 30 minutes, every week.
func Every(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{7 * 24 * time.Hour, "week"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= u.unit && d%u.unit == 0 {
			if d == u.unit {
				return "every " + u.name
			}
			return fmt.Sprintf("every %d %ss", d/u.unit, u.name)
		}
	}
	return "every " + d.String()
}

// List joins words: a, b and c.
func List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// Sentence begins with a capital letter and ends with a full stop.
func Sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	first := []rune(text)
	if len(first) > 1 && !(first[1] >= 'A' && first[1] <= 'Z') {
		text = strings.ToUpper(string(first[:1])) + string(first[1:])
	}
	if !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text
}
