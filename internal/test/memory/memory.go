// Package memory measures what a process takes, for tests of bounds.
package memory

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Resident returns the memory that the process has from the system, in bytes; what Go says where the system does not.
func Resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	var size, pages uint64
	if err == nil {
		if _, err = fmt.Sscan(string(text), &size, &pages); err == nil {
			return pages * uint64(os.Getpagesize())
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

// Peak watches [Resident] until the test ends, and returns what its greatest value was so far.
func Peak(t testing.TB) (peak func() uint64) {
	var most atomic.Uint64
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				most.Store(max(most.Load(), Resident()))
			}
		}
	}()
	t.Cleanup(func() { close(done) })
	return most.Load
}
