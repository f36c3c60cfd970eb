package guesses_test

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/guesses"
)

// A desk is a limiter with a clock that is set.
type desk struct {
	*guesses.Limiter
	now time.Time
}

func newDesk() *desk {
	d := &desk{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	d.Limiter = guesses.New(func() time.Time { return d.now })
	return d
}

// wait makes a try with a verdict, and returns how long it had to wait; 0: it was judged.
func (d *desk) wait(v guesses.Verdict, secret string, counts ...guesses.Count) time.Duration {
	judged, wait := d.Try(secret, counts...)
	if wait == 0 {
		judged(v)
	}
	return wait
}

// wrong makes n wrong tries and returns how many were judged.
func (d *desk) wrong(n int, counts ...guesses.Count) (judged int) {
	for range n {
		if d.wait(guesses.Wrong, "", counts...) == 0 {
			judged++
		}
	}
	return judged
}

func address(text string) netip.Prefix { return netip.MustParsePrefix(text + "/32") }

// here counts by one address: five free tries, then waits of 15 s, 30 s, a minute, and a minute.
var here = guesses.Count{
	Key:  guesses.Key{Address: address("192.0.2.1")},
	Rule: guesses.Rule{Free: 5, Wait: 15 * time.Second, MaxWait: time.Minute, Forget: time.Hour},
}

func TestAfterTheFreeTriesWaitsDoubleToALimit(t *testing.T) {
	d := newDesk()
	if judged := d.wrong(100, here); judged != 5 {
		t.Fatalf("%d wrong tries were judged, want 5", judged)
	}
	for _, want := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, time.Minute, time.Minute} {
		if wait := d.wait(guesses.Wrong, "", here); wait != want {
			t.Errorf("a wait of %v, want %v", wait, want)
		}
		d.now = d.now.Add(want - 1)
		if d.wait(guesses.Wrong, "", here) == 0 {
			t.Errorf("judged before %v were over", want)
		}
		d.now = d.now.Add(1)
		if judged := d.wrong(100, here); judged != 1 {
			t.Errorf("%d were judged after a wait, want 1", judged)
		}
	}
	d.now = d.now.Add(here.Forget + 1)
	if judged := d.wrong(100, here); judged != 5 {
		t.Errorf("%d were judged after everything should be forgotten, want 5", judged)
	}
}

// Tries at once are no more than tries one after another, however long each takes to judge.
func TestTriesAtOnceAreNoMoreThanTriesInTurn(t *testing.T) {
	for name, c := range map[string]struct {
		verdict guesses.Verdict
		rounds  []int // how many of 200 at once are judged, each round after the wait
	}{
		"wrong":   {guesses.Wrong, []int{5, 1, 1}},
		"good":    {guesses.Good, []int{5, 5, 5}},
		"unknown": {guesses.Unknown, []int{5, 5, 5}},
	} {
		d := newDesk()
		for round, want := range c.rounds {
			var (
				mu   sync.Mutex
				open []func(guesses.Verdict)
				all  sync.WaitGroup
			)
			for range 200 {
				all.Go(func() {
					judged, wait := d.Try("", here)
					mu.Lock()
					defer mu.Unlock()
					if wait == 0 {
						open = append(open, judged)
					} else if wait < 15*time.Second {
						t.Errorf("%s: a wait of %v while others are judged", name, wait)
					}
				})
			}
			all.Wait()
			if len(open) != want {
				t.Errorf("%s, round %d: %d of 200 at once are judged, want %d", name, round, len(open), want)
			}
			for _, judged := range open {
				judged(c.verdict)
				judged(guesses.Wrong) // does nothing any more
			}
			d.now = d.now.Add(time.Minute)
		}
	}
}

// Others at the same address are not locked out by someone who guesses.
func TestASecretThatWasGoodNeverWaits(t *testing.T) {
	d := newDesk()
	if d.wait(guesses.Good, "right", here) != 0 {
		t.Fatal("a first try waits")
	}
	d.wrong(100, here)
	var open []func(guesses.Verdict)
	for range 100 {
		judged, wait := d.Try("right", here)
		if wait != 0 {
			t.Fatalf("a good secret waits %v", wait)
		}
		open = append(open, judged)
	}
	d.now = d.now.Add(15 * time.Second)
	if d.wait(guesses.Unknown, "another", here) != 0 {
		t.Error("a new secret waits for good ones to be judged")
	}
	for _, judged := range open {
		judged(guesses.Unknown) // nothing is known against it
	}
	if d.wait(guesses.Wrong, "right", here) != 0 {
		t.Error("a good secret waits")
	}
	if d.wait(guesses.Good, "right", here) == 0 {
		t.Error("a secret that was wrong since it was good does not wait")
	}
	// An empty secret is nobody's.
	d = newDesk()
	d.wait(guesses.Good, "", here)
	if judged := d.wrong(100, here); judged != 5 {
		t.Errorf("%d wrong tries with no secret were judged, want 5", judged)
	}
}

func TestEveryKeyCounts(t *testing.T) {
	rule := func(free int, clearing bool) guesses.Rule {
		return guesses.Rule{Free: free, Wait: time.Second, MaxWait: time.Second, Forget: time.Hour, Clear: clearing}
	}
	counts := func(user, from string) []guesses.Count {
		return []guesses.Count{
			{Key: guesses.Key{Address: address(from), Subject: user}, Rule: rule(5, true)},
			{Key: guesses.Key{Address: address(from)}, Rule: rule(8, false)},
			{Key: guesses.Key{Subject: user}, Rule: rule(8, false)},
		}
	}
	const one, other, third = "192.0.2.1", "192.0.2.2", "192.0.2.3"
	d := newDesk()
	for _, c := range []struct {
		user, from string
		want       int
		why        string
	}{
		{"ada", one, 5, "by user and address"},
		{"bob", one, 3, "by address"},
		{"ada", other, 3, "by user"},
		{"bob", other, 5, "by user and address, where both are new to each other"},
		{"bob", third, 0, "by user, whose tries at both addresses count"},
	} {
		if judged := d.wrong(100, counts(c.user, c.from)...); judged != c.want {
			t.Errorf("%s from %s: %d were judged, want %d: %s", c.user, c.from, judged, c.want, c.why)
		}
	}
	// A good try clears the keys that say so, and no others.
	d = newDesk()
	d.wrong(4, counts("ada", one)...)
	d.wait(guesses.Good, "", counts("ada", one)...)
	if judged := d.wrong(100, counts("ada", one)...); judged != 4 {
		t.Errorf("%d were judged after 4 wrong ones and a good one, want 4 more", judged)
	}
	// The same key twice is one.
	d = newDesk()
	if judged := d.wrong(100, here, here); judged != 5 {
		t.Errorf("%d were judged with a key that counts twice, want 5", judged)
	}
}

// A client with many addresses does not fill the memory, nor makes fresh tries forgotten before old ones.
func TestMemoryIsBounded(t *testing.T) {
	d := newDesk()
	from := func(i int) guesses.Count {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], uint32(i))
		return guesses.Count{Key: guesses.Key{Address: netip.PrefixFrom(netip.AddrFrom4(ip), 32)}, Rule: here.Rule}
	}
	const most = 100_000
	fill := func(first, n int) {
		for i := range n {
			d.wait(guesses.Wrong, "", from(first+i))
		}
	}
	fill(0, most/2)
	d.now = d.now.Add(here.Forget + 1)
	d.wrong(5, here)
	fill(most, most*6/10)
	if judged := d.wrong(1, here); judged != 0 {
		t.Error("fresh tries were forgotten while there were old ones")
	}
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	fill(2*most, 3*most)
	if after := used(); after > before+(16<<20) {
		t.Errorf("%d MiB more for addresses beyond the limit", (after-before)>>20)
	}
}

// TestTrustedIsWhatNeedsNoWait asks of a secret before it was tried, when it was good, and when it was wrong since.
func TestTrustedIsWhatNeedsNoWait(t *testing.T) {
	l := guesses.New(time.Now)
	count := guesses.Count{Key: guesses.Key{Subject: "x"}, Rule: guesses.Rule{Free: 3, Wait: time.Second, MaxWait: time.Second, Forget: time.Minute}}
	for _, c := range []struct {
		secret  string
		verdict guesses.Verdict
		want    bool
	}{{"a", guesses.Good, true}, {"b", guesses.Wrong, false}, {"a", guesses.Unknown, true}, {"a", guesses.Wrong, false}, {"", guesses.Good, false}} {
		judged, wait := l.Try(c.secret, count)
		if wait > 0 {
			t.Fatal("it waits")
		}
		judged(c.verdict)
		if got := l.Trusted(c.secret); got != c.want {
			t.Errorf("%q after verdict %d: trusted is %t", c.secret, c.verdict, got)
		}
	}
}
