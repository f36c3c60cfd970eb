package hub

import (
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// hookTimes says when each hook last started a run in this process.
type hookTimes struct {
	mu    sync.Mutex
	times map[directory.Key]hookTime
}

type hookTime struct {
	last  time.Time
	waits bool // one more run is going to be asked for
}

// next notes that a hook was called, and returns how long its run has to wait: 0 is at once. waits says that a run waits already.
func (t *hookTimes) next(key directory.Key, now time.Time, every time.Duration) (wait time.Duration, waits bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.times == nil {
		t.times = map[directory.Key]hookTime{}
	}
	for other, of := range t.times {
		if !of.waits && now.Sub(of.last) > every {
			delete(t.times, other)
		}
	}
	of, known := t.times[key]
	switch {
	case of.waits:
		return 0, true
	case !known || now.Before(of.last):
		t.times[key] = hookTime{last: now}
		return 0, false
	}
	t.times[key] = hookTime{last: of.last, waits: true}
	return of.last.Add(every).Sub(now), false
}

// done notes that the run that waited is asked for.
func (t *hookTimes) done(key directory.Key, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times[key] = hookTime{last: now}
}
