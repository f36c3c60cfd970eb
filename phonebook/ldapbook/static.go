package ldapbook

import (
	"fmt"
	"slices"
	"strings"
)

// A staticEntry is one that is not a contact: the server itself, its schema, the base of a phonebook.
type staticEntry struct {
	dn     string
	values []staticValue
}

type staticValue struct {
	name   string
	values []string
	system bool
}

const subschemaDN = "cn=Subschema"

// static answers with an entry that is not a contact.
func (c *conn) static(m message, s *search, e staticEntry) error {
	if e.fits(s.filter) == yes {
		var list []byte
		for _, v := range e.selected(s.names) {
			list = appendAttribute(list, v.name, v.values, s.typesOnly)
		}
		body := appendElement(appendText(nil, tagOctets, e.dn), tagSequence, list)
		if _, err := c.out.Write(appendMessage(nil, m.id, opSearchEntry, body)); err != nil {
			return err
		}
	}
	return c.send(m.id, m.op.tag, result{code: success})
}

// selected are the values that were asked for. Of the server itself all are shown where nothing is asked for: many clients do not
// know that they are operational.
func (e staticEntry) selected(names []string) (list []staticValue) {
	for _, v := range e.values {
		asked := len(names) == 0 && (!v.system || e.dn == "")
		for _, name := range names {
			asked = asked || strings.EqualFold(name, v.name) || name == "*" && (!v.system || e.dn == "") || name == "+" && v.system
		}
		if asked {
			list = append(list, v)
		}
	}
	return list
}

// fits compares what such entries are looked for by.
func (e staticEntry) fits(f *filter) truth {
	switch f.op {
	case opAnd:
		t := yes
		for _, child := range f.children {
			t = min(t, e.fits(child))
		}
		return t
	case opOr:
		t := no
		for _, child := range f.children {
			t = max(t, e.fits(child))
		}
		return t
	case opNot:
		return yes - e.fits(f.children[0])
	case opPresent, opEqual:
		for _, v := range e.values {
			if !strings.EqualFold(v.name, f.attr) {
				continue
			}
			if f.op == opPresent || slices.ContainsFunc(v.values, func(value string) bool { return strings.EqualFold(value, f.value) }) {
				return yes
			}
		}
		return no
	}
	return undefined
}

// rootDSE is what the server says of itself.
func (c *conn) rootDSE() staticEntry {
	var bases []string
	if c.book != nil {
		bases = []string{c.book.LDAP.Base}
	} else {
		for _, b := range c.server.books { // of what others made nothing is told
			bases = append(bases, b.LDAP.Base)
		}
	}
	e := staticEntry{values: []staticValue{
		{name: "objectClass", values: []string{"top"}},
		{name: "namingContexts", values: bases, system: true},
		{name: "defaultNamingContext", values: bases[:min(1, len(bases))], system: true},
		{name: "supportedLDAPVersion", values: []string{"3", "2"}, system: true},
		{name: "supportedControl", values: []string{oidPaging, oidSort, oidManageDSA}, system: true},
		{name: "supportedFeatures", values: []string{oidAllSystem}, system: true},
		{name: "subschemaSubentry", values: []string{subschemaDN}, system: true},
		{name: "vendorName", values: []string{"contactbridge"}, system: true},
		{name: "vendorVersion", values: []string{c.server.options.Version}, system: true},
	}}
	if c.server.options.TLS != nil && c.server.options.StartTLS && !c.secure {
		e.values = append(e.values, staticValue{name: "supportedExtension", values: []string{oidStartTLS}, system: true})
	}
	return e
}

// baseEntry is the entry that all others are below.
func baseEntry(b *book) staticEntry {
	first := cutUnescaped(b.LDAP.Base, ",;")[0]
	name, value, _ := strings.Cut(first, "=")
	name, value = strings.ToLower(strings.TrimSpace(name)), unescaped(strings.TrimSpace(value))
	e := staticEntry{dn: b.LDAP.Base}
	class := []string{"top"}
	switch name {
	case "dc":
		class = append(class, "dcObject", "organization")
		e.values = append(e.values, staticValue{name: "o", values: []string{b.Name}})
	case "ou":
		class = append(class, "organizationalUnit")
	case "o":
		class = append(class, "organization")
	default:
		class = append(class, "extensibleObject")
	}
	e.values = append(e.values,
		staticValue{name: "objectClass", values: class}, staticValue{name: name, values: []string{value}},
		staticValue{name: "hasSubordinates", values: []string{"TRUE"}, system: true}, staticValue{name: "subschemaSubentry", values: []string{subschemaDN}, system: true})
	return e
}

// schema describes what is served.
func schema() staticEntry {
	var types, may []string
	for _, a := range inOrder {
		if a.oid == "" {
			continue
		}
		usage := ""
		if a.system {
			usage = " NO-USER-MODIFICATION USAGE directoryOperation"
		} else {
			may = append(may, a.name)
		}
		types = append(types, fmt.Sprintf("( %s NAME '%s' SYNTAX %s%s )", a.oid, a.name, a.syntax, usage))
	}
	types = append(types, "( 0.9.2342.19200300.100.1.25 NAME 'dc' SYNTAX "+syntaxIA5+" SINGLE-VALUE )")
	classes := []string{
		"( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
		"( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( telephoneNumber $ description ) )",
		"( 2.5.6.7 NAME 'organizationalPerson' SUP person STRUCTURAL MAY ( title $ ou $ l $ st $ postalAddress $ street $ postalCode $ facsimileTelephoneNumber ) )",
		"( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP organizationalPerson STRUCTURAL MAY ( " + strings.Join(may, " $ ") + " ) )",
		"( 2.5.6.4 NAME 'organization' SUP top STRUCTURAL MUST o )",
		"( 2.5.6.5 NAME 'organizationalUnit' SUP top STRUCTURAL MUST ou )",
		"( 1.3.6.1.4.1.1466.344 NAME 'dcObject' SUP top AUXILIARY MUST dc )",
		"( 2.5.20.1 NAME 'subschema' AUXILIARY MAY ( objectClasses $ attributeTypes ) )",
	}
	return staticEntry{dn: subschemaDN, values: []staticValue{
		{name: "objectClass", values: []string{"top", "subentry", "subschema"}},
		{name: "cn", values: []string{"Subschema"}},
		{name: "objectClasses", values: classes, system: true},
		{name: "attributeTypes", values: types, system: true},
	}}
}
