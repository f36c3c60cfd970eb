// Package pace lets tests that must look at a clock judge by what the machine does at that moment: other tests may have it.
package pace

import (
	"crypto/sha256"
	"time"
)

const (
	slices    = 50
	sliceSize = 128 << 10 // bytes to digest: about a third of a millisecond's work
)

// Limit returns how long something may take that may take d on a machine that does nothing else: the same share of the machine
// that a piece of plain work gets now, and the longest time that it had to wait for its turn, ten times.
func Limit(d time.Duration) time.Duration {
	work := make([]byte, sliceSize)
	fastest, slowest, all := time.Hour, time.Duration(0), time.Duration(0)
	for range slices {
		began := time.Now()
		sum := sha256.Sum256(work)
		copy(work, sum[:])
		took := time.Since(began)
		fastest, slowest, all = min(fastest, took), max(slowest, took), all+took
	}
	share := float64(all) / slices / float64(max(fastest, 1))
	return time.Duration(float64(d)*share) + 10*(slowest-fastest)
}
