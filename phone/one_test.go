package phone_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/phone"
)

// isOne is the rule that [phone.IsOne] follows, written out.
func isOne(raw string) bool {
	digits := 0
	for i := range len(raw) {
		after := func(c byte) bool { return i > 0 && raw[i-1] == c }
		switch c := raw[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '+' && digits == 0, c == '.', c == '(' && digits < 6, c == ')', c == '-' && !after(' '):
		case c == '/' && digits < 4 && !after(' '):
		case c == ' ' && (digits < 4 || i+1 == len(raw) || raw[i+1] != ' '):
		default:
			return false
		}
	}
	return digits <= 15 || raw[0] == '0' && digits <= 18
}

func FuzzIsOne(f *testing.F) {
	for _, raw := range []string{
		"", " ", "+", "+49 30 1234567", "030/1234567", "0301/1234567", "0301 / 1", "1234  5", "123  5", "1234 ", "12 -3", "12- 3", "(11) 9 8765-4321", "1+2", "(01) 51312 (01) 513", "12345(6)",
		"123456789012345", "1234567890123456", "012345678901234567", "0123456789012345678", "1;2", "1,2", "x", "1\x00", "١٢٣", "=1",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if got, want := phone.IsOne(raw), isOne(raw); got != want {
			t.Errorf("%q: %v, want %v", raw, got, want)
		}
	})
}
