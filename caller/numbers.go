package caller

import (
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phone"
)

// Numbers makes what the directory keeps of a contact's phones so that [Lookup] finds it. Region is where the numbers were
// written, as in [phone.Parse]. What is no full number is kept too where it has three digits or more; what has fewer, and
// what says the same as an earlier one, is left out.
func Numbers(phones []string, region string) []directory.Number {
	var numbers []directory.Number
	for _, raw := range phones {
		n := phone.Parse(raw, region)
		if len(n.Digits) < 3 {
			continue
		}
		numbers = append(numbers, directory.Number{Raw: raw, E164: n.E164, Match: n.Digits, Extension: n.Extension})
	}
	return numbers
}
