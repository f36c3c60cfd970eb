package sqltable

import (
	"strings"

	"github.com/contactbridge/contactbridge/source/keyset"
)

// A place is that of the last row, to see that the order holds and that no row comes twice. It keeps copies.
type place struct {
	seen        bool
	updated, id kept
	rows        int
}

// A kept is a copy of a value with a text that is only valid for a while.
type kept struct {
	kind    keyset.Kind
	integer int64
	real    float64
	text    []byte // used again
}

func (k *kept) set(v *keyset.Value) {
	k.kind, k.integer, k.real = v.Kind, v.Int, v.Real
	k.text = append(k.text[:0], v.Text...)
}

func (k *kept) is(v *keyset.Value) bool {
	return k.kind == v.Kind && k.integer == v.Int && k.real == v.Real && string(k.text) == v.Text
}

// isAfter reports whether the copy comes after a value.
func (k *kept) isAfter(v *keyset.Value) bool {
	if k.kind == keyset.Int && v.Kind == keyset.Int {
		return k.integer > v.Int
	}
	return keyset.Compare(keyset.Value{Kind: k.kind, Int: k.integer, Real: k.real, Text: View(k.text)}, *v) > 0
}

// value returns the copy, with a text of its own.
func (k *kept) value() keyset.Value {
	return keyset.Value{Kind: k.kind, Int: k.integer, Real: k.real, Text: string(k.text)}
}

// begin is where a page begins.
func (l *place) begin(page keyset.Page) {
	l.seen, l.rows = page.After, 0
	l.updated.set(&page.Updated)
	l.id.set(&page.ID)
}

// move goes on to a row. It is not fresh if its place is that of the last one: where ids are not unique. A row before the
// last one, or at the place that the page was to begin after, means that the order cannot be relied on (E8).
func (l *place) move(at *keyset.Position) (fresh bool, err error) {
	main := at.Segment == keyset.Main
	same := l.seen && at.ID.Kind != keyset.None && l.id.is(&at.ID) && (!main || l.updated.is(&at.Updated))
	if l.seen && main && l.updated.isAfter(&at.Updated) || same && l.rows == 0 {
		return false, orderError()
	}
	l.rows++
	l.seen = true
	l.id.set(&at.ID)
	if main {
		l.updated.set(&at.Updated)
	}
	return !same, nil
}

// copy returns the place of the last row as values that stay valid.
func (l *place) copy(at keyset.Position) (updated, id keyset.Value) {
	if l.rows == 0 {
		return at.Updated, at.ID
	}
	if at.Segment == keyset.Main {
		updated = l.updated.value()
	}
	return updated, l.id.value()
}

// Keep returns a value with a text of its own.
func Keep(v keyset.Value) keyset.Value {
	v.Text = strings.Clone(v.Text)
	return v
}
