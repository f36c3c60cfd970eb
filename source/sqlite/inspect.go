package sqlite

import (
	"context"

	"github.com/contactbridge/contactbridge/source"
)

// Inspect implements [source.Inspector].
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	return source.Inspection{}, nil
}
