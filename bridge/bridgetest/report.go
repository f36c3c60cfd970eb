package bridgetest

import (
	"fmt"
	"strings"
	"time"
)

// A Grade says how bad it is when a case fails.
type Grade string

// The grades.
const (
	Must   Grade = "must"   // the protocol's documents are violated
	Should Grade = "should" // it works, but loses contacts or time sooner or later
	Info   Grade = "info"   // worth knowing
)

// An Outcome says how a case ended.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"  // for a case of grade [Info]: there is something to know
	Skipped Outcome = "skipped" // nothing was judged; Detail says why
)

// A Finding is one violation: what was wrong, and the traffic that shows it, credentials masked and long bodies cut.
type Finding struct {
	Message  string `json:"message"`
	Sent     string `json:"sent,omitempty"`
	Received string `json:"received,omitempty"`
}

// A Result holds the findings of a case.
type Result struct {
	ID          string    `json:"id"`
	Rule        string    `json:"rule"` // P.. and D.. of docs/protocol.md, E.. and T.. of docs/exactness.md
	Grade       Grade     `json:"grade"`
	Title       string    `json:"title"`       // what holds when the case passes
	Explanation string    `json:"explanation"` // the rule, in one sentence
	Advice      string    `json:"advice"`      // what to change when it fails
	Outcome     Outcome   `json:"outcome"`
	Detail      string    `json:"detail,omitempty"` // what was seen, or why the case was skipped
	Count       int       `json:"count,omitempty"`  // how often the rule was violated
	Findings    []Finding `json:"findings,omitempty"`
}

// explain returns the result as the message of a Go test.
func (r Result) explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, %s): %s", r.Title, r.Grade, r.Rule, r.Outcome)
	if r.Detail != "" {
		fmt.Fprintf(&b, ": %s", r.Detail)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n%s", f.Message)
		if f.Sent != "" {
			fmt.Fprintf(&b, "\nsent: %s\nreceived: %s", f.Sent, f.Received)
		}
	}
	if r.Outcome == Failed {
		fmt.Fprintf(&b, "\nrule: %s\nwhat to do: %s", r.Explanation, r.Advice)
	}
	return b.String()
}

// A Report holds the findings of a check, in the order of [Cases].
type Report struct {
	Target  string    `json:"target"` // the bridge's URL, credentials masked
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	OK      bool      `json:"ok"`        // no case of grade must failed
	Strict  bool      `json:"strict_ok"` // nor one of grade should
	Counts  Counts    `json:"counts"`
	Run     RunFacts  `json:"full_run"`
	Results []Result  `json:"results"`
}

// Counts are the numbers of cases by what became of them.
type Counts struct {
	Passed  int `json:"passed"`
	Must    int `json:"must_failed"`
	Should  int `json:"should_failed"`
	Notes   int `json:"notes"`
	Skipped int `json:"skipped"`
}

// RunFacts describe the full run that the check judged.
type RunFacts struct {
	Pages    int     `json:"pages"`
	Contacts int     `json:"contacts"` // distinct ids
	Bytes    int64   `json:"bytes"`
	Seconds  float64 `json:"seconds"`        // the sum of the answers' times
	Slowest  float64 `json:"slowest_answer"` // seconds
	Complete bool    `json:"complete"`
}

// Failed returns the results that failed with a grade, in order.
func (r Report) Failed(grade Grade) []Result {
	var failed []Result
	for _, result := range r.Results {
		if result.Outcome == Failed && result.Grade == grade {
			failed = append(failed, result)
		}
	}
	return failed
}

func (r *Report) count() {
	for _, result := range r.Results {
		switch {
		case result.Outcome == Passed:
			r.Counts.Passed++
		case result.Outcome == Skipped:
			r.Counts.Skipped++
		case result.Grade == Must:
			r.Counts.Must++
		case result.Grade == Should:
			r.Counts.Should++
		default:
			r.Counts.Notes++
		}
	}
	r.OK = r.Counts.Must == 0
	r.Strict = r.OK && r.Counts.Should == 0
}
