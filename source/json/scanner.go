package json

import (
	"errors"
	"io"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
)

// A scanner finds where the values of a document begin and end, without keeping more of it than one record. It looks at brackets and
// quotes only: what is between them is read when a record is.
type scanner struct {
	in     file.Input
	buffer []byte
	base   int64 // the offset of buffer[0]
	next   int
	chunk  int
	value  []byte // the last value that was kept
}

// How much is read at once: little after a jump, much when reading on.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

func newScanner(in file.Input, offset int64) *scanner {
	return &scanner{in: in, base: offset, chunk: smallChunk}
}

func (s *scanner) seek(offset int64) {
	if in := offset - s.base; in >= 0 && in <= int64(len(s.buffer)) {
		s.next = int(in)
		return
	}
	s.buffer, s.base, s.next, s.chunk = s.buffer[:0], offset, 0, smallChunk
}

func (s *scanner) offset() int64 { return s.base + int64(s.next) }

// fill replaces a buffer that has been read to its end. Its error is io.EOF at the end of the file.
func (s *scanner) fill() error {
	s.base += int64(s.next)
	if cap(s.buffer) < largeChunk {
		s.buffer = make([]byte, 0, largeChunk)
	}
	n, err := s.in.ReadAt(s.buffer[:s.chunk], s.base)
	s.buffer, s.next, s.chunk = s.buffer[:n], 0, largeChunk
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// peek returns the next byte that is no white space, and passes over that.
func (s *scanner) peek() (byte, error) {
	for {
		for ; s.next < len(s.buffer); s.next++ {
			switch b := s.buffer[s.next]; {
			case b == ' ' || b == '\t' || b == '\r' || b == '\n':
			case b == lines.EndOfText && s.offset() == s.in.Size-1:
			default:
				return b, nil
			}
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// errCut says that the file ends within a value.
var errCut = errors.New("the document ends early")

// skip passes over the value that begins at the next byte, and keeps it in s.value where most is not 0. long says that it is longer
// than most: then only its beginning is kept. The error is errCut where the file ends in it.
func (s *scanner) skip(most int) (long bool, err error) {
	s.value = s.value[:0]
	var depth int
	var quoted, escaped, begun bool
	for {
		from, end := s.next, false
		for ; s.next < len(s.buffer) && !end; s.next++ {
			b := s.buffer[s.next]
			if quoted {
				switch {
				case escaped:
					escaped = false
				case b == '\\':
					escaped = true
				case b == '"':
					quoted = false
					end = depth == 0
				}
				continue
			}
			switch b {
			case '"':
				quoted, begun = true, true
			case '{', '[':
				depth++
				begun = true
			case '}', ']':
				if depth == 0 { // of the array or object around it
					s.keep(from, most, &long)
					return long, nil
				}
				depth--
				end = depth == 0
			case ',', ':', ' ', '\t', '\r', '\n':
				if depth == 0 && begun {
					s.keep(from, most, &long)
					return long, nil
				}
			default:
				begun = true
			}
		}
		s.keep(from, most, &long)
		if end {
			return long, nil
		}
		if err := s.fill(); errors.Is(err, io.EOF) {
			if depth == 0 && !quoted && begun {
				return long, nil
			}
			return long, errCut
		} else if err != nil {
			return long, err
		}
	}
}

// keep adds what was read of the buffer to the value.
func (s *scanner) keep(from, most int, long *bool) {
	part := s.buffer[from:s.next]
	if *long || most == 0 {
		return
	}
	if len(s.value)+len(part) > most {
		*long = true
		return
	}
	s.value = append(s.value, part...)
}
