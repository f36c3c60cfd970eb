package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// memoryOf returns a benchmark of the memory that the bridge takes for a file of a kind, and of its longest page, from a file that it has
// never seen on.
func memoryOf(kind, keys string, fill func(l *laboratory, path string) error) benchmark {
	names := []string{"memory-" + kind, "page-" + kind}
	// made returns where the file is, made now unless it is kept.
	made := func(l *laboratory) (big laboratory, path string, err error) {
		big = *l
		big.contacts, big.longest = l.big, 0
		path, there := l.kept(fmt.Sprintf("memory-%d.%s", l.big, kind))
		if there {
			return big, path, nil
		}
		if path == "" {
			path = filepath.Join(l.dir, "memory."+kind)
		}
		unfinished := filepath.Join(filepath.Dir(path), "new-"+filepath.Base(path))
		if err = fill(&big, unfinished); err == nil {
			err = os.Rename(unfinished, path)
		}
		if err != nil {
			err = fmt.Errorf("fill %s: %w", path, err)
		}
		return big, path, err
	}
	prepare := func(_ context.Context, l *laboratory) error {
		_, _, err := made(l)
		return err
	}
	return benchmark{names: names, prepare: prepare, run: func(ctx context.Context, l *laboratory) ([]result, error) {
		big, path, err := made(l)
		if err != nil {
			return nil, err
		}
		if l.keep == "" {
			defer os.Remove(path)
		}
		s, err := l.serve(ctx, fmt.Sprintf("{kind: %s, path: %q, %s}", kind, path, keys), "{format: as-is}")
		if err != nil {
			return nil, err
		}
		defer s.stop()
		if err := big.learn(ctx, s.url()); err != nil {
			return nil, err
		}
		if _, err := big.crawl(ctx, s.url()); err != nil {
			return nil, err
		}
		memory, err := s.peakMemory()
		what := fmt.Sprintf("a file of %d contacts, from a new version on, in the order of updated", big.contacts)
		return []result{
			{Name: names[0], Value: memory, Limit: 128, Unit: "MiB", Target: 1, atMost: true, against: "peak memory of the bridge with " + what},
			{Name: names[1], Value: big.longest.Seconds(), Limit: 9, Unit: "s", Target: 1, atMost: true, against: "longest answer with " + what},
		}, err
	}}
}

var (
	memoryCSV   = memoryOf("csv", "id: id, updated: updated_at, fields: "+csvFields, (*laboratory).fillCSV)
	memoryXLSX  = memoryOf("xlsx", "id: id, updated: updated_at, fields: "+csvFields, (*laboratory).fillXLSX)
	memoryJSONL = memoryOf("jsonl", "id: id, updated: updated_at", func(l *laboratory, path string) error {
		return fileBench{path: path, write: writeLine}.fill(l)
	})
	memoryVCard = memoryOf("vcard", "id: uid, updated: rev", func(l *laboratory, path string) error {
		return fileBench{path: path, write: writeCard}.fill(l)
	})
	memoryJSON = memoryOf("json", "id: id, updated: updated_at", (*laboratory).fillJSON)
)

// fillJSON writes the customers as one document.
func (l *laboratory) fillJSON(path string) error {
	lines := path + "l"
	defer os.Remove(lines)
	if err := (fileBench{path: lines, write: writeLine}).fill(l); err != nil {
		return err
	}
	from, err := os.Open(lines)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(path)
	if err != nil {
		return err
	}
	w, scanner, before := bufio.NewWriter(to), bufio.NewScanner(from), "[\n"
	for scanner.Scan() {
		_, wrong := w.WriteString(before + scanner.Text())
		err, before = errors.Join(err, wrong), ",\n"
	}
	_, wrong := w.WriteString("\n]\n")
	old := time.Now().Add(-time.Hour) // so that it has settled
	return errors.Join(err, wrong, scanner.Err(), w.Flush(), to.Close(), os.Chtimes(path, old, old))
}
