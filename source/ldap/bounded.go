package ldap

import (
	"errors"
	"net"
)

// The bounds of one message, which is an entry or a part of a result: the library has all of it in memory before anything is looked at, and
// some 250 bytes for each of its elements, of which an attribute has one for each value.
const (
	maxMessage  = 16 << 20 // bytes
	maxElements = 200_000
)

var errMessage = errors.New("a message of the server is larger than 16 MiB, or has more than 200000 values")

// A boundedConn refuses messages that are too large. It follows the headers of their elements (BER, as RFC 4511, 5.1, has it: no length is
// indefinite).
type boundedConn struct {
	net.Conn
	left     int // bytes of the message
	elements int // of the message, so far
	skip     int // bytes of a value

	header      headerPart
	constructed bool
	length      int // as far as it is read
	octets      int // of the length that are to come
}

// A headerPart is the part of an element's header that comes next.
type headerPart byte

const (
	identifier headerPart = iota
	longIdentifier
	shortLength
	longLength
)

// Read implements [net.Conn].
func (c *boundedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.follow(b[:n]) {
		return 0, errMessage
	}
	return n, err
}

// follow goes through what was read, and reports whether it is within the bounds.
func (c *boundedConn) follow(b []byte) bool {
	for len(b) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(b))
			c.skip, c.left, b = c.skip-n, c.left-n, b[n:]
			continue
		}
		inside := c.left > 0
		if inside {
			c.left--
		}
		if !c.next(b[0], inside) {
			return false
		}
		b = b[1:]
	}
	return true
}

// next takes one byte of a header.
func (c *boundedConn) next(b byte, inside bool) bool {
	switch c.header {
	case identifier:
		c.constructed, c.header = b&0x20 != 0, shortLength
		if b&0x1f == 0x1f {
			c.header = longIdentifier
		}
		return true
	case longIdentifier:
		if b&0x80 == 0 {
			c.header = shortLength
		}
		return true
	case shortLength:
		c.length, c.octets = int(b), 0
		if b&0x80 != 0 {
			c.length, c.octets = 0, int(b&0x7f)
			c.header = longLength
			return c.octets > 0 && c.octets <= 8
		}
	case longLength:
		c.length = c.length<<8 | int(b)
		if c.octets--; c.octets > 0 {
			return c.length <= maxMessage
		}
	}
	c.header = identifier
	return c.element(inside)
}

// element takes an element of which the header is complete.
func (c *boundedConn) element(inside bool) bool {
	if c.length > maxMessage {
		return false
	}
	if !inside {
		c.left, c.elements = c.length, 0
	}
	c.elements++
	if !c.constructed {
		c.skip = c.length
	}
	return c.length <= c.left && c.elements <= maxElements
}
