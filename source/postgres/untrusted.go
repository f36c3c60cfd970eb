package postgres

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

// harmless are the settings of a DSN that read no file of this machine and lead to no other server.
var harmless = []string{"application_name", "connect_timeout", "default_query_exec_mode", "options", "search_path", "sslmode", "statement_timeout", "target_session_attrs", "timezone"}

// untrusted implements [source.Kind.Untrusted]. What a DSN does not say comes from the environment and from files of the process's
// user: only one that says all of it is taken.
func untrusted(c Config) error {
	if c.DSN.String() == "" {
		return nil // the kind says so
	}
	text, err := c.DSN.StandIn(escape(c.DSN))
	if err != nil {
		return err
	}
	return untrustedDSN(text)
}

// untrustedDSN judges a DSN with credentials in it.
func untrustedDSN(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return &source.ConfigError{Key: "dsn", Message: "dsn is not a URL", Hint: "Write postgres://user:password@host:port/database."}
	}
	password, _ := u.User.Password()
	switch host := u.Hostname(); {
	case host == "" || strings.Contains(host, "/") || strings.Contains(u.Host, ","):
		return &source.ConfigError{Key: "dsn", Message: "dsn does not name one host", Hint: "Write postgres://user:password@host:port/database: a Unix socket is for the operator's own configuration file."}
	case u.User.Username() == "" || password == "" || strings.Trim(u.Path, "/") == "":
		return &source.ConfigError{Key: "dsn", Message: "dsn does not name user, password and database", Hint: "Write postgres://user:password@host:port/database: this process would take its own otherwise."}
	}
	for name := range u.Query() {
		if !slices.Contains(harmless, strings.ToLower(name)) {
			return source.OperatorOnly("dsn", fmt.Sprintf("has the setting %q", name))
		}
	}
	return nil
}
