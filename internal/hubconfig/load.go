package hubconfig

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/phone"
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

// Default is the configuration of a hub without a file: everything embedded, below the working folder.
func Default() *Config {
	cfg, err := Parse("", nil, strictyaml.Environment{Lookup: os.LookupEnv, ReadFile: strictyaml.ReadFile, Folder: "."})
	if err != nil {
		return &Config{} // an empty file has no problem: a test sees to that
	}
	return cfg
}

// Parse reads and checks a configuration. file names it in the problems, which are all told at once: the error is
// [*strictyaml.Problems].
func Parse(file string, text []byte, env strictyaml.Environment) (*Config, error) {
	if len(strings.TrimSpace(string(text))) == 0 {
		text = []byte("{}")
	}
	cfg := &Config{}
	err := strictyaml.Read(file, text, env, func(document *strictyaml.Document) []strictyaml.Problem {
		unfit, c := strictyaml.Found(document.Decode(cfg)), &checker{folder: env.Folder}
		c.config(cfg, env.Folder)
		return append(unfit, strictyaml.Besides(unfit, c.problems)...)
	})
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// A checker collects what is wrong with a configuration.
type checker struct {
	folder   string
	clients  map[string]OAuthClient
	problems []strictyaml.Problem
}

func (c *checker) problem(path, message, hint string) {
	c.problems = append(c.problems, strictyaml.Problem{Path: path, Message: message, Hint: hint})
}

// failure notes an error that explains itself.
func (c *checker) failure(path string, err error) {
	f := failure.Of(err)
	c.problem(path, f.Message, f.Hint)
}

// config checks everything and makes paths start from the configuration's folder.
func (c *checker) config(cfg *Config, folder string) {
	if message := config.ListenProblem(cfg.Listen); message != "" {
		c.problem("listen", message, "Write host:port, such as 127.0.0.1:8090, or unix:/path/to/socket.")
	}
	if (cfg.TLS.Cert == "") != (cfg.TLS.Key == "") {
		c.problem("tls", "tls needs both cert and key", "Name the certificate's and the key's file, or remove tls.")
	}
	if a := cfg.TLS.ACME; a != nil {
		c.problems = append(c.problems, a.Problems(cfg.TLS.Cert != "" || cfg.TLS.Key != "", cfg.Listen)...)
		if a.Roots != "" && !filepath.IsAbs(a.Roots) {
			a.Roots = filepath.Join(folder, a.Roots)
		}
	}
	for _, path := range []*string{&cfg.TLS.Cert, &cfg.TLS.Key, &cfg.Data, &cfg.Secrets.KeyFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
	cfg.Folder = folder
	c.url("public_url", cfg.PublicURL)
	c.database(cfg)
	c.secrets(cfg.Secrets)
	c.network(cfg.Network)
	c.signIn(cfg.SignIn)
	c.ceilings(cfg.Limits)
	if cfg.Keep.Audit < 365*24*time.Hour {
		c.problem("keep.audit", "the audit log is kept for a year at least", "Write 8760h or more.")
	}
	c.oauthClients(cfg.OAuthClients)
	for path, size := range map[string]config.Size{"files.size": cfg.Files.Size, "files.account": cfg.Files.Account} {
		if size <= 0 {
			c.problem(path, "the size must be more than 0", "Leave it out for its default.")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Accounts)) {
		c.account("accounts."+name, name, cfg.Accounts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Tokens)) {
		c.token("tokens."+name, name, cfg.Tokens[name], cfg.Accounts)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Webhooks)) {
		c.webhook("webhooks."+name, name, cfg.Webhooks[name])
	}
	c.phonebooks(cfg, folder)
}

func (c *checker) ceilings(l Ceilings) {
	for path, value := range map[string]int64{"limits.page_bytes": int64(l.PageBytes), "limits.timeout": int64(l.Timeout), "limits.run": int64(l.Run)} {
		if value <= 0 {
			c.problem(path, "the ceiling must be more than 0", "Leave it out for its default.")
		}
	}
}

func (c *checker) database(cfg *Config) {
	scheme, _, ok := strings.Cut(cfg.Database, "://")
	switch {
	case cfg.Database != "" && (!ok || scheme != "postgres" && scheme != "postgresql"):
		c.problem("database", "database must be a postgres:// URL", "Write postgres://user:password@host/name; leave it out for the embedded database in data.")
	case cfg.Database == "" && cfg.Role != "all":
		c.problem("role", fmt.Sprintf("role: %s needs a database that several processes share", cfg.Role), "Set database, or leave role out.")
	}
}

func (c *checker) secrets(s Secrets) {
	given := 0
	for _, set := range []bool{s.KeyFile != "", s.KeyEnv != "", len(s.KeyCommand) > 0} {
		if set {
			given++
		}
	}
	if given > 1 {
		c.problem("secrets", "there can be only one key", "Choose one of key_file, key_env and key_command.")
	}
}

func (c *checker) network(n Network) {
	c.networks("network.allow", n.Allow)
	c.networks("network.proxies", n.Proxies)
}

func (c *checker) networks(path string, all []string) {
	for i, text := range all {
		if _, err := netip.ParsePrefix(text); err != nil {
			c.problem(fmt.Sprintf("%s.%d", path, i), fmt.Sprintf("%q is not a network", text), "Write it as 10.1.0.0/16, one machine as 10.1.2.3/32.")
		}
	}
}

func (c *checker) signIn(s SignIn) {
	if s.Issuer == "" && (s.ClientID != "" || s.ClientSecret != "") || s.Issuer != "" && s.ClientID == "" {
		c.problem("sign_in", "sign_in needs issuer and client_id", "Name both, as the provider gave them, or remove sign_in.")
	}
	c.url("sign_in.issuer", s.Issuer)
}

var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func (c *checker) name(path, text string) {
	if !name.MatchString(text) {
		c.problem(path, fmt.Sprintf("%q cannot be a name", text), "Use letters, digits, hyphen and underscore, at most 64, the first a letter or digit.")
	}
}

func (c *checker) account(path, name string, a Account) {
	c.name(path, name)
	if a.Region != "" && !phone.KnownRegion(strings.ToUpper(a.Region)) {
		c.problem(path+".region", fmt.Sprintf("unknown region %q", a.Region), country.Hint(a.Region))
	}
	if _, err := time.LoadLocation(a.TimeZone); err != nil {
		c.problem(path+".time_zone", fmt.Sprintf("unknown time zone %q", a.TimeZone), "Write its IANA name: Europe/London, America/New_York.")
	}
	if _, err := caller.ParsePolicy(a.Callers.Policy); err != nil {
		c.failure(path+".callers.policy", err)
	}
	for i, text := range a.Callers.Ranges {
		if _, err := caller.ParseRange(text); err != nil {
			c.failure(fmt.Sprintf("%s.callers.ranges.%d", path, i), err)
		}
	}
	if len(a.Callers.Ranges) > caller.MostRanges {
		c.problem(path+".callers.ranges", fmt.Sprintf("there are more than %d ranges", caller.MostRanges), "Write wider ranges, with more x, or leave those out that three contacts show.")
	}
	for _, name := range slices.Sorted(maps.Keys(a.Integrations)) {
		c.integration(path+".integrations."+name, name, a.Integrations[name])
	}
}

func (c *checker) integration(path, name string, i Integration) {
	c.name(path, name)
	c.origin(path, i)
	c.url(path+".bridge", i.Bridge)
	c.url(path+".validation", i.Validation)
	c.url(path+".agents", i.Agents)
	if o := i.OAuth; o != nil {
		c.oauth(path+".oauth", i)
		c.url(path+".oauth.token_url", o.TokenURL)
		c.url(path+".oauth.authorize_url", o.AuthorizeURL)
		if o.Grant == "authorization_code" && o.AuthorizeURL == "" {
			c.problem(path+".oauth", "authorization_code needs authorize_url", "Name the page where the provider asks people whether the hub may.")
		}
	}
	ways := 0
	for _, set := range []bool{i.Every != 0, i.Cron != "", i.Off} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		c.problem(path, "it has more than one schedule", "Choose one of every, cron and off.")
	}
	if i.Every != 0 && i.Every < registry.MinEvery {
		c.problem(path+".every", fmt.Sprintf("it cannot run every %s", i.Every), fmt.Sprintf("The least is %s.", registry.MinEvery))
	}
	if i.Cron != "" {
		if _, err := cron.ParseStandard(i.Cron); err != nil {
			c.problem(path+".cron", fmt.Sprintf("%q is not a schedule", i.Cron), "Write minute, hour, day of the month, month and day of the week:  15 6-20 * * 1-5")
		}
	}
}

// oauth checks how an integration gets its access token: by a client of its own, or by one of the hub's.
func (c *checker) oauth(path string, i Integration) {
	o := i.OAuth
	if o.Client == "" {
		for _, key := range []struct{ name, value string }{{"grant", o.Grant}, {"token_url", o.TokenURL}, {"client_id", o.ClientID}} {
			if key.value == "" {
				c.problem(path+"."+key.name, path+"."+key.name+" is missing", "Write it, or client for one of oauth_clients.")
			}
		}
		return
	}
	if o.Grant != "" || o.TokenURL != "" || o.ClientID != "" || o.AuthorizeURL != "" || len(o.Scopes) > 0 || len(o.Params) > 0 {
		c.problem(path, "what is said beside client has no meaning", "Write client and nothing else: oauth_clients and the source's kind say the rest.")
	}
	if _, known := c.clients[o.Client]; !known {
		c.problem(path+".client", fmt.Sprintf("there is no client %q in oauth_clients", o.Client), "Add it there, with client_id and client_secret.")
	}
	if !i.hasSource() {
		c.problem(path+".client", "people sign in by a client of the hub at sources inside it only", "Write source, or give the bridge's own client.")
	}
}

// oauthClients checks the hub's registrations.
func (c *checker) oauthClients(clients map[string]OAuthClient) {
	c.clients = clients
	for _, name := range slices.Sorted(maps.Keys(clients)) {
		path := "oauth_clients." + name
		c.name(path, name)
		c.url(path+".authorize_url", clients[name].AuthorizeURL)
		c.url(path+".token_url", clients[name].TokenURL)
	}
}

// origin checks what an integration's contacts come from: a bridge, or a source inside the hub.
func (c *checker) origin(path string, i Integration) {
	own := i.hasSource()
	switch {
	case own && (i.Bridge != "" || i.Validation != ""):
		c.problem(path, path+" has both a bridge and a source", "Choose one: a bridge elsewhere, or a source inside the hub.")
		return
	case !own && i.Bridge == "":
		c.problem(path, path+" has neither bridge nor source", "Write  bridge: https://bridge.example.com/crm/contact_sync , or  source:  as in a bridge's configuration.")
		return
	case !own:
		for key, part := range map[string]strictyaml.Raw{"source_agents": i.ItsAgents, "phones": i.Phones, "page": i.Page} {
			if !part.IsZero() {
				c.problem(path+"."+key, key+" is for a source: a bridge has its own configuration", "Write it there.")
			}
		}
		return
	}
	text, err := i.source()
	if err == nil {
		_, err = inside.New(inside.Options{Folder: c.folder}).Check(hub.InsideSource{Text: text, Trusted: true, SignIn: i.OAuth != nil && i.OAuth.Client != ""})
	}
	c.sourceProblems(path, err)
}

func (c *checker) sourceProblems(path string, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			c.sourceProblems(path, each)
		}
		return
	}
	said := failure.Of(err)
	c.problem(strings.TrimSuffix(path+"."+said.Field, "."), said.Message, said.Hint)
}

// url checks an address; {{field}} may stand in it.
func (c *checker) url(path, address string) {
	if address == "" {
		return
	}
	u, err := url.Parse(strings.NewReplacer("{{", "", "}}", "").Replace(address))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		c.problem(path, "this is not an http or https URL", "Write it as https://bridge.example.com/crm/contact_sync")
	case u.User != nil:
		c.problem(path, "the URL holds credentials, which would be shown", "Write them below auth.")
	}
}

const minSecret = 16 // characters

func (c *checker) token(path, name string, t Token, accounts map[string]Account) {
	c.name(path, name)
	if len(t.Value) < minSecret {
		c.problem(path+".value", fmt.Sprintf("the token has fewer than %d characters", minSecret), "Make one with  openssl rand -hex 24")
	}
	for _, scope := range t.Scopes {
		if !slices.Contains(registry.Scopes, registry.Scope(scope)) {
			c.problem(path+".scopes", fmt.Sprintf("unknown scope %q", scope), "Choose from: "+scopes()+".")
		}
	}
	if t.Account == "" && !slices.Contains(t.Scopes, string(registry.ScopeAdmin)) {
		c.problem(path+".account", "a token for all accounts needs the scope admin", "Name the account that it may see.")
	}
	if _, ok := accounts[t.Account]; t.Account != "" && !ok {
		c.problem(path+".account", fmt.Sprintf("account %q is not in this file", t.Account), "Add it below accounts.")
	}
}

func scopes() string {
	var words []string
	for _, scope := range registry.Scopes {
		words = append(words, string(scope))
	}
	return strings.Join(words, ", ")
}

func (c *checker) webhook(path, name string, w Webhook) {
	c.name(path, name)
	c.url(path+".url", w.URL)
	if len(w.Secret) < minSecret {
		c.problem(path+".secret", fmt.Sprintf("the secret has fewer than %d characters", minSecret), "Make one with  openssl rand -hex 24")
	}
}
