package caller

import (
	"slices"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// leastDigits is how many digits what the directory keeps has at least: that of a short extension.
const leastDigits = 3

// Numbers returns a contact's phones as the directory keeps them, in their order, so that [Lookup] finds them. Region is where
// they were written, as in [phone.Parse]. One text may hold several numbers. A number that is not a full one is kept too if
// it has three digits or more. Left out are shorter ones, placeholders such as 0000000000, numbers that are equal to an earlier
// one, and everything after the first [directory.MaxNumbers] numbers. The time it takes is linear in the number of phones.
func Numbers(phones []string, region string) []directory.Number {
	list := numbers{list: make([]directory.Number, 0, min(len(phones), directory.MaxNumbers))}
	for _, raw := range phones {
		if len(list.list) == directory.MaxNumbers {
			break
		}
		if phone.IsOne(raw) {
			list.add(phone.Parse(raw, region))
			continue
		}
		for _, n := range phone.ParseAll(raw, region) {
			list.add(n)
		}
	}
	return list.list
}

// Reading names how [Numbers] reads phones that were written in a region, for [directory.Reading]: while it stays the same, equal phones
// give equal numbers.
func Reading(region string) string { return numbersVersion + " " + region }

// numbersVersion is a digest of what [Numbers] makes of many phones of all countries. A test fails where it makes something else of
// them, such as with another release of the plans of numbers: then directories read every contact's numbers anew, once.
const numbersVersion = "45d5822f0177b6af"

// numbers are different from each other.
type numbers struct {
	list  []directory.Number
	known map[said]struct{} // of a long list
}

// said identifies a number, however it is written.
type said struct{ match, extension string }

// few is how many numbers are compared one by one, which is faster than a map.
const few = 16

func (l *numbers) add(n phone.Number) {
	if len(n.Digits) < leastDigits || n.Dummy || len(l.list) == directory.MaxNumbers || l.has(said{n.Digits, n.Extension}) {
		return
	}
	l.list = append(l.list, directory.Number{Raw: n.Raw, E164: n.E164, Match: n.Digits, Extension: n.Extension})
}

// has reports whether a number is known, and knows it from then on.
func (l *numbers) has(s said) bool {
	if len(l.list) < few {
		return slices.ContainsFunc(l.list, func(n directory.Number) bool { return n.Match == s.match && n.Extension == s.extension })
	}
	if l.known == nil {
		l.known = make(map[said]struct{}, cap(l.list))
		for _, n := range l.list {
			l.known[said{n.Match, n.Extension}] = struct{}{}
		}
	}
	_, known := l.known[s]
	l.known[s] = struct{}{}
	return known
}
