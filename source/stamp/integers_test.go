package stamp

import (
	"slices"
	"testing"
	"time"
)

// E11: what a number means is decided by most numbers, once.
func TestDecideIntegerE11(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	seconds, millis, micros := now.Unix()-5000, now.UnixMilli()-5000, now.UnixMicro()-5000
	many := func(n int, first int64) (list []int64) {
		for i := range n {
			list = append(list, first+int64(i))
		}
		return list
	}
	for _, c := range []struct {
		name   string
		known  string
		sample []int64
		want   string
	}{
		{"nothing", "", nil, ""},
		{"nothing, known", AsMillis, []int64{0, -1}, AsMillis},
		{"seconds", "", many(5, seconds), AsSeconds},
		{"milliseconds", "", many(5, millis), AsMillis},
		{"microseconds", "", many(5, micros), AsMicros},
		{"sequence", "", many(5, 1), AsSequence},
		{"seconds, one in milliseconds", "", append(many(5, seconds), millis), AsSeconds},
		{"seconds, one that means never", "", append(many(5, seconds), 9999999999), AsSeconds},
		{"seconds, many that were never set", "", append(many(5, seconds), make([]int64, 50)...), AsSeconds},
		{"as many of each", "", []int64{seconds, 7}, AsSeconds},
		{"known, one odd number", AsSeconds, []int64{millis}, AsMillis},
		{"known, as many odd ones", AsSeconds, append(many(5, seconds), many(5, millis)...), AsSeconds},
		{"known, and everything was converted", AsSeconds, many(100, millis), AsMillis},
		{"known, some small numbers", AsSeconds, append(many(50, 1), seconds), AsSeconds},
		{"known, nothing but small numbers", AsSeconds, many(50, 1), AsSequence},
		{"a sequence that began with a sentinel", AsSequence, []int64{9999999999, seconds}, AsSeconds},
		{"a sequence with times in it", AsSequence, append(many(50, 1), many(10, seconds)...), AsSequence},
	} {
		if got := DecideInteger(c.known, c.sample, now); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		form      string
		fits, odd []int64
	}{
		{AsSeconds, []int64{seconds}, []int64{7}},
		{AsMillis, []int64{millis}, []int64{7, seconds}},
		{AsMicros, []int64{micros}, []int64{7, seconds, millis}},
		{AsSequence, []int64{7, seconds, millis}, nil},
	} {
		for _, number := range c.fits {
			if number <= Odd(c.form) {
				t.Errorf("%s: %d is odd", c.form, number)
			}
		}
		for _, number := range c.odd {
			if number > Odd(c.form) {
				t.Errorf("%s: %d fits", c.form, number)
			}
		}
	}
}

// E11: a few numbers far beyond a sequence were not drawn from it.
func TestGreatestNumberE11(t *testing.T) {
	jumped := append(slices.Repeat([]int64{2_000_000}, 25), slices.Repeat([]int64{500}, 25)...)
	for _, c := range []struct {
		newest []int64
		want   int64
	}{
		{[]int64{5}, 5},
		{[]int64{9999999999}, 9999999999},
		{[]int64{9999999999, 5}, 5},
		{[]int64{9999999999, 9999999998, 66, 5}, 66},
		{[]int64{9999999999, -1}, -1},
		{[]int64{6, 5, 4}, 6},
		{[]int64{5000, 5, 4}, 5000},
		{[]int64{1 << 62, 1 << 61}, 1 << 62},
		{[]int64{1<<63 - 1, 1<<63 - 2, 5}, 1<<63 - 1},
		{[]int64{1<<31 - 1, 30_000_005, 30_000_004}, 30_000_005}, // "never" of a long sequence
		{[]int64{1<<31 - 1, 2_000_000_005, 2_000_000_004}, 2_000_000_005},
		{[]int64{1<<31 - 1, 1<<31 - 2, 1<<31 - 3}, 1<<31 - 1},           // drawn
		{[]int64{1_796_000_000, 400_000_005, 400_000_004}, 400_000_005}, // a time
		{jumped[1:], 500},
		{jumped[:49], 2_000_000}, // most of them: the sequence was set on
	} {
		if got := GreatestNumber(c.newest); got != c.want {
			t.Errorf("%v: got %d, want %d", c.newest[:min(4, len(c.newest))], got, c.want)
		}
	}
}
