package ldap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// A factory opens the sources of one endpoint.
type factory struct {
	cfg  Config
	deps source.Deps
	pool *source.Pool[*tenant]
}

// New returns the factory of one endpoint. It connects to nothing.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	deps = deps.Defaults()
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	f := &factory{cfg: cfg, deps: deps}
	f.pool = source.NewPool(source.PoolOptions{Clock: deps.Clock}, (*tenant).close)
	return f, nil
}

// Open implements [source.Factory].
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	l, err := f.login(auth)
	if err != nil {
		return nil, err
	}
	key := source.DigestOf(l.address.network, l.address.scheme, l.address.target, l.dn, l.password)
	t, release, err := f.pool.Get(ctx, key, func(context.Context) (*tenant, error) { return f.tenant(l), nil })
	if err != nil {
		return nil, err
	}
	return &Source{tenant: t, release: release}, nil
}

// login puts a caller's credentials in.
func (f *factory) login(auth bridge.Auth) (l login, err error) {
	text, err := f.cfg.URL.Expand(auth, escapeHost)
	if err != nil {
		return login{}, err
	}
	if l.address, err = parseAddress(text); err != nil {
		return login{}, &bridge.Error{Code: bridge.CodeUnauthorized, Message: "the caller's credentials make no server's address", Hint: "Send the name of a host."}
	}
	if f.deps.Untrusted {
		if err := l.address.untrusted(); err != nil {
			return login{}, err
		}
	}
	escape := func(value string) (string, error) { return client.EscapeDN(value), nil }
	if names := f.cfg.BindDN.Names(); len(names) == 1 && f.cfg.BindDN.String()[0] == '{' && isBare(f.cfg.BindDN.String()) {
		escape = bare // the whole of it is the caller's
	}
	if l.dn, err = f.cfg.BindDN.Expand(auth, escape); err != nil {
		return login{}, err
	}
	if l.password, err = f.cfg.Password.Expand(auth, bare); err != nil {
		return login{}, err
	}
	l.startTLS = f.cfg.StartTLS
	l.trusted, err = readCA(f.deps.Path(f.cfg.CA))
	return l, err
}

func bare(value string) (string, error) { return value, nil }

// isBare reports whether a template is one credential and nothing else.
func isBare(template string) bool {
	for i := range len(template) - 1 {
		if template[i:i+2] == "}}" {
			return i+2 == len(template)
		}
	}
	return false
}

func (f *factory) tenant(l login) *tenant {
	root, cancel := context.WithCancel(context.Background())
	return &tenant{
		factory: f, login: l, root: root, cancel: cancel, begins: map[string]*job{}, reads: map[spoolKey]*job{}, spools: map[spoolKey]*kept{},
		settings: source.SettingsOf("ldap", revision, f.cfg).With(source.Settings{
			"tenant.server": l.address.scheme + "://" + l.address.target, "tenant.reader": sameDN(l.dn),
		}),
	}
}

// Close implements [source.Factory].
func (f *factory) Close() error { return f.pool.Close() }

// A tenant is one directory, read with one set of credentials.
type tenant struct {
	factory  *factory
	login    login
	settings source.Settings
	root     context.Context // of what goes on between requests
	cancel   context.CancelFunc
	work     sync.WaitGroup

	mu     sync.Mutex
	begins map[string]*job    // readings that begin a run, by its checkpoint
	reads  map[spoolKey]*job  // readings that make a spool once more
	spools map[spoolKey]*kept // of runs
	server *knownServer       // nil until it is known
}

// A knownServer is what does not change while a server runs.
type knownServer struct {
	root    root
	schema  schema
	mapping *mapping
}

// A spoolKey is the digest of a run.
type spoolKey [sha256.Size]byte

func keyOf(run bridge.Run) spoolKey {
	return sha256.Sum256(append(append([]byte(run.Since), 0), run.State...))
}

// A kept spool is that of a run.
type kept struct {
	spool *spool
	used  time.Time
}

const (
	mostSpools = 16
	keepSpool  = 10 * time.Minute
)

// connect opens a connection.
func (t *tenant) connect(ctx context.Context) (*conn, error) {
	return t.login.connect(ctx, t.factory.deps)
}

// know asks a server what it is, once.
func (t *tenant) know(c *conn) (*knownServer, error) {
	t.mu.Lock()
	known := t.server
	t.mu.Unlock()
	if known != nil {
		return known, nil
	}
	r, err := readRoot(c)
	if err != nil {
		return nil, diagnose(err, "")
	}
	known = &knownServer{root: r, schema: readSchema(c, r)}
	if known.mapping, err = newMapping(t.factory.cfg, r, known.schema); err != nil {
		return nil, mappingError(err)
	}
	t.mu.Lock()
	t.server = known
	t.mu.Unlock()
	return known, nil
}

// mappingError is the error of a field that no attribute of the server fits.
func mappingError(err error) error {
	e := &bridge.Error{Code: bridge.CodeSourceBroken, Message: "the configuration does not fit the directory", Hint: "Correct the source's id and fields."}
	for _, said := range flatten(fieldErrors(err)) {
		if c, ok := errors.AsType[*source.ConfigError](said); ok {
			e.Message, e.Hint = c.Key+": "+c.Message, c.Hint
			break
		}
	}
	return e
}

// with calls use with a reader that has found its parts.
func (t *tenant) with(ctx context.Context, use func(*reader) error) error {
	c, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	known, err := t.know(c)
	if err != nil {
		return contextError(ctx, err)
	}
	r := &reader{
		cfg: t.factory.cfg, now: t.factory.deps.Clock.Now, login: t.login, conn: c, root: known.root, schema: known.schema, mapping: known.mapping, out: new(spoolWriter),
	}
	defer func() { r.out.discard() }()
	if err := r.findParts(ctx); err != nil {
		return contextError(ctx, err)
	}
	return contextError(ctx, use(r))
}

// contextError returns the error of a context that is done in place of what follows from that.
func contextError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// A job is one reading. It may take longer than a request.
type job struct {
	cancel context.CancelFunc
	done   chan struct{}
	since  time.Time
	seen   atomic.Int64
	owed   bool // whoever asked was told to ask again

	found   found // once done
	created int64 // see [state]
	spool   *spool
	err     error
}

// start begins a reading. The caller holds the lock.
func (t *tenant) start(since token, youngest int64) *job {
	ctx, cancel := context.WithCancel(t.root)
	j := &job{cancel: cancel, done: make(chan struct{}), since: t.factory.deps.Clock.Now()}
	t.work.Go(func() {
		defer cancel()
		defer close(j.done)
		j.err = t.with(ctx, func(r *reader) (err error) {
			r.seen, r.youngest = &j.seen, youngest
			if j.found, err = r.read(ctx, since); err != nil {
				return err
			}
			j.created = r.created
			j.spool, err = r.out.finish()
			return err
		})
	})
	return j
}

// begin reads what a run from a token brings. Where that takes longer than a request may, the next one that asks for the same gets it.
func (t *tenant) begin(ctx context.Context, since token) (*job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := since.String()
	t.mu.Lock()
	j := t.begins[key]
	if j == nil || !j.owed {
		j = t.start(since, 0)
		t.begins[key] = j
	}
	j.owed = false
	t.mu.Unlock()
	err := t.wait(ctx, j)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && isBusy(err) {
		j.owed = true
		return nil, err
	}
	if t.begins[key] == j {
		delete(t.begins, key)
	}
	if err != nil {
		j.cancel()
		go func() { <-j.done; j.spool.release() }()
		return nil, err
	}
	return j, nil
}

func isBusy(err error) bool { return errors.Is(err, source.ErrBusy) }

// wait waits for the end of a reading, as long as ctx leaves time for a page after it.
func (t *tenant) wait(ctx context.Context, j *job) error {
	var patience <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timer := time.NewTimer(left - min(2*time.Second, left/4))
		defer timer.Stop()
		patience = timer.C
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return ctx.Err()
	case <-patience:
	}
	taken := t.factory.deps.Clock.Now().Sub(j.since)
	return &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: fmt.Sprintf("the directory is being read: %d entries so far", j.seen.Load()),
		Hint: "Ask again later: reading goes on.", RetryAfter: min(max(taken.Round(time.Second), 5*time.Second), time.Minute), Err: source.ErrBusy,
	}
}

// keep keeps the spool of a run, and drops those that nobody used for long.
func (t *tenant) keep(run bridge.Run, s *spool) {
	now := t.factory.deps.Clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	key := keyOf(run)
	if old := t.spools[key]; old != nil {
		old.spool.release()
	}
	t.spools[key] = &kept{spool: s, used: now}
	for len(t.spools) > 1 {
		oldest := key
		for k, v := range t.spools {
			if v.used.Before(t.spools[oldest].used) {
				oldest = k
			}
		}
		if oldest == key || len(t.spools) <= mostSpools && now.Sub(t.spools[oldest].used) < keepSpool {
			return
		}
		t.spools[oldest].spool.release()
		delete(t.spools, oldest)
	}
}

// spoolOf returns the spool of a run, with one more user, and the mapping of its records. It is read again where it is missing.
func (t *tenant) spoolOf(ctx context.Context, run bridge.Run, since token, youngest int64) (*spool, *mapping, error) {
	key := keyOf(run)
	t.mu.Lock()
	if k := t.spools[key]; k != nil && t.server != nil {
		defer t.mu.Unlock()
		k.used = t.factory.deps.Clock.Now()
		return k.spool.retain(), t.server.mapping, nil
	}
	j := t.reads[key]
	if j == nil {
		j = t.start(since, youngest)
		t.reads[key] = j
	}
	t.mu.Unlock()
	if err := t.wait(ctx, j); err != nil {
		if !isBusy(err) && contextError(ctx, nil) == nil {
			t.forget(key, j)
		}
		return nil, nil, err
	}
	if !run.Initial() && j.found.whole {
		t.forget(key, j)
		return nil, nil, keyset.InvalidOffset(errors.New("the directory can no longer tell what changed"))
	}
	t.mu.Lock()
	first := t.reads[key] == j
	if first {
		delete(t.reads, key)
	}
	t.mu.Unlock()
	if first {
		t.keep(run, j.spool)
	}
	return t.spoolOf(ctx, run, since, youngest)
}

// forget drops a reading that failed, or is of no use.
func (t *tenant) forget(key spoolKey, j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reads[key] == j {
		delete(t.reads, key)
		j.spool.release()
	}
}

// close ends what goes on.
func (t *tenant) close() error {
	t.cancel()
	t.work.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.spools {
		k.spool.release()
	}
	for _, jobs := range []map[string]*job{t.begins} {
		for _, j := range jobs {
			j.spool.release()
		}
	}
	for _, j := range t.reads {
		j.spool.release()
	}
	t.spools, t.begins, t.reads = nil, nil, nil
	return nil
}
