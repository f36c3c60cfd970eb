package inside

import (
	"context"
	"errors"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/source"
)

// CheckSearch says why a source cannot be asked for a phone number; nil: it can. It connects to nothing.
func (s *Sources) CheckSearch(of hub.InsideSource) (err error) {
	e, err := s.parse(of)
	if err != nil {
		return err
	}
	factory, err := e.New(source.Deps{Clock: s.o.Clock, Untrusted: !of.Trusted})
	if err != nil {
		return below(err)
	}
	defer func() { err = errors.Join(err, factory.Close()) }()
	checker, ok := factory.(source.SearchChecker)
	if !ok {
		return &failure.Error{
			Code: failure.Invalid, Message: "a source of kind " + e.Kind.Name + " cannot be asked for a number",
			Hint: "Databases, LDAP directories and vendors with a search can. Leave ask out.",
		}
	}
	return below(checker.CheckSearch())
}

// Search asks a source for the contacts with a phone number, as a run would bring them: mapped, and with its numbers written as phones says.
func (s *Sources) Search(ctx context.Context, of hub.InsideSource, auth bridge.Auth, q bridge.Search) ([]contact.Contact, error) {
	o, done, err := s.use(ctx, of)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, leave := s.withRoom(ctx)
	defer leave()
	began := s.o.Clock.Now()
	found, err := o.search(ctx, auth, q)
	if last := o.refused.Load(); err != nil && last != nil && !last.at.Before(began) {
		return nil, last.err
	}
	return found, err
}

func (o *opened) search(ctx context.Context, auth bridge.Auth, q bridge.Search) ([]contact.Contact, error) {
	src, err := o.factory.Open(ctx, auth)
	if err != nil {
		return nil, err
	}
	defer src.Close() // it only gives a connection back
	searcher, ok := src.(bridge.Searcher)
	if !ok {
		return nil, nil
	}
	found, err := searcher.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	kept := found[:0]
	for _, c := range found {
		if c.Validate() != nil {
			continue // a run tells of it
		}
		o.prepare(&c)
		c.FillName()
		kept = append(kept, c)
	}
	return kept, nil
}
