package ldapbook

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/phonebook"
)

// FuzzMessage reads what strangers send: nothing may fail but by an error, and what a message says must be within its bytes.
func FuzzMessage(f *testing.F) {
	for _, filter := range []string{"(cn=*)", "(&(|(cn=a*b*c)(!(sn>=x)))(telephoneNumber=030*))", `(cn=\2a)`, "(cn:=x)"} {
		packet, err := ldap.CompileFilter(filter)
		if err != nil {
			f.Fatal(err)
		}
		body := appendText(nil, tagOctets, "dc=acme")
		for _, n := range []int{2, 0} {
			body = appendInteger(body, tagEnumerated, n)
		}
		body = appendInteger(appendInteger(body, tagInteger, 50), tagInteger, 5)
		body = append(appendElement(body, tagBoolean, []byte{0}), packet.Bytes()...)
		body = appendElement(body, tagSequence, appendText(nil, tagOctets, "cn"))
		f.Add(appendMessage(nil, 1, opSearchRequest, body, appendControl(oidPaging, pageValue([]byte("x")))))
	}
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := readMessage(bufio.NewReader(bytes.NewReader(b)), 1<<16, func() {})
		if err != nil {
			return
		}
		m, _, err := parseMessage(body)
		if err != nil {
			return
		}
		for _, c := range m.controls {
			_, _, _ = parsePaging(c.value)
			_, _ = parseSort(c.value)
		}
		s, err := parseSearch(m.op)
		if err != nil {
			return
		}
		evaluate(s.filter)
		normalDN(s.base)
		selectionOf(s.names)
	})
}

// FuzzFilter reads filters, and compares an entry with them: what one plan finds nothing for must not fit.
func FuzzFilter(f *testing.F) {
	for _, filter := range []string{"(cn=cla*)", "(|(cn=*x*)(telephoneNumber=*23*))", "(&(sn>=a)(sn<=zz))", "(!(mail=*))", "(telephoneNumber=3*0*2*3*1*2*5*2*0*1)", "(uid=x)", "(objectClass=person)"} {
		packet, err := ldap.CompileFilter(filter)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, _, err := take(b)
		if err != nil {
			return
		}
		filter, err := parseFilter(e)
		if err != nil {
			return
		}
		evaluate(filter)
	})
}

func evaluate(f *filter) {
	e := &subject{
		Entry: &phonebook.Entry{Name: "Clara Schröder", Given: "Clara", Family: "Schröder", Card: "x", Numbers: []phonebook.Number{{Dial: "03023125201", E164: "+493023125201"}}},
		view:  &phonebook.View{Numbers: phonebook.Numbers{Format: phonebook.National, Region: "DE", OutsidePrefix: "0"}},
	}
	e.asked = askedFor(f, e.view.Numbers)
	f.eval(e)
	planOf(f)
}

// FuzzDN writes names in normal form: twice is as once.
func FuzzDN(f *testing.F) {
	for _, dn := range []string{"cn=phones,dc=acme", ` CN = "a, b" ; dc=x`, `cn=\2ca\,b,dc=x`, `cn=\`} {
		f.Add(dn)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		dn, ok := normalDN(text)
		if !ok || strings.ContainsAny(text, "\\\"") {
			return
		}
		if again, ok := normalDN(dn); !ok || again != dn {
			t.Errorf("%q is %q, and that %q", text, dn, again)
		}
	})
}
