package source

import "context"

// A Recordable is a source whose requests can be recorded: it says what of them is data, so that everything else can be replaced.
type Recordable interface {
	Recorded() Recorded
}

// Recorded says what a recording has to know of a source. Keys are those of JSON objects, without the path to them.
type Recorded struct {
	Secrets map[string]string // credentials by name: fields of the connection, and auth.NAME
	Values  map[string]string // what else names the tenant, by the field's name
	Address string            // the API's, with its host
	// Wrong makes a credential wrong, as checks send it: it still has a part of the right one. Nil means that none is sent.
	Wrong func(string) string

	CredentialHeaders []string // of requests
	CredentialQuery   []string // parameters
	Tokens            []string // addresses at which access tokens are fetched: such requests are not recorded

	Keys      []string // that the configuration names: they stay, whatever they look like
	Headers   []string // of answers, that mean something
	Times     []string // keys of times that decide: they stay
	Flags     []string // keys of values that decide what a record is: what expressions compare them with stays
	IDs       []string // keys of ids: their order stays
	Cursors   []string // keys of cursors, tokens and addresses with which reading goes on
	Countries []string // keys of countries: they stay, as they decide how numbers are read
	Literals  []string // values that expressions compare with: they stay
	Reactions []string // parts of answers that tell one failure from another: they stay
}

// Substituted are the values of a request that are not the configuration's own words.
type Substituted struct {
	Values []string // ids, cursors and tokens that an answer brought
	Link   bool     // the whole address was brought by an answer
}

type substitutedKey struct{}

// WithSubstituted says in a request's context which of its values an answer brought.
func WithSubstituted(ctx context.Context, s Substituted) context.Context {
	return context.WithValue(ctx, substitutedKey{}, s)
}

// SubstitutedOf returns what [WithSubstituted] said.
func SubstitutedOf(ctx context.Context) Substituted {
	s, _ := ctx.Value(substitutedKey{}).(Substituted)
	return s
}
