package stamp

import (
	"testing"
	"time"
)

func TestCoarsenessT4(t *testing.T) {
	const s = 1_000_000
	for _, c := range []struct {
		stamps []int64
		want   time.Duration
	}{
		{nil, time.Microsecond},
		{[]int64{1, 2, 3}, time.Microsecond},
		{[]int64{1000, 2000, 2001}, time.Microsecond},
		{[]int64{1000, 2000, 1000}, time.Millisecond},
		{[]int64{5 * s, -7 * s}, time.Second},
		{[]int64{60 * s, 120 * s}, time.Second},
		{[]int64{60 * s, 120 * s, 180 * s}, time.Minute},
		{[]int64{3600 * s, 3600 * s, 3600 * s, 7200 * s}, time.Second},
		{[]int64{3600 * s, 0, 7200 * s}, time.Hour},
		{[]int64{0}, time.Second},
	} {
		if got := Coarseness(c.stamps); got != c.want {
			t.Errorf("%v: got %v, want %v", c.stamps, got, c.want)
		}
	}
}
