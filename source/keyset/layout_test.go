package keyset

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source/stamp"
)

func TestCheckpointsCanBeRead(t *testing.T) {
	moment := IntValue(stamp.Microseconds(time.Date(2026, 11, 23, 3, 0, 0, 123456000, time.UTC)))
	for _, c := range []struct {
		layout Layout
		mark   Mark
		want   string
	}{
		{Instant, Mark{moment, TextValue("42")}, "2026-11-23T03:00:00.123456Z/42"},
		{Instant, Mark{Updated: moment}, "2026-11-23T03:00:00.123456Z"},
		{Instant, Mark{moment, TextValue("")}, "2026-11-23T03:00:00.123456Z/"},
		{Local, Mark{moment, TextValue("a/b?c%d\n\x00\xffé字")}, "2026-11-23T03:00:00.123456/a%2Fb%3Fc%25d%0A%00%FFé字"},
		{Instant, Mark{IntValue(Infinity), TextValue("7")}, "infinity/7"},
		{Instant, Mark{IntValue(MinusInfinity), TextValue("7")}, "-infinity/7"},
		{Date, Mark{IntValue(0), TextValue("7")}, "2000-01-01/7"},
		{Date, Mark{IntValue(-730849), Value{}}, "-0001-01-02"},
		{Date, Mark{IntValue(2145031948), Value{}}, "5874897-12-31"},
		{Number, Mark{IntValue(-5), TextValue("x")}, "-5/x"},
		{Number, Mark{IntValue(Infinity), Value{}}, "9223372036854775807"},
		{Any, Mark{TextValue("2026-11-23 03:00:00"), IntValue(42)}, "2026-11-23 03:00:00/42"},
		{Any, Mark{TextValue("2026"), TextValue("42")}, "'2026/'42"},
		{Any, Mark{TextValue("'x"), TextValue("x'")}, "''x/'x'"},
		{Any, Mark{Value{Kind: Real, Real: 2461002.5}, Value{Kind: Blob, Text: "\x00\xff"}}, "2.4610025e+06/x'00ff'"},
		{Any, Mark{Value{Kind: Real, Real: 3}, Value{Kind: Real, Real: math.Inf(-1)}}, "3.0/-Inf"},
		{Any, Mark{TextValue("Infinity"), TextValue("nan")}, "'Infinity/nan"},
	} {
		got := c.layout.Format(c.mark)
		if got != c.want {
			t.Errorf("%v: got %q, want %q", c.mark, got, c.want)
		}
		if back, err := c.layout.Parse(got); err != nil || back != c.mark {
			t.Errorf("%q is read back as %v (%v), want %v", got, back, err, c.mark)
		}
	}
}

func TestYearsBeyondFourDigits(t *testing.T) {
	for _, date := range []string{"0000-02-29", "-4712-11-24", "9999-12-31", "294276-12-31"} {
		text := date + "T23:59:59.999999Z"
		mark, err := Instant.Parse(text)
		if err != nil || Instant.Format(mark) != text {
			t.Errorf("%s is read as %v (%v)", text, mark, err)
		}
	}
}

func TestForeignTextIsNoCheckpoint(t *testing.T) {
	for _, text := range []string{
		"", "x", "/", "2026-11-23", "2026-11-23T03:00:00Z", "2026-11-23T03:00:00.123456", "2026-13-23T03:00:00.123456Z", "2026-02-30T03:00:00.000000Z",
		"02026-11-23T03:00:00.123456Z", "2026-11-23T03:00:00.123456Z/%", "2026-11-23T03:00:00.123456Z/%4", "2026-11-23T03:00:00.123456Z/%41",
		"2026-11-23T03:00:00.123456Z/a\n", "99999999999999-01-01T00:00:00.000000Z", "+1", "1e3",
	} {
		for _, l := range []Layout{Instant, Number} {
			if mark, err := l.Parse(text); err == nil {
				t.Errorf("%q is read as %v in layout %c", text, mark, l)
			}
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	for _, text := range []string{"2026-11-23T03:00:00.123456Z/42", "2026-11-23T03:00:00.123456", "-5/x", "2000-01-01", "'2026/'42", "2.5/x'00ff'", "infinity/%00?1@x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range []Layout{Instant, Local, Date, Number, Any} {
			mark, err := l.Parse(text)
			if err != nil {
				continue
			}
			if back := l.Format(mark); back != text {
				t.Fatalf("layout %c: %q is written back as %q", l, text, back)
			}
			if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("layout %c: %q is not printable", l, text)
			}
		}
	})
}

func FuzzMark(f *testing.F) {
	f.Add(int64(0), "42", int64(7), 2.5)
	f.Add(int64(math.MaxInt64), "\x00\xff%/?", int64(math.MinInt64), math.Inf(1))
	f.Fuzz(func(t *testing.T, stamp int64, text string, id int64, r float64) {
		if math.IsNaN(r) {
			return
		}
		values := []Value{TextValue(text), IntValue(id), {Kind: Real, Real: r}, {Kind: Blob, Text: text}}
		for _, id := range append(values, Value{}) {
			for _, updated := range append(values, IntValue(stamp)) {
				roundTrip(t, Any, Mark{updated, id})
			}
		}
		for _, l := range []Layout{Instant, Local, Number} {
			roundTrip(t, l, Mark{IntValue(stamp % 9e18), TextValue(text)})
		}
		roundTrip(t, Date, Mark{IntValue(int64(int32(stamp)) % 2_000_000_000), TextValue(text)})
	})
}

func roundTrip(t *testing.T, l Layout, m Mark) {
	t.Helper()
	if back, err := l.Parse(l.Format(m)); err != nil || back != m {
		t.Fatalf("layout %c: %#v is written as %q and read as %#v (%v)", l, m, l.Format(m), back, err)
	}
}
