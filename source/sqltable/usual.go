package sqltable

import "github.com/contactbridge/contactbridge/source/record"

// usualColumns returns the columns with the usual names. Columns that make one value are joined; those that are empty are left out.
func usualColumns(guess record.Guess, d *Dialect) []record.Column {
	var list []record.Column
	for _, g := range guess.Fields {
		if g.Join != "" {
			list = append(list, record.Column{Field: g.Field, From: joined(g, d), Auto: true, Found: g.Columns})
			continue
		}
		for _, name := range g.Columns {
			list = append(list, record.Column{Field: g.Field, From: d.Quote(name), Auto: true, Found: []string{name}})
		}
	}
	if guess.Country != "" {
		list = append(list, record.Column{Field: record.FieldCountry, From: d.Quote(guess.Country), Auto: true, Found: []string{guess.Country}})
	}
	return list
}

func joined(g record.Guessed, d *Dialect) string {
	values := make([]string, len(g.Columns))
	for i, name := range g.Columns {
		text, _ := d.value(Expression{SQL: d.Quote(name), Field: g.Field})
		values[i] = "NULLIF(" + text + ", '')"
	}
	return d.join(g.Join, values)
}
