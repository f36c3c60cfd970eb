package synchronizer

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/contactbridge/contactbridge/bridge"
)

// A Retry says how often a failed request is repeated, and when. Pauses double from First to Longest, give or take a half,
// so that many synchronizers do not come back at once. A bridge that says Retry-After is never asked earlier; where it asks
// for more time than is left, the run ends and the error says when to try again.
type Retry struct {
	Attempts int           // requests for one page, the first included; 0 means 6, 1 means no retry
	Within   time.Duration // time for one page's attempts and pauses; 0 means 5 minutes
	First    time.Duration // pause before the second attempt; 0 means 500 ms
	Longest  time.Duration // pause; 0 means 30 s
}

func (r Retry) withDefaults() Retry {
	if r.Attempts <= 0 {
		r.Attempts = 6
	}
	if r.Within <= 0 {
		r.Within = 5 * time.Minute
	}
	if r.First <= 0 {
		r.First = 500 * time.Millisecond
	}
	if r.Longest <= 0 {
		r.Longest = 30 * time.Second
	}
	return r
}

// ask asks for one page, again where that can help.
func (p *pass) ask(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
	pauses := p.opts.Retry.pauses()
	deadline := time.Now().Add(p.opts.Retry.Within)
	for attempt := 1; ; attempt++ {
		page, err := p.Bridge.Page(ctx, q)
		if err == nil {
			return page, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !bridge.Retryable(err) {
			return nil, err
		}
		pause := max(pauses.NextBackOff(), patience(bridge.RetryAfter(err)))
		if attempt >= p.opts.Retry.Attempts || time.Now().Add(pause).After(deadline) {
			return nil, &exhausted{attempts: attempt, err: err}
		}
		p.tell(Event{Kind: Retrying, Err: err, Attempt: attempt, Attempts: p.opts.Retry.Attempts, Wait: pause})
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func (r Retry) pauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = r.First, r.Longest, 2
	b.Reset()
	return b
}

// patience is a Retry-After and up to a tenth more.
func patience(after time.Duration) time.Duration {
	if after <= 0 {
		return 0
	}
	return after + rand.N(after/10+1)
}
