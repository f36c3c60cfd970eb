package sqlite

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A form is how stamps are written: what makes an instant a value that sorts among them.
type form struct {
	name      string        // for people
	kind      formKind      //
	precision time.Duration // how far below the true time a stamp may be
	unit      time.Duration // of integers
	separator string        // between date and time, in texts
	zoned     bool          // the texts say how far they are from UTC
	offset    int           // how far, in seconds east
	as        string        // of integers: what they are, as updated_as says it
	decided   string        // what the form depends on and no stamp tells: part of the checkpoint (E11)
}

// zonedForm says that texts may have any offset from UTC.
const zonedForm = "zoned"

type formKind byte

const (
	unknown     formKind = iota // not to be relied on
	sequence                    // anything that grows
	integer                     // units since 1970
	fraction                    // seconds since 1970
	julian                      // days
	textDate                    // 2006-01-02
	textMinutes                 // 2006-01-02 15:04
	textSeconds                 // 2006-01-02 15:04:05, with or without a fraction
)

// textStamp is a time as SQLite's own functions, ISO 8601 and Go's drivers write it.
var textStamp = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(?:([T ])\d{2}:\d{2}(:\d{2}(?:[.,]\d+)?)?)?(.*)$`)

// textOffset matches what may stand after it: Z, +02:00, " +0000 UTC", "+0200 CEST m=+0.5".
var textOffset = regexp.MustCompile(`^ ?(?:Z|UTC|GMT|([+-])(\d{2}):?(\d{2})(?: .*)?)$`)

// formOf reads the form off one stamp. as is updated_as.
func formOf(v keyset.Value, as string, now time.Time) form {
	if as == stamp.AsSequence {
		return form{kind: sequence, name: "sequence"}
	}
	switch v.Kind {
	case keyset.Int:
		if as == stamp.Auto {
			as = stamp.GuessInteger(v.Int, now)
		}
		return integerForm(as)
	case keyset.Real:
		return realForm(v.Real, as)
	case keyset.Text:
		return textForm(v.Text, as)
	}
	return form{name: "blob"}
}

// integerForm returns the form of integers of the kind that updated_as names.
func integerForm(as string) form {
	if as == stamp.AsSequence {
		return form{kind: sequence, name: "sequence", as: as}
	}
	unit := stamp.Unit(as)
	if unit == 0 {
		return form{name: "integer"}
	}
	return form{kind: integer, name: as, unit: unit, precision: unit, as: as}
}

// Days of the Julian calendar between 2001 and 2101.
const (
	julianFrom = 2451910
	julianTo   = 2488435
)

func realForm(r float64, as string) form {
	if (as == stamp.Auto || as == stamp.AsTimestamp) && r >= julianFrom && r < julianTo {
		return form{kind: julian, name: "Julian day", precision: time.Millisecond}
	}
	if (as == stamp.Auto || as == stamp.AsSeconds) && r >= 978307200 && r < 4133980800 {
		return form{kind: fraction, name: "epoch_s with a fraction", precision: time.Millisecond}
	}
	return form{name: "real"}
}

func textForm(text, as string) form {
	parts := textStamp.FindStringSubmatch(text)
	if parts == nil || as != stamp.Auto && as != stamp.AsTimestamp && as != stamp.AsDate {
		return form{name: "text"}
	}
	f := form{kind: textSeconds, name: "text", precision: time.Second, separator: parts[1]}
	switch {
	case parts[1] == "":
		f.kind, f.precision = textDate, 24*time.Hour
	case parts[2] == "":
		f.kind, f.precision = textMinutes, time.Minute
	}
	if parts[3] != "" {
		zone := textOffset.FindStringSubmatch(parts[3])
		if zone == nil {
			return form{name: "text"}
		}
		f.zoned, f.offset = true, offsetSeconds(zone)
	}
	f.name = f.example()
	return f
}

// wallOf reads the wall time of a text stamp, to the minute. It returns false for a text that is not a stamp.
func wallOf(v keyset.Value) (time.Time, bool) {
	const minutes = "2006-01-02T15:04"
	text := strings.Replace(v.Text[:min(len(v.Text), len(minutes))], " ", "T", 1)
	t, err := time.Parse(minutes, text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, text)
	}
	return t, err == nil && v.Kind == keyset.Text
}

// pattern returns the SQL condition that a text, the value of an expression, is a stamp of this form.
func (f form) pattern(expression string) string {
	const date, minutes = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]", "[0-9][0-9]:[0-9][0-9]"
	rest := "substr(" + expression + ", 17)"
	switch {
	case f.kind == textDate && !f.zoned:
		return expression + " GLOB " + date + "'"
	case f.kind == textDate:
		return expression + " GLOB " + date + "*'"
	}
	condition := expression + " GLOB " + date + f.separator + minutes + "*' AND "
	if f.kind == textSeconds {
		condition += rest + " GLOB ':[0-9][0-9]*' AND "
	} else {
		condition += rest + " NOT GLOB ':*' AND "
	}
	if f.zoned {
		return condition + rest + " GLOB '*[-+ZUG]*'"
	}
	return condition + rest + " NOT GLOB '*[^0-9:.,]*'"
}

func offsetSeconds(zone []string) int {
	if zone[1] == "" {
		return 0
	}
	hours, _ := strconv.Atoi(zone[2])
	minutes, _ := strconv.Atoi(zone[3])
	seconds := hours*3600 + minutes*60
	if zone[1] == "-" {
		return -seconds
	}
	return seconds
}

// example shows a text form to people.
func (f form) example() string {
	text := map[formKind]string{textDate: "YYYY-MM-DD", textMinutes: "YYYY-MM-DD HH:MM", textSeconds: "YYYY-MM-DD HH:MM:SS"}[f.kind]
	if f.separator != "" {
		text = strings.Replace(text, " ", f.separator, 1)
	}
	if f.zoned {
		text += "±zone"
	}
	return text
}

// sorts reports whether stamps of both forms sort by time among each other.
func (f form) sorts(g form) bool {
	return f.kind == g.kind && f.kind != unknown && f.unit == g.unit && f.separator == g.separator && f.zoned == g.zoned
}

// coarseness returns the step that numbers are rounded to, whatever their unit could say (T4).
func (f form) coarseness(sample []keyset.Value) time.Duration {
	micros := make([]int64, 0, len(sample))
	for _, v := range sample {
		switch {
		case f.kind == integer && v.Kind == keyset.Int:
			micros = append(micros, v.Int*f.unit.Microseconds())
		case f.kind == fraction && v.Kind == keyset.Real:
			micros = append(micros, int64(math.Round(v.Real*1e6)))
		}
	}
	return stamp.Coarseness(micros)
}

// isHorizon reports whether a value is a horizon of f: these have no zone.
func (f form) isHorizon(v keyset.Value, g form) bool {
	f.zoned = false
	return f.sorts(g) && v.Kind == keyset.Text || f.kind == sequence && g.kind == sequence
}

// walls returns the zones of the wall times that stamps of this form may show: those of stamps without a zone, UTC, or between the
// westernmost and the easternmost of all.
func (f form) walls(locations []*time.Location) []*time.Location {
	switch {
	case !f.zoned:
		return locations
	case f.decided != zonedForm:
		return []*time.Location{time.UTC}
	}
	return []*time.Location{time.FixedZone("", int(westernmost.Seconds())), time.FixedZone("", 14*3600)}
}

// lowest returns the greatest stamp that no change after an instant can have or be below.
func (f form) lowest(safe time.Time, locations []*time.Location) keyset.Value {
	safe = safe.Add(-f.precision)
	if !f.isText() {
		return f.number(safe)
	}
	return f.text(stamp.LowestOf(safe, f.walls(locations)))
}

// highest returns a stamp that no checkpoint made at or before an instant is beyond.
func (f form) highest(now time.Time, locations []*time.Location) keyset.Value {
	if !f.isText() {
		return f.number(now)
	}
	return f.text(stamp.HighestOf(now, f.walls(locations)).Add(f.precision))
}

func (f form) isText() bool { return f.kind >= textDate }

func (f form) number(t time.Time) keyset.Value {
	switch f.kind {
	case integer:
		micros, unit := t.UnixMicro(), f.unit.Microseconds()
		q := micros / unit
		if micros%unit < 0 {
			q--
		}
		return keyset.IntValue(q)
	case julian:
		return keyset.Value{Kind: keyset.Real, Real: 2440587.5 + float64(t.UnixMicro())/86400e6}
	}
	return keyset.Value{Kind: keyset.Real, Real: float64(t.UnixMicro()) / 1e6}
}

// text writes a wall time without what follows the seconds: every stamp within the same second sorts after it.
func (f form) text(wall time.Time) keyset.Value {
	layout := map[formKind]string{textDate: "2006-01-02", textMinutes: "2006-01-02 15:04", textSeconds: "2006-01-02 15:04:05"}[f.kind]
	if f.separator != "" {
		layout = strings.Replace(layout, " ", f.separator, 1)
	}
	return keyset.TextValue(wall.Format(layout))
}
