package file

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// files are the files of one location, and what is known about the version of them that was read last.
type files struct {
	location
	scope   string // see [bridge.Description]
	factory *factory

	lock  chan struct{} // of one element: who holds it may use what follows
	known *version
	exam  *examination // the one that goes on, or has failed and was not reported yet
	begun uint64       // how many examinations have begun

	work sync.WaitGroup // examinations
}

// An examination reads new files in the background. It goes on when no caller waits for it any more: a caller who comes back
// finds more of it done, or all.
type examination struct {
	list   []found
	which  uint64 // its number, from 1 on
	since  time.Time
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done; nil if the version is known
}

func (f *files) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case f.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *files) unlock() { <-f.lock }

// open opens the version of the files that there is now, and examines them first if it is new. The caller closes what is
// returned. If the examination takes longer than ctx allows, the error says when to come back.
func (f *files) open(ctx context.Context) (*opened, error) {
	var asked uint64
	for round := 0; ; round++ {
		if err := f.acquire(ctx); err != nil {
			return nil, err
		}
		if round == 0 {
			asked = f.begun
		}
		o, exam, err := f.lookUp(asked)
		f.unlock()
		if exam != nil {
			err = exam.wait(ctx, f)
		}
		if o != nil || err != nil && (round == mostRounds || !errors.Is(err, errReplaced)) {
			return o, err
		}
		if round == mostRounds {
			return nil, f.replaced("")
		}
	}
}

// mostRounds is how often a caller looks again, if the files have been replaced meanwhile.
const mostRounds = 3

// lookUp opens the version that is known, if it is the one that is there now. Otherwise it returns the examination to wait for.
// asked is how many examinations had begun when the caller came: one that began before may have read a file before it changed
// within the precision of its time. The caller holds the lock.
func (f *files) lookUp(asked uint64) (*opened, *examination, error) {
	list, many, err := f.find()
	if err != nil {
		return nil, nil, err
	}
	if v := f.known; v != nil && same(v.files, list) && (!v.settle || v.began > asked) {
		o, err := f.openVersion(v)
		return o, nil, err
	}
	if f.exam != nil && !same(f.exam.list, list) {
		f.exam.cancel()
		f.exam = nil
	}
	if f.exam == nil {
		f.begin(list, many)
	}
	return nil, f.exam, nil
}

// openVersion opens a version that is known.
func (f *files) openVersion(v *version) (*opened, error) {
	o := &opened{files: f, version: v}
	if !v.many { // the page reads this version to its end, even if the file is replaced meanwhile
		if _, err := o.get(0); err != nil {
			return nil, err
		}
	}
	v.spool.retain()
	return o, nil
}

// begin begins an examination. The caller holds the lock.
func (f *files) begin(list []found, many bool) {
	ctx, cancel := context.WithCancel(context.Background())
	f.begun++
	exam := &examination{list: list, which: f.begun, since: time.Now(), cancel: cancel, done: make(chan struct{})}
	f.exam = exam
	before := f.known
	before.retain()
	f.work.Go(func() {
		defer cancel()
		v, err := f.examineSafely(ctx, list, many, before)
		if ctx.Err() != nil { // there are other files meanwhile
			v.discard()
			v, err = nil, f.replaced("")
		}
		f.lock <- struct{}{}
		defer f.unlock()
		before.discard()
		exam.err = err
		if err == nil && f.exam == exam {
			v.began = exam.which
			f.known.discard()
			f.exam, f.known = nil, v
		} else {
			v.discard()
		}
		close(exam.done)
	})
}

// examineSafely is examine; a panic of the format is an error of the file, not the end of the process.
func (f *files) examineSafely(ctx context.Context, list []found, many bool, before *version) (v *version, err error) {
	defer func() {
		if p := recover(); p != nil {
			f.factory.deps.Logger.Error("a format panicked", "file", f.name(), "panic", p, "stack", string(debug.Stack()))
			v, err = nil, Broken(f.name()+" makes its reader fail", "This is a defect: report it with the bridge's log.")
		}
	}()
	return f.examine(ctx, list, many, before)
}

// wait waits for the end of an examination, as long as ctx leaves time to read a page after it. An error of the examination is
// told to all who wait for it, or to the one who comes next.
func (e *examination) wait(ctx context.Context, f *files) error {
	var patience <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timer := time.NewTimer(left - min(2*time.Second, left/4))
		defer timer.Stop()
		patience = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-patience:
		return f.busy(time.Since(e.since))
	case <-e.done:
	}
	if e.err == nil {
		return nil
	}
	if err := f.acquire(ctx); err != nil {
		return err
	}
	defer f.unlock()
	if f.exam == e {
		f.exam = nil
	}
	return e.err
}

// busy returns the error while a new version is read that takes longer than a request may. It has taken some time already, and is
// expected to take as long again.
func (f *files) busy(taken time.Duration) error {
	return &bridge.Error{
		Code:       bridge.CodeSourceUnavailable,
		Message:    f.name() + " is new and is being read",
		Hint:       "Ask again later: reading goes on, and is done once for each version of the files.",
		RetryAfter: min(max(taken.Round(time.Second), 5*time.Second), time.Minute),
		Err:        source.ErrBusy,
	}
}

// close ends what goes on and forgets what is known.
func (f *files) close() error {
	f.lock <- struct{}{}
	if f.exam != nil {
		f.exam.cancel()
		f.exam = nil
	}
	f.known.discard()
	f.known = nil
	f.unlock()
	f.work.Wait()
	return nil
}
