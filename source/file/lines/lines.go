// Package lines reads the files of formats that are lines of text, from any offset.
package lines

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Max is the longest line that is read, in bytes. Of a longer one, only the beginning is.
const Max = 1 << 20

// An Encoding is how the bytes of a file make characters.
type Encoding uint8

// The encodings.
const (
	Unchanged Encoding = iota // UTF-8, or what should be: bytes are returned as they are
	Windows1252
	Latin9 // ISO 8859-15
	UTF16LE
	UTF16BE
)

// A Reader reads a file line by line from any offset. Offsets are those of the file, whatever its encoding. One goroutine uses it.
type Reader struct {
	file     io.ReaderAt
	encoding Encoding
	buffer   []byte
	pooled   *[]byte // where the buffer came from; nil before the first read
	base     int64   // the offset of buffer[0]
	next     int     // the next line's place in buffer
	chunk    int     // how much is read at once: little after a jump, much when reading on
	decoded  []byte
	head     []byte // the beginning of a line that is too long
}

const (
	headSize   = 128 // how much is kept of a line that is too long
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

// New returns a reader of a file, which starts at its first byte.
func New(file io.ReaderAt, e Encoding) *Reader {
	return &Reader{file: file, encoding: e, chunk: smallChunk}
}

// Close gives the reader's memory to the next one: lines that it returned are no longer valid. A reader that is not closed is only slower.
func (l *Reader) Close() {
	if l.pooled != nil && cap(l.buffer) <= mostPooled {
		*l.pooled = l.buffer[:0]
		buffers.Put(l.pooled)
	}
	l.buffer, l.base, l.next, l.pooled = nil, l.Offset(), 0, nil
}

// buffers are those of readers that were closed: every page of contacts is read by a new one.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 2*largeChunk)
	return &b
}}

const mostPooled = 4 * largeChunk

// GoTo makes the line at an offset the next one.
func (l *Reader) GoTo(offset int64) {
	if in := offset - l.base; in >= 0 && in <= int64(len(l.buffer)) {
		l.next = int(in)
		return
	}
	l.buffer, l.base, l.next, l.chunk = l.buffer[:0], offset, 0, smallChunk
}

// Reset forgets what was read of the file, which holds something else now, and makes its first line the next one.
func (l *Reader) Reset() {
	l.buffer, l.base, l.next, l.chunk = l.buffer[:0], 0, 0, smallChunk
}

// Offset returns where the next line starts.
func (l *Reader) Offset() int64 { return l.base + int64(l.next) }

// Read returns the next line as UTF-8 without its end, valid until the next call. A byte order mark in front of a line is left out:
// files that were joined have one there. So is [EndOfText] at the end of the file. long says that the line is longer than [Max]: only
// its first bytes are returned, enough to tell what it is. At the end of the file the error is io.EOF.
func (l *Reader) Read() (line []byte, long bool, err error) {
	if l.encoding == Unchanged { // almost every line is in the buffer already
		rest := l.buffer[l.next:]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 && i < Max {
			l.next += i + 1
			if i > 0 && rest[i-1] == '\r' {
				i--
			}
			return withoutMark(rest[:i]), false, nil
		}
	}
	raw, long, err := l.readRaw()
	if err != nil {
		return nil, false, err
	}
	if l.encoding == Windows1252 || l.encoding == Latin9 {
		raw = withoutMark(raw)
	}
	line = l.decode(raw)
	line = bytes.TrimSuffix(line, []byte("\n"))
	return withoutMark(bytes.TrimSuffix(line, []byte("\r"))), long, nil
}

// withoutMark returns a line without the byte order mark in front of it.
func withoutMark(line []byte) []byte {
	if len(line) > 0 && line[0] == mark[0] {
		return bytes.TrimPrefix(line, mark)
	}
	return line
}

// mark is the byte order mark in UTF-8.
var mark = []byte("\xef\xbb\xbf")

// EndOfText is how DOS programs end a text, once or to fill a block.
const EndOfText = 0x1a

// withoutEnd returns the last line of a file, which has no line end, without the end of a text.
func (l *Reader) withoutEnd(raw []byte) []byte {
	switch l.encoding {
	case UTF16LE:
		return bytes.TrimSuffix(raw, []byte{EndOfText, 0})
	case UTF16BE:
		return bytes.TrimSuffix(raw, []byte{0, EndOfText})
	}
	return bytes.TrimRight(raw, string(rune(EndOfText)))
}

// readRaw gives the next line's bytes with its end.
func (l *Reader) readRaw() (raw []byte, long bool, err error) {
	searched := 0
	for {
		rest := l.buffer[l.next:]
		if end := l.findEnd(rest, searched); end > 0 {
			l.next += end
			if long {
				return l.head, true, nil
			}
			if end > Max {
				return rest[:headSize], true, nil
			}
			return rest[:end], false, nil
		}
		searched = len(rest) &^ 1
		if searched > Max { // forget it, but look for its end
			if !long {
				l.head = append(l.head[:0], rest[:headSize]...)
			}
			long = true
			l.next += searched
			searched = 0
		}
		if err := l.fill(); errors.Is(err, io.EOF) {
			rest = l.buffer[l.next:]
			l.next = len(l.buffer)
			if long {
				return l.head, true, nil
			}
			if len(rest) == 0 {
				return nil, false, io.EOF
			}
			if len(rest) > Max {
				return rest[:headSize], true, nil
			}
			return l.withoutEnd(rest), false, nil
		} else if err != nil {
			return nil, false, err
		}
	}
}

// findEnd returns the length of the first line with its end, or 0. Nothing ends before from.
func (l *Reader) findEnd(rest []byte, from int) int {
	for at := from; at < len(rest); {
		i := bytes.IndexByte(rest[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		switch l.encoding {
		case UTF16LE:
			if at%2 == 1 && at < len(rest) && rest[at] == 0 {
				return at + 1
			}
		case UTF16BE:
			if at%2 == 0 && rest[at-2] == 0 {
				return at
			}
		default:
			return at
		}
	}
	return 0
}

// fill reads on. It moves what has been read already out of the buffer.
func (l *Reader) fill() error {
	if l.next > 0 {
		kept := copy(l.buffer, l.buffer[l.next:])
		l.buffer = l.buffer[:kept]
		l.base += int64(l.next)
		l.next = 0
	}
	if l.pooled == nil {
		l.pooled = buffers.Get().(*[]byte)
		l.buffer = append((*l.pooled)[:0], l.buffer...)
	}
	have := len(l.buffer)
	if cap(l.buffer) < have+l.chunk {
		l.buffer = append(make([]byte, 0, max(2*have, have+l.chunk)), l.buffer...)
	}
	n, err := l.file.ReadAt(l.buffer[have:have+l.chunk], l.base+int64(have))
	l.buffer = l.buffer[:have+n]
	l.chunk = largeChunk
	if n > 0 {
		return nil
	}
	return err
}

// decode makes UTF-8 of a line.
func (l *Reader) decode(raw []byte) []byte {
	switch l.encoding {
	case Windows1252:
		return l.decode8(raw, charmap.Windows1252)
	case Latin9:
		return l.decode8(raw, charmap.ISO8859_15)
	case UTF16LE, UTF16BE:
		return l.decode16(raw)
	}
	return raw
}

// decode8 makes UTF-8 of a line of one byte a character.
func (l *Reader) decode8(raw []byte, characters *charmap.Charmap) []byte {
	l.decoded = l.decoded[:0]
	for _, b := range raw {
		if b < utf8.RuneSelf {
			l.decoded = append(l.decoded, b)
		} else {
			l.decoded = utf8.AppendRune(l.decoded, characters.DecodeByte(b))
		}
	}
	return l.decoded
}

func (l *Reader) decode16(raw []byte) []byte {
	l.decoded = l.decoded[:0]
	unit := func(i int) rune {
		if i+1 >= len(raw) {
			return utf8.RuneError // half a unit
		}
		if l.encoding == UTF16LE {
			return rune(raw[i]) | rune(raw[i+1])<<8
		}
		return rune(raw[i])<<8 | rune(raw[i+1])
	}
	for i := 0; i < len(raw); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			r = utf16.DecodeRune(r, unit(i+2))
			if r != utf8.RuneError {
				i += 2
			}
		}
		l.decoded = utf8.AppendRune(l.decoded, r)
	}
	return l.decoded
}
