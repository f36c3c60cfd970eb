// Package inside serves sources in the hub's own process, as a bridge of their own would: with the same handler, the same pages and the
// same checkpoints. A source is a text of YAML with the keys source (or sources), phones and page of a bridge's endpoint.
package inside

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// Options are what sources work with. The zero value works.
type Options struct {
	Logger *slog.Logger // nil logs nothing
	Clock  clock.Clock  // nil means [clock.System]
	Folder string       // what relative names of files start from, of sources in the operator's file
	// Transport and Dial carry what sources ask that somebody else wrote than the operator: they refuse addresses that such people have no
	// business with. Without them no such source is opened.
	Transport http.RoundTripper
	Dial      func(ctx context.Context, network, address string) (net.Conn, error)
	Files     Files // uploaded files; nil: there are none
	// Answers bounds the memory that large answers to such sources take together, and pages of bridges; nil does not bound it.
	Answers   *bridge.Budget
	Temporary string // folder for copies of uploaded files; empty: the system's
	Unpacked  int64  // bytes that a part of an uploaded archive may unpack to; 0: [hub.Unpacked]
}

// Files are where uploaded files are kept: a [registry.DB].
type Files interface {
	File(ctx context.Context, account, name string) (registry.File, error)
	ReadFile(ctx context.Context, id string, into io.Writer) error
}

// Sources are the sources that a process has open.
type Sources struct {
	o Options

	mu   sync.Mutex
	open map[key]*opened

	uploads uploads
}

var _ hub.Inside = (*Sources)(nil)

// A key stands for a source: its text, who wrote it, and the uploaded files that it reads.
type key [sha256.Size]byte

// An opened source and who uses it.
type opened struct {
	handler *bridge.Handler
	factory source.Factory
	prepare func(*contact.Contact) // what is done to a contact before anybody gets it
	release func()                 // gives its uploaded files back
	users   int                    // requests under way
	used    time.Time              // when the last one ended
	agents  source.Factory         // nil: it has none
	refused atomic.Pointer[refusal]
}

// closeFactories closes what the source and its agents hold.
func (o *opened) closeFactories() error {
	o.handler.Close()
	err := o.factory.Close()
	if o.agents != nil {
		err = errors.Join(err, o.agents.Close())
	}
	return err
}

// A refusal is the last address that a source was not allowed to ask: what the source makes of it does not say how to allow it.
type refusal struct {
	err error
	at  time.Time
}

// note keeps an error if an address was refused.
func (o *opened) note(err error, now time.Time) {
	if outbound.IsRefused(err) {
		o.refused.Store(&refusal{err, now})
	}
}

// guarded carries what a source asks, and notes what is refused.
type guarded struct {
	http.RoundTripper
	opened *opened
	clock  clock.Clock
}

// RoundTrip implements [http.RoundTripper].
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.RoundTripper.RoundTrip(r)
	g.opened.note(err, g.clock.Now())
	if err == nil {
		response.Body = &weighed{ReadCloser: response.Body, ctx: r.Context(), room: roomOf(r.Context())}
	}
	return response, err
}

// New returns an empty table of sources. Close it when nothing is asked any more.
func New(o Options) *Sources {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Unpacked == 0 {
		o.Unpacked = hub.Unpacked
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sources{o: o, open: map[key]*opened{}, uploads: uploads{files: o.Files, temporary: o.Temporary}}
}

// keys are those of an endpoint that a source inside the hub has.
var keys = []string{"source", "sources", agentsKey, "phones", "page"}

const agentsKey = "agents"

// Endpoint is the name of the only endpoint of a source.
const Endpoint = "source"

const parent = "endpoints." + Endpoint + "."

// Check says everything that is wrong with a source, joined; a field is a dotted path such as source.table. Otherwise it returns the name
// of its kind.
func (s *Sources) Check(of hub.InsideSource) (kind string, err error) {
	e, err := s.parse(of)
	return e.Kind.Name, err
}

func (s *Sources) parse(of hub.InsideSource) (e config.Endpoint, err error) {
	document, err := endpointOf(of)
	if err != nil {
		return e, err
	}
	parse := config.ParseUntrusted
	if of.Trusted {
		parse = func(text []byte, env strictyaml.Environment) (*config.Config, error) {
			return config.Parse("", text, env)
		}
	}
	cfg, err := parse(document, strictyaml.Environment{Folder: s.o.Folder})
	if err != nil {
		return e, explain(err)
	}
	return cfg.Endpoints[Endpoint], nil
}

// endpointOf returns the configuration of a bridge that has the source as its only endpoint.
func endpointOf(of hub.InsideSource) ([]byte, error) {
	var node yaml.Node
	err := yaml.Unmarshal([]byte(of.Text), &node)
	if err != nil || node.Kind != yaml.DocumentNode || node.Content[0].Kind != yaml.MappingNode {
		return nil, &failure.Error{Code: failure.Invalid, Field: "source", Message: "the source cannot be read", Hint: "Write it as an object with kind, and that kind's keys.", Err: err}
	}
	given := node.Content[0]
	for i := 0; i < len(given.Content); i += 2 {
		if name := given.Content[i].Value; !slices.Contains(keys, name) {
			return nil, &failure.Error{Code: failure.Invalid, Field: name, Message: "a source inside the hub has no key " + name, Hint: "Its keys are " + strings.Join(keys, ", ") + "."}
		}
	}
	if of.SignIn {
		if err := addToken(given); err != nil {
			return nil, err
		}
	}
	auth := config.AuthNone
	for _, n := range scalars(given) {
		if !of.Trusted && strings.Contains(n.Value, "${") {
			return nil, &failure.Error{
				Code: failure.Invalid, Field: "source", Message: "a source may hold a reference such as ${NAME} only in the hub's configuration file",
				Hint: "Write the value itself: it is sealed, and never shown.",
			}
		}
		if strings.Contains(n.Value, "{{auth.") {
			auth = config.AuthSource
		}
	}
	escape(given)
	given.Content = append(given.Content, word("auth"), word(auth))
	return yaml.Marshal(mapping("endpoints", mapping(Endpoint, given)))
}

// tokenKey is the key of a source's configuration that holds what a sign-in brings.
const tokenKey = "access_token"

// addToken lets a source have the access token of a sign-in.
func addToken(given *yaml.Node) error {
	for i := 0; i+1 < len(given.Content); i += 2 {
		source := given.Content[i+1]
		if given.Content[i].Value != "source" || source.Kind != yaml.MappingNode {
			continue
		}
		for j := 0; j < len(source.Content); j += 2 {
			if source.Content[j].Value == tokenKey {
				return &failure.Error{Code: failure.Invalid, Field: "source." + tokenKey, Message: tokenKey + " is what the sign-in brings", Hint: "Leave it out."}
			}
		}
		source.Content = append(source.Content, word(tokenKey), word("{{auth."+hub.TokenValue+"}}"))
		return nil
	}
	return &failure.Error{Code: failure.Invalid, Field: "source", Message: "people sign in at one source, not at several or none", Hint: "Write source, with its kind."}
}

func word(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

func mapping(name string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word(name), value}}
}

// escape makes the reader of a file take values for what they say: it looks for references in them, and in no key.
func escape(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		n.Value = strings.ReplaceAll(n.Value, "$", "$$")
	}
	for i, each := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			escape(each)
		}
	}
}

func scalars(n *yaml.Node) (list []*yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	for _, each := range n.Content {
		list = append(list, scalars(each)...)
	}
	return list
}

// explain returns the problems of the configuration as those of the source.
func explain(err error) error {
	var found []error
	for _, p := range strictyaml.Found(err) {
		found = append(found, &failure.Error{
			Code: failure.Invalid, Field: strings.TrimPrefix(p.Path, parent), Message: strings.ReplaceAll(p.Message, parent, ""), Hint: p.Hint,
		})
	}
	if found == nil {
		return err
	}
	return errors.Join(found...)
}

// below returns a kind's own errors as those of the source.
func below(err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var found []error
		for _, each := range joined.Unwrap() {
			found = append(found, below(each))
		}
		return errors.Join(found...)
	}
	said := failure.Of(err)
	if said == (failure.Error{}) {
		return err // which may hold anything
	}
	said.Field = strings.TrimSuffix("source."+said.Field, ".")
	return &said
}

// Transport returns what carries requests to a source as if its bridge were elsewhere. The source is opened when it is asked.
func (s *Sources) Transport(of hub.InsideSource) http.RoundTripper {
	return transport{sources: s, of: of}
}

// use returns an open source, which done gives back.
func (s *Sources) use(ctx context.Context, of hub.InsideSource) (o *opened, done func(), err error) {
	there, release, err := s.uploads.fetch(ctx, of)
	if err != nil {
		return nil, nil, err
	}
	k := keyOf(of, there)
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.open[k]
	if ok {
		release()
	} else {
		if o, err = s.newOpened(of, there); err != nil {
			release()
			return nil, nil, err
		}
		o.release = release
		s.open[k] = o
	}
	o.users++
	return o, func() { s.done(o) }, nil
}

func keyOf(of hub.InsideSource, uploads map[string]source.Upload) key {
	h := sha256.New()
	fmt.Fprintf(h, "%t %t %d %s", of.Trusted, of.SignIn, len(of.Text), of.Text)
	for _, name := range slices.Sorted(maps.Keys(uploads)) {
		fmt.Fprintf(h, " %q %q %q", name, uploads[name].Scope, uploads[name].Path)
	}
	return key(h.Sum(nil))
}

// idle is how long a source stays open that nobody asks: the next run need not connect again.
const idle = 10 * time.Minute

// done gives an open source back, and closes those that were not used for long, such as those that were changed.
func (s *Sources) done(o *opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Clock.Now()
	o.users--
	o.used = now
	for k, each := range s.open {
		if each.users == 0 && now.Sub(each.used) > idle {
			delete(s.open, k)
			s.close(each)
		}
	}
}

func (s *Sources) close(o *opened) {
	if err := o.closeFactories(); err != nil {
		s.o.Logger.Warn("could not close a source", "error", err)
	}
	o.release()
}

// deps are what a source works with.
func (s *Sources) deps(of hub.InsideSource, kind string, o *opened, uploads map[string]source.Upload) (source.Deps, error) {
	if !of.Trusted && (s.o.Transport == nil || s.o.Dial == nil) {
		return source.Deps{}, errors.New("nothing guards what this source would ask")
	}
	deps := source.Deps{Logger: s.o.Logger.With("source", kind), Clock: s.o.Clock, Uploads: uploads, Untrusted: !of.Trusted}
	if !of.Trusted {
		deps.Unpacked = s.o.Unpacked
		deps.Transport = guarded{s.o.Transport, o, s.o.Clock}
		deps.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if !strings.HasPrefix(network, "tcp") { // whatever the kind thinks of it
				return nil, fmt.Errorf("a source of somebody else than the operator may not dial %s", network)
			}
			conn, err := s.o.Dial(ctx, network, address)
			o.note(err, s.o.Clock.Now())
			return conn, err
		}
	}
	return deps, nil
}

func (s *Sources) newOpened(of hub.InsideSource, uploads map[string]source.Upload) (*opened, error) {
	e, err := s.parse(of)
	if err != nil {
		return nil, err
	}
	o := &opened{}
	deps, err := s.deps(of, e.Kind.Name, o, uploads)
	if err != nil {
		return nil, err
	}
	if o.factory, err = e.New(deps); err != nil {
		return nil, below(err)
	}
	o.prepare = e.Phones.Prepare()
	var openAgents func(context.Context, bridge.Auth) (bridge.Source, error)
	if e.NewAgents != nil {
		if o.agents, err = e.NewAgents(deps); err != nil {
			return nil, errors.Join(below(err), o.factory.Close())
		}
		openAgents = o.agents.Open
	}
	o.handler = &bridge.Handler{
		Agents: openAgents,
		Name:   Endpoint, Open: o.factory.Open, Authenticate: bridge.AllowAnyone, Digest: e.Digest(), Limits: e.Page.Limits(), OnDelete: e.OnDelete,
		UnknownCheckpoint: e.UnknownCheckpoint, Prepare: o.prepare, Leaves: e.Phones.Leaves(), Logger: slog.New(slog.DiscardHandler), // the run's own log says it
	}
	return o, nil
}

// Close closes every source. Nothing may be asked any more.
func (s *Sources) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for k, o := range s.open {
		delete(s.open, k)
		errs = append(errs, o.closeFactories())
		o.release()
	}
	errs = append(errs, s.uploads.close())
	return errors.Join(errs...)
}

// A transport carries requests to a source of this process.
type transport struct {
	sources *Sources
	of      hub.InsideSource
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	o, done, err := t.sources.use(r.Context(), t.of)
	if err != nil {
		return nil, err
	}
	defer done()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	ctx, leave := t.sources.withRoom(r.Context())
	defer leave()
	asked := r.Clone(ctx)
	asked.Body, asked.RequestURI, asked.RemoteAddr = r.Body, r.URL.RequestURI(), "127.0.0.1:1"
	began := t.sources.o.Clock.Now()
	a := &answer{header: http.Header{}, status: http.StatusOK}
	o.handler.ServeHTTP(a, asked)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if last := o.refused.Load(); last != nil && a.status >= http.StatusInternalServerError && !last.at.Before(began) {
		return nil, last.err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: readCloser{bytes.NewReader(a.body.Bytes())}, ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// An answer is what a handler writes.
type answer struct {
	header http.Header
	status int
	begun  bool
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if !a.begun {
		a.begun, a.status = true, status
	}
}

// Write implements [io.Writer].
func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.body.Write(b)
}
