package sqlite

import (
	"context"

	"github.com/contactbridge/contactbridge/directory"
)

// Await sets from how many new contacts of a page on they await their entry into the search index, and how many are entered at once.
func Await(from, atOnce int) { awaitFrom, enterAtOnce = from, atOnce }

// IndexedQueries are the queries that a call waits for, and those of each page, with what their plans must hold.
func IndexedQueries() map[string]string {
	return map[string]string{
		byDigits + unordered: "numbers_ending (account=? AND ending", byEnding + unordered: "numbers_ending (account=? AND ending",
		findContacts.text(3): "(integration=? AND id=?)", contactsBetween: "PRIMARY KEY (rowid>? AND rowid<?)",
	}
}

// Endings are the least and the greatest key in the index of numbers that end in these digits.
func Endings(digits string) (from, to int64) { return endings(digits) }

// MostRecent is how many bytes of answers to look-ups are remembered.
const MostRecent = mostRecent

// KnowsCommits reports whether the store knows when anything is committed to its file.
func (s *Store) KnowsCommits() bool {
	_, ok := s.commits.last()
	return ok
}

// Remembered is how many answers to look-ups are remembered.
func (s *Store) Remembered() int {
	s.recent.mu.Lock()
	defer s.recent.mu.Unlock()
	n := 0
	for _, place := range s.recent.answers {
		for _, a := range place {
			if a != nil {
				n++
			}
		}
	}
	return n
}

// Slowly is ByE164 for one number, with something that happens when the answer was found, and before it is remembered.
func (s *Store) Slowly(ctx context.Context, account, number string, limit int, meanwhile func()) ([]directory.Match, error) {
	q := question{account: account, numbers: 1, first: number, limit: limit}
	return s.remembered(q, func() ([]directory.Match, error) {
		defer meanwhile()
		return s.byE164(ctx, account, []string{number}, limit)
	})
}
