package priority

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

func TestPercentOf(t *testing.T) {
	for _, c := range []struct {
		used uint64
		want int
	}{{0, 100}, {16 << 20, 100}, {24 << 20, 75}, {40 << 20, 50}, {100 << 20, 25}, {1 << 30, 25}} {
		if got := percentOf(c.used, mostBridgeGarbage, leastBridgePercent, mostBridgePercent); got != c.want {
			t.Errorf("a bridge with %d MiB in use: %d percent; want %d", c.used>>20, got, c.want)
		}
	}
	for _, c := range []struct {
		used uint64
		want int
	}{{0, 400}, {8 << 20, 400}, {12 << 20, 400}, {16 << 20, 300}, {20 << 20, 225}, {32 << 20, 150}, {64 << 20, 100}, {1 << 30, 100}} {
		if got := percentOf(c.used, mostGarbage, leastPercent, mostPercent); got != c.want {
			t.Errorf("%d MiB in use: %d percent; want %d", c.used>>20, got, c.want)
		}
	}
}

// TestGarbageIsBounded uses more and then less memory, and looks when the next collection would be.
func TestGarbageIsBounded(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	undo := collectSeldom()
	var used [][]byte
	for _, c := range []struct{ mib, least, most int }{{0, 390, 400}, {100, 100, 100}, {20, 150, 240}} {
		used = nil
		for range c.mib {
			used = append(used, make([]byte, 1<<20))
		}
		percent := 0
		for range 100 { // the percentage follows a collection; the next one has it
			runtime.GC()
			if percent = percentNow(); c.least <= percent && percent <= c.most {
				break
			}
		}
		if percent < c.least || percent > c.most {
			t.Errorf("%d MiB in use: %d percent of garbage; want %d to %d", c.mib, percent, c.least, c.most)
		}
		runtime.KeepAlive(used)
	}
	undo()
	for range 10 {
		runtime.GC()
	}
	if percent := percentNow(); percent != 70 {
		t.Errorf("%d percent of garbage at the end; want what it was", percent)
	}
}

func percentNow() int {
	now := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(now)
	return int(now[0].Value.Uint64())
}
