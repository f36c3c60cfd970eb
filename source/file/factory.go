package file

import (
	"context"
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// factory opens the files of one endpoint.
type factory struct {
	cfg      Config
	settings settings
	format   Format
	traits   Traits
	reads    source.Settings
	shape    string   // stands for what of the configuration decides how a contact looks
	pattern  bool     // the path is a pattern; what callers send is not part of it
	wanted   []string // see [Input]
	deps     source.Deps
	known    *source.Pool[*files]
	looking  bool // only at what is there: no column need be one that is used
}

// New returns the factory of one endpoint with files of a format. reads are the settings of the kind's whole configuration
// ([source.SettingsOf]), to which its checkpoints belong. It opens no file. What is wrong with cfg is a [source.ConfigError] for
// each problem.
func New(cfg Config, format Format, reads source.Settings, deps source.Deps) (source.Factory, error) {
	if cfg.Overlap == 0 {
		cfg.Overlap = defaultOverlap
	}
	settings, err := cfg.check()
	if err != nil {
		return nil, err
	}
	deps = deps.Defaults()
	return &factory{
		cfg: cfg, settings: settings, format: format, traits: format.Traits(), reads: reads, deps: deps,
		pattern: isPattern(cfg.Path), wanted: cfg.wanted(),
		shape: reads.With(source.Settings{"engine.revision": engineRevision}).Digest(),
		known: source.NewPool(source.PoolOptions{Clock: deps.Clock}, (*files).close),
	}, nil
}

// engineRevision is raised when the engine makes other contacts or other positions of the same files.
const engineRevision = "1"

// kind returns the name of the kind.
func (f *factory) kind() string { return f.reads["kind"] }

func (f *factory) newStamps() *stamps {
	return &stamps{layout: f.settings.layout, zone: f.settings.zone}
}

// Open implements [source.Factory]. What is known about the files of a path is kept by it.
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	at, err := f.locate(auth)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	opened, release, err := f.known.Get(ctx, source.DigestOf(at.path, at.upload), func(context.Context) (*files, error) {
		digest := f.reads.With(source.Settings{"tenant.path": at.identity()}).Digest()
		return &files{location: at, scope: digest, factory: f, lock: make(chan struct{}, 1)}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	return &Source{files: opened, release: release}, nil
}

// locate returns where the files of a caller are.
func (f *factory) locate(auth bridge.Auth) (location, error) {
	escape := fileName
	if f.pattern {
		escape = plainFileName
	}
	path, err := f.cfg.Path.Expand(auth, escape)
	if err != nil {
		return location{}, err
	}
	l := location{path: f.deps.Path(path), ofCaller: len(f.cfg.Path.Names()) > 0}
	if u, ok := f.deps.Upload(path); ok {
		if u.Path == "" {
			return l, noUpload(path)
		}
		return location{path: u.Path, upload: path, scope: u.Scope}, nil
	}
	if f.pattern {
		root, rest := splitPattern(path)
		l.root, l.pattern = f.deps.Path(root), rest
	}
	return l, nil
}

// noUpload returns the error of a file that nobody has uploaded.
func noUpload(path string) error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "there is no uploaded file " + strings.TrimPrefix(path, source.UploadPrefix),
		Hint: "Upload it under this name, or correct the source's path.",
	}
}

// isPattern reports whether a configured path is a pattern.
func isPattern(path source.Template) bool {
	auth := bridge.Auth{}
	for _, name := range path.Names() {
		auth[name] = "x"
	}
	text, err := path.Expand(auth, source.EscapeURL)
	return err == nil && strings.ContainsAny(text, patternSigns)
}

// fileName lets a credential be the name of a file or folder, or a part of one, and nothing that leads elsewhere.
func fileName(value string) (string, error) {
	if strings.HasPrefix(value, ".") || len(value) > 200 || strings.IndexFunc(value, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune(`/\:`, r)
	}) >= 0 {
		return "", &bridge.Error{
			Code:    bridge.CodeUnauthorized,
			Message: "a credential that stands in the source's path cannot be the name of a file",
			Hint:    "Send a name without slashes, colons, control characters and a dot in front.",
		}
	}
	return value, nil
}

// plainFileName is fileName for a path that is a pattern: no credential adds to the pattern.
func plainFileName(value string) (string, error) {
	if strings.ContainsAny(value, patternSigns) {
		return "", &bridge.Error{
			Code:    bridge.CodeUnauthorized,
			Message: "a credential that stands in the source's path cannot hold the signs of a pattern",
			Hint:    "Send a name without * ? [ ] { and }.",
		}
	}
	return fileName(value)
}

// Close implements [source.Factory].
func (f *factory) Close() error { return f.known.Close() }
