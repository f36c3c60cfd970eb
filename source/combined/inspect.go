package combined

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

// Inspect implements [source.Inspector]: what every part says, each line with the part's name.
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	found := make([]source.Inspection, len(s.parts))
	errs := make([]error, len(s.parts))
	_ = atOnce(len(s.parts), func(i int) error {
		if inspector, ok := s.parts[i].source.(source.Inspector); ok {
			var err error
			found[i], err = inspector.Inspect(ctx)
			errs[i] = named(s.parts[i].Name, err)
		}
		return nil // all of them are told
	})
	i := source.Inspection{Facts: []source.Fact{{Name: "order", Value: s.order()}}}
	for n, p := range s.parts {
		i = p.add(i, found[n])
	}
	slices.SortStableFunc(i.Problems, func(a, b source.Problem) int {
		return cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity))
	})
	return i, errors.Join(errs...)
}

// severities are ordered: the worst is the first.
var severities = []source.Severity{source.Failure, source.Warning, source.Note}

// order says which sources are read, in their order, and what their ids begin with.
func (s *Source) order() string {
	var list []string
	for _, p := range s.parts {
		if p.Prefix == "" {
			list = append(list, p.Name+" (ids as they are)")
		} else {
			list = append(list, p.Name+" (ids "+p.Prefix+"…)")
		}
	}
	return strings.Join(list, ", then ")
}

// add adds what the part says of itself.
func (p *part) add(to, found source.Inspection) source.Inspection {
	for _, m := range found.Mapping {
		m.Field = p.Name + ": " + m.Field
		to.Mapping = append(to.Mapping, m)
	}
	for _, f := range found.Facts {
		to.Facts = append(to.Facts, source.Fact{Name: p.Name + ": " + f.Name, Value: f.Value})
	}
	for _, problem := range found.Problems {
		problem.Message = p.Name + ": " + problem.Message
		to.Problems = append(to.Problems, problem)
	}
	for _, column := range found.Unused {
		to.Unused = append(to.Unused, p.Name+": "+column)
	}
	return to
}
