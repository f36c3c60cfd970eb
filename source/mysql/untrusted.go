package mysql

import "github.com/contactbridge/contactbridge/source"

// untrusted implements [source.Kind.Untrusted].
func untrusted(c Config) error {
	a, err := parse(c.DSN.String(), func(name string) string { return name })
	switch {
	case err != nil:
		return nil // the kind says so
	case a.network == "unix":
		return source.OperatorOnly("dsn", "names a Unix socket of this machine")
	case a.ca != "":
		return source.OperatorOnly("dsn", "names a file of this machine")
	}
	return nil
}
