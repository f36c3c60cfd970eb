// Package failure is the program's one error for people: a code for programs, a message that says what happened, and a hint that
// says what to do. Code that knows what to do about an error makes an [Error]. Code that shows errors reads them with [Of]: the
// command line, the API, the console, the history of runs, events and logs.
//
// No text of an error holds a credential.
package failure

// A Code is the kind of an error, for programs: "not_found". Codes are part of wire formats and never change.
type Code string

// The codes that several packages share. Any other code is declared in the package that makes the error.
const (
	Invalid  Code = "invalid"      // a value that is not allowed, or a wrong use
	NotFound Code = "not_found"    // something that does not exist
	Conflict Code = "conflict"     // it exists already, is under way, or was changed at the same time
	Managed  Code = "managed"      // only the configuration file changes it
	Denied   Code = "denied"       // the user or token has no right to do it
	Busy     Code = "rate_limited" // try again a little later
)

// An Error is an error that people can do something about.
type Error struct {
	Code    Code   // the kind; empty if no program decides by it
	Message string // what happened, a clause without a final stop; empty if the text of Err is enough
	Hint    string // what to do, one or more sentences; may be empty
	Field   string // the field that is wrong, as the API or the configuration names it; empty: none, or all of them
	Err     error  // the cause; may be nil
}

// Error returns the message and, where there is one, the cause.
func (e *Error) Error() string {
	cause := ""
	if e.Err != nil {
		cause = e.Err.Error()
	}
	switch {
	case e.Message == "":
		return cause
	case cause == "":
		return e.Message
	}
	return e.Message + ": " + cause
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Explain returns the error itself.
func (e *Error) Explain() Error { return *e }

// An Explainer is an error that can be read as an [Error]. A type that carries more data, for programs to decide by, implements it.
type Explainer interface {
	error
	Explain() Error
}

// Of returns code, message, hint, field and cause of an error. If several errors of its chain are an [Explainer], the outermost wins,
// and what it leaves empty comes from the next one; Field always belongs to Message. Of joined errors it reads the first [Explainer].
// It returns the zero Error if the chain has no such error: then the text of err is for a log only, because it may hold anything.
func Of(err error) Error {
	if all := All(err); len(all) > 0 {
		return all[0]
	}
	return Error{}
}

// All returns what [Of] returns for each of the errors that are joined in err (see [errors.Join]), in their order: several fields may
// be wrong, and all of them are shown at once. It leaves out errors that are not an [Explainer].
func All(err error) []Error {
	causes := causesOf(err)
	explainer, ok := err.(Explainer) //nolint:errorlint // the tree is walked
	if !ok {
		return causes
	}
	own := explainer.Explain()
	if len(causes) == 0 {
		return []Error{own}
	}
	if own.Message != "" { // one message about all the causes
		causes = causes[:1]
	}
	for i := range causes {
		causes[i] = own.over(causes[i])
	}
	return causes
}

func causesOf(err error) []Error {
	switch e := err.(type) { //nolint:errorlint // the tree is walked
	case interface{ Unwrap() error }:
		return All(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []Error
		for _, one := range e.Unwrap() {
			all = append(all, All(one)...)
		}
		return all
	}
	return nil
}

// over returns e, and what is empty in it from its cause.
func (e Error) over(cause Error) Error {
	if e.Code == "" {
		e.Code = cause.Code
	}
	if e.Hint == "" {
		e.Hint = cause.Hint
	}
	if e.Message == "" {
		e.Message, e.Field, e.Err = cause.Message, cause.Field, cause.Err
	}
	return e
}

// WithHint returns err with another hint. It returns nil if err is nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Hint: hint, Err: err}
}

// Hidden returns err as a cause that errors.Is and errors.As find and that no text shows, for a message that is complete without it.
func Hidden(err error) error { return hidden{err} }

type hidden struct{ error }

// Error returns the empty string.
func (h hidden) Error() string { return "" }

// Unwrap returns the hidden error.
func (h hidden) Unwrap() error { return h.error }
