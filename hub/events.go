package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// Kinds of event, which webhooks may choose from.
var eventKinds = []string{
	"run.finished", "run.failed", "run.cancelled", "integration.broken", "integration.guarded", "integration.mended", "agents.failed", "contact.purged", "webhook.disabled",
}

// EventKinds are the kinds of event that a hub tells of.
func EventKinds() []string { return slices.Clone(eventKinds) }

// event keeps an event, for webhooks and listeners. What it tells of has happened whether or not it can be kept.
func (h *Hub) event(ctx context.Context, kind, account, subject string, data any) {
	text, err := json.Marshal(data)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = h.Registry.AddEvent(ctx, &registry.Event{Kind: kind, Account: account, Subject: subject, Data: text})
	}
	if err != nil {
		h.log().Error("could not keep an event", "kind", kind, "account", account, "subject", subject, "error", err)
	}
	h.announce()
}

// Events lists events, ascending, that the actor may see.
func (h *Hub) Events(ctx context.Context, f registry.Filter) ([]registry.Event, error) {
	if f.Account != "" {
		if err := permitAny(ctx, f.Account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
			return nil, err
		}
	}
	events, err := ofAccounts(ctx, f.Account, readable, func(account string) ([]registry.Event, error) {
		f := f
		f.Account = account
		return h.Registry.Events(ctx, f)
	})
	slices.SortFunc(events, func(a, b registry.Event) int { return cmp.Compare(a.ID, b.ID) })
	return events[:min(len(events), cmp.Or(max(f.Limit, 0), 100))], err
}

// listeners are told that there may be something new.
type listeners struct {
	mu   sync.Mutex
	all  map[chan struct{}]bool
	stop context.CancelFunc // of the one that looks for other processes' events; nil: no listener
}

const pollEvery = time.Second

// Subscribe returns a channel that gets a value when there may be new events, this process's at once and others' within a
// second, until ctx is done. While there is a listener, revocations of other processes are heard of as soon: see [registry.DB.Revoked].
func (h *Hub) Subscribe(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	l := &h.listeners
	l.mu.Lock()
	if l.all == nil {
		l.all = map[chan struct{}]bool{}
	}
	l.all[c] = true
	if l.stop == nil {
		var polling context.Context
		polling, l.stop = context.WithCancel(context.WithoutCancel(ctx))
		go h.poll(polling)
	}
	l.mu.Unlock()
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, c)
		if len(l.all) == 0 && l.stop != nil {
			l.stop()
			l.stop = nil
		}
	})
	return c
}

// announce wakes the listeners, and waits for none: one waiting value says all.
func (h *Hub) announce() {
	h.listeners.mu.Lock()
	defer h.listeners.mu.Unlock()
	for c := range h.listeners.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// poll looks for other processes' events while there is a listener.
func (h *Hub) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, _ = h.Registry.Revocations(ctx) // it tells who waits for one; a database that is away is asked again
		if newest, err := h.Registry.LastEvent(ctx); err == nil && newest != last {
			last = newest
			h.announce()
		}
	}
}
