package migrate_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/migrate"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

var server pgtest.Suite

func TestMain(m *testing.M) {
	if os.Getenv(victim) != "" {
		dieAt("the victim lives")
	}
	os.Exit(server.Main(m))
}

// known is everything that a registry tells.
func (w *world) known() map[string]any {
	w.Helper()
	ctx, r := w.Context(), w.registry
	all := map[string]any{
		"accounts": got(r.Accounts(ctx))(w), "tokens": got(r.Tokens(ctx, ""))(w), "users": got(r.Users(ctx))(w),
		"events": got(r.Events(ctx, registry.Filter{}))(w), "audit": got(r.Audit(ctx, registry.Filter{}))(w), "webhooks": got(r.Webhooks(ctx, ""))(w),
		"files": got(r.Files(ctx, "acme"))(w), "samples": got(r.Samples(ctx, "acme", time.Time{}))(w), "theme": got(r.Setting(ctx, "theme"))(w), "last event": got(r.LastEvent(ctx))(w),
		"oauth": got(r.Secret(ctx, registry.Owner(crm), "oauth"))(w), "signing": got(r.Secret(ctx, registry.WebhookOwner("w1"), "signing"))(w),
		"sessions": got(r.Sessions(ctx, "u1"))(w), "token": got(r.TokenByDigest(ctx, []byte("digest 1")))(w),
	}
	integrations := got(r.Integrations(ctx, "", directory.Key{}, 0))(w)
	all["integrations"] = integrations
	for _, i := range integrations {
		all["auth "+registry.Owner(i.Key)] = got(r.Auth(ctx, i.Key))(w)
	}
	return all
}

// holds is everything that a directory answers.
func (w *world) holds() map[string]any {
	w.Helper()
	ctx, s := w.Context(), w.store
	states := got(s.States(ctx, ""))(w)
	all := map[string]any{}
	for _, state := range states {
		if state.LastRun == nil && state.Contacts == 0 {
			continue // a place for suppressed contacts, which a file needs none for
		}
		key := state.Key
		all[fmt.Sprint("state ", key)] = state
		all[fmt.Sprint("runs ", key)] = got(s.Runs(ctx, key, 0, 100))(w)
		all[fmt.Sprint("rejected ", key)] = got(s.Rejected(ctx, key, 0, 100))(w)
		all[fmt.Sprint("agents ", key)] = got(s.Agents(ctx, key, "", 100))(w)
		all[fmt.Sprint("contacts ", key)] = got(s.Contacts(ctx, key, "", 1000))(w)
	}
	ok(w, s.CompleteSearch(ctx, directory.Key{}))
	for _, account := range []string{"acme", "Zürich", "other"} {
		for _, n := range []string{"+14155550007", "+442079460018", "+442079460019", "4711", "0012345", "12345", "+1"} {
			all[fmt.Sprint("number ", account, n)] = got(s.ByE164(ctx, account, []string{n, "+14155550009"}, 100))(w)
		}
		for _, digits := range []string{"550007", "5550007", "60018", "460019", "012345", "000000"} {
			if len(digits) >= directory.MinSuffix {
				all[fmt.Sprint("ending ", account, digits)] = got(s.BySuffix(ctx, account, digits, 3))(w)
			}
		}
		for _, email := range []string{"zoe@example.com", "p7@EXAMPLE.com", "ann@example.com", "o'neill\\@example.com", "", "nobody@example.com"} {
			all[fmt.Sprint("agent ", account, email)] = got(s.AgentsByEmail(ctx, account, email, 100))(w)
			all[fmt.Sprint("email ", account, email)] = got(s.ByEmail(ctx, account, []string{email}, 100))(w)
		}
		for _, text := range []string{"zoe", "mull ang", "山田", "person 1", "p7", "4155550", "0007", "4711", "0207946", "o'n", "söhne", "aaaa", "exam com", "x"} {
			for _, integration := range []string{"", "crm"} {
				all[fmt.Sprint("search ", account, text, integration)] = got(s.Search(ctx, account, directory.Query{Text: text, Integration: integration, Limit: 50}))(w)
			}
		}
	}
	return all
}

// same compares two worlds through what they answer.
func same(t *testing.T, when string, a, b *world) {
	t.Helper()
	if diff := cmp.Diff(a.known(), b.known(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s, the registries differ (- embedded, + PostgreSQL):\n%s", when, diff)
	}
	compareDirectories(t, when, a, b)
}

func compareDirectories(t *testing.T, when string, a, b *world) {
	t.Helper()
	if diff := cmp.Diff(a.holds(), b.holds(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s, the directories differ (- embedded, + PostgreSQL):\n%s", when, diff)
	}
}

// both does the same in two worlds, and compares what comes of it.
func both(t *testing.T, what string, a, b *world, do func(w *world) any) {
	t.Helper()
	x, y := do(a), do(b)
	if diff := cmp.Diff(x, y, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (- embedded, + PostgreSQL):\n%s", what, diff)
	}
	same(t, "after: "+what, a, b)
}

// TestBothWorldsGoOnAlike moves a hub with everything in it, and lets the old one and the new one live on: they do the same.
func TestBothWorldsGoOnAlike(t *testing.T) {
	c := &clock{at: time.Now().UTC().Truncate(time.Millisecond)}
	folder := t.TempDir()
	old := embedded(t, folder, c)
	old.live(c)
	old.close()
	halfForgotten(t, folder)
	database := server.Database(t)
	result := move(t, folder, database.DSN)
	if result.Contacts != 50-2+3+40+7+40+2 || result.Secrets != 6 {
		t.Errorf("%+v", result)
	}
	old = embedded(t, folder, c)
	moved := shared(t, database.DSN, folder, c)
	defer old.close()
	defer moved.close()
	same(t, "after the move", old, moved)

	ctx := t.Context()
	both(t, "the run that died is not taken over before its lease ends", old, moved, func(w *world) any {
		_, err := w.store.StartRun(ctx, half, directory.Start{Lease: lease, FreshFor: time.Hour})
		return errors.Is(err, directory.ErrUnderWay)
	})
	c.at = c.at.Add(2 * lease)
	both(t, "then it is resumed, and judges by what it showed before", old, moved, func(w *world) any {
		run := w.start(half, false)
		if !run.Resumed || run.Pages != 1 || run.Offset != "offset 1 \x00" || string(run.Context) != `{"cursor":7}` {
			t.Errorf("resumed: %+v", run)
		}
		ok(t, w.last(run, directory.PageChanges{Contacts: people(21, 35), Checkpoint: "h3"}))
		return run.Counts
	})
	both(t, "the failed run is resumed", old, moved, func(w *world) any {
		run := w.start(paused, false)
		ok(t, w.last(run, directory.PageChanges{Checkpoint: "p3"}))
		return []any{run.Resumed, run.Counts, run.Since}
	})
	both(t, "the next run is incremental, and rewrites no contact", old, moved, func(w *world) any {
		run := w.start(crm, false)
		all := append(people(1, 3), odd()...)
		ok(t, w.last(run, directory.PageChanges{Contacts: all, Checkpoint: "c3"}))
		if run.Since != "c2" || run.Kind != directory.Incremental || run.Unchanged != int64(len(all)) {
			t.Errorf("%+v", run)
		}
		return run.Counts
	})
	both(t, "who was purged stays away", old, moved, func(w *world) any {
		run := w.complete(crm, false, directory.PageChanges{Contacts: append(people(4, 6), record("never", "Never")), Checkpoint: "c4"})
		if run.Created != 1 || run.Counts.Rejected != 2 {
			t.Errorf("%+v", run.Counts)
		}
		return run.Counts
	})
	both(t, "one who never ran stays away as well", old, moved, func(w *world) any {
		return w.complete(directory.Key{Account: "nobody", Integration: "never ran"}, false, directory.PageChanges{Contacts: people(1, 1), Checkpoint: "1"}).Counts
	})
	both(t, "a confirmation of deletions deletes", old, moved, func(w *world) any {
		state := got(w.store.State(ctx, guarded))(t)
		held := got(w.store.Held(ctx, guarded, 0, 100))(t)
		if state.Held.Count != 37 || len(held) != 37 || !held[0].Named || held[36].Named {
			t.Errorf("held back: %+v, %+v", state.Held, held)
		}
		return []any{state.Held, held, got(w.store.DeleteHeld(ctx, guarded, state.Held.Set))(t)}
	})
	both(t, "keys go on", old, moved, func(w *world) any {
		run := w.complete(directory.Key{Account: "new", Integration: "new"}, false, directory.PageChanges{Contacts: people(1, 9), Checkpoint: "n"})
		event := registry.Event{Kind: "run.failed", Account: "acme", Subject: "crm"}
		ok(t, w.registry.AddEvent(ctx, &event))
		entry := registry.AuditEntry{Actor: "hub", Action: "x"}
		ok(t, w.registry.AddAudit(ctx, &entry))
		return []any{run.ID, event.ID, entry.ID}
	})
	both(t, "deliveries wait", old, moved, func(w *world) any {
		var taken []registry.Delivery
		for { // of each webhook one at a time
			some := got(w.registry.Deliveries(ctx, registry.Wanted{Limit: 100, Hold: time.Minute}))(t)
			for _, d := range some {
				ok(t, w.registry.Delivered(ctx, d.ID, registry.Sending{}, time.Time{}))
			}
			if taken = append(taken, some...); len(some) == 0 {
				break
			}
		}
		if len(taken) != 9 {
			t.Errorf("%d deliveries, want those that were not over, and two new ones", len(taken))
		}
		return taken
	})
	both(t, "claims of the dead are taken over", old, moved, func(w *world) any {
		claims := got(w.registry.Claim(ctx, "living", 10, time.Minute))(t)
		var what []any
		for i := range claims {
			claims[i].Token = "" // random
			what = append(what, claims[i])
		}
		if len(what) != 3 {
			t.Errorf("%d claims", len(what))
		}
		return what
	})
	both(t, "what is forgotten is gone", old, moved, func(w *world) any {
		ok(t, w.store.Forget(ctx, guarded))
		return got(w.store.Prune(ctx, c.at))(t)
	})
	both(t, "the session is who it was", old, moved, func(w *world) any {
		_, user, err := w.registry.SessionUser(ctx, []byte{1, 0, 255})
		ok(t, err)
		return user
	})
}

// TestMovedRowsAreThoseOfASync compares what a move writes with what runs write, words of the search and digests included.
func TestMovedRowsAreThoseOfASync(t *testing.T) {
	c := &clock{at: time.Now().UTC().Truncate(time.Millisecond)}
	folder := t.TempDir()
	page := directory.PageChanges{Contacts: append(odd(), people(1, 20)...), Checkpoint: "c1"}
	old := embedded(t, folder, c)
	old.complete(crm, false, page)
	old.close()
	moved, synced := server.Database(t), server.Database(t)
	move(t, folder, moved.DSN)
	w := shared(t, synced.DSN, folder, c)
	w.complete(crm, false, page)
	w.close()
	// A number without digits, which a file does not keep, leaves an empty word with a run. Nothing that is typed finds it.
	for _, query := range []string{
		"SELECT account, pk, integration, id, hash, data, array_remove(tsvector_to_array(words), account || '#') FROM contactbridge.contacts ORDER BY pk",
		"SELECT account, contact, position, reversed, isfull, raw, extension FROM contactbridge.numbers ORDER BY contact, position",
		"SELECT indexdef FROM pg_indexes WHERE schemaname = 'contactbridge' ORDER BY indexname",
	} {
		if diff := cmp.Diff(table(t, synced.DSN, query), table(t, moved.DSN, query)); diff != "" {
			t.Errorf("%s (- synced, + moved):\n%s", query, diff)
		}
	}
}

// table is the result of a query.
func table(t *testing.T, dsn, query string) (all [][]any) {
	t.Helper()
	conn := got(pgx.Connect(t.Context(), dsn))(t)
	defer conn.Close(t.Context())
	rows := got(conn.Query(t.Context(), query))(t)
	for rows.Next() {
		all = append(all, got(rows.Values())(t))
	}
	ok(t, rows.Err())
	if len(all) == 0 {
		t.Errorf("%s finds nothing", query)
	}
	return all
}

// TestEveryColumnIsMoved compares the columns that are moved with those that the tables of this release have, but for the few that the
// database fills by itself.
func TestEveryColumnIsMoved(t *testing.T) {
	database := server.Database(t)
	shared(t, database.DSN, withKey(t), &clock{at: time.Now()}).close()
	moved := migrate.Columns()
	for _, row := range table(t, database.DSN, `SELECT table_name::text, column_name::text FROM information_schema.columns
		WHERE table_schema = 'contactbridge' AND table_name NOT LIKE '%_migrations' AND is_generated = 'NEVER' ORDER BY 1, 2`) {
		name, column := row[0].(string), row[1].(string)
		if slices.Contains([]string{"books", "members", "member_words", "leavers"}, name) {
			continue // phonebooks are declared and filled again when the hub starts
		}
		at := slices.Index(moved[name], column)
		if at < 0 {
			t.Errorf("%s.%s is not moved", name, column)
			continue
		}
		moved[name] = slices.Delete(moved[name], at, at+1)
	}
	for name, columns := range moved {
		if len(columns) > 0 {
			t.Errorf("%s has no columns %v", name, columns)
		}
	}
}

// withKey is a folder with a hub's key.
func withKey(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	got(secret.FromFile(filepath.Join(folder, hubserver.KeyFile), true))(t)
	return folder
}
