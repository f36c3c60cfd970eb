package registry

import (
	"context"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
)

// A RunLog is how a run went, besides what the directory counts of it.
type RunLog struct {
	Lines  []LogLine  `json:"lines,omitempty"`  // the oldest first; at most [MaxLogLines]
	Left   int        `json:"left,omitempty"`   // lines that were left out after the first half of those
	Points []RunPoint `json:"points,omitempty"` // how far it had come, ascending; at most [MaxRunPoints]
}

// A LogLine is something that happened in a run.
type LogLine struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"` // info, warning or error
	Text  string    `json:"text"`  // a sentence, at most [MaxLogText] bytes
}

// The levels of a [LogLine].
const (
	LevelInfo    = "info"
	LevelWarning = "warning"
	LevelError   = "error"
)

// A RunPoint says how far a run had come.
type RunPoint struct {
	Time     time.Time `json:"time"`
	Pages    int64     `json:"pages"`
	Contacts int64     `json:"contacts"`
}

// The bounds of what is kept of runs.
const (
	MaxLogLines  = 200
	MaxLogText   = 1000
	MaxRunPoints = 240
	KeptRunLogs  = 100 // of one integration, those of its newest runs
)

// PutRunLog keeps the log of a run, in place of what was kept of it, and forgets those of older runs than [KeptRunLogs] newer ones. It
// returns [ErrNotFound] where there is no such integration any more.
func (d *DB) PutRunLog(ctx context.Context, key directory.Key, run int64, log RunLog) error {
	text, err := encoded(&log)
	if err != nil {
		return wrap(err, "keep the log of run %d", run)
	}
	err = d.change(ctx, func(s session) error {
		_, err := s.exec(ctx, `INSERT INTO hub.run_logs AS l (account, name, run, log, kept) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, name, run) DO UPDATE SET log = excluded.log, kept = excluded.kept`,
			key.Account, key.Integration, run, text, micros(d.clock()))
		if err != nil {
			return s.named(err, "integration "+Owner(key))
		}
		_, err = s.exec(ctx, `DELETE FROM hub.run_logs WHERE account = $1 AND name = $2 AND run <=
			(SELECT run FROM hub.run_logs WHERE account = $1 AND name = $2 ORDER BY run DESC LIMIT 1 OFFSET $3)`, key.Account, key.Integration, KeptRunLogs)
		return err
	})
	return wrap(err, "keep the log of run %d", run)
}

// RunLog returns what is kept of a run's log. It is empty where nothing is: of most runs there is nothing to say.
func (d *DB) RunLog(ctx context.Context, key directory.Key, run int64) (log RunLog, err error) {
	log, err = one(ctx, d.read(), func(row scanner) (l RunLog, err error) { err = row.Scan(stored(&l)); return l, err },
		"SELECT log FROM hub.run_logs WHERE account = $1 AND name = $2 AND run = $3", key.Account, key.Integration, run)
	if errors.Is(err, ErrNotFound) {
		return RunLog{}, nil
	}
	return log, wrap(err, "read the log of run %d", run)
}

// PruneRunLogs deletes the logs that were kept before a time.
func (d *DB) PruneRunLogs(ctx context.Context, before time.Time) error {
	for n := int64(pruneBatch); n == pruneBatch; {
		var err error
		if n, err = d.write().exec(ctx, `DELETE FROM hub.run_logs WHERE (account, name, run) IN
			(SELECT account, name, run FROM hub.run_logs WHERE kept < $1 LIMIT $2)`, micros(before), pruneBatch); err != nil {
			return wrap(err, "prune the logs of runs")
		}
	}
	return nil
}
