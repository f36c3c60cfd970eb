package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A RunView is one run, and how it went.
type RunView struct {
	directory.Run
	Log registry.RunLog
	// Kept reports whether Log was kept. Of runs that went without an incident there is nothing but what the directory counts:
	// Log is made of that.
	Kept     bool
	Rejected []directory.Rejected // that it brought and that are kept, the newest first
	Progress *Progress            // nil: it is not under way in this process
}

// RunOf returns one run of an integration, with its log.
func (h *Hub) RunOf(ctx context.Context, key directory.Key, id int64) (RunView, error) {
	runs, err := h.Runs(ctx, key, id+1, 1)
	if err != nil {
		return RunView{}, err
	}
	if id <= 0 || len(runs) == 0 || runs[0].ID != id {
		return RunView{}, &failure.Error{Code: failure.NotFound, Message: fmt.Sprintf("unknown run %d", id), Hint: "Look at the list of runs: the oldest are not kept."}
	}
	v := RunView{Run: runs[0]}
	if p, log, ok := h.tracker.of(key, id); ok {
		v.Progress, v.Log, v.Kept = &p, log, true
		v.Run.Counts = p.Run.Counts
	}
	if !v.Kept {
		if v.Log, err = h.Registry.RunLog(ctx, key, id); err != nil {
			return v, err
		}
		v.Kept = len(v.Log.Lines) > 0
	}
	if !v.Kept {
		v.Log = storyOf(v.Run)
	}
	if v.Run.Rejected == 0 {
		return v, nil
	}
	rejected, err := h.store.Rejected(ctx, key, 0, directory.KeptRejected)
	for _, r := range rejected {
		if r.Run == id {
			v.Rejected = append(v.Rejected, r)
		}
	}
	return v, err
}

// storyOf returns what the counts of a run tell: its beginning and its end.
func storyOf(r directory.Run) registry.RunLog {
	log := registry.RunLog{Lines: []registry.LogLine{{Time: r.Started, Level: registry.LevelInfo, Text: begun(r)}}}
	switch {
	case r.State == directory.Done:
		log.Lines = append(log.Lines, registry.LogLine{Time: r.Finished, Level: registry.LevelInfo, Text: complete(r)})
	case r.Error != "":
		log.Lines = append(log.Lines, registry.LogLine{Time: r.Finished, Level: registry.LevelError, Text: sentences(r.Error, r.Hint)})
	}
	return log
}

func begun(r directory.Run) string {
	what := "A run of what changed began"
	if r.Kind == directory.Initial {
		what = "A run over every contact began"
	}
	if r.Resumed && r.Pages > 0 {
		return fmt.Sprintf("The run goes on after %s.", plural(r.Pages, "page"))
	}
	return what + "."
}

func complete(r directory.Run) string {
	return fmt.Sprintf("The run is complete: %s on %s, %d new, %d changed, %d deleted, %d rejected.",
		plural(r.Contacts, "contact"), plural(r.Pages, "page"), r.Created, r.Counts.Updated, r.Deleted, r.Rejected)
}

func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// sentences writes phrases as sentences.
func sentences(phrases ...string) string {
	var all []string
	for _, p := range phrases {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		first, size := utf8.DecodeRuneInString(p)
		p = strings.ToUpper(string(first)) + p[size:]
		if !strings.ContainsAny(p[len(p)-1:], ".!?") {
			p += "."
		}
		all = append(all, p)
	}
	return strings.Join(all, " ")
}

// A runLog is being written: by the run, and by what ends it.
type runLog struct {
	mu      sync.Mutex
	id      int64
	log     registry.RunLog
	tail    []registry.LogLine // the newest lines, once the first half is full
	every   time.Duration      // between two points
	last    time.Time          // of the last point
	earlier bool               // the run was resumed: what another process wrote of it comes first
	matters bool               // there is more to say than its counts
	dirty   bool               // something is not kept yet
}

const firstPoints = 2 * time.Second

func (l *runLog) add(now time.Time, level, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if level != registry.LevelInfo {
		l.matters = true
	}
	l.dirty = true
	line := registry.LogLine{Time: now.UTC(), Level: level, Text: cut(text, registry.MaxLogText)}
	if len(l.log.Lines) < registry.MaxLogLines/2 {
		l.log.Lines = append(l.log.Lines, line)
		return
	}
	if l.tail = append(l.tail, line); len(l.tail) > registry.MaxLogLines/2 {
		l.tail = append(l.tail[:0], l.tail[1:]...)
		l.log.Left++
	}
}

// point notes how far the run has come, seldom enough that a run of days fits.
func (l *runLog) point(now time.Time, r directory.Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.every == 0 {
		l.every = firstPoints
	}
	if now.Sub(l.last) < l.every {
		return
	}
	l.last = now
	if l.log.Points = append(l.log.Points, registry.RunPoint{Time: now.UTC(), Pages: r.Pages, Contacts: r.Contacts}); len(l.log.Points) > 1 {
		l.matters, l.dirty = true, true
	}
	if len(l.log.Points) >= registry.MaxRunPoints {
		l.log.Points = everySecond(l.log.Points)
		l.every *= 2
	}
}

// everySecond leaves out every second point, in place.
func everySecond(points []registry.RunPoint) []registry.RunPoint {
	kept := points[:len(points)/2]
	for i := range kept {
		kept[i] = points[2*i]
	}
	return kept
}

// written returns the log as it stands.
func (l *runLog) written() registry.RunLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.copied()
}

func (l *runLog) copied() registry.RunLog {
	log := l.log
	log.Lines = append(append([]registry.LogLine{}, l.log.Lines...), l.tail...)
	log.Points = append([]registry.RunPoint{}, l.log.Points...)
	return log
}

// unkept returns the log if something of it is not kept yet and is worth it. Another process' part of a resumed run is put before it.
func (l *runLog) unkept(earlier func() (registry.RunLog, error)) (registry.RunLog, bool) {
	l.mu.Lock()
	resumed := l.earlier
	l.mu.Unlock()
	if resumed {
		before, err := earlier()
		if err != nil {
			return registry.RunLog{}, false
		}
		l.mu.Lock()
		l.prepend(before)
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty || !l.matters {
		return registry.RunLog{}, false
	}
	l.dirty = false
	return l.copied(), true
}

// prepend puts what was kept of the run before, the newest of it where it does not fit.
func (l *runLog) prepend(before registry.RunLog) {
	l.earlier = false
	if len(before.Lines) == 0 {
		return
	}
	l.matters, l.dirty = true, true
	room := registry.MaxLogLines/2 - len(l.log.Lines)
	from := max(0, len(before.Lines)-max(0, room))
	l.log.Left += before.Left + from
	l.log.Lines = append(append([]registry.LogLine{}, before.Lines[from:]...), l.log.Lines...)
	points := append(append([]registry.RunPoint{}, before.Points...), l.log.Points...)
	for len(points) >= registry.MaxRunPoints {
		points = everySecond(points)
	}
	l.log.Points = points
}

// cut shortens a text to so many bytes, at a character's end.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	const mark = "…"
	end := most - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// write takes note of what a synchronizer tells.
func (l *runLog) write(now time.Time, e synchronizer.Event) {
	switch e.Kind {
	case synchronizer.Started:
		l.add(now, registry.LevelInfo, begun(e.Run))
	case synchronizer.Waiting:
		l.add(now, registry.LevelInfo, "Another process holds the run until "+e.Until.UTC().Format(time.TimeOnly)+" (UTC).")
	case synchronizer.Retrying:
		l.add(now, registry.LevelWarning, fmt.Sprintf("Try %d of %d to read a page failed; the next one is in %s. %s",
			e.Attempt, e.Attempts, e.Wait.Round(time.Millisecond), sentences(e.Err.Error())))
	case synchronizer.Restarted:
		l.add(now, registry.LevelWarning, sentences(noteOf(e), e.Err.Error()))
	case synchronizer.Finished:
		l.add(now, registry.LevelInfo, complete(e.Run))
	case synchronizer.Indexing:
		return // what the run counted does not change any more
	case synchronizer.PageStored:
	}
	if e.Kind != synchronizer.Waiting {
		l.point(now, e.Run)
	}
}

// keepLogs keeps what is new in the logs of an integration's runs. A log that cannot be kept costs no run.
func (h *Hub) keepLogs(ctx context.Context, key directory.Key) {
	for _, l := range h.tracker.logs(key) {
		log, ok := l.unkept(func() (registry.RunLog, error) { return h.Registry.RunLog(ctx, key, l.id) })
		if !ok {
			continue
		}
		if err := h.Registry.PutRunLog(ctx, key, l.id, log); err != nil {
			h.seldom().Warn("could not keep the log of a run", "account", key.Account, "integration", key.Integration, "error", err)
		}
	}
}

// endLog writes into the log of the last run of a claim why it ended, and keeps it.
func (h *Hub) endLog(ctx context.Context, key directory.Key, err, cause error) {
	if logs := h.tracker.logs(key); err != nil && len(logs) > 0 {
		last := logs[len(logs)-1]
		switch {
		case errors.Is(cause, errCancelled), errors.Is(cause, errTakenOver), errors.Is(cause, errTooLong):
			last.add(h.now(), registry.LevelWarning, sentences(cause.Error()))
		case interrupted(err):
			last.add(h.now(), registry.LevelInfo, "The process ends: another one, or the next start, goes on at once.")
		default:
			p := problemOf(err, h.now())
			last.add(h.now(), registry.LevelError, sentences(p.Message, p.Hint))
		}
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	h.keepLogs(ctx, key)
}
