package ldapbook

import (
	"bufio"
	"errors"
	"io"
)

// LDAP's part of BER (RFC 4511, 5.1), for what strangers send: lengths are definite, tags are small, and nothing is read that is larger
// than a message may be. github.com/go-asn1-ber/asn1-ber would do, but its limits are variables of the whole process, in which LDAP
// clients read answers of any size.

var (
	errBER  = errors.New("this is not BER")
	errSize = errors.New("the message is too large")
)

// Tags, with class and form.
const (
	tagBoolean    = 0x01
	tagInteger    = 0x02
	tagOctets     = 0x04
	tagEnumerated = 0x0a
	tagSequence   = 0x30
	tagSet        = 0x31

	context0     = 0x80 // primitive, by number
	constructed0 = 0xa0 // constructed, by number
)

// An element is one of BER. Its body shares the message's bytes.
type element struct {
	tag  byte
	body []byte
}

// take reads the element at the beginning of b.
func take(b []byte) (e element, rest []byte, err error) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return e, nil, errBER
	}
	n, head, err := length(b[1:])
	if err != nil || n > len(b)-1-head {
		return e, nil, errBER
	}
	body := b[1+head:]
	return element{b[0], body[:n:n]}, body[n:], nil
}

// length reads a length, and says how many bytes it has.
func length(b []byte) (n, size int, err error) {
	if len(b) == 0 {
		return 0, 0, errBER
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	size = int(b[0] & 0x7f)
	if size == 0 || size > 4 || len(b) < 1+size {
		return 0, 0, errBER
	}
	for _, c := range b[1 : 1+size] {
		n = n<<8 | int(c)
	}
	if n < 0 {
		return 0, 0, errBER
	}
	return n, 1 + size, nil
}

// all reads the elements of a body, at most so many.
func all(body []byte, most int) (list []element, err error) {
	for len(body) > 0 {
		var e element
		if e, body, err = take(body); err != nil {
			return nil, err
		}
		if len(list) == most {
			return nil, errBER
		}
		list = append(list, e)
	}
	return list, nil
}

// integer is a number of up to four bytes.
func (e element) integer() (n int, err error) {
	if len(e.body) == 0 || len(e.body) > 4 {
		return 0, errBER
	}
	n = int(int8(e.body[0]))
	for _, c := range e.body[1:] {
		n = n<<8 | int(c)
	}
	return n, nil
}

func (e element) boolean() bool { return len(e.body) == 1 && e.body[0] != 0 }

// readMessage reads one element of at most so many bytes. begun is called after its first byte.
func readMessage(r *bufio.Reader, most int, begun func()) ([]byte, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	begun()
	if first != tagSequence {
		return nil, errBER
	}
	head := make([]byte, 1, 5)
	if head[0], err = r.ReadByte(); err != nil {
		return nil, err
	}
	if more := int(head[0] & 0x7f); head[0] >= 0x80 {
		if more == 0 || more > 4 {
			return nil, errBER
		}
		head = head[:1+more]
		if _, err := io.ReadFull(r, head[1:]); err != nil {
			return nil, err
		}
	}
	n, _, err := length(head)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, errSize
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return body, err
}

// appendElement appends an element.
func appendElement(dst []byte, tag byte, body []byte) []byte {
	return append(appendHead(dst, tag, len(body)), body...)
}

func appendHead(dst []byte, tag byte, n int) []byte {
	dst = append(dst, tag)
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n < 0x100:
		return append(dst, 0x81, byte(n))
	case n < 0x10000:
		return append(dst, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func appendText(dst []byte, tag byte, text string) []byte {
	return append(appendHead(dst, tag, len(text)), text...)
}

// appendInteger appends a number that is not below 0.
func appendInteger(dst []byte, tag byte, n int) []byte {
	var b []byte
	for shift := 24; shift >= 0; shift -= 8 {
		if c := byte(n >> shift); c != 0 || len(b) > 0 || shift == 0 {
			b = append(b, c)
		}
	}
	if b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return appendElement(dst, tag, b)
}
