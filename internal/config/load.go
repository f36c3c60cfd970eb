package config

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
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
	return parse(text, env, file, false)
}

// ParseUntrusted is Parse for a text that somebody else wrote than the operator: see [source.Kind.Untrusted].
func ParseUntrusted(text []byte, env strictyaml.Environment) (*Config, error) {
	return parse(text, env, "", true)
}

func parse(text []byte, env strictyaml.Environment, file string, untrusted bool) (*Config, error) {
	var cfg *Config
	err := strictyaml.Read(file, text, env, func(document *strictyaml.Document) []strictyaml.Problem {
		c := &checker{document: document, folder: env.Folder, untrusted: untrusted}
		cfg = c.config()
		return c.problems
	})
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// A checker collects what is wrong with a configuration.
type checker struct {
	document  *strictyaml.Document
	folder    string
	untrusted bool // the text is not the operator's
	problems  []strictyaml.Problem
}

func (c *checker) problem(path, message, hint string) {
	c.problems = append(c.problems, strictyaml.Problem{Path: path, Message: message, Hint: hint})
}

// failed reports whether there is a problem with a key, or below it.
func (c *checker) failed(path string) bool {
	return slices.ContainsFunc(c.problems, func(p strictyaml.Problem) bool { return p.In(path) })
}

func (c *checker) config() *Config {
	cfg := &Config{}
	c.problems = strictyaml.Found(c.document.Decode(cfg))
	c.listen(cfg.Listen)
	cfg.TLS = c.tls(cfg.TLS, cfg.Listen)
	c.network(cfg.Network)
	if n := len(cfg.Metrics.Token); n > 0 && n < minToken {
		c.problem("metrics.token", fmt.Sprintf("the token has fewer than %d characters", minToken), "Make one with  openssl rand -hex 24")
	}
	if len(cfg.Endpoints) == 0 && !c.failed("endpoints") {
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

func (c *checker) tls(tls TLS, listen string) TLS {
	if (tls.Cert == "") != (tls.Key == "") {
		c.problem("tls", "tls needs both cert and key", "Name the certificate's and the key's file, or remove tls.")
	}
	deps := source.Deps{Folder: c.folder}
	tls.Cert, tls.Key = deps.Path(tls.Cert), deps.Path(tls.Key)
	if tls.ACME == nil {
		return tls
	}
	a := *tls.ACME // the document keeps its own
	for _, p := range a.Authority.Problems(tls.Cert != "" || tls.Key != "", listen) {
		c.problem(p.Path, p.Message, p.Hint)
	}
	a.Roots = deps.Path(a.Roots)
	switch {
	case a.SharedStorage():
		c.sealKey(a.SealKey)
	case a.SealKey != "":
		c.problem("tls.acme.seal_key", "seal_key is for certificates in a database", "Remove it, or set storage to postgres://user:password@host/name.")
	default:
		a.Storage = deps.Path(a.Storage)
	}
	tls.ACME = &a
	return tls
}

// sealKey checks the key of a database of certificates.
func (c *checker) sealKey(text string) {
	if text == "" {
		c.problem("tls.acme", "certificates in a database need seal_key", "Make a key with  openssl rand -base64 32  and write  seal_key: ${ACME_KEY}")
		return
	}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err != nil || len(raw) != sealKeySize {
		c.problem("tls.acme.seal_key", "seal_key is not the base64 of 32 bytes", "Make one with  openssl rand -base64 32")
	}
}

const sealKeySize = 32 // bytes

// SharedStorage reports whether certificates are kept in a database.
func (a ACME) SharedStorage() bool {
	scheme, _, ok := strings.Cut(a.Storage, "://")
	return ok && (scheme == "postgres" || scheme == "postgresql")
}

// Problems returns what is wrong with how certificates are got: files says that there are cert and key as well, listen where the
// server listens.
func (a Authority) Problems(files bool, listen string) (problems []strictyaml.Problem) {
	problem := func(path, message, hint string) {
		problems = append(problems, strictyaml.Problem{Path: path, Message: message, Hint: hint})
	}
	if files {
		problem("tls", "tls has both a certificate and acme, which gets one", "Remove cert and key, or acme.")
	}
	if strings.HasPrefix(listen, "unix:") {
		problem("tls.acme", "the authority cannot reach a Unix socket", "Set listen to :443, or let the proxy in front have the certificate.")
	}
	if len(a.Domains) == 0 {
		problem("tls.acme.domains", "there is no domain", "Write  domains: [bridge.example.com]")
	}
	for i, name := range a.Domains {
		if !domain.MatchString(name) {
			problem(fmt.Sprintf("tls.acme.domains.%d", i), fmt.Sprintf("%q is not a domain", name),
				"Write a full name, such as bridge.example.com, without https:// and without *.")
		}
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		problem("tls.acme.directory", "directory is not an https URL", "Write the address of the authority's ACME directory, or leave it out for Let's Encrypt.")
	}
	if a.Email != "" && !strings.Contains(a.Email, "@") {
		problem("tls.acme.email", fmt.Sprintf("%q is not an e-mail address", a.Email), "Write it as ops@example.com, or leave it out.")
	}
	if message := ListenProblem(a.HTTP); a.HTTP != "" && (message != "" || strings.HasPrefix(a.HTTP, "unix:")) {
		problem("tls.acme.http", fmt.Sprintf("http cannot be %q", a.HTTP), "Write host:port, such as :80")
	}
	return problems
}

var domain = regexp.MustCompile(`^(?i)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

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
	e = c.sourceOrSources(path, e)
	e = c.agents(path+".agents", e)
	c.registration(path+".registration", e)
	if !c.failed(path + ".auth") {
		c.auth(path, e)
	}
	return e
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

// auth checks that who may ask fits what the source uses of them.
func (c *checker) auth(path string, e Endpoint) {
	switch e.Auth.Mode {
	case AuthSource:
		if len(e.SourceAuth) == 0 && e.Kind.Name != "" && !c.failed(path+".source") {
			c.problem(path+".auth", "auth: source needs a source that uses the caller's credentials", callersHint(e.Kind))
		}
	case AuthNone:
		if len(e.SourceAuth) > 0 {
			c.problem(path+".auth", fmt.Sprintf("auth: none lets in anyone, but the source uses {{auth.%s}}", e.SourceAuth[0]),
				"Write  auth: source  to let the external service judge what callers send.")
		}
	default:
		for _, name := range e.SourceAuth {
			if _, ok := e.Auth.Fields[name]; !ok {
				c.problem(path+".auth", fmt.Sprintf("the source uses {{auth.%s}}, which is not a key of auth", name),
					fmt.Sprintf("Add %s to auth, or write  auth: source  to let the external service judge what callers send.", name))
			}
		}
	}
}

// callersHint says how callers' credentials open a source of a kind.
func callersHint(kind source.Kind) string {
	if kind.CallerExample == "" {
		return fmt.Sprintf("Write a mapping of what callers must send: a source of kind %s has no use for their credentials.", kind.Name)
	}
	return "Put {{auth.name}} into the source, such as  " + kind.CallerExample
}
