package mysql

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// An address is a DSN that was read.
type address struct {
	network, server string // as a dialer takes them
	host            string // empty for a socket
	user, password  string
	database        string
	tls             string // one of tlsModes
	ca              string // file with the certificates of authorities; empty means the system's
	timeout         time.Duration
	sqlMode         string // of the session; empty means the server's
}

// The settings that a DSN may have. Everything else that the driver knows is refused: it could let the server read files
// (allowAllFiles), send the password in the clear, or change what is read.
const settings = "socket, tls, ca, timeout and sql_mode"

var tlsModes = []string{"false", "preferred", "true", "skip-verify"}

// sqlModes is a list of names, as SET sql_mode takes it.
var sqlModes = regexp.MustCompile(`^[A-Z_]+(,[A-Z_]+)*$`)

const writeDSN = "Write mysql://user:password@host:3306/database?setting=value, with special characters in the user or password percent-encoded."

func badDSN(message, hint string) error {
	return &source.ConfigError{Key: "dsn", Message: message, Hint: hint}
}

// parse reads a DSN. Its errors never hold it. find says where relative names of files start.
func parse(dsn string, find func(string) string) (address, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "mysql" || u.Opaque != "" || u.Fragment != "" {
		return address{}, badDSN("dsn cannot be read", writeDSN)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, badDSN("dsn cannot be read", writeDSN)
	}
	a := address{network: "tcp", host: u.Hostname(), user: u.User.Username(), timeout: 5 * time.Second}
	a.password, _ = u.User.Password()
	a.database = strings.TrimPrefix(u.Path, "/")
	a.server = net.JoinHostPort(cmp.Or(a.host, "127.0.0.1"), cmp.Or(u.Port(), "3306"))
	if a.database == "" {
		return a, badDSN("dsn names no database", "Write it behind the host: mysql://user:password@host:3306/database.")
	}
	for name, values := range query {
		if err := a.set(name, values[len(values)-1], find); err != nil {
			return a, err
		}
	}
	return a, a.complete()
}

// set takes one setting.
func (a *address) set(name, value string, find func(string) string) error {
	var ok bool
	var expected string
	switch name {
	case "socket":
		ok, expected = value != "", "the path of the server's Unix socket"
		a.network, a.server = "unix", find(value)
	case "tls":
		ok, expected = slices.Contains(tlsModes, value), strings.Join(tlsModes, ", ")
		a.tls = value
	case "ca":
		ok, expected = value != "", "a file of certificates in PEM form"
		a.ca = find(value)
	case "timeout":
		var err error
		a.timeout, err = time.ParseDuration(value)
		ok, expected = err == nil && a.timeout > 0, "a duration such as 5s"
	case "sql_mode":
		a.sqlMode = strings.ToUpper(value)
		ok, expected = sqlModes.MatchString(a.sqlMode), "modes such as ANSI_QUOTES,PIPES_AS_CONCAT"
	default:
		return badDSN("dsn cannot have the setting "+strconv.Quote(name), "The settings are "+settings+".")
	}
	if !ok {
		return badDSN("dsn has a "+name+" that cannot be used", "Write "+expected+".")
	}
	return nil
}

// complete looks at what settings mean together.
func (a *address) complete() error {
	switch {
	case a.network == "unix" && a.host != "":
		return badDSN("dsn has a host and a socket", "Leave the host out: mysql://user:password@/database?socket=/run/mysqld/mysqld.sock.")
	case a.network == "tcp" && a.host == "":
		return badDSN("dsn names no host", writeDSN)
	case a.ca != "" && (a.tls == "false" || a.tls == "skip-verify"):
		return badDSN("dsn has a ca, and a tls that does not look at it", "Write tls=true.")
	case a.ca != "" || a.tls == "" && a.network == "tcp":
		a.tls = map[bool]string{true: "true", false: cmp.Or(a.tls, "preferred")}[a.ca != ""]
	}
	return nil
}

// checkDSN tries the DSN with credentials that could be anybody's, and sees to it that they stand only where they cannot lead to
// another server.
func checkDSN(dsn source.Template, deps source.Deps) error {
	if dsn.String() == "" {
		return badDSN("dsn is missing", "Write where the database is, such as mysql://reader@127.0.0.1:3306/crm.")
	}
	auth := bridge.Auth{}
	for i, name := range dsn.Names() {
		auth[name] = fmt.Sprintf("callers%dcredential", i)
	}
	text, err := dsn.Expand(auth, source.EscapeURL)
	if err != nil {
		return err
	}
	a, err := parse(text, deps.Path)
	for name, value := range auth {
		if strings.Count(text, value) > strings.Count(a.user, value)+strings.Count(a.password, value)+strings.Count(a.database, value) {
			return badDSN("dsn has {{auth."+name+"}} in another place than the user, the password or the database",
				"Write the host and the settings themselves: a caller must not choose the server.")
		}
	}
	if err == nil {
		_, err = a.tlsConfig()
	}
	return err
}

// tlsConfig is how connections are secured; nil means not at all.
func (a *address) tlsConfig() (*tls.Config, error) {
	if a.tls == "" || a.tls == "false" {
		return nil, nil
	}
	cfg := &tls.Config{ServerName: a.host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: a.tls != "true"}
	if a.ca == "" {
		return cfg, nil
	}
	cfg.RootCAs = x509.NewCertPool()
	pem, err := source.ReadFile(a.ca, source.MaxCertificates)
	if err != nil {
		return nil, badDSN("dsn has a ca that cannot be read", "Check the file's name and permissions: a relative name starts from the configuration's folder.")
	}
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, badDSN("dsn has a ca that holds no certificate", "Name a file of certificates in PEM form.")
	}
	return cfg, nil
}

// driverConfig is the driver's configuration. Parameters are put into the text of statements, by the driver, so that all rows come
// in one protocol, and their plans go by their values.
func (a *address) driverConfig(deps source.Deps) (*driver.Config, error) {
	cfg := driver.NewConfig()
	cfg.Net, cfg.Addr, cfg.DialFunc = a.network, a.server, func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, deps, network, address)
	}
	cfg.User, cfg.Passwd, cfg.DBName = a.user, a.password, a.database
	cfg.Timeout, cfg.Logger = a.timeout, silent{} // errors are returned, too
	cfg.InterpolateParams = true
	cfg.AllowFallbackToPlaintext = a.tls == "preferred"
	cfg.ConnectionAttributes = "program_name:contactbridge"
	var err error
	if cfg.TLS, err = a.tlsConfig(); err != nil {
		return nil, err
	}
	if err := cfg.Apply(driver.Charset("utf8mb4", "")); err != nil {
		return nil, errors.Join(badDSN("dsn cannot be used", writeDSN), err)
	}
	return cfg, nil
}

// silent drops the driver's messages.
type silent struct{}

// Print implements [driver.Logger].
func (silent) Print(...any) {}

// tenant returns whose contacts a connection shows: its server, database and user, and the mode that its expressions are read in.
func (a *address) tenant() source.Settings {
	server := a.server
	if a.network == "tcp" {
		server = strings.ToLower(server)
	}
	return source.Settings{"tenant.server": server, "tenant.database": a.database, "tenant.user": a.user, "tenant.sql_mode": a.sqlMode}
}
