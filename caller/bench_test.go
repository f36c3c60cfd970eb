package caller_test

import (
	"fmt"
	"testing"

	"github.com/contactbridge/contactbridge/caller"
)

// BenchmarkFirstLookup is a number that was not asked for lately.
func BenchmarkFirstLookup(b *testing.B) {
	store := newStore(b)
	var persons []person
	for i := range 20_000 {
		persons = append(persons, person{fmt.Sprint(i), []string{fmt.Sprintf("(415) 5%02d-%04d", i%100, i/2)}})
	}
	fill(b, store, "crm", "US", persons...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := i * 7919 % 20_000
		answer, err := caller.Lookup(b.Context(), store, account, fmt.Sprintf("+14155%02d%04d", n%100, n/2), "US", caller.LookupOptions{})
		if err != nil || len(answer.Matches) == 0 {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	store := newStore(b)
	var persons []person
	for i := range 2000 {
		persons = append(persons, person{fmt.Sprint(i), []string{fmt.Sprintf("(415) 555-%04d", i)}})
	}
	fill(b, store, "crm", "US", persons...)
	for _, c := range []struct{ name, number string }{
		{"exact", "+14155550100"}, {"national", "(415) 555-0100"}, {"suffix", "555-0100"}, {"unknown", "+14165550100"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := caller.Lookup(b.Context(), store, account, c.number, "US", caller.LookupOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"-explained", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := caller.Lookup(b.Context(), store, account, c.number, "US", caller.LookupOptions{Explain: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("unknown-underived", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := caller.Lookup(b.Context(), store, account, "+14165550100", "US", caller.LookupOptions{Rules: caller.Rules{NoDerive: true}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("store-alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.ByE164(b.Context(), account, []string{"+14155550100"}, 10); err != nil {
				b.Fatal(err)
			}
		}
	})
}
