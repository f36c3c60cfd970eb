package hubserver

import (
	"context"

	"github.com/contactbridge/contactbridge/directory"
)

// Store is the directory of a server.
func Store(s *Server) directory.Store { return s.store }

// WarmUp looks a caller up in every account.
func WarmUp(ctx context.Context, s *Server) { s.warmUp(ctx) }
