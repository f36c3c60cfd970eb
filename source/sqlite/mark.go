package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Mark implements [sqltable.Marker].
func (s *session) Mark(ctx context.Context, _ *sqltable.Table) (string, error) {
	return s.db.watch.mark(ctx), nil
}

// IsQuiet implements [sqltable.Marker].
func (s *session) IsQuiet(ctx context.Context, _ *sqltable.Table, mark string) (bool, error) {
	return s.db.watch.isQuiet(ctx, mark), nil
}

// A watch tells whether a file was changed since a moment (E12): no row tells when it was changed, but the file tells whether any
// was. Within a process SQLite itself knows. Another process, which may answer a later page (E4), goes by the files' times.
type watch struct {
	db   *sql.DB
	name string // the file's

	mu       sync.Mutex
	conn     *sql.Conn // nil until it is used: its counter means nothing to another connection
	instance string
	opened   os.FileInfo // the file that conn has open
}

// unmarked is a part of a mark that tells nothing.
const unmarked = "-"

// mark describes the file's state.
func (w *watch) mark(ctx context.Context) string {
	times := w.times(true)
	return w.version(ctx) + " " + times
}

// isQuiet reports whether nothing was committed since a mark was made.
func (w *watch) isQuiet(ctx context.Context, mark string) bool {
	version, times, _ := strings.Cut(mark, " ")
	return version != unmarked && version == w.version(ctx) || times != unmarked && times == w.times(false)
}

// version returns a number that SQLite changes when another connection commits.
func (w *watch) version(ctx context.Context) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, err := os.Stat(w.name)
	if err == nil && w.conn == nil {
		w.instance, w.opened = rand.Text(), now
		w.conn, err = w.db.Conn(ctx)
	}
	if err != nil {
		return unmarked
	}
	var n int64
	if err := w.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&n); err != nil || !os.SameFile(now, w.opened) {
		_ = w.conn.Close()
		w.conn = nil
		return unmarked
	}
	return fmt.Sprintf("%s/%d", w.instance, n)
}

// How coarse a file system's times may be: of two writes within it the second may leave no trace.
const (
	clockTick  = 20 * time.Millisecond
	wholeClock = 2 * time.Second // where times have no fraction of a second
)

// times returns the sizes and times of the file and of its logs. settled says that a write which is to come must not leave them as
// they are. They are not opened: closing one again would take SQLite's locks from it.
func (w *watch) times(settled bool) string {
	name, err := filepath.EvalSymlinks(w.name)
	if err != nil || runtime.GOOS == "windows" { // which writes times down when a file is closed
		return unmarked
	}
	text := ""
	for _, suffix := range []string{"", "-wal", "-journal"} {
		info, err := os.Stat(name + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err == nil && settled {
			info, err = settle(name+suffix, info)
		}
		if err != nil {
			return unmarked
		}
		text += fmt.Sprintf("%s:%x:%x", suffix, info.Size(), info.ModTime().UnixNano())
	}
	return text
}

var errUnsettled = errors.New("the file was written to a moment ago")

// settle waits until a file's time is old enough to be told from that of the next write, if that is a moment.
func settle(name string, info fs.FileInfo) (fs.FileInfo, error) {
	tick := clockTick
	if info.ModTime().Nanosecond() == 0 {
		tick = wholeClock
	}
	if wait := tick - time.Since(info.ModTime()); wait > clockTick {
		return nil, errUnsettled
	} else if wait > 0 {
		time.Sleep(wait)
	}
	info, err := os.Stat(name)
	if err == nil && time.Since(info.ModTime()) < tick {
		err = errUnsettled
	}
	return info, err
}

func (w *watch) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if w.conn != nil {
		err = w.conn.Close()
		w.conn = nil
	}
	return errors.Join(err, w.db.Close())
}
