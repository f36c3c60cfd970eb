package directory

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// WordLetters is how many letters of a word are in its key ([WordKeys]).
const WordLetters = 3

// WordKeys returns the first three letters of each word of a sort key ([SortKey]), each once, sorted; all of a shorter word. A store that
// keeps a book's members by them finds those with a word of any beginning in the order of names, however many there are.
func WordKeys(sort string) []string {
	keys := strings.Fields(sort)
	for i, word := range keys {
		keys[i] = FirstLetters(word, WordLetters)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// FirstLetters returns the first n letters of a word.
func FirstLetters(word string, n int) string {
	for i := range word {
		if n == 0 {
			return word[:i]
		}
		n--
	}
	return word
}

// A WordWalk finds members that have some beginnings of words in their sort key ([MemberQuery]).
type WordWalk struct {
	Key    string   // of the word that tells most ([WordKeys])
	Short  bool     // the key may be the beginning of several keys
	Others []string // what else stands in a space and the sort key
}

// WordWalks returns the walks that together find the members with one of these lists of beginnings.
func WordWalks(begins [][]string) []WordWalk {
	var walks []WordWalk
	for _, words := range begins {
		if len(words) == 0 {
			continue
		}
		longest := slices.MaxFunc(words, func(a, b string) int { return cmp.Compare(utf8.RuneCountInString(a), utf8.RuneCountInString(b)) })
		w := WordWalk{Key: FirstLetters(longest, WordLetters), Short: utf8.RuneCountInString(longest) < WordLetters}
		for _, word := range words {
			if word != w.Key {
				w.Others = append(w.Others, " "+word)
			}
		}
		walks = append(walks, w)
	}
	return walks
}

// MergePlaces puts what several walks found in the order of names, each once, and returns those after the first offset.
func MergePlaces(lists [][]Place, offset, limit int) []Place {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b Place) int { return cmp.Or(strings.Compare(a.Sort, b.Sort), cmp.Compare(a.Key, b.Key)) })
	all = slices.CompactFunc(all, func(a, b Place) bool { return a.Key == b.Key })
	return all[min(offset, len(all)):min(offset+limit, len(all))]
}

// MostWordKeys is how many keys with one beginning are walked through one by one: where there are more, members with that beginning are
// so frequent that a store finds them by going through all.
const MostWordKeys = 64
