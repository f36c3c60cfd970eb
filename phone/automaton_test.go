package phone

import (
	"math/rand/v2"
	"regexp"
	"testing"
)

// TestPrefixMatchesAsABacktrackingEngineDoes compares with package regexp, which prefers alternatives in the same order.
func TestPrefixMatchesAsABacktrackingEngineDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, expression := range []string{
		"0", "0|80?", "80?|0", "(183[12])|0", `([457]\d{6})$|1`, `1|([457]\d{6})$`, `0?(?:(11|2\d|3[58]2)15)?`, `00(?:30|5[09]|[126-9]?)`,
		`(000[2569]\d{4,6})$|(?:(?:003768)0?)|0`, `1*?2`, `(?:1|12|123)(?:23)?`, `(?:12?)+`, "",
	} {
		p := new(plan)
		a := p.build(expression, true)
		if p.broken {
			t.Fatalf("%q cannot be built", expression)
		}
		reference := regexp.MustCompile("^(?:" + expression + ")")
		matched := 0
		for range 3000 {
			digits := []byte(randomDigits(random, random.IntN(10)))
			for i := range digits { // few different ones, so that something matches
				if random.IntN(4) > 0 {
					digits[i] = "01238"[digits[i]%5]
				}
			}
			want := -1
			if at := reference.FindIndex(digits); at != nil {
				want = at[1]
				matched++
			}
			if got := a.prefix(digits); got != want {
				t.Fatalf("%q on %q: %d, want %d", expression, digits, got, want)
			}
		}
		if matched == 0 {
			t.Errorf("%q never matched", expression)
		}
	}
}

func TestRewriteFromIsTheShortestLastGroup(t *testing.T) {
	for _, c := range []struct {
		expression, rule string
		want             int
	}{
		{"0", "", 1 << 16},
		{`([457]\d{6})$|1`, "268$1", 7},
		{`(?:0|90)(?:(1[245]|31)(\d{10,11}))?`, "$2", 10},
		{`0?(?:(11|2(?:20?|3))15)?`, "9$1", 2},
		{"0", "9", 0},
	} {
		if got := rewriteFrom(c.expression, c.rule); got != c.want {
			t.Errorf("rewriteFrom(%q, %q) = %d, want %d", c.expression, c.rule, got, c.want)
		}
	}
}
