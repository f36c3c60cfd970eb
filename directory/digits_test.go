package directory_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/directory"
)

func TestDigitsOfATypedNumber(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"0171 2345", "1712345"},
		{"+49 (0)171/23-45", "491712345"},
		{"00 49.171", "49171"},
		{"(415) 555", "415555"},
		{"5550", "5550"},
		{"0555", ""}, // a zero is dialled, not looked for
		{"555", ""},
		{"0000000", ""},
		{"", ""},
		{"5550 x", ""},
		{"2041 Main", ""},
		{"jane@5550", ""},
	} {
		if got := directory.Digits(c.text); got != c.want {
			t.Errorf("the digits of %q are %q, want %q", c.text, got, c.want)
		}
	}
}

func TestStartsOfANumber(t *testing.T) {
	for _, c := range []struct{ e164, match, whole, national string }{
		{"+14155550100", "14155550100", "14155550100", "4155550100"},
		{"+491712345678", "491712345678", "491712345678", "1712345678"},
		{"+390612345678", "390612345678", "390612345678", "612345678"}, // the zero is part of the number, and typed away
		{"+35312345678", "35312345678", "35312345678", "12345678"},
		{"+79161234567", "79161234567", "79161234567", "9161234567"},
		{"+49", "49", "49", ""},
		{"+3", "3", "3", ""},
		{"", "01712345", "1712345", "1712345"},
		{"", "2041", "2041", "2041"},
		{"", "", "", ""},
	} {
		whole, national := directory.Starts(&directory.Number{E164: c.e164, Match: c.match})
		if whole != c.whole || national != c.national {
			t.Errorf("%q, %q starts %q and %q, want %q and %q", c.e164, c.match, whole, national, c.whole, c.national)
		}
	}
}
