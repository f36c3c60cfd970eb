package charset

import (
	"bufio"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// A Reader reads a body that is UTF-8 or, if its first character beyond ASCII is not, in a character set of one byte a
// character. Where it turns out to be neither it gives [Unreadable].
type Reader struct {
	from    *bufio.Reader
	latin   *charmap.Charmap
	mode    textMode
	out     []byte // decoded and not yet given
	damaged bool   // Unreadable was given
}

type textMode uint8

const (
	onlyASCII textMode = iota // so far
	inUnicode
	inLatin
)

// Read implements [io.Reader]. It returns as much as it has, since many small reads are slow.
func (t *Reader) Read(p []byte) (n int, err error) {
	n = t.flush(p)
	for n < len(p) && (n == 0 || t.from.Buffered() > 0) {
		if _, err := t.from.Peek(1); err != nil {
			return n, err
		}
		ready, err := t.from.Peek(min(t.from.Buffered(), len(p)-n))
		if err != nil {
			return n, err
		}
		if plain := t.readable(ready); plain > 0 {
			n += copy(p[n:], ready[:plain])
			if _, err := t.from.Discard(plain); err != nil {
				return n, err
			}
			continue
		}
		if err := t.decode(); err != nil {
			return n, err
		}
		n += t.flush(p[n:])
	}
	return n, nil
}

// flush gives what is decoded already.
func (t *Reader) flush(p []byte) int {
	n := copy(p, t.out)
	t.out = append(t.out[:0], t.out[n:]...)
	return n
}

// readable returns how many of the next bytes can be given as they are.
func (t *Reader) readable(b []byte) int {
	ascii := 0
	for ascii < len(b) && b[ascii] < utf8.RuneSelf {
		ascii++
	}
	if ascii == len(b) || t.mode == inLatin {
		return ascii
	}
	if utf8.Valid(b) {
		t.mode = inUnicode
		return len(b)
	}
	n := ascii
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		if size > 1 {
			t.mode = inUnicode
		}
		n += size
	}
	return n
}

// decode decodes the next character, which starts with a byte beyond ASCII.
func (t *Reader) decode() error {
	next, _ := t.from.Peek(utf8.UTFMax) // fewer at the end
	r, size := utf8.DecodeRune(next)
	isUTF8 := size > 1
	if t.mode == onlyASCII {
		t.mode = inLatin
		if isUTF8 {
			t.mode = inUnicode
		}
	}
	switch {
	case t.mode == inUnicode && isUTF8:
	case t.mode == inLatin && !isUTF8:
		r = t.latin.DecodeByte(next[0])
		if r == utf8.RuneError || r >= 0x80 && r < 0xA0 { // no character of the set, or a control character
			r = Unreadable
		}
	default:
		r = Unreadable
	}
	t.damaged = t.damaged || r == Unreadable
	t.out = utf8.AppendRune(t.out, r)
	_, err := t.from.Discard(max(size, 1))
	return err
}

// IsDamaged reports whether [Unreadable] was given.
func (t *Reader) IsDamaged() bool { return t != nil && t.damaged }

// IsWhole reports whether a text was read without damage. That of no reader was.
func (t *Reader) IsWhole(text string) bool {
	return !t.IsDamaged() || !strings.ContainsRune(text, Unreadable)
}
