package hubserver

import (
	"context"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phonebook"
)

// phonebooks are those of the configuration.
func (s *Server) phonebooks() *phonebook.Set {
	set := phonebook.NewSet(s.config.DeclaredPhonebooks(), func(ctx context.Context, account string) (a phonebook.Access, err error) {
		a.Store, a.Hidden, a.Region, err = s.Hub.Phonebooks(ctx, account)
		a.Called = func(ctx context.Context) ([]directory.Ref, error) { return s.Hub.CalledLast(ctx, account) }
		return a, err
	})
	set.Observe(func(b *phonebook.Book, r phonebook.Reading) {
		s.Hub.NoteReader(registry.Reader{Account: b.Account, Book: b.Name, Way: string(r.Way), Name: r.Name, Address: r.Address, Device: r.Device, Copies: r.Copies, Last: r.Began})
	})
	return set
}

const (
	fillPause = 10 * time.Millisecond // after each step, in which runs store their pages
	fillEvery = 10 * time.Second      // what another process declared, or could not judge, is looked for
)

// fillPhonebooks judges the contacts that phonebooks have not judged yet, until ctx is done.
func (s *Server) fillPhonebooks(ctx context.Context) {
	for {
		more, err := s.store.FillBooks(ctx)
		if err != nil && ctx.Err() == nil {
			s.logger.ErrorContext(ctx, "could not fill the phonebooks", "error", err)
		}
		pause := fillEvery
		if more && err == nil {
			pause = fillPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
