package web

import "runtime"

const spareThreads = 2

// SpareThreads keeps room for requests in a process that runs integrations as well. Runs keep every core busy, and Go's
// scheduler looks at the network every 10 ms only while nothing is idle; with more threads than cores the operating system
// decides, which lets those who have slept go first: a caller's name comes in a fraction of the time. Call it once, at the
// program's start.
func SpareThreads() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareThreads) }
