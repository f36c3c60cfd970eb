package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/migrate"
)

// A clock stands still until it is moved: both worlds have the same one.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// A world is a hub's two databases.
type world struct {
	*testing.T
	registry *registry.DB
	store    directory.Store
}

func (w *world) close() {
	w.Helper()
	ok(w, errors.Join(w.registry.Close(), w.store.Close()))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func embedded(t *testing.T, folder string, c *clock) *world {
	t.Helper()
	ring := got(secret.FromFile(filepath.Join(folder, hubserver.KeyFile), true))(t)
	return &world{
		T:        t,
		registry: got(registry.Open(t.Context(), filepath.Join(folder, hubserver.RegistryFile), registry.OpenOptions{Seal: ring, Clock: c.now}))(t),
		store:    got(sqlite.Open(t.Context(), filepath.Join(folder, hubserver.DirectoryFile), sqlite.WithClock(c.now)))(t),
	}
}

func shared(t *testing.T, dsn, folder string, c *clock) *world {
	t.Helper()
	ring := got(secret.FromFile(filepath.Join(folder, hubserver.KeyFile), false))(t)
	return &world{
		T:        t,
		registry: got(registry.Open(t.Context(), dsn, registry.OpenOptions{Seal: ring, Clock: c.now}))(t),
		store:    got(postgres.Open(t.Context(), dsn, postgres.WithClock(c.now)))(t),
	}
}

func keysOf(folder string) func(context.Context) (*secret.Ring, error) {
	return func(context.Context) (*secret.Ring, error) {
		return secret.FromFile(filepath.Join(folder, hubserver.KeyFile), false)
	}
}

func move(t *testing.T, folder, dsn string) *migrate.Result {
	t.Helper()
	return got(migrate.Run(t.Context(), migrate.Options{From: folder, To: dsn, Keys: keysOf(folder)}))(t)
}

var (
	crm     = directory.Key{Account: "acme", Integration: "crm"}
	half    = directory.Key{Account: "acme", Integration: "half done"}
	guarded = directory.Key{Account: "acme", Integration: "guarded"}
	paused  = directory.Key{Account: "Zürich", Integration: "crm"}
	gone    = directory.Key{Account: "acme", Integration: "forgotten"}
	begun   = directory.Key{Account: "acme", Integration: "begun"}
)

// lease is that of a run in the tests.
const lease = time.Minute

func record(id, name string, numbers ...directory.Number) directory.Record {
	r := directory.Record{Contact: contact.Contact{ID: id, Name: name}, Numbers: numbers}
	for _, n := range numbers {
		r.Contact.Phones = append(r.Contact.Phones, n.Raw)
	}
	return r
}

func number(e164 string) directory.Number {
	return directory.Number{Raw: e164, E164: e164, Match: e164[1:]}
}

// people are contacts with a number each.
func people(from, to int) (all []directory.Record) {
	for i := from; i <= to; i++ {
		r := record(fmt.Sprintf("%04d", i), fmt.Sprintf("Person %d", i), number(fmt.Sprintf("+1415555%04d", i)))
		r.Contact.Emails = []string{fmt.Sprintf("P%d@example.com", i)}
		all = append(all, r)
	}
	return all
}

// odd are contacts with everything that there can be in one.
func odd() []directory.Record {
	full := record("a\x00\xff'\\", "Zoë Müller-Ångström 山田",
		number("+442079460018"),
		directory.Number{Raw: "020 7946 0019 ext. 7", E164: "+442079460019", Match: "442079460019", Extension: "7"},
		directory.Number{Raw: "4711", Match: "4711"},
		directory.Number{Raw: "0012345", Match: "0012345"},
		directory.Number{Raw: "none"})
	c := &full.Contact
	c.Title, c.Company, c.Address, c.Twitter = "Dr. O'Neill \\ it's", "Example & Söhne \x00", "1 Street", "zoe"
	c.URL, c.PhotoURL = "https://crm.test/1?a=b", "https://crm.test/1.png"
	c.Emails = []string{"Zoe@Example.com ", "o'neill\\@example.com", ""}
	c.Websites, c.CustomFields = []string{"https://a.test"}, []contact.CustomField{{Key: "k", Value: "v"}, {Key: "", Value: "x"}}
	long := record("long", "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa Long")
	return []directory.Record{full, long, record("bare", "")}
}

func (w *world) start(key directory.Key, full bool) *directory.Run {
	w.Helper()
	return got(w.store.StartRun(w.Context(), key, directory.Start{Full: full, Lease: lease, FreshFor: time.Hour, Settings: "s3 \x00\xff"}))(w)
}

// page applies a page that is not the last.
func (w *world) page(run *directory.Run, p directory.PageChanges) {
	w.Helper()
	p.Seq, p.NextOffset, p.Context = run.Pages+1, fmt.Sprintf("offset %d \x00", run.Pages+1), []byte(`{"cursor":7}`)
	ok(w, w.store.ApplyPage(w.Context(), run, p))
}

// last applies the last page of a run.
func (w *world) last(run *directory.Run, p directory.PageChanges) error {
	p.Seq = run.Pages + 1
	if p.Guard == (directory.Guard{}) {
		p.Guard = directory.DefaultGuard()
	}
	return w.store.ApplyPage(w.Context(), run, p)
}

func (w *world) complete(key directory.Key, full bool, p directory.PageChanges) *directory.Run {
	w.Helper()
	run := w.start(key, full)
	ok(w, w.last(run, p))
	return run
}

// live lets a hub have been used: there is something in every table.
func (w *world) live(c *clock) {
	w.Helper()
	w.liveRegistry(c)
	w.liveDirectory(c)
}

func (w *world) liveRegistry(c *clock) {
	w.Helper()
	ctx, r := w.Context(), w.registry
	ok(w, r.PutAccount(ctx, registry.Account{Name: "acme", Region: "GB", TimeZone: "Europe/London", Managed: true}))
	c.at = c.at.Add(1500 * time.Microsecond)
	ok(w, r.PutAccount(ctx, registry.Account{Name: "other", Region: "US"}))
	for _, i := range []registry.Integration{
		{
			Key: crm, Bridge: "https://{{site}}.example.com/contact_sync", Validation: "https://example.com/check",
			Fields: []registry.Field{{Name: "site", Display: "Site", Mandatory: true, Type: "text", Help: "your site", Format: "https://{{site}}.example.com", Default: "main"}},
			OAuth: &registry.OAuth{
				Grant: "authorization_code", AuthorizeURL: "https://example.com/a", TokenURL: "https://example.com/t", ClientID: "c",
				Scopes: []string{"read"}, Params: map[string]string{"access_type": "offline"}, Field: "token",
			},
			Schedule: registry.Schedule{Cron: "15 6 * * *", Full: -1}, Limits: registry.Limits{Pages: 1, PageBytes: 2, Timeout: time.Second, Run: time.Hour},
			Guard: directory.NewGuard(0, 7), Managed: true,
		},
		{Key: half, Bridge: "https://half.example.com/"},
		{Key: guarded, Bridge: "https://guarded.example.com/", Schedule: registry.Schedule{Every: time.Minute}},
		{Key: directory.Key{Account: "other", Integration: "crm"}, Bridge: "https://other.example.com/", Paused: true},
	} {
		if i.Key.Integration == "half done" || i.Key.Integration == "guarded" {
			i.Key.Integration = i.Key.Integration[:4]
		}
		ok(w, r.AddIntegration(ctx, i, map[string]string{"username": "agent", "password": "s3cret " + i.Bridge}))
	}
	ok(w, r.SetSecret(ctx, registry.Owner(crm), "oauth", []byte(`{"access_token":"abc","refresh_token":"def"}`)))
	claims := got(r.Claim(ctx, "worker-1", 1, time.Minute))(w)
	ok(w, r.Release(ctx, claims[0], registry.Outcome{
		Health: registry.HealthFailing, Problem: &registry.Problem{Code: "unavailable", Message: "down", Hint: "wait", Since: c.at}, Failures: 3,
		Due: c.at.Add(time.Hour), Fresh: c.at.Add(-time.Hour), LastFull: c.at.Add(-2 * time.Hour),
	}))
	ok(w, r.Ask(ctx, claims[0].Key, registry.Ask{Run: true, Full: true, Resume: true}))
	got(r.Claim(ctx, "worker that died", 2, time.Minute))(w)

	ok(w, r.PutToken(ctx, registry.Token{ID: "t1", Name: "pbx", Account: "acme", Scopes: []registry.Scope{registry.ScopeCallers}, Managed: true, Expires: c.at.Add(time.Hour)}, []byte("digest 1"), false))
	ok(w, r.PutToken(ctx, registry.Token{ID: "t2", Name: "all", Scopes: []registry.Scope{registry.ScopeAdmin}}, []byte("digest 2"), false))
	ok(w, r.TokenUsed(ctx, "t1", c.at))
	ok(w, r.CreateFirstUser(ctx, registry.User{ID: "u1", Email: "ann@example.com", Name: "Jane", Role: registry.RoleAdmin, Password: "$argon2id$x"}))
	ok(w, r.PutUser(ctx, registry.User{ID: "u2", Name: "joe@example.com", Role: registry.RoleReader, Accounts: []string{"acme"}, Subject: "https://idp joe", Disabled: true}))
	ok(w, r.PutSession(ctx, registry.Session{Digest: []byte{1, 0, 255}, User: "u1", Expires: c.at.Add(time.Hour), Agent: "Firefox \"1\""}))

	ok(w, r.PutWebhook(ctx, registry.Webhook{ID: "w1", Account: "acme", URL: "https://ops.example.com/hook", Kinds: []string{"run.failed"}, Managed: true}, nil))
	ok(w, r.PutWebhook(ctx, registry.Webhook{ID: "w2", URL: "https://all.example.com/hook"}, nil))
	ok(w, r.SetSecret(ctx, registry.WebhookOwner("w1"), "signing", []byte("0123456789abcdef")))
	for i := range 5 {
		kind := "run.finished"
		if i%2 == 0 {
			kind = "run.failed"
		}
		ok(w, r.AddEvent(ctx, &registry.Event{Kind: kind, Account: "acme", Subject: "crm", Data: []byte(fmt.Sprintf(`{"run":%d}`, i))}))
	}
	for i, d := range got(r.Deliveries(ctx, registry.Wanted{Limit: 3, Hold: time.Minute}))(w) {
		next := time.Time{}
		if i == 1 {
			next = c.at.Add(time.Minute)
		}
		ok(w, r.Delivered(ctx, d.ID, registry.Sending{Problem: "answered 500", Status: 500, Took: time.Second, Answer: "oh"}, next))
	}
	ok(w, r.PutWebhook(ctx, registry.Webhook{ID: "w3", URL: "mailto:ops@example.com", Way: registry.WayEmail, Kinds: []string{registry.AlertEvent}, Managed: true}, nil))
	ok(w, r.PutRunLog(ctx, crm, 1, registry.RunLog{Lines: []registry.LogLine{{Time: c.at, Level: registry.LevelError, Text: "it failed"}}}))
	got(r.Hold(ctx, "alerts", "worker that died", time.Minute))(w)
	ok(w, r.Tell(ctx, "alerts", "worker that died", []registry.Alert{{Key: crm, Is: registry.ConditionBroken, Since: c.at, First: c.at}}, nil, nil))
	ok(w, r.AddAudit(ctx, &registry.AuditEntry{Actor: "user jane", Action: "integration.add", Account: "acme", Subject: "crm", Detail: "schedule, auth password"}))
	ok(w, r.AddAudit(ctx, &registry.AuditEntry{Actor: "hub", Action: "purge"}))
	ok(w, r.PutSamples(ctx, registry.Sample{Day: c.at, Account: "acme", Contacts: 7}))
	ok(w, r.SetSetting(ctx, "theme", "dark"))
	for _, f := range []registry.File{{Account: "acme", Name: "customers.csv", Kind: "csv", Uploader: "user jane"}, {Account: "acme", Name: "customers.csv", Kind: "csv", Staged: true, Over: "before"}} {
		content := bytes.Repeat([]byte("id,name\x00\xff\n"), 40_000) // two rows
		f.Size = int64(len(content))
		ok(w, r.AddFile(ctx, &f, bytes.NewReader(content), 1<<20))
	}
}

func (w *world) liveDirectory(c *clock) {
	w.Helper()
	ctx := w.Context()
	w.complete(gone, false, directory.PageChanges{Contacts: people(1, 30), Checkpoint: "x"})
	w.complete(crm, false, directory.PageChanges{
		Contacts: append(people(1, 50), odd()...), Checkpoint: "c1\x00ü", Bytes: 12345,
		Rejected: []directory.Rejected{{ID: "bad", Reason: "has no name"}, {Reason: "has no id"}},
	})
	c.at = c.at.Add(time.Minute)
	w.complete(crm, false, directory.PageChanges{Contacts: people(3, 3), Deleted: []string{"0004"}, Checkpoint: "c2"})
	got(w.store.Purge(ctx, "acme", []directory.Ref{{Integration: "crm", ID: "0005"}, {Integration: "crm", ID: "never"}}, true))(w)
	agents := []directory.Agent{{ID: "7", Name: "Ann", Email: "Ann@example.com"}, {ID: "a\x00\xff'", Name: "Zoë", Email: "zoë@exämple.com"}, {ID: "8", Name: "Bob", Email: "bob@example.com"}}
	got(w.store.SetAgents(ctx, crm, agents))(w)
	got(w.store.Purge(ctx, "acme", []directory.Ref{{Integration: "crm", ID: "8", Agent: true}}, true))(w)
	got(w.store.SetAgents(ctx, gone, agents))(w)
	ok(w, w.store.FailAgents(ctx, crm, errors.New("the bridge is down: \xff"), "Start it."))
	got(w.store.Purge(ctx, "nobody", []directory.Ref{{Integration: "never ran", ID: "1"}}, true))(w)

	w.complete(guarded, false, directory.PageChanges{Contacts: people(1, 40), Checkpoint: "g1"})
	if err := w.last(w.start(guarded, true), directory.PageChanges{Contacts: people(1, 5), Checkpoint: "g2"}); !errors.As(err, new(*directory.GuardedError)) {
		w.Fatalf("%v", err)
	}
	// Deletions that the bridge named: held back beside those, and of a run that has not come to its end.
	if err := w.last(w.start(guarded, false), directory.PageChanges{Deleted: []string{"0001", "0002"}, Checkpoint: "g2", Guard: directory.NewGuard(0, 0)}); !errors.As(err, new(*directory.GuardedError)) {
		w.Fatalf("%v", err)
	}
	w.complete(paused, false, directory.PageChanges{Contacts: people(1, 5), Checkpoint: "p1"})

	// A first run that died: nothing set a checkpoint.
	w.page(w.start(begun, false), directory.PageChanges{Contacts: people(1, 2)})

	// A full run that died after its first page, and a run that failed.
	w.complete(half, false, directory.PageChanges{Contacts: people(1, 40), Checkpoint: "h1"})
	w.page(w.start(half, true), directory.PageChanges{Contacts: people(1, 20), Checkpoint: "h2", Exact: true, Rejected: []directory.Rejected{{ID: "x", Reason: "is odd"}}})
	failed := w.start(paused, false)
	w.page(failed, directory.PageChanges{Contacts: people(6, 7), Deleted: []string{"0001"}, Checkpoint: "p2"})
	ok(w, w.store.FailRun(ctx, failed, errors.New("the bridge is down: \xff"), "Start it: \xff"))
}

// halfForgotten leaves an integration as a process does that dies while it forgets it: without a name, its contacts still there.
func halfForgotten(t *testing.T, folder string) {
	t.Helper()
	db := got(sql.Open("sqlite", filepath.Join(folder, hubserver.DirectoryFile)))(t)
	for _, statement := range []string{
		"DELETE FROM runs WHERE integration = (SELECT pk FROM integrations WHERE name = 'forgotten')", "UPDATE integrations SET name = NULL WHERE name = 'forgotten'",
	} {
		got(db.ExecContext(t.Context(), statement))(t)
	}
	ok(t, db.Close())
}

// copyFolder copies a data folder.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	ok(t, os.CopyFS(to, os.DirFS(from)))
	return to
}
