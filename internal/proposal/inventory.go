// Package proposal proposes how the contacts at an external service are mapped: which table, sheet or address book holds
// them, which column is the id, which hold names and phone numbers, and why. It reads nothing itself: it is given what was
// found ([Inventory]), and returns settings of a source with reasons and problems ([Proposal]). contactbridge init shows and
// writes them.
package proposal

import (
	"slices"
	"strings"
)

// An Inventory holds what was found at an external service. Its things are of one sort: tables, sheets, bases, address books.
type Inventory struct {
	// Noun is what one thing is called: "table". Its plural ends in s.
	Noun string
	// Key is the key of a source's configuration that names a thing: "table", "sheet", "base". Empty where there is nothing to
	// name, such as a file with one table.
	Key string
	// Many says that a source reads several things at once: the value of Key is a list then.
	Many bool
	// Open says that more may be named than is listed, such as the places in a directory that hold people only further below. Its
	// things are Ready.
	Open bool
	// Things are what could hold contacts, in any order.
	Things []Thing
	// Language writes the expressions of fields; nil means those of package record.
	Language Language
	// Problems say what was not looked at, and why.
	Problems []Problem
}

// Named returns the names that a person wrote as the value of Key. Several are written with commas between them where several are
// read; a name may hold commas itself.
func (inv *Inventory) Named(text string) []string {
	if !inv.Many {
		return []string{text}
	}
	var list []string
	for parts := strings.Split(text, ","); len(parts) > 0; {
		n := len(parts)
		for n > 1 && !inv.has(strings.TrimSpace(strings.Join(parts[:n], ","))) {
			n--
		}
		if name := strings.TrimSpace(strings.Join(parts[:n], ",")); name != "" {
			list = append(list, name)
		}
		parts = parts[n:]
	}
	return list
}

func (inv *Inventory) has(name string) bool {
	return slices.ContainsFunc(inv.Things, func(t Thing) bool { return strings.EqualFold(t.Name, name) })
}

// A Thing is a table, a view, a sheet, an array, a base, an address book.
type Thing struct {
	Name  string // the value of Key
	Title string // for people, where the name is not enough: "Contacts of Jane (/dav/jane/contacts)"
	Sort  string // where it is not the noun: "view"
	Rows  int64  // how many records it has, roughly; -1 if unknown

	// Ready says that the kind knows what the records mean: no id and no fields are proposed. Score and Why say then how likely
	// it is the right thing: contacts 100, most likely others 0; the first one of equal things is taken.
	Ready bool
	Score int
	Why   string // a clause: "it is the default address book"

	// Settings are other keys of the configuration that go with the thing, besides Key.
	Settings []Setting

	Columns    []Column
	Primary    []string    // the columns of the primary key
	Unique     [][]string  // the columns of each unique index over columns that are never null
	Indexes    [][]string  // the columns of each index
	References []Reference // foreign keys
	Samples    [][]string  // the first records: values as texts, in the order of Columns; empty for null
	// ID, if it is set, is the id that the kind has found by looking at all records, and WhyID says how: a clause.
	ID, WhyID string
}

// A Column is one column of a thing.
type Column struct {
	Name string
	Type string // as the external service calls it, for people
	Is   Type
	Null bool // it may be null
	// Any says that its type binds no value: a column of integers may hold texts.
	Any bool
	// Stamped says that the external service itself sets it whenever a record changes.
	Stamped bool
}

// A Type is what the values of a column are.
type Type int

// The types of columns. Text is anything that can be read as a text.
const (
	Text Type = iota
	Integer
	Number
	Time
	Date
	Bool
	Other // binary data and the like
)

// A Reference is a foreign key: columns of this thing hold what To's columns hold.
type Reference struct {
	Columns   []string
	To        string // the name of a thing
	ToColumns []string
}

// A Setting is one key of a source's configuration.
type Setting struct {
	Key   string // dotted where it is within another: "fields.phones"
	Value any    // string, bool, int, []string, or []Setting for a mapping
	Why   string // why this value, for people: a clause; may be empty
}

// A Problem is something that a person should know of a proposal.
type Problem struct {
	Message string // what is so, in one line without a full stop
	Hint    string // what to do about it: a sentence; may be empty
	// Code and About are of a problem that a preview may find as well, and then knows better: the code of its problem, and a text that
	// its message holds.
	Code, About string
}

// A Language writes expressions of fields.
type Language interface {
	// Column writes a column of the thing that is read.
	Column(name string) string
	// Join writes one text of several expressions, with a separator between those that are not empty.
	Join(separator string, expressions []string) string
}

// SQL is the language of a database: it reads other things in an expression.
type SQL interface {
	Language
	// Of writes a column of a certain thing.
	Of(thing, column string) string
	// Thing writes the name of a thing as it stands after FROM.
	Thing(name string) string
	// List writes the values of an expression over several rows as one text, in a certain order, with "; " between them:
	// an aggregate. Null is left out.
	List(expression, order string) string
	// Text writes an expression as a text.
	Text(expression string) string
	// Concat writes one text of several expressions of texts, none of which is null, with nothing between them. An index can be
	// made on it if one can be made on them.
	Concat(expressions []string) string
	// Value writes a text as a literal.
	Value(text string) string
}
