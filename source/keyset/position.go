package keyset

import "github.com/contactbridge/contactbridge/bridge"

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
