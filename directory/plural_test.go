package directory_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/directory"
)

func TestErrorsAboutOneContactAreSingular(t *testing.T) {
	for _, err := range []error{
		&directory.GuardedError{Deleted: 1, Total: 1},
		&directory.GuardedError{Total: 1, BroughtNobody: true},
		&directory.GuardedError{Deleted: 1, Named: 1, Total: 1},
		&directory.HeldError{Now: directory.Held{Set: "1", Count: 1}},
		&directory.HeldError{Set: "2", Now: directory.Held{Set: "1", Count: 1}},
	} {
		if text := err.Error(); strings.Contains(text, "contacts") || !strings.Contains(text, "1 contact") {
			t.Error(text)
		}
	}
}
