package hub

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// The bounds of uploaded files where the operator says nothing else.
const (
	DefaultFileBytes  = 64 << 20
	DefaultFilesBytes = 256 << 20
)

// What a workbook may hold, which is an archive.
const (
	mostUnpacked = 1 << 30 // bytes, of all its parts
	mostParts    = 10_000
)

// Unpacked is the most, in bytes, that a part of an uploaded archive may unpack to.
const Unpacked = 512 << 20

// fileName matches the names of uploaded files, whatever their length: [isFileName] checks that. The class of all letters, repeated a hundred
// times, would take megabytes of memory in every process.
var fileName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._()+-]*$`)

const longestFileName = 100 // characters

func isFileName(name string) bool {
	return utf8.RuneCountInString(name) <= longestFileName && fileName.MatchString(name) && !strings.Contains(name, "..")
}

// FileKinds are the kinds of source that read uploaded files, by the endings of their names.
var FileKinds = map[string]string{
	".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx", ".vcf": "vcard", ".vcard": "vcard", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
}

// A FileView is an uploaded file and who reads it.
type FileView struct {
	registry.File
	Users []string // integrations, by name
}

// A Replacement is a file that waits to take the place of another one, and what that changes.
type Replacement struct {
	registry.File
	Changes []FileChange // of each integration that reads the file
}

// A FileChange says what a replacement changes for one integration.
type FileChange struct {
	Integration                        string
	Added, Changed, Removed, Unchanged int
	Samples                            []ChangedContact  // the first few of each sort
	Held                               bool              // so many deletions would wait for a decision (D9)
	Problem                            *registry.Problem // why the new file cannot be read by it; nil: it can
}

// A ChangedContact is a contact that a replacement adds, changes or removes.
type ChangedContact struct {
	What   string           // added, changed or removed
	Before *contact.Contact // nil where it is added
	After  *contact.Contact // nil where it is removed
}

const (
	changeSamples = 5       // of each sort
	mostCompared  = 500_000 // contacts of a file: what is needed of them is held in memory
)

func (h *Hub) fileBytes() int64  { return cmp.Or(h.Options.FileBytes, DefaultFileBytes) }
func (h *Hub) filesBytes() int64 { return cmp.Or(h.Options.FilesBytes, DefaultFilesBytes) }

// FileLimits returns how large one file may be, how many bytes all files of an account may have, and how many they have.
func (h *Hub) FileLimits(ctx context.Context, account string) (each, all, taken int64, err error) {
	if err := permitAny(ctx, account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return 0, 0, 0, err
	}
	taken, err = h.Registry.Taken(ctx, account)
	return h.fileBytes(), h.filesBytes(), taken, err
}

// Files lists an account's uploaded files by name.
func (h *Hub) Files(ctx context.Context, account string) ([]FileView, error) {
	if err := permitAny(ctx, account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return nil, err
	}
	if _, err := h.Account(ctx, account); err != nil {
		return nil, err
	}
	files, err := h.Registry.Files(ctx, account)
	if err != nil {
		return nil, err
	}
	users, err := h.Registry.FileUsers(ctx, account)
	views := make([]FileView, len(files))
	for n, f := range files {
		views[n] = FileView{File: f, Users: namesOf(users[f.Name])}
	}
	return views, err
}

func namesOf(keys []directory.Key) []string {
	names := make([]string, len(keys))
	for n, key := range keys {
		names[n] = key.Integration
	}
	return names
}

// AddFile uploads a file, which sources of the account read under [registry.File.Name] behind upload: . There must be none of its name.
func (h *Hub) AddFile(ctx context.Context, account, name string, content io.Reader) (registry.File, error) {
	f, err := h.upload(ctx, registry.File{Account: account, Name: name}, content)
	if err != nil {
		return f, err
	}
	return f, h.Note(ctx, "file.add", account, name, humanize.IBytes(uint64(f.Size)))
}

// ReplaceFile uploads what is to take the place of a file, and says what that changes. Nothing is changed until [Hub.ApplyFile].
func (h *Hub) ReplaceFile(ctx context.Context, account, name string, content io.Reader) (Replacement, error) {
	if err := permit(ctx, registry.ScopeWrite, account); err != nil {
		return Replacement{}, err
	}
	old, err := h.file(ctx, account, name)
	if err != nil {
		return Replacement{}, err
	}
	f, err := h.upload(ctx, registry.File{Account: account, Name: name, Staged: true, Over: old.Digest}, content)
	if err != nil {
		return Replacement{}, err
	}
	if f.Kind != old.Kind {
		err := &failure.Error{
			Code: failure.Invalid, Field: "content", Message: fmt.Sprintf("%s is a file of kind %s, and the new one is of kind %s", name, old.Kind, f.Kind),
			Hint: "Send a file of the same kind, or add it under another name and change the source.",
		}
		return Replacement{}, errors.Join(err, h.Registry.RemoveFile(ctx, account, f.ID))
	}
	return h.compared(ctx, old, f)
}

// FileReplacement says again what a staged file would change.
func (h *Hub) FileReplacement(ctx context.Context, account, id string) (Replacement, error) {
	if err := permit(ctx, registry.ScopeWrite, account); err != nil {
		return Replacement{}, err
	}
	f, err := h.Registry.StagedFile(ctx, account, id)
	if errors.Is(err, registry.ErrNotFound) {
		return Replacement{}, missing("replacement", id)
	}
	if err != nil {
		return Replacement{}, err
	}
	old, err := h.file(ctx, account, f.Name)
	if err != nil {
		return Replacement{}, err
	}
	return h.compared(ctx, old, f)
}

// ApplyFile lets a staged file take its place, and has the integrations that read it run. The old content is deleted.
func (h *Hub) ApplyFile(ctx context.Context, account, id string) (registry.File, error) {
	if err := permit(ctx, registry.ScopeWrite, account); err != nil {
		return registry.File{}, err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	f, err := h.Registry.ApplyFile(ctx, account, id)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return f, missing("replacement", id)
	case errors.Is(err, registry.ErrChanged):
		return f, &failure.Error{
			Code: failure.Conflict, Message: "the file was replaced by another user meanwhile: what was shown is not what would change",
			Hint: "Upload the new file again, and look at what it changes.",
		}
	case err != nil:
		return f, err
	}
	users, err := h.Registry.FileUsers(ctx, account)
	if err != nil {
		return f, err
	}
	for _, key := range users[f.Name] {
		if err := h.Registry.Ask(ctx, key, registry.Ask{Run: true}); err != nil && !errors.Is(err, registry.ErrNotFound) {
			return f, err
		}
	}
	h.wake()
	return f, h.Note(ctx, "file.replace", account, f.Name, humanize.IBytes(uint64(f.Size)))
}

// DiscardFile forgets a staged file.
func (h *Hub) DiscardFile(ctx context.Context, account, id string) error {
	if err := permit(ctx, registry.ScopeWrite, account); err != nil {
		return err
	}
	if _, err := h.Registry.StagedFile(ctx, account, id); errors.Is(err, registry.ErrNotFound) {
		return missing("replacement", id)
	} else if err != nil {
		return err
	}
	return h.Registry.RemoveFile(ctx, account, id)
}

// RemoveFile deletes a file that no integration reads.
func (h *Hub) RemoveFile(ctx context.Context, account, name string) error {
	if err := permit(ctx, registry.ScopeWrite, account); err != nil {
		return err
	}
	f, err := h.file(ctx, account, name)
	if err != nil {
		return err
	}
	users, err := h.Registry.FileUsers(ctx, account)
	if err != nil {
		return err
	}
	if reads := namesOf(users[name]); len(reads) > 0 {
		return &failure.Error{
			Code: failure.Conflict, Message: "the file " + name + " is read by " + english.OxfordWordSeries(reads, "and"),
			Hint: "Remove the integration, which takes the file with it, or change its source first.",
		}
	}
	if err := h.Registry.RemoveFile(ctx, account, f.ID); err != nil {
		return err
	}
	return h.Note(ctx, "file.remove", account, name, "")
}

func (h *Hub) file(ctx context.Context, account, name string) (registry.File, error) {
	if !visible(ctx, account) {
		return registry.File{}, missing("account", account)
	}
	f, err := h.Registry.File(ctx, account, name)
	if errors.Is(err, registry.ErrNotFound) {
		return f, missing("file", name)
	}
	return f, err
}

// upload keeps a file. Its content is on this machine's disk first: no transaction waits for whoever sends it.
func (h *Hub) upload(ctx context.Context, f registry.File, content io.Reader) (registry.File, error) {
	if err := permit(ctx, registry.ScopeWrite, f.Account); err != nil {
		return f, err
	}
	if _, err := h.Account(ctx, f.Account); err != nil {
		return f, err
	}
	if !isFileName(f.Name) {
		return f, &failure.Error{
			Code: failure.Invalid, Field: "name", Message: fmt.Sprintf("%q cannot be the name of a file", f.Name),
			Hint: "Use letters, digits, spaces, and . _ - + ( ), at most 100, the first a letter or digit.",
		}
	}
	f.Uploader = "hub"
	if a, ok := ActorOf(ctx); ok {
		f.Uploader = a.Name
	}
	spool, err := os.CreateTemp("", "contactbridge-upload-*")
	if err != nil {
		return f, fmt.Errorf("keep an upload for a moment: %w", err)
	}
	defer func() { _ = errors.Join(spool.Close(), os.Remove(spool.Name())) }() // nobody needs it any more
	most := h.fileBytes()
	if f.Size, err = io.Copy(spool, io.LimitReader(content, most+1)); err != nil {
		return f, fmt.Errorf("receive the file: %w", err)
	}
	if f.Size > most {
		return f, tooLarge(most)
	}
	if f.Kind, err = kindOfFile(f.Name, spool, f.Size); err != nil {
		return f, err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return f, err
	}
	err = h.Registry.AddFile(ctx, &f, spool, h.filesBytes())
	switch {
	case errors.Is(err, registry.ErrExists):
		return f, &failure.Error{
			Code: failure.Conflict, Field: "name", Message: fmt.Sprintf("there is a file %q in the account %s already", f.Name, f.Account),
			Hint: "Replace it, or choose another name.",
		}
	case errors.Is(err, registry.ErrQuota):
		return f, &failure.Error{
			Code: failure.Invalid, Field: "content", Message: "the account's files would take more than " + humanize.IBytes(uint64(h.filesBytes())) + " together",
			Hint: "Remove files that nothing reads any more. The hub's operator can raise files.account in its configuration.",
		}
	case errors.Is(err, registry.ErrGoing), errors.Is(err, registry.ErrNotFound):
		return f, missing("account", f.Account)
	}
	return f, err
}

func tooLarge(most int64) error {
	return &failure.Error{
		Code: failure.Invalid, Field: "content", Message: "the file is larger than " + humanize.IBytes(uint64(most)),
		Hint: "Leave out what holds no contacts, such as pictures. The hub's operator can raise files.size in its configuration.",
	}
}

// kindOfFile returns the kind of source that reads a file, by its name and its beginning.
func kindOfFile(name string, content io.ReaderAt, size int64) (string, error) {
	head := make([]byte, 512)
	n, err := content.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf")), " \t\r\n")
	kind := FileKinds[strings.ToLower(path.Ext(name))]
	invalid := func(message, hint string) (string, error) {
		return "", &failure.Error{Code: failure.Invalid, Field: "content", Message: message, Hint: hint}
	}
	archive := bytes.HasPrefix(head, []byte("PK\x03\x04"))
	switch {
	case size == 0:
		return invalid("the file is empty", "Send the whole file.")
	case kind == "":
		return invalid(fmt.Sprintf("the name %q does not end as a file of contacts does", name), "Name it .csv, .xlsx, .vcf, .jsonl or .json.")
	case archive && kind != "xlsx":
		return invalid("the file is a workbook or another archive, and its name says that it is not", "Name it .xlsx if it is an Excel workbook.")
	case !archive && kind == "xlsx":
		return invalid("the file is no Excel workbook (.xlsx)", "Save it as Excel workbook (.xlsx) in its program, or name it by what it is.")
	case archive:
		return kind, checkArchive(content, size)
	}
	return kind, nil
}

// checkArchive refuses archives that unpack to far more than they should, before anything reads them. What they say of themselves is only a
// first look: whoever reads them counts ([Unpacked]).
func checkArchive(content io.ReaderAt, size int64) error {
	refused := &failure.Error{
		Code: failure.Invalid, Field: "content", Message: "the workbook unpacks to more than a workbook of contacts may",
		Hint: "Remove pictures, notes and sheets that hold no contacts, or split it.",
	}
	parts, err := countParts(content, size)
	if err != nil {
		return err
	}
	if parts > mostParts {
		return refused
	}
	z, err := zip.NewReader(content, size)
	if err != nil {
		return &failure.Error{Code: failure.Invalid, Field: "content", Message: "the workbook is damaged or cut off", Hint: "Open it in its program and save it again, then send all of it.", Err: err}
	}
	total := uint64(0)
	for _, part := range z.File {
		if part.UncompressedSize64 > mostUnpacked || total+part.UncompressedSize64 > mostUnpacked {
			return refused
		}
		total += part.UncompressedSize64
	}
	return nil
}

// countParts counts what looks like an entry of an archive's list of parts: reading the list itself takes memory for each.
func countParts(content io.ReaderAt, size int64) (n int, err error) {
	entry := []byte("PK\x01\x02")
	chunk := make([]byte, 256<<10)
	for offset := int64(0); offset < size; offset += int64(len(chunk) - len(entry) + 1) {
		read, err := content.ReadAt(chunk, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		n += bytes.Count(chunk[:read], entry)
	}
	return n, nil
}

// compared says what a file changes that takes another one's place.
func (h *Hub) compared(ctx context.Context, old, is registry.File) (Replacement, error) {
	r := Replacement{File: is}
	users, err := h.Registry.FileUsers(ctx, is.Account)
	if err != nil {
		return r, err
	}
	for _, key := range users[is.Name] {
		c, err := h.comparedFor(ctx, key, old, is)
		if err != nil {
			return r, err
		}
		r.Changes = append(r.Changes, c)
	}
	return r, nil
}

// comparedFor reads both files as an integration does. What it cannot read of the new one is the change's problem.
func (h *Hub) comparedFor(ctx context.Context, key directory.Key, old, is registry.File) (FileChange, error) {
	c := FileChange{Integration: key.Integration}
	i, given, err := h.configured(ctx, key)
	if err != nil {
		return c, err
	}
	values, err := authValues(i, given)
	if err != nil {
		return c, err
	}
	leave, err := h.enterDraft(ctx, key.Account)
	if err != nil {
		return c, err
	}
	defer leave()
	s := insideSource(i, given)
	before := seen{}
	s.Files = map[string]registry.File{old.Name: old}
	err = h.Inside.Contacts(ctx, s, bridge.Auth(values), before.add)
	if errors.Is(err, errEnough) {
		c.Problem = &registry.Problem{
			Code: "too_many", Message: fmt.Sprintf("the file holds more than %s contacts: what changes is not counted", humanize.Comma(mostCompared)),
			Hint: "Look at the new file itself before it takes the place of the old one.", Since: h.now(),
		}
		return c, nil
	}
	if err != nil && ctx.Err() != nil { // any other old file that cannot be read has brought no contact
		return c, err
	}
	s.Files = map[string]registry.File{is.Name: is}
	if err := h.Inside.Contacts(ctx, s, bridge.Auth(values), func(now *contact.Contact) error { return c.take(before, now) }); err != nil {
		if ctx.Err() != nil {
			return c, err
		}
		c.Problem = problemOf(err, h.now())
		return c, nil
	}
	// The old file is read again for those that are shown: no file's contacts are held in memory.
	gone := before.gone()
	c.Removed = len(gone)
	c.Held = i.Guard.OrDefault().Refuses(int64(len(gone)), int64(len(before)))
	s.Files = map[string]registry.File{old.Name: old}
	err = h.Inside.Contacts(ctx, s, bridge.Auth(values), func(was *contact.Contact) error { return c.showBefore(gone, was) })
	if err != nil && !errors.Is(err, errEnough) {
		return c, err
	}
	return c, nil
}

// showBefore completes the samples with a contact of the old file, until all are complete.
func (c *FileChange) showBefore(gone map[[12]byte]bool, was *contact.Contact) error {
	removed, waiting := c.count("removed"), false
	for n := range c.Samples {
		s := &c.Samples[n]
		if s.What == "changed" && s.Before == nil && s.After.ID == was.ID {
			clone := was.Clone()
			s.Before = &clone
		}
		waiting = waiting || s.What == "changed" && s.Before == nil
	}
	if removed < changeSamples && gone[digestOfID(was.ID)] {
		clone := was.Clone()
		c.Samples = append(c.Samples, ChangedContact{What: "removed", Before: &clone})
		removed++
	}
	if !waiting && removed == min(changeSamples, len(gone)) {
		return errEnough
	}
	return nil
}

var errEnough = errors.New("enough contacts were read")

// seen holds of each contact of a file what is needed to see whether it is changed.
type seen map[[12]byte]*fingerprint

type fingerprint struct {
	content [12]byte
	again   bool // it is in the new file as well
}

func digestOfID(id string) (d [12]byte) {
	sum := sha256.Sum256([]byte(id))
	copy(d[:], sum[:])
	return d
}

func digestOfContact(c *contact.Contact) (d [12]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", *c))
	copy(d[:], sum[:])
	return d
}

func (s seen) add(c *contact.Contact) error {
	if len(s) == mostCompared {
		return errEnough
	}
	s[digestOfID(c.ID)] = &fingerprint{content: digestOfContact(c)}
	return nil
}

// gone are those that the new file does not have.
func (s seen) gone() map[[12]byte]bool {
	gone := map[[12]byte]bool{}
	for id, f := range s {
		if !f.again {
			gone[id] = true
		}
	}
	return gone
}

// take counts a contact of the new file.
func (c *FileChange) take(before seen, now *contact.Contact) error {
	was, there := before[digestOfID(now.ID)]
	what := "added"
	switch {
	case there && was.again: // twice in the file
		return nil
	case there:
		was.again = true
		if was.content == digestOfContact(now) {
			c.Unchanged++
			return nil
		}
		what = "changed"
		c.Changed++
	default:
		c.Added++
	}
	if c.count(what) < changeSamples {
		clone := now.Clone()
		c.Samples = append(c.Samples, ChangedContact{What: what, After: &clone})
	}
	return nil
}

func (c *FileChange) count(what string) (n int) {
	for _, s := range c.Samples {
		if s.What == what {
			n++
		}
	}
	return n
}

// filesWith returns the names of the uploaded files that integrations read: a person who was purged may still be in them.
func (h *Hub) filesWith(ctx context.Context, account string, integrations []string) ([]string, error) {
	users, err := h.Registry.FileUsers(ctx, account)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, keys := range users {
		if slices.ContainsFunc(keys, func(key directory.Key) bool { return slices.Contains(integrations, key.Integration) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
