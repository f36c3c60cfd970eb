package mysql

import "github.com/contactbridge/contactbridge/source"

// untrusted implements [source.Kind.Untrusted].
func untrusted(c Config) error {
	if c.DSN.String() == "" {
		return nil // the kind says so
	}
	text, err := c.DSN.StandIn(source.EscapeURL)
	if err != nil {
		return err
	}
	a, err := parse(text, func(name string) string { return name })
	if err != nil {
		return err
	}
	return a.untrusted()
}

// untrusted refuses what is of this machine.
func (a *address) untrusted() error {
	switch {
	case a.network != "tcp":
		return source.OperatorOnly("dsn", "names a Unix socket of this machine")
	case a.ca != "":
		return source.OperatorOnly("dsn", "names a file of this machine")
	}
	return nil
}
