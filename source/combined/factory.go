package combined

import (
	"context"
	"errors"
	"sync"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// A factory opens the sources of its parts.
type factory struct{ parts []Part }

// New makes one factory of several. Closing it closes them. The parts are read in their order; [Check] must have found nothing wrong
// with them.
func New(parts []Part) source.Factory { return &factory{parts} }

// Open implements [source.Factory]: every part is opened with the same credentials, at the same time.
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	parts := make([]*part, len(f.parts))
	err := atOnce(len(f.parts), func(i int) error {
		src, err := f.parts[i].Factory.Open(ctx, auth)
		if err != nil {
			return named(f.parts[i].Name, err)
		}
		parts[i] = &part{Named: Named{f.parts[i].Name, f.parts[i].Prefix}, source: src}
		return nil
	})
	if err != nil {
		for _, p := range parts {
			if p != nil {
				err = errors.Join(err, p.source.Close())
			}
		}
		return nil, err
	}
	return newSource(parts), nil
}

// Close implements [source.Factory].
func (f *factory) Close() error {
	var errs []error
	for _, p := range f.parts {
		errs = append(errs, named(p.Name, p.Factory.Close()))
	}
	return errors.Join(errs...)
}

// CheckCallers implements [source.CallerChecker].
func (f *factory) CheckCallers() error {
	var errs []error
	for _, p := range f.parts {
		if checker, ok := p.Factory.(source.CallerChecker); ok {
			errs = append(errs, named(p.Name, checker.CheckCallers()))
		}
	}
	return errors.Join(errs...)
}

// atOnce does something for each of n parts at the same time, so that what they take is not added up. It returns the error of the
// first of them, in their order, that has one. A panic is the caller's.
func atOnce(n int, do func(i int) error) error {
	errs, panics := make([]error, n), make([]any, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer func() { panics[i] = recover() }()
			errs[i] = do(i)
		})
	}
	all.Wait()
	for i, err := range errs {
		if panics[i] != nil {
			panic(panics[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
