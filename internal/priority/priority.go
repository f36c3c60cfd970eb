// Package priority lets requests go before runs in a process that does both: a caller's name cannot wait for a page of contacts.
package priority

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// A run's thread that waits for its turn keeps its place among Go's threads, and a run has two; one is for what collects garbage.
	spareThreads = 3

	// How much garbage there may be before it is collected: in percent of what is used, and in bytes. The bytes count where they come
	// to less, but never less than Go's own percent.
	mostPercent, leastPercent = 400, 100
	mostGarbage               = 48 << 20

	// The same for a bridge. What it keeps for long is the order of large files, which holds no pointers: to collect beside it costs little,
	// and to let as much garbage collect as there is of it would double the memory.
	leastBridgePercent, mostBridgePercent = 25, 100
	mostBridgeGarbage                     = 20 << 20
)

// Requests makes room for requests. Runs keep every core busy, and Go's scheduler looks at the network every 10 ms only while
// nothing is idle; with more threads than cores the operating system decides, which lets those who have slept go first. The
// garbage of a run's pages is collected up to a quarter as often, as long as it takes little memory, unless GOGC says otherwise: each
// collection takes every thread that it finds. Call it once, at the program's start; undo makes the program as it was.
func Requests() (undo func()) {
	threads := runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareThreads)
	collect := func() {}
	if os.Getenv("GOGC") == "" {
		collect = collectSeldom()
	}
	return func() {
		collect()
		runtime.GOMAXPROCS(threads)
	}
}

func collectSeldom() (undo func()) {
	return adjust(func(used uint64) int { return percentOf(used, mostGarbage, leastPercent, mostPercent) })
}

// Bridge lets a bridge take little memory beside what it keeps, unless GOGC says otherwise. Call it once, at the program's start; undo
// makes the program as it was.
func Bridge() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	return adjust(func(used uint64) int {
		return percentOf(used, mostBridgeGarbage, leastBridgePercent, mostBridgePercent)
	})
}

// adjust sets the percentage of garbage after every collection anew, by how many bytes are used, until undo is called.
func adjust(percentOf func(used uint64) int) (undo func()) {
	var mu sync.Mutex
	ended, percent := false, percentOf(0)
	before := debug.SetGCPercent(percent)
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	afterCollections(func() bool {
		mu.Lock()
		defer mu.Unlock()
		metrics.Read(used)
		if p := percentOf(used[0].Value.Uint64()); p != percent && !ended {
			percent = p
			debug.SetGCPercent(p)
		}
		return !ended
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
		debug.SetGCPercent(before)
	}
}

// percentOf returns how much garbage there may be beside so many bytes that are used, with its bounds. It changes in steps: to set it stops
// the program for a moment.
func percentOf(used, garbage uint64, least, most int) int {
	const step = 25
	percent := int(garbage * 100 / max(used, 1))
	return min(max(percent/step*step, least), most)
}

// afterCollections calls f after every collection from now on, one call after the other, as long as it returns true.
func afterCollections(f func() bool) {
	type mark struct{ _ *byte } // with a pointer, so that it has memory of its own
	var again func(*mark)
	again = func(m *mark) {
		if f() {
			runtime.SetFinalizer(m, again)
		}
	}
	runtime.SetFinalizer(&mark{}, again)
}

// Low does f on a thread of its own that others go before, where the operating system knows such threads, and returns when f
// has. It panics where f does.
func Low(f func()) {
	done := make(chan struct{})
	var panicked any
	go func() {
		defer close(done)
		defer func() {
			if cause := recover(); cause != nil {
				panicked = fmt.Sprintf("%v\n\n%s", cause, debug.Stack())
			}
		}()
		// Never unlocked: who has lowered a priority may not raise it again, so the thread ends with its goroutine.
		runtime.LockOSThread()
		lower()
		f()
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
}
