package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// File is a format of files under test. The suite is an application that exports all of its contacts after every change, each time
// to a new file that is renamed over the old one.
type File struct {
	// Extension is the ending of the format's files, with its dot.
	Extension string
	// Write returns the content of a file with records, which are in no order; it may have none. Each has a value for every column. A
	// value is any text: line breaks and quotes are in some of them.
	Write func(columns []string, records [][]string) ([]byte, error)
	// New makes a factory as a configuration says. It may change what is said of columns, where the format has names of its own.
	New func(cfg file.Config, deps source.Deps) (source.Factory, error)
	// Files is how many files the contacts are in, of one folder; 0 means that they are in one file and its name is configured.
	Files int
	// HistoryTime is [Target]'s.
	HistoryTime time.Duration
}

// Run runs the suite on files with an updated column.
func (f File) Run(t *testing.T) {
	t.Helper()
	Run(t, Target{Restarts: true, HistoryTime: f.HistoryTime, New: func(t testing.TB) Service { return f.service(t, "updated") }})
}

// RunUnsorted runs the suite on files without one (E10).
func (f File) RunUnsorted(t *testing.T) {
	t.Helper()
	Run(t, Target{Restarts: true, Unsorted: true, HistoryTime: f.HistoryTime, New: func(t testing.TB) Service { return f.service(t, "") }})
}

// fileColumns are the columns of the files.
var fileColumns = []string{
	"id", "name", "title", "company", "email", "email2", "phone", "mobile", "website", "photo", "address", "twitter", "url", "plan",
	"updated", "gone",
}

// service makes the files of a tenant.
func (f File) service(t testing.TB, updated string) Service {
	t.Helper()
	path, err := source.ParseTemplate("{{auth.tenant}}" + f.Extension)
	if f.Files > 0 {
		path, err = source.ParseTemplate("{{auth.tenant}}/*" + f.Extension)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &fileWriter{File: f, folder: t.TempDir(), records: make([]map[string][]string, max(f.Files, 1))}
	if err := w.begin(); err != nil {
		t.Fatal(err)
	}
	cfg := file.Config{Path: path, ID: "id", Updated: updated, Deleted: "gone", Fields: suiteFields("phone", "mobile")}
	return Service{
		Open: w.open(cfg, "acme"), OpenWrong: w.open(cfg, "other"), Now: time.Now, LongIDs: true,
		Put:     func(updated time.Time, contacts ...contact.Contact) error { return w.put(updated, "", contacts...) },
		PutNull: func(contacts ...contact.Contact) error { return w.put(time.Time{}, "", contacts...) },
		Mark:    func(updated time.Time, c contact.Contact, deleted string) error { return w.put(updated, deleted, c) },
		Delete:  w.delete,
	}
}

// A fileWriter is the application.
type fileWriter struct {
	File
	folder string

	lock    sync.Mutex
	records []map[string][]string // of each file, by id
}

// begin writes files without records.
func (w *fileWriter) begin() error {
	var errs []error
	for i := range w.records {
		w.records[i] = map[string][]string{}
		errs = append(errs, os.MkdirAll(filepath.Dir(w.name(i)), 0o700), w.write(i))
	}
	return errors.Join(errs...)
}

// open opens the source of a tenant.
func (w *fileWriter) open(cfg file.Config, tenant string) func(context.Context) (bridge.Source, error) {
	return func(ctx context.Context) (bridge.Source, error) {
		return openAlone(ctx, bridge.Auth{"tenant": tenant}, func() (source.Factory, error) { return w.New(cfg, source.Deps{Folder: w.folder}) })
	}
}

// name is the name of a file.
func (w *fileWriter) name(i int) string {
	if w.Files == 0 {
		return filepath.Join(w.folder, "acme"+w.Extension)
	}
	return filepath.Join(w.folder, "acme", fmt.Sprintf("%c%s", 'a'+i, w.Extension))
}

// fileOf is the number of the file that a contact is in.
func (w *fileWriter) fileOf(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % uint32(len(w.records)))
}

func (w *fileWriter) put(updated time.Time, gone string, contacts ...contact.Contact) error {
	ids := make([]string, len(contacts))
	for i, c := range contacts {
		ids[i] = c.ID
	}
	return w.change(ids, func(i int, _ []string) []string { return fileRecord(contacts[i], updated, gone) })
}

func (w *fileWriter) delete(updated time.Time, ids ...string) error {
	return w.change(ids, func(_ int, before []string) []string {
		if before == nil {
			return nil
		}
		return append(slices.Clone(before[:len(before)-2]), fileStamp(updated), "true")
	})
}

// change replaces the records of some contacts, and writes the files that they are in. An edit makes the record of the contact with
// a number out of the one that is there, if there is one; nil leaves it.
func (w *fileWriter) change(ids []string, edit func(i int, before []string) []string) error {
	w.lock.Lock()
	defer w.lock.Unlock()
	changed := map[int]bool{}
	for i, id := range ids {
		at := w.fileOf(id)
		if after := edit(i, w.records[at][id]); after != nil {
			w.records[at][id], changed[at] = after, true
		}
	}
	var errs []error
	for at := range changed {
		errs = append(errs, w.write(at))
	}
	return errors.Join(errs...)
}

// write replaces a file as an export should: whole, by renaming.
func (w *fileWriter) write(i int) error {
	var records [][]string
	for _, r := range w.records[i] { // in any order
		records = append(records, r)
	}
	content, err := w.Write(fileColumns, records)
	if err != nil {
		return err
	}
	next := w.name(i) + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, w.name(i))
}

func fileRecord(c contact.Contact, updated time.Time, gone string) []string {
	return []string{
		c.ID, c.Name, c.Title, c.Company, at(c.Emails, 0), at(c.Emails, 1), at(c.Phones, 0), at(c.Phones, 1), at(c.Websites, 0),
		c.PhotoURL, c.Address, c.Twitter, c.URL, planOf(c), fileStamp(updated), gone,
	}
}

// fileStamp writes a time; nothing for the zero time.
func fileStamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
