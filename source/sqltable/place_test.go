package sqltable

import (
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// position is that of a row.
func position(segment keyset.Segment, stamp int64, id string) *keyset.Position {
	return &keyset.Position{Segment: segment, Updated: keyset.IntValue(stamp), ID: keyset.TextValue(id)}
}

// An order that does not hold would lose contacts: the run stops instead (E8).
func TestOrderThatGoesBackwardsE8(t *testing.T) {
	var p place
	p.begin(keyset.Page{Segment: keyset.Main})
	for i, c := range []struct {
		stamp         int64
		id            string
		fresh, broken bool
	}{{5, "1", true, false}, {5, "2", true, false}, {5, "2", false, false}, {6, "2", true, false}, {5, "9", false, true}} {
		fresh, err := p.move(position(keyset.Main, c.stamp, c.id))
		if fresh != c.fresh || (err != nil) != c.broken {
			t.Errorf("row %d: fresh %v, error %v", i, fresh, err)
		}
		if c.broken && bridge.CodeOf(err) != bridge.CodeSourceBroken {
			t.Errorf("row %d: %v", i, err)
		}
	}
	for _, segment := range []keyset.Segment{keyset.Nulls, keyset.Main, keyset.Tail, keyset.Again} {
		at := position(segment, 5, "2")
		p.begin(keyset.Page{Segment: segment, After: true, Updated: at.Updated, ID: at.ID})
		if _, err := p.move(at); bridge.CodeOf(err) != bridge.CodeSourceBroken {
			t.Errorf("segment %d: the place that the page began after comes again: %v", segment, err)
		}
	}
	// A page may begin after every id of a stamp.
	p.begin(keyset.Page{Segment: keyset.Main, After: true, Updated: keyset.IntValue(5)})
	if fresh, err := p.move(position(keyset.Main, 6, "1")); !fresh || err != nil {
		t.Errorf("fresh %v, error %v", fresh, err)
	}
}

// A row's texts are views of a buffer that is used again.
func TestAPlaceKeepsCopies(t *testing.T) {
	buffer := []byte("abc")
	at := keyset.Position{Segment: keyset.Main, Updated: keyset.Value{Kind: keyset.Text, Text: View(buffer)}, ID: keyset.TextValue(View(buffer))}
	var p place
	p.begin(keyset.Page{Segment: keyset.Main})
	if _, err := p.move(&at); err != nil {
		t.Fatal(err)
	}
	copy(buffer, "xyz")
	if updated, id := p.copy(at); updated.Text != "abc" || id.Text != "abc" {
		t.Errorf("the place is %q, %q", updated.Text, id.Text)
	}
}
