package strictyaml

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const maxFile = 4 << 20 // bytes

// ReadFile reads a file of a size that a configuration or a secret may have.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("read configuration: %w", &fs.PathError{Op: "open", Path: path, Err: errors.New("is a folder, not a file")})
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("read configuration: %s is larger than 4 MiB", path)
	}
	return text, nil
}
