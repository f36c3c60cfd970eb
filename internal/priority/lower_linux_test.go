package priority

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestLow looks at the threads: the one that the work is done on is nice, and no thread that others are served on is.
func TestLow(t *testing.T) {
	plain := priorityHere(t)
	want := max(plain-nicer, neutral-nicest)
	var within int
	Low(func() { within = priorityHere(t) })
	if within != want {
		t.Errorf("the work went at priority %d; want %d", within, want)
	}
	for range 100 {
		answer := make(chan int)
		go func() { answer <- priorityHere(t) }()
		if got := <-answer; got != plain {
			t.Fatalf("another goroutine goes at priority %d; want %d", got, plain)
		}
	}
}

// TestLowPanics sees a panic of the work where it was asked for.
func TestLowPanics(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "no bridge") || !strings.Contains(got, "TestLowPanics") {
			t.Errorf("recovered %q; want what happened, and where", got)
		}
	}()
	Low(func() { panic("no bridge") })
}

func priorityHere(t *testing.T) int {
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Error(err)
	}
	return p
}
