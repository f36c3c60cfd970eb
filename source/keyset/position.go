package keyset

import (
	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// A Position is a place in the order of a run: after one row.
type Position struct {
	Segment Segment
	Updated Value // segment Main only
	ID      Value // None: after every id
	Bound   Value // the greatest id that the segment's pages go to; None where it is not known yet, and in segment Main
}

// AppendPosition appends a position in binary to dst.
func AppendPosition(dst []byte, p Position) bridge.Position {
	dst = append(dst, byte(p.Segment))
	if p.Segment == Main {
		dst = AppendValue(dst, p.Updated)
		return AppendValue(dst, p.ID)
	}
	dst = AppendValue(dst, p.ID)
	return AppendValue(dst, p.Bound)
}

// AppendCut is AppendPosition for a place that a page may end at. It is empty where the id is longer than that of any contact: the offset
// would be too long. A bound that is as long is left out, and asked for again by the next page.
func AppendCut(dst []byte, p Position) bridge.Position {
	if len(p.ID.Text) > contact.MaxID {
		return dst
	}
	if len(p.Bound.Text) > contact.MaxID {
		p.Bound = Value{}
	}
	return AppendPosition(dst, p)
}

// ParsePosition reads what [AppendPosition] wrote. Anything else is an error.
func ParsePosition(b bridge.Position) (Position, error) {
	r := reader{rest: b}
	p := Position{Segment: Segment(r.byte())}
	switch p.Segment {
	case Main:
		p.Updated = r.value()
		r.bad = r.bad || p.Updated.Kind == None
		p.ID = r.value()
	case Nulls, Tail, Again, End:
		p.ID = r.value()
		p.Bound = r.value()
	default:
		r.bad = true
	}
	return p, r.end()
}
