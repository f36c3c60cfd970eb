// Package backup keeps copies of an embedded hub's databases in one compressed file with their checksums, so that a copy that
// was cut off or damaged is noticed before it is trusted.
package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
)

// A Part is one database of a hub.
type Part struct {
	Name string                                       // file in the data folder
	Copy func(ctx context.Context, path string) error // writes a copy to a new file while the database is in use
}

// A Manifest says what a backup holds. It is the archive's last entry: a file without one was cut off.
type Manifest struct {
	Format  int       `json:"format"`
	Made    time.Time `json:"made"`
	Version string    `json:"version"` // of the program that made it
	Files   []File    `json:"files"`
}

// A File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hexadecimal
}

const (
	format       = 1
	manifestName = "manifest.json"
	maxManifest  = 1 << 20
)

// ErrNoBackup says that a file is not a complete backup.
var ErrNoBackup = errors.New("this is not a complete backup of a hub")

// Write copies the parts into a new file at path, which appears there only when it is whole. scratch is a folder with room
// for copies of all parts.
func Write(ctx context.Context, path, scratch, version string, parts []Part) (m Manifest, err error) {
	if _, err := os.Stat(path); err == nil {
		return m, fmt.Errorf("write the backup: %w", &os.PathError{Op: "create", Path: path, Err: os.ErrExist})
	}
	dir, err := os.MkdirTemp(scratch, ".backup-")
	if err != nil {
		return m, fmt.Errorf("write the backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	unfinished := path + ".part"
	out, err := os.OpenFile(unfinished, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return m, fmt.Errorf("write the backup: %w", err)
	}
	m = Manifest{Format: format, Made: time.Now().UTC().Truncate(time.Second), Version: version}
	err = write(ctx, out, dir, &m, parts)
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(unfinished, path)
	}
	if err != nil {
		return m, errors.Join(fmt.Errorf("write the backup: %w", err), os.Remove(unfinished))
	}
	return m, nil
}

func write(ctx context.Context, out *os.File, dir string, m *Manifest, parts []Part) error {
	compressed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, part := range parts {
		copied := filepath.Join(dir, part.Name)
		if err := part.Copy(ctx, copied); err != nil {
			return fmt.Errorf("copy %s: %w", part.Name, err)
		}
		file, err := add(archive, part.Name, copied, m.Made)
		if err != nil {
			return fmt.Errorf("add %s: %w", part.Name, err)
		}
		m.Files = append(m.Files, file)
		if err := os.Remove(copied); err != nil { // the room is needed for the next one
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: m.Made}); err != nil {
		return err
	}
	if _, err := archive.Write(text); err != nil {
		return err
	}
	return errors.Join(archive.Close(), compressed.Close(), out.Sync())
}

// add writes a file into an archive.
func add(archive *tar.Writer, name, path string, made time.Time) (File, error) {
	in, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return File{}, err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: made}); err != nil {
		return File{}, err
	}
	digest := sha256.New()
	size, err := io.Copy(io.MultiWriter(archive, digest), in)
	return File{Name: name, Size: size, SHA256: hex.EncodeToString(digest.Sum(nil))}, err
}

// Read puts a backup's files into a folder, made if need be: all of them or none. Only files of the given names are taken, and
// none that is there already is replaced ([os.ErrExist]). A file that is not a complete backup is [ErrNoBackup]. ready prepares the files, in
// another folder, before they are put there; nil: they are as they were.
func Read(path, folder string, names []string, ready func(dir string) error) (m Manifest, err error) {
	in, err := os.Open(path)
	if err != nil {
		return m, fmt.Errorf("read the backup: %w", err)
	}
	defer in.Close()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return m, fmt.Errorf("read the backup: %w", err)
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return m, fmt.Errorf("read the backup: %w", &os.PathError{Op: "restore", Path: filepath.Join(folder, name), Err: os.ErrExist})
		}
	}
	dir, err := os.MkdirTemp(folder, ".restore-")
	if err != nil {
		return m, fmt.Errorf("read the backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err = extract(in, dir, names)
	if err != nil {
		return m, fmt.Errorf("read the backup %s: %w", path, err)
	}
	if ready != nil {
		if err := ready(dir); err != nil {
			return m, fmt.Errorf("read the backup %s: %w", path, err)
		}
	}
	for _, file := range m.Files {
		if err := os.Rename(filepath.Join(dir, file.Name), filepath.Join(folder, file.Name)); err != nil {
			return m, fmt.Errorf("read the backup: %w", err)
		}
	}
	return m, nil
}

// extract unpacks an archive and compares it with its manifest.
func extract(in io.Reader, dir string, names []string) (m Manifest, err error) {
	compressed, err := gzip.NewReader(in)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	archive := tar.NewReader(compressed)
	var found []File
	for {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return m, compare(m, found, names)
		case err != nil:
			return m, fmt.Errorf("%w: %w", ErrNoBackup, err)
		case header.Name == manifestName:
			if err := json.NewDecoder(io.LimitReader(archive, maxManifest)).Decode(&m); err != nil {
				return m, fmt.Errorf("%w: %w", ErrNoBackup, err)
			}
		case slices.Contains(names, header.Name):
			file, err := unpack(archive, filepath.Join(dir, header.Name))
			if err != nil {
				return m, fmt.Errorf("%w: %w", ErrNoBackup, err)
			}
			found = append(found, file)
		default:
			return m, fmt.Errorf("%w: it holds %q", ErrNoBackup, header.Name)
		}
	}
}

func unpack(in io.Reader, path string) (File, error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return File{}, err
	}
	digest := sha256.New()
	size, err := io.Copy(io.MultiWriter(out, digest), in)
	return File{Name: filepath.Base(path), Size: size, SHA256: hex.EncodeToString(digest.Sum(nil))}, errors.Join(err, out.Sync(), out.Close())
}

// compare reports whether everything that was packed was found, and nothing else.
func compare(m Manifest, found []File, names []string) error {
	switch {
	case m.Format == 0:
		return fmt.Errorf("%w: its end is missing", ErrNoBackup)
	case m.Format != format:
		return fmt.Errorf("%w that this release can read: it was made by %s", ErrNoBackup, m.Version)
	case !slices.Equal(m.Files, found):
		return fmt.Errorf("%w: a file in it is not what was packed", ErrNoBackup)
	}
	for _, name := range names {
		if !slices.ContainsFunc(found, func(f File) bool { return f.Name == name }) {
			return fmt.Errorf("%w: it lacks %s", ErrNoBackup, name)
		}
	}
	return nil
}
