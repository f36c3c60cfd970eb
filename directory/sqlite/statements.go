package sqlite

import "strings"

// chunkSize is how many rows one statement writes: more gain nothing and make statements that are long to parse.
const chunkSize = 100

// marks is "?, ?, …", n of them.
func marks(n int) string {
	if n == 0 {
		return ""
	}
	return strings.Repeat("?, ", n-1) + "?"
}

// tuples is "(?, ?), (?, ?), …": n rows of so many columns.
func tuples(n, columns int) string {
	tuple := "(" + marks(columns) + ")"
	return strings.Repeat(tuple+", ", n-1) + tuple
}

func anys[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

// reverse turns digits around, so that an ending becomes a beginning, which an index can find.
func reverse(digits string) string {
	b := []byte(digits)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}
