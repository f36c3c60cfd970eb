// Package exchange is one request and its answer as the hub's log, metrics and error bodies know them. It never holds what
// was asked for: paths and queries may hold numbers of people, and tokens.
package exchange

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// An Exchange is one request and its answer. It is the request's ResponseWriter.
type Exchange struct {
	http.ResponseWriter

	ID      string // the request's, as in the X-Request-Id header
	Method  string
	Route   string // the pattern that served it, such as /api/v1/callers/{number}; empty: none did
	Account string // that it was about; empty: none, or many
	Actor   string // who asked: "token pbx"; empty: unknown
	Reason  string // why a telephone system was answered as it was, in one word; empty: none asked, or it was refused
	Status  int    // of the answer; 0 before there is one
	Err     error  // what went wrong, for the log; nil: nothing that the caller was not told
	Took    time.Duration

	host    string
	secure  bool
	started time.Time
}

// Base is where the request went: scheme and host, as its sender wrote them.
func (x *Exchange) Base() string {
	if x.secure {
		return "https://" + x.host
	}
	return "http://" + x.host
}

type contextKey struct{}

// Of is the exchange that a context belongs to. Outside of one it returns an empty exchange, which is not read.
func Of(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(contextKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{}
}

// Detach gives a context an exchange of its own, for work that may go on when its request is over.
func Detach(ctx context.Context) (context.Context, *Exchange) {
	x := &Exchange{ID: Of(ctx).ID}
	return context.WithValue(ctx, contextKey{}, x), x
}

// Attach tells the request's exchange what was learnt in a detached one.
func (x *Exchange) Attach(to *Exchange) {
	to.Account, to.Actor, to.Err = x.Account, x.Actor, x.Err
}

// WriteHeader notes the status.
func (x *Exchange) WriteHeader(status int) {
	if x.Status == 0 {
		x.Status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun.
func (x *Exchange) Write(b []byte) (int, error) {
	if x.Status == 0 {
		x.Status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// A Recorder makes an exchange of every request, and logs and observes it when it is over.
type Recorder struct {
	Next    http.Handler
	Logger  *slog.Logger    // nil logs nothing
	Observe func(*Exchange) // nil: not observed
	Quiet   map[string]bool // routes that are logged at the debug level while all is well: they are asked every few seconds
}

// ServeHTTP serves one request.
func (h *Recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	x := &Exchange{ResponseWriter: w, ID: bridge.RequestID(r), Method: r.Method, host: r.Host, secure: r.TLS != nil, started: started}
	w.Header().Set("X-Request-Id", x.ID)
	r = r.WithContext(context.WithValue(r.Context(), contextKey{}, x))
	defer func() {
		panicked := recover()
		aborted := panicked == http.ErrAbortHandler //nolint:errorlint // net/http compares it so, too
		if panicked != nil && !aborted {
			x.Err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
			if x.Status == 0 {
				WriteError(x, r, http.StatusInternalServerError, failure.Error{
					Code: "internal", Message: "The hub failed.", Hint: "Look for the request id in the hub's log.",
				})
			}
		}
		x.Took = time.Since(started)
		h.finish(r, x)
		if aborted {
			panic(panicked)
		}
	}()
	h.Next.ServeHTTP(x, r)
}

func (h *Recorder) finish(r *http.Request, x *Exchange) {
	if h.Observe != nil {
		h.Observe(x)
	}
	level := h.level(x)
	if h.Logger == nil || !h.Logger.Enabled(r.Context(), level) {
		return
	}
	attrs := [9]slog.Attr{
		slog.String("request_id", x.ID), slog.String("method", x.Method), slog.String("route", x.Route),
		slog.Int("status", x.Status), slog.Float64("ms", float64(x.Took.Microseconds())/1000),
	}
	n := 5
	add := func(a slog.Attr) { attrs[n], n = a, n+1 }
	if x.Account != "" {
		add(slog.String("account", x.Account))
	}
	if x.Actor != "" {
		add(slog.String("actor", x.Actor))
	}
	if x.Reason != "" {
		add(slog.String("reason", x.Reason))
	}
	if x.Err != nil {
		add(slog.String("error", x.Err.Error()))
	}
	// As the logger would do it, but for where in the code this is, which would always be here.
	record := slog.NewRecord(x.started.Add(x.Took), level, "request", 0)
	record.AddAttrs(attrs[:n]...)
	_ = h.Logger.Handler().Handle(r.Context(), record) // the logger has no use for it either
}

func (h *Recorder) level(x *Exchange) slog.Level {
	switch {
	case x.Status >= http.StatusInternalServerError || x.Err != nil:
		return slog.LevelError
	case x.Status >= http.StatusBadRequest:
		return slog.LevelWarn
	case h.Quiet[x.Route]:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
