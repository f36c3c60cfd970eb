package hub_test

import (
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub"
)

// However often a hook is called, its runs start every ten seconds at most, and the last call is never lost.
func TestAHookStartsARunEveryTenSecondsAtMost(t *testing.T) {
	var times hub.HookTimes
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	next := func(at time.Duration) (time.Duration, bool) { return times.Next(crmKey, now.Add(at), 10*time.Second) }
	if wait, waits := next(0); wait != 0 || waits {
		t.Error("the first call waits", wait, waits)
	}
	if wait, waits := next(4 * time.Second); wait != 6*time.Second || waits {
		t.Error("the second call:", wait, waits)
	}
	for at := 5 * time.Second; at < 10*time.Second; at += time.Second {
		if _, waits := next(at); !waits {
			t.Error("a further call is not part of the run that waits")
		}
	}
	times.Done(crmKey, now.Add(10*time.Second))
	if wait, waits := next(12 * time.Second); wait != 8*time.Second || waits {
		t.Error("a call after it:", wait, waits)
	}
	times.Done(crmKey, now.Add(20*time.Second))
	if wait, waits := next(31 * time.Second); wait != 0 || waits {
		t.Error("much later:", wait, waits)
	}
}
