package postgres

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// A caller's credential that stands in the DSN's host decides which machine is sent the password. It may be a name, or a part of
// one, and nothing else: a Unix socket's path, or a list of hosts, would lead to another server than the one that is meant.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

const longestHost = 253

// marked are credentials that can be told in the parsed DSN, one for each name.
func marked(names []string) bridge.Auth {
	auth := bridge.Auth{}
	for i, name := range names {
		auth[name] = fmt.Sprintf("callers%dcredential", i)
	}
	return auth
}

// parseMarked reads the DSN with marked credentials in it.
func (f *factory) parseMarked(auth bridge.Auth) (*pgxpool.Config, error) {
	dsn, err := f.dsn.Expand(auth, escape(f.dsn))
	if err != nil {
		return nil, err
	}
	return parse(dsn)
}

// hosts returns those that a connection may be made to.
func hosts(cfg *pgxpool.Config) []string {
	all := []string{cfg.ConnConfig.Host}
	for _, other := range cfg.ConnConfig.Fallbacks {
		all = append(all, other.Host)
	}
	return all
}

// inHost returns the credentials that stand in the host. The port takes none: it must be a number when the configuration is read.
func (f *factory) inHost() []string {
	names := f.dsn.Names()
	auth := marked(names)
	cfg, err := f.parseMarked(auth)
	if err != nil {
		return nil // the credentials stand where only some values can
	}
	var found []string
	for _, name := range names {
		for _, host := range hosts(cfg) {
			if strings.Contains(host, auth[name]) {
				found = append(found, name)
				break
			}
		}
	}
	return found
}

// checkHosts refuses credentials that would be more in the host than a part of its name.
func (f *factory) checkHosts(auth bridge.Auth) error {
	for _, name := range f.hostNames {
		if value := auth[name]; value != "" && (len(value) > longestHost || !hostName.MatchString(value)) {
			return &bridge.Error{
				Code:    bridge.CodeUnauthorized,
				Message: fmt.Sprintf("auth.%s cannot be part of a host's name", name),
				Hint:    "Send a name of letters, digits, hyphens and dots: the source's configuration puts it into the database's host.",
			}
		}
	}
	return nil
}

// CheckCallers implements [source.CallerChecker]: a password of the configuration must not go to a host that the caller chooses.
func (f *factory) CheckCallers() error {
	if len(f.hostNames) == 0 {
		return nil
	}
	auth := marked(f.dsn.Names())
	cfg, err := f.parseMarked(auth)
	if err != nil {
		return err
	}
	password := cfg.ConnConfig.Password
	if password == "" || ofCaller(password, auth) {
		return nil
	}
	for _, host := range hosts(cfg) {
		for _, name := range f.hostNames {
			at := strings.LastIndex(host, auth[name])
			if at < 0 {
				continue
			}
			if end := host[at+len(auth[name]):]; !strings.Contains(end, ".") {
				return &source.ConfigError{
					Key: "dsn", Message: fmt.Sprintf("dsn lets callers choose the host by {{auth.%s}}, and has a password that would be sent there", name),
					Hint: fmt.Sprintf("Write the end of the host's name, such as {{auth.%s}}.db.example.com, or take the password from the caller, too.", name),
				}
			}
		}
	}
	return nil
}

// ofCaller reports whether a password has a credential of the caller's in it.
func ofCaller(password string, auth bridge.Auth) bool {
	for _, value := range auth {
		if strings.Contains(password, value) {
			return true
		}
	}
	return false
}

var _ source.CallerChecker = (*factory)(nil)
