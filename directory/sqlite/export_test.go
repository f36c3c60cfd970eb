package sqlite

// LookupQueries are the queries that a call waits for.
func LookupQueries() map[string]string {
	return map[string]string{"exact": byDigits + unordered, "ending": byEnding + unordered}
}
