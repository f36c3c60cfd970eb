package ldap

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/source/record"
)

// compiler compiles expressions over attributes: a repeated attribute is a list.
var compiler = record.Compiler{Lists: true}

// personFields are the fields of inetOrgPerson (RFC 2798).
var personFields = record.Fields{
	Name: "displayName ?? first(cn)", Title: "first(title)", Company: "first(o)",
	Emails: record.Expressions{"mail"}, Phones: record.Expressions{"telephoneNumber", "mobile", "homePhone"},
	Websites:     record.Expressions{`map(labeledURI, split(#, " ")[0])`},
	Address:      `replace(first(postalAddress), "$", ", ") ?? join([street, trim(join([postalCode, l], " ")), st], ", ")`,
	Country:      "c ?? co",
	CustomFields: record.CustomFields{{Key: "Department", Expression: "departmentNumber ?? ou"}},
}

// accountFields are the fields of users and contacts of Active Directory.
var accountFields = record.Fields{
	Name: "displayName ?? cn", Title: "title", Company: "company",
	Emails:       record.Expressions{"mail"},
	Phones:       record.Expressions{"telephoneNumber", "otherTelephone", "mobile", "otherMobile", "homePhone", "otherHomePhone"},
	Websites:     record.Expressions{"wWWHomePage"},
	Address:      `join([streetAddress, trim(join([postalCode, l], " ")), st], ", ")`,
	Country:      "c ?? co",
	CustomFields: record.CustomFields{{Key: "Department", Expression: "department"}, {Key: "Office", Expression: "physicalDeliveryOfficeName"}},
}

// usualNames are the attributes of the fields above. They are columns even where the server's schema cannot be read.
var usualNames = []string{
	"displayName", "cn", "title", "o", "mail", "telephoneNumber", "mobile", "homePhone", "labeledURI", "postalAddress", "street", "postalCode",
	"l", "st", "c", "co", "departmentNumber", "ou", "company", "otherTelephone", "otherMobile", "otherHomePhone", "wWWHomePage",
	"streetAddress", "department", "physicalDeliveryOfficeName",
}

// dnColumn is the column with an entry's DN.
const dnColumn = "dn"

// A mapping says what becomes of an entry. Many goroutines may use it.
type mapping struct {
	product  product
	mapper   *record.Mapper
	id       *record.Expression // nil: the server's own
	columns  []string           // all that an expression may name
	used     []usedColumn       // in a record's order
	wanted   []string           // the attributes to ask for
	binary   map[string]bool
	idFrom   string // for people
	usual    bool   // no field is configured
	idNative string
}

// A usedColumn is a column that an expression uses.
type usedColumn struct {
	index int    // among all columns
	group string // the first name of its attribute in lower case
}

// newMapping compiles the configured fields over a server's attributes.
func newMapping(cfg Config, r root, s schema) (*mapping, error) {
	fields := cfg.Fields
	m := &mapping{product: r.product, binary: s.binary, usual: fields.Empty(), idNative: r.nativeID()}
	if m.usual {
		fields = m.usualFields()
	}
	m.columns = columnNames(cfg, s)
	var err error
	if m.mapper, err = compiler.Mapper(fields, m.columns); err != nil {
		return nil, err
	}
	m.idFrom = m.idNative
	if cfg.ID != "" && !strings.EqualFold(cfg.ID, m.idNative) {
		m.idFrom = cfg.ID
		if m.id, err = compiler.Expression("id", cfg.ID, m.columns); err != nil {
			return nil, err
		}
	}
	m.use(s)
	return m, nil
}

// columnNames lists the names that an expression may use.
func columnNames(cfg Config, s schema) []string {
	names := []string{dnColumn}
	known := map[string]bool{dnColumn: true}
	add := func(name string) {
		if !known[name] {
			known[name] = true
			names = append(names, name)
		}
	}
	for _, name := range usualNames {
		add(name)
	}
	for _, name := range s.names {
		add(name)
	}
	if len(s.names) == 0 {
		for _, name := range namesIn(cfg) {
			add(name)
		}
	}
	return names
}

var attributeName = regexp.MustCompile("[A-Za-z][A-Za-z0-9-]*")

// namesIn lists what may be attributes in the configured expressions, for a server that does not show its schema.
func namesIn(cfg Config) []string {
	texts := []string{cfg.ID}
	for _, m := range cfg.Fields.Mapped() {
		texts = append(texts, m.From)
	}
	var names []string
	for _, text := range texts {
		names = append(names, attributeName.FindAllString(text, -1)...)
	}
	return names
}

// use finds the columns that are used, and the attributes to ask for.
func (m *mapping) use(s schema) {
	var unused []int
	if m.id == nil {
		unused = m.mapper.Unused()
	} else {
		unused = m.mapper.Unused(m.id)
	}
	skip := map[int]bool{}
	for _, i := range unused {
		skip[i] = true
	}
	for i, name := range m.columns {
		if skip[i] {
			continue
		}
		lower := strings.ToLower(name)
		m.used = append(m.used, usedColumn{i, cmp.Or(s.first[lower], lower)})
		if name != dnColumn {
			m.wanted = append(m.wanted, name)
		}
	}
	if !slices.Contains(m.wanted, m.idNative) {
		m.wanted = append(m.wanted, m.idNative)
	}
}

// native returns the server's own id of an entry as text; empty where it has none.
func (m *mapping) native(e *client.Entry) string {
	raw := e.GetEqualFoldRawAttributeValue(m.idNative)
	if len(raw) == 0 {
		return ""
	}
	if m.product == activeDirectoryServer {
		return guidText(raw)
	}
	return string(raw)
}

// record makes the record of an entry. It shares the entry's bytes.
func (m *mapping) record(e *client.Entry, s schema, row *record.Row) *rec {
	native := m.native(e)
	byName := m.values(e, s)
	r := &rec{key: []byte(native), values: make([][]byte, len(m.used))}
	for i, u := range m.used {
		if m.columns[u.index] == dnColumn {
			r.values[i] = []byte(e.DN)
			continue
		}
		r.values[i] = column(byName[u.group])
	}
	if native == "" {
		r.key = []byte(e.DN)
	}
	if m.id == nil {
		r.id = []byte(native)
	} else {
		id, err := m.id.Text(row, m.spread(r.values))
		if err != nil {
			return &rec{key: r.key, kind: kindRejected, reason: []byte(e.DN + ": " + err.Error())}
		}
		r.id = []byte(id)
	}
	if len(r.id) == 0 {
		return &rec{key: r.key, kind: kindRejected, reason: fmt.Appendf(nil, "%s has no %s", e.DN, m.idFrom)}
	}
	return r
}

// values returns the readable values of an entry's attributes by their first names. Options such as ;lang-de add values only where
// the attribute without one has none.
func (m *mapping) values(e *client.Entry, s schema) map[string][][]byte {
	list := make(map[string][][]byte, len(e.Attributes))
	for pass := range 2 {
		for _, a := range e.Attributes {
			name, option, _ := strings.Cut(strings.ToLower(a.Name), ";")
			first := cmp.Or(s.first[name], name)
			plain := option == "" || strings.HasPrefix(option, "binary") || strings.HasPrefix(option, "range=")
			if plain != (pass == 0) || pass == 1 && len(list[first]) > 0 {
				continue
			}
			for _, value := range a.ByteValues {
				if readable, ok := text(name, value, m.binary[name]); ok && len(readable) > 0 {
					list[first] = append(list[first], readable)
				}
			}
		}
	}
	return list
}

// spread puts the values of a record where all columns are.
func (m *mapping) spread(values [][]byte) [][]byte {
	all := make([][]byte, len(m.columns))
	for i, u := range m.used[:min(len(m.used), len(values))] {
		all[u.index] = values[i]
	}
	return all
}

// contact makes a row of a record.
func (m *mapping) contact(row *record.Row, r *rec) {
	row.Start(string(r.id), r.kind == kindDeleted)
	switch r.kind {
	case kindDeleted:
	case kindRejected:
		row.Rejected = string(r.reason)
	default:
		if err := m.mapper.Fill(row, m.spread(r.values)); err != nil {
			row.Start(string(r.id), false)
			row.Rejected = "the entry is not a contact: " + err.Error()
		}
		row.Contact.Emails, row.Contact.Phones = apart(row.Contact.Emails), apart(row.Contact.Phones)
		row.Contact.Websites = apart(row.Contact.Websites)
	}
}

// apart returns a list with the values of [column] in place of the lists among them.
func apart(list []string) []string {
	if !slices.ContainsFunc(list, isList) {
		return list
	}
	var all []string
	for _, text := range list {
		values := []string{text}
		if isList(text) && json.Unmarshal([]byte(text), &values) != nil {
			values = []string{text}
		}
		for _, value := range values {
			if value = strings.TrimSpace(value); value != "" && !slices.Contains(all, value) {
				all = append(all, value)
			}
		}
	}
	return all
}

func isList(text string) bool { return strings.HasPrefix(text, "[") }
