package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/contactbridge/contactbridge/directory"
)

// chunkBytes is how much of a file stands in one row.
const chunkBytes = 256 << 10

const fileColumns = "id, account, name, kind, size, digest, uploaded, uploader, staged, over"

func scanFile(row scanner) (f File, err error) {
	err = row.Scan(&f.ID, &f.Account, &f.Name, &f.Kind, &f.Size, &f.Digest, stamp{&f.Uploaded}, &f.Uploader, &f.Staged, &f.Over)
	return f, err
}

// AddFile keeps a file of f.Size bytes, and completes f. Where f.Staged is not set, no other may have its name: [ErrExists]. All files of
// an account, staged ones among them, may have quota bytes: [ErrQuota]. [ErrNotFound] if there is no such account, [ErrGoing] if it is
// being removed. No transaction lasts while content is read.
func (d *DB) AddFile(ctx context.Context, f *File, content io.Reader, quota int64) error {
	f.ID = random()
	if err := d.reserve(ctx, *f, quota); err != nil {
		return wrap(err, "file %s of account %s", f.Name, f.Account)
	}
	err := d.fill(ctx, f, content)
	if err == nil {
		err = d.change(ctx, func(s session) error {
			now, err := d.now(ctx, s)
			if err != nil {
				return err
			}
			f.Uploaded = moment(now)
			err = s.must(ctx, "UPDATE hub.files SET whole = TRUE, staged = $2, digest = $3, uploaded = $4 WHERE id = $1", f.ID, f.Staged, f.Digest, now)
			return s.named(err, "account "+f.Account)
		})
	}
	if err != nil {
		_, gone := d.write().exec(context.WithoutCancel(ctx), "DELETE FROM hub.files WHERE id = $1", f.ID)
		err = errors.Join(err, gone)
	}
	return wrap(err, "file %s of account %s", f.Name, f.Account)
}

// reserve makes room for a file. Until it is whole, it is in nobody's way.
func (d *DB) reserve(ctx context.Context, f File, quota int64) error {
	return d.change(ctx, func(s session) error {
		going, err := one(ctx, s, value[int64], "SELECT going FROM hub.accounts WHERE name = $1 {lock}", f.Account)
		if err == nil && going > 0 {
			err = ErrGoing
		}
		if err != nil {
			return err
		}
		if !f.Staged {
			n, err := one(ctx, s, value[int64], "SELECT count(*) FROM hub.files WHERE account = $1 AND name = $2 AND NOT staged", f.Account, f.Name)
			if err == nil && n > 0 {
				err = ErrExists
			}
			if err != nil {
				return err
			}
		}
		taken, err := one(ctx, s, value[int64], "SELECT CAST(COALESCE(sum(size), 0) AS BIGINT) FROM hub.files WHERE account = $1", f.Account)
		if err == nil && taken+f.Size > quota {
			err = ErrQuota
		}
		if err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, "INSERT INTO hub.files ("+fileColumns+", whole) VALUES ($1, $2, $3, $4, $5, '', $6, $7, TRUE, $8, FALSE)",
			f.ID, f.Account, f.Name, f.Kind, f.Size, now, f.Uploader, f.Over)
		return err
	})
}

// fill stores a file's content.
func (d *DB) fill(ctx context.Context, f *File, content io.Reader) error {
	sum, chunk := sha256.New(), make([]byte, chunkBytes)
	left := f.Size
	for part := int64(0); left > 0; part++ {
		b := chunk[:min(left, chunkBytes)]
		if _, err := io.ReadFull(content, b); err != nil {
			return fmt.Errorf("read its content: %w", err)
		}
		sum.Write(b)
		left -= int64(len(b))
		if _, err := d.write().exec(ctx, "INSERT INTO hub.file_chunks (file, part, content) VALUES ($1, $2, $3)", f.ID, part, bytes.Clone(b)); err != nil {
			return err
		}
	}
	f.Digest = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// Files lists an account's files by name, without staged ones.
func (d *DB) Files(ctx context.Context, account string) ([]File, error) {
	all, err := list(ctx, d.read(), scanFile, "SELECT "+fileColumns+" FROM hub.files WHERE account = $1 AND whole AND NOT staged ORDER BY name", account)
	return all, wrap(err, "list the files of account %s", account)
}

// File returns the file of a name, or [ErrNotFound].
func (d *DB) File(ctx context.Context, account, name string) (File, error) {
	f, err := one(ctx, d.read(), scanFile, "SELECT "+fileColumns+" FROM hub.files WHERE account = $1 AND name = $2 AND whole AND NOT staged", account, name)
	return f, wrap(err, "file %s of account %s", name, account)
}

// StagedFile returns a file that waits to take another one's place, or [ErrNotFound].
func (d *DB) StagedFile(ctx context.Context, account, id string) (File, error) {
	f, err := one(ctx, d.read(), scanFile, "SELECT "+fileColumns+" FROM hub.files WHERE account = $1 AND id = $2 AND whole AND staged", account, id)
	return f, wrap(err, "staged file of account %s", account)
}

// ReadFile writes the content of the file with an ID. It is checked against the file's digest: what was written before an error is not
// to be used. [ErrNotFound] where it was replaced or removed meanwhile.
func (d *DB) ReadFile(ctx context.Context, id string, into io.Writer) error {
	f, err := one(ctx, d.read(), scanFile, "SELECT "+fileColumns+" FROM hub.files WHERE id = $1 AND whole", id)
	if err != nil {
		return wrap(err, "read an uploaded file")
	}
	sum := sha256.New()
	for part, left := int64(0), f.Size; left > 0; part++ {
		chunk, err := one(ctx, d.read(), value[[]byte], "SELECT content FROM hub.file_chunks WHERE file = $1 AND part = $2", id, part)
		if err != nil {
			return wrap(err, "read the file %s of account %s", f.Name, f.Account)
		}
		sum.Write(chunk)
		left -= int64(len(chunk))
		if _, err := into.Write(chunk); err != nil {
			return fmt.Errorf("copy the file %s: %w", f.Name, err)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.Digest {
		return fmt.Errorf("the file %s of account %s is damaged in the hub's database", f.Name, f.Account)
	}
	return nil
}

// ApplyFile lets a staged file take the place of the one of its name, whose content is deleted. [ErrChanged] where that is not the one any
// more that it was compared with; [ErrNotFound] where one of them is gone.
func (d *DB) ApplyFile(ctx context.Context, account, id string) (f File, err error) {
	err = d.change(ctx, func(s session) error {
		f, err = one(ctx, s, scanFile, "SELECT "+fileColumns+" FROM hub.files WHERE account = $1 AND id = $2 AND whole AND staged {lock}", account, id)
		if err != nil {
			return err
		}
		old, err := one(ctx, s, scanFile, "SELECT "+fileColumns+" FROM hub.files WHERE account = $1 AND name = $2 AND NOT staged {lock}", account, f.Name)
		if err != nil {
			return err
		}
		if old.Digest != f.Over {
			return ErrChanged
		}
		if _, err := s.exec(ctx, "DELETE FROM hub.files WHERE id = $1", old.ID); err != nil {
			return err
		}
		now, err := d.now(ctx, s)
		if err != nil {
			return err
		}
		f.Staged, f.Over, f.Uploaded = false, "", moment(now)
		return s.must(ctx, "UPDATE hub.files SET staged = FALSE, over = '', uploaded = $2 WHERE id = $1", f.ID, now)
	})
	return f, wrap(err, "replace a file of account %s", account)
}

// RemoveFile deletes the file with an ID, staged or not, or returns [ErrNotFound].
func (d *DB) RemoveFile(ctx context.Context, account, id string) error {
	return wrap(d.write().must(ctx, "DELETE FROM hub.files WHERE account = $1 AND id = $2", account, id), "remove a file of account %s", account)
}

// FileUsers returns the integrations that read each of an account's files, by the files' names.
func (d *DB) FileUsers(ctx context.Context, account string) (map[string][]directory.Key, error) {
	users, err := fileUsers(ctx, d.read(), account)
	return users, wrap(err, "list who reads the files of account %s", account)
}

func fileUsers(ctx context.Context, s session, account string) (map[string][]directory.Key, error) {
	all, err := list(ctx, s, scanPlain, "SELECT "+integrationColumns+` FROM hub.integrations WHERE account = $1 AND config LIKE '%"files":%' ORDER BY name`, account)
	users := map[string][]directory.Key{}
	for _, i := range all {
		for _, name := range i.Files {
			users[name] = append(users[name], i.Key)
		}
	}
	return users, err
}

// removeFilesOf deletes the files that only this integration reads, and what waits to take their place.
func removeFilesOf(ctx context.Context, s session, i Integration) error {
	if len(i.Files) == 0 {
		return nil
	}
	users, err := fileUsers(ctx, s, i.Account)
	if err != nil {
		return err
	}
	for _, name := range i.Files {
		if slices.ContainsFunc(users[name], func(key directory.Key) bool { return key != i.Key }) {
			continue
		}
		if _, err := s.exec(ctx, "DELETE FROM hub.files WHERE account = $1 AND name = $2", i.Account, name); err != nil {
			return err
		}
	}
	return nil
}

// How long files are kept that nothing came of.
const (
	keepStaged = day
	keepUnused = 7 * day
)

// PruneFiles deletes staged files, and those whose upload was broken off, after a day, and after a week those that no integration reads.
func (d *DB) PruneFiles(ctx context.Context) error {
	now, err := d.now(ctx, d.read())
	if err != nil {
		return err
	}
	if _, err := d.write().exec(ctx, "DELETE FROM hub.files WHERE staged AND uploaded < $1", now-keepStaged.Microseconds()); err != nil {
		return wrap(err, "delete staged files")
	}
	old, err := list(ctx, d.read(), scanFile, "SELECT "+fileColumns+" FROM hub.files WHERE NOT staged AND uploaded < $1 ORDER BY account, name", now-keepUnused.Microseconds())
	if err != nil {
		return wrap(err, "list old files")
	}
	for len(old) > 0 {
		account := old[0].Account
		n := slices.IndexFunc(old, func(f File) bool { return f.Account != account })
		if n < 0 {
			n = len(old)
		}
		if err := d.pruneFiles(ctx, account, old[:n]); err != nil {
			return wrap(err, "delete unused files of account %s", account)
		}
		old = old[n:]
	}
	return nil
}

// pruneFiles deletes those of an account's files that no integration reads. The account's row keeps integrations from being added meanwhile.
func (d *DB) pruneFiles(ctx context.Context, account string, files []File) error {
	return d.change(ctx, func(s session) error {
		if _, err := one(ctx, s, value[string], "SELECT name FROM hub.accounts WHERE name = $1 {lock}", account); errors.Is(err, ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		users, err := fileUsers(ctx, s, account)
		if err != nil {
			return err
		}
		for _, f := range files {
			if len(users[f.Name]) > 0 {
				continue
			}
			if _, err := s.exec(ctx, "DELETE FROM hub.files WHERE id = $1", f.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Taken returns how many bytes an account's files have, staged ones among them.
func (d *DB) Taken(ctx context.Context, account string) (int64, error) {
	n, err := one(ctx, d.read(), value[int64], "SELECT CAST(COALESCE(sum(size), 0) AS BIGINT) FROM hub.files WHERE account = $1", account)
	return n, wrap(err, "measure the files of account %s", account)
}
