package keyset

import (
	"log/slog"
	"sync"
)

// Notes say things once in the log. A Notes is used by many goroutines at once.
type Notes struct {
	Logger *slog.Logger
	said   sync.Map
}

// Once warns, unless it has warned with this message before.
func (n *Notes) Once(msg string, args ...any) {
	if _, said := n.said.LoadOrStore(msg, true); !said {
		n.Logger.Warn(msg, args...)
	}
}
