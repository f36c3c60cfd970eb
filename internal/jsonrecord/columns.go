// Package jsonrecord makes the columns and values of JSON objects, for sources whose records are such objects. A value within an
// object has the path of its keys as its column: address.city. A list stays JSON, which the engine takes for several values.
package jsonrecord

import (
	"cmp"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
)

// Bounds of a file's columns. What is over them is left out, and [Columns.Problems] says so.
const (
	maxColumns = 1000
	maxName    = 200 // bytes
)

// Columns are the columns of a file's records.
type Columns struct {
	names  []string
	byName map[string]int
	root   node
	wanted map[string]bool
	over   bool     // there are more
	absent []string // wanted, but in no record

	nothing string // a JSON value that means no value; empty: null alone does
	truths  []bool // by column: it is a value there nevertheless
}

// A node is a key in the objects at one path.
type node struct {
	path   string
	column int // of values that are no objects, or -1
	object int // of the whole object, or -1; the same column, where there are both
	keys   map[string]*node
}

// NewColumns returns the columns of a file of which no record has been seen. wanted are those that the configuration names.
func NewColumns(wanted []string) *Columns {
	c := &Columns{byName: map[string]int{}, root: node{column: -1, object: -1}, wanted: map[string]bool{}}
	for _, name := range file.Names(wanted) {
		c.wanted[name] = true
	}
	return c
}

// child returns the node of a key, which is new where no record had it; nil where there are too many.
func (c *Columns) child(of *node, key []byte) *node {
	if n, ok := of.keys[string(key)]; ok {
		return n
	}
	path := string(key)
	if of != &c.root {
		path = of.path + "." + path
	}
	if !c.wanted[path] && (len(path) > maxName || len(c.names) >= maxColumns) {
		c.over = true
		return nil
	}
	if of.keys == nil {
		of.keys = map[string]*node{}
	}
	n := &node{path: path, column: -1, object: -1}
	of.keys[path[len(path)-len(key):]] = n
	return n
}

// column returns the column of a path, which is new if there is none. A path is one column, whatever records have there: a text, a list or an
// object, or a key with dots in it.
func (c *Columns) column(path string) int {
	i, ok := c.byName[path]
	if !ok {
		i = len(c.names)
		c.names, c.byName[path] = append(c.names, path), i
	}
	return i
}

// Finish adds the columns that are configured and in no record: keys without a value are often left out.
func (c *Columns) Finish() {
	for wanted := range c.wanted {
		if _, ok := c.byName[wanted]; !ok {
			c.absent = append(c.absent, wanted)
		}
	}
	slices.Sort(c.absent)
	for _, path := range c.absent {
		c.column(path)
	}
}

// Names lists the columns in the order in which the file has them first.
func (c *Columns) Names() []string { return c.names }

// Problems returns what preview says of the columns. records is how many records there are.
func (c *Columns) Problems(records int) []source.Problem {
	var list []source.Problem
	if len(c.absent) > 0 && records > 0 {
		list = append(list, source.Problem{
			Severity: source.Warning, Code: "missing_keys", Message: "no record has " + strings.Join(c.absent, ", "),
			Hint: "Check the spelling, unless these keys are only there where they have a value.",
		})
	}
	if c.over {
		list = append(list, source.Problem{
			Severity: source.Note, Code: "too_many_keys", Message: "the records have more than 1000 different keys: others can be used where the configuration names them",
			Hint: "Name the keys that are needed in fields.",
		})
	}
	return list
}

// containers are the keys of objects that say something of the contact itself.
var containers = map[string]bool{
	"name": true, "names": true, "contact": true, "person": true, "customer": true, "address": true, "addresses": true,
	"location": true, "company": true, "organization": true, "organisation": true, "work": true, "home": true, "job": true,
	"personal": true, "business": true, "profile": true, "properties": true, "fields": true, "attributes": true, "data": true, "details": true,
	"communication": true, "mailing_address": true, "mailingaddress": true, "billing": true, "employment": true,
}

// Usual returns what the columns mean by their usual names. Of one within an object the last key counts (address.city), or the one
// before where that only says that it is the value (company.name). The id is a key of the record itself. A key that holds a text in some records
// and an object in others gives both.
func (c *Columns) Usual() record.Guess {
	g := usual(c.names)
	for i := range g.Fields {
		c.addOtherForm(&g.Fields[i])
	}
	return g
}

// addOtherForm adds to the columns of a field that is one text those of the same key's other form: company.name to company, and name to
// name.first and name.last. A record has only one of the two.
func (c *Columns) addOtherForm(f *record.Guessed) {
	if (record.Column{Field: f.Field}).IsList() {
		return // it takes all columns
	}
	others := usual(slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return slices.Contains(f.Columns, name) }))
	for _, other := range others.Fields {
		if other.Field == f.Field && (areWithin(other.Columns, f.Columns) || areWithin(f.Columns, other.Columns)) {
			f.Columns, f.Join = append(f.Columns, other.Columns...), cmp.Or(f.Join, other.Join, " ")
		}
	}
}

// areWithin reports whether columns are keys of the objects that the only one of others is.
func areWithin(columns, others []string) bool {
	return len(others) == 1 && !slices.ContainsFunc(columns, func(name string) bool { return !isWithin(name, others[0]) })
}

// isWithin reports whether a column is a value within the objects that another one is.
func isWithin(name, object string) bool {
	rest, ok := strings.CutPrefix(name, object)
	return ok && strings.HasPrefix(rest, ".")
}

// usual returns what columns mean by their usual names.
func usual(names []string) record.Guess {
	called := make([]string, len(names))
	columns := map[string]string{}
	for i, name := range names {
		called[i] = usualName(name)
		if _, taken := columns[called[i]]; taken && called[i] != name {
			called[i] = name
		}
		columns[called[i]] = name
	}
	g := record.Usual(called)
	for i := range g.Fields {
		for j, name := range g.Fields[i].Columns {
			g.Fields[i].Columns[j] = columns[name]
		}
	}
	g.Country, g.ID, g.Updated, g.Deleted = columns[g.Country], columns[g.ID], columns[g.Updated], columns[g.Deleted]
	return g
}

// usualName returns what a column would be called in a table.
func usualName(path string) string {
	keys := strings.Split(path, ".")
	last := len(keys) - 1
	if last == 0 {
		return path
	}
	switch strings.ToLower(keys[last]) {
	case "name", "value", "formatted", "number":
		return keys[last-1]
	case "id", "uuid", "guid":
		return path
	}
	if containers[strings.ToLower(keys[last-1])] {
		return keys[last]
	}
	return path
}
