package ldap

import (
	"net"
	"net/url"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

// An address is where a server is.
type address struct {
	scheme  string // ldap, ldaps or ldapi
	network string // for dialling
	target  string // host and port, or the path of a socket
	host    string // for its certificate; empty for a socket
}

// parseAddress reads an LDAP URL. Its error is a [*source.ConfigError] that does not hold the text.
func parseAddress(text string) (address, error) {
	bad := func(message, hint string) (address, error) {
		return address{}, &source.ConfigError{Key: "url", Message: message, Hint: hint}
	}
	scheme, rest, _ := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if scheme == "ldapi" {
		path, err := url.PathUnescape(strings.TrimSuffix(rest, "/"))
		if err != nil || path == "" {
			return bad("url names no socket", "Write ldapi:// and the path of the server's socket, such as ldapi:///run/slapd/ldapi.")
		}
		return address{scheme: scheme, network: "unix", target: path}, nil
	}
	port := map[string]string{"ldap": "389", "ldaps": "636"}[scheme]
	if port == "" {
		return bad("url does not begin with ldap://, ldaps:// or ldapi://", "Write the server's address, such as ldaps://ldap.example.com.")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return bad("url names no server", "Write ldaps:// and the server's name, such as ldaps://ldap.example.com.")
	case u.User != nil:
		return bad("url holds a user", "Write the reader in bind_dn and its password in password.")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return bad("url holds more than the server", "Write the base in base, the filter in filter.")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return address{scheme: scheme, network: "tcp", target: net.JoinHostPort(u.Hostname(), port), host: u.Hostname()}, nil
}

// escapeHost allows what a host's name may hold.
func escapeHost(value string) (string, error) {
	if strings.Trim(value, "-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", errNotAHost
	}
	return value, nil
}
