// Package jsonrecord makes the columns and values of JSON objects, for sources whose records are such objects. A value within an
// object has the path of its keys as its column: address.city. A list stays JSON, which the engine takes for several values.
package jsonrecord

import (
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
	learnt  []held // by column
}

// held says which values a column has in the records that were learnt from, besides null.
type held struct{ truths, others bool }

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

// column returns the column of a path, and adds it if it is new. A path is one column, whatever records have there: a text, a list or an
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

// learn notes what a value of a column is.
func (c *Columns) learn(column int, raw []byte) {
	for len(c.learnt) <= column {
		c.learnt = append(c.learnt, held{})
	}
	if isTruth(raw) {
		c.learnt[column].truths = true
	} else if raw[0] != 'n' {
		c.learnt[column].others = true
	}
}

func isTruth(raw []byte) bool { return raw[0] == 't' || raw[0] == 'f' }

// held returns which values a column has.
func (c *Columns) held(column int) held {
	if column < len(c.learnt) {
		return c.learnt[column]
	}
	return held{}
}

// Truths says of each column whether true and false are truth values there, and no texts.
func (c *Columns) Truths() []bool {
	list := make([]bool, len(c.names))
	for i := range list {
		list[i] = c.held(i).truths
	}
	return list
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
// before where that only says that it is the value (company.name). The id is a key of the record itself. A key that is an object in some
// records and a text in others gives both. A column of nothing but truth values is no field.
func (c *Columns) Usual() record.Guess {
	g := c.usual(func(column int) bool { return c.held(column) != held{truths: true} })
	all := c.usual(func(int) bool { return true })
	g.ID, g.Updated, g.Deleted = all.ID, all.Updated, all.Deleted
	var fields []record.Guessed
	for _, field := range g.Fields {
		fields = append(append(fields, c.otherForms(field)...), field)
	}
	g.Fields = fields
	return g
}

// usual is Usual for those columns that may have a meaning, one for each name.
func (c *Columns) usual(may func(column int) bool) record.Guess {
	called := make([]string, len(c.names))
	columns := map[string]string{}
	for i, name := range c.names {
		if !may(i) {
			continue
		}
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

// otherForms returns the columns of a field in the records in which its key is a text instead of an object, or an object instead of a
// text. A record has one of the two. Lists take all columns anyway.
func (c *Columns) otherForms(field record.Guessed) []record.Guessed {
	if (record.Column{Field: field.Field}).IsList() {
		return nil
	}
	var forms []record.Guessed
	add := func(name string) {
		form := record.Guessed{Field: field.Field, Columns: []string{name}}
		known := func(g record.Guessed) bool { return slices.Contains(g.Columns, name) }
		if !known(field) && !slices.ContainsFunc(forms, known) {
			forms = append(forms, form)
		}
	}
	for _, name := range field.Columns {
		for i, other := range c.names {
			switch {
			case c.held(i) == held{truths: true}:
			case object(other) == name && usualName(other) == usualName(name):
				add(other)
			case object(name) == other && means(usualName(other), field.Field):
				add(other)
			}
		}
	}
	return forms
}

// object returns the path of the object that a column is in, or "".
func object(path string) string { return path[:max(strings.LastIndexByte(path, '.'), 0)] }

// means reports whether a name alone would be that of a field.
func means(name, field string) bool {
	return slices.ContainsFunc(record.Usual([]string{name}).Fields, func(g record.Guessed) bool { return g.Field == field })
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
