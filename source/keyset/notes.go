package keyset

import (
	"context"
	"log/slog"
	"sync"
)

// Notes say things once in the log. A Notes is used by many goroutines at once.
type Notes struct {
	Logger *slog.Logger
	said   sync.Map
}

// Once logs a message, unless it has been logged before.
func (n *Notes) Once(level slog.Level, msg string, args ...any) {
	if _, said := n.said.LoadOrStore(msg, true); !said {
		n.Logger.Log(context.Background(), level, msg, args...)
	}
}
