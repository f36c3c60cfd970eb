package ldap

import (
	"cmp"
	"slices"
	"strings"

	client "github.com/go-ldap/ldap/v3"
)

// A product is a directory server that does something in its own way.
type product int

const (
	other product = iota
	openLDAP
	activeDirectoryServer
	ds389
)

// Names of products, for people.
var productNames = map[product]string{other: "LDAP version 3", openLDAP: "OpenLDAP", activeDirectoryServer: "Active Directory", ds389: "389 Directory Server"}

// A root holds what a server says about itself.
type root struct {
	entry   *client.Entry
	product product
}

// readRoot asks a server what it is.
func readRoot(c *conn) (root, error) {
	found, err := c.Search(&client.SearchRequest{
		Scope: client.ScopeBaseObject, Filter: "(objectClass=*)",
		Attributes: []string{"*", "+", "supportedControl", "supportedCapabilities", "supportedSASLMechanisms", "namingContexts", "defaultNamingContext", "subschemaSubentry", "dsServiceName", "highestCommittedUSN", "vendorName", "objectClass", "structuralObjectClass"},
	})
	if err != nil {
		return root{}, err
	}
	if len(found.Entries) == 0 {
		return root{entry: &client.Entry{}}, nil
	}
	r := root{entry: found.Entries[0]}
	switch {
	case r.has("supportedCapabilities", "1.2.840.113556.1.4.800"):
		r.product = activeDirectoryServer
	case strings.HasPrefix(r.value("vendorName"), "389 "):
		r.product = ds389
	case r.has("objectClass", "OpenLDAProotDSE") || r.has("structuralObjectClass", "OpenLDAProotDSE"):
		r.product = openLDAP
	}
	return r, nil
}

func (r root) value(attribute string) string { return r.entry.GetEqualFoldAttributeValue(attribute) }

func (r root) has(attribute, value string) bool {
	return slices.ContainsFunc(r.entry.GetEqualFoldAttributeValues(attribute), func(v string) bool { return strings.EqualFold(v, value) })
}

// contexts returns the places where entries may be.
func (r root) contexts() []string {
	if domain := r.value("defaultNamingContext"); domain != "" && r.product == activeDirectoryServer {
		return []string{domain}
	}
	return slices.DeleteFunc(slices.Clone(r.entry.GetEqualFoldAttributeValues("namingContexts")), func(dn string) bool {
		return dn == "" || strings.HasPrefix(strings.ToLower(dn), "cn=changelog") || strings.HasPrefix(strings.ToLower(dn), "cn=config")
	})
}

// nativeID is the attribute that names an entry for ever.
func (r root) nativeID() string {
	switch r.product {
	case activeDirectoryServer:
		return "objectGUID"
	case ds389:
		return "nsUniqueId"
	}
	return "entryUUID"
}

// A schema holds what a server says about its attributes.
type schema struct {
	names  []string          // as the server writes them, first names first
	binary map[string]bool   // in lower case: values are no text
	first  map[string]string // a name's first name, both in lower case
}

// readSchema reads a server's attributes. What cannot be read is empty.
func readSchema(c *conn, r root) schema {
	s := schema{binary: map[string]bool{}, first: map[string]string{}}
	found, err := c.Search(&client.SearchRequest{
		BaseDN: cmp.Or(r.value("subschemaSubentry"), "cn=Subschema"), Scope: client.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{"attributeTypes"},
	})
	if err != nil || len(found.Entries) == 0 {
		return s
	}
	for _, text := range found.Entries[0].GetEqualFoldAttributeValues("attributeTypes") {
		s.add(text)
	}
	return s
}

// binarySyntaxes are those of values that are no texts.
var binarySyntaxes = []string{
	"1.3.6.1.4.1.1466.115.121.1.40", "1.3.6.1.4.1.1466.115.121.1.28", "1.3.6.1.4.1.1466.115.121.1.5", "1.3.6.1.4.1.1466.115.121.1.8",
	"1.3.6.1.4.1.1466.115.121.1.4", "1.3.6.1.4.1.1466.115.121.1.23",
}

// add takes one description of RFC 4512: ( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name SYNTAX 1.3… ).
func (s *schema) add(text string) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '(' || r == ')' })
	var names []string
	at := slices.Index(words, "NAME")
	for i := at + 1; at >= 0 && i < len(words) && strings.HasPrefix(words[i], "'"); i++ {
		if name := strings.Trim(words[i], "'"); name != "" {
			names = append(names, name)
		}
	}
	binary := false
	if at := slices.Index(words, "SYNTAX"); at >= 0 && at+1 < len(words) {
		syntax, _, _ := strings.Cut(strings.Trim(words[at+1], "'"), "{")
		binary = slices.Contains(binarySyntaxes, syntax)
	}
	for _, name := range names {
		s.names = append(s.names, name)
		s.first[strings.ToLower(name)] = strings.ToLower(names[0])
		s.binary[strings.ToLower(name)] = binary
	}
}

// has reports whether the server knows an attribute.
func (s schema) has(name string) bool {
	_, ok := s.first[strings.ToLower(name)]
	return ok
}
