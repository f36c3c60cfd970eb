// Package carddav is a source of contacts in the address books of a CardDAV server (RFC 6352).
//
// # What makes a run exact
//
// A contact is a card at its path, and its path is its id: a server names what is gone by nothing else. A card that is renamed, or moved to
// another book, is a new contact, and the old one is gone. So is nothing that two cards of one UID could do to each other.
//
// A run begins with a list of cards: all of an initial run, else those that the server names as changed or gone since the sync-token of
// the checkpoint (RFC 6578). The tokens that came with the lists are the run's state and, at its end, the checkpoint: what changes
// later is named by the next run, whether this one has seen it or not. Cards are read in the order of their paths, which never
// change. So a place is a path; another process makes the list again, which has at least what the first one had, and goes on after it.
// The list is kept in memory for the pages that follow, and nothing depends on that.
//
// A token that is not taken any more, or a book that is gone, makes the run an initial one. So does any change in a book of a server
// that names no changes: there the checkpoint is a digest of the cards' etags.
//
// Where tokens stand for what the cards hold, a card that is read in another version than was listed gets one of a moment when it had that
// version: see settle.go.
//
// Nothing is deleted by inference: a card that was listed and is not there when it is read is left out, and the next run is told of it.
package carddav

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/vcard"
)

// Config is the configuration of kind carddav.
type Config struct {
	URL      source.Template `yaml:"url" digest:"-" jsonschema:"required" hint:"Set url to the server, such as https://dav.example.com/." jsonschema_description:"The server, such as https://dav.example.com/, its CardDAV address, or an address book. {{auth.name}} may stand in it."`
	Username source.Template `yaml:"username" digest:"-" jsonschema_description:"The user whose address books are read. {{auth.name}} may stand in it."`
	Password source.Template `yaml:"password" digest:"-" jsonschema_description:"The user's password, or one that was made for apps: ${DAV_PW}. {{auth.name}} may stand in it."`
	Books    []string        `yaml:"books" jsonschema_description:"The address books that are read, by name or path. Default: all of the user's."`
	Fields   record.Fields   `yaml:"fields" jsonschema_description:"The properties of the contact's fields, or expressions over them. Default: those that vCards have for them."`
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// factory opens the address books of one endpoint.
type factory struct {
	cfg      Config
	reads    source.Settings
	texts    []string // that name properties
	mapper   *record.Mapper
	deps     source.Deps
	accounts *source.Pool[*account]
}

// New makes the factory of one endpoint. It connects to nothing.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	f := &factory{cfg: cfg, reads: source.SettingsOf("carddav", revision, cfg), texts: file.Wanted(cfg.Fields), deps: deps.Defaults()}
	var problems source.ConfigErrors
	problems.If(cfg.URL.String() == "", "url", "url is missing", "Set url to the server, such as https://dav.example.com/.")
	if cfg.URL.String() != "" {
		problems.Add(f.checkURL())
	}
	problems.If(cfg.Username.String() == "" && cfg.Password.String() != "", "username", "username is missing", "Set username too: a password alone says nothing.")
	for i, name := range cfg.Books {
		problems.If(strings.TrimSpace(name) == "", fmt.Sprintf("books[%d]", i), "the name of an address book is empty", "Write its name or its path, or leave books out.")
	}
	reader := vcard.NewReader(f.texts)
	var err error
	f.mapper, err = reader.Compiler().Mapper(cfg.Fields, reader.Columns())
	for _, mistake := range record.FieldErrors(err) {
		problems.Add(&source.ConfigError{Key: mistake.Path, Message: mistake.Path + ": " + mistake.Message, Hint: mistake.Hint, Err: mistake})
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	f.accounts = source.NewPool(source.PoolOptions{Clock: f.deps.Clock}, (*account).close)
	return f, nil
}

// checkURL finds what is wrong with the configured URL, with something in the places of credentials.
func (f *factory) checkURL() error {
	auth := bridge.Auth{}
	for _, name := range f.cfg.URL.Names() {
		auth[name] = "x"
	}
	_, err := f.address(auth)
	return err
}

// address returns the URL for a caller.
func (f *factory) address(auth bridge.Auth) (*url.URL, error) {
	text, err := f.cfg.URL.Expand(auth, source.EscapeURL)
	if err != nil {
		return nil, err
	}
	wrong := func(message, hint string) error {
		return &source.ConfigError{Key: "url", Message: message, Hint: hint}
	}
	if !strings.Contains(text, "://") {
		return nil, wrong("url has no scheme", "Begin it with https://.")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, wrong("url is not an address", "Write it as https://dav.example.com/.")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, wrong(fmt.Sprintf("url begins with %s://", u.Scheme), "Begin it with https://.")
	case u.User != nil:
		return nil, wrong("url holds a user or a password", "Set username and password instead.")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, wrong("url has a ? or # in it", "Remove what begins there.")
	}
	return u, nil
}

// Open implements [source.Factory]. What is known of a user of a server is kept by url, username and password.
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	s, err := f.open(ctx, auth)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	return s, nil
}

func (f *factory) open(ctx context.Context, auth bridge.Auth) (*Source, error) {
	plain := func(value string) (string, error) { return value, nil }
	at, err := f.address(auth)
	if err != nil {
		return nil, err
	}
	user, err := f.cfg.Username.Expand(auth, plain)
	if err != nil {
		return nil, err
	}
	password, err := f.cfg.Password.Expand(auth, plain)
	if err != nil {
		return nil, err
	}
	digest := f.reads.With(source.Settings{"tenant.url": at.String(), "tenant.username": user}).Digest()
	opened, release, err := f.accounts.Get(ctx, source.DigestOf(at.String(), user, password), func(context.Context) (*account, error) {
		return newAccount(at, user, password, f.cfg.Books, digest, f.deps), nil
	})
	if err != nil {
		return nil, err
	}
	return &Source{account: opened, factory: f, release: release}, nil
}

// Close implements [source.Factory].
func (f *factory) Close() error { return f.accounts.Close() }

var _ source.CallerChecker = (*factory)(nil)

// CheckCallers implements [source.CallerChecker]: a password of the configuration must not go to a server that the caller chooses.
func (f *factory) CheckCallers() error {
	if len(f.cfg.URL.Names()) > 0 && len(f.cfg.Password.Names()) == 0 && f.cfg.Password.String() != "" {
		return &source.ConfigError{
			Key: "url", Message: "url lets callers choose the server, and has a password that would be sent there",
			Hint: "Write url without {{auth.…}}, or take the password from the caller, too.",
		}
	}
	return nil
}
