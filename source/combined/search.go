package combined

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
)

var (
	_ bridge.Searcher      = (*Source)(nil)
	_ source.SearchChecker = (*factory)(nil)
)

// CheckSearch implements [source.SearchChecker]: at least one of the sources can be asked.
func (f *factory) CheckSearch() error {
	var errs []error
	for _, p := range f.parts {
		checker, ok := p.Factory.(source.SearchChecker)
		if !ok {
			continue
		}
		err := checker.CheckSearch()
		if err == nil {
			return nil
		}
		errs = append(errs, named(p.Name, err))
	}
	if errs == nil {
		return &source.ConfigError{Message: "none of the sources can be asked for a number", Hint: "Leave ask out."}
	}
	return errors.Join(errs...)
}

// Search implements [bridge.Searcher]: every part that can be asked is, at the same time.
func (s *Source) Search(ctx context.Context, q bridge.Search) ([]contact.Contact, error) {
	found := make([][]contact.Contact, len(s.parts))
	err := atOnce(len(s.parts), func(i int) error {
		p := s.parts[i]
		searcher, ok := p.source.(bridge.Searcher)
		if !ok {
			return nil
		}
		some, err := searcher.Search(ctx, q)
		if err != nil {
			return named(p.Name, err)
		}
		r := reading{source: s}
		for _, c := range some {
			change := bridge.Change{Contact: c}
			if r.name(p, &change); change.Rejected == "" {
				change.Contact.ID = strings.Clone(change.Contact.ID)
				found[i] = append(found[i], change.Contact)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	return all[:min(len(all), q.Most())], nil
}
