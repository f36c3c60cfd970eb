package file

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sort"
	"time"

	"github.com/contactbridge/contactbridge/source/record"
)

// An index is the order (updated, id) of a version's records: 21 bytes and the id for each. It stays in memory as long as the version
// is read, and the heap grows to twice of that before its garbage is collected: so the rows are packed.
type index struct {
	rows    []place
	ids     []byte // all ids, one after the other, each after its length
	horizon int64  // the key up to which the checkpoint may go (E2)

	faults map[int64]string // by the offset of a record that cannot be read: what is wrong with it
}

// A place is one record in the order. Its 64-bit numbers are in two halves, so that nothing is lost to alignment.
type place struct {
	stamp, start halves
	id           uint32 // where it starts in ids
}

// halves are the upper and the lower half of a number.
type halves [2]uint32

func split(n int64) halves { return halves{uint32(uint64(n) >> 32), uint32(n)} }

func (h halves) joined() int64 { return int64(uint64(h[0])<<32 | uint64(h[1])) }

// updated returns a record's stamp, as [stamps] has it; null for records without one.
func (p place) updated() int64 { return p.stamp.joined() }

// offset returns where a record starts.
func (p place) offset() int64 { return p.start.joined() }

const null = -1 << 63

// unreadable stands for a stamp that is there and cannot be read: it is unknown how new it is, so it is in the future for ever, and
// no checkpoint is made of it (E11).
const unreadable = 1<<63 - 1

// id returns a record's id.
func (x *index) id(p place) []byte {
	size, n := binary.Uvarint(x.ids[p.id:])
	return x.ids[p.id:][n : n+int(size)]
}

// append takes in a record.
func (x *index) append(updated, offset int64, id string) {
	x.rows = append(x.rows, place{stamp: split(updated), start: split(offset), id: uint32(len(x.ids))})
	x.ids = append(binary.AppendUvarint(x.ids, uint64(len(id))), id...)
}

// maxIDs is how long all ids may be together.
const maxIDs = 1<<32 - 1

// An indexing builds an index.
type indexing struct {
	*index
	version *version
	stamps  *stamps
	newest  []int64 // the newest stamp of each file; null if it has no stamp
	row     record.Row
	stamp   record.Row // for updated
}

// buildIndex reads every record once.
func (o *opened) buildIndex(ctx context.Context) (*index, error) {
	v := o.version
	x := &indexing{index: &index{faults: map[int64]string{}}, version: v, stamps: o.files.factory.newStamps(), newest: make([]int64, len(v.parts))}
	for i := range x.newest {
		x.newest[i] = null
	}
	c := o.cursor()
	for n := 0; ; n++ {
		if n%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			x.grow(n, c.End.Offset, v)
		}
		if err := c.next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, o.files.wrapReading(ctx, err)
		}
		if !x.add(c) {
			return nil, Broken(o.files.name()+" has more than 4 GiB of ids", "Split it.")
		}
		if !c.Uncut {
			v.starts.passed(c.End) // no other goroutine has the version yet
		}
	}
	x.sort()
	x.horizon = x.safe(o.files.factory.cfg.Overlap)
	return x.index, nil
}

// add takes in the last record of a cursor. It returns false if there is no room for its id.
func (x *indexing) add(c *cursor) bool {
	if c.Fault != nil {
		x.reject(c, c.Reason)
		return true
	}
	m := x.version.mapping
	x.stamp.Bare, x.row.Bare = c.Bare, c.Bare
	stamp, err := text(m.updated, &x.stamp, c.Values)
	if err != nil {
		x.reject(c, err.Error())
		return true
	}
	id, err := m.idOf(&x.row, c)
	if err != nil {
		x.reject(c, err.Error())
		return true
	}
	if len(x.ids)+binary.MaxVarintLen32+len(id) > maxIDs {
		return false
	}
	updated := int64(null)
	if key, ok := x.stamps.key(stamp); ok {
		updated = key
		x.newest[c.part] = max(x.newest[c.part], key)
	} else if stamp != "" {
		updated = unreadable
	}
	x.append(updated, c.Start.Offset, id)
	return true
}

// reject takes in a record that cannot be read: it is shown by initial runs, as an unknown contact (D8).
func (x *indexing) reject(c *cursor, reason string) {
	x.faults[c.Start.Offset] = c.explain(reason)
	x.append(null, c.Start.Offset, "")
}

// safe returns the horizon: that of the file of which a later version may bring the oldest stamps.
func (x *indexing) safe(overlap time.Duration) int64 {
	horizon := int64(unreadable)
	for i, newest := range x.newest {
		if newest == null {
			return null
		}
		horizon = min(horizon, x.stamps.horizon(x.version.files[i].info.ModTime(), newest, overlap))
	}
	return horizon
}

// sampledRows is after how many records it can be told how long all of them are: the first ones have shorter ids than most.
const sampledRows = 16 * checkEvery

// grow makes room for all rows once some have shown how long they are, so that the memory is not copied again and again, and again where
// later ones are longer. rows have been read, up to an offset; it is called for each checkEvery of them.
func (x *index) grow(rows int, read int64, v *version) {
	if rows < sampledRows || read <= 0 {
		return
	}
	factor := max(float64(v.readSize())/float64(read)-1, 0) * 1.05
	if cap(x.rows)-len(x.rows) < checkEvery {
		more := int(factor*float64(len(x.rows))) + checkEvery
		if v.spool != nil { // it knows
			more = v.spool.records - rows
		}
		x.rows = slices.Grow(x.rows, more)
	}
	if next := checkEvery * (len(x.ids)/rows + 1); cap(x.ids)-len(x.ids) < 2*next {
		x.ids = slices.Grow(x.ids, int(min(factor*float64(len(x.ids))+float64(2*next), maxIDs)))
	}
}

// sort brings the rows into their order. Of those with one stamp and id the last row is kept: it replaces the others. Rows without
// an id are all kept.
func (x *index) sort() {
	slices.SortFunc(x.rows, func(a, b place) int {
		if order := x.compare(a, b); order != 0 {
			return order
		}
		return cmp.Compare(b.offset(), a.offset())
	})
	x.rows = slices.CompactFunc(x.rows, func(a, b place) bool { return x.compare(a, b) == 0 })
}

func (x *index) compare(a, b place) int {
	if order := cmp.Compare(a.updated(), b.updated()); order != 0 {
		return order
	}
	one, other := x.id(a), x.id(b)
	if len(one) == 0 && len(other) == 0 {
		return cmp.Compare(a.offset(), b.offset())
	}
	return bytes.Compare(one, other)
}

// after returns the first row after a place of the order; hasID false stands after every id.
func (x *index) after(updated int64, id string, hasID bool) int {
	return sort.Search(len(x.rows), func(i int) bool {
		p := x.rows[i]
		if p.updated() != updated {
			return p.updated() > updated
		}
		return hasID && string(x.id(p)) > id
	})
}
