package keyset_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source/keyset"
)

func TestACountOfOneRowIsSingular(t *testing.T) {
	counts := append(keyset.Counts("t", "id", "updated"), keyset.FutureRows(""), keyset.OddRows("", "seconds"))
	for _, c := range counts {
		one, two := c.Problem(1).Message, c.Problem(2).Message
		if !strings.HasPrefix(one, "1 ") || strings.HasPrefix(one, "1 rows") || strings.HasPrefix(one, "1 ids") || strings.Contains(one, " have ") {
			t.Errorf("of one row: %s", one)
		}
		if !strings.HasPrefix(two, "2 rows ") && !strings.HasPrefix(two, "2 ids ") {
			t.Errorf("of two rows: %s", two)
		}
	}
}
