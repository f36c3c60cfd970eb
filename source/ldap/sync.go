package ldap

import (
	"context"
	"errors"
	"slices"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
)

// A syncWay reads by content synchronization (RFC 4533), in the mode refreshOnly.
type syncWay struct{ r *reader }

func (syncWay) name() string { return changesSync }

// start implements [way]. The cookie of OpenLDAP is the state of the whole database, so a search for one entry gives it. Other
// servers make it for one search.
func (w syncWay) start(ctx context.Context) (token, error) {
	if t := w.r.begun; t != nil && t.way != "" {
		w.r.begun = nil
		return *t, nil
	}
	t := token{way: changesSync}
	for _, p := range w.r.parts {
		q := query{base: p.base, scope: client.ScopeWholeSubtree, filter: p.filter, wanted: []string{"1.1"}}
		if w.r.root.product == openLDAP {
			q.scope, q.filter = client.ScopeBaseObject, anyEntry
		}
		s, err := w.search(ctx, q, "", nil)
		if err != nil {
			return token{}, err
		}
		if !w.isState(s.cookie) {
			return token{}, &bridge.Error{
				Code: bridge.CodeSourceBroken, Message: "the server gives no cookie for " + p.base,
				Hint: "Load the overlay syncprov for this database, or set changes: stamp.",
			}
		}
		t.cookies = append(t.cookies, s.cookie)
	}
	return t, nil
}

// isState reports whether a cookie says how far a server was read. OpenLDAP takes one without a change sequence number for none, and
// gives everything as if it had changed.
func (w syncWay) isState(cookie string) bool {
	return cookie != "" && (w.r.root.product != openLDAP || strings.Contains(cookie, "csn="))
}

// finish implements [way]: an entry that moved from a part that was still to be read to one that was read already is looked for.
func (w syncWay) finish(ctx context.Context, next token) (token, error) {
	for i, p := range w.r.parts[:len(w.r.parts)-1] {
		_, err := w.search(ctx, w.r.queryOf(p, ""), next.cookies[i], func(e *client.Entry) error { return w.r.take(p, e) })
		if err != nil && !expired(err) {
			return token{}, err
		}
	}
	return next, nil
}

// changes implements [way].
func (w syncWay) changes(ctx context.Context, since token) (token, bool, error) {
	if len(since.cookies) != len(w.r.parts) {
		return token{}, false, nil
	}
	next := token{way: changesSync}
	var gone []string
	for i, p := range w.r.parts {
		if !w.isState(since.cookies[i]) {
			return token{}, false, nil
		}
		s, err := w.search(ctx, w.r.queryOf(p, ""), since.cookies[i], func(e *client.Entry) error {
			if !p.members.has(e) {
				gone = append(gone, w.r.mapping.native(e))
				return nil
			}
			return w.r.take(p, e)
		})
		if expired(err) {
			return token{}, false, nil
		}
		if err != nil || !s.deletes {
			return token{}, false, err // it lists who is present, and nobody here knows who else there was
		}
		gone = append(gone, s.gone...)
		if s.cookie == "" {
			s.cookie = since.cookies[i]
		}
		next.cookies = append(next.cookies, s.cookie)
	}
	slices.Sort(gone)
	return next, true, w.r.gone(ctx, slices.Compact(gone))
}

// A synced is the outcome of a search with the control.
type synced struct {
	cookie  string
	deletes bool     // the server has named everybody who is gone
	gone    []string // the server's own ids of entries
	ended   bool
}

// search sends a search with the control, and passes on the entries that were added or changed.
func (w syncWay) search(ctx context.Context, q query, cookie string, take func(*client.Entry) error) (synced, error) {
	q.controls = []client.Control{client.NewControlSyncRequest(client.SyncRequestModeRefreshOnly, []byte(cookie), false)}
	q.controls[0].(*client.ControlSyncRequest).Criticality = true
	s := synced{}
	err := w.r.stream(ctx, q, func(e *client.Entry, controls []client.Control) error {
		present := false
		for _, c := range controls {
			present = s.control(w.r, c) || present
			if state, ok := c.(*client.ControlSyncState); ok && e != nil && w.r.mapping.native(e) == "" { // 389 Directory Server leaves it out
				e.Attributes = append(e.Attributes, client.NewEntryAttribute(w.r.mapping.idNative, []string{w.r.syncID(state.EntryUUID[:])}))
			}
		}
		if e == nil || present || take == nil {
			return nil
		}
		return take(e)
	})
	if err == nil && !s.ended {
		err = connectionError(errors.New("an answer without an end"))
	}
	return s, err
}

// control takes in what a control says. It reports whether the entry that it belongs to is not one that was added or changed.
func (s *synced) control(r *reader, c client.Control) (other bool) {
	switch c := c.(type) {
	case *client.ControlSyncState:
		if c.State == client.SyncStateDelete {
			s.gone = append(s.gone, r.syncID(c.EntryUUID[:]))
		}
		return c.State == client.SyncStateDelete || c.State == client.SyncStatePresent
	case *client.ControlSyncInfo:
		s.info(r, c)
	case *client.ControlSyncDone:
		s.ended, s.deletes = true, c.RefreshDeletes
		s.take(c.Cookie)
	}
	return false
}

func (s *synced) info(r *reader, c *client.ControlSyncInfo) {
	switch {
	case c.NewCookie != nil:
		s.take(c.NewCookie.Cookie)
	case c.RefreshDelete != nil:
		s.take(c.RefreshDelete.Cookie)
	case c.RefreshPresent != nil:
		s.take(c.RefreshPresent.Cookie)
	case c.SyncIdSet != nil:
		s.take(c.SyncIdSet.Cookie)
		if c.SyncIdSet.RefreshDeletes {
			for _, id := range c.SyncIdSet.SyncUUIDs {
				s.gone = append(s.gone, r.syncID(id[:]))
			}
		}
	}
}

func (s *synced) take(cookie []byte) {
	if len(cookie) > 0 {
		s.cookie = string(cookie)
	}
}

// syncID writes the id of an entry as its attribute has it.
func (r *reader) syncID(b []byte) string {
	if r.root.product == ds389 {
		return uniqueIDText(b)
	}
	return uuidText(b)
}

// expired reports whether the server says that a cookie is of no use any more, or that too much has changed since.
func expired(err error) bool {
	var code *resultCode
	return errors.As(err, &code) && (code.code == refreshRequired || code.code == client.LDAPResultSizeLimitExceeded ||
		code.code == client.LDAPResultUnwillingToPerform || code.code == client.LDAPResultProtocolError)
}
