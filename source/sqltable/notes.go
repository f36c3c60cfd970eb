package sqltable

import (
	"context"
	"log/slog"
	"sync"
)

// Notes writes notes to the log. It is used by many goroutines at once.
type Notes struct {
	*slog.Logger
	said sync.Map
}

// Once logs a message, unless it has been logged before.
func (n *Notes) Once(level slog.Level, msg string, args ...any) {
	if _, said := n.said.LoadOrStore(msg, true); !said {
		n.Log(context.Background(), level, msg, args...)
	}
}
