package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// patternSigns make a path a pattern.
const patternSigns = "*?[]{}"

// A location is where the files of an endpoint, or of one of its callers, are.
type location struct {
	path     string // the file or folder, or the pattern as it is written
	root     string // the folder that a pattern starts from; empty if path is not a pattern
	pattern  string // what files below root match, with slashes
	ofCaller bool   // the path has the caller's credentials in it
	upload   string // the path as it is written, of an uploaded file; empty for any other
	scope    string // of an uploaded file: what its contacts' checkpoints belong to
}

// identity returns what contacts' checkpoints belong to (D10).
func (l location) identity() string {
	if l.upload != "" {
		return l.scope
	}
	return source.FullName(l.path)
}

// splitPattern cuts a pattern before its first element with a sign in it.
func splitPattern(path string) (root, pattern string) {
	path = filepath.ToSlash(path)
	at := strings.LastIndexByte(path[:strings.IndexAny(path, patternSigns)], '/') + 1
	root, pattern = path[:at], path[at:]
	if root == "" {
		root = "."
	}
	return filepath.FromSlash(root), pattern
}

// A found is one file, as it was when the location was looked at.
type found struct {
	path string
	name string // what messages call it beside others, with slashes; empty where it is the only one
	info fs.FileInfo
}

// same reports whether two lists are of the same files, unchanged.
func same(a, b []found) bool {
	return slices.EqualFunc(a, b, func(a, b found) bool { return a.path == b.path && sameFile(a.info, b.info) })
}

// sameFile reports whether a file is unchanged, by its identity, size and time.
func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// find lists the files of a location by name. many says that there may be others at another time: a folder or a pattern. A folder
// that cannot be read, and one without files, is an error: no contact is gone because of it (T11).
func (f *files) find() (list []found, many bool, err error) {
	info, err := os.Stat(f.path) // before opening: to open a named pipe would wait
	switch {
	case err == nil && info.Mode().IsRegular():
		return []found{{path: f.path, info: info}}, false, nil
	case err == nil && info.IsDir():
		list, err = f.inFolder()
	case err == nil:
		return nil, false, Broken(f.name()+" is a device, not a file", "Set path to a file, a folder or a pattern.")
	case errors.Is(err, fs.ErrNotExist) && f.pattern != "":
		list, err = f.matching()
	default:
		return nil, false, f.wrap(err)
	}
	if err != nil {
		return nil, true, err
	}
	slices.SortFunc(list, func(a, b found) int { return strings.Compare(a.name, b.name) })
	return list, true, nil
}

// inFolder lists the files of a folder that have an ending of the format.
func (f *files) inFolder() ([]found, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, f.wrap(err)
	}
	var list []found
	for _, entry := range entries {
		name := entry.Name()
		if isHidden(name) || !slices.Contains(f.factory.traits.Extensions, strings.ToLower(filepath.Ext(name))) {
			continue
		}
		if list, err = f.take(list, filepath.Join(f.path, name), name); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		traits := f.factory.traits
		return nil, Broken(fmt.Sprintf("%s is a folder without %s files", f.name(), traits.Name),
			fmt.Sprintf("Put files that end in %s into it, or set path to the file itself.", strings.Join(traits.Extensions, ", ")))
	}
	return list, nil
}

// matching lists the files that match the pattern.
func (f *files) matching() ([]found, error) {
	if _, err := os.Stat(f.root); err != nil {
		return nil, f.wrap(err)
	}
	names, err := doublestar.Glob(os.DirFS(f.root), f.pattern, doublestar.WithFailOnIOErrors(), doublestar.WithNoHidden())
	if errors.Is(err, doublestar.ErrBadPattern) {
		return nil, Broken("path is not a pattern that can be read", "Close each [ and {.")
	}
	if err != nil {
		return nil, f.wrap(err)
	}
	var list []found
	for _, name := range names {
		if strings.HasPrefix(name[strings.LastIndexByte(name, '/')+1:], besideOpen) {
			continue
		}
		if list, err = f.take(list, filepath.Join(f.root, filepath.FromSlash(name)), name); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, f.wrap(fs.ErrNotExist)
	}
	return list, nil
}

// isHidden reports whether a file is hidden, or one that a program keeps beside an open one.
func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, besideOpen)
}

// besideOpen begins the name of a file that Office keeps beside an open one.
const besideOpen = "~$"

// take adds a file to a list, unless it is a folder.
func (f *files) take(list []found, path, name string) ([]found, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it went since it was listed, or is a link to nothing
		return nil, &bridge.Error{
			Code: bridge.CodeSourceUnavailable, Message: f.label(name) + " was listed but does not exist",
			Hint: "Remove the link if it leads nowhere. Put files in place by renaming complete ones.", RetryAfter: 10 * time.Second,
		}
	case err != nil:
		return nil, f.wrap(err)
	case info.IsDir():
		return list, nil
	case !info.Mode().IsRegular():
		return nil, Broken(f.label(name)+" is a device, not a file", "Move it elsewhere.")
	}
	return append(list, found{path: path, name: name, info: info}), nil
}

// name returns how errors call what is at the path: by it, unless that has something of the caller's in it.
func (f *files) name() string {
	switch {
	case f.ofCaller:
		return "the caller's file"
	case f.upload != "":
		return "the uploaded file " + strings.TrimPrefix(f.upload, source.UploadPrefix)
	}
	return f.path
}

// label returns how errors call one file: beside others by its name below the folder.
func (f *files) label(name string) string {
	switch {
	case name == "":
		return f.name()
	case f.ofCaller && f.pattern != "":
		return "a file of the caller"
	}
	return name
}

// wrap makes an error of the file system the operator's.
func (f *files) wrap(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		err = pathError.Err // without the path
	}
	e := &bridge.Error{Code: bridge.CodeSourceUnavailable, RetryAfter: 30 * time.Second, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.ofCaller:
		e.Code, e.Message, e.RetryAfter = bridge.CodeUnauthorized, "there is no file for these credentials", 0
		e.Hint = "Check the credentials against the source's path."
	case errors.Is(err, fs.ErrNotExist):
		e.Message = f.name() + " does not exist"
		if f.pattern != "" {
			e.Message = "no file matches " + f.name()
		}
		e.Hint = "Check the source's path. Replace a file by renaming a complete one over it, so that it is never missing."
	case errors.Is(err, fs.ErrPermission):
		e.Message = f.name() + " may not be read"
		e.Hint = "Give the user that the bridge runs as permission to read it."
	default:
		e.Message, e.Hint = f.name()+" cannot be read", "See the cause."
	}
	return e
}
