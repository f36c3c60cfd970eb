package csv

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/internal/cell"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// autoID is the value of id that has ids made. A column of that name is written with backticks.
const autoID = "auto"

// An identity is where a version's ids come from.
type identity struct {
	column int    // index of the column; -1 where ids are made
	name   string // of the column
	chosen string // why it was chosen, where the configuration leaves it open
	// again holds the records whose made id an earlier record has: by their offset, which one of them it is, from 2 on.
	again map[int64]int
}

// configuredID returns the name of the id's column: "" where the configuration leaves the choice open. auto says that ids
// are to be made.
func (c Config) configuredID() (name string, auto bool) {
	if inner, ok := strings.CutPrefix(c.ID, "`"); ok && len(inner) > 1 && strings.HasSuffix(inner, "`") {
		return inner[:len(inner)-1], false
	}
	return c.ID, c.ID == autoID
}

// settleID decides where the ids come from: as configured, else the column with a usual name, else the first column of e-mail
// addresses if each row has one and no two have the same, else they are made.
func (f *file) settleID(ctx context.Context, opened *os.File, v *version) error {
	m := v.mapping
	name, auto := f.factory.cfg.configuredID()
	switch {
	case auto:
		m.id = identity{column: -1}
	case name != "":
		return nil // newMapping has found it
	case m.guess.ID != "":
		m.id = identity{column: slices.Index(m.header, m.guess.ID), name: m.guess.ID, chosen: "its usual name"}
		return nil
	default:
		email := m.emailColumn()
		unique, err := f.isUnique(ctx, opened, v, email)
		if err != nil {
			return err
		}
		if unique {
			m.id = identity{column: email, name: m.header[email], chosen: "no column has a usual name, and every row has an address of its own"}
			return nil
		}
		m.id = identity{column: -1, chosen: "no column identifies the rows"}
	}
	var err error
	m.id.again, err = f.findAgain(ctx, opened, v)
	return err
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

// digests reads the whole file and collects a digest of each good record, sorted. Records without one are counted.
func (f *file) digests(ctx context.Context, opened *os.File, v *version, of func(fields [][]byte) string) (list []digestAt, without int, err error) {
	r := v.records(opened)
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		fault, err := r.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, f.wrap(err)
		}
		if fault != good {
			continue
		}
		value := of(r.fields)
		if value == "" {
			without++
			continue
		}
		sum := source.DigestOf(value)
		list = append(list, digestAt{binary.BigEndian.Uint64(sum[:8]), r.start})
	}
	slices.SortFunc(list, func(a, b digestAt) int {
		return cmp.Or(cmp.Compare(a.digest, b.digest), cmp.Compare(a.offset, b.offset))
	})
	return list, without, nil
}

// isUnique reports whether every row has a value in a column that no other row has, whatever its case.
func (f *file) isUnique(ctx context.Context, opened *os.File, v *version, column int) (bool, error) {
	if column < 0 {
		return false, nil
	}
	list, without, err := f.digests(ctx, opened, v, func(fields [][]byte) string { return strings.ToLower(text(fields[column])) })
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

// findAgain finds the records whose made id an earlier record of the file has.
func (f *file) findAgain(ctx context.Context, opened *os.File, v *version) (map[int64]int, error) {
	var row record.Row
	list, _, err := f.digests(ctx, opened, v, func(fields [][]byte) string {
		v.mapping.contact(&row, fields)
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
func makeID(row *record.Row, fields [][]byte) string {
	c := &row.Contact
	parts := []string{strings.ToLower(strings.Join(strings.Fields(c.Name), " ")), "", ""}
	if len(c.Emails) > 0 {
		parts[1] = strings.ToLower(strings.TrimSpace(cell.Emails(c.Emails[0])[0]))
	}
	if len(c.Phones) > 0 {
		parts[2] = digitsOf(phone.Split(c.Phones[0], "")[0])
	}
	if strings.Join(parts, "") == "" {
		for _, f := range fields {
			parts = append(parts, text(f))
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
