package hubserver_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// TestCallsAreAnsweredWhileLDAPIsAttacked: a thousand connections send what no telephone sends, and every call has its name.
func TestCallsAreAnsweredWhileLDAPIsAttacked(t *testing.T) {
	address, at := serveLDAP(t)
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	attacks := attacks()
	var sent, refused atomic.Int64
	for n := range 1000 {
		working.Go(func() {
			for ctx.Err() == nil {
				if attack(ctx, at, attacks[n%len(attacks)]) {
					sent.Add(1)
				} else {
					refused.Add(1)
				}
				select { // so that it is the hub that works, and not this test
				case <-ctx.Done():
				case <-time.After(500 * time.Millisecond):
				}
			}
		})
	}
	for sent.Load()+refused.Load() < 500 { // until it is under way: the others hold their connections open
		time.Sleep(time.Millisecond)
	}
	const calls = 100
	for range calls {
		// With a wait a busy machine is not taken for a hub that does not answer.
		if status, name := get(t, address+"/callerid?number=%2B442079460018&wait=2s"); status != 200 || name != "Jane Doe" {
			t.Errorf("a call is answered with %d %q, want Jane Doe", status, name)
		}
	}
	cancel()
	working.Wait()
	if sent.Load() < 500 {
		t.Errorf("%d attacks were sent, %d found no connection", sent.Load(), refused.Load())
	}
	// A telephone is served afterwards.
	c, err := ldap.DialURL("ldap://" + at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
		t.Fatal(err)
	}
	if found, err := c.Search(ldap.NewSearchRequest("dc=acme", ldap.ScopeWholeSubtree, 0, 50, 5, false, "(sn=doe*)", nil, nil)); err != nil || len(found.Entries) != 1 {
		t.Errorf("afterwards a telephone finds %+v, %v", found, err)
	}
}

// attacks are what is sent: each after its connection has begun, some of them signed in.
func attacks() [][]byte {
	bind := ldapMessage(1, bindRequest("cn=phones,dc=acme", "geheim-123"))
	after := func(filters ...string) (all []byte) {
		all = bytes.Clone(bind)
		for i, f := range filters {
			all = append(all, ldapMessage(i+2, searchRequest(f))...)
		}
		return all
	}
	deep := strings.Repeat("(!", 900) + "(cn=a*)" + strings.Repeat(")", 900)
	wide := "(|" + strings.Repeat("(cn=*a*b*c*)", 2000) + ")"
	return [][]byte{
		{},                                   // nothing, and it stays
		{0x30, 0x20, 0x02, 0x01},             // half a message, and it stays
		{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, // 4 GiB are announced
		append([]byte{0x30, 0x83, 0x04, 0xb0, 0x00}, make([]byte, 300<<10)...),
		bytes.Repeat([]byte{0x30, 0x80}, 1000),
		ldapMessage(1, bindRequest("cn=phones,dc=acme", "wrong")),
		after(deep),
		after(wide),
		after(strings.Split(strings.Repeat("(!(cn=a*)) ", 50)+"(cn=*x*y*)", " ")...),
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	}
}

// attack sends bytes slowly, reads nothing for a while, and goes when the server or the test has enough of it.
func attack(ctx context.Context, at string, what []byte) (connected bool) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", at)
	if err != nil {
		return false
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	for len(what) > 0 {
		n := min(len(what), 16<<10)
		if _, err := c.Write(what[:n]); err != nil {
			return true
		}
		what = what[n:]
	}
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond): // a client that does not read what it asked for
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, c)
	return true
}

func ldapMessage(id int, op *ber.Packet) []byte {
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	m.AppendChild(op)
	return m.Bytes()
}

func octets(text string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, "")
}

func bindRequest(dn, password string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindRequest, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	op.AppendChild(octets(dn))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, password, ""))
	return op
}

func searchRequest(filter string) *ber.Packet {
	compiled, err := ldap.CompileFilter(filter)
	if err != nil {
		panic(err) // they are ours
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	op.AppendChild(octets("dc=acme"))
	for _, n := range []struct{ tag, value int }{{int(ber.TagEnumerated), 2}, {int(ber.TagEnumerated), 0}, {int(ber.TagInteger), 0}, {int(ber.TagInteger), 0}} {
		op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.Tag(n.tag), n.value, ""))
	}
	op.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	op.AppendChild(compiled)
	op.AppendChild(ber.NewSequence(""))
	return op
}
