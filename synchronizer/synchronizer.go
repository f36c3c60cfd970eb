// Package synchronizer runs syncs: it follows a bridge's pages, retries, resumes where a run died, keeps the checkpoint, and
// stores what it gets in a directory. It knows [bridge.Client] and [directory.Store] only.
package synchronizer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
)

// A Bridge answers with one page at a time; [bridge.Client] is one. Its errors are judged by [bridge.Retryable].
type Bridge interface {
	Page(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error)
}

var _ Bridge = (*bridge.Client)(nil)

// A Synchronizer brings the contacts of one bridge into a directory. Its fields are not changed once it is used; runs of
// different integrations may go on at once.
type Synchronizer struct {
	Bridge Bridge
	Store  directory.Store
	// Numbers makes a contact's phones findable. Where most contacts are new or changed it is called while the page before is being
	// stored, so what it costs is hidden; where most are as they were, while its own page is, and only for the others. Nil: no number is
	// kept.
	Numbers func(phones []string) []directory.Number
	// Reading names how Numbers reads; see [directory.Reading]. Empty: it is called for every contact.
	Reading string
	// Progress is told what happens, one event at a time; it should return soon. It may be nil.
	Progress func(Event)
	// Hint says what to do about the error that a run ends with; it is kept with the run. Nil: its own.
	Hint func(error) string
	// Background does what takes a run's time, and returns when it has, such as on threads of low priority; several calls go on
	// at once. Nil: it is done where it comes up.
	Background func(func())
}

func (s *Synchronizer) hint(err error) string {
	if s.Hint == nil {
		return failure.Of(err).Hint
	}
	return s.Hint(err)
}

func (s *Synchronizer) background(f func()) {
	if s.Background == nil {
		f()
		return
	}
	s.Background(f)
}

// Options say how a run goes. The zero value is an incremental run with the default limits.
type Options struct {
	Full bool // an initial run, whatever checkpoint there is

	Guard directory.Guard // in front of deletions (D9); zero means [directory.DefaultGuard], a share that is meant to be zero is [directory.NewGuard]'s

	// Settings is a digest of what the run depends on besides the external service; see [directory.Start] and [SettingsDigest].
	Settings string

	Lease    time.Duration // how long the run belongs to this process without a sign of life; 0 means [DefaultLease]
	FreshFor time.Duration // an older half-done run is not resumed (D3); 0 means [DefaultFreshFor]
	// TakeOver waits for another process's lease to end, once, instead of giving up at once. Where that process is alive, it
	// renews its lease and the answer is the same a little later; where it died, its run goes on.
	TakeOver bool

	MaxPages int64 // a longer run counts as endless (D4); 0 means [DefaultMaxPages]
	Retry    Retry
}

// The defaults of [Options].
const (
	DefaultLease    = 10 * time.Second
	DefaultFreshFor = 24 * time.Hour
	DefaultMaxPages = 1_000_000
)

func (o Options) withDefaults() Options {
	o.Guard = o.Guard.OrDefault()
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	if o.FreshFor <= 0 {
		o.FreshFor = DefaultFreshFor
	}
	if o.MaxPages <= 0 {
		o.MaxPages = DefaultMaxPages
	}
	o.Retry = o.Retry.withDefaults()
	return o
}

// A pass is one process's work on a run, from StartRun to the run's end or its own.
type pass struct {
	*Synchronizer
	key  directory.Key
	opts Options

	run *directory.Run // nil before it started; written by the storing goroutine only

	same atomic.Bool // most contacts of the page that was stored last were as they were

	mu         sync.Mutex    // guards what follows, and calls of Progress
	told       directory.Run // of the last event
	retries    int
	restarts   int
	rejections []Rejection
}

// Run does one run: the initial one, or what changed since the last one's checkpoint, or what is left of a run that died
// (D3). A run that died read up to the moment when it began (E3), so it is followed by another one ([Report.CatchUp]): what
// changed since, or everything where the bridge sets no checkpoint. In any case, what was committed before Run was called
// is in the directory when it returns nil, or an error that wraps a [directory.GuardedError].
//
// Run returns when it is complete or cannot go on; what was stored until then stays, and the report counts it. Its errors
// are read with [failure.Of]; those of the bridge wrap a [bridge.Error]. The next call goes on where this one stopped.
//
// However the run ended, the contacts that it stored are made searchable before Run returns ([directory.Store.CompleteSearch]).
func (s *Synchronizer) Run(ctx context.Context, key directory.Key, opts Options) (Report, error) {
	report, last, err := s.run(ctx, key, opts)
	s.background(func() {
		if failed := s.completeSearch(ctx, last, &report); failed != nil && ctx.Err() == nil { // otherwise the next run goes on
			err = errors.Join(err, failed)
		}
	})
	return report, err
}

// completeSearch makes searchable what a run stored, whose last state is given.
func (s *Synchronizer) completeSearch(ctx context.Context, run directory.Run, report *Report) error {
	n, err := s.Store.Unsearchable(ctx, run.Account)
	if err != nil || n == 0 {
		return err
	}
	if s.Progress != nil {
		s.Progress(Event{Kind: Indexing, Run: run, Contacts: n})
	}
	began := time.Now()
	err = s.Store.CompleteSearch(ctx, run.Key)
	report.SearchSeconds = seconds(time.Since(began))
	return err
}

// run does one run, and the one that follows a resumed one; last is the later of them, with its key alone where none could be started.
func (s *Synchronizer) run(ctx context.Context, key directory.Key, opts Options) (report Report, last directory.Run, err error) {
	report, last, err = s.once(ctx, key, opts)
	_, guarded := errors.AsType[*directory.GuardedError](err)
	if !report.Resumed || err != nil && !guarded {
		return report, last, err
	}
	opts.Full = false
	next, last, late := s.once(ctx, key, opts)
	report.CatchUp = &next
	report.Seconds += next.Seconds
	if late != nil { // what waits for a decision since the first one, waits still
		report.Error, err = next.Error, late
	}
	if next.Held != nil {
		report.Held = next.Held
	}
	if _, guarded := errors.AsType[*directory.GuardedError](late); late == nil || guarded {
		report.Checkpoint = next.Checkpoint
	}
	return report, last, err
}

// once works on one run.
func (s *Synchronizer) once(ctx context.Context, key directory.Key, opts Options) (_ Report, run directory.Run, err error) {
	p := &pass{Synchronizer: s, key: key, opts: opts.withDefaults()}
	began := time.Now()
	s.background(func() {
		if err = p.begin(ctx); err == nil {
			err = p.end(ctx, p.pursue(ctx))
		}
	})
	run.Key = key
	if p.run != nil {
		run = *p.run
	}
	return p.report(time.Since(began), err), run, err
}

// begin opens the run.
func (p *pass) begin(ctx context.Context) error {
	run, err := p.open(ctx)
	if err != nil {
		return startError(ctx, p.key, err)
	}
	p.run = run
	p.same.Store(run.Kind == directory.Initial && run.Evidence.Had > 0) // it reads again what is known
	p.tell(Event{Kind: Started, Run: *run})
	return nil
}

// open is StartRun, repeated with TakeOver until another process's lease has ended or been renewed.
func (p *pass) open(ctx context.Context) (*directory.Run, error) {
	start := directory.Start{Full: p.opts.Full, Lease: p.opts.Lease, FreshFor: p.opts.FreshFor, Settings: p.opts.Settings}
	run, err := p.Store.StartRun(ctx, p.key, start)
	first, other := errors.AsType[*directory.UnderWayError](err)
	if !other || !p.opts.TakeOver {
		return run, err
	}
	p.tell(Event{Kind: Waiting, Run: first.Run, Until: first.Until})
	// The lease ends by the directory's clock, which may be a little slow.
	deadline := later(time.Now(), first.Until).Add(5 * time.Second)
	for time.Now().Before(deadline) {
		if err := sleep(ctx, max(time.Until(first.Until), 100*time.Millisecond)); err != nil {
			return nil, err
		}
		run, err = p.Store.StartRun(ctx, p.key, start)
		again, other := errors.AsType[*directory.UnderWayError](err)
		if !other || !again.Until.Equal(first.Until) {
			return run, err
		}
	}
	return nil, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// maxRestarts is how often a run starts again from one checkpoint. More than once, because a bridge may be replaced by a new
// version while the run is on; not for ever, because a bridge may refuse every offset that it gives.
const maxRestarts = 3

// pursue follows the run's pages to the end, starting again from its last safe checkpoint where the bridge refuses an
// offset (D3).
func (p *pass) pursue(ctx context.Context) error {
	for same := 0; ; same++ {
		err := p.follow(ctx)
		refused, ok := errors.AsType[*refusedOffset](err)
		if !ok {
			return err
		}
		if same == maxRestarts {
			return refused.final()
		}
		since := p.run.Since
		if err := p.Store.RestartRun(ctx, p.run); err != nil {
			return err
		}
		if p.run.Since != since {
			same = 0
		}
		p.tell(Event{Kind: Restarted, Run: *p.run, Err: refused.err})
	}
}

// end tells the directory how the run ended, where it does not know yet.
func (p *pass) end(ctx context.Context, err error) error {
	_, guarded := errors.AsType[*directory.GuardedError](err)
	switch {
	case err == nil:
		p.tell(Event{Kind: Finished, Run: *p.run})
		return nil
	case guarded, errors.Is(err, directory.ErrLeaseLost), errors.Is(err, directory.ErrOutOfOrder):
		return p.explain(ctx, err) // the run has ended, or is another process's now
	}
	err = p.explain(ctx, err)
	// The operator may have cancelled the run: its lease is given back all the same, so that the next one need not wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if failed := p.Store.FailRun(ctx, p.run, err, p.hint(err)); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// sleep returns early, with the context's cause, when ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
