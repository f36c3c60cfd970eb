package ldap

import (
	"bytes"
	"io"
	"net"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// A piecewise is a connection of which everything is known, and that is read in pieces.
type piecewise struct {
	net.Conn
	from io.Reader
	most int
}

func (r piecewise) Read(b []byte) (int, error) { return r.from.Read(b[:min(len(b), r.most)]) }

// A message that takes too much memory is refused while it is read, and all others are read as they are.
func TestMessagesAreBounded(t *testing.T) {
	sequence := func(children int, of string) []byte {
		p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		for range children {
			p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, of, ""))
		}
		return p.Bytes()
	}
	long := string(bytes.Repeat([]byte("x"), 300))
	good := bytes.Join([][]byte{sequence(0, ""), sequence(1, ""), sequence(3, long), sequence(100_000, "ab"), sequence(1, string(bytes.Repeat([]byte("x"), 15<<20))), sequence(2, "y")}, nil)
	for _, most := range []int{1, 7, 1 << 20} {
		c := &boundedConn{Conn: piecewise{from: bytes.NewReader(good), most: most}}
		if most == 1 {
			c.Conn = piecewise{from: bytes.NewReader(good[:1<<20]), most: most}
		}
		text, err := io.ReadAll(c)
		if err != nil || !bytes.HasPrefix(good, text) || most > 1 && len(text) != len(good) {
			t.Errorf("%d at a time: %d of %d bytes, %v", most, len(text), len(good), err)
		}
	}
	for name, bad := range map[string][]byte{
		"a length of gigabytes":     {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff},
		"a length of eight bytes":   {0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"an indefinite length":      {0x30, 0x80},
		"a value longer than it":    {0x30, 0x03, 0x04, 0x7f, 0},
		"many elements":             sequence(250_000, ""),
		"a value of many megabytes": sequence(1, string(bytes.Repeat([]byte("x"), 17<<20))),
	} {
		if _, err := io.ReadAll(&boundedConn{Conn: piecewise{from: bytes.NewReader(bad), most: 1 << 20}}); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}
