package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// wants reports whether a row is to be measured.
func (l *laboratory) wants(row string) bool { return len(l.only) == 0 || slices.Contains(l.only, row) }

// kept returns where a data set of a name is kept, and whether it is there; an empty path where none are kept.
func (l *laboratory) kept(name string) (path string, there bool) {
	if l.keep == "" {
		return "", false
	}
	path = filepath.Join(l.keep, name)
	_, err := os.Stat(path)
	return path, err == nil
}

// prepare makes the data sets of the wanted rows that are not kept yet.
func (l *laboratory) prepare(ctx context.Context) error {
	if l.keep == "" {
		return errors.New("--prepare needs a folder: --keep DIR")
	}
	for _, b := range benchmarks {
		if b.prepare == nil || !slices.ContainsFunc(b.names, l.wants) {
			continue
		}
		if err := b.prepare(ctx, l); err != nil {
			return fmt.Errorf("prepare %s: %w", b.names[0], err)
		}
	}
	return nil
}
