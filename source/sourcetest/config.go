package sourcetest

import (
	"strings"

	"github.com/contactbridge/contactbridge/failure"
)

// ConfigText writes out what a kind finds wrong with a configuration, a line for each error with its hint. Errors
// without an explanation (see [failure.All]) are left out.
func ConfigText(err error) string {
	var lines []string
	for _, said := range failure.All(err) {
		lines = append(lines, said.Field+": "+said.Message+". "+said.Hint)
	}
	return strings.Join(lines, "\n")
}
