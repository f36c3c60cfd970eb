package file

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/internal/cell"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// An identity is where a version's ids come from.
type identity struct {
	expression *record.Expression // nil where all ids are made
	name       string             // what is configured, or the column that was chosen
	fallback   bool               // ids are made for records without a value
	chosen     string             // why it was chosen, where the configuration leaves it open
	// again holds the records with a made id that an earlier record has: by their offset, which one of them it is, from 2 on.
	again map[int64]int
}

// makes reports whether ids of some records are made.
func (i *identity) makes() bool { return i.expression == nil || i.fallback }

// settleID decides where the ids come from: as configured, else the column with a usual name, else the first column of e-mail
// addresses if each record has one and no two have the same, else they are made.
func (o *opened) settleID(ctx context.Context) error {
	m := o.version.mapping
	if m.id.expression != nil {
		return nil
	}
	if o.files.factory.cfg.ID == "" {
		if err := o.chooseID(ctx); err != nil {
			return err
		}
	}
	if !m.id.makes() {
		return nil
	}
	var err error
	m.id.again, err = o.findAgain(ctx)
	return err
}

func (o *opened) chooseID(ctx context.Context) error {
	m := o.version.mapping
	if usual := m.fields.Guess.ID; usual != "" && o.version.without(usual) < 0 {
		return o.takeID(slices.Index(m.columns, usual), identity{chosen: "its usual name", fallback: m.knows})
	}
	email := m.fields.First(record.FieldEmails)
	unique, err := o.isUnique(ctx, email)
	if err != nil {
		return err
	}
	if unique {
		return o.takeID(email, identity{chosen: "no column has a usual name, and every row has an address of its own"})
	}
	m.id.chosen = "no column identifies the rows"
	return nil
}

// takeID takes the ids from a column.
func (o *opened) takeID(column int, id identity) error {
	m := o.version.mapping
	id.name = m.columns[column]
	var err error
	if id.expression, err = o.column(column); err != nil {
		return o.files.unfit(o.files.name(), o.version, err)
	}
	m.id = id
	return nil
}

// column returns the expression of a column, which may have the name of another one.
func (o *opened) column(column int) (*record.Expression, error) {
	columns := make([]string, len(o.version.columns))
	columns[column] = "x"
	return o.files.factory.compiler().Expression("id", "x", columns)
}

// A digestAt is 8 bytes of a record's digest, and where the record starts.
type digestAt struct {
	digest uint64
	offset int64
}

// digests reads all files and collects a digest of each record that has one, sorted. Good records without one are counted.
func (o *opened) digests(ctx context.Context, of func(values [][]byte, bare []bool) string) (list []digestAt, without int, err error) {
	c := o.cursor()
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if err := c.next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, 0, o.files.wrapReading(ctx, err)
		}
		if c.Fault != nil {
			continue
		}
		value := of(c.Values, c.Bare)
		if value == "" {
			without++
			continue
		}
		sum := source.DigestOf(value)
		list = append(list, digestAt{binary.BigEndian.Uint64(sum[:8]), c.Start.Offset})
	}
	slices.SortFunc(list, func(a, b digestAt) int {
		return cmp.Or(cmp.Compare(a.digest, b.digest), cmp.Compare(a.offset, b.offset))
	})
	return list, without, nil
}

// isUnique reports whether every record has a value in a column that no other record has, whatever its case.
func (o *opened) isUnique(ctx context.Context, column int) (bool, error) {
	if column < 0 {
		return false, nil
	}
	list, without, err := o.digests(ctx, func(values [][]byte, _ []bool) string {
		if column >= len(values) {
			return ""
		}
		value := string(trim(values[column]))
		if addresses := cell.Emails(value); len(addresses) != 1 || addresses[0] != value {
			return "" // not one address: a@x.example ::: b@x.example
		}
		return strings.ToLower(value)
	})
	if err != nil || without > 0 {
		return false, err
	}
	for i := 1; i < len(list); i++ {
		if list[i].digest == list[i-1].digest {
			return false, nil
		}
	}
	return len(list) > 0, nil
}

// findAgain finds the records with a made id that an earlier record has.
func (o *opened) findAgain(ctx context.Context) (map[int64]int, error) {
	var row record.Row
	m := o.version.mapping
	list, _, err := o.digests(ctx, func(values [][]byte, bare []bool) string {
		row.Bare = bare
		if id, err := text(m.id.expression, &row, values); id != "" || err != nil || m.contact(&row, values) != nil {
			return "" // it has an id, or cannot be read
		}
		return row.Contact.ID
	})
	if err != nil {
		return nil, err
	}
	again := map[int64]int{}
	for i, which := 1, 1; i < len(list); i++ {
		which++
		if list[i].digest != list[i-1].digest {
			which = 1
			continue
		}
		again[list[i].offset] = which
	}
	return again, nil
}

// number tells a record's made id from those of earlier records that agree with it.
func (i *identity) number(row *record.Row, offset int64) {
	if which := i.again[offset]; which > 0 {
		row.Contact.ID = fmt.Sprintf("%s-%d", row.Contact.ID, which)
	}
}

// makeID makes a contact's id out of its name, first e-mail address and first phone number, or of everything in the record
// if it has no such values. Spelling does not matter: case, spaces, and the punctuation of numbers.
func (m *mapping) makeID(row *record.Row, values [][]byte) string {
	c := &row.Contact
	parts := []string{strings.ToLower(strings.Join(strings.Fields(c.Name), " ")), "", ""}
	if email, ok := firstValue(c.Emails, cell.Emails); ok {
		parts[1] = strings.ToLower(strings.TrimSpace(email))
	}
	if number, ok := firstValue(c.Phones, func(text string) []string { return phone.Split(text, "") }); ok {
		parts[2] = digitsOf(number)
	}
	if strings.Join(parts, "") == "" {
		for i := range m.columns {
			value := []byte(nil)
			if i < len(values) {
				value = trim(values[i])
			}
			parts = append(parts, string(value))
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return autoID + "-" + hex.EncodeToString(sum[:10])
}

// firstValue returns the first value of a list of cells. ok is false where none of them holds one.
func firstValue(cells []string, read func(string) []string) (value string, ok bool) {
	for _, text := range cells {
		if values := read(text); len(values) > 0 {
			return values[0], true
		}
	}
	return "", false
}

func digitsOf(number string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, number)
}
