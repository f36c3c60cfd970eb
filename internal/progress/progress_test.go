package progress

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/synchronizer"
)

func runWith(pages, contacts int64) directory.Run {
	return directory.Run{Kind: directory.Initial, Counts: directory.Counts{Pages: pages, Contacts: contacts}}
}

func TestLinesAreFew(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	l := NewLines(&out, "crm", 5*time.Second)
	l.now = func() time.Time { return now }
	l.Event(synchronizer.Event{Kind: synchronizer.Started, Run: runWith(0, 0)})
	for n := int64(1); n <= 120; n++ {
		now = now.Add(100 * time.Millisecond)
		l.Event(synchronizer.Event{Kind: synchronizer.PageStored, Run: runWith(n, 1000*n)})
	}
	l.Event(synchronizer.Event{Kind: synchronizer.Finished, Run: runWith(120, 120000)})
	want := `crm: initial sync started
crm: 50 pages, 50,000 contacts, 10,000/s
crm: 100 pages, 100,000 contacts, 10,000/s
crm: 120 pages, 120,000 contacts, 10,000/s
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

// The rate is this process's: what a resumed run had already does not count.
func TestRateOfAResumedRun(t *testing.T) {
	now := time.Now()
	var c tally
	c.start(runWith(100, 100000), now)
	c.store(runWith(101, 101000))
	if rate := c.rate(now.Add(2 * time.Second)); rate != "500/s" {
		t.Errorf("rate %q, want 500/s", rate)
	}
}

func TestTroubleGetsALineOfItsOwn(t *testing.T) {
	resumed := runWith(1, 2000)
	resumed.Resumed = true
	for want, e := range map[string]synchronizer.Event{
		"crm: down [31m; asking again in 2.0 s (attempt 2 of 6)\n": {
			Kind: synchronizer.Retrying, Err: errors.New("down\x1b[31m"), Wait: 2 * time.Second, Attempt: 1, Attempts: 6,
		},
		"crm: initial sync goes on after 1 page with 2,000 contacts\n": {Kind: synchronizer.Started, Run: resumed},
		"crm: the bridge does not know the offset any more; going on from the last safe checkpoint (page 3: gone)\n": {
			Kind: synchronizer.Restarted, Err: errors.New("page 3: gone"),
		},
	} {
		var out bytes.Buffer
		NewLines(&out, "crm", time.Second).Event(e)
		if got := out.String(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestDurationsAsPeopleReadThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		340 * time.Millisecond: "0.3 s", 12*time.Second + 400*time.Millisecond: "12 s",
		200 * time.Second: "3 min 20 s", 125 * time.Minute: "2 h 5 min",
	} {
		if got := Took(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestNoColoursInAPipe(t *testing.T) {
	var out bytes.Buffer
	if s := NewStyle(&out); s.Bold("x")+s.Good("x")+s.Bad("x")+s.Warn("x")+s.Dim("x") != "xxxxx" {
		t.Error("escape sequences in a pipe")
	}
	if got := (Style{colours: true}).Bold("x"); got != "\x1b[1mx\x1b[0m" {
		t.Errorf("on a terminal: %q", got)
	}
}

// A screen is written to by the progress bar's goroutine.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestLivingLineShowsHowFarItIs(t *testing.T) {
	out, refresh := &screen{}, make(chan any)
	l := newLine(out, "crm", Style{}, mpb.WithWidth(100), mpb.WithManualRefresh(refresh))
	defer l.Close()
	shows := func(want string) {
		t.Helper()
		for range 1000 { // drawing goes on beside us
			if strings.Contains(out.String(), want) {
				return
			}
			refresh <- time.Now()
		}
		t.Errorf("the screen lacks %q:\n%s", want, out)
	}
	l.Event(synchronizer.Event{Kind: synchronizer.Started, Run: runWith(0, 0)})
	l.Event(synchronizer.Event{Kind: synchronizer.PageStored, Run: runWith(12, 12000)})
	shows("crm  initial sync  12 pages  12,000 contacts")
	l.Event(synchronizer.Event{Kind: synchronizer.Retrying, Err: errors.New("down"), Wait: time.Minute, Attempt: 1, Attempts: 6})
	shows("! crm: down; asking again in 1 min 0 s (attempt 2 of 6)\n")
	shows("waiting 60 s")
}
