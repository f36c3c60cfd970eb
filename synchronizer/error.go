package synchronizer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
)

// The codes of what can go wrong on the synchronizer's side; the bridge's have their own ([bridge.Code]).
const (
	CodeUnderWay    failure.Code = "under_way"  // another process is at it
	CodeTakenOver   failure.Code = "taken_over" // another process went on with the run
	CodeGuarded                  = directory.CodeGuarded
	CodeInterrupted failure.Code = "interrupted" // the context was cancelled
	CodeDirectory   failure.Code = "directory"   // the store failed
)

func statusOf(err error) int {
	if e, ok := errors.AsType[*bridge.Error](err); ok {
		return e.Status
	}
	return 0
}

// A pageFailure is a page that could not be had.
type pageFailure struct {
	page       int64
	checkpoint bool // the request carried a checkpoint and no offset
	err        error
}

func (e *pageFailure) Error() string { return fmt.Sprintf("page %d: %v", e.page, e.err) }
func (e *pageFailure) Unwrap() error { return e.err }

// An exhausted error is the last of several attempts.
type exhausted struct {
	attempts int
	err      error
}

func (e *exhausted) Error() string {
	if e.attempts == 1 {
		return e.err.Error()
	}
	return fmt.Sprintf("%v (%d attempts)", e.err, e.attempts)
}
func (e *exhausted) Unwrap() error { return e.err }

// A refusedOffset is an offset that the bridge does not take: the run starts again from its last safe checkpoint (D3).
type refusedOffset struct {
	page int64
	err  error
}

func (e *refusedOffset) Error() string { return fmt.Sprintf("page %d: %v", e.page, e.err) }
func (e *refusedOffset) Unwrap() error { return e.err }

// final is the error of a run that has started again often enough.
func (e *refusedOffset) final() error {
	return &failure.Error{
		Code:    bridge.CodeInvalidOffset,
		Message: fmt.Sprintf("the bridge refuses offsets that it gave out itself, again after %d restarts", maxRestarts),
		Hint: "The fault is the bridge's: it must take every next_offset back as offset, in every replica of it and after its " +
			"restart. What was stored is kept.",
		Err: e,
	}
}

// loopError is a run that came back to an offset where it had been (D4, E8).
func loopError(page int64, offset string) error {
	return &failure.Error{
		Code:    bridge.CodeLoop,
		Message: fmt.Sprintf("page %d sends the run back to offset %s, where it has been: it would never end", page, quote(offset)),
		Hint: "The fault is the bridge's: next_offset must move on with every page and be left out on the last one. " +
			"What was stored is kept.",
	}
}

func tooManyPages(limit int64) error {
	return &failure.Error{
		Code:    bridge.CodeLoop,
		Message: fmt.Sprintf("the run has %s pages and there are still more", count(limit)),
		Hint:    "Either the bridge never ends, or its pages are small: then allow more of them with --max-pages. What was stored is kept.",
	}
}

// count is a number as people read it: 1,234.
func count(n int64) string { return humanize.Comma(n) }

// quote shortens what a bridge sent to what fits into a message.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// startError says why no run could be started.
func startError(ctx context.Context, key directory.Key, err error) error {
	under, ok := errors.AsType[*directory.UnderWayError](err)
	switch {
	case ok:
		return underWay(key, under)
	case ctx.Err() != nil:
		return &failure.Error{Code: CodeInterrupted, Message: "interrupted before the run started", Err: failure.Hidden(context.Cause(ctx))}
	}
	return directoryError("start the run", err)
}

func underWay(key directory.Key, e *directory.UnderWayError) error {
	return &failure.Error{
		Code: CodeUnderWay,
		Message: fmt.Sprintf("a run of %s is under way in another process, since %s, %s so far",
			key.Integration, e.Run.Started.Local().Format(time.TimeOnly), english.Plural(int(e.Run.Pages), "page", "")),
		Hint: fmt.Sprintf("Let it finish. If its process has died, its run can be taken over at %s.",
			e.Until.Local().Format(time.TimeOnly)),
		Err: failure.Hidden(e),
	}
}

func directoryError(what string, err error) error {
	return &failure.Error{
		Code:    CodeDirectory,
		Message: what + " in the directory",
		Hint: cmp.Or(failure.Of(err).Hint,
			"Look at the directory's disk and permissions, then run again: the next sync goes on where this one stopped."),
		Err: err,
	}
}

// explain makes of what ended a run an error for its operator.
func (p *pass) explain(ctx context.Context, err error) error {
	guarded, isGuarded := errors.AsType[*directory.GuardedError](err)
	page, isPage := errors.AsType[*pageFailure](err)
	switch {
	case !isPage && explained(err):
		return err
	case isGuarded:
		return p.guarded(guarded)
	case ctx.Err() != nil:
		return p.interrupted(context.Cause(ctx))
	case errors.Is(err, directory.ErrLeaseLost), errors.Is(err, directory.ErrOutOfOrder):
		return &failure.Error{
			Code:    CodeTakenOver,
			Message: "another process has taken the run over: this one showed no sign of life for longer than its lease",
			Hint:    "Nothing is lost: the other process goes on. If this happens often, raise --lease.",
			Err:     failure.Hidden(err),
		}
	case isPage:
		return checkpointHint(page)
	}
	return directoryError("store a page", err)
}

// explained reports whether a run ended for a reason that this package has found.
func explained(err error) bool {
	code := failure.Of(err).Code
	return code == bridge.CodeLoop || code == bridge.CodeInvalidOffset
}

// checkpointHint adds to a refused checkpoint how to go on without it. Only our bridge says so by code; another one's 400
// on the first page of an incremental run most likely means the same.
func checkpointHint(e *pageFailure) error {
	refused := bridge.CodeOf(e) == bridge.CodeInvalidCheckpoint || e.checkpoint && statusOf(e) == 400
	if !refused {
		return e
	}
	return &failure.Error{
		Code:    bridge.CodeInvalidCheckpoint,
		Message: "the bridge does not take the checkpoint that the last run ended with",
		Hint:    "The bridge's source or configuration has probably changed. Start over with --full.",
		Err:     e.err,
	}
}

func (p *pass) guarded(e *directory.GuardedError) error {
	were, are := "were", "are"
	if e.Deleted == 1 {
		were, are = "was", "is"
	}
	some := fmt.Sprintf("%s of %s %s", count(e.Deleted), count(e.Total), english.PluralWord(int(e.Total), "contact", ""))
	message := some + " would be deleted"
	switch {
	case e.BroughtNobody && e.Rejected > 0:
		message = fmt.Sprintf("the bridge showed no contact that could be taken in this complete run (%s rejected), and the directory has %s of it", count(e.Rejected), count(e.Total))
	case e.BroughtNobody:
		message = fmt.Sprintf("the bridge showed no contact at all in this complete run, and the directory has %s %s of it", count(e.Total), english.PluralWord(int(e.Total), "contact", ""))
	case e.Named == 0:
		message = some + " " + were + " not in this complete run"
	case e.Named == e.Deleted:
		message = "the bridge says that " + some + " " + are + " deleted"
	}
	if !e.BroughtNobody {
		message += fmt.Sprintf(", more than the guard allows (%g %%)", 100*p.opts.Guard.Share)
	}
	return &failure.Error{
		Code:    CodeGuarded,
		Message: message + ": no contact was deleted",
		Hint: fmt.Sprintf("If they are really gone, say so with --accept-deletions=%s; if not, look at where the contacts come from. ", e.Held.Set) +
			"Everything else was stored.",
		Err: failure.Hidden(e),
	}
}

func (p *pass) interrupted(err error) error {
	if p.run.Pages == 0 {
		return &failure.Error{Code: CodeInterrupted, Message: "interrupted before the first page was stored", Err: failure.Hidden(err)}
	}
	return &failure.Error{
		Code: CodeInterrupted,
		Message: fmt.Sprintf("interrupted after %s %s with %s %s, which are stored",
			count(p.run.Pages), english.PluralWord(int(p.run.Pages), "page", ""), count(p.run.Contacts), english.PluralWord(int(p.run.Contacts), "contact", "")),
		Hint: "The next sync goes on where this one stopped.",
		Err:  failure.Hidden(err),
	}
}
