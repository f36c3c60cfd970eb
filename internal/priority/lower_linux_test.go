package priority

import (
	"syscall"
	"testing"
)

// TestLow looks at the threads: the one that the work is done on is nice, and no thread that others are served on is.
func TestLow(t *testing.T) {
	const plain = 20 // as the system call answers: 20 less the niceness
	var within int
	Low(func() { within = priorityHere(t) })
	if within != plain-niceness {
		t.Errorf("the work went at priority %d; want %d", within, plain-niceness)
	}
	for range 100 {
		answer := make(chan int)
		go func() { answer <- priorityHere(t) }()
		if got := <-answer; got != plain {
			t.Fatalf("another goroutine goes at priority %d; want %d", got, plain)
		}
	}
}

func priorityHere(t *testing.T) int {
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Error(err)
	}
	return p
}
