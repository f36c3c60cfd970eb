package caller

import (
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// leastDigits is how many digits what the directory keeps has at least: that of a short extension.
const leastDigits = 3

// Numbers makes what the directory keeps of a contact's phones, in their order, so that [Lookup] finds it. Region is where
// they were written, as in [phone.Parse]. One text may hold several numbers. What is no full number is kept too where it
// has three digits or more; what has fewer, a placeholder such as 0000000000, and what says the same as an earlier one, is
// left out.
func Numbers(phones []string, region string) []directory.Number {
	numbers := make([]directory.Number, 0, len(phones))
	for _, raw := range phones {
		if phone.IsOne(raw) {
			numbers = add(numbers, phone.Parse(raw, region))
			continue
		}
		for _, n := range phone.ParseAll(raw, region) {
			numbers = add(numbers, n)
		}
	}
	return numbers
}

func add(numbers []directory.Number, n phone.Number) []directory.Number {
	if len(n.Digits) < leastDigits || n.Dummy {
		return numbers
	}
	for _, known := range numbers {
		if known.Match == n.Digits && known.Extension == n.Extension {
			return numbers
		}
	}
	return append(numbers, directory.Number{Raw: n.Raw, E164: n.E164, Match: n.Digits, Extension: n.Extension})
}
