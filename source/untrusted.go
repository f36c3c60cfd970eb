package source

import "github.com/contactbridge/contactbridge/bridge"

// Untrusted makes [Kind.Untrusted] out of what checks a configuration of its own type.
func Untrusted[C any](check func(C) error) func(any) error {
	return func(cfg any) error { return check(*cfg.(*C)) }
}

// OperatorOnly is what is wrong with a key that only the operator of a process may set, because it names something of its machine.
func OperatorOnly(key, what string) error {
	return &ConfigError{
		Key: key, Message: key + " " + what + ": only the operator's own configuration file may do that",
		Hint: "Leave it out, or have the operator write the source into the hub's configuration file.",
	}
}

// StandIn returns a template as it is once callers have sent their credentials, with 1 in place of each: that is good as a name, a password
// and a number. What a configuration leads to is judged by it while nobody has sent any.
func (t Template) StandIn(escape Escape) (string, error) {
	auth := bridge.Auth{}
	for _, name := range t.Names() {
		auth[name] = "1"
	}
	return t.Expand(auth, escape)
}
