package hub

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// DefaultLimits returns the limits of a run if its integration sets no others.
func DefaultLimits() registry.Limits {
	return registry.Limits{Pages: synchronizer.DefaultMaxPages, PageBytes: bridge.DefaultMaxBody, Timeout: bridge.DefaultTimeout, Run: 12 * time.Hour}
}

// DefaultCeilings returns the most that an integration's limits may be where the operator says nothing else.
func DefaultCeilings() registry.Limits {
	return registry.Limits{Pages: synchronizer.DefaultMaxPages, PageBytes: bridge.DefaultMaxBody, Timeout: time.Minute, Run: 24 * time.Hour}
}

func (h *Hub) ceilings() registry.Limits { return orElse(h.Options.Ceilings, DefaultCeilings()) }

// orElse returns l with the limits of otherwise where l has none.
func orElse(l, otherwise registry.Limits) registry.Limits {
	return registry.Limits{
		Pages: cmp.Or(l.Pages, otherwise.Pages), PageBytes: cmp.Or(l.PageBytes, otherwise.PageBytes),
		Timeout: cmp.Or(l.Timeout, otherwise.Timeout), Run: cmp.Or(l.Run, otherwise.Run),
	}
}

// within returns l with no limit beyond most.
func within(l, most registry.Limits) registry.Limits {
	return registry.Limits{
		Pages: min(l.Pages, most.Pages), PageBytes: min(l.PageBytes, most.PageBytes), Timeout: min(l.Timeout, most.Timeout), Run: min(l.Run, most.Run),
	}
}

// limitsOf returns the limits that an integration runs with: its own, or else the default ones, and never beyond the operator's
// ceilings, unless the operator's own file says so.
func (h *Hub) limitsOf(i registry.Integration) registry.Limits {
	l := orElse(i.Limits, within(DefaultLimits(), h.ceilings()))
	if i.Managed {
		return l
	}
	return within(l, h.ceilings())
}

// checkCeilings refuses limits beyond the operator's ceilings, except for the configuration file's. What was set before is not
// refused again: it does not work beyond them either.
func (h *Hub) checkCeilings(ctx context.Context, was, is registry.Limits) error {
	if a, _ := ActorOf(ctx); a.File {
		return nil
	}
	most := h.ceilings()
	for _, l := range []struct {
		name      string
		changed   bool
		beyond    bool
		said, may string
	}{
		{"pages", was.Pages != is.Pages, is.Pages > most.Pages, strconv.FormatInt(is.Pages, 10), strconv.FormatInt(most.Pages, 10)},
		{"page_bytes", was.PageBytes != is.PageBytes, is.PageBytes > most.PageBytes, bytesOf(is.PageBytes), bytesOf(most.PageBytes)},
		{"timeout", was.Timeout != is.Timeout, is.Timeout > most.Timeout, is.Timeout.String(), most.Timeout.String()},
		{"run", was.Run != is.Run, is.Run > most.Run, is.Run.String(), most.Run.String()},
	} {
		if l.changed && l.beyond {
			return &failure.Error{
				Code: failure.Invalid, Field: "limits." + l.name, Message: fmt.Sprintf("limits.%s of %s is more than this hub allows: %s", l.name, l.said, l.may),
				Hint: fmt.Sprintf("Choose %s or less. The hub's operator can raise limits.%s in its configuration file.", l.may, l.name),
			}
		}
	}
	return nil
}

func bytesOf(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
