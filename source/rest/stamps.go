package rest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source/stamp"
)

// text writes a duration without the units that are zero: 5m, not 5m0s.
func text(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// defaultOverlap is how much each run reads again where a language does not say so.
const defaultOverlap = 5 * time.Minute

func (s Stamp) overlap() time.Duration {
	if s.Overlap == 0 {
		return defaultOverlap
	}
	return s.Overlap
}

func (s Stamp) precision() time.Duration {
	if s.Precision < time.Microsecond {
		return time.Second
	}
	return s.Precision
}

// The forms of stamps.
const (
	asUnix   = "unix"
	asUnixMS = "unix_ms"
)

var (
	errNoStamp  = errors.New("it has no time of change")
	errBadStamp = errors.New("its time of change is not a time")
)

// layouts are the forms of times that are read, the usual ones first.
var layouts = func() []string {
	list := []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"}
	for _, zone := range []string{"Z07:00", "Z0700", "Z07", " Z07:00", " Z0700", ""} {
		for _, at := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04"} {
			if layout := at + zone; !slices.Contains(list, layout) {
				list = append(list, layout)
			}
		}
	}
	return list
}()

// usualForm returns a time with the letters that Go reads, and without a leap second: leap is what it is later than that.
func usualForm(text string) (usual string, leap time.Duration) {
	text = strings.ToUpper(text)
	const seconds = len("2006-01-02T15:04:")
	if len(text) >= seconds+2 && text[seconds-1] == ':' && text[seconds:seconds+2] == "60" {
		return text[:seconds] + "59" + text[seconds+2:], time.Second
	}
	return text, 0
}

// parseStamp reads a record's time of change, in microseconds as package stamp has them. A time without a zone is one of the zone's.
func parseStamp(text, as string, zone *time.Location) (int64, error) {
	if text == "" {
		return 0, errNoStamp
	}
	if as == asUnix || as == asUnixMS {
		return parseNumber(text, as)
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil { // the usual one
		return within(t)
	}
	text, leap := usualForm(text)
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return within(t.Add(leap))
		}
	}
	return 0, errBadStamp
}

func parseNumber(text, as string) (int64, error) {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errBadStamp
	}
	if as == asUnix {
		number *= 1000
	}
	if number < -1e14 || number > 1e14 {
		return 0, errBadStamp
	}
	return within(time.UnixMilli(int64(number)))
}

// within returns an instant as a stamp, if it is one that a checkpoint can be written of.
func within(t time.Time) (int64, error) {
	if t.Year() < 1 || t.Year() > 9999 {
		return 0, errBadStamp
	}
	return stamp.Microseconds(t), nil
}

// beginning is the stamp of 1970: no record is older.
var beginning = stamp.Microseconds(time.Unix(0, 0))
