package sqlite

import (
	"context"
	"fmt"
)

// Backup writes a copy of the directory to a new file, readable by its owner only, while the directory is in use: the copy is
// how it stood when Backup was called. Where there is a file already, it returns an error that is [os.ErrExist].
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := format.Copy(ctx, s.file, path); err != nil {
		return fmt.Errorf("copy the directory: %w", err)
	}
	return nil
}
