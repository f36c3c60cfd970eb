package hubconfig

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/phonebook"
)

// Phonebook is a selection of an account's contacts for telephones and address books.
type Phonebook struct {
	Account      string         `yaml:"account" jsonschema:"required" jsonschema_description:"The account with its contacts." hint:"Write  account: acme"`
	Integrations []string       `yaml:"integrations" jsonschema_description:"Only the contacts of these integrations. Default: all."`
	Where        string         `yaml:"where" jsonschema_description:"Only the contacts of which this expression is true, such as  company != '' . It may use integration, id, name, title, company, emails, phones, websites, photo_url, address, twitter, url, and custom_fields."`
	Numbers      BookNumbers    `yaml:"numbers" jsonschema_description:"How numbers are written, and how those are read that telephones ask for."`
	HTTP         *PhonebookHTTP `yaml:"http" jsonschema_description:"Serve it over HTTP at /phonebooks/NAME/, in the formats of telephones' makers."`
	LDAP         *PhonebookLDAP `yaml:"ldap" jsonschema_description:"Serve it over LDAP, read-only."`
	CardDAV      *PhonebookDAV  `yaml:"carddav" jsonschema_description:"Serve it over CardDAV, read-only, at /dav/NAME/: for mobiles, mail programs and FRITZ!Box. Numbers are always written as e164."`
}

// PhonebookDAV says how a phonebook is served over CardDAV.
type PhonebookDAV struct {
	User     string `yaml:"user" jsonschema_description:"What address books sign in with. Without user and password they do so with credentials that are made in the console."`
	Password string `yaml:"password" jsonschema_description:"Their password, 8 characters or more; as ${NAME} or ${file:PATH}."`
	Title    string `yaml:"title" jsonschema_description:"What address books show. Default: the phonebook's name."`
}

// PhonebookLDAP says how a phonebook is served over LDAP.
type PhonebookLDAP struct {
	Listen        string  `yaml:"listen" jsonschema:"default=127.0.0.1:1389" jsonschema_description:"Where LDAP listens: host:port. Phonebooks may share an address: base and bind_dn tell them apart."`
	Base          string  `yaml:"base" jsonschema:"required" jsonschema_description:"The DN that entries are below, such as dc=acme." hint:"Write  base: dc=acme"`
	BindDN        string  `yaml:"bind_dn" jsonschema_description:"What telephones sign in as, such as cn=phones,dc=acme. Without bind_dn and password they do so with credentials that are made in the console."`
	Password      string  `yaml:"password" jsonschema_description:"Their password, 8 characters or more; as ${NAME} or ${file:PATH}."`
	Anonymous     bool    `yaml:"anonymous" jsonschema:"default=false" jsonschema_description:"Let anyone read the phonebook who reaches the address."`
	TLS           BookTLS `yaml:"tls" jsonschema_description:"The certificate, for LDAPS or StartTLS."`
	StartTLS      bool    `yaml:"starttls" jsonschema:"default=false" jsonschema_description:"With tls: speak plain LDAP until a telephone asks for TLS, instead of TLS at once."`
	SizeLimit     int     `yaml:"size_limit" jsonschema:"default=500,minimum=1,maximum=20000" jsonschema_description:"Entries of one answer at most, whatever the telephone asks for. Who reads in pages gets all."`
	SizeLimitCode int     `yaml:"size_limit_code" jsonschema:"default=4" jsonschema_description:"What an answer says that has not all entries: 4, or 0 for telephones that show that as an error."`
}

// LDAP says where phonebooks are served over LDAP that are made in the console.
type LDAP struct {
	Listen    string  `yaml:"listen" jsonschema:"required" jsonschema_description:"Where LDAP listens: host:port. Phonebooks below phonebooks may have the same address." hint:"Write  listen: 127.0.0.1:1389"`
	TLS       BookTLS `yaml:"tls" jsonschema_description:"The certificate, for LDAPS or StartTLS."`
	StartTLS  bool    `yaml:"starttls" jsonschema:"default=false" jsonschema_description:"With tls: speak plain LDAP until a telephone asks for TLS, instead of TLS at once."`
	SizeLimit int     `yaml:"size_limit" jsonschema:"default=500,minimum=1,maximum=20000" jsonschema_description:"Entries of one answer at most, whatever the telephone asks for. Who reads in pages gets all."`
}

// BookTLS is a certificate and its key.
type BookTLS struct {
	Cert string `yaml:"cert" jsonschema_description:"The certificate and its chain, a PEM file. A relative name starts from the configuration file's folder. A renewed one is taken up by itself."`
	Key  string `yaml:"key" jsonschema_description:"The private key, a PEM file."`
}

// BookNumbers say how a phonebook writes numbers.
type BookNumbers struct {
	Format        string `yaml:"format" jsonschema:"default=e164,enum=e164,enum=idd,enum=digits,enum=national,enum=local,enum=raw" jsonschema_description:"e164 is +442079460018, idd 00442079460018 (with the exit code of region), digits 442079460018, national 02079460018 within region and as idd elsewhere, local is national without the own area code, raw is what the external service has."`
	Region        string `yaml:"region" jsonschema_description:"The country where the telephones are: its two letters. Default: the account's region."`
	Area          string `yaml:"area" jsonschema_description:"Their own area code with its trunk prefix, such as 020: for local, and for numbers that telephones ask for without it."`
	OutsidePrefix string `yaml:"outside_prefix" jsonschema_description:"What is dialled for an outside line, such as 9: written before every full number, and taken away from those that telephones ask for. Not with e164 and raw."`
}

// PhonebookHTTP says how a phonebook is served over HTTP.
type PhonebookHTTP struct {
	User       string   `yaml:"user" jsonschema_description:"What telephones sign in with, by Basic. Without it and secret_path they use credentials that are made in the console."`
	Password   string   `yaml:"password" jsonschema_description:"Their password, 8 characters or more; as ${NAME} or ${file:PATH}."`
	Digest     bool     `yaml:"digest" jsonschema:"default=false" jsonschema_description:"Also let telephones sign in by Digest, for those that need it. It is the weaker of the two over HTTPS."`
	SecretPath string   `yaml:"secret_path" jsonschema_description:"For telephones that cannot sign in: /phonebooks/NAME/SECRET/yealink.xml needs no password. 16 letters, digits, - and _ or more; as ${NAME} or ${file:PATH}."`
	Allow      []string `yaml:"allow" jsonschema_description:"Only these networks, such as 10.1.0.0/16, besides what else is asked for. Default: every address."`
	Title      string   `yaml:"title" jsonschema_description:"What telephones show. Default: the phonebook's name."`
	First      string   `yaml:"first" jsonschema:"default=name,enum=name,enum=changed,enum=called" jsonschema_description:"Which entries go in where a format does not take all: the first ones by name, those that changed last, or those that called last (as far as look-ups are kept)."`
	Prefer     string   `yaml:"prefer" jsonschema_description:"An expression as in where: contacts of which it is true go in before all others."`
}

// DeclaredPhonebooks are the phonebooks of the file, by name.
func (cfg *Config) DeclaredPhonebooks() []phonebook.Config {
	var declared []phonebook.Config
	for _, name := range slices.Sorted(maps.Keys(cfg.Phonebooks)) {
		p := cfg.Phonebooks[name]
		c := phonebook.Config{
			Name: name, Account: p.Account, Integrations: p.Integrations, Where: strings.TrimSpace(p.Where),
			Numbers: phonebook.Numbers{
				Format: phonebook.Format(p.Numbers.Format), Region: strings.ToUpper(p.Numbers.Region), Area: p.Numbers.Area, OutsidePrefix: p.Numbers.OutsidePrefix,
			},
		}
		if h := p.HTTP; h != nil {
			c.HTTP = &phonebook.HTTP{
				User: h.User, Password: h.Password, Digest: h.Digest, SecretPath: h.SecretPath, Title: h.Title, First: phonebook.First(h.First), Prefer: strings.TrimSpace(h.Prefer),
			}
			for _, text := range h.Allow {
				if prefix, err := netip.ParsePrefix(text); err == nil { // the configuration was checked
					c.HTTP.Allow = append(c.HTTP.Allow, prefix.Masked())
				}
			}
		}
		if l := p.LDAP; l != nil {
			c.LDAP = &phonebook.LDAP{
				Listen: l.Listen, Base: l.Base, BindDN: l.BindDN, Password: l.Password, Anonymous: l.Anonymous, Cert: l.TLS.Cert, Key: l.TLS.Key, StartTLS: l.StartTLS,
				SizeLimit: l.SizeLimit, SizeLimitCode: l.SizeLimitCode,
			}
		}
		if d := p.CardDAV; d != nil {
			c.CardDAV = &phonebook.CardDAV{User: d.User, Password: d.Password, Title: d.Title}
		}
		declared = append(declared, c)
	}
	return declared
}

// SharedLDAP is where phonebooks are served over LDAP that are made in the console; nil: nowhere.
func (cfg *Config) SharedLDAP() *phonebook.LDAP {
	l := cfg.LDAP
	if l == nil {
		return nil
	}
	return &phonebook.LDAP{Listen: l.Listen, Cert: l.TLS.Cert, Key: l.TLS.Key, StartTLS: l.StartTLS, SizeLimit: l.SizeLimit, SizeLimitCode: 4}
}

const (
	minPassword   = 8 // characters
	mostPhonebook = 100
)

var secretPath = regexp.MustCompile(`^[A-Za-z0-9_-]{16,200}$`)

func (c *checker) phonebooks(cfg *Config, folder string) {
	if len(cfg.Phonebooks) > mostPhonebook {
		c.problem("phonebooks", fmt.Sprintf("there are more than %d phonebooks", mostPhonebook), "Let several telephones share one.")
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Phonebooks)) {
		p := cfg.Phonebooks[name]
		c.phonebook("phonebooks."+name, name, p, cfg.Accounts)
		if d := p.CardDAV; d != nil {
			c.phonebookDAV("phonebooks."+name+".carddav", name, *d, cfg)
		}
		if p.LDAP != nil {
			p.LDAP.TLS.within(folder)
			c.phonebookLDAP("phonebooks."+name+".ldap", *p.LDAP)
		}
	}
	if l := cfg.LDAP; l != nil {
		l.TLS.within(folder)
		c.ldap("ldap", l.Listen, l.TLS, l.StartTLS)
	}
	for _, declared := range cfg.DeclaredPhonebooks() {
		for _, problem := range hub.CheckPhonebook(declared, cfg.Accounts[declared.Account].Region) {
			c.problem("phonebooks."+declared.Name+"."+problem.Field, problem.Message, problem.Hint)
		}
	}
	c.sharedLDAP(cfg)
}

// within makes relative names start from a folder.
func (t *BookTLS) within(folder string) {
	for _, file := range []*string{&t.Cert, &t.Key} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(folder, *file)
		}
	}
}

// ldap checks an address of LDAP.
func (c *checker) ldap(path, listen string, t BookTLS, startTLS bool) {
	if message := config.ListenProblem(listen); message != "" || strings.HasPrefix(listen, "unix:") {
		c.problem(path+".listen", "listen cannot be an address of LDAP", "Write host:port, such as 127.0.0.1:1389.")
	}
	if (t.Cert == "") != (t.Key == "") {
		c.problem(path+".tls", "tls needs both cert and key", "Name the certificate's and the key's file, or remove tls.")
	}
	if startTLS && t.Cert == "" {
		c.problem(path+".starttls", "starttls needs a certificate", "Name it below tls.")
	}
}

var dn = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9-]*\s*=[^,=]+(,\s*[A-Za-z][A-Za-z0-9-]*\s*=[^,=]+)*$`)

func (c *checker) phonebookLDAP(path string, l PhonebookLDAP) {
	c.ldap(path, l.Listen, l.TLS, l.StartTLS)
	if l.Base != "" && !dn.MatchString(l.Base) {
		c.problem(path+".base", fmt.Sprintf("%q is not a DN", l.Base), "Write  base: dc=acme")
	}
	switch {
	case l.BindDN != "" && !dn.MatchString(l.BindDN):
		c.problem(path+".bind_dn", fmt.Sprintf("%q is not a DN", l.BindDN), "Write  bind_dn: cn=phones,dc=acme")
	case (l.BindDN == "") != (l.Password == ""):
		c.problem(path, "bind_dn and password belong together", "Set both, or anonymous: true alone.")
	case l.BindDN != "" && len(l.Password) < minPassword:
		c.problem(path+".password", fmt.Sprintf("the password has fewer than %d characters", minPassword), "Make one with  openssl rand -hex 12")
	}
	if l.SizeLimitCode != 0 && l.SizeLimitCode != 4 {
		c.problem(path+".size_limit_code", fmt.Sprintf("the code cannot be %d", l.SizeLimitCode), "Choose 4 or 0.")
	}
}

func (c *checker) phonebookDAV(path, name string, d PhonebookDAV, cfg *Config) {
	if (d.User == "") != (d.Password == "") {
		c.problem(path, "user and password belong together", "Set both, or neither: then address books sign in with credentials that are made in the console.")
		return
	}
	if d.User == "" {
		return
	}
	if len(d.Password) < minPassword {
		c.problem(path+".password", fmt.Sprintf("the password has fewer than %d characters", minPassword), "Make one with  openssl rand -hex 12")
	}
	if strings.Contains(d.User, ":") {
		c.problem(path+".user", "a user's name has no colon", "Choose another one: HTTP takes the colon for the end of the name.")
	}
	for other, p := range cfg.Phonebooks {
		if other < name && p.CardDAV != nil && p.CardDAV.User == d.User && p.CardDAV.Password == d.Password {
			c.problem(path, fmt.Sprintf("the phonebook %s has the same user and password", other), "Give each its own: they tell address books, which are told the host only, which one they read.")
		}
	}
}

// sharedLDAP checks phonebooks that share an address.
func (c *checker) sharedLDAP(cfg *Config) {
	type transport struct {
		owner    string
		tls      BookTLS
		startTLS bool
	}
	first := map[string]transport{}
	if l := cfg.LDAP; l != nil {
		first[l.Listen] = transport{"ldap", l.TLS, l.StartTLS}
	}
	names := map[[2]string]string{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Phonebooks)) {
		l := cfg.Phonebooks[name].LDAP
		if l == nil {
			continue
		}
		path := "phonebooks." + name + ".ldap"
		if other, ok := first[l.Listen]; !ok {
			first[l.Listen] = transport{"the phonebook " + name, l.TLS, l.StartTLS}
		} else if other.tls != l.TLS || other.startTLS != l.StartTLS {
			c.problem(path+".tls", other.owner+" has the same address with another tls", "Give both the same tls and starttls, or another address.")
		}
		key := [2]string{l.Listen, strings.ToLower(strings.ReplaceAll(l.BindDN, " ", ""))}
		if other, ok := names[key]; ok && l.BindDN != "" {
			c.problem(path+".bind_dn", fmt.Sprintf("the phonebook %s has the same bind_dn at this address", other), "Give each its own: it tells which phonebook is read.")
		}
		names[key] = name
	}
}

func (c *checker) phonebook(path, name string, p Phonebook, accounts map[string]Account) {
	c.name(path, name)
	if _, ok := accounts[p.Account]; p.Account != "" && !ok {
		c.problem(path+".account", fmt.Sprintf("account %q is not in this file", p.Account), "Add it below accounts.")
	}
	if p.HTTP != nil {
		c.phonebookHTTP(path+".http", *p.HTTP)
	}
}

func (c *checker) phonebookHTTP(path string, h PhonebookHTTP) {
	switch {
	case (h.User == "") != (h.Password == ""):
		c.problem(path, "user and password belong together", "Set both, or secret_path alone.")
	case h.User != "" && len(h.Password) < minPassword:
		c.problem(path+".password", fmt.Sprintf("the password has fewer than %d characters", minPassword), "Make one with  openssl rand -hex 12")
	}
	if strings.Contains(h.User, ":") {
		c.problem(path+".user", "a user's name has no colon", "Choose another one: HTTP takes the colon for the end of the name.")
	}
	if h.SecretPath != "" && !secretPath.MatchString(h.SecretPath) {
		c.problem(path+".secret_path", "the secret path is not 16 letters and digits or more", "Make one with  openssl rand -hex 16")
	}
	if h.Digest && h.User == "" {
		c.problem(path+".digest", "digest needs a user and a password", "Set both, or leave digest out.")
	}
	c.networks(path+".allow", h.Allow)
}
