package source_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// handClock moves when the test says so.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*handTimer
}

type handTimer struct {
	at   time.Time
	f    func()
	done bool
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := &handTimer{at: c.now.Add(d), f: f}
	c.timers = append(c.timers, timer)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		was := timer.done
		timer.done = true
		return !was
	}
}

// advance moves the clock and runs, in the caller's goroutine, what was due.
func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for _, timer := range c.timers {
		if !timer.done && !timer.at.After(c.now) {
			timer.done = true
			due = append(due, timer.f)
		}
	}
	c.mu.Unlock()
	for _, f := range due {
		f()
	}
}

func (c *handClock) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, timer := range c.timers {
		if !timer.done {
			n++
		}
	}
	return n
}

// thing is a value in the tests' pools.
type thing struct {
	name   string
	closed atomic.Int32
}

// things opens them and remembers.
type things struct {
	mu   sync.Mutex
	made []*thing
}

func (m *things) open(name string) func(context.Context) (*thing, error) {
	return func(context.Context) (*thing, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		v := &thing{name: name}
		m.made = append(m.made, v)
		return v, nil
	}
}

func (m *things) openNames() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, v := range m.made {
		if v.closed.Load() == 0 {
			list = append(list, v.name)
		}
	}
	slices.Sort(list)
	return list
}

func newPool(t *testing.T, options source.PoolOptions) (*source.Pool[*thing], *things, *handClock) {
	t.Helper()
	clock := &handClock{now: time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)}
	options.Clock = clock
	pool := source.NewPool(options, func(v *thing) error {
		if v.closed.Add(1) > 1 {
			return fmt.Errorf("%s closed twice", v.name)
		}
		return nil
	})
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return pool, &things{}, clock
}

func get(t *testing.T, pool *source.Pool[*thing], m *things, name string) (*thing, func()) {
	t.Helper()
	v, release, err := pool.Get(t.Context(), source.DigestOf(name), m.open(name))
	if err != nil {
		t.Fatal(err)
	}
	return v, release
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestPoolKeepsAValueByItsCredentials(t *testing.T) {
	pool, m, _ := newPool(t, source.PoolOptions{})
	a, releaseA := get(t, pool, m, "a")
	again, releaseAgain := get(t, pool, m, "a")
	b, releaseB := get(t, pool, m, "b")
	if a != again || a == b {
		t.Error("a value is not its credentials' own")
	}
	releaseA()
	releaseAgain()
	releaseB()
	if later, release := get(t, pool, m, "a"); later != a {
		t.Error("an idle value was not used again")
	} else {
		release()
	}
}

func TestPoolClosesWhatIsIdleAndNothingElse(t *testing.T) {
	pool, m, clock := newPool(t, source.PoolOptions{Idle: time.Minute})
	_, releaseUsed := get(t, pool, m, "used")
	_, releaseA := get(t, pool, m, "a")
	releaseA()
	releaseA() // a second time changes nothing
	clock.advance(30 * time.Second)
	_, releaseB := get(t, pool, m, "b")
	releaseB()
	clock.advance(30 * time.Second)
	if got := m.openNames(); !slices.Equal(got, []string{"b", "used"}) {
		t.Errorf("open after a minute: %v", got)
	}
	clock.advance(30 * time.Second)
	if got := m.openNames(); !slices.Equal(got, []string{"used"}) {
		t.Errorf("open after a minute and a half: %v", got)
	}
	clock.advance(time.Hour)
	if got := m.openNames(); !slices.Equal(got, []string{"used"}) {
		t.Errorf("a value in use was closed: open are %v", got)
	}
	if n := clock.pending(); n != 0 {
		t.Errorf("%d timers are pending though nothing is idle", n)
	}
	releaseUsed()
	if n := clock.pending(); n != 1 {
		t.Errorf("%d timers are pending for one idle value", n)
	}
}

func TestPoolThatIsFullClosesTheLongestIdleOrRefuses(t *testing.T) {
	pool, m, clock := newPool(t, source.PoolOptions{Max: 3})
	var releases []func()
	for _, name := range []string{"a", "b", "c"} {
		_, release := get(t, pool, m, name)
		releases = append(releases, release)
		clock.advance(time.Second)
	}
	_, _, err := pool.Get(t.Context(), source.DigestOf("d"), m.open("d"))
	if bridge.CodeOf(err) != bridge.CodeRateLimited {
		t.Fatalf("a full pool says %v", err)
	}
	releases[1]()
	clock.advance(time.Second)
	releases[0]()
	_, release := get(t, pool, m, "d")
	eventually(t, "b is closed for d", func() bool { return slices.Equal(m.openNames(), []string{"a", "c", "d"}) })
	release()
	releases[2]()
}

func TestPoolOpensOnceForAllWhoAsk(t *testing.T) {
	pool, m, _ := newPool(t, source.PoolOptions{})
	gate := make(chan struct{})
	open := func(ctx context.Context) (*thing, error) {
		<-gate
		return m.open("a")(ctx)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			v, release, err := pool.Get(t.Context(), source.DigestOf("a"), open)
			if err != nil || v.name != "a" {
				t.Errorf("got %v, %v", v, err)
				return
			}
			release()
		})
	}
	close(gate)
	wg.Wait()
	if len(m.made) != 1 {
		t.Errorf("opened %d times", len(m.made))
	}
}

func TestPoolForgetsAFailedOpening(t *testing.T) {
	pool, m, _ := newPool(t, source.PoolOptions{})
	refused := errors.New("refused")
	_, _, err := pool.Get(t.Context(), source.DigestOf("a"), func(context.Context) (*thing, error) { return nil, refused })
	if !errors.Is(err, refused) {
		t.Fatalf("got %v", err)
	}
	_, release := get(t, pool, m, "a")
	release()
}

func TestPoolOpeningOutlivesOneWhoGivesUp(t *testing.T) {
	pool, m, _ := newPool(t, source.PoolOptions{})
	gate, begun := make(chan struct{}), make(chan struct{})
	open := func(ctx context.Context) (*thing, error) {
		close(begun)
		select {
		case <-gate:
			return m.open("a")(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp, served := make(chan error), make(chan error)
	go func() {
		_, _, err := pool.Get(impatient, source.DigestOf("a"), open)
		gaveUp <- err
	}()
	<-begun
	go func() {
		_, release, err := pool.Get(t.Context(), source.DigestOf("a"), open)
		if err == nil {
			release()
		}
		served <- err
	}()
	eventually(t, "two wait", func() bool { return pool.Users(source.DigestOf("a")) == 2 })
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	close(gate)
	if err := <-served; err != nil {
		t.Errorf("who waited got %v", err)
	}
}

func TestPoolGivesUpAnOpeningThatNobodyWaitsFor(t *testing.T) {
	pool, m, _ := newPool(t, source.PoolOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	_, _, err := pool.Get(ctx, source.DigestOf("a"), func(ctx context.Context) (*thing, error) {
		defer close(ended)
		cancel()
		<-ctx.Done()
		return m.open("late")(ctx) // it opened nevertheless: the pool must close it
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
	_, release := get(t, pool, m, "a")
	release()
	eventually(t, "the late value is closed", func() bool { return slices.Equal(m.openNames(), []string{"a"}) })
}

func TestPoolCloseWaitsForWhatIsInUseAndClosesAll(t *testing.T) {
	pool, m, _ := newPool(t, source.PoolOptions{})
	_, release := get(t, pool, m, "used")
	_, releaseIdle := get(t, pool, m, "idle")
	releaseIdle()
	opening := make(chan error)
	begun := make(chan struct{})
	go func() {
		_, _, err := pool.Get(t.Context(), source.DigestOf("opening"), func(ctx context.Context) (*thing, error) {
			close(begun)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		opening <- err
	}()
	<-begun
	done := make(chan error)
	go func() { done <- pool.Close() }()
	if err := <-opening; !errors.Is(err, context.Canceled) {
		t.Errorf("an opening ended with %v", err)
	}
	eventually(t, "the idle value is closed", func() bool { return slices.Equal(m.openNames(), []string{"used"}) })
	if _, _, err := pool.Get(t.Context(), source.DigestOf("x"), m.open("x")); bridge.CodeOf(err) != bridge.CodeSourceUnavailable {
		t.Errorf("a closed pool says %v", err)
	}
	select {
	case <-done:
		t.Error("Close did not wait for the value in use")
	default:
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := m.openNames(); len(got) != 0 {
		t.Errorf("left open: %v", got)
	}
}

func TestPoolUnderLoadNeverGivesAClosedValue(t *testing.T) {
	pool, m, clock := newPool(t, source.PoolOptions{Max: 3, Idle: time.Second})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				name := fmt.Sprint((worker*7 + i) % 5)
				v, release, err := pool.Get(t.Context(), source.DigestOf(name), m.open(name))
				if bridge.CodeOf(err) == bridge.CodeRateLimited && err != nil {
					continue
				}
				if err != nil || v.name != name || v.closed.Load() != 0 {
					t.Errorf("asked for %s, got %v, %v", name, v, err)
					return
				}
				release()
				if i%10 == 0 {
					clock.advance(time.Second)
				}
			}
		})
	}
	wg.Wait()
}

func TestDigestTellsTextsApart(t *testing.T) {
	if source.DigestOf("ab", "c") == source.DigestOf("a", "bc") || source.DigestOf() == source.DigestOf("") {
		t.Error("different texts have one digest")
	}
}
