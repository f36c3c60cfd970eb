package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a copy of the directory to a new file, readable by its owner only, while the directory is in use: the copy is
// how it stood when Backup was called. A file that is there already is refused ([os.ErrExist]).
func (s *Store) Backup(ctx context.Context, path string) error {
	path, err := filepath.Abs(path) // SQLite would take one that begins with file: for a URL
	if err != nil {
		return fmt.Errorf("copy the directory: %w", err)
	}
	// The file is made first, so that nobody else can read it for a moment; SQLite takes an empty one.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("copy the directory: %w", err)
	}
	if err = s.copyInto(ctx, path); err == nil {
		err = file.Sync() // SQLite leaves that to whoever wants it
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path) // a copy that is not whole helps nobody
		return fmt.Errorf("copy the directory: %w", explained(err))
	}
	return nil
}

func (s *Store) copyInto(ctx context.Context, path string) error {
	db, err := connect(s.file) // it reads, but SQLite does not do it on a connection that may only read
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}
