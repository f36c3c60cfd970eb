package acme

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// A logCore writes what certmagic logs to a slog.Logger. All of it is for debugging.
type logCore struct {
	logger *slog.Logger
	with   []zapcore.Field
}

// zapTo returns a logger for certmagic.
func zapTo(logger *slog.Logger) *zap.Logger { return zap.New(logCore{logger: logger}) }

// Enabled reports whether anything is written: the manager itself logs what an operator has to know.
func (c logCore) Enabled(zapcore.Level) bool {
	return c.logger.Enabled(context.Background(), slog.LevelDebug)
}

// With returns a core that adds fields.
func (c logCore) With(fields []zapcore.Field) zapcore.Core {
	return logCore{logger: c.logger, with: append(c.with[:len(c.with):len(c.with)], fields...)}
}

// Check adds the core to those that write an entry.
func (c logCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write writes an entry.
func (c logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	var attrs []slog.Attr
	for _, f := range append(c.with[:len(c.with):len(c.with)], fields...) {
		values := zapcore.NewMapObjectEncoder()
		f.AddTo(values)
		if value, ok := values.Fields[f.Key]; ok {
			attrs = append(attrs, slog.Any(f.Key, value))
		}
	}
	c.logger.LogAttrs(context.Background(), slog.LevelDebug, "certificates: "+e.Message, attrs...)
	return nil
}

// Sync does nothing: nothing is held back.
func (logCore) Sync() error { return nil }
