package file

import (
	"errors"
	"fmt"
	"io"
	"sort"
)

// A cursor reads the records of a version one after the other, from any place on, across its files. Its offsets are those of all
// files: what comes before a file, and the offset in it.
type cursor struct {
	Record // the last one; its places have the version's offsets

	o       *opened
	part    int     // the file that the last record is in, and the next one or the end of it
	records Records // of that file; nil where it is not open
	values  [][]byte
	bare    []bool
	look    func(values [][]byte) // at the values as they are in the file; may be nil
}

// cursor returns a reader of the version's records from the first one on.
func (o *opened) cursor() *cursor { return &cursor{o: o} }

// seek makes the record at a place the next one. The zero Place is the first record.
func (c *cursor) seek(at Place) error {
	if c.o.version.spool == nil {
		part, base := c.o.version.partAt(at.Offset)
		at.Offset -= base
		if c.records == nil || c.part != part {
			if err := c.openPart(part); err != nil {
				return err
			}
		}
	} else if c.records == nil {
		c.records = c.o.version.spool.reader()
	}
	c.records.(Seeker).Seek(at)
	c.End, c.Uncut = Place{Offset: at.Offset + c.base(), Line: at.Line}, false
	return nil
}

// partAt returns the file that an offset is in, and what its offsets begin with.
func (v *version) partAt(offset int64) (part int, base int64) {
	if len(v.parts) > 1 {
		part = max(sort.Search(len(v.parts), func(i int) bool { return v.parts[i].base > offset })-1, 0)
	}
	return part, v.parts[part].base
}

// openPart makes a file the one that is read.
func (c *cursor) openPart(part int) (err error) {
	c.records, err = c.o.records(part)
	c.part = part
	return err
}

// base is added to the offsets of the file that is read.
func (c *cursor) base() int64 {
	if c.o.version.spool != nil {
		return 0
	}
	return c.o.version.parts[c.part].base
}

// next reads the next record. At the end of the last file the error is io.EOF.
func (c *cursor) next() error {
	if c.records == nil {
		if err := c.begin(c.part); err != nil {
			return err
		}
	}
	for {
		err := c.records.Next(&c.Record)
		if err == nil {
			c.place()
			c.repair()
			return nil
		}
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if c.o.version.spool != nil || c.part == len(c.o.version.parts)-1 {
			return io.EOF
		}
		if err := c.begin(c.part + 1); err != nil {
			return err
		}
	}
}

// begin goes to the first record of a file.
func (c *cursor) begin(part int) error {
	if c.o.version.spool != nil {
		c.records = c.o.version.spool.reader()
		return nil
	}
	if err := c.openPart(part); err != nil {
		return err
	}
	if seeker, ok := c.records.(Seeker); ok {
		seeker.Seek(Place{})
	}
	return nil
}

// place puts a record where it is among those of all files.
func (c *cursor) place() {
	if spooled, ok := c.records.(*spoolReader); ok {
		c.part = spooled.part
		return
	}
	base := c.base()
	c.Start.Offset += base
	c.End.Offset += base
	if order := c.o.version.parts[c.part].order; order != nil {
		c.reorder(order)
	}
}

// repair removes invalid text from the values.
func (c *cursor) repair() {
	if c.Clean || c.Fault != nil {
		return
	}
	if c.look != nil {
		c.look(c.Values)
	}
	for i, value := range c.Values {
		c.Values[i] = repair(value)
	}
}

// reorder puts the values where the version's columns are.
func (c *cursor) reorder(order []int) {
	if c.values == nil {
		c.values, c.bare = make([][]byte, len(c.o.version.columns)), make([]bool, len(c.o.version.columns))
	}
	clear(c.values)
	for i, value := range c.Values[:min(len(c.Values), len(order))] {
		c.values[order[i]] = value
	}
	c.Values = c.values
	if c.Bare == nil {
		return
	}
	clear(c.bare)
	for i, bare := range c.Bare[:min(len(c.Bare), len(order))] {
		c.bare[order[i]] = bare
	}
	c.Bare = c.bare
}

// where says for people where the last record is: "line 12", and in which file, if there are several.
func (c *cursor) where() string {
	traits := c.o.files.factory.traits
	text := ""
	if c.Start.Line > 0 {
		text = fmt.Sprintf("%s %d", traits.Unit, c.Start.Line)
	}
	if name := c.o.version.files[c.part].name; name != "" {
		if text != "" {
			text += " of "
		}
		text += c.o.files.label(name)
	}
	return text
}

// explain says that the last record cannot be read, and where it is: "line 12 cannot be read: a quote is not closed".
func (c *cursor) explain(reason string) string { return c.where() + " cannot be read: " + reason }
