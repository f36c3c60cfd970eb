package ldap

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
)

// A logWay reads by the retro changelog of 389 Directory Server: it names every entry that was changed, and the entry as it is now
// says whether it is a contact. (Content synchronization of that server is not exact: it says nothing of an entry that came and went
// between two cookies, though a full run in between may have shown it.)
type logWay struct{ r *reader }

func (logWay) name() string { return changesLog }

const (
	changelogBase = "cn=changelog"
	targetID      = "targetUniqueId"
	// recent is how many of the last changes are looked at to find the last one that everybody can see.
	recent = 100
	// mostChanges is how many changes are followed. After more of them everything is read.
	mostChanges = 100_000
)

// start implements [way].
func (w logWay) start(ctx context.Context) (token, error) {
	now, err := readRoot(w.r.conn)
	if err != nil {
		return token{}, diagnose(err, "")
	}
	last, _ := strconv.ParseInt(now.value("lastchangenumber"), 10, 64)
	seen, err := w.log(ctx, max(last-recent, 0), last)
	if err != nil {
		return token{}, err
	}
	if len(seen.ids) == 0 || !seen.named {
		return token{}, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "the changelog does not name the entries that were changed, or the reader may not read it",
			Hint: "Enable the Retro Changelog plugin with nsslapd-attribute: nsuniqueid:targetUniqueId, let the user of bind_dn read cn=changelog, and change an entry. Or set changes: stamp.",
		}
	}
	var server sum
	server.add(now.value("netscapemdsuffix"))
	return token{way: changesLog, source: server.String(), number: seen.last, made: w.r.now().Unix() / 86400}, nil
}

// finish implements [way]: entries that changed meanwhile are read again, since they may have moved to a part that was read already.
func (w logWay) finish(ctx context.Context, next token) (token, error) {
	seen, err := w.log(ctx, next.number, next.number+mostChanges)
	if err != nil {
		return token{}, err
	}
	return next, w.readIDs(ctx, seen.ids)
}

// changes implements [way].
func (w logWay) changes(ctx context.Context, from token) (token, bool, error) {
	next, err := w.start(ctx)
	if err != nil || next.source != from.source || next.number < from.number || next.number-from.number > mostChanges {
		return token{}, false, err
	}
	seen, err := w.log(ctx, from.number, next.number)
	if err != nil || !seen.named || next.number > from.number && (seen.first != from.number+1 || seen.last != next.number) {
		return token{}, false, err // older changes have been removed
	}
	if err := w.readIDs(ctx, seen.ids); err != nil {
		return token{}, false, err
	}
	if err := w.r.gone(ctx, seen.ids); err != nil {
		return token{}, false, err
	}
	next.made = from.made
	return next, true, nil
}

// readIDs writes those of some entries that are contacts.
func (w logWay) readIDs(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, mostInOneFilter) {
		for _, p := range w.r.parts {
			if err := w.r.readPart(ctx, p, w.r.oneOf(some)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A log is a part of the changelog.
type log struct {
	first, last int64    // without a gap between them; 0 if nothing was seen
	ids         []string // of the entries that were changed, each once
	named       bool     // every change has an id
}

// log reads the changes after a number, up to another one. What comes after a gap is left for later: it is not visible yet.
func (w logWay) log(ctx context.Context, after, to int64) (log, error) {
	ids := map[int64]string{}
	found := log{named: true}
	q := query{
		base: changelogBase, scope: client.ScopeSingleLevel, wanted: []string{"changeNumber", targetID},
		filter: fmt.Sprintf("(&(changeNumber>=%d)(changeNumber<=%d))", after+1, to),
	}
	err := w.r.search(ctx, q, func(e *client.Entry) error {
		number, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("changeNumber"), 10, 64)
		if err == nil {
			ids[number] = e.GetEqualFoldAttributeValue(targetID)
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return found, err
	}
	found.first = to
	for number := range ids {
		found.first = min(found.first, number)
	}
	for number := found.first; ; number++ {
		id, ok := ids[number]
		if !ok {
			break
		}
		found.last, found.named = number, found.named && id != ""
		found.ids = append(found.ids, id)
	}
	slices.Sort(found.ids)
	found.ids = slices.Compact(found.ids)
	return found, nil
}
