// Package preview looks at an endpoint before it is served: the first contacts as they would be sent, where their fields
// come from, and everything that is found to be wrong.
package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// Options bound what a preview reads.
type Options struct {
	Limit   int           // contacts to show
	Examine int           // contacts to look for problems in; at least Limit
	Inspect time.Duration // how long the source may look at itself
	Read    time.Duration // how long contacts are read
	// Wait is how long a source that takes longer, and goes on meanwhile, is asked again; 0 means not at all.
	Wait time.Duration
	// Waiting is told why it is asked again. It may be nil.
	Waiting func(error)
	// Verify says that what can be proved of the source is proved. Nothing is written. It takes as long as the service needs.
	Verify bool
	// Opened is given the source before it is read. It may be nil.
	Opened func(bridge.Source)
	// Checked is told of each check that is done. It may be nil.
	Checked func(source.Check)
}

// shortPause is between two questions to a source that goes on reading, which waits itself for as long as it may.
const shortPause = 100 * time.Millisecond

// patiently asks a source, each time for as long as a request may take, until it is ready.
func (o *Options) patiently(ctx context.Context, each time.Duration, ask func(context.Context) error) error {
	until, done := context.WithTimeout(ctx, o.Wait)
	defer done()
	for end, _ := until.Deadline(); ; {
		attempt, cancel := context.WithTimeout(ctx, each)
		err := ask(attempt)
		cancel()
		pause, passes := passing(err)
		if !passes || ctx.Err() != nil || time.Until(end) < pause {
			return err
		}
		if o.Waiting != nil {
			o.Waiting(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// passing reports whether an error passes by itself, and when to ask again.
func passing(err error) (time.Duration, bool) {
	switch {
	case errors.Is(err, source.ErrBusy):
		return shortPause, true
	case bridge.CodeOf(err) == bridge.CodeRateLimited:
		return max(bridge.RetryAfter(err), time.Second), true
	}
	return 0, false
}

// A Preview holds what an endpoint would send.
type Preview struct {
	Endpoint string            `json:"endpoint"`
	Kind     string            `json:"kind"`
	Table    string            `json:"table,omitempty"`    // what is read, in a word or two
	OK       bool              `json:"ok"`                 // no problem is a failure, and no check has failed
	Contacts []contact.Contact `json:"contacts"`           // the first ones, as they would be sent
	Examined int               `json:"examined"`           // contacts looked at
	Total    int64             `json:"total,omitempty"`    // all contacts, where they were counted; less than examined: unknown
	Deleted  int               `json:"deleted"`            // contacts that are gone, among those that came by
	Complete bool              `json:"complete"`           // these were all there are
	Mapping  []record.Mapped   `json:"mapping"`            // where the fields come from
	Unused   []string          `json:"unused"`             // columns that go nowhere
	Facts    []source.Fact     `json:"facts"`              // how a run works
	Problems []source.Problem  `json:"problems"`           // worst first
	Recorded string            `json:"recorded,omitempty"` // the folder of the recording that was made
	Checks   []source.Check    `json:"checks,omitempty"`   // what was proved, with [Options.Verify]
}

// Of looks at an endpoint with one caller's credentials. What goes wrong is a problem of the preview; the error is that of a
// context that is done.
func Of(ctx context.Context, e config.Endpoint, deps source.Deps, auth bridge.Auth, options Options) (*Preview, error) {
	p := &Preview{
		Endpoint: e.Name, Kind: e.Kind.Name, Table: e.Title,
		Contacts: []contact.Contact{}, Mapping: []record.Mapped{}, Unused: []string{}, Facts: []source.Fact{}, Problems: []source.Problem{},
	}
	p.look(ctx, e, deps, auth, options)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	source.SortProblems(p.Problems)
	p.OK = (len(p.Problems) == 0 || p.Problems[0].Severity != source.Failure) &&
		!slices.ContainsFunc(p.Checks, func(c source.Check) bool { return c.Verdict == source.Failed })
	return p, nil
}

func (p *Preview) look(ctx context.Context, e config.Endpoint, deps source.Deps, auth bridge.Auth, options Options) {
	factory, err := e.New(deps)
	if err != nil {
		p.failed(err)
		return
	}
	defer func() { _ = factory.Close() }() // nothing hangs on it any more
	opening, cancel := context.WithTimeout(ctx, options.Read)
	defer cancel()
	src, err := factory.Open(opening, auth)
	if err != nil {
		p.failed(err)
		return
	}
	defer func() { _ = src.Close() }()
	if options.Opened != nil {
		options.Opened(src)
	}
	p.inspect(ctx, src, options)
	p.read(ctx, src, e.Phones, options)
	p.count(ctx, src, options.Inspect)
	if options.Verify {
		p.verify(ctx, src, e, deps, auth, options)
	}
}

// NotRecorded adds that a recording has no answer to some requests.
func (p *Preview) NotRecorded(requests []string) {
	if len(requests) == 0 {
		return
	}
	p.OK = false
	p.Problems = slices.Insert(p.Problems, 0, source.Problem{
		Severity: source.Failure, Code: "not_recorded", Message: "the recording has no answer to " + requests[0],
		Hint: "The configuration asks for something else than when it was recorded, or --examine, --limit or --verify are others. What else is said may follow from that.",
	})
}

// failed makes a problem of an error, unless it was told already.
func (p *Preview) failed(err error) {
	problem := source.Problem{Severity: source.Failure, Code: string(bridge.CodeOf(err)), Message: err.Error()}
	if known := failure.Of(err); known.Code != "" {
		problem.Message, problem.Hint = known.Error(), known.Hint
	} else if errors.Is(err, context.DeadlineExceeded) {
		problem.Code, problem.Message = string(bridge.CodeSourceTimeout), "the source did not answer in time"
		problem.Hint = "Look at what it is busy with; a page has 10 s at most."
	}
	if !slices.Contains(p.Problems, problem) {
		p.Problems = append(p.Problems, problem)
	}
}

// inspect asks the source what it knows about itself.
func (p *Preview) inspect(ctx context.Context, src bridge.Source, options Options) {
	inspector, ok := src.(source.Inspector)
	if !ok {
		return
	}
	var found source.Inspection
	err := options.patiently(ctx, options.Inspect, func(ctx context.Context) (err error) {
		found, err = inspector.Inspect(ctx)
		return err
	})
	if err != nil {
		p.failed(err)
	}
	p.Mapping = append(p.Mapping, found.Mapping...)
	p.Facts = append(p.Facts, found.Facts...)
	p.Unused = append(p.Unused, found.Unused...)
	p.Problems = append(p.Problems, found.Problems...)
}

// read reads the first contacts of an initial run.
func (p *Preview) read(ctx context.Context, src bridge.Source, phones config.Phones, options Options) {
	var x *examination
	var began bool
	err := options.patiently(ctx, options.Read, func(ctx context.Context) error {
		run, err := src.Begin(ctx, "")
		if err != nil {
			return err
		}
		x, began = newExamination(phones), true
		p.Contacts, p.Examined, p.Deleted = p.Contacts[:0], 0, 0
		p.Complete, err = p.examine(ctx, src, run, x, phones.Prepare(), options)
		return err
	})
	if !began {
		p.failed(err)
		return
	}
	x.all = p.Complete
	enough := p.Examined > 0 && errors.Is(err, context.DeadlineExceeded)
	if err != nil && !enough {
		p.failed(err)
	}
	p.Problems = append(p.Problems, x.problems(p.has)...)
	if p.Complete && p.Examined == 0 {
		p.Problems = append(p.Problems, source.Problem{
			Severity: source.Warning, Code: "no_contacts", Message: "there is no contact",
			Hint: "Check that the source names the right table, query or file, and that its user may see the rows.",
		})
	}
}

// count asks the source how many contacts there are, where not all were read.
func (p *Preview) count(ctx context.Context, src bridge.Source, patience time.Duration) {
	if p.Total = int64(p.Examined); p.Complete {
		return
	}
	p.Total = 0
	counter, ok := src.(source.Counter)
	if !ok || p.Examined == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if n, err := counter.Count(ctx); err == nil && n >= int64(p.Examined) { // a count that fails or takes too long is left out
		p.Total = n
	}
}

// examine looks at contacts until there are enough, and reports whether these were all.
func (p *Preview) examine(ctx context.Context, src bridge.Source, run bridge.Run, x *examination, prepare func(*contact.Contact), options Options) (complete bool, err error) {
	most, changes := max(options.Limit, options.Examine), 0
	for change, err := range src.Read(ctx, run, nil, most+1) {
		changes++
		switch {
		case err != nil:
			return false, err
		case change.Again:
			continue // it was examined
		case change.Rejected != "":
			x.add(codeRejected, change.Rejected)
			continue
		case change.Deleted:
			p.Deleted++
			continue
		case p.Examined == most:
			return false, nil
		}
		p.Examined++
		x.contact(&change.Contact)
		if len(p.Contacts) < options.Limit && change.Contact.Validate() == nil {
			p.Contacts = append(p.Contacts, asSent(change.Contact.Clone(), prepare))
		}
	}
	return changes <= most, nil // a source ends for its limit too
}

// has reports whether a problem was told already.
func (p *Preview) has(code string) bool {
	return slices.ContainsFunc(p.Problems, func(problem source.Problem) bool { return problem.Code == code })
}

// asSent returns a contact as the bridge sends it.
func asSent(c contact.Contact, prepare func(*contact.Contact)) contact.Contact {
	if prepare != nil {
		prepare(&c)
	}
	c.FillName()
	return c
}

// String names the preview's source: "postgres, table customers".
func (p *Preview) String() string {
	if p.Table == "" {
		return p.Kind
	}
	return fmt.Sprintf("%s, %s", p.Kind, p.Table)
}
