package keyset

import (
	"cmp"
	"slices"

	"github.com/contactbridge/contactbridge/source"
)

// Sort puts the worst problems first and keeps the order of equals.
func Sort(problems []source.Problem) {
	rank := map[source.Severity]int{source.Failure: 0, source.Warning: 1, source.Note: 2}
	slices.SortStableFunc(problems, func(a, b source.Problem) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
}
