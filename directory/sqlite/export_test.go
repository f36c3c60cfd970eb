package sqlite

// LookupQueries are the queries that a call waits for.
func LookupQueries() map[string]string {
	return map[string]string{"exact": byDigits + unordered, "ending": byEnding + unordered}
}

// Endings are the least and the greatest key in the index of numbers that end in these digits.
func Endings(digits string) (from, to int64) { return endings(digits) }
