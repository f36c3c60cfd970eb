package inside

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// previewed bounds what a preview reads.
var previewed = preview.Options{Limit: 20, Examine: 1000, Inspect: 8 * time.Second, Read: 8 * time.Second, Wait: 20 * time.Second}

// lookTime is how long looking at what is there may take.
const lookTime = 30 * time.Second

// Preview shows the first contacts of a source, and everything that is wrong with it.
func (s *Sources) Preview(ctx context.Context, of hub.InsideSource, auth bridge.Auth) (*preview.Preview, error) {
	e, err := s.parse(of)
	if err != nil {
		return nil, err
	}
	ctx, leave := s.withRoom(ctx)
	defer leave()
	o := &opened{}
	deps, done, err := s.draftDeps(ctx, of, e.Kind.Name, o)
	if err != nil {
		return nil, err
	}
	defer done()
	p, err := preview.Of(ctx, e, deps, auth, previewed)
	if refused := o.refused.Load(); err == nil && refused != nil && !p.OK {
		said := failure.Of(refused.err) // says how it is allowed
		p.Problems = append([]source.Problem{{Severity: source.Failure, Code: string(said.Code), Message: said.Message, Hint: said.Hint}}, p.Problems...)
	}
	return p, err
}

// draftDeps are what a source works with that is opened once.
func (s *Sources) draftDeps(ctx context.Context, of hub.InsideSource, kind string, o *opened) (deps source.Deps, done func(), err error) {
	there, release, err := s.uploads.fetch(ctx, of)
	if err != nil {
		return deps, nil, err
	}
	if deps, err = s.deps(of, kind, o, there); err != nil {
		release()
	}
	return deps, release, err
}

// partial reads a source that need not be complete.
func (s *Sources) partial(of hub.InsideSource) (config.Partial, error) {
	document, err := endpointOf(hub.InsideSource{Text: of.Text, Trusted: of.Trusted})
	if err != nil {
		return config.Partial{}, err
	}
	p, err := config.ParsePartial(document, Endpoint, strictyaml.Environment{Folder: s.o.Folder}, !of.Trusted)
	if err != nil {
		return p, explain(err)
	}
	return p, nil
}

// SignIn says how people sign in at a source's external service.
func (s *Sources) SignIn(of hub.InsideSource) (hub.SignIn, error) {
	p, err := s.partial(of)
	if err != nil {
		return hub.SignIn{}, err
	}
	if p.Kind.SignIn == nil {
		return hub.SignIn{}, &failure.Error{
			Code: failure.Invalid, Field: "source.kind", Message: "people cannot sign in at a source of kind " + p.Kind.Name, Hint: "Write the credentials that it needs into the source.",
		}
	}
	how, err := p.Kind.SignIn(p.Config)
	if err != nil {
		return hub.SignIn{}, below(err)
	}
	return hub.SignIn(how), nil
}

// Look lists what could hold contacts at a source's external service, and proposes a mapping of the best of it.
func (s *Sources) Look(ctx context.Context, of hub.InsideSource, _ bridge.Auth, wish proposal.Wish) (l hub.Listing, err error) {
	p, err := s.partial(of)
	if err != nil || p.Kind.Setup == nil || p.Kind.Setup.Look == nil {
		return l, err
	}
	for key, text := range p.Answers {
		if strings.Contains(text, "{{auth.") {
			return l, &failure.Error{Code: failure.Invalid, Field: "source." + key, Message: "what is there can be listed only where the source holds its credentials itself", Hint: "Write them into the source: they are sealed."}
		}
	}
	o := &opened{}
	deps, done, err := s.draftDeps(ctx, of, p.Kind.Name, o)
	if err != nil {
		return l, err
	}
	defer done()
	deps.Folder = s.o.Folder
	ctx, leave := s.withRoom(ctx)
	defer leave()
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if l.Inventory, err = p.Kind.Setup.Look(looking, p.Answers, deps); err != nil {
		refused := o.refused.Load()
		switch {
		case refused != nil:
			return l, refused.err
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			return l, &bridge.Error{Code: bridge.CodeSourceTimeout, Message: "the source did not answer in time", Hint: "Look at what it is busy with, or write the mapping yourself.", Err: err}
		}
		return l, below(err)
	}
	if len(l.Inventory.Things) > 0 {
		l.Proposal, err = proposal.Of(l.Inventory, wish)
	}
	return l, err
}

// Contacts calls a function with every contact of a source as it would be stored.
func (s *Sources) Contacts(ctx context.Context, of hub.InsideSource, auth bridge.Auth, each func(*contact.Contact) error) (err error) {
	e, err := s.parse(of)
	if err != nil {
		return err
	}
	deps, done, err := s.draftDeps(ctx, of, e.Kind.Name, &opened{})
	if err != nil {
		return err
	}
	defer done()
	factory, err := e.New(deps)
	if err != nil {
		return below(err)
	}
	defer func() { _ = factory.Close() }() // nothing hangs on it any more
	src, err := factory.Open(ctx, auth)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	run, err := begin(ctx, src)
	if err != nil {
		return err
	}
	prepare := e.Phones.Prepare()
	for change, err := range src.Read(ctx, run, nil, 0) {
		switch {
		case err != nil:
			return fmt.Errorf("read the source: %w", err)
		case change.Again || change.Deleted || change.Rejected != "":
			continue
		}
		prepare(&change.Contact)
		change.Contact.FillName()
		if err := each(&change.Contact); err != nil {
			return err
		}
	}
	return nil
}

// begin begins a run, once the source is ready.
func begin(ctx context.Context, src bridge.Source) (bridge.Run, error) {
	for {
		run, err := src.Begin(ctx, "")
		if !errors.Is(err, source.ErrBusy) {
			return run, err
		}
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
