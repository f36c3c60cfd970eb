package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// Load reads and checks a configuration file. References in it lead to the process' environment, and to files from the
// configuration's folder on. An error is [*strictyaml.Problems], or what reading the file gave.
func Load(path string) (*Config, error) {
	text, err := strictyaml.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, strictyaml.Environment{Lookup: os.LookupEnv, ReadFile: strictyaml.ReadFile, Folder: filepath.Dir(path)})
}

// Parse reads and checks a configuration. file names it in the problems, which are all told at once: the error is
// [*strictyaml.Problems].
func Parse(file string, text []byte, env strictyaml.Environment) (*Config, error) {
	document, err := strictyaml.Parse(file, text, env)
	if document == nil {
		return nil, err
	}
	if err != nil {
		// What a broken reference leaves behind would only look wrong again: the other checks see the file without it.
		return nil, document.Join(err, unrelated(document, err, env)...)
	}
	c := &checker{document: document, folder: env.Folder}
	cfg := c.config()
	if err := document.Join(nil, c.problems...); err != nil {
		return nil, err
	}
	return cfg, nil
}

// unrelated are the problems that a file with broken references has besides them: those of other keys.
func unrelated(document *strictyaml.Document, err error, env strictyaml.Environment) []strictyaml.Problem {
	broken, ok := errors.AsType[*strictyaml.Problems](err)
	if !ok {
		return nil
	}
	c := &checker{document: document, folder: env.Folder}
	c.config()
	return slices.DeleteFunc(c.problems, func(p strictyaml.Problem) bool {
		return slices.ContainsFunc(broken.List, func(b strictyaml.Problem) bool {
			return p.Path == b.Path || p.Line == b.Line || strings.HasPrefix(b.Path, p.Path+".")
		})
	})
}

// A checker collects what is wrong with a configuration.
type checker struct {
	document *strictyaml.Document
	folder   string
	problems []strictyaml.Problem
}

func (c *checker) problem(path, message, hint string) {
	c.problems = append(c.problems, strictyaml.Problem{Path: path, Message: message, Hint: hint})
}

// failed reports whether there is a problem with a key, or below it.
func (c *checker) failed(path string) bool {
	return slices.ContainsFunc(c.problems, func(p strictyaml.Problem) bool {
		return p.Path == path || strings.HasPrefix(p.Path, path+".")
	})
}

// add takes over the problems that decoding gave.
func (c *checker) add(err error) {
	if found, ok := errors.AsType[*strictyaml.Problems](err); ok {
		c.problems = append(c.problems, found.List...)
	}
}

func (c *checker) config() *Config {
	cfg := &Config{}
	c.add(c.document.Decode(cfg))
	c.listen(cfg.Listen)
	cfg.TLS = c.tls(cfg.TLS)
	c.network(cfg.Network)
	if n := len(cfg.Metrics.Token); n > 0 && n < minToken {
		c.problem("metrics.token", fmt.Sprintf("the token has fewer than %d characters", minToken), "Make one with  openssl rand -hex 24")
	}
	if len(cfg.Endpoints) == 0 && !c.failed("endpoints") && !c.failed("") {
		c.problem("endpoints", "there is no endpoint", "Give at least one a name, below  endpoints:")
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Endpoints)) {
		cfg.Endpoints[name] = c.endpoint(name, cfg.Endpoints[name])
	}
	return cfg
}

const minToken = 16 // characters

func (c *checker) network(n Network) {
	for i, text := range n.Proxies {
		if _, err := netip.ParsePrefix(text); err != nil {
			c.problem(fmt.Sprintf("network.proxies.%d", i), fmt.Sprintf("%q is not a network", text), "Write it as 10.1.0.0/16, one machine as 10.1.2.3/32.")
		}
	}
}

func (c *checker) listen(address string) {
	if message := ListenProblem(address); message != "" {
		c.problem("listen", message, "Write host:port, such as 127.0.0.1:8080, or unix:/path/to/socket.")
	}
}

// ListenProblem says what is wrong with an address to listen on; empty where nothing is.
func ListenProblem(address string) string {
	if socket, ok := strings.CutPrefix(address, "unix:"); ok {
		if socket == "" {
			return "listen names no socket"
		}
		return ""
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Sprintf("listen cannot be %q", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Sprintf("listen cannot be %q: the port must be a number from 0 to 65535", address)
	}
	return ""
}

func (c *checker) tls(tls TLS) TLS {
	if (tls.Cert == "") != (tls.Key == "") {
		c.problem("tls", "tls needs both cert and key", "Name the certificate's and the key's file, or remove tls.")
	}
	deps := source.Deps{Folder: c.folder}
	return TLS{Cert: deps.Path(tls.Cert), Key: deps.Path(tls.Key)}
}

var endpointName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// reserved are paths that the bridge serves itself.
var reserved = []string{"healthz", "readyz", "metrics"}

func (c *checker) endpoint(name string, e Endpoint) Endpoint {
	path := "endpoints." + name
	e.Name = name
	switch {
	case !endpointName.MatchString(name):
		c.problem(path, fmt.Sprintf("%q cannot be an endpoint's name: it stands in a URL", name),
			"Use letters, digits, hyphen and underscore, at most 63, the first a letter or digit.")
	case slices.Contains(reserved, name):
		c.problem(path, fmt.Sprintf("the name %q is taken: the bridge itself answers there", name), "Choose another name.")
	}
	c.page(path+".page", e.Page)
	e.Phones = c.phones(path+".phones", e.Phones)
	e.SourceAuth = credentials(e.Source)
	if !c.failed(path + ".auth") {
		c.auth(path, e)
	}
	return c.source(path+".source", e)
}

func (c *checker) page(path string, p Page) {
	if (p.Bytes < minBytes || p.Bytes > maxBytes) && !c.failed(path+".bytes") {
		c.problem(path+".bytes", "a page cannot have "+strconv.Itoa(int(p.Bytes))+" bytes", "Choose 1KiB to 64MiB; 1MiB is a good size.")
	}
	if c.failed(path + ".time") {
		return
	}
	switch {
	case p.Time > maxTime:
		c.problem(path+".time", fmt.Sprintf("a page cannot take %s: the protocol fails a request after 10 s", p.Time),
			"Choose at most 9s; 7s leaves time for the network.")
	case p.Time < minTime:
		c.problem(path+".time", fmt.Sprintf("a page cannot take %s", p.Time), "Choose 100ms to 9s.")
	}
}

// phones checks the region and settles the format.
func (c *checker) phones(path string, p Phones) Phones {
	if p.Region != "" && !phone.KnownRegion(strings.ToUpper(p.Region)) {
		c.problem(path+".region", fmt.Sprintf("there is no region %q", p.Region), country.Hint(p.Region))
	}
	p.Region = strings.ToUpper(p.Region)
	if p.Format == "" {
		p.Format = p.defaultFormat()
	}
	return p
}

var placeholder = regexp.MustCompile(`\{\{\s*auth\.([A-Za-z0-9_-]+)\s*\}\}`)

// credentials are the fields of the caller's auth that a source uses, sorted.
func credentials(raw strictyaml.Raw) []string {
	used := map[string]bool{}
	for _, text := range raw.Scalars {
		for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
			used[match[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// auth checks that who may ask fits what the source uses of them.
func (c *checker) auth(path string, e Endpoint) {
	switch e.Auth.Mode {
	case AuthSource:
		if len(e.SourceAuth) == 0 {
			c.problem(path+".auth", "auth: source needs a source that uses the caller's credentials",
				"Put {{auth.name}} into the source, such as  dsn: postgres://{{auth.username}}:{{auth.password}}@host/db")
		}
	case AuthNone:
		if len(e.SourceAuth) > 0 {
			c.problem(path+".auth", fmt.Sprintf("auth: none lets in anyone, but the source uses {{auth.%s}}", e.SourceAuth[0]),
				"Write  auth: source  to let the external service judge what callers send.")
		}
	default:
		for _, name := range e.SourceAuth {
			if _, ok := e.Auth.Fields[name]; !ok {
				c.problem(path+".auth", fmt.Sprintf("the source uses {{auth.%s}}, which is no key of auth", name),
					fmt.Sprintf("Add %s to auth, or write  auth: source  to let the external service judge what callers send.", name))
			}
		}
	}
}

// source finds the kind and has it check its part.
func (c *checker) source(path string, e Endpoint) Endpoint {
	if e.Source.IsZero() {
		return e
	}
	if !e.Source.IsMapping() {
		c.problem(path, path+" must be a mapping, not a single value or a list", "Write  source: {kind: postgres, dsn: …, table: …, id: …}, or one key a line.")
		return e
	}
	name, ok := e.Source.Text("kind")
	if !ok {
		c.problem(path, path+".kind is missing", "Choose one of: "+strings.Join(kindNames(), ", ")+".")
		return e
	}
	kind, ok := kinds.Named(name)
	if !ok {
		hint := "Choose one of: " + strings.Join(kindNames(), ", ") + "."
		if near := strictyaml.Nearest(name, kindNames()); near != "" {
			hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
		}
		c.problem(path+".kind", fmt.Sprintf("there is no kind of source %q", name), hint)
		return e
	}
	e.Kind = kind
	decode := func(into any) error { return c.document.DecodeRaw(e.Source, into, "kind") }
	folder, endpoint := c.folder, e.Name
	e.New = func(deps source.Deps) (source.Factory, error) {
		deps.Folder, deps.Endpoint = folder, endpoint
		return kind.New(decode, deps)
	}
	factory, err := e.New(source.Deps{})
	if err != nil {
		c.kindProblems(path, kind, err)
		return e
	}
	if checker, ok := factory.(source.CallerChecker); ok && e.Auth.Mode == AuthSource {
		if err := checker.CheckCallers(); err != nil {
			c.kindProblems(path, kind, err)
		}
	}
	_ = factory.Close() // nothing was opened
	return e
}

func kindNames() []string {
	var names []string
	for _, k := range kinds.All() {
		names = append(names, k.Name)
	}
	return names
}

// kindProblems takes over what a kind has to say about its configuration: one error, or several joined.
func (c *checker) kindProblems(path string, kind source.Kind, err error) {
	if found, ok := errors.AsType[*strictyaml.Problems](err); ok {
		c.problems = append(c.problems, found.List...)
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && strings.Contains(err.Error(), "\n") { // errors.Join
		for _, each := range joined.Unwrap() {
			c.kindProblems(path, kind, each)
		}
		return
	}
	message := err.Error()
	var hint string
	if e, ok := errors.AsType[*bridge.Error](err); ok {
		hint = e.Hint
	} else {
		message, hint = sentenceAndHint(message)
	}
	if m := leadingKey.FindStringSubmatch(message); m != nil && isKey(kind, m[1]) {
		c.problem(strings.TrimSuffix(path+"."+m[1]+"."+m[2], "."), path+"."+message, hint)
		return
	}
	c.problem(path, path+": "+message, hint)
}

// leadingKey is the key that a kind's error begins with, and which item of its list.
var leadingKey = regexp.MustCompile(`^([a-z_]+)(?:\[([0-9]+)\])?:? `)

func isKey(kind source.Kind, word string) bool {
	return slices.ContainsFunc(strictyaml.Fields(reflect.TypeOf(kind.Config())), func(f strictyaml.Field) bool { return f.Key == word })
}

// sentenceAndHint takes apart a message such as "id is missing: the column that identifies a contact".
func sentenceAndHint(message string) (sentence, hint string) {
	for _, separator := range []string{"; ", ": "} {
		before, after, ok := strings.Cut(message, separator)
		if ok && after != "" && strings.Contains(before, " ") {
			return before, strings.ToUpper(after[:1]) + after[1:] + "."
		}
	}
	return message, ""
}
