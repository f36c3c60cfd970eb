package registry

import (
	"encoding/json"
	"errors"
)

// A Store says whether the value of a field is kept. The zero Store keeps it; it is written as true or false.
type Store bool

// The values of a [Store].
const (
	Kept    Store = false
	NotKept Store = true // it is sent to the auth_validation endpoint, once, and forgotten
)

// The sources of a field's value.
const (
	SourceInput      = "input"           // a person gives it; an empty source means the same
	SourceDefault    = "default"         // it is the field's Default, for everybody
	SourceValidation = "auth_validation" // the auth_validation endpoint answers it (P13)
)

// MarshalJSON writes true where the value is kept.
func (s Store) MarshalJSON() ([]byte, error) { return json.Marshal(s == Kept) }

// UnmarshalJSON reads true, false or null.
func (s *Store) UnmarshalJSON(text []byte) error {
	kept := true
	if err := json.Unmarshal(text, &kept); err != nil {
		return errors.New("store must be true or false")
	}
	*s = Store(!kept)
	return nil
}

// UnmarshalText reads true or false, of a configuration file.
func (s *Store) UnmarshalText(text []byte) error { return s.UnmarshalJSON(text) }
