package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Backup writes a copy of the directory to a new file, readable by its owner only, while the directory is in use: the copy is
// how it stood when Backup was called. Where there is a file already, it returns an error that is [os.ErrExist].
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := format.Copy(ctx, s.file, path); err != nil {
		return fmt.Errorf("copy the directory: %w", err)
	}
	return nil
}

// Restored makes a copy that was restored to a file the directory from now on. Devices may have read changes of phonebooks that were made after the
// copy: each phonebook gets another epoch, so that they read it anew.
func Restored(ctx context.Context, file string) (err error) {
	if file, err = filepath.Abs(file); err != nil {
		return fmt.Errorf("prepare the restored directory: %w", err)
	}
	db, err := format.Connect(file)
	if err != nil {
		return fmt.Errorf("prepare the restored directory: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var there int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'books'").Scan(&there)
	if err == nil && there > 0 { // it is missing in copies of older versions
		_, err = db.ExecContext(ctx, renewBooks)
	}
	if err != nil {
		return fmt.Errorf("prepare the restored directory: %w", format.Explain(err))
	}
	return nil
}
