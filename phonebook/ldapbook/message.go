package ldapbook

import (
	"github.com/contactbridge/contactbridge/phonebook"
)

// Operations (RFC 4511, 4.2 to 4.14).
const (
	opBindRequest     = 0x60
	opBindResponse    = 0x61
	opUnbindRequest   = 0x42
	opSearchRequest   = 0x63
	opSearchEntry     = 0x64
	opSearchDone      = 0x65
	opModifyRequest   = 0x66
	opAddRequest      = 0x68
	opDeleteRequest   = 0x4a
	opRenameRequest   = 0x6c
	opCompareRequest  = 0x6e
	opCompareResponse = 0x6f
	opAbandonRequest  = 0x50
	opExtended        = 0x77
	opExtendedAnswer  = 0x78
)

// Result codes (RFC 4511, appendix A).
const (
	success                = 0
	operationsError        = 1
	protocolError          = 2
	timeLimitExceeded      = 3
	sizeLimitExceeded      = 4
	compareFalse           = 5
	compareTrue            = 6
	authMethodNotSupported = 7
	unavailableCritical    = 12
	noSuchAttribute        = 16
	noSuchObject           = 32
	invalidDNSyntax        = 34
	inappropriateAuth      = 48
	invalidCredentials     = 49
	insufficientAccess     = 50
	busy                   = 51
	unwillingToPerform     = 53
	other                  = 80
)

// Object identifiers.
const (
	oidPaging        = "1.2.840.113556.1.4.319"
	oidSort          = "1.2.840.113556.1.4.473"
	oidSorted        = "1.2.840.113556.1.4.474"
	oidManageDSA     = "2.16.840.1.113730.3.4.2"
	oidStartTLS      = "1.3.6.1.4.1.1466.20037"
	oidDisconnection = "1.3.6.1.4.1.1466.20036"
	oidAllSystem     = "1.3.6.1.4.1.4203.1.5.1"
	oidWhoAmI        = "1.3.6.1.4.1.4203.1.11.3"
)

// A message is one of LDAP.
type message struct {
	id       int
	op       element
	controls []control
}

type control struct {
	oid      string
	critical bool
	value    []byte
}

const mostControls = 20

// parseMessage reads the body of a message. ok says that the id is known where the rest is not valid.
func parseMessage(body []byte) (m message, ok bool, err error) {
	parts, err := all(body, 3)
	if err != nil || len(parts) < 2 || parts[0].tag != tagInteger {
		return m, false, errBER
	}
	if m.id, err = parts[0].integer(); err != nil || m.id < 0 {
		return m, false, errBER
	}
	m.op = parts[1]
	if len(parts) == 2 {
		return m, true, nil
	}
	if parts[2].tag != constructed0 {
		return m, true, errBER
	}
	list, err := all(parts[2].body, mostControls)
	if err != nil {
		return m, true, err
	}
	for _, e := range list {
		c, err := parseControl(e)
		if err != nil {
			return m, true, err
		}
		m.controls = append(m.controls, c)
	}
	return m, true, nil
}

func parseControl(e element) (c control, err error) {
	parts, err := all(e.body, 3)
	if err != nil || len(parts) == 0 || e.tag != tagSequence || parts[0].tag != tagOctets {
		return c, errBER
	}
	c.oid = string(parts[0].body)
	for _, p := range parts[1:] {
		switch p.tag {
		case tagBoolean:
			c.critical = p.boolean()
		case tagOctets:
			c.value = p.body
		default:
			return c, errBER
		}
	}
	return c, nil
}

// A search is a search request.
type search struct {
	base      string
	scope     int // 0 base, 1 one level, 2 subtree
	size      int
	seconds   int
	typesOnly bool
	filter    *filter
	names     []string
}

const mostNames = 1000

func parseSearch(e element) (s search, err error) {
	parts, err := all(e.body, 8)
	if err != nil || len(parts) != 8 || parts[0].tag != tagOctets || parts[7].tag != tagSequence {
		return s, errBER
	}
	s.base = phonebook.UTF8(string(parts[0].body))
	if s.scope, err = parts[1].integer(); err != nil || s.scope < 0 || s.scope > 3 {
		return s, errBER
	}
	if s.size, err = parts[3].integer(); err != nil || s.size < 0 {
		return s, errBER
	}
	if s.seconds, err = parts[4].integer(); err != nil || s.seconds < 0 {
		return s, errBER
	}
	s.typesOnly = parts[5].boolean()
	if s.filter, err = parseFilter(parts[6]); err != nil {
		return s, err
	}
	names, err := all(parts[7].body, mostNames)
	if err != nil {
		return s, err
	}
	for _, n := range names {
		s.names = append(s.names, string(n.body))
	}
	return s, nil
}

// paging is the control of RFC 2696.
func parsePaging(value []byte) (size int, cookie []byte, err error) {
	e, rest, err := take(value)
	if err != nil || len(rest) > 0 || e.tag != tagSequence {
		return 0, nil, errBER
	}
	parts, err := all(e.body, 2)
	if err != nil || len(parts) != 2 || parts[0].tag != tagInteger || parts[1].tag != tagOctets {
		return 0, nil, errBER
	}
	size, err = parts[0].integer()
	if err != nil || size < 0 {
		return 0, nil, errBER
	}
	return size, parts[1].body, nil
}

// A sortKey is one of RFC 2891.
type sortKey struct {
	attr    string
	reverse bool
}

func parseSort(value []byte) (keys []sortKey, err error) {
	e, rest, err := take(value)
	if err != nil || len(rest) > 0 || e.tag != tagSequence {
		return nil, errBER
	}
	list, err := all(e.body, 10)
	if err != nil || len(list) == 0 {
		return nil, errBER
	}
	for _, k := range list {
		parts, err := all(k.body, 3)
		if err != nil || len(parts) == 0 || k.tag != tagSequence || parts[0].tag != tagOctets {
			return nil, errBER
		}
		key := sortKey{attr: string(parts[0].body)}
		for _, p := range parts[1:] {
			if p.tag == context0|1 {
				key.reverse = p.boolean()
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// A result is how an operation ended.
type result struct {
	code    int
	message string
	name    string // of an extended answer
}

// appendResult appends a message with a result.
func appendResult(dst []byte, id int, tag byte, r result, controls ...[]byte) []byte {
	body := appendInteger(nil, tagEnumerated, r.code)
	body = appendText(body, tagOctets, "")
	body = appendText(body, tagOctets, r.message)
	if r.name != "" {
		body = appendText(body, context0|10, r.name)
	}
	return appendMessage(dst, id, tag, body, controls...)
}

func appendMessage(dst []byte, id int, tag byte, op []byte, controls ...[]byte) []byte {
	body := appendInteger(make([]byte, 0, len(op)+32), tagInteger, id)
	body = appendElement(body, tag, op)
	if len(controls) > 0 {
		var list []byte
		for _, c := range controls {
			list = append(list, c...)
		}
		body = appendElement(body, constructed0, list)
	}
	return appendElement(dst, tagSequence, body)
}

func appendControl(oid string, value []byte) []byte {
	return appendElement(nil, tagSequence, appendElement(appendText(nil, tagOctets, oid), tagOctets, value))
}
