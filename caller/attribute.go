package caller

import (
	"context"

	"github.com/contactbridge/contactbridge/directory"
)

// A Subject is what is known of the person whose record is looked for.
type Subject struct {
	Number string // as people write it
	Region string // where it was written, as in phone.Parse
}

// An Attribution says which record of an external service belongs to a subject.
type Attribution struct {
	Record     *Match  `json:"record,omitempty"`     // the one; nil where there is none or no telling
	Candidates []Match `json:"candidates,omitempty"` // where Record is nil: those it may be, the best first
	Reason     string  `json:"reason,omitempty"`     // why Record is nil, a sentence
}

// Attribute finds the subject's record in one integration.
func Attribute(ctx context.Context, store directory.Store, key directory.Key, subject Subject) (Attribution, error) {
	return Attribution{}, nil
}
