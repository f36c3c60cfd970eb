package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// Why a run was stopped from outside.
var (
	errCancelled = errors.New("the run was cancelled")
	errTakenOver = errors.New("another worker has the integration now")
	errTooLong   = errors.New("the run took longer than its limit")
)

// brokenAfter is how many runs in a row may fail for a reason that does not mend itself before the bridge is left alone.
const brokenAfter = 3

// A result is the outcome of a claim; a request that was not carried out is still to be done.
type result struct {
	registry.Outcome
	undone bool
	begun  bool // and the run is half done
}

// run does one run and says what came of it.
func (h *Hub) run(ctx context.Context, c registry.Claim) result {
	began := h.now()
	account, err := h.Registry.Account(ctx, c.Account)
	if err != nil {
		return h.failed(ctx, c, time.UTC, synchronizer.Report{}, stopped(ctx, err))
	}
	zone, err := time.LoadLocation(account.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	given, err := h.configure(ctx, &c)
	if err == nil {
		given, err = h.complete(ctx, c.Integration, given)
	}
	if err != nil {
		return h.failed(ctx, c, zone, synchronizer.Report{}, stopped(ctx, err))
	}
	outer := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, h.limitsOf(c.Integration).Run, errTooLong)
	defer cancel()
	h.working.add(c.Key, stop)
	defer h.working.remove(c.Key)
	watched := make(chan struct{})
	go func() { defer close(watched); h.keepClaim(ctx, c, stop) }()
	synchronize := h.Synchronize
	if synchronize == nil {
		synchronize = h.synchronize
	}
	report, err := synchronize(ctx, c, given, account.Region)
	if _, held := errors.AsType[*directory.GuardedError](err); err == nil || held {
		h.synchronizeAgents(ctx, c, given)
	}
	stop(nil)
	<-watched
	h.endLog(outer, c.Key, err, context.Cause(ctx))
	h.observe(ctx, c.Key)
	h.forgetProgress(c.Key)
	if errors.Is(context.Cause(ctx), errTakenOver) {
		h.sweepLost(outer, c.Key)
	}
	if err != nil {
		return h.failed(ctx, c, zone, report, stopped(outer, err))
	}
	h.storageWorks()
	return result{Outcome: h.finished(ctx, c, zone, began, report)}
}

// sweepLost removes what a run stored of an integration that was removed while this process slept: its claim was lost by that.
func (h *Hub) sweepLost(ctx context.Context, key directory.Key) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	if _, err := h.Registry.Integration(ctx, key); !errors.Is(err, registry.ErrNotFound) {
		return
	}
	if err := h.sweep(ctx, key); err != nil {
		h.log().Warn("could not remove what was stored of an integration that was removed", "account", key.Account, "integration", key.Integration, "error", err)
	}
}

// observe tells its listeners how the run ended.
func (h *Hub) observe(ctx context.Context, key directory.Key) {
	if h.Observe == nil {
		return
	}
	runs, err := h.store.Runs(context.WithoutCancel(ctx), key, 0, 1)
	if err == nil && len(runs) == 1 && runs[0].State != directory.Running {
		h.Observe(runs[0])
	}
}

// keepClaim shows a sign of life until ctx is done, and stops the run if a user asks for that or another worker has it.
func (h *Hub) keepClaim(ctx context.Context, c registry.Claim, stop context.CancelCauseFunc) {
	tick := time.NewTicker(claimHold / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ask, err := h.Registry.Renew(ctx, c, claimHold)
		switch {
		case errors.Is(err, registry.ErrClaimLost), errors.Is(err, registry.ErrNotFound):
			stop(errTakenOver)
		case err != nil && ctx.Err() == nil:
			h.log().Warn("could not show a sign of life", "account", c.Account, "integration", c.Key.Integration, "error", err)
		case err == nil && ask.Cancel:
			stop(errCancelled)
		}
		h.keepLogs(ctx, c.Key)
	}
}

// configure puts into a claim how its integration is configured now, and returns the auth values of the same moment: what the claim
// tells may be from before a change: its credentials are not for the claim's address.
func (h *Hub) configure(ctx context.Context, c *registry.Claim) (map[string]string, error) {
	i, given, err := h.Registry.Configured(ctx, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read the configuration and open the credentials: %w", err)
	}
	i.Status = c.Status
	c.Integration = i
	return given, nil
}

func (h *Hub) synchronize(ctx context.Context, c registry.Claim, given map[string]string, region string) (synchronizer.Report, error) {
	b, err := h.dial(ctx, c.Integration, given, true)
	if err != nil {
		return synchronizer.Report{}, err
	}
	settings, err := h.settings(ctx, c.Integration, given, region)
	if err != nil {
		return synchronizer.Report{}, err
	}
	full, err := h.wantsFull(ctx, c)
	if err != nil {
		return synchronizer.Report{}, err
	}
	s := &synchronizer.Synchronizer{
		Bridge: b, Store: h.store, Progress: h.progress, Background: h.Background,
		Hint:    func(err error) string { return problemOf(err, h.now()).Hint },
		Numbers: func(phones []string) []directory.Number { return caller.Numbers(phones, region) }, Reading: caller.Reading(region),
	}
	return s.Run(ctx, c.Key, synchronizer.Options{
		Full: full, Guard: c.Guard, MaxPages: h.limitsOf(c.Integration).Pages,
		Settings: settings,
		Retry:    synchronizer.Retry{Attempts: 4, Within: 2 * time.Minute},
	})
}

// wantsFull reports whether the run starts from nothing. A full run that a user asks for is a new one: what was read before is
// what they do not trust. One that is due, or that is tried again, goes on with a half-done run, which reads everything as well.
func (h *Hub) wantsFull(ctx context.Context, c registry.Claim) (bool, error) {
	full := cmp.Or(c.Schedule.Full, registry.DefaultFull)
	old := full > 0 && !c.Status.LastFull.IsZero() && h.now().Sub(c.Status.LastFull) >= full
	switch asked := c.Status.Asked; {
	case asked.Full && !asked.Resume:
		return true, nil
	case !asked.Full && !old:
		return false, nil
	}
	state, err := h.store.State(ctx, c.Key)
	if err != nil {
		return false, err
	}
	last := state.LastRun
	halfDone := last != nil && last.Kind == directory.Initial && (last.State == directory.Failed || last.State == directory.Running) && last.Pages > 0
	return !halfDone || h.now().Sub(last.Updated) >= synchronizer.DefaultFreshFor, nil
}

// finished is the outcome of a complete run.
func (h *Hub) finished(ctx context.Context, c registry.Claim, zone *time.Location, began time.Time, r synchronizer.Report) registry.Outcome {
	o := registry.Outcome{Fresh: began, Due: next(c.Schedule, c.Key, zone, h.now())}
	var err error
	if o.Health, o.Problem, err = h.waiting(context.WithoutCancel(ctx), c.Key, c.Status); err != nil {
		h.log().Error("could not read which deletions wait", "account", c.Account, "integration", c.Key.Integration, "error", err)
		o.Health, o.Problem = c.Status.Health, c.Status.Problem
	}
	h.readAll(c, r, began, &o)
	h.log().Info("run finished", "account", c.Account, "integration", c.Key.Integration, "kind", r.Kind, "pages", r.Pages, "contacts", r.Contacts,
		"created", r.Created, "updated", r.Updated, "deleted", r.Deleted, "rejected", r.Rejected, "judged", r.Judged, "doubt", string(r.Doubt), "seconds", r.Seconds)
	h.event(ctx, "run.finished", c.Account, c.Key.Integration, r)
	if was := c.Status.Health; was == registry.HealthBroken || was == registry.HealthFailing && c.Status.Failures >= brokenAfter {
		h.event(ctx, "integration.mended", c.Account, c.Key.Integration, map[string]any{"failures": c.Status.Failures})
	}
	return o
}

// readAll notes a run that read everything. One that was asked for and could not tell who is gone, because it was interrupted
// or its offsets were refused, is still asked for: another one can.
func (h *Hub) readAll(c registry.Claim, r synchronizer.Report, began time.Time, o *registry.Outcome) {
	last := r
	if r.CatchUp != nil && r.CatchUp.Kind == directory.Initial {
		last = *r.CatchUp
	}
	again := last.Doubt == directory.DoubtInterrupted || last.Doubt == directory.DoubtRefused
	switch {
	case last.Kind == directory.Initial && (!again || c.Status.LastFull.IsZero() && !c.Status.Asked.Full):
		o.LastFull = began
	case c.Status.Asked.Full:
		o.Again = registry.Ask{Run: true, Full: true}
		if o.Due.IsZero() { // it has no schedule
			o.Due = h.now().Add(registry.DefaultEvery)
		}
	}
}

// failed returns the result of a run that could not go on.
func (h *Hub) failed(ctx context.Context, c registry.Claim, zone *time.Location, r synchronizer.Report, err error) result {
	now, cause := h.now(), context.Cause(ctx)
	same := result{Outcome: registry.Outcome{Health: c.Status.Health, Problem: c.Status.Problem, Failures: c.Status.Failures}, undone: true}
	_, guarded := errors.AsType[*directory.GuardedError](err)
	switch {
	case errors.Is(cause, errCancelled):
		same.undone, same.Due = false, next(c.Schedule, c.Key, zone, now)
		h.event(ctx, "run.cancelled", c.Account, c.Key.Integration, r)
		return same
	case errors.Is(cause, errTakenOver):
		return same // its release is refused
	case errors.Is(err, registry.ErrNotFound):
		same.undone = false
		return same // it is being removed
	case errors.Is(err, directory.ErrUnderWay), errors.Is(err, directory.ErrLeaseLost), errors.Is(err, directory.ErrOutOfOrder):
		same.Due = now.Add(synchronizer.DefaultLease)
		return same
	case guarded:
		return result{Outcome: h.guarded(ctx, c, zone, r, err)}
	case errors.Is(cause, errTooLong):
		return result{Outcome: h.failing(ctx, c, zone, r, tooLong(h.limitsOf(c.Integration).Run))}
	case interrupted(err): // this process ends: another one goes on at once
		same.Due, same.begun = now, true
		return same
	}
	return result{Outcome: h.failing(ctx, c, zone, r, err)}
}

func tooLong(limit time.Duration) error {
	return &failure.Error{
		Code: "too_long", Message: "the run took longer than " + limit.String(),
		Hint: "The next one goes on where it stopped. If this happens often, raise the limit.",
	}
}

// failing is the outcome of a run that failed by itself: it is tried again later, or not any more.
func (h *Hub) failing(ctx context.Context, c registry.Claim, zone *time.Location, r synchronizer.Report, err error) registry.Outcome {
	now := h.now()
	o := registry.Outcome{Health: registry.HealthFailing, Failures: c.Status.Failures + 1, Problem: problemOf(err, now)}
	if p := c.Status.Problem; p != nil && p.Code == o.Problem.Code {
		o.Problem.Since = p.Since
	}
	h.log().Warn("run failed", "account", c.Account, "integration", c.Key.Integration, "code", o.Problem.Code, "error", o.Problem.Message, "hint", o.Problem.Hint, "failures", o.Failures)
	h.event(ctx, "run.failed", c.Account, c.Key.Integration, map[string]any{"problem": o.Problem, "failures": o.Failures, "report": r})
	if ownFault(err) { // it is not the bridge's
		o.Due, o.Again = h.storageFailed(err), halfDone(c.Status.Asked)
		h.storage.hits(c.Key, o.Problem)
		return o
	}
	if r.State == directory.Failed && r.Pages > 0 {
		h.storageWorks()
	}
	if hopeless(err, o.Failures) {
		o.Health, o.Again = registry.HealthBroken, halfDone(c.Status.Asked) // it is done when it is mended
		if c.Status.Health != registry.HealthBroken {
			h.event(ctx, "integration.broken", c.Account, c.Key.Integration, o.Problem)
		}
		return o
	}
	o.Due, o.Again = now.Add(h.patience(c, zone, now, o.Failures, bridge.RetryAfter(err))), halfDone(c.Status.Asked)
	if failure.Code(o.Problem.Code) == bridge.CodeInvalidCheckpoint && !c.Status.Asked.Full {
		// Nothing is lost by starting over, and no user needs to be asked.
		o.Due, o.Again.Full = now, true
	}
	return o
}

// halfDone returns what is still asked for of a run that could not go on.
func halfDone(asked registry.Ask) registry.Ask {
	asked.Resume = asked.Full
	return asked
}

// stopped returns the error that ended a run, marked if the process ends: a database's driver may report that in words of its own.
func stopped(process context.Context, err error) error {
	if process.Err() == nil {
		return err
	}
	return errors.Join(err, context.Canceled)
}

func interrupted(err error) bool {
	return failure.Of(err).Code == synchronizer.CodeInterrupted || errors.Is(err, context.Canceled)
}

// guarded returns the outcome of a complete run with deletions that wait for a decision (D9). Everything else of it was stored.
func (h *Hub) guarded(ctx context.Context, c registry.Claim, zone *time.Location, r synchronizer.Report, err error) registry.Outcome {
	p := problemOf(err, h.now())
	p.Code = string(registry.HealthGuarded)
	h.log().Warn("deletions wait for a decision", "account", c.Account, "integration", c.Key.Integration, "error", p.Message)
	h.event(ctx, "integration.guarded", c.Account, c.Key.Integration, p)
	began := h.now().Add(-time.Duration(r.Seconds * float64(time.Second)))
	o := registry.Outcome{Health: registry.HealthGuarded, Problem: p, Fresh: began, Due: next(c.Schedule, c.Key, zone, h.now())}
	h.readAll(c, r, began, &o)
	return o
}

// problemOf says what went wrong and what to do.
func problemOf(err error, now time.Time) *registry.Problem {
	p := &registry.Problem{Code: string(bridge.CodeOf(err)), Message: err.Error(), Hint: failure.Of(err).Hint, Since: now}
	if guarded, ok := errors.AsType[*directory.GuardedError](err); ok {
		p.Hint = guarded.Explain().Hint // the synchronizer's is for its command line
	}
	if ownFault(err) {
		p.Code, p.Hint = "storage", "Make room on the disk of the hub's database, or make it writable. The hub tries again by itself."
	}
	return p
}

// hopeless reports whether trying again would be hammering: credentials that are wrong are wrong at once, other answers after
// some times.
func hopeless(err error, failures int) bool {
	answer, ok := errors.AsType[*bridge.Error](err)
	switch failure.Of(err).Code {
	case failure.Invalid, outbound.CodeRefused: // the integration's or the hub's own configuration
		return true
	case bridge.CodeInvalidOffset, bridge.CodeInvalidCheckpoint: // the next run starts over
		return false
	case bridge.CodeLoop:
		return failures >= brokenAfter
	case bridge.CodeUnauthorized:
		if ok && answer.Status != http.StatusForbidden {
			return true
		}
	}
	// A 403 may be a firewall's that is in a mood for a minute.
	return ok && !bridge.Retryable(err) && failures >= brokenAfter
}

// patience is how long a failed integration is left alone: longer each time, up to its schedule's interval, never shorter than
// the bridge asks for.
func (h *Hub) patience(c registry.Claim, zone *time.Location, now time.Time, failures int, asked time.Duration) time.Duration {
	first := cmp.Or(h.Options.RetryFirst, 30*time.Second)
	longest := max(first, interval(c.Schedule, c.Key, zone, now))
	pause := time.Duration(math.Min(float64(first)*math.Pow(2, float64(min(failures, 30)-1)), float64(longest)))
	pause += rand.N(pause/5 + 1)
	return max(pause, min(asked, 24*time.Hour))
}
