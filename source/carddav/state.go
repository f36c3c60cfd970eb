package carddav

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
)

// A marker says up to where a book has been read: in a run's state the place that the run reaches, in a checkpoint the one that was
// reached.
type marker struct {
	path  string
	mode  byte   // one of the modes below
	token string // the sync-token, or the digest of the whole list
}

const (
	byToken  = 't' // the server names what changed since a token
	byDigest = 'd' // it does not: a book that has changed is read whole
	tooOften = 'x' // of no book: there would have been too many markers, and the next run reads everything
)

// A state holds the markers of a run's books, by their paths. In a checkpoint a book may have several: see [state.with].
type state []marker

const stateVersion = 1

var errForeign = errors.New("not of this source")

// encode writes a state, with a checksum at its end.
func (s state) encode() []byte {
	b := []byte{stateVersion}
	text := func(t string) { b = append(binary.AppendUvarint(b, uint64(len(t))), t...) }
	for _, m := range s {
		text(m.path)
		b = append(b, m.mode)
		text(m.token)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// parseState reads what encode wrote, and nothing else.
func parseState(b []byte) (state, error) {
	if len(b) < 5 || b[0] != stateVersion || binary.BigEndian.Uint32(b[len(b)-4:]) != crc32.ChecksumIEEE(b[:len(b)-4]) {
		return nil, errForeign
	}
	rest := b[1 : len(b)-4]
	text := func() (string, bool) {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return "", false
		}
		t := string(rest[n : n+int(size)])
		rest = rest[n+int(size):]
		return t, true
	}
	var s state
	for len(rest) > 0 {
		var m marker
		var ok bool
		if m.path, ok = text(); !ok || len(rest) == 0 {
			return nil, errForeign
		}
		m.mode, rest = rest[0], rest[1:]
		if m.token, ok = text(); !ok || m.mode != byToken && m.mode != byDigest && m.mode != tooOften {
			return nil, errForeign
		}
		if n := len(s); n > 0 && s[n-1].path > m.path {
			return nil, errForeign
		}
		s = append(s, m)
	}
	return s, nil
}

// of returns the marker of a book.
func (s state) of(path string) (marker, bool) {
	for _, m := range s {
		if m.path == path {
			return m, true
		}
	}
	return marker{}, false
}

// all returns the markers of a book, the run's own first.
func (s state) all(path string) []marker {
	var list []marker
	for _, m := range s {
		if m.path == path {
			list = append(list, m)
		}
	}
	return list
}

// maxMore is how many markers a run may gather besides its own.
const maxMore = 32

// with adds the markers of lists that were made again during the run, each after the run's own. Such a list may hold a card that
// is younger than the run. A server need not name it as gone to those who come with the run's token, which is older than the
// card (RFC 6578, 3.5.2), but to those who come with the list's.
func (s state) with(more state) state {
	all := slices.Clone(s)
	for _, m := range more {
		if m.mode != byDigest && !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(x, y marker) int { return cmp.Compare(x.path, y.path) })
	return all
}

// gather adds markers to those that a run has gathered. A run of books that change all the time must end all the same (E3), so too many give
// way to one that belongs to no book: a checkpoint with it is the begin of an initial run, which needs none of them.
func (s state) gather(more ...marker) state {
	all := s.with(more)
	if len(all) > maxMore || slices.ContainsFunc(all, func(m marker) bool { return m.mode == tooOften }) {
		return state{{mode: tooOften}}
	}
	return all
}

const checkpointPrefix = "carddav."

// checkpoint writes a state as the checkpoint of a complete run.
func (s state) checkpoint() bridge.Checkpoint {
	return bridge.Checkpoint(checkpointPrefix + base64.RawURLEncoding.EncodeToString(s.encode()))
}

func parseCheckpoint(c bridge.Checkpoint) (state, error) {
	text, ok := strings.CutPrefix(string(c), checkpointPrefix)
	if !ok {
		return nil, errForeign
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errForeign
	}
	return parseState(b)
}

// appendPosition writes the place after a card: its path, after the markers of lists that were made again, with a checksum that binds
// it to the run.
func appendPosition(to []byte, run uint32, more []byte, path string) bridge.Position {
	to = binary.AppendUvarint(to[:0], uint64(len(more)))
	to = append(append(to, more...), path...)
	return binary.BigEndian.AppendUint32(to, crc32.Update(run, crc32.IEEETable, to))
}

func parsePosition(p bridge.Position, run uint32) (path string, more state, err error) {
	if len(p) < 6 {
		return "", nil, errForeign
	}
	text := p[:len(p)-4]
	if crc32.Update(run, crc32.IEEETable, text) != binary.BigEndian.Uint32(p[len(text):]) {
		return "", nil, errForeign
	}
	size, n := binary.Uvarint(text)
	if n <= 0 || size > uint64(len(text)-n) {
		return "", nil, errForeign
	}
	if size > 0 {
		if more, err = parseState(text[n : n+int(size)]); err != nil {
			return "", nil, err
		}
	}
	return string(text[n+int(size):]), more, nil
}

// runSum stands for a run in the checksums of its positions.
func runSum(r bridge.Run) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(r.Since)), crc32.IEEETable, r.State)
}
