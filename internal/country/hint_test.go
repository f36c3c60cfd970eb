package country_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/country"
)

func TestHintNamesTheCodeOfACountry(t *testing.T) {
	for text, want := range map[string]string{
		"Germany": "Write DE", "deutschland": "Write DE", "USA": "Write US", "UK": "Write GB", "États-Unis": "Write US",
		"Narnia": "Write the country's two letters", "": "Write the country's two letters",
	} {
		if got := country.Hint(text); !strings.HasPrefix(got, want) {
			t.Errorf("Hint(%q) = %q, want %s…", text, got, want)
		}
	}
}
