package bridge

import (
	"context"
	"encoding/binary"
	"log/slog"
)

// A start is where a page starts, and what its tokens are sealed with.
type start struct {
	seal    string
	exact   bool
	run     Run
	after   Position
	restart Restart // why the request's checkpoint was not the start; empty where it was
}

// locate finds out where a page starts. An offset knows its run, and it is authoritative whatever checkpoint comes with it
// (E4); without one the source begins a run.
func (h *Handler) locate(ctx context.Context, src Source, q request) (start, error) {
	from, err := h.describe(ctx, src)
	if err != nil {
		return from, err
	}
	if q.offset != "" {
		if from.run, from.after, err = openOffset(from.seal, q.offset); err != nil {
			return from, &Error{
				Code: CodeInvalidOffset, Err: err,
				Message: "the offset was not issued by this endpoint as it is configured now",
				Hint:    "Send meta.offset exactly as next_offset gave it, or leave it out to start the run again.",
			}
		}
		return from, nil
	}
	since, err := openCheckpoint(from.seal, q.checkpoint)
	if err != nil {
		return h.restart(ctx, src, q, from, RestartForeign, err)
	}
	from.run, err = src.Begin(ctx, since)
	switch {
	case since != "" && CodeOf(err) == CodeInvalidCheckpoint:
		return h.restart(ctx, src, q, from, RestartRefused, err)
	case err == nil && since != "" && from.run.Initial():
		from.restart = RestartBySource
	}
	return from, err
}

// describe returns what the source's tokens are sealed with, and whether its positions are exact.
func (h *Handler) describe(ctx context.Context, src Source) (start, error) {
	var said Description
	if describer, ok := src.(Describer); ok {
		var err error
		if said, err = describer.Describe(ctx); err != nil {
			return start{}, err
		}
	}
	seal := binary.AppendUvarint(nil, uint64(len(said.Digest)))
	return start{seal: string(append(append(seal, said.Digest...), h.Digest...)), exact: said.Exact}, nil
}

// restart begins an initial run in place of one from a checkpoint that says nothing here (D10).
func (h *Handler) restart(ctx context.Context, src Source, q request, from start, why Restart, cause error) (start, error) {
	if h.UnknownCheckpoint == RefuseUnknown {
		return from, &Error{
			Code: CodeInvalidCheckpoint, Err: cause,
			Message: "the checkpoint was not issued for what this endpoint reads now",
			Hint: "Leave meta.synchronization_checkpoint out to synchronize from the beginning, " +
				"or set unknown_checkpoint: restart for this endpoint of the bridge.",
		}
	}
	run, err := src.Begin(ctx, "")
	if err != nil {
		return from, err
	}
	h.noteRestart(why, cause, q.auth)
	from.run, from.restart = run, why
	return from, nil
}

// restartMessages are the log's messages. A source logs by itself why it restarts.
var restartMessages = map[Restart]string{
	RestartForeign: "a checkpoint was issued for another configuration or tenant, or by another bridge or version: every contact is sent again",
	RestartRefused: "the source no longer accepts a checkpoint that it issued: every contact is sent again",
}

// noteRestart logs why a run restarts, once for each reason: after a change of the configuration every caller restarts.
func (h *Handler) noteRestart(why Restart, cause error, auth Auth) {
	if _, said := h.said.LoadOrStore(why, true); said {
		return
	}
	h.logger().Warn(restartMessages[why], slog.String("endpoint", h.Name), slog.String("reason", string(why)),
		slog.String("error", redactError(cause, auth)), slog.String("hint", "This is logged once; metrics count every restart."))
}
