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
	column   int    // index of the column; -1 where all ids are made
	name     string // of the column
	fallback bool   // ids are made for records without a value in the column
	chosen   string // why it was chosen, where the configuration leaves it open
	// again holds the records whose made id an earlier record has: by their offset, which one of them it is, from 2 on.
	again map[int64]int
}

// makes reports whether ids of some records are made.
func (i *identity) makes() bool { return i.column < 0 || i.fallback }

// settleID decides where the ids come from: as configured, else the column with a usual name, else the first column of e-mail
// addresses if each record has one and no two have the same, else they are made.
func (o *opened) settleID(ctx context.Context) error {
	m := o.version.mapping
	name, auto := o.files.factory.cfg.configuredID()
	switch {
	case auto:
		m.id = identity{column: -1}
	case name != "":
		return nil // newMapping has found it
	case m.guess.ID != "" && o.version.haveAll(m.guess.ID):
		m.id = identity{column: slices.Index(m.columns, m.guess.ID), name: m.guess.ID, chosen: "its usual name", fallback: m.knows}
	default:
		email := m.emailColumn()
		unique, err := o.isUnique(ctx, email)
		if err != nil {
			return err
		}
		if unique {
			m.id = identity{column: email, name: m.columns[email], chosen: "no column has a usual name, and every row has an address of its own"}
			return nil
		}
		m.id = identity{column: -1, chosen: "no column identifies the rows"}
	}
	if !m.id.makes() {
		return nil
	}
	var err error
	m.id.again, err = o.findAgain(ctx)
	return err
}

// haveAll reports whether every file has a column.
func (v *version) haveAll(name string) bool {
	return !slices.ContainsFunc(v.parts, func(p part) bool { return !slices.Contains(p.columns, name) })
}

// emailColumn returns the first column of e-mail addresses, or -1.
func (m *mapping) emailColumn() int {
	for _, f := range m.fields {
		if f.column.Field == record.FieldEmails {
			return f.indexes[0]
		}
	}
	return -1
}

// A digestAt is 8 bytes of a record's digest, and where the record starts.
type digestAt struct {
	digest uint64
	offset int64
}

// digests reads all files and collects a digest of each good record, sorted. Records without one are counted.
func (o *opened) digests(ctx context.Context, of func(values [][]byte) string) (list []digestAt, without int, err error) {
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
		value := of(c.Values)
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
	m := o.version.mapping
	list, without, err := o.digests(ctx, func(values [][]byte) string { return strings.ToLower(m.text(values, column)) })
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

// findAgain finds the records whose made id an earlier record has.
func (o *opened) findAgain(ctx context.Context) (map[int64]int, error) {
	var row record.Row
	m := o.version.mapping
	list, _, err := o.digests(ctx, func(values [][]byte) string {
		if m.text(values, m.id.column) != "" {
			return "" // it has an id
		}
		m.contact(&row, values)
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
// where it has none of them. Spelling does not matter: case, spaces, and the punctuation of numbers.
func (m *mapping) makeID(row *record.Row, values [][]byte) string {
	c := &row.Contact
	parts := []string{strings.ToLower(strings.Join(strings.Fields(c.Name), " ")), "", ""}
	if len(c.Emails) > 0 {
		parts[1] = strings.ToLower(strings.TrimSpace(cell.Emails(c.Emails[0])[0]))
	}
	if len(c.Phones) > 0 {
		parts[2] = digitsOf(phone.Split(c.Phones[0], "")[0])
	}
	if strings.Join(parts, "") == "" {
		for i := range m.columns {
			parts = append(parts, m.text(values, i))
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return autoID + "-" + hex.EncodeToString(sum[:10])
}

func digitsOf(number string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, number)
}
