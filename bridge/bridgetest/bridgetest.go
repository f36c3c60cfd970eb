package bridgetest

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/failure"
)

// A Target is the bridge to judge.
type Target struct {
	// URL is the bridge's endpoint, the one that a synchronizer would be given.
	URL string
	// Auth holds good credentials, sent as the request's auth object (P1). Empty where the bridge asks for none: then the
	// cases about credentials are skipped.
	Auth map[string]string
	// AuthValidationURL is the endpoint that checks credentials (P13). Empty means: URL with /contact_sync at its end
	// replaced by /auth_validation. A 404 there is not a fault.
	AuthValidationURL string
	// AgentsURL is the endpoint that sends agents (A1). Empty means: URL with /contact_sync at its end replaced by /agent_sync. A 404
	// there is not a fault.
	AgentsURL string
	// Mutate changes a contact in the external service and returns when the change is committed. Nil means that the cases
	// about changes are skipped.
	Mutate Mutator
	// Restart restarts the bridge and returns when the old process is gone. Nil means that the case about restarts is
	// skipped.
	Restart func(ctx context.Context) error
	// Contacts is how many contacts a full run must bring; 0 means unknown.
	Contacts int
}

// A Mutator creates, updates or deletes the contact with an id. An update must change something that the bridge sends.
// A creation may choose another id than the one it is given, and returns it; otherwise it returns "".
type Mutator func(ctx context.Context, verb Verb, id string) (newID string, err error)

// A Verb says what a [Mutator] must do.
type Verb string

// The verbs.
const (
	Create Verb = "create"
	Update Verb = "update"
	Delete Verb = "delete"
)

// Options say how to judge. The command uses the zero value.
type Options struct {
	// Pause is how long the cases that need time to pass wait; 3 s by default. At most five of them wait.
	Pause time.Duration
	// Patience is how long, in all, the check waits for a bridge that says by 503 or 429 and Retry-After that it is busy; 2 min by
	// default. A negative one means not at all.
	Patience time.Duration
	// AnswerLimit is the time in which every request must be answered (P12); 10 s by default. Tests scale it down.
	AnswerLimit time.Duration
	// BodyLimit is the largest answer that is read, in bytes; 256 MiB by default.
	BodyLimit int64
	// Record is a folder that all traffic is written to, credentials masked. It must be empty or absent.
	Record string
	// Replay is a folder written with Record: its traffic is judged again, without a bridge. Target is ignored then.
	Replay string
	// Progress, where not nil, is told what happens, at most a few times a second.
	Progress func(Progress)
	// Transport sends the requests; nil means one of the check's own. It must not decompress answers by itself.
	Transport http.RoundTripper
}

// Progress says which step the check has reached.
type Progress struct {
	Doing    string // a case's title, or what is being read
	Pages    int    // of the run being read
	Contacts int    // of the run being read
}

const (
	defaultPause       = 3 * time.Second
	defaultPatience    = 2 * time.Minute
	defaultAnswerLimit = 10 * time.Second
	defaultBodyLimit   = 256 << 20
)

func (o Options) withDefaults() Options {
	if o.Pause <= 0 {
		o.Pause = defaultPause
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.AnswerLimit <= 0 {
		o.AnswerLimit = defaultAnswerLimit
	}
	if o.BodyLimit <= 0 {
		o.BodyLimit = defaultBodyLimit
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}

// Check judges a bridge by every case and reports what it found. A bad bridge is not an error. The error is about the check
// itself: [failure.Invalid] if it could not begin (the target is not a URL, a recording cannot be opened), or that a recording
// cannot be written, or that the context was done: then the report has what was found before, and the cases that were not judged are
// skipped.
func Check(ctx context.Context, target Target, options Options) (Report, error) {
	s, err := open(target, options.withDefaults())
	if err != nil {
		return Report{}, &failure.Error{Code: failure.Invalid, Err: err}
	}
	started := s.carrier.now()
	s.interrupted = func() bool { return ctx.Err() != nil }
	for _, c := range s.cases {
		if c.run == nil {
			continue
		}
		if ctx.Err() == nil {
			s.options.Progress(Progress{Doing: c.Title})
			c.run(ctx, s, s.verdict(c.ID))
		}
		if ctx.Err() != nil {
			s.verdict(c.ID).skip("the check was interrupted")
		}
	}
	s.cleanUp(ctx)
	report := s.report(started)
	if err := s.carrier.close(); err != nil {
		return report, fmt.Errorf("write recording: %w", err)
	}
	return report, ctx.Err()
}

// Run judges a bridge as subtests, one a case. A case that must or should hold and doesn't fails its subtest; one that was
// skipped skips it, with its reason.
func Run(t *testing.T, target Target, options ...Options) {
	t.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	report, err := Check(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report.Results {
		t.Run(result.ID, func(t *testing.T) {
			switch {
			case result.Outcome == Skipped:
				t.Skip("NOT CHECKED: " + result.Detail)
			case result.Outcome == Failed && result.Grade != Info:
				t.Error(result.explain())
			case result.Outcome != Passed || result.Detail != "":
				t.Log(result.explain())
			}
		})
	}
}
