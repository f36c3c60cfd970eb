package source

import (
	"context"
	"iter"
)

// A Verifier is a source that can prove, by asking the external service, what its configuration says of it. It writes nothing there.
type Verifier interface {
	// Verify asks for at most about so many records and yields each check when it is done. It ends early when ctx is done. One goroutine
	// uses the source meanwhile.
	Verify(ctx context.Context, records int) iter.Seq[Check]
}

// A Verdict is how a check ended.
type Verdict string

// The verdicts.
const (
	Passed    Verdict = "passed"     // what the configuration says is true
	Failed    Verdict = "failed"     // it is not, and contacts may be lost
	NotJudged Verdict = "not_judged" // the service has too little to tell, or did not answer
)

// A Check is one thing that was proved of an external service, or that could not be.
type Check struct {
	Name    string   `json:"name"` // stable, for programs: "far_future"
	Title   string   `json:"title"`
	Keys    []string `json:"keys"` // of the configuration, which the check is about
	Verdict Verdict  `json:"verdict"`
	Asked   string   `json:"asked"` // what the service was asked, without a credential
	Came    string   `json:"came"`  // what it answered, without a contact's data but ids
	Means   string   `json:"means"` // and what to do about it
}
