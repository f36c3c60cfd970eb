package sqlite

// Await sets from how many new contacts of a page on they await their entry into the search index, and how many are entered at once.
func Await(from, atOnce int) { awaitFrom, enterAtOnce = from, atOnce }

// LookupQueries are the queries that a call waits for.
func LookupQueries() map[string]string {
	return map[string]string{"exact": byDigits + unordered, "ending": byEnding + unordered}
}

// Endings are the least and the greatest key in the index of numbers that end in these digits.
func Endings(digits string) (from, to int64) { return endings(digits) }
