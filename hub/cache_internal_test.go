package hub

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A slowly counts its answers, 1, 2, 3 and so on, each of which takes a while, like those of a busy database.
type slowly struct {
	takes time.Duration
	asked atomic.Int64
}

func (s *slowly) ask(ctx context.Context) (int64, error) {
	n := s.asked.Add(1)
	select {
	case <-time.After(s.takes):
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

const freshFor = time.Second

// wants asks the cache for the value, and gives up after patience.
func (s *slowly) wants(t *testing.T, c *cache[string, int64], patience time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return c.get(ctx, time.Now(), "key", freshFor, s.ask, isNotFound)
}

// Telephone systems give up after 45 ms. The answer of a slower database is kept for the next call.
func TestWhatNobodyWaitsForAnyLongerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cache[string, int64]
		s := slowly{takes: 200 * time.Millisecond}
		for range 100 {
			go func() {
				if n, err := s.wants(t, &c, 45*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d, %v; want that the time is over", n, err)
				}
			}()
		}
		time.Sleep(s.takes)
		synctest.Wait()
		for range 3 {
			if n, err := s.wants(t, &c, 45*time.Millisecond); n != 1 || err != nil {
				t.Errorf("%d, %v; want the only answer", n, err)
			}
		}
		time.Sleep(freshFor)
		if n, err := s.wants(t, &c, time.Minute); n != 2 || err != nil {
			t.Errorf("%d, %v; want a second answer once the first is old", n, err)
		}
	})
}

// A question after a change does not get an answer that was read before it.
func TestWhatIsForgottenIsAskedAgain(t *testing.T) {
	for name, forget := range map[string]func(*cache[string, int64]){
		"forgotten":      func(c *cache[string, int64]) { time.Sleep(freshFor / 2); c.forget("key") },
		"all forgotten":  func(c *cache[string, int64]) { time.Sleep(freshFor / 2); c.clear() },
		"asked long ago": func(*cache[string, int64]) { time.Sleep(freshFor) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c cache[string, int64]
				first, second := slowly{takes: freshFor + 300*time.Millisecond}, slowly{takes: 100 * time.Millisecond}
				go first.wants(t, &c, 45*time.Millisecond)
				synctest.Wait()
				forget(&c)
				second.asked.Store(10)
				if n, err := second.wants(t, &c, time.Minute); n != 11 || err != nil {
					t.Errorf("%d, %v; want the answer to a question of its own", n, err)
				}
				time.Sleep(800 * time.Millisecond) // the first answer comes
				synctest.Wait()
				if n, err := second.wants(t, &c, time.Minute); n != 11 || err != nil {
					t.Errorf("%d, %v; want what was kept", n, err)
				}
			})
		})
	}
}

// Every random token is a question of its own. Only mostAsking of them go on after their callers have given up.
func TestFewQuestionsGoOnForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cache[string, int64]
		var ended atomic.Int64
		ask := func(ctx context.Context) (int64, error) {
			<-ctx.Done()
			ended.Add(1)
			return 0, ctx.Err()
		}
		const many = 10 * mostAsking
		for n := range many {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), 45*time.Millisecond)
				defer cancel()
				if _, err := c.get(ctx, time.Now(), fmt.Sprint(n), freshFor, ask, isNotFound); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}()
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if n := ended.Load(); n != many-mostAsking {
			t.Errorf("%d of %d questions ended with those who asked, want all but %d", n, many, mostAsking)
		}
		time.Sleep(askWithin)
		synctest.Wait()
		if n := ended.Load(); n != many {
			t.Errorf("%d of %d questions ended", n, many)
		}
		var s slowly
		if n, err := s.wants(t, &c, time.Second); n != 1 || err != nil {
			t.Errorf("afterwards: %d, %v", n, err)
		}
	})
}
