package sqlite

import (
	"strings"

	"github.com/contactbridge/contactbridge/directory"
)

// A many is a statement for several rows at a time: begin, then item for each row, separated by commas, then end.
type many struct {
	begin, item, end string
	columns          int // parameters of one item
}

// OR FAIL: what fails is rolled back whole by its transaction. Without it SQLite keeps a journal of each statement, to be able to
// undo just that one, and writes every page twice.
var (
	findContacts = many{begin: "SELECT id, pk, hash FROM contacts WHERE integration = ? AND id IN (", item: "?", end: ")", columns: 1}
	makeContacts = many{begin: "INSERT OR FAIL INTO contacts (pk, integration, id, hash, data, changed) VALUES ", item: "(?, ?, ?, ?, ?, ?)", columns: 6}
	makeNumbers  = many{
		begin: "INSERT OR FAIL INTO numbers (pk, account, ending, reversed, full, raw, extension) VALUES ", item: "(?, ?, ?, ?, ?, ?, ?)", columns: 7,
	}
	noteNamed = many{
		begin: "INSERT INTO held (contact, integration, named, run) VALUES ", item: "(?, ?, 1, 0)", columns: 2,
		end: " ON CONFLICT (contact) DO UPDATE SET named = 1",
	}
	noteUnshown    = many{begin: "INSERT OR IGNORE INTO held (contact, integration, named, run) VALUES ", item: "(?, ?, 0, 0)", columns: 2}
	releaseHeld    = many{begin: "DELETE FROM held WHERE contact IN (", item: "?", end: ")", columns: 1}
	deleteContacts = many{begin: "DELETE FROM contacts WHERE pk IN (", item: "?", end: ")", columns: 1}
)

const (
	// The plus hides the integration's index, by which SQLite might read all of its contacts.
	contactsBetween = "SELECT id, pk, hash FROM contacts WHERE +integration = ?1 AND pk > ?2 AND pk <= ?3"

	updateContact = "UPDATE contacts SET hash = ?, data = ?, changed = ? WHERE pk = ?"
	rehash        = "UPDATE contacts SET hash = ? WHERE pk = ?"
	deleteNumbers = "DELETE FROM numbers WHERE pk >= ? AND pk < ?"
	// One at a time: before a statement of many rows the index writes out what it has collected, and merges it later.
	makeTerms   = "INSERT INTO search (rowid, terms) VALUES (?, ?)"
	updateTerms = "UPDATE search SET terms = ?1 WHERE rowid = ?2 AND terms <> ?1" // most changes are not to words
	setSearch   = "INSERT INTO search (search, rank) VALUES (?, ?)"               // not a row: an order to the index
	deleteTerms = "DELETE FROM search WHERE rowid = ?"
)

// maxNumbers is how many numbers of one contact have room in the key of the numbers, which every file holds: all that are kept.
const (
	maxNumbers = 4096
	_          = uint(maxNumbers - directory.MaxNumbers) // does not compile where there are more
)

// numberKey is the key of a contact's number at a place in its list.
func numberKey(contact int64, place int) int64 { return contact*maxNumbers + int64(place) }

// sizes are the numbers of rows that statements come in, so that few are prepared: more than the first gain nothing.
var sizes = [...]int{128, 32, 8, 1}

// chunks cuts the parameters of many rows into those of single statements, and visits each with the statement's text.
func (m many) chunks(values []any, visit func(text string, values []any) error) error {
	for len(values) > 0 {
		rows := 1
		for _, size := range sizes {
			if len(values) >= size*m.columns {
				rows = size
				break
			}
		}
		if err := visit(m.text(rows), values[:rows*m.columns]); err != nil {
			return err
		}
		values = values[rows*m.columns:]
	}
	return nil
}

func (m many) text(rows int) string {
	return m.begin + strings.Repeat(m.item+", ", rows-1) + m.item + m.end
}

// indexed is how many digits the index knows: enough to tell nearly all numbers apart, in four bytes.
const indexed = 9

// ending is the last digits, last one first, as a number of nine digits; where there are fewer, zeros follow.
func ending(digits string) (n int64) {
	for i := range indexed {
		n *= 10
		if at := len(digits) - 1 - i; at >= 0 && '0' <= digits[at] && digits[at] <= '9' {
			n += int64(digits[at] - '0')
		}
	}
	return n
}

// endings are the least and the greatest ending of numbers that end in these digits.
func endings(digits string) (from, to int64) {
	from, to = ending(digits), 1
	for range indexed - min(indexed, len(digits)) {
		to *= 10
	}
	return from, from + to - 1
}
