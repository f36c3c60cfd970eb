// Package hubserver is the hub's process: the databases of a configuration, what the configuration declares, and the hub with
// its API and console at one listener.
package hubserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/backup"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/internal/priority"
	"github.com/contactbridge/contactbridge/internal/telemetry"
	"github.com/contactbridge/contactbridge/internal/upgrade"
	"github.com/contactbridge/contactbridge/phonebook"
)

// ServerOptions are a hub's settings besides its configuration.
type ServerOptions struct {
	Logger  *slog.Logger // nil logs nothing
	Version string       // of the program
	Guest   string       // see [console.Options]: for a demonstration

	// CallerIDWithin is the time that /callerid has for an answer; 0 means 45 ms.
	CallerIDWithin time.Duration

	// Upgrading is told what is about to be changed in databases of an older release; nil: nobody is.
	Upgrading func(*upgrade.Plan)
}

// Files of an embedded hub, below its data folder.
const (
	DirectoryFile = "directory.db"
	RegistryFile  = "hub.db"
	KeyFile       = "hub.key"
)

// Databases are a hub and what it stands on.
type Databases struct {
	Hub *hub.Hub

	config   *hubconfig.Config
	ring     *secret.Ring
	registry *registry.DB
	store    directory.Store
	inside   *inside.Sources
	later    atomic.Bool // something that is declared has to wait
	lock     *lock       // of the process that serves an embedded hub; nil: none
}

// Everything are the scopes of who may do all.
func Everything() []registry.Scope { return []registry.Scope{registry.ScopeAdmin} }

// Open opens the databases of a configuration, creates missing ones, and brings them up to date. It runs nothing.
func Open(ctx context.Context, cfg *hubconfig.Config, o ServerOptions) (_ *Databases, err error) {
	d := &Databases{config: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if cfg.Database == "" || needsKeyFile(cfg) {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return nil, fmt.Errorf("make the hub's folder: %w", err)
		}
	}
	if err := announce(ctx, cfg, o.Upgrading); err != nil {
		return nil, err
	}
	fresh, err := isNew(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if d.ring, err = openRing(ctx, cfg, fresh); err != nil {
		return nil, err
	}
	if d.registry, err = registry.Open(ctx, registryAt(cfg), registry.OpenOptions{Seal: d.ring, KeepAudit: cfg.Keep.Audit}); err != nil {
		return nil, err
	}
	if d.store, err = openDirectory(ctx, cfg); err != nil {
		return nil, err
	}
	d.Hub = newHub(d, o.Logger)
	return d, nil
}

// newHub makes a hub on databases, as their configuration says.
func newHub(d *Databases, logger *slog.Logger) *hub.Hub {
	cfg, h := d.config, hub.New(d.registry, d.store)
	h.Answers = bridge.NewBudget(int64(cfg.Answers))
	d.inside = inside.New(inside.Options{
		Answers: h.Answers,
		Logger:  logger, Folder: cfg.Folder, Transport: telemetry.Transport(transport(cfg.Network)), Dial: outbound.Dialer(policy(cfg.Network)).DialContext,
		Files: d.registry,
	})
	h.Inside = d.inside
	h.Logger, h.Outbound = logger, telemetry.Transport(transport(cfg.Network))
	h.Options = hub.Options{
		Alerts: cfg.AlertOptions(), Workers: cfg.Workers, PerAccount: cfg.PerAccount, PerHost: cfg.PerHost, Ceilings: cfg.Ceilings(), KeepRuns: cfg.Keep.Runs, KeepAudit: cfg.Keep.Audit, PublicURL: cfg.PublicURL,
		OAuthClients: cfg.Clients(), FileBytes: int64(cfg.Files.Size), FilesBytes: int64(cfg.Files.Account),
	}
	h.Mail = mailBy(cfg)
	h.DeclarePhonebooks(cfg.DeclaredPhonebooks(), cfg.SharedLDAP())
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(h.Answers.ProcessLimit())
	}
	if cfg.Role == "all" { // what answers callers runs integrations too
		h.Background = priority.Low
	}
	return h
}

// Plans returns what [Open] would change in a configuration's databases, and changes nothing. Databases of a newer release are an
// error.
func Plans(ctx context.Context, cfg *hubconfig.Config) ([]*upgrade.Plan, error) {
	ofDirectory := func() (*upgrade.Plan, error) { return sqlite.Plan(ctx, filepath.Join(cfg.Data, DirectoryFile)) }
	if cfg.Database != "" {
		ofDirectory = func() (*upgrade.Plan, error) { return postgres.Plan(ctx, cfg.Database) }
	}
	var plans []*upgrade.Plan
	for _, plan := range []func() (*upgrade.Plan, error){func() (*upgrade.Plan, error) { return registry.Plan(ctx, registryAt(cfg)) }, ofDirectory} {
		p, err := plan()
		if err != nil {
			return nil, err
		}
		if p != nil {
			plans = append(plans, p)
		}
	}
	return plans, nil
}

// announce says what is about to be changed.
func announce(ctx context.Context, cfg *hubconfig.Config, say func(*upgrade.Plan)) error {
	plans, err := Plans(ctx, cfg)
	if err != nil || say == nil {
		return err
	}
	for _, p := range plans {
		say(p)
	}
	return nil
}

func registryAt(cfg *hubconfig.Config) string {
	if cfg.Database != "" {
		return cfg.Database
	}
	return filepath.Join(cfg.Data, RegistryFile)
}

func openDirectory(ctx context.Context, cfg *hubconfig.Config) (directory.Store, error) {
	// A store that could not be opened must be nil, and not an interface that holds a nil pointer.
	if cfg.Database != "" {
		store, err := postgres.Open(ctx, cfg.Database, postgres.WithJudges(phonebook.Judges))
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	store, err := sqlite.Open(ctx, filepath.Join(cfg.Data, DirectoryFile), sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		return nil, err
	}
	return store, nil
}

// needsKeyFile reports whether the key is in the data folder.
func needsKeyFile(cfg *hubconfig.Config) bool {
	return cfg.Secrets.KeyFile == "" && cfg.Secrets.KeyEnv == "" && len(cfg.Secrets.KeyCommand) == 0
}

// transport asks only what the configuration allows.
func transport(n hubconfig.Network) http.RoundTripper { return outbound.New(policy(n)) }

func policy(n hubconfig.Network) outbound.Policy {
	o := outbound.Policy{AllowPrivate: n.AllowPrivate}
	for _, text := range n.Allow {
		if prefix, err := netip.ParsePrefix(text); err == nil { // the configuration was checked
			o.Allow = append(o.Allow, prefix)
		}
	}
	return o
}

// Declare applies what the configuration declares: it makes and changes that, and removes what it declared before and does
// not any more. An account stays, with what was added to it elsewhere.
//
// Processes with the same file may start together. What one of them has just added is in the way of another one, which then
// begins again and finds it as declared.
func (d *Databases) Declare(ctx context.Context) (err error) {
	for range declareAttempts {
		d.later.Store(false)
		err = d.declare(ctx)
		if code := failure.Of(err).Code; code != failure.Conflict && code != failure.NotFound {
			return err
		}
		select {
		case <-time.After(declarePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

const (
	declareAttempts = 8
	declarePause    = 100 * time.Millisecond
)

func (d *Databases) declare(ctx context.Context) error {
	ctx = hub.WithActor(ctx, hub.Actor{Name: "configuration file", All: true, Scopes: Everything(), File: true})
	if err := d.declareAccounts(ctx); err != nil {
		return err
	}
	if err := d.declareIntegrations(ctx); err != nil {
		return err
	}
	if err := d.declareTokens(ctx); err != nil {
		return err
	}
	if err := d.declareWebhooks(ctx); err != nil {
		return err
	}
	return d.Hub.SetPhonebooks(ctx)
}

func (d *Databases) declareAccounts(ctx context.Context) error {
	declared := d.config.DeclaredAccounts()
	for _, account := range declared {
		if err := d.Hub.PutAccount(ctx, account); err != nil {
			return fmt.Errorf("declare account %s: %w", account.Name, err)
		}
	}
	accounts, err := d.Hub.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		still := slices.ContainsFunc(declared, func(a registry.Account) bool { return a.Name == account.Name })
		if account.Managed && !still {
			account.Managed = false
			if err := d.Hub.PutAccount(ctx, account); err != nil {
				return fmt.Errorf("release account %s: %w", account.Name, err)
			}
		}
	}
	return nil
}

func (d *Databases) declareIntegrations(ctx context.Context) error {
	declared := map[directory.Key]bool{}
	for _, i := range d.config.DeclaredIntegrations() {
		declared[i.Key] = true
		if err := d.declareIntegration(ctx, i); err != nil {
			return fmt.Errorf("declare integration %s of %s: %w", i.Key.Integration, i.Account, err)
		}
	}
	views, err := d.Hub.Integrations(ctx, "", directory.Key{}, 0)
	if err != nil {
		return err
	}
	for _, v := range views {
		if v.Managed && !declared[v.Key] {
			if err := d.Hub.RemoveIntegration(ctx, v.Key); err != nil {
				return fmt.Errorf("remove integration %s of %s, which the file does not declare any more: %w", v.Key.Integration, v.Account, err)
			}
		}
	}
	return nil
}

// declareIntegration adds an integration, or changes one where it is not as declared: every start of every process comes here.
func (d *Databases) declareIntegration(ctx context.Context, i hubconfig.DeclaredIntegration) error {
	v, err := d.Hub.Integration(ctx, i.Key)
	if failure.Of(err).Code == failure.NotFound {
		err := d.Hub.AddIntegration(ctx, i.Integration, i.Auth)
		if failure.Of(err).Code == failure.Conflict && d.going(ctx, i.Key) {
			d.later.Store(true)
			d.log().Warn("an integration of the configuration file is still being removed under the same name: it is added afterwards",
				"account", i.Account, "integration", i.Key.Integration)
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	same, err := d.same(ctx, v.Integration, i)
	if err != nil || same {
		return err
	}
	auth, err := d.declaredAuth(ctx, v.Integration, i)
	if err != nil {
		return err
	}
	i.Version = v.Version
	return d.Hub.ChangeIntegration(ctx, i.Integration, auth)
}

// going reports whether an integration of this name is still being removed.
func (d *Databases) going(ctx context.Context, key directory.Key) bool {
	names, err := d.Hub.Registry.Hidden(ctx, key.Account)
	return err == nil && slices.Contains(names, key.Integration)
}

// declareLater declares again what had to wait, until nothing has to or ctx is done.
func (d *Databases) declareLater(ctx context.Context) error {
	tick := time.NewTicker(laterEvery)
	defer tick.Stop()
	for d.later.Load() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := d.Declare(ctx); err != nil && ctx.Err() == nil {
			d.later.Store(true)
			d.log().Error("could not apply the configuration file", "error", err)
		}
	}
	return nil
}

const laterEvery = 5 * time.Second

func (d *Databases) log() *slog.Logger {
	if d.Hub.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Hub.Logger
}

// declaredAuth returns the change that makes an integration's auth values those that are declared. Values that its bridge gave (P13)
// stay while the bridge is asked with the same address and credentials.
func (d *Databases) declaredAuth(ctx context.Context, kept registry.Integration, i hubconfig.DeclaredIntegration) (map[string]string, error) {
	values, err := d.Hub.Registry.Auth(ctx, i.Key)
	if err != nil {
		return nil, err
	}
	asked := kept.Bridge == i.Bridge && kept.Validation == i.Validation
	for name, value := range i.Auth {
		asked = asked && values[name] == value
	}
	auth := maps.Clone(i.Auth)
	if auth == nil {
		auth = map[string]string{}
	}
	for _, name := range kept.AuthSet {
		if _, declared := i.Auth[name]; !declared && !(asked && slices.Contains(kept.Learned, name)) {
			auth[name] = ""
		}
	}
	return auth, nil
}

// same reports whether an integration is as declared, in everything that can be declared. What a bridge gave besides (P13) does
// not count.
func (d *Databases) same(ctx context.Context, kept registry.Integration, i hubconfig.DeclaredIntegration) (bool, error) {
	auth, err := d.Hub.Registry.Auth(ctx, i.Key)
	if err != nil {
		return false, err
	}
	for name, value := range i.Auth {
		if auth[name] != value || slices.Contains(kept.Learned, name) {
			return false, nil
		}
	}
	for _, name := range kept.AuthSet {
		if _, declared := i.Auth[name]; !declared && !slices.Contains(kept.Learned, name) {
			return false, nil
		}
	}
	return reflect.DeepEqual(declarable(kept), declarable(i.Integration)), nil
}

// declarable returns an integration without what no file declares. Everything else counts: a field that is new is compared as well.
func declarable(i registry.Integration) registry.Integration {
	i.Created, i.Updated, i.AuthSet, i.Learned, i.Files, i.Version, i.Status = time.Time{}, time.Time{}, nil, nil, nil, 0, registry.Status{}
	i.Fields = slices.Clone(i.Fields)
	if len(i.Fields) == 0 {
		i.Fields = nil
	}
	if i.OAuth != nil {
		o := *i.OAuth
		if len(o.Scopes) == 0 {
			o.Scopes = nil
		}
		if len(o.Params) == 0 {
			o.Params = nil
		}
		i.OAuth = &o
	}
	return i
}

func (d *Databases) declareTokens(ctx context.Context) error {
	declared := map[[2]string]bool{}
	for _, t := range d.config.DeclaredTokens() {
		declared[[2]string{t.Account, t.Name}] = true
	}
	tokens, err := d.Hub.Tokens(ctx, "")
	if err != nil {
		return err
	}
	// First those that go: one that was renamed keeps its value.
	for _, t := range tokens {
		if t.Managed && !declared[[2]string{t.Account, t.Name}] {
			if err := d.Hub.RemoveToken(ctx, t.ID); err != nil {
				return fmt.Errorf("remove token %s, which the file does not declare any more: %w", t.Name, err)
			}
		}
	}
	for _, t := range d.config.DeclaredTokens() {
		if _, _, err := d.Hub.CreateToken(ctx, t.Token, t.Value); err != nil {
			return fmt.Errorf("declare token %s: %w", t.Name, err)
		}
	}
	return nil
}

func (d *Databases) declareWebhooks(ctx context.Context) error {
	declared := map[string]bool{}
	for _, w := range d.config.DeclaredWebhooks() {
		declared[w.ID] = true
		if err := d.Hub.DeclareWebhook(ctx, w.Webhook, w.Secret); err != nil {
			return fmt.Errorf("declare webhook %s: %w", w.ID, err)
		}
	}
	webhooks, err := d.Hub.Webhooks(ctx, "")
	if err != nil {
		return err
	}
	for _, w := range webhooks {
		if w.Managed && !declared[w.ID] {
			if err := d.Hub.RemoveWebhook(ctx, w.ID); err != nil {
				return fmt.Errorf("remove webhook %s, which the file does not declare any more: %w", w.ID, err)
			}
		}
	}
	return nil
}

// Close closes the databases.
func (d *Databases) Close() error {
	var errs []error
	if d.inside != nil {
		errs = append(errs, d.inside.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.registry != nil {
		errs = append(errs, d.registry.Close())
	}
	return errors.Join(append(errs, d.lock.Close())...)
}

// Parts are the embedded databases, ready to be copied while they are in use; nil for a hub on PostgreSQL.
func (d *Databases) Parts() []backup.Part {
	store, ok := d.store.(*sqlite.Store)
	if !ok {
		return nil
	}
	return []backup.Part{{Name: RegistryFile, Copy: d.registry.Backup}, {Name: DirectoryFile, Copy: store.Backup}}
}

// Keys opens the keys that seal a hub's credentials, wherever its configuration says that they are. It makes none.
func Keys(ctx context.Context, cfg *hubconfig.Config) (*secret.Ring, error) {
	return openRing(ctx, cfg, false)
}

// openRing opens the keys that seal credentials.
func openRing(ctx context.Context, cfg *hubconfig.Config, makeOne bool) (*secret.Ring, error) {
	switch s := cfg.Secrets; {
	case s.KeyEnv != "":
		return secret.FromEnvironment(s.KeyEnv, os.LookupEnv)
	case len(s.KeyCommand) > 0:
		return secret.FromCommand(ctx, s.KeyCommand...)
	case s.KeyFile != "":
		return secret.FromFile(s.KeyFile, false)
	}
	return secret.FromFile(filepath.Join(cfg.Data, KeyFile), makeOne)
}

// isNew reports whether a key may be made: not beside a registry that has lost its key, and not on one machine of several, each of
// which would make its own.
func isNew(ctx context.Context, cfg *hubconfig.Config) (bool, error) {
	if cfg.Database == "" {
		_, err := os.Stat(filepath.Join(cfg.Data, RegistryFile))
		return errors.Is(err, fs.ErrNotExist), nil
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, KeyFile)); err == nil || cfg.Role != "all" || !needsKeyFile(cfg) {
		return false, nil
	}
	db, err := registry.Open(ctx, cfg.Database, registry.OpenOptions{})
	if err != nil {
		return false, err
	}
	sealed, err := db.HasSecrets(ctx)
	return !sealed, errors.Join(err, db.Close())
}

// RotateKey seals every secret with a new key, and reports how many there are. Keys in a file are made here; others must have
// been put on the first line of where they come from.
func (d *Databases) RotateKey(ctx context.Context) (int, error) {
	if needsKeyFile(d.config) || d.config.Secrets.KeyFile != "" {
		if err := d.ring.Rotate(); err != nil {
			return 0, err
		}
	}
	return d.Hub.Registry.Reseal(ctx)
}
