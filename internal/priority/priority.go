// Package priority lets requests go before runs in a process that does both: a caller's name cannot wait for a page of contacts.
package priority

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

const (
	spareThreads = 1
	collectAt    = 400 // percent
)

// Requests makes room for requests. Runs keep every core busy, and Go's scheduler looks at the network every 10 ms only while
// nothing is idle; with more threads than cores the operating system decides, which lets those who have slept go first. The
// garbage of a run's pages is collected a quarter as often, unless GOGC says otherwise: each collection takes every
// thread that it finds. Call it once, at the program's start.
func Requests() {
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareThreads)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
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
