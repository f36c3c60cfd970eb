// Package stamp interprets the time or number of a record's last change: what the numbers of a column mean, how coarse they
// are, and which instants a local time may stand for. What a stamp means is decided by rule E11, and how far a checkpoint may go by E2.
package stamp

import (
	"time"
)

// The values of updated_as.
const (
	Auto        = "auto"
	AsTimestamp = "timestamp"
	AsDate      = "date"
	AsSeconds   = "epoch_s"
	AsMillis    = "epoch_ms"
	AsMicros    = "epoch_us"
	AsSequence  = "sequence"
	AsXID       = "xid"
)

// Unit returns how long one step of an integer stamp is.
func Unit(as string) time.Duration {
	switch as {
	case AsSeconds:
		return time.Second
	case AsMillis:
		return time.Millisecond
	case AsMicros:
		return time.Microsecond
	}
	return 0
}

// GuessInteger tells integer stamps from sequence numbers by the greatest one: a time between 2001 and 2100 and within 20
// years of now, in seconds, milliseconds or microseconds since 1970, or else a sequence.
func GuessInteger(greatest int64, now time.Time) string {
	from := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	to := time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, as := range []string{AsSeconds, AsMillis, AsMicros} {
		t := time.UnixMicro(0)
		if per := int64(time.Second / Unit(as)); greatest/per < 1<<40 {
			t = time.Unix(greatest/per, 0)
		}
		if !t.Before(from) && t.Before(to) && t.After(now.AddDate(-20, 0, 0)) && t.Before(now.AddDate(20, 0, 0)) {
			return as
		}
	}
	return AsSequence
}

// Epoch is 2000-01-01 in Unix seconds: microseconds and days of stamps are counted from it.
const Epoch = 946684800

// Microseconds returns the stamp of an instant in layout Instant.
func Microseconds(t time.Time) int64 { return t.UnixMicro() - Epoch*1_000_000 }

// Moment returns the instant of a stamp in layout Instant.
func Moment(stamp int64) time.Time {
	seconds := floorDiv(stamp, 1_000_000)
	return time.Unix(seconds+Epoch, (stamp-seconds*1_000_000)*1000).UTC()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
