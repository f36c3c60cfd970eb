// Package failure is how every part of the program says what went wrong to people: a code for programs, a message, and a hint
// that says what to do. Whoever knows what to do makes an [Error]; whoever tells somebody reads it with [Of]: command line, API,
// console, history of runs, events and logs.
//
// None of the texts holds a credential.
package failure

// A Code names the kind of an error, for programs: "not_found". Codes are part of wire formats and stay as they are.
type Code string

// The codes that several parts of the program share. The others are declared where they arise.
const (
	Invalid  Code = "invalid"      // what was given cannot be
	NotFound Code = "not_found"    // what was asked for does not exist
	Conflict Code = "conflict"     // it exists already, is under way, or was changed at the same moment
	Managed  Code = "managed"      // declared by the configuration file
	Denied   Code = "denied"       // the asker may not
	Busy     Code = "rate_limited" // it can be done a little later
)

// An Error is an error that people can do something about.
type Error struct {
	Code    Code   // the kind; empty where no program decides by it
	Message string // what happened, a clause without a final stop; empty where Err says it all
	Hint    string // what to do, in sentences; may be empty
	Field   string // what was given and is wrong, as the API or the configuration calls it; empty: the whole, or nothing was given
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

// An Explainer is an error of another type that can be read as an [Error], such as one with more data for programs to decide by.
// Its Unwrap, if it has one, returns the cause as well.
type Explainer interface {
	error
	Explain() Error
}

// Of reads an error. Where several errors of the chain explain themselves, the outermost wins, and what it leaves empty is taken
// from its cause; Field always belongs to Message. Of several errors that are joined, the first that explains itself is read.
// The zero Error says that nobody has explained err: its text is for a log, since it may hold anything.
func Of(err error) Error {
	if all := All(err); len(all) > 0 {
		return all[0]
	}
	return Error{}
}

// All reads every one of the errors that are joined in err (see [errors.Join]), in their order, each as [Of] does: what was given may
// be wrong in several places, and all of them are told at once. Errors that nobody has explained are left out.
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
	if own.Message != "" { // it speaks of all its causes
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

// over returns e with what it leaves empty taken from a cause.
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

// WithHint returns err with another hint; nil for nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Hint: hint, Err: err}
}

// Hidden returns err as a cause that errors.Is and errors.As find, but that no text repeats: for a message that says it all.
func Hidden(err error) error { return hidden{err} }

type hidden struct{ error }

// Error returns nothing: the message around it says it all.
func (h hidden) Error() string { return "" }

// Unwrap returns the error that is hidden.
func (h hidden) Unwrap() error { return h.error }
