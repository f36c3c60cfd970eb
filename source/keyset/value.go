package keyset

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"strings"
)

// A Kind is the type of a [Value], ascending in the order in which SQLite compares them.
type Kind uint8

// The kinds of a value.
const (
	None Kind = 0 // no value
	Int  Kind = 1
	Real Kind = 2
	Text Kind = 3
	Blob Kind = 4
)

// A Value is a stamp or an id as the database compares it.
type Value struct {
	Kind Kind
	Int  int64
	Real float64
	Text string // the text, or the bytes of a blob
}

// IntValue returns a value of kind Int.
func IntValue(i int64) Value { return Value{Kind: Int, Int: i} }

// TextValue returns a value of kind Text.
func TextValue(s string) Value { return Value{Kind: Text, Text: s} }

// Lowest returns the value that no stamp is below: a horizon before which nothing is safe.
func Lowest() Value { return IntValue(math.MinInt64) }

// Compare orders two values as SQLite does: numbers before texts, texts before blobs, both by their bytes.
func Compare(a, b Value) int {
	if class := cmp.Compare(class(a.Kind), class(b.Kind)); class != 0 {
		return class
	}
	switch {
	case a.Kind == Int && b.Kind == Int:
		return cmp.Compare(a.Int, b.Int)
	case class(a.Kind) == classNumber:
		return cmp.Compare(a.number(), b.number())
	}
	return strings.Compare(a.Text, b.Text)
}

const classNumber = 1

func class(k Kind) int {
	if k == Real {
		return classNumber
	}
	return int(k)
}

func (v Value) number() float64 {
	if v.Kind == Int {
		return float64(v.Int)
	}
	return v.Real
}

// AppendValue appends a value in binary to dst.
func AppendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case Int:
		dst = binary.AppendVarint(dst, v.Int)
	case Real:
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Real))
	case Text, Blob:
		dst = appendText(dst, v.Text)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

var errBinary = errors.New("not in the form that this source writes")

// A reader takes binary values from the front of a slice and remembers whether that failed.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) text() string {
	size, n := binary.Uvarint(r.rest)
	if n <= 0 || size > uint64(len(r.rest)-n) {
		r.bad = true
		return ""
	}
	text := string(r.rest[n : n+int(size)])
	r.rest = r.rest[n+int(size):]
	return text
}

func (r *reader) value() Value {
	v := Value{Kind: Kind(r.byte())}
	switch v.Kind {
	case None:
	case Int:
		i, n := binary.Varint(r.rest)
		if n <= 0 {
			r.bad = true
			return Value{}
		}
		v.Int, r.rest = i, r.rest[n:]
	case Real:
		if len(r.rest) < 8 {
			r.bad = true
			return Value{}
		}
		v.Real, r.rest = math.Float64frombits(binary.BigEndian.Uint64(r.rest)), r.rest[8:]
		r.bad = r.bad || math.IsNaN(v.Real)
	case Text, Blob:
		v.Text = r.text()
	default:
		r.bad = true
	}
	return v
}

// end returns an error if anything failed or is left over.
func (r *reader) end() error {
	if r.bad || len(r.rest) > 0 {
		return errBinary
	}
	return nil
}
