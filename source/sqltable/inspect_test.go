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

func TestUTCIsToldByItsOffset(t *testing.T) {
	for name, want := range map[string]bool{"UTC": true, "Etc/UTC": true, "Etc/GMT+0": true, "Europe/London": false, "Europe/Berlin": false, "Etc/GMT-2": false} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		if isUTC(zone) != want {
			t.Errorf("%s: %v, want %v", name, !want, want)
		}
	}
}
