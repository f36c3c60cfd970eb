package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/source"
)

// A version is the content of all files at one time. Nothing in it changes once it is known, but for what is counted.
type version struct {
	files  []found
	many   bool   // there may be other files at another time
	settle bool   // a file was so young that it may change once more without its time changing
	began  uint64 // which examination found it
	sum    digest // of the content, the names and the configuration
	names  digest // of the names of many; zero for one file

	parts   []part
	spool   *spool // what the records are read from, where the format cannot seek
	columns []string
	mapping *mapping
	index   *index // nil without updated
	starts  *starts
	count   atomic.Int64
	warned  atomic.Bool
}

// A part holds what is known about one file of a version.
type part struct {
	sum      digest // of the content
	base     int64  // what its offsets begin with among those of all files
	table    Table  // nil once there is a spool
	columns  []string
	order    []int  // where its columns are among the version's; nil where they are the first ones in their order
	what     string // the format in this file
	problems []source.Problem
}

// A digest is a SHA-256.
type digest [sha256.Size]byte

// young is how recent a time of modification must be for a file to be able to change within its precision.
const young = 2 * time.Second

// newVersion begins to describe files that were found.
func newVersion(list []found, many bool, now time.Time) *version {
	v := &version{files: list, many: many, parts: make([]part, len(list))}
	v.count.Store(-1)
	base := int64(0)
	for i, file := range list {
		v.parts[i].base = base
		base += file.info.Size() + 1 // so that the end of one file is not the start of the next
		v.settle = v.settle || now.Sub(file.info.ModTime()) < young
	}
	return v
}

// size returns how many bytes all files have together.
func (v *version) size() int64 {
	size := int64(0)
	for _, file := range v.files {
		size += file.info.Size()
	}
	return size
}

// readSize returns how far the offsets of the records go.
func (v *version) readSize() int64 {
	if v.spool != nil {
		return v.spool.size
	}
	last := len(v.parts) - 1
	return v.parts[last].base + v.files[last].info.Size()
}

// modified is when the last file was written.
func (v *version) modified() time.Time {
	return slices.MaxFunc(v.files, func(a, b found) int { return a.info.ModTime().Compare(b.info.ModTime()) }).info.ModTime()
}

// examine reads all files: their digest, their columns, and with updated their index. before is the version that was known
// until now, or nil.
func (f *files) examine(ctx context.Context, list []found, many bool, before *version) (*version, error) {
	v := newVersion(list, many, f.factory.deps.Clock.Now())
	o := &opened{files: f, version: v}
	defer o.closeFiles()
	if err := o.digest(ctx, before); err != nil {
		return nil, err
	}
	if before != nil && before.sum == v.sum && sameTimes(before.files, v.files) {
		v.take(before)
	} else if err := o.learn(ctx); err != nil {
		v.discard()
		return nil, err
	}
	if err := o.settled(); err != nil {
		v.discard()
		return nil, err
	}
	return v, nil
}

func sameTimes(a, b []found) bool {
	return slices.EqualFunc(a, b, func(a, b found) bool { return a.info.ModTime().Equal(b.info.ModTime()) })
}

// take takes over what an earlier version of the same content has.
func (v *version) take(before *version) {
	v.parts, v.columns, v.mapping = before.parts, before.columns, before.mapping
	v.spool, v.index, v.starts = before.spool, before.index, before.starts
	v.spool.retain()
	v.count.Store(before.count.Load())
	v.warned.Store(before.warned.Load())
}

// retain keeps what a version holds until it is discarded once more.
func (v *version) retain() {
	if v != nil {
		v.spool.retain()
	}
}

// discard gives back what a version holds.
func (v *version) discard() {
	if v != nil {
		v.spool.release()
	}
}

// learn finds out what there is to know about a version that is new.
func (o *opened) learn(ctx context.Context) error {
	v := o.version
	if err := o.openTables(ctx); err != nil {
		return err
	}
	v.arrange()
	var err error
	if v.mapping, err = o.files.newMapping(v); err != nil {
		return err
	}
	if err = o.fillSpool(ctx); err != nil {
		return err
	}
	v.starts = newStarts()
	if err = o.settleID(ctx); err != nil {
		return err
	}
	if v.mapping.updated != nil {
		v.index, err = o.buildIndex(ctx)
	}
	return err
}

// openTables has the format read the beginning of each file.
func (o *opened) openTables(ctx context.Context) error {
	for i := range o.version.parts {
		in, err := o.input(i)
		if err != nil {
			return err
		}
		table, err := o.files.factory.format.Open(ctx, in)
		if err != nil {
			return o.files.wrapReading(ctx, err)
		}
		p := &o.version.parts[i]
		p.table, p.columns = table, table.Columns()
		p.what, p.problems = table.Describe()
	}
	return nil
}

// arrange makes one list of columns out of those of all files. Of columns with one name, the first ones of each file are one
// column, the second ones another.
func (v *version) arrange() {
	type key struct {
		name  string
		which int
	}
	places := map[key]int{}
	for i := range v.parts {
		p := &v.parts[i]
		names := p.columns
		order, moved, which := make([]int, len(names)), false, map[string]int{}
		for j, name := range names {
			k := key{name, which[name]}
			which[name]++
			at, known := places[k]
			if !known {
				at = len(v.columns)
				places[k] = at
				v.columns = append(v.columns, name)
			}
			order[j] = at
			moved = moved || at != j
		}
		if moved {
			p.order = order
		}
	}
}

// digest is that of the content and the names of all files, together with what the configuration makes of them: any of it
// changes what contacts look like. A file that has not changed since before is not read again.
func (o *opened) digest(ctx context.Context, before *version) error {
	v := o.version
	all := sha256.New()
	fmt.Fprintf(all, "%q\n", o.files.factory.shape)
	names := sha256.New()
	for i := range v.parts {
		p := &v.parts[i]
		if sum, ok := before.sumOf(v.files[i]); ok {
			p.sum = sum
		} else if err := o.digestPart(ctx, i); err != nil {
			return err
		}
		fmt.Fprintf(names, "%q\n", v.files[i].name)
		fmt.Fprintf(all, "%q %x\n", v.files[i].name, p.sum)
	}
	v.sum = digest(all.Sum(nil))
	if v.many {
		v.names = digest(names.Sum(nil))
	}
	return nil
}

// sumOf returns the digest of a file that has not changed since it settled.
func (v *version) sumOf(file found) (digest, bool) {
	if v == nil || v.settle {
		return digest{}, false
	}
	i, ok := slices.BinarySearchFunc(v.files, file.name, func(f found, name string) int { return strings.Compare(f.name, name) })
	if !ok || !sameFile(v.files[i].info, file.info) {
		return digest{}, false
	}
	return v.parts[i].sum, true
}

// digestPart reads one file for its digest.
func (o *opened) digestPart(ctx context.Context, i int) error {
	in, err := o.input(i)
	if err != nil {
		return err
	}
	h := sha256.New()
	if err := copyTo(ctx, h, in); err != nil {
		return o.files.wrapReading(ctx, err)
	}
	o.version.parts[i].sum = digest(h.Sum(nil))
	return nil
}

// copyTo gives a whole input to a hash.
func copyTo(ctx context.Context, h hash.Hash, in Input) error {
	buffer := make([]byte, 256<<10)
	for offset := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.ReadAt(buffer, offset)
		h.Write(buffer[:n])
		offset += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
