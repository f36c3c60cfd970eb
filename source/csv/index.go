package csv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sort"

	"github.com/contactbridge/contactbridge/source/record"
)

// An index is the order (updated, id) of a version's rows: about 24 bytes and the id for each.
type index struct {
	rows    []place
	ids     []byte // all ids, one behind the other
	horizon int64  // the key up to which the checkpoint may go (E2)

	faults map[int64]string // by the offset of a record that cannot be read: what is wrong with it
}

// A place is one row in the order.
type place struct {
	updated int64 // see stamps; null for rows without a stamp
	offset  int64
	id      uint32 // where it starts in ids
	size    uint32
}

const null = -1 << 63

// unreadable stands for a stamp that is there and cannot be read: nobody knows how new it is, so it is in the future for ever, and
// no checkpoint is made of it (E11).
const unreadable = 1<<63 - 1

// id is a row's id.
func (x *index) id(p place) []byte { return x.ids[p.id : uint64(p.id)+uint64(p.size)] }

// maxIDs is how long all ids may be together.
const maxIDs = 1<<32 - 1

// checkEvery is after how many rows a loop looks whether its context is done.
const checkEvery = 1024

// buildIndex reads every row once.
func (f *file) buildIndex(ctx context.Context, opened *os.File, v *version) (*index, error) {
	x := &index{faults: map[int64]string{}}
	s := f.factory.newStamps()
	r := v.records(opened)
	newest := int64(null)
	var row record.Row
	for n := 0; ; n++ {
		if n%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			x.grow(n, r.end-v.start, v.info.Size()-v.start)
		}
		fault, err := r.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, f.wrap(err)
		}
		if fault == emptyRow {
			continue
		}
		if fault != good { // shown by initial runs, as one that nobody knows (D8)
			x.faults[r.start] = r.explain(fault, r.line)
			x.rows = append(x.rows, place{updated: null, offset: r.start})
			continue
		}
		id := v.idOf(&row, r)
		if len(x.ids)+len(id) > maxIDs {
			return nil, f.broken("%s has more than 4 GiB of ids", "split it")
		}
		p := place{updated: null, offset: r.start, id: uint32(len(x.ids)), size: uint32(len(id))}
		stamp := text(r.fields[v.mapping.updated])
		if key, ok := s.key(stamp); ok {
			p.updated = key
			newest = max(newest, key)
		} else if stamp != "" {
			p.updated = unreadable
		}
		x.ids = append(x.ids, id...)
		x.rows = append(x.rows, p)
	}
	x.sort()
	x.horizon = null
	if newest != null {
		x.horizon = s.horizon(v.info.ModTime(), newest, f.factory.cfg.Overlap)
	}
	return x, nil
}

// idOf returns the id of the record that was read last.
func (v *version) idOf(row *record.Row, r *records) string {
	if column := v.mapping.id.column; column >= 0 {
		return text(r.fields[column])
	}
	v.mapping.contact(row, r.fields)
	v.mapping.id.number(row, r.start)
	return row.Contact.ID
}

// grow makes room for all rows once some have shown how long they are, so that the memory is not copied again and again.
func (x *index) grow(rows int, read, size int64) {
	if rows != checkEvery || read <= 0 {
		return
	}
	factor := float64(size) / float64(read) * 1.1
	x.rows = slices.Grow(x.rows, int(factor*float64(len(x.rows))))
	x.ids = slices.Grow(x.ids, int(min(factor*float64(len(x.ids)), maxIDs)))
}

// sort brings the rows into their order. Of those with one stamp and id the last row is kept: it replaces the others. Rows without
// an id are all kept.
func (x *index) sort() {
	slices.SortFunc(x.rows, func(a, b place) int {
		if order := x.compare(a, b); order != 0 {
			return order
		}
		return cmp.Compare(b.offset, a.offset)
	})
	x.rows = slices.CompactFunc(x.rows, func(a, b place) bool { return x.compare(a, b) == 0 })
}

func (x *index) compare(a, b place) int {
	if a.updated != b.updated {
		return cmp.Compare(a.updated, b.updated)
	}
	if a.size == 0 && b.size == 0 {
		return cmp.Compare(a.offset, b.offset)
	}
	return bytes.Compare(x.id(a), x.id(b))
}

// behind is the first row behind a place of the order; hasID false stands behind every id.
func (x *index) behind(updated int64, id string, hasID bool) int {
	return sort.Search(len(x.rows), func(i int) bool {
		p := x.rows[i]
		if p.updated != updated {
			return p.updated > updated
		}
		return hasID && string(x.id(p)) > id
	})
}
