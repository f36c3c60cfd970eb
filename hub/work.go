package hub

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/sync/errgroup"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/telemetry"
)

const (
	tickEvery    = time.Second      // how often a worker looks for what is due
	claimHold    = 15 * time.Second // a worker without a sign of life for so long has died
	slotPause    = 2 * time.Second  // before a run is tried again that its account or its bridge's host has no place for
	housekeeping = time.Hour
	keepEvents   = 7 * 24 * time.Hour
)

// A Dispatcher brings claims of due integrations to workers of any process, which hand them to [Hub.RunClaim]. Without one a hub
// works on what it claims itself.
type Dispatcher interface {
	// Dispatch goes on until ctx is done, and returns when no run of this process is under way any more.
	Dispatch(ctx context.Context, h *Hub) error
}

// Work runs what is due until ctx is done, then waits for the runs under way to stop at a page's end: schedules, retries,
// take-over, events, webhooks, pruning.
func (h *Hub) Work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	dispatch := h.dispatch
	if d := h.Dispatcher; d != nil {
		dispatch = func(ctx context.Context) error { return d.Dispatch(ctx, h) }
	}
	group.Go(func() error { return dispatch(ctx) })
	group.Go(func() error { h.deliverAll(ctx); return nil })
	group.Go(func() error { h.every(ctx, removalEvery, "finish what is being removed", h.finishRemovals); return nil })
	group.Go(func() error { h.every(ctx, housekeeping, "keep house", h.keepHouse); return nil })
	if h.Options.Alerts != nil {
		group.Go(func() error {
			h.every(ctx, h.Options.Alerts.interval(), "look for what is wrong with integrations", h.checkAlerts)
			return nil
		})
	}
	return group.Wait()
}

// every does something at once and then again and again until ctx is done. What fails is tried again next time.
func (h *Hub) every(ctx context.Context, interval time.Duration, what string, do func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			h.seldom().Error("could not "+what, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// dispatch claims what is due and runs it in this process.
func (h *Hub) dispatch(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	room := make(chan struct{}, h.Workers())
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		for _, c := range h.claim(ctx, cap(room)-len(room)) {
			room <- struct{}{}
			running.Go(func() {
				defer func() { <-room; h.wake() }()
				h.RunClaim(ctx, c)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-h.waking():
		}
	}
}

// claim takes what is due, as far as there are places for it.
func (h *Hub) claim(ctx context.Context, room int) []registry.Claim {
	most := h.share(ctx)
	claims, err := h.Claim(ctx, min(room, h.slots.free(most)), claimHold, h.slots.full(most)...)
	if err != nil && ctx.Err() == nil {
		h.seldom().Error("could not look for what is due", "error", err)
	}
	return claims
}

// Claim is [registry.DB.Claim] for this process: less, or nothing for a while, where the databases cannot be written.
func (h *Hub) Claim(ctx context.Context, limit int, hold time.Duration, except ...string) ([]registry.Claim, error) {
	claims, err := h.Registry.Claim(ctx, h.Name(), h.storage.room(h.now(), limit), hold, except...)
	if err != nil && ctx.Err() == nil && ownFault(err) {
		h.storageFailed(err)
	}
	return claims, err
}

// Workers is how many runs this process does at once.
func (h *Hub) Workers() int {
	if h.Options.Workers > 0 {
		return h.Options.Workers
	}
	return 8
}

func (h *Hub) perHost() int {
	if h.Options.PerHost > 0 {
		return h.Options.PerHost
	}
	return 4
}

// Name is this process's among those on one database.
func (h *Hub) Name() string {
	if h.Options.Name != "" {
		return h.Options.Name
	}
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// RunClaim does the run that a claim is for and gives the claim back, at once where there is no place for it. What goes wrong is
// in the integration's status, its runs and the log. It returns early, at a page's end, when ctx is done; then the claim is
// another worker's at once.
func (h *Hub) RunClaim(ctx context.Context, c registry.Claim) {
	ctx, end := telemetry.Begin(ctx, "run", "contactbridge.account", c.Account, "contactbridge.integration", c.Key.Integration)
	defer end()
	host := h.hostOf(ctx, c.Integration)
	if h.storage.room(h.now(), 1) == 0 || !h.slots.enter(c.Account, host, h.share(ctx), false) {
		h.release(ctx, c, result{undone: true, Outcome: registry.Outcome{
			Health: c.Status.Health, Problem: c.Status.Problem, Failures: c.Status.Failures, Due: h.now().Add(slotPause),
		}})
		return
	}
	defer h.slots.leave(c.Account, host, false)
	r := h.run(ctx, c)
	if r.Problem != nil && r.Problem != c.Status.Problem { // a new one
		telemetry.Failed(ctx, r.Problem.Code)
	}
	h.release(ctx, c, r)
}

// release gives a claim back, even where ctx is done. What was asked for is asked again where it was not done.
func (h *Hub) release(ctx context.Context, c registry.Claim, r result) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if r.undone {
		r.Again = c.Status.Asked
		if r.begun {
			r.Again = halfDone(r.Again)
		}
	}
	err := h.Registry.Release(ctx, c, r.Outcome)
	if err == nil && r.Health == registry.HealthGuarded {
		err = h.settle(ctx, c.Key)
	}
	if err != nil && !errors.Is(err, registry.ErrClaimLost) && !errors.Is(err, registry.ErrNotFound) {
		if ownFault(err) {
			h.storageFailed(err)
		}
		h.log().Error("could not give an integration back", "account", c.Account, "integration", c.Key.Integration, "error", err)
	}
}

// hostOf is the host that an integration's bridge runs on, its placeholders filled in. Where that cannot be known, the run
// will say why, and counts for itself.
func (h *Hub) hostOf(ctx context.Context, i registry.Integration) string {
	if i.Source != "" {
		return registry.Owner(i.Key)
	}
	address := i.Bridge
	if placeholder.MatchString(address) {
		given, err := h.Registry.Auth(ctx, i.Key)
		if err != nil {
			return registry.Owner(i.Key)
		}
		values, err := authValues(i, given)
		if err != nil {
			return registry.Owner(i.Key)
		}
		if address, err = fill(address, values); err != nil {
			return registry.Owner(i.Key)
		}
	}
	return hostOf(address)
}

// hostOf is an address's host, and nothing else of it: the rest may hold a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// next is when an integration runs after a time by its schedule; zero where it does not by itself.
//
// Each integration has a phase of its own within its interval, so that those that were added together do not run together.
func next(s registry.Schedule, key directory.Key, zone *time.Location, now time.Time) time.Time {
	switch {
	case s.Off:
		return time.Time{}
	case s.Cron != "":
		plan, err := cron.ParseStandard(s.Cron)
		if err != nil {
			return time.Time{} // it was checked when it was set
		}
		return plan.Next(now.In(zone)).UTC()
	}
	every := s.Every
	if every <= 0 {
		every = registry.DefaultEvery
	}
	// In whole microseconds, as databases keep times: a time that was cut off would come before its own slot.
	phase := time.Duration(hash(key) % uint64(every)).Truncate(time.Microsecond)
	slot := now.Truncate(every).Add(phase)
	if !slot.After(now) {
		slot = slot.Add(every)
	}
	return slot
}

func hash(key directory.Key) uint64 {
	f := fnv.New64a()
	f.Write([]byte(key.Account + "\x00" + key.Integration)) // never fails
	return f.Sum64()
}

// interval is about how far a schedule's runs are apart.
func interval(s registry.Schedule, key directory.Key, zone *time.Location, now time.Time) time.Duration {
	first := next(s, key, zone, now)
	if first.IsZero() {
		return registry.DefaultEvery
	}
	return next(s, key, zone, first).Sub(first)
}

// keepRight is the right to keep house, which one process has for nearly as long as it is kept: all accounts are read for it.
const (
	keepRight = "housekeeping"
	keepHold  = housekeeping - time.Minute
)

// keepHouse counts contacts for the charts, and deletes history that is kept no longer. One process does, once an hour.
func (h *Hub) keepHouse(ctx context.Context) error {
	has, err := h.Registry.Hold(ctx, keepRight, h.Name(), keepHold)
	if err != nil || !has {
		return err
	}
	err = h.clean(ctx)
	if err != nil {
		err = errors.Join(err, h.Registry.Free(context.WithoutCancel(ctx), keepRight, h.Name())) // another process may
	}
	return err
}

// clean counts contacts for the charts, and deletes history that is kept no longer.
func (h *Hub) clean(ctx context.Context) error {
	now := h.now().UTC()
	states, err := h.store.States(ctx, "")
	if err != nil {
		return fmt.Errorf("count the contacts: %w", err)
	}
	contacts := map[string]int64{}
	for _, s := range states {
		contacts[s.Account] += s.Contacts
	}
	samples := make([]registry.Sample, 0, len(contacts))
	for account, n := range contacts {
		samples = append(samples, registry.Sample{Day: now.Truncate(24 * time.Hour), Account: account, Contacts: n})
	}
	if err := h.Registry.PutSamples(ctx, samples...); err != nil {
		return fmt.Errorf("keep the number of contacts: %w", err)
	}
	keep := h.Options.KeepRuns
	if keep <= 0 {
		keep = 90 * 24 * time.Hour
	}
	if err := h.store.CompleteSearch(ctx, directory.Key{}); err != nil {
		return fmt.Errorf("complete the search index: %w", err)
	}
	if _, err := h.store.Prune(ctx, now.Add(-keep)); err != nil {
		return fmt.Errorf("delete old runs: %w", err)
	}
	if err := h.Registry.PruneFiles(ctx); err != nil {
		return err
	}
	if err := h.Registry.PruneRunLogs(ctx, now.Add(-keep)); err != nil {
		return fmt.Errorf("delete old logs of runs: %w", err)
	}
	if err := h.Registry.Prune(ctx, now.Add(-min(keep, keepEvents))); err != nil {
		return fmt.Errorf("delete old events: %w", err)
	}
	if err := h.Registry.PruneReaders(ctx, now.Add(-keepReaders)); err != nil {
		return fmt.Errorf("forget who read phonebooks: %w", err)
	}
	if err := h.forgetOldCalls(ctx); err != nil {
		return fmt.Errorf("delete old look-ups: %w", err)
	}
	return nil
}
