package hubserver

import (
	"context"
	"time"
)

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
		case <-s.Hub.KeptBooks():
		case <-time.After(pause):
		}
	}
}
