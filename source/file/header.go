package file

import (
	"slices"
	"strings"
	"unicode"

	"github.com/contactbridge/contactbridge/source/record"
)

const (
	mostTitles = 20   // rows among which the header is looked for
	configured = 1000 // usual columns that one configured column counts as
)

// FindHeader returns which of the first rows of a table names its columns: the one with most of the wanted columns (see
// [Input.Wanted]) and, among several of them, most of the usual names, else the one with most of the usual names, at least two. ok is false if no row has either.
func FindHeader(rows [][]string, wanted []string) (header int, ok bool) {
	found := mostHits(rows, func(cells []string) int { return HeaderHits(cells, wanted) }, configured)
	if found < 0 {
		found = mostHits(rows, countUsual, 2)
	}
	return max(found, 0), found >= 0
}

// HeaderHits returns how much the names of a header look like one: what is configured counts before what is usual.
func HeaderHits(header, wanted []string) int {
	return countWanted(header, wanted)*configured + countUsual(header)
}

// HasText reports whether a cell is more than delimiters and rules.
func HasText(cell string) bool {
	return strings.ContainsFunc(cell, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// mostHits returns the first of the rows with the most hits, if it has enough of them, else -1.
func mostHits(rows [][]string, hits func(cells []string) int, enough int) int {
	best, most := -1, enough-1
	for i, cells := range rows[:min(len(rows), mostTitles)] {
		if n := hits(cells); n > most {
			best, most = i, n
		}
	}
	return best
}

func countWanted(cells, wanted []string) int {
	n := 0
	for _, name := range wanted {
		if slices.Contains(cells, name) {
			n++
		}
	}
	return n
}

// countUsual counts the fields of a contact that a row names. A row with an address or a number in it is not a row of names.
func countUsual(cells []string) int {
	if slices.ContainsFunc(cells, isValue) {
		return 0
	}
	guess := record.Usual(cells)
	n := len(guess.Fields)
	for _, name := range []string{guess.ID, guess.Country, guess.Updated} {
		if name != "" {
			n++
		}
	}
	return n
}

// isValue reports whether a cell is an address or a number, not a name.
func isValue(cell string) bool {
	digits := strings.IndexFunc(cell, func(r rune) bool { return !unicode.IsDigit(r) && !strings.ContainsRune("+-() /.", r) }) < 0 && len(cell) >= 5
	return strings.Contains(cell, "@") || digits
}
