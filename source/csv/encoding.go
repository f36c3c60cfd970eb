package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
)

// An encoding is how a file's bytes make characters.
type encoding uint8

const (
	openEncoding encoding = iota // not configured
	encodeUTF8
	encodeWindows
	encodeLatin9
	encodeUTF16 // in either order of bytes
	encodeUTF16LE
	encodeUTF16BE
)

// encodings are the configured ones.
var encodings = map[string]encoding{
	"": openEncoding, utf8Name: encodeUTF8, utf16Name: encodeUTF16, windowsName: encodeWindows, latin9Name: encodeLatin9,
}

// String returns the name as it is configured.
func (e encoding) String() string {
	switch e {
	case encodeWindows:
		return windowsName
	case encodeLatin9:
		return latin9Name
	case encodeUTF16, encodeUTF16LE, encodeUTF16BE:
		return utf16Name
	}
	return utf8Name
}

// ofLines returns what the encoding is called where lines are read.
func (e encoding) ofLines() lines.Encoding {
	switch e {
	case encodeWindows:
		return lines.Windows1252
	case encodeLatin9:
		return lines.Latin9
	case encodeUTF16LE:
		return lines.UTF16LE
	case encodeUTF16BE:
		return lines.UTF16BE
	}
	return lines.Unchanged
}

// headSize is how much of a file is looked at for its encoding before all of it is.
const headSize = 64 << 10

// findEncoding finds how a file's bytes make characters, and refuses what is no text.
func (t *table) findEncoding(ctx context.Context, in file.Input) error {
	head := make([]byte, headSize)
	n, err := in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	t.encoding, t.mark = detectEncoding(head, t.encoding)
	if t.encoding != encodeUTF16LE && t.encoding != encodeUTF16BE {
		if other, known := source.FormatOf(head[:min(len(head), source.FormatBytes)], in.Formats); known {
			return file.Broken(fmt.Sprintf("%s is %s, not CSV", in.Name, other.Name), other.Hint)
		}
	}
	if t.encoding != openEncoding && t.encoding != encodeUTF8 {
		t.valid = true // whatever the bytes are, they make characters
		return nil
	}
	var hasZeros bool
	if t.valid, hasZeros, err = isUTF8(ctx, in); err != nil {
		return err
	}
	t.clean = t.valid && !hasZeros
	if t.encoding == encodeUTF8 || t.valid {
		t.encoding = encodeUTF8
		return nil
	}
	return t.guessEncoding(ctx, in)
}

// guessEncoding finds the encoding of a file that is not UTF-8.
func (t *table) guessEncoding(ctx context.Context, in file.Input) error {
	var found bytesFound
	if err := eachChunk(ctx, in, found.add); err != nil {
		return err
	}
	if t.encoding = found.encoding(); t.encoding != encodeUTF8 {
		t.valid = true
		said := "1 line is"
		if found.lines > 1 {
			said = fmt.Sprintf("%d lines are", found.lines)
		}
		t.guessed = fmt.Sprintf("encoding is not set: %s not %s, so %s is taken", said, utf8Name, t.encoding)
	}
	return nil
}

// detectEncoding tells the encoding of a file by its first bytes and its configuration, and how long its byte order mark is.
// It is left open where neither tells.
func detectEncoding(head []byte, configured encoding) (e encoding, mark int64) {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return encodeUTF8, 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return encodeUTF16LE, 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return encodeUTF16BE, 2
	}
	even, odd := zeros(head)
	switch {
	case configured == encodeUTF16 && even > odd:
		return encodeUTF16BE, 0
	case configured == encodeUTF16:
		return encodeUTF16LE, 0
	case configured != openEncoding:
		return configured, 0
	}
	// Separators, digits and line ends are in texts of every script. A byte that is zero by mistake comes alone.
	enough := max(3, len(head)/20)
	switch {
	case even == 0 && odd >= enough:
		return encodeUTF16LE, 0
	case odd == 0 && even >= enough:
		return encodeUTF16BE, 0
	}
	return openEncoding, 0
}

// zeros counts the bytes of a text that are zero, at even and at odd places.
func zeros(head []byte) (even, odd int) {
	for i, b := range head {
		switch {
		case b != 0:
		case i%2 == 0:
			even++
		default:
			odd++
		}
	}
	return even, odd
}

// eachChunk gives a file to a function piece by piece, until that returns false. No piece begins or ends within a character
// of UTF-8.
func eachChunk(ctx context.Context, in file.Input, look func(chunk []byte) bool) error {
	buffer := make([]byte, 256<<10)
	kept := 0
	for offset := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.ReadAt(buffer[kept:], offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		offset += int64(n)
		chunk := buffer[:kept+n]
		whole := len(chunk)
		if err == nil {
			whole = wholeRunes(chunk)
		}
		if !look(chunk[:whole]) || err != nil {
			return nil
		}
		kept = copy(buffer, chunk[whole:])
	}
}

// wholeRunes returns how long a text is without the beginning of a character at its end.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= max(len(b)-utf8.UTFMax, 0); i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// isUTF8 reports whether all of a file is UTF-8, and whether a byte of it is zero if it is.
func isUTF8(ctx context.Context, in file.Input) (valid, hasZeros bool, err error) {
	valid = true
	err = eachChunk(ctx, in, func(chunk []byte) bool {
		hasZeros = hasZeros || bytes.IndexByte(chunk, 0) >= 0
		valid = utf8.Valid(chunk)
		return valid
	})
	return valid, hasZeros, err
}

// bytesFound counts what the bytes of a file that is not UTF-8 may mean.
type bytesFound struct {
	runes   int  // characters of UTF-8 of more than one byte
	invalid int  // bytes that are no UTF-8
	lines   int  // with such bytes
	windows bool // bytes that are letters and signs in windows-1252, and control characters in ISO 8859
	latin9  bool // bytes that are letters of words in ISO 8859-15, and signs such as ½ in windows-1252
	inLine  bool // the line that is read has been counted
}

// encoding returns what makes the most sense. A few bad bytes among good UTF-8 are mistakes in it.
func (f *bytesFound) encoding() encoding {
	switch {
	case f.runes >= f.invalid:
		return encodeUTF8
	case f.latin9 && !f.windows:
		return encodeLatin9
	}
	return encodeWindows
}

func (f *bytesFound) add(chunk []byte) bool {
	for i := 0; i < len(chunk); {
		b := chunk[i]
		if b < utf8.RuneSelf {
			if b == '\n' {
				f.inLine = false
			}
			i++
			continue
		}
		if _, size := utf8.DecodeRune(chunk[i:]); size > 1 {
			f.runes++
			i += size
			continue
		}
		f.invalid++
		if !f.inLine {
			f.lines++
			f.inLine = true
		}
		f.look(at(chunk, i-1), b, at(chunk, i+1))
		i++
	}
	return true
}

// at returns a byte of a text, or a space beside it.
func at(text []byte, i int) byte {
	if i < 0 || i >= len(text) {
		return ' '
	}
	return text[i]
}

// look looks at a byte that has one meaning in windows-1252 and another in ISO 8859-15, and at its neighbours.
func (f *bytesFound) look(before, b, after byte) {
	switch b {
	case 0xa4: // ¤ or €
		f.latin9 = true
	case 0xa6: // ¦ or Š
		f.latin9 = f.latin9 || isLower(after)
	case 0xa8, 0xb8: // ¨ ¸ or š ž
		f.latin9 = f.latin9 || isLetter(before) || isLower(after)
	case 0xbc: // ¼ or Œ
		f.latin9 = f.latin9 || isLower(after) && !isDigit(before)
	case 0xbd: // ½ or œ
		f.latin9 = f.latin9 || isLetter(before) || isLower(after) && !isDigit(before)
	default:
		f.windows = f.windows || b < 0xa0
	}
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLower(b byte) bool { return b >= 'a' && b <= 'z' || b >= 0xdf && b != 0xf7 }

func isLetter(b byte) bool { return isLower(b) || b >= 'A' && b <= 'Z' || b >= 0xc0 && b != 0xd7 }
