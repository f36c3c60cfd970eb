package sqltable

import (
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/source/keyset"
)

func TestACountOfOneRowIsSingular(t *testing.T) {
	i := &Inspector{Table: &Table{Dialect: &Dialect{}, Updated: Operand{SQL: "u"}, Stamp: Stamp{Kind: Epochs}}}
	i.FutureRows(keyset.IntValue(1))
	i.OddRows(1, time.Second)
	list := append(i.counts, counts(i.Table)...)
	if len(list) != 5 {
		t.Errorf("%d counts", len(list))
	}
	for _, c := range list {
		one, two := c.problem(1).Message, c.problem(2).Message
		if !strings.HasPrefix(one, "1 ") || strings.HasPrefix(one, "1 rows") || strings.HasPrefix(one, "1 ids") || strings.Contains(one, " have ") {
			t.Errorf("of one row: %s", one)
		}
		if !strings.HasPrefix(two, "2 rows ") && !strings.HasPrefix(two, "2 ids ") {
			t.Errorf("of two rows: %s", two)
		}
	}
}
