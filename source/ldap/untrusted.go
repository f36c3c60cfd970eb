package ldap

import (
	"errors"

	"github.com/contactbridge/contactbridge/source"
)

// untrusted implements [source.Kind.Untrusted].
func untrusted(c Config) error {
	var found source.ConfigErrors
	if c.URL.String() != "" { // or else the kind says so
		found.Add(c.untrustedURL())
	}
	if c.CA != "" {
		found.Add(source.OperatorOnly("ca", "names a file of this machine"))
	}
	return found.Err()
}

func (c Config) untrustedURL() error {
	text, err := c.URL.StandIn(escapeHost)
	if err != nil {
		return err
	}
	a, err := parseAddress(text)
	return errors.Join(err, a.untrusted())
}

// untrusted refuses what is of this machine.
func (a address) untrusted() error {
	if a.network == "unix" {
		return source.OperatorOnly("url", "names a Unix socket of this machine")
	}
	return nil
}
