package ldap

import "github.com/contactbridge/contactbridge/source"

// untrusted implements [source.Kind.Untrusted].
func untrusted(c Config) error {
	var found source.ConfigErrors
	if a, err := parseAddress(c.URL.String()); err == nil && a.network != "tcp" {
		found.Add(source.OperatorOnly("url", "names a Unix socket of this machine"))
	}
	if c.CA != "" {
		found.Add(source.OperatorOnly("ca", "names a file of this machine"))
	}
	return found.Err()
}
