package rest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A Source reads the contacts of one service for one set of credentials.
type Source struct {
	factory *factory
	client  *client
	release func()
	closed  sync.Once
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ bridge.Prober    = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

// Describe implements [bridge.Describer].
func (s *Source) Describe(ctx context.Context) (bridge.Description, error) {
	settings := s.factory.settings.With(s.client.settings)
	if s.factory.language.Tenant != "" {
		account, err := s.client.account(ctx)
		if err != nil {
			return bridge.Description{}, fmt.Errorf("find the account: %w", err)
		}
		settings = settings.With(source.Settings{"account": account})
	}
	l := s.factory.language
	return bridge.Description{Digest: settings.Digest(), Exact: l.isSorted() && l.List.IsZero()}, nil
}

// account returns the name of the account that the credentials belong to, asked once.
func (c *client) account(ctx context.Context) (string, error) {
	c.lock.Lock()
	known := c.tenant
	c.lock.Unlock()
	if known != "" {
		return known, nil
	}
	a, err := c.verify(ctx)
	if err != nil {
		return "", err
	}
	name := a.text(c.factory.language.Tenant)
	if name == "" {
		e := &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the answer does not name the account, at " + c.factory.language.Tenant, Hint: "The API may have changed: correct tenant, or remove it.",
		}
		c.explain(a, e)
		return "", e
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.tenant = name
	return name, nil
}

// verify sends the request that succeeds with good credentials.
func (c *client) verify(ctx context.Context) (*answer, error) {
	return c.ask(ctx, call{request: &c.factory.language.Verify, values: scope{"limit": int64(1), "page": int64(1), "offset": int64(0), "columns": c.factory.language.paths()}})
}

// Begin implements [bridge.Source].
func (s *Source) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	run, err := s.begin(ctx, since)
	if err != nil {
		return bridge.Run{}, fmt.Errorf("begin run: %w", err)
	}
	return run, nil
}

func (s *Source) begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	var from checkpoint
	if since != "" {
		var err error
		if from, err = parseCheckpoint(since); err != nil {
			return bridge.Run{}, err
		}
	}
	a, err := s.client.verify(ctx)
	if err != nil {
		return bridge.Run{}, err
	}
	s.client.pages.clear() // another run that began in the same second may have read them before this one began
	now := a.date(s.factory.deps.Clock.Now())
	l := s.factory.language
	if since != "" && l.Deletions.sweeps() && from.isOld(now, l.Deletions.every()) {
		since = ""
	}
	st := state{horizon: s.horizon(now), began: stamp.Microseconds(now), full: from.full}
	if since == "" && l.Deletions.sweeps() {
		st.full = now.Unix()
	}
	if l.Changes.Token != "" {
		st.full = now.Unix() // when the token of this run was given
	}
	run := bridge.Run{Since: since, State: st.encode()}
	if from.token == "" || since == "" {
		return run, nil
	}
	return s.beginAtToken(ctx, run, st, now)
}

// horizon returns the stamp up to which everything is visible (E2): the service's clock less the overlap, and a whole unit before that.
func (s *Source) horizon(now time.Time) int64 {
	u := s.factory.language.Updated
	return stamp.Microseconds(now.Add(-u.overlap()).Truncate(u.precision())) - 1
}

// sweeps reports whether a run over all contacts finds deletions.
func (d Deletions) sweeps() bool { return d.By == "sweep" || d.By == "request" && d.Every > 0 }

// every is how often all contacts are read.
func (d Deletions) every() time.Duration {
	if d.Every <= 0 {
		return 24 * time.Hour
	}
	return d.Every
}

// beginAtToken begins a run from a token of the service. One that it no longer takes gives an initial run.
func (s *Source) beginAtToken(ctx context.Context, run bridge.Run, st state, now time.Time) (bridge.Run, error) {
	w, err := s.newWalk(ctx, run, nil, 0)
	if err != nil {
		return bridge.Run{}, err
	}
	first, err := w.firstFlow()
	if bridge.CodeOf(err) == bridge.CodeInvalidOffset {
		return bridge.Run{State: st.encode()}, nil
	}
	if err != nil {
		return bridge.Run{}, err
	}
	if len(first.items) == 0 && !first.more && first.token != "" && w.since.isOld(now, renewToken) {
		st.token = first.token
		run.State = st.encode()
	}
	return run, nil
}

// renewToken is how old a token gets while nothing changes.
const renewToken = 12 * time.Hour

// firstFlow asks for the first page of the segment with a token, which the walk then finds in the cache.
func (w *walk) firstFlow() (*page, error) {
	w.at = place{segment: flow}
	p := w.f.asks("changes")
	w.at.page = p.reading.firstPage()
	return w.flowPage(p, w.at)
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		w, err := s.newWalk(ctx, run, after, limit)
		if err == nil {
			w.yield = yield
			err = w.read()
		}
		if w != nil && w.stopped {
			return
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(bridge.Change{}, fmt.Errorf("read contacts: %w", err))
		}
	}
}

// Checkpoint implements [bridge.Source].
func (s *Source) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	st, err := parseState(run.State)
	if err != nil {
		return run.Since
	}
	to, ok := s.reached(run, st, at, complete)
	if !ok {
		return run.Since
	}
	to.full = st.full
	if since, err := parseCheckpoint(run.Since); err == nil && run.Since != "" && to.token == "" && to.stamp < since.stamp {
		return run.Since // never back
	}
	return to.format()
}

// reached returns up to where everything was read; false if that is where the run began.
func (s *Source) reached(run bridge.Run, st state, at bridge.Position, complete bool) (checkpoint, bool) {
	horizon := checkpoint{stamp: st.horizon}
	tokens := s.factory.language.Changes.Token != ""
	if l := s.factory.language; run.Initial() && !l.List.IsZero() && l.List.Token == "" {
		tokens = false // the first token comes with the changes
	}
	if len(at) == 0 {
		switch {
		case tokens && complete:
			return checkpoint{token: st.token}, st.token != ""
		case !complete || !run.Initial():
			return checkpoint{}, false
		}
		return horizon, true
	}
	p, err := parsePlace(at)
	switch {
	case err != nil:
		return checkpoint{}, false
	case tokens:
		return checkpoint{token: p.token}, complete && p.token != ""
	case p.segment == settled && p.gone && complete:
		return horizon, true
	case p.segment == settled && p.among:
		return checkpoint{stamp: p.stamp - 1}, true
	case p.segment == settled:
		return checkpoint{stamp: p.stamp, id: p.id}, true
	case p.segment == fresh:
		return horizon, true
	case p.segment == flow && s.factory.language.isAscending() && !complete && p.stamp != 0:
		step := s.factory.language.Updated.precision().Microseconds()
		return checkpoint{stamp: min(floorDiv(p.stamp, step)*step-1, st.horizon)}, true
	case !complete:
		return checkpoint{}, false
	case p.segment == left && s.factory.language.isSorted():
		return horizon, true
	case p.segment == flow || p.segment == again || p.segment == left:
		return checkpoint{stamp: min(p.stamp, st.horizon)}, p.stamp != 0
	}
	return horizon, true
}

// Probe implements [bridge.Prober].
func (s *Source) Probe(ctx context.Context) error {
	if _, err := s.client.verify(ctx); err != nil {
		return fmt.Errorf("check credentials: %w", err)
	}
	return nil
}

// Check implements [source.Checker]: the first page of what a run reads can be read.
func (s *Source) Check(ctx context.Context) error {
	run, err := s.Begin(ctx, "")
	if err != nil {
		return fmt.Errorf("check source: %w", err)
	}
	for _, err := range s.Read(ctx, run, nil, 1) {
		if err != nil {
			return fmt.Errorf("check source: %w", err)
		}
		break
	}
	return nil
}

// Close implements [bridge.Source].
func (s *Source) Close() error {
	s.closed.Do(s.release)
	return nil
}
