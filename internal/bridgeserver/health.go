package bridgeserver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/source"
)

const (
	probeTimeout = 3 * time.Second
	readyFor     = 5 * time.Second // an answer is good for so long, however often it is asked
)

// health answers whether the process lives, and whether its endpoints could serve.
type health struct {
	endpoints []*endpoint
	clock     clock.Clock
	logger    *slog.Logger
	stopping  *atomic.Bool
	shows     func(*http.Request) bool // who may see which endpoints there are; nil: anyone

	mu     sync.Mutex // held while probing: who asks meanwhile waits for the same answer
	known  readiness
	probed time.Time
}

// A readiness is the answer of /readyz.
type readiness struct {
	Ready     bool                `json:"ready"`
	Message   string              `json:"message,omitempty"`
	Endpoints map[string]Standing `json:"endpoints,omitempty"` // not for strangers
}

// A Standing says how an endpoint stands.
type Standing struct {
	State   State       `json:"state"`
	Code    bridge.Code `json:"code,omitempty"`
	Message string      `json:"message,omitempty"`
	Hint    string      `json:"hint,omitempty"`
}

// A State is an endpoint's.
type State string

// The states of an endpoint.
const (
	Ready     State = "ready"
	NotReady  State = "not_ready"
	Unchecked State = "unchecked" // it cannot be tried
)

func newHealth(endpoints []*endpoint, clock clock.Clock, logger *slog.Logger, stopping *atomic.Bool) *health {
	return &health{endpoints: endpoints, clock: clock, logger: logger, stopping: stopping}
}

func (h *health) alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n"))
}

// ready answers 200 where every endpoint that can be tried can be read, 503 with the ones that cannot.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	known := h.readiness(context.WithoutCancel(r.Context())) // others wait for the same answer
	if h.stopping.Load() {
		known.Ready, known.Message = false, "the bridge is stopping"
	}
	if h.shows != nil && !h.shows(r) {
		known.Endpoints = nil
	}
	body, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		bridge.WriteError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !known.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(body, '\n'))
}

// readiness tries the endpoints, all at once, unless that was done a moment ago.
func (h *health) readiness(ctx context.Context) readiness {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.clock.Now(); !h.probed.IsZero() && now.Sub(h.probed) < readyFor {
		return h.known
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	found := make([]Standing, len(h.endpoints))
	var wait sync.WaitGroup
	for i, e := range h.endpoints {
		wait.Go(func() { found[i] = h.try(ctx, e) })
	}
	wait.Wait()
	known := readiness{Ready: true, Endpoints: map[string]Standing{}}
	for i, e := range h.endpoints {
		known.Endpoints[e.Name] = found[i]
		known.Ready = known.Ready && found[i].State != NotReady
	}
	h.known, h.probed = known, h.clock.Now()
	return known
}

// try opens an endpoint's source and asks it for the least there is.
func (h *health) try(ctx context.Context, e *endpoint) Standing {
	if e.Auth.Mode == config.AuthSource {
		return Standing{State: Unchecked, Message: "its source is opened with the credentials of each caller, so it cannot be tried without one"}
	}
	what, err := "source", probe(ctx, e.factory, e.Auth.Fields)
	if err == nil && e.agents != nil {
		what, err = "source of the agents", probe(ctx, e.agents, e.Auth.Fields)
	}
	if err == nil {
		return Standing{State: Ready}
	}
	h.logger.Warn("endpoint is not ready", "endpoint", e.Name, "code", bridge.CodeOf(err), "error", err)
	v := Standing{State: NotReady, Code: bridge.CodeOf(err), Message: "the " + what + " cannot be read; the log says why"}
	if known := failure.Of(err); known.Code != "" {
		v.Message, v.Hint = known.Message, known.Hint
		if what != "source" {
			v.Message = what + ": " + v.Message
		}
	} else if errors.Is(err, context.DeadlineExceeded) {
		v.Code, v.Message = bridge.CodeSourceTimeout, "the "+what+" does not answer in time"
	}
	return v
}

// probe asks whether a run could begin. The source is opened past the count of those that callers opened.
func probe(ctx context.Context, factory source.Factory, auth bridge.Auth) (err error) {
	src, err := factory.Open(ctx, auth)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if checker, ok := src.(source.Checker); ok {
		return checker.Check(ctx)
	}
	_, err = src.Begin(ctx, "")
	return err
}
