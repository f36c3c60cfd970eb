package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const mostShown = 100

// badness orders the states of health, the worst first.
var badness = map[registry.Health]int{registry.HealthBroken: 0, registry.HealthGuarded: 1, registry.HealthFailing: 2, registry.HealthNew: 3, registry.HealthOK: 4}

// Overview sums up an account; everything where account is empty.
func (h *Hub) Overview(ctx context.Context, account string) (Overview, error) {
	views, err := h.Integrations(ctx, account, directory.Key{}, 0)
	if err != nil {
		return Overview{}, err
	}
	o := Overview{Integrations: len(views), ByHealth: map[registry.Health]int{}}
	for _, v := range views {
		o.Contacts += v.State.Contacts
		o.ByHealth[v.Status.Health]++
		if badness[v.Status.Health] <= badness[registry.HealthFailing] {
			o.Attention = append(o.Attention, v)
		} else {
			o.Stalest = append(o.Stalest, v)
		}
	}
	slices.SortStableFunc(o.Attention, func(a, b IntegrationView) int { return badness[a.Status.Health] - badness[b.Status.Health] })
	slices.SortStableFunc(o.Stalest, func(a, b IntegrationView) int { return a.Status.Fresh.Compare(b.Status.Fresh) })
	o.Attention = o.Attention[:min(len(o.Attention), mostShown)]
	o.Stalest = o.Stalest[:min(len(o.Stalest), mostShown)]
	return o, nil
}

// Samples lists how many contacts an account had, by day.
func (h *Hub) Samples(ctx context.Context, account string, since time.Time) ([]registry.Sample, error) {
	if err := permitAny(ctx, account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return nil, err
	}
	return h.Registry.Samples(ctx, account, since)
}

// Ready reports whether the databases answer, and whether runs can write to them: [Hub.Writable].
func (h *Hub) Ready(ctx context.Context) error {
	if err := h.Writable(); err != nil {
		return err
	}
	if err := h.Registry.Ping(ctx); err != nil {
		return fmt.Errorf("ask the registry: %w", err)
	}
	if _, err := h.store.State(ctx, directory.Key{}); err != nil {
		return fmt.Errorf("ask the directory: %w", err)
	}
	return nil
}
