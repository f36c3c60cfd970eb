package rest

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A segment is a part of a run with an order of its own: see the package's documentation.
type segment byte

const (
	deleted segment = 1
	listed  segment = 2
	settled segment = 3
	fresh   segment = 4
	flow    segment = 5
	again   segment = 6 // of flow with the newest first: what moved to the front since the run began
	left    segment = 7 // what was deleted since the run began, before its place was read
)

// isGone reports whether the segment is one of deletions.
func (s segment) isGone() bool { return s == deleted || s == left }

// A place is where reading a run stands: after a record, or at the beginning of a page.
type place struct {
	segment segment
	stamp   int64  // settled: of the record; flow: the greatest that was read
	id      string // of the record
	among   bool   // settled: among records of one stamp that are read by id
	bound   string // fresh: the greatest id; empty while it is not known
	cursor  string // the page's cursor or link; empty of the first one
	turns   int    // how many cursors led to the page
	anchor  uint64 // what stands for one of them
	page    int    // the page's number or offset
	row     int    // the record's place in the page
	head    uint64 // what stands for the ids of the page's records up to it
	token   string // flow, listed: the service's token, after the last page
	gone    bool   // deletions were yielded
}

// encode writes a place in binary.
func (p place) encode() bridge.Position { return p.append(nil) }

// append appends a place in binary.
func (p place) append(b []byte) bridge.Position {
	flags := byte(0)
	if p.among {
		flags |= 1
	}
	if p.gone {
		flags |= 2
	}
	b = append(b, byte(p.segment), flags)
	b = binary.AppendVarint(b, p.stamp)
	b = binary.AppendUvarint(b, uint64(p.page))
	b = binary.AppendUvarint(b, uint64(p.row))
	b = binary.AppendUvarint(b, p.head)
	if len(p.bound) > contact.MaxID { // an offset would have no room for it: the bound is looked for again, and the page not checked once more
		p.bound = ""
	}
	for _, text := range []string{p.id, p.bound, p.cursor, p.token} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	if p.turns > 0 { // else the place is written as it was before places had them
		b = binary.AppendUvarint(b, uint64(p.turns))
		b = binary.AppendUvarint(b, p.anchor)
	}
	return b
}

// follow moves a place to the page that a cursor or a link leads to. Pages that lead round would be read for ever: of the cursors that
// it met a place keeps one, and another one each time that it has come twice as far. So it finds a circle of any length, in no more than three
// times as many pages (Brent).
func (p *place) follow(cursor string) error {
	if cursor == p.cursor {
		return samePage()
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(cursor)) // it cannot fail
	mark := h.Sum64()
	if p.turns > 0 && mark == p.anchor {
		return samePage()
	}
	if p.turns++; p.turns&(p.turns-1) == 0 {
		p.anchor = mark
	}
	p.cursor = cursor
	return nil
}

// samePage returns the error of a service whose next page is one that it gave before.
func samePage() error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: "the service gave the same page as the next one: what leads from page to page does not move on",
		Hint: "Check page: how the request asks for a page, and where the answer names the next one.",
	}
}

var errForeign = errors.New("not written by this source")

// A binaryReader takes values from the front of a slice and remembers whether that failed.
type binaryReader struct {
	rest []byte
	bad  bool
}

func (r *binaryReader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *binaryReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.bad, n = true, 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *binaryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, n = true, 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *binaryReader) text() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *binaryReader) end() error {
	if r.bad || len(r.rest) > 0 {
		return errForeign
	}
	return nil
}

// parsePlace reads what encode wrote. Anything else is an error.
func parsePlace(b bridge.Position) (place, error) {
	r := binaryReader{rest: b}
	p := place{segment: segment(r.byte())}
	flags := r.byte()
	p.among, p.gone = flags&1 != 0, flags&2 != 0
	p.stamp = r.varint()
	page, row := r.uvarint(), r.uvarint()
	p.head = r.uvarint()
	p.page, p.row = int(page), int(row)
	p.id, p.bound, p.cursor, p.token = r.text(), r.text(), r.text(), r.text()
	if len(r.rest) > 0 {
		turns := r.uvarint()
		p.turns, p.anchor = int(turns), r.uvarint()
		r.bad = r.bad || turns == 0 || turns > 1<<40
	}
	if r.bad || flags > 3 || page > 1<<40 || row > 1<<30 || p.segment < deleted || p.segment > left {
		return place{}, errForeign
	}
	return p, r.end()
}

// A state is what a run fixes when it begins (E4).
type state struct {
	horizon int64  // the stamp up to which its checkpoint may go (E2)
	began   int64  // when it began, by the service's clock
	full    int64  // when the last initial run began, in Unix seconds; 0 where that does not matter
	token   string // the checkpoint's token of a run without changes; empty: that of Since
}

const stateVersion = 1

func (s state) encode() []byte {
	b := []byte{stateVersion}
	b = binary.AppendVarint(b, s.horizon)
	b = binary.AppendVarint(b, s.began)
	b = binary.AppendVarint(b, s.full)
	b = binary.AppendUvarint(b, uint64(len(s.token)))
	return append(b, s.token...)
}

func parseState(b []byte) (state, error) {
	r := binaryReader{rest: b}
	version := r.byte()
	s := state{horizon: r.varint(), began: r.varint(), full: r.varint(), token: r.text()}
	if version != stateVersion {
		return state{}, errForeign
	}
	return s, r.end()
}

// A checkpoint is where the next run starts: after a record, at a time, or at a token of the service.
type checkpoint struct {
	stamp int64
	id    string // with a record
	token string
	full  int64 // state.full
}

// format writes a checkpoint as text.
func (c checkpoint) format() bridge.Checkpoint {
	var text string
	if c.token != "" {
		text = tokenMark + base64.RawURLEncoding.EncodeToString([]byte(c.token))
	} else {
		mark := keyset.Mark{Updated: keyset.IntValue(c.stamp)}
		if c.id != "" {
			mark.ID = keyset.TextValue(c.id)
		}
		text = keyset.Instant.Format(mark)
	}
	if c.full != 0 {
		text += fullMark + strconv.FormatInt(c.full, 10)
	}
	return bridge.Checkpoint(text)
}

const (
	tokenMark = "token="
	fullMark  = "?full="
)

// parseCheckpoint reads what format wrote. Anything else is an error.
func parseCheckpoint(text bridge.Checkpoint) (checkpoint, error) {
	var c checkpoint
	rest, full, found := strings.Cut(string(text), fullMark)
	if found {
		var err error
		if c.full, err = strconv.ParseInt(full, 10, 64); err != nil {
			return checkpoint{}, keyset.InvalidCheckpoint(err)
		}
	}
	if token, ok := strings.CutPrefix(rest, tokenMark); ok {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(token)
		if err != nil || len(decoded) == 0 {
			return checkpoint{}, keyset.InvalidCheckpoint(err)
		}
		c.token = string(decoded)
	} else {
		mark, err := keyset.Instant.Parse(rest)
		if err != nil {
			return checkpoint{}, keyset.InvalidCheckpoint(err)
		}
		c.stamp, c.id = mark.Updated.Int, mark.ID.Text
	}
	if c.format() != text {
		return checkpoint{}, keyset.InvalidCheckpoint(errForeign)
	}
	return c, nil
}

// isOld reports whether a run over everything is due, for a service that does not tell of deletions.
func (c checkpoint) isOld(now time.Time, every time.Duration) bool {
	return c.full == 0 || now.Sub(time.Unix(c.full, 0)) >= every
}
