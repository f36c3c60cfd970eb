package source

import (
	"errors"

	"github.com/contactbridge/contactbridge/failure"
)

// A ConfigError is one thing that is wrong with a source's configuration. A kind returns all of them at once, joined
// ([ConfigErrors]); the loader of the configuration adds their lines in its file.
type ConfigError struct {
	// Key is the path inside the endpoint's source, such as "fields.phones[1]". Empty means the source as a whole.
	Key string
	// Message says what is wrong, in one line without a full stop. It begins with the key or a capital letter, and holds no
	// credential.
	Message string
	// Hint says what to do: a sentence with a capital letter and a full stop. It may be empty.
	Hint string
	// Err is the cause, for [errors.Is]; it may be nil, and is not shown.
	Err error
}

// Error returns the message, without the hint.
func (e *ConfigError) Error() string { return e.Message }

// Explain implements [failure.Explainer]. The key is the field.
func (e *ConfigError) Explain() failure.Error {
	return failure.Error{Code: failure.Invalid, Message: e.Message, Hint: e.Hint, Field: e.Key}
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// ConfigErrors collects what is wrong with a configuration. The zero value is empty.
type ConfigErrors []error

// If adds an error where something is wrong.
func (e *ConfigErrors) If(wrong bool, key, message, hint string) {
	if wrong {
		*e = append(*e, &ConfigError{Key: key, Message: message, Hint: hint})
	}
}

// Add adds an error of another check; nil adds nothing.
func (e *ConfigErrors) Add(err error) {
	if err != nil {
		*e = append(*e, err)
	}
}

// Err returns everything that was added, joined, or nil.
func (e ConfigErrors) Err() error { return errors.Join(e...) }
