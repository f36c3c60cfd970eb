package carddav

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
)

// An entry is a card that is to be read, or that is gone.
type entry struct {
	path string // canonical: it identifies the card
	raw  string // as the server writes it
	etag string // of the version that is listed; empty where the server says none
	gone bool
}

// maxEntries is the most cards of a run.
const maxEntries = 1_000_000

var (
	errTokenRefused = errors.New("the server does not take the sync-token")
	errNoSync       = errors.New("the server has no sync-collection for this book")
	errBookGone     = errors.New("the address book is gone")
	errNoProgress   = errors.New("the server gives the same sync-token again and says that there is more")
)

// maxRounds is how often one book may be asked for more.
const maxRounds = 100_000

// sync asks what has changed in a book since a token; everything where it is empty. What was changed several times is there once, as it
// is now. No limit is sent: there are servers that cut an answer at one without a word.
func (a *account) sync(ctx context.Context, b book, since string) (list []entry, token string, err error) {
	merged := map[string]int{}
	token = since
	for range maxRounds {
		more := false
		next, _, err := a.client.multistatus(ctx, call{method: "REPORT", path: b.raw, depth: "0", body: askChanges(token)}, func(r *response) error {
			if r.isPart { // the rest comes with the next question (RFC 6578, 3.6), by whatever path the server calls the book
				more = true
				return nil
			}
			path := canonical(b.path, r.href)
			if withSlash(path) == b.path {
				return aboutBook(r)
			}
			if strings.HasSuffix(path, "/") || r.props.isCollection {
				return nil
			}
			e := entry{path: path, raw: rawOf(path, r.href), etag: r.props.etag, gone: r.status == http.StatusNotFound || r.status == http.StatusGone}
			if at, ok := merged[path]; ok {
				list[at] = e
				return nil
			}
			if len(list) >= maxEntries {
				return tooMany()
			}
			merged[path] = len(list)
			list = append(list, e)
			return nil
		})
		if err != nil {
			return nil, "", syncError(err, token)
		}
		if next == "" {
			return nil, "", errNoSync
		}
		if !more {
			return list, next, nil
		}
		if next == token {
			return nil, "", errNoProgress
		}
		token = next
	}
	return nil, "", errNoProgress
}

// aboutBook takes what an answer says of the book itself.
func aboutBook(r *response) error {
	switch {
	case r.status == http.StatusNotFound, r.status == http.StatusGone:
		return errBookGone
	case r.status >= 400:
		return &statusError{host: "the server", method: "REPORT", status: r.status}
	}
	return nil
}

// syncError tells a token that is not taken from other errors.
func syncError(err error, token string) error {
	var status *statusError
	if !errors.As(err, &status) {
		return err
	}
	switch {
	case token != "":
		return errTokenRefused // whatever is wrong: everything is read then, and fails if it is something else
	case status.status == http.StatusNotFound || status.status == http.StatusGone:
		return errBookGone
	}
	return errNoSync
}

// askChanges is the request of a sync-collection report.
func askChanges(token string) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><d:sync-collection xmlns:d="DAV:"><d:sync-token>`)
	_ = xml.EscapeText(&b, []byte(token)) // into memory
	b.WriteString(`</d:sync-token><d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>`)
	return b.Bytes()
}

var askCards = []byte(`<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:"><d:prop><d:resourcetype/><d:getetag/></d:prop></d:propfind>`)

// whole lists the cards of a book, with a digest of their etags: empty where a card has none, so that nothing tells whether it changed.
func (a *account) whole(ctx context.Context, b book) (list []entry, digest string, err error) {
	blind := false
	_, at, err := a.client.multistatus(ctx, call{method: "PROPFIND", path: b.raw, depth: "1", body: askCards}, func(r *response) error {
		path := canonical(b.path, r.href)
		switch {
		case r.isPart:
			return a.truncated()
		case withSlash(path) == b.path && (r.status == http.StatusNotFound || r.status == http.StatusGone):
			return errBookGone
		case withSlash(path) == b.path, r.props.isCollection, strings.HasSuffix(path, "/"), r.status == http.StatusNotFound, r.status == http.StatusGone:
			return nil
		case len(list) >= maxEntries:
			return tooMany()
		}
		blind = blind || r.props.etag == ""
		list = append(list, entry{path: path, raw: rawOf(path, r.href), etag: r.props.etag})
		return nil
	})
	var status *statusError
	if errors.As(err, &status) && (status.status == http.StatusNotFound || status.status == http.StatusGone) {
		err = errBookGone
	}
	if err != nil {
		if errors.Is(err, errBookGone) {
			return nil, "", err
		}
		return nil, "", explainedAt(err, at, a)
	}
	list = sorted(list)
	if blind {
		return list, "", nil
	}
	return list, digestOf(list), nil
}

// digestOf stands for the cards of a book as they are.
func digestOf(list []entry) string {
	h := sha256.New()
	var size [8]byte
	write := func(text string) {
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	for _, e := range list {
		write(e.path)
		write(e.etag)
		if e.gone {
			write("gone")
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func tooMany() error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the address books hold more than %d cards", maxEntries),
		Hint: "Name some of the books in books, and make an endpoint for the others.",
	}
}

// rawOf returns the path as the server writes it; the canonical one itself where they are the same, so that it takes no memory.
func rawOf(path, href string) string {
	if raw := rawPath(href); strings.HasPrefix(raw, "/") && raw != path {
		return strings.Clone(raw)
	}
	return path
}

// sorted sorts entries by their paths; one path is there once.
func sorted(list []entry) []entry {
	slices.SortStableFunc(list, func(x, y entry) int { return cmp.Compare(x.path, y.path) })
	return slices.CompactFunc(list, func(x, y entry) bool { return x.path == y.path })
}
