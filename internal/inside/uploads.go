package inside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/source"
)

// Uploads returns the names of the uploaded files that a source reads, sorted.
func (s *Sources) Uploads(of hub.InsideSource) []string { return uploadsOf(of.Text) }

func uploadsOf(text string) []string {
	if !strings.Contains(text, source.UploadPrefix) {
		return nil
	}
	var node yaml.Node
	if yaml.Unmarshal([]byte(text), &node) != nil || node.Kind != yaml.DocumentNode {
		return nil // it is told where the source is read
	}
	var names []string
	paths(&node, func(path string) {
		if name, ok := strings.CutPrefix(path, source.UploadPrefix); ok {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// HasAgents reports whether a source says what its agents come from.
func (s *Sources) HasAgents(of hub.InsideSource) bool {
	if !strings.Contains(of.Text, agentsKey) {
		return false
	}
	var keys map[string]yaml.Node
	return yaml.Unmarshal([]byte(of.Text), &keys) == nil && keys[agentsKey].Kind == yaml.MappingNode
}

// paths yields the values of every key path.
func paths(n *yaml.Node, yield func(string)) {
	for i, each := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if value := n.Content[i+1]; each.Value == "path" && value.Kind == yaml.ScalarNode {
				yield(value.Value)
			}
			continue
		}
		paths(each, yield)
	}
}

// uploads are copies of uploaded files on this machine's disk, for sources that read them: in a folder that only this process may look into.
type uploads struct {
	files     Files
	temporary string

	mu     sync.Mutex
	folder string // empty until one is needed
	copies map[string]*copied
}

// A copied file, by its ID: its content never changes.
type copied struct {
	path  string
	ready chan struct{} // closed when it is whole, or err is set
	err   error
	users int
}

// fetch has the files of a source on this machine's disk until they are given back. A file that there is not is left out: whoever reads it
// says so.
func (u *uploads) fetch(ctx context.Context, of hub.InsideSource) (there map[string]source.Upload, release func(), err error) {
	there = map[string]source.Upload{}
	var held []*copied
	release = func() { u.release(held) }
	for _, name := range uploadsOf(of.Text) {
		c, err := u.copy(ctx, of, name)
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			release()
			return nil, nil, err
		}
		held = append(held, c)
		there[name] = source.Upload{Path: c.path, Scope: of.Account}
	}
	return there, release, nil
}

// copy returns a file of a source; one that is replaced while it is copied is looked for again.
func (u *uploads) copy(ctx context.Context, of hub.InsideSource, name string) (c *copied, err error) {
	for range 3 {
		f, replaced := of.Files[name]
		if !replaced {
			if u.files == nil {
				return nil, registry.ErrNotFound
			}
			if f, err = u.files.File(ctx, of.Account, name); err != nil {
				return nil, err
			}
		}
		if c, err = u.copyOf(ctx, f); !errors.Is(err, registry.ErrNotFound) {
			return c, err
		}
	}
	return nil, err
}

// copyOf returns the copy of a file, which the first one that needs it makes.
func (u *uploads) copyOf(ctx context.Context, f registry.File) (*copied, error) {
	u.mu.Lock()
	c, known := u.copies[f.ID]
	if !known {
		if err := u.makeFolder(); err != nil {
			u.mu.Unlock()
			return nil, err
		}
		c = &copied{path: filepath.Join(u.folder, f.ID), ready: make(chan struct{})}
		u.copies[f.ID] = c
	}
	c.users++
	u.mu.Unlock()
	if !known {
		c.err = u.write(ctx, c.path, f)
		close(c.ready)
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
		u.release([]*copied{c})
		return nil, ctx.Err()
	}
	if c.err != nil {
		u.release([]*copied{c})
		return nil, c.err
	}
	return c, nil
}

func (u *uploads) makeFolder() (err error) {
	if u.folder != "" {
		return nil
	}
	u.copies = map[string]*copied{}
	if u.folder, err = os.MkdirTemp(u.temporary, "contactbridge-files-*"); err != nil {
		return fmt.Errorf("make a folder for uploaded files: %w", err)
	}
	return nil
}

// write copies a file. Its time of modification is when it was uploaded, in every process.
func (u *uploads) write(ctx context.Context, path string, f registry.File) error {
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy an uploaded file: %w", err)
	}
	// Others wait for the same copy: it does not end with the one who makes it.
	err = u.files.ReadFile(context.WithoutCancel(ctx), f.ID, to)
	return errors.Join(err, to.Close(), os.Chtimes(path, f.Uploaded, f.Uploaded))
}

// release gives copies back. What nobody uses is removed.
func (u *uploads) release(held []*copied) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range held {
		if c.users--; c.users > 0 {
			continue
		}
		delete(u.copies, filepath.Base(c.path))
		_ = os.Remove(c.path) // its folder goes with the process
	}
}

func (u *uploads) close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.folder == "" {
		return nil
	}
	folder := u.folder
	u.folder, u.copies = "", nil
	return os.RemoveAll(folder)
}
