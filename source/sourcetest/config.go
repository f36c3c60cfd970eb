package sourcetest

import (
	"errors"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

// ConfigText writes out what a kind finds wrong with a configuration, a line for each error with its hint. It is empty for nil.
func ConfigText(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree is walked
		var lines []string
		for _, each := range joined.Unwrap() {
			lines = append(lines, ConfigText(each))
		}
		return strings.Join(lines, "\n")
	}
	if e, ok := errors.AsType[*source.ConfigError](err); ok {
		return e.Key + ": " + e.Message + ". " + e.Hint
	}
	if err != nil {
		return "not a source.ConfigError: " + err.Error()
	}
	return ""
}
