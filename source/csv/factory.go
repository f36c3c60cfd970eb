// Package csv is a source of contacts in a CSV file, such as an export of a CRM.
//
// Without an updated column the checkpoint is a fingerprint of the file (E10). With one, an index of the file's rows in the
// order (updated, id) is kept in memory, about 24 bytes and the id for each. Either way a run is over one version of the
// file: when it changes, the run's offsets are refused, and the synchronizer begins again from its last checkpoint.
//
// A later row with the id of an earlier one replaces it; with an updated column the one with the newer stamp does.
package csv

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source"
)

// factory opens the files of one endpoint.
type factory struct {
	cfg      Config
	settings settings
	reads    source.Settings
	shape    string // what of the configuration decides how a contact looks
	deps     source.Deps
	clock    clock.Clock
	logger   *slog.Logger
	files    *source.Pool[*file]
}

func newFactory(cfg Config, s settings, deps source.Deps) *factory {
	return &factory{
		cfg: cfg, settings: s, reads: cfg.reads(s), deps: deps, clock: deps.Clock, logger: deps.Logger,
		shape: fmt.Sprintf("%q %q %q %q %q %q %q %v",
			cfg.Delimiter, cfg.Encoding, cfg.ID, cfg.Updated, cfg.UpdatedLayout, cfg.TimeZone, cfg.Deleted, cfg.Fields.Mapped()),
		files: source.NewPool(source.PoolOptions{Clock: deps.Clock}, func(*file) error { return nil }),
	}
}

func (f *factory) newStamps() *stamps {
	return &stamps{layout: f.settings.layout, zone: f.settings.zone}
}

// Open implements [source.Factory]. What is known about a file is kept by its path.
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	path, err := f.cfg.Path.Expand(auth, fileName)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	path = f.deps.Path(path)
	opened, release, err := f.files.Get(ctx, source.DigestOf(path), func(context.Context) (*file, error) {
		digest := f.reads.With(source.Settings{"tenant.path": source.FullName(path)}).Digest()
		return &file{path: path, scope: digest, ofCaller: len(f.cfg.Path.Names()) > 0, factory: f, lock: make(chan struct{}, 1)}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	return &Source{file: opened, release: release}, nil
}

// fileName lets a credential be a file's or folder's name, or a part of one, and nothing that leads elsewhere.
func fileName(value string) (string, error) {
	if strings.HasPrefix(value, ".") || len(value) > 200 || strings.IndexFunc(value, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune(`/\:`, r)
	}) >= 0 {
		return "", &bridge.Error{
			Code:    bridge.CodeUnauthorized,
			Message: "a credential that stands in the source's path cannot be the name of a file",
			Hint:    "send a name without slashes, colons, control characters and a dot in front",
		}
	}
	return value, nil
}

// Close implements [source.Factory].
func (f *factory) Close() error { return f.files.Close() }
