package ldap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// Config is the configuration of kind ldap.
type Config struct {
	URL             source.Template `yaml:"url" digest:"-" jsonschema:"required" hint:"Write the server's address, such as ldaps://ldap.example.com." jsonschema_description:"The server: ldap://host, ldaps://host, or ldapi:// and the path of its socket. Without a port: 389, or 636 for ldaps. {{auth.name}} may stand in the host."`
	BindDN          source.Template `yaml:"bind_dn" digest:"-" jsonschema_description:"Who reads: a DN, or with Active Directory also name@domain. {{auth.name}} may stand in it. Default: nobody (anonymous); over ldapi the user of the process."`
	Password        source.Template `yaml:"password" digest:"-" jsonschema_description:"The reader's password. {{auth.name}} may stand in it."`
	StartTLS        bool            `yaml:"start_tls" digest:"-" jsonschema_description:"Encrypt a connection to ldap:// before anything else is sent."`
	CA              string          `yaml:"ca" digest:"-" jsonschema_description:"A file with the certificates (PEM) of the authority that signed the server's. Default: those of the system."`
	Base            string          `yaml:"base" jsonschema_description:"Where contacts are, such as ou=people,dc=example,dc=com. Default: the server's only naming context, with Active Directory the domain."`
	Bases           []string        `yaml:"bases" jsonschema_description:"Several places instead of base. An entry that is in two of them is one contact."`
	Filter          string          `yaml:"filter" jsonschema_description:"Which entries are contacts, as an LDAP filter. Default: (objectClass=person), with Active Directory (objectCategory=person)."`
	MemberOf        []string        `yaml:"member_of" jsonschema_description:"Only members of one of these groups, also through groups in them, or entries below one of these organisational units: their DNs."`
	IncludeDisabled bool            `yaml:"include_disabled" jsonschema_description:"Also accounts that are disabled or locked by an administrator."`
	Changes         string          `yaml:"changes" jsonschema:"default=auto,enum=auto,enum=sync,enum=usn,enum=log,enum=stamp,enum=whole" jsonschema_description:"How changes are found: sync (RFC 4533), usn (Active Directory), log (the retro changelog of 389 Directory Server), stamp (modifyTimestamp), whole (everything is compared), or auto, the first of them that the server has."`
	Overlap         time.Duration   `yaml:"overlap" digest:"-" jsonschema_description:"How far back every run reads with stamp. Default: 5m."`
	PageSize        int             `yaml:"page_size" digest:"-" jsonschema_description:"How many entries are asked for at once. Default: 500."`
	ID              string          `yaml:"id" jsonschema_description:"Expression of the contact's id. Default: objectGUID, entryUUID or nsUniqueId. Deletions are only seen with the default."`
	Fields          record.Fields   `yaml:"fields" jsonschema_description:"Attributes, or expressions over them, of the contact's fields. Default: the usual ones of inetOrgPerson or Active Directory."`
}

// The values of changes.
const (
	changesAuto  = "auto"
	changesSync  = "sync"
	changesUSN   = "usn"
	changesLog   = "log"
	changesStamp = "stamp"
	changesWhole = "whole"
)

const (
	defaultOverlap  = 5 * time.Minute
	defaultPageSize = 500
)

// Title implements [source.Titled].
func (c Config) Title() string { return strings.Join(c.bases(), ", ") }

func (c Config) bases() []string {
	if c.Base != "" {
		return append([]string{c.Base}, c.Bases...)
	}
	return c.Bases
}

func (c *Config) defaults() {
	if c.Overlap == 0 {
		c.Overlap = defaultOverlap
	}
	if c.PageSize == 0 {
		c.PageSize = defaultPageSize
	}
	if c.Changes == "" {
		c.Changes = changesAuto
	}
}

// check finds what cannot work whatever the directory holds.
func (c Config) check() error {
	var errs source.ConfigErrors
	errs.If(c.URL.String() == "", "url", "url is missing", "Write the server's address, such as ldaps://ldap.example.com.")
	if c.URL.String() != "" && len(c.URL.Names()) == 0 {
		address, err := parseAddress(c.URL.String())
		errs.Add(err)
		errs.If(err == nil && c.StartTLS && address.scheme != "ldap", "start_tls", "start_tls is for ldap:// only", "Leave start_tls out: ldaps is encrypted already, and ldapi stays on this machine.")
		errs.If(err == nil && c.CA != "" && address.scheme == "ldap" && !c.StartTLS, "ca", "ca is set, but the connection is not encrypted", "Set start_tls: true, or write ldaps:// in url.")
	}
	errs.If(c.BindDN.String() != "" && c.Password.String() == "", "password", "password is missing",
		"Set it: servers take a name without a password for nobody, and hide most entries.")
	errs.If(c.BindDN.String() == "" && c.Password.String() != "", "bind_dn", "password is set, but bind_dn is not", "Set bind_dn to the reader's DN.")
	errs.If(c.Base != "" && len(c.Bases) > 0, "bases", "base and bases exclude each other", "Write all places in bases.")
	for i, base := range c.Bases {
		errs.Add(checkDN(fmt.Sprintf("bases[%d]", i), base))
	}
	if c.Base != "" {
		errs.Add(checkDN("base", c.Base))
	}
	for i, dn := range c.MemberOf {
		errs.Add(checkDN(fmt.Sprintf("member_of[%d]", i), dn))
	}
	if c.Filter != "" {
		_, err := client.CompileFilter(c.Filter)
		errs.If(err != nil, "filter", "filter is not an LDAP filter", "Write it in parentheses, such as (&(objectClass=person)(mail=*)).")
	}
	errs.If(!slices.Contains([]string{changesAuto, changesSync, changesUSN, changesLog, changesStamp, changesWhole}, c.Changes), "changes",
		fmt.Sprintf("changes cannot be %q", c.Changes), "Choose one of: auto, sync, usn, log, stamp, whole.")
	errs.If(c.Overlap < 0, "overlap", "overlap is negative", "Write a duration such as 5m.")
	errs.If(c.PageSize < 0 || c.PageSize > 100_000, "page_size", "page_size is not between 1 and 100000", "Leave it out, or write a number such as 500.")
	errs.Add(c.checkFields())
	return errs.Err()
}

// checkFields finds mistakes of expressions that are mistakes whatever the attributes are.
func (c Config) checkFields() error {
	err := compiler.Check(c.Fields)
	if c.ID != "" {
		err = errors.Join(err, compiler.CheckText("id", c.ID))
	}
	return fieldErrors(err)
}

// fieldErrors makes errors of the configuration of those of fields.
func fieldErrors(err error) error {
	var errs source.ConfigErrors
	for _, e := range flatten(err) {
		if f, ok := errors.AsType[*record.FieldError](e); ok {
			errs.Add(&source.ConfigError{Key: f.Path, Message: f.Message, Hint: f.Hint, Err: f})
			continue
		}
		errs.Add(e)
	}
	return errs.Err()
}

// flatten lists the errors that were joined.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range joined.Unwrap() {
			list = append(list, flatten(e)...)
		}
		return list
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func checkDN(key, text string) error {
	if _, err := client.ParseDN(text); err != nil || strings.TrimSpace(text) == "" {
		return &source.ConfigError{Key: key, Message: key + " is not a DN", Hint: "Write it such as ou=people,dc=example,dc=com; a comma within a name is written \\,."}
	}
	return nil
}
