// Package static serves what the console's pages are made with: one stylesheet, one script of our own, htmx with its extension
// for server-sent events (Zero-Clause BSD; the licences lie beside them), and an icon. A file's name holds a digest of its
// content, so browsers may keep it for ever.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed *.css *.js *.svg *.txt
var files embed.FS

// Prefix is where the files are served.
const Prefix = "/static/"

// A Set is the files, ready to be served.
type Set struct {
	paths map[string]string // by plain name
	files map[string]file   // by path
}

type file struct {
	kind          string // media type
	plain, packed []byte
}

// New reads and packs the files.
func New() (*Set, error) {
	s := &Set{paths: map[string]string{}, files: map[string]file{}}
	names, err := fs.Glob(files, "*.*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if path.Ext(name) == ".go" {
			continue
		}
		if err := s.add(name); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return s, nil
}

func (s *Set) add(name string) error {
	plain, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(plain); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	digest := sha256.Sum256(plain)
	ext := path.Ext(name)
	at := Prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(digest[:6]) + ext
	s.paths[name] = at
	s.files[at] = file{kind: kinds[ext], plain: plain, packed: packed.Bytes()}
	return nil
}

var kinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8",
}

// Path returns the path where a file is served; empty if no file has that name.
func (s *Set) Path(name string) string { return s.paths[name] }

// ServeHTTP serves a file by its path.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, known := s.files[r.URL.Path]
	if !known {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "File not found. Reload the page.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a browser that has gone has no use for it
	}
}
