package synchronizer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// attempts runs against a bridge that always fails, and returns when it was asked, counted from the start.
func attempts(t *testing.T, broken error, retry synchronizer.Retry) (at []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		failing := bridgeFunc(func(context.Context, bridge.PageRequest) (*bridge.Page, error) {
			at = append(at, time.Since(began))
			return nil, broken
		})
		s := synchronizer.Synchronizer{Bridge: failing, Store: openStore(t)}
		report, err := s.Run(t.Context(), key, synchronizer.Options{Retry: retry})
		if !errors.Is(err, broken) || report.Retries != len(at)-1 {
			t.Errorf("error %v, %d retries reported of %d attempts", err, report.Retries, len(at))
		}
	})
	return at
}

var down = &bridge.Error{Code: bridge.CodeSourceUnavailable, Status: 503, Message: "down"}

func TestPausesDoubleAndEnd(t *testing.T) {
	at := attempts(t, down, synchronizer.Retry{})
	if len(at) != 6 {
		t.Fatalf("%d attempts, want 6", len(at))
	}
	for i, pause := 1, 500*time.Millisecond; i < len(at); i, pause = i+1, 2*pause {
		if took := at[i] - at[i-1]; took < pause/2 || took > pause*3/2+time.Millisecond {
			t.Errorf("pause %d took %v, want %v give or take a half", i, took, pause)
		}
	}
}

func TestPausesAreNotTheSameEverywhere(t *testing.T) {
	retry := synchronizer.Retry{Attempts: 2}
	first := attempts(t, down, retry)[1]
	for range 20 {
		if attempts(t, down, retry)[1] != first {
			return
		}
	}
	t.Errorf("21 synchronizers come back at the same moment, after %v", first)
}

func TestTimeForAttemptsIsLimited(t *testing.T) {
	at := attempts(t, down, synchronizer.Retry{Attempts: 1000, Within: time.Minute, Longest: 10 * time.Second})
	if last := at[len(at)-1]; last > time.Minute || last < 40*time.Second {
		t.Errorf("last attempt after %v, want a little less than a minute", last)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	limited := &bridge.Error{Code: bridge.CodeRateLimited, Status: 429, Message: "slow down", RetryAfter: 40 * time.Second}
	at := attempts(t, limited, synchronizer.Retry{})
	if len(at) < 3 {
		t.Fatalf("%d attempts", len(at))
	}
	for i := 1; i < len(at); i++ {
		if took := at[i] - at[i-1]; took < 40*time.Second || took > 45*time.Second {
			t.Errorf("asked again after %v, want 40 s and a little", took)
		}
	}
}

// A pause that nobody would wait for ends the run at once, rather than asking too early.
func TestRetryAfterBeyondTheLimitIsFinal(t *testing.T) {
	limited := &bridge.Error{Code: bridge.CodeRateLimited, Status: 429, Message: "slow down", RetryAfter: time.Hour}
	if at := attempts(t, limited, synchronizer.Retry{}); len(at) != 1 {
		t.Errorf("%d attempts, want 1", len(at))
	}
}

func TestFinalErrorIsNotRetried(t *testing.T) {
	final := &bridge.Error{Code: bridge.CodeBadAnswer, Status: 200, Message: "HTML"}
	if at := attempts(t, final, synchronizer.Retry{}); len(at) != 1 {
		t.Errorf("%d attempts, want 1", len(at))
	}
}

// A cancelled run does not sit out its pause.
func TestCancellingEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		failing := bridgeFunc(func(context.Context, bridge.PageRequest) (*bridge.Page, error) {
			time.AfterFunc(time.Millisecond, cancel)
			return nil, down
		})
		began := time.Now()
		_, err := (&synchronizer.Synchronizer{Bridge: failing, Store: openStore(t)}).Run(ctx, key, synchronizer.Options{})
		if bridge.CodeOf(err) != synchronizer.CodeInterrupted || time.Since(began) > 2*time.Millisecond {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
	})
}
