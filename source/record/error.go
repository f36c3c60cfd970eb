package record

import (
	"errors"
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// A FieldError is a mistake in what the configuration says about one field: an unknown column, or an expression that is not
// valid. A kind of source makes an error of its configuration of it.
type FieldError struct {
	Path    string // where the text stands in the source's configuration: "fields.phones[1]"
	Message string // begins with a capital letter
	Hint    string // what to do, as a sentence; may be empty
	Column  string // the name that is no column; empty for any other mistake
	At      int    // the character of the text where the mistake is, from 1; 0 if it is the whole text
}

// Error returns the path, the message and the hint in one line.
func (e *FieldError) Error() string {
	text := e.Path + ": " + e.Message
	if e.Hint != "" {
		text += ". " + strings.TrimSuffix(e.Hint, ".")
	}
	return text
}

// unknownColumn returns the error of a name that is not in the header.
func unknownColumn(h *header, name string, at int) *FieldError {
	return &FieldError{Message: fmt.Sprintf("Unknown column %q", name), Hint: h.hint(name), Column: name, At: at}
}

// mostNamed is how many columns a hint lists.
const mostNamed = 40

// hint says which columns there are, and which one an unknown name most likely means.
func (h *header) hint(name string) string {
	if len(h.names) == 0 {
		return "There are no columns."
	}
	names := h.names
	if len(names) > mostNamed {
		names = append(names[:mostNamed:mostNamed], "…")
	}
	hint := "The columns are " + strings.Join(names, ", ") + "."
	if near := strictyaml.Nearest(name, h.names); near != "" {
		hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
	}
	return hint
}

// FieldErrors returns the errors of a compiler one by one.
func FieldErrors(err error) []*FieldError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*FieldError
		for _, one := range joined.Unwrap() {
			list = append(list, FieldErrors(one)...)
		}
		return list
	}
	if one, ok := errors.AsType[*FieldError](err); ok {
		return []*FieldError{one}
	}
	return nil
}
