// Package upgrade says what a release changes in databases that an older one made, before it changes them.
package upgrade

import (
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/contactbridge/contactbridge/failure"
)

// A Plan says what becomes of one part's tables.
type Plan struct {
	Part     string   // "directory"
	From, To int64    // versions of its schema
	Steps    []string // what each version between brings, in order
}

// String returns the plan as a line for people.
func (p *Plan) String() string {
	return fmt.Sprintf("the %s is brought from schema %d to %d: %s", p.Part, p.From, p.To, strings.Join(p.Steps, "; "))
}

// New returns what would be done to tables of a version: nil where nothing would. Steps are described by version.
func New(part string, current int64, sources []*goose.Source, steps map[int64]string) (*Plan, error) {
	target := sources[len(sources)-1].Version
	switch {
	case current == target:
		return nil, nil
	case current > target:
		return nil, Newer(part, current, target)
	}
	p := &Plan{Part: part, From: current, To: target}
	for _, s := range sources {
		if s.Version > current {
			p.Steps = append(p.Steps, steps[s.Version])
		}
	}
	return p, nil
}

// Newer is the error of a release that meets tables of a newer one: it must not touch what it does not know.
func Newer(part string, current, known int64) error {
	return &failure.Error{
		Message: fmt.Sprintf("a newer contactbridge made the %s (schema %d, this one knows %d)", part, current, known),
		Hint: "Update contactbridge here as well. To go back to an older one, restore the backup that was made before the upgrade: " +
			"nothing was changed now.",
	}
}
