package sqltable

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A drawn is the greatest sequence number that could be seen at a moment. Every smaller one had been drawn by then, by
// transactions that had begun before.
type drawn struct {
	number int64
	at     time.Time // by the database's clock
	// open names the transactions that were open then, where their starts cannot be seen; nil elsewhere.
	open []string
}

// mostOpen is how many transactions a checkpoint may name.
const mostOpen = 16

// waitForOthers is how long a run waits for the transactions that were open when it began.
const waitForOthers = 1500 * time.Millisecond

// sequence returns the greatest number, once every transaction that could have drawn a smaller one has ended. If one does
// not end, the horizon stays where it was, and the number goes with the checkpoint: a later run will know more.
func (h typed) sequence(ctx context.Context, state keyset.State, c Clock, greatest *drawn, since keyset.Since) (keyset.State, error) {
	known := int64(keyset.MinusInfinity)
	if since.Updated.Kind != keyset.None {
		known = since.Updated.Int
	}
	if greatest != nil && since.Updated.Kind != keyset.None && greatest.number < known {
		// Numbers start again in a database that was restored, or after a sequence was set back (T13).
		state.Restart = true
		h.table.Notes.Warn("the greatest number of updated is below the checkpoint: the database was restored, or its sequence set back, so everything is read again",
			"checkpoint", known, "greatest", greatest.number)
	}
	if state.Restart {
		known, since.Candidate = keyset.MinusInfinity, ""
	}
	if earlier, ok := parseDrawn(since.Candidate); ok {
		settled, err := h.isSettled(ctx, c, earlier)
		if err != nil {
			return state, err
		}
		if settled {
			known = max(known, earlier.number)
		} else {
			state.Candidate = since.Candidate
		}
	}
	state.Horizon = keyset.IntValue(known)
	if greatest == nil || greatest.number <= known {
		return state, nil
	}
	open, ended, err := h.othersEnd(ctx, c)
	if err != nil {
		return state, err
	}
	if ended {
		state.Horizon, state.Candidate = keyset.IntValue(greatest.number), ""
		return state, nil
	}
	why := "transactions stay open"
	if c.Blind {
		why = c.Lacks
	}
	h.table.Notes.Once(slog.LevelWarn, why+", so it is not known yet that every smaller number of updated can be seen: the run reads more than it had to")
	if state.Candidate == "" {
		if c.Hidden && len(open) <= mostOpen {
			greatest.open = open
		}
		state.Candidate = greatest.String()
	}
	return state, nil
}

// isSettled reports whether every transaction that could have drawn a smaller number has ended.
func (h typed) isSettled(ctx context.Context, c Clock, d drawn) (bool, error) {
	lister, ok := h.conn.(Lister)
	if !ok || !c.Hidden || len(d.open) == 0 {
		// All who had begun before c.Safe have ended.
		return !d.at.After(c.Safe), nil
	}
	open, err := lister.StillOpen(ctx, d.open)
	if err != nil || len(open) > 0 {
		return false, err
	}
	prepared, err := lister.AnyPrepared(ctx)
	return !prepared, err
}

func (d drawn) String() string {
	text := strconv.FormatInt(d.number, 10) + "@" + keyset.Instant.FormatStamp(keyset.IntValue(stamp.Microseconds(d.at)))
	if len(d.open) > 0 {
		text += "@" + strings.Join(d.open, ",")
	}
	return text
}

func parseDrawn(text string) (drawn, bool) {
	number, rest, _ := strings.Cut(text, "@")
	at, open, _ := strings.Cut(rest, "@")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return drawn{}, false
	}
	t, err := keyset.Instant.Parse(at)
	if err != nil {
		return drawn{}, false
	}
	d := drawn{number: n, at: stamp.Moment(t.Updated.Int)}
	if open != "" {
		d.open = strings.Split(open, ",")
	}
	return d, true
}

// othersEnd waits until the transactions that are open now have ended, and names those that were. Not ended: not all of them do
// so in time, or those that write what is read cannot be seen.
func (h typed) othersEnd(ctx context.Context, c Clock) (open []string, ended bool, err error) {
	lister, ok := h.conn.(Lister)
	if !ok || c.Blind {
		return nil, false, nil
	}
	if open, err = lister.OpenTransactions(ctx); err != nil {
		return nil, false, err
	}
	deadline := time.NewTimer(h.table.Patience)
	defer deadline.Stop()
	still := open
	for pause := 10 * time.Millisecond; len(still) > 0; pause = min(2*pause, 200*time.Millisecond) {
		select {
		case <-ctx.Done():
			return open, false, ctx.Err()
		case <-deadline.C:
			return open, false, nil
		case <-time.After(pause):
		}
		if still, err = lister.StillOpen(ctx, still); err != nil {
			return open, false, err
		}
	}
	prepared, err := lister.AnyPrepared(ctx)
	return open, !prepared, err
}
