package sqltable

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// A rowSession has one row many times, with another id and stamp each time.
type rowSession struct {
	ids    []string
	values []keyset.Value
}

func (s *rowSession) Query(_ context.Context, _ Statement, row func([]keyset.Value) (bool, error)) error {
	for i, id := range s.ids {
		s.values[0], s.values[1] = keyset.TextValue(id), keyset.IntValue(int64(i))
		if more, err := row(s.values); err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *rowSession) Describe(context.Context, string) ([]Type, error) { return nil, nil }

func (s *rowSession) Release(context.Context) {}

// What a page allocates does not grow with its rows.
func TestRowsAllocateNothing(t *testing.T) {
	table := &Table{
		Dialect: &Dialect{}, From: "t", ID: Operand{SQL: "(id)"}, Updated: Operand{SQL: "(u)"}, Deleted: "(gone)", Stamp: Stamp{Kind: Instants},
		Columns: []Column{
			{Column: record.Column{Field: record.FieldName}},
			{Column: record.Column{Field: record.FieldPhones}, Lists: MaybeJSON},
			{Column: record.Column{Field: record.FieldCustom, Key: "Plan"}},
		},
	}
	table.complete()
	text := keyset.TextValue
	pageOf := func(rows int) float64 {
		s := &rowSession{values: []keyset.Value{{}, {}, text("no"), text("Jane Doe"), text("+12125550187"), text("gold")}}
		for i := range rows {
			s.ids = append(s.ids, fmt.Sprintf("c%05d", i))
		}
		p := newPages(s, table)
		return testing.AllocsPerRun(5, func() {
			result, err := p.Fetch(t.Context(), keyset.Page{Segment: keyset.Main, To: keyset.IntValue(1 << 40)}, func(bridge.Change) bool { return true })
			if err != nil || result.Changes != rows || result.Last.ID.Text != s.ids[rows-1] {
				t.Fatalf("%+v, %v", result, err)
			}
		})
	}
	// A few more come from the runtime under the race detector. One row in a hundred would be 20.
	if few, many := pageOf(10), pageOf(2000); many >= few+20 {
		t.Errorf("a page of 10 rows allocates %v times, one of 2000 rows %v times", few, many)
	}
}

func TestJSONThatSaysNothingGivesNoValues(t *testing.T) {
	table := &Table{Dialect: &Dialect{}, From: "t", ID: Operand{SQL: "(id)"}, Columns: []Column{
		{Column: record.Column{Field: record.FieldPhones}, Lists: MaybeJSON}, {Column: record.Column{Field: record.FieldEmails}, Lists: IsJSON},
	}}
	table.complete()
	p := newPages(&rowSession{}, table)
	values := make([]keyset.Value, table.prefix)
	for _, nothing := range []string{"[]", "{}", `[""]`, "[null]", `[{"type":"work","number":""}]`} {
		p.texts = []string{nothing, nothing}
		p.fill(values)
		if c := p.row.Contact; len(c.Phones)+len(c.Emails) > 0 {
			t.Errorf("%s gives %q and %q", nothing, c.Phones, c.Emails)
		}
	}
	p.texts = []string{"[,]", "null"}
	p.fill(values)
	if c := p.row.Contact; len(c.Phones) != 1 || c.Phones[0] != "[,]" || len(c.Emails) > 0 {
		t.Errorf("a text that is not JSON, and the null of JSON, give %q and %q", c.Phones, c.Emails)
	}
}

// D7: a number in a deleted column means what its text means.
func TestNumbersOfDeletedMeanWhatTheirTextMeansD7(t *testing.T) {
	list := []keyset.Value{{Kind: keyset.Real, Real: math.NaN()}, {Kind: keyset.Real, Real: math.Inf(1)}, {Kind: keyset.Real, Real: math.Copysign(0, -1)}}
	for _, i := range []int64{0, 1, -1, 9999, 1970, math.MaxInt64, math.MinInt64} {
		list = append(list, keyset.IntValue(i), keyset.Value{Kind: keyset.Real, Real: float64(i)}, keyset.Value{Kind: keyset.Real, Real: float64(i) / 1e9})
	}
	for _, v := range list {
		if got, want := gone(v), source.IsGone(idText(&v)); got != want {
			t.Errorf("%v is gone: %v, its text %q: %v", v, got, idText(&v), want)
		}
	}
	if gone(keyset.Value{}) {
		t.Error("null is gone")
	}
}
