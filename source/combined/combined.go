// Package combined combines several sources into one: an endpoint with the key "sources". They are read one after the other in one
// run, and a contact's id is its id in its own source with a prefix.
//
// # What a run promises
//
// Every source is begun before anything is read, so each has its horizon, its bound and its mark from the begin of the run (E2, E3,
// E12), however late it is read. A position names the source that is being read, the place in it, and the last place in each that
// was read before; a checkpoint holds the checkpoint of each. So a run goes on in the middle of any source, in any process.
//
// # Which contacts are gone
//
// Only a run that read every source completely from its beginning shows that (D8). So a run is an initial one for all of them
// or for no source: if one source cannot use its checkpoint any more (a file without updated has changed, a clock was set back), all are read
// from the beginning, and the bridge says so (D10). A source without a checkpoint in a checkpoint that has others is read from its
// beginning in a run that stays incremental and does not decide which contacts are gone: an interrupted initial run goes on like that.
//
// A source that was read to its end gets the checkpoint of its end only when the whole run ends. Until then a source with a
// checkpoint that stands for everything (E10) keeps the one that it had, so that a run that replaces an interrupted one reads
// everything again.
package combined

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// MaxParts is how many sources can be combined: their places have to fit into one offset.
const MaxParts = 20

// A Part is one of the sources of an endpoint.
type Part struct {
	Name string // unique among the parts
	// Prefix begins the ids of its contacts. One part may have no prefix.
	Prefix  string
	Factory source.Factory
}

// DefaultPrefix returns the prefix of a source that sets none.
func DefaultPrefix(name string) string { return name + ":" }

// A Named is the name and prefix of a part.
type Named struct{ Name, Prefix string }

// maxPrefix is the longest prefix, in bytes. An id has 2048.
const maxPrefix = 64

// Check finds what is wrong with the names and prefixes of parts. Its errors are [*source.ConfigError]s, joined; their key is that of a
// prefix below the mapping of sources: "customers.prefix".
func Check(parts []Named) error {
	var errs source.ConfigErrors
	errs.If(len(parts) > MaxParts, "", fmt.Sprintf("There are %d sources", len(parts)), fmt.Sprintf("At most %d can be combined in one endpoint.", MaxParts))
	for i, p := range parts {
		key := p.Name + ".prefix"
		errs.If(len(p.Prefix) > maxPrefix, key, "The prefix is longer than 64 bytes", "Choose a shorter one.")
		errs.If(strings.ContainsFunc(p.Prefix, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(p.Prefix) != p.Prefix,
			key, "The prefix has characters that cannot be printed, or a space at an end", "Use letters, digits and marks.")
		for _, other := range parts[:i] {
			message, hint := collision(p, other)
			errs.If(message != "", key, message, hint)
		}
	}
	return errs.Err()
}

// collision says how ids of two parts could be the same. An empty prefix collides with no other but an empty one: its contacts
// are compared with the other prefixes when they are read.
func collision(p, other Named) (message, hint string) {
	shorter, longer := p, other
	if len(shorter.Prefix) > len(longer.Prefix) {
		shorter, longer = longer, shorter
	}
	switch {
	case p.Prefix == other.Prefix && p.Prefix == "":
		return fmt.Sprintf("The sources %s and %s both have an empty prefix, so two contacts could have one id", other.Name, p.Name),
			"Leave prefix out for all but one of them."
	case p.Prefix == other.Prefix:
		return fmt.Sprintf("The sources %s and %s have the same prefix, so two contacts could have one id", other.Name, p.Name), "Choose another prefix for one of them."
	case shorter.Prefix != "" && strings.HasPrefix(longer.Prefix, shorter.Prefix):
		return fmt.Sprintf("The prefix of %s begins with that of %s, so two contacts could have one id", longer.Name, shorter.Name),
			"Choose prefixes so that no prefix is the beginning of another."
	}
	return "", ""
}

// named returns an error with the name of the source that it comes from in its message.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*bridge.Error](err); ok {
		told := *e
		told.Message = name + ": " + e.Message
		return &told
	}
	return fmt.Errorf("%s: %w", name, err)
}

// byName returns the indexes of parts in the order of their names, which does not change when the file is sorted otherwise.
func byName[T any](parts []T, name func(T) string) []int {
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(name(parts[a]), name(parts[b])) })
	return order
}
