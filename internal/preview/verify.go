package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/source"
)

// verify proves what it can of the source: what the kind knows to ask the external service, and what holds for any source.
func (p *Preview) verify(ctx context.Context, src bridge.Source, e config.Endpoint, deps source.Deps, auth bridge.Auth, options Options) {
	p.Checks = []source.Check{}
	add := func(c source.Check) {
		p.Checks = append(p.Checks, c)
		if options.Checked != nil {
			options.Checked(c)
		}
	}
	if verifier, ok := src.(source.Verifier); ok {
		for c := range verifier.Verify(ctx, options.Examine) {
			add(c)
		}
	}
	again, err := e.New(deps) // as another process would
	if err != nil {
		return // it was told when the first one was made
	}
	defer func() { _ = again.Close() }()
	other, err := again.Open(ctx, auth)
	if err != nil {
		return
	}
	defer func() { _ = other.Close() }()
	for _, c := range inParts(ctx, src, other, options) {
		add(c)
	}
}

// mostInParts is how many contacts are read a second time.
const mostInParts = 500

// A reading is what was read of a run.
type reading struct {
	ids      []string // of changes that did not come before
	again    []string // ids that came twice, and were not marked as coming again
	at       bridge.Position
	complete bool
}

// inParts reads the first contacts of an initial run at once, and in parts by another process: they must be the same, each of them once.
// If they are all, a run that begins where this one ended must not bring all of them again.
func inParts(ctx context.Context, src, other bridge.Source, options Options) []source.Check {
	most := min(max(options.Examine, 10), mostInParts)
	parts := source.Check{
		Name: "parts", Title: "contacts that are read in parts are those that are read at once", Keys: []string{"source"},
		Asked: fmt.Sprintf("up to %d contacts, and the same in small parts by another process", most),
	}
	run, whole, err := first(ctx, src, most, options)
	if err != nil {
		return []source.Check{unread(parts, err)}
	}
	if len(whole.ids) < 2 {
		parts.Verdict, parts.Came, parts.Means = source.NotJudged, counted(len(whole.ids)), "It takes two contacts."
		return []source.Check{parts}
	}
	size := max(1, min(len(whole.ids)/4, 50))
	pieces, err := pieces(ctx, other, run, size, len(whole.ids), options)
	if err != nil {
		return []source.Check{unread(parts, err)}
	}
	parts.Came = counted(len(whole.ids)) + " at once, " + counted(len(pieces.ids)) + fmt.Sprintf(" in parts of %d", size)
	lost := without(whole.ids, pieces.ids)
	parts.Verdict, parts.Means = source.Passed, "A run that is interrupted goes on where it was, in any process."
	switch {
	case len(pieces.again) > 0:
		parts.Verdict, parts.Means = source.Failed, "Contacts come twice: "+few(pieces.again)+". Check that ids are unique, and that the order in which contacts are read is what the configuration says."
	case len(lost) > 0 && whole.complete:
		parts.Verdict, parts.Means = source.Failed, "Contacts are missing in parts: "+few(lost)+". If they were not changed just now, runs lose contacts: check the order in which contacts are read."
	}
	checks := []source.Check{parts}
	if whole.complete {
		checks = append(checks, nextRun(ctx, src, run, whole, options))
	}
	return checks
}

// unread is a check for which nothing could be read.
func unread(c source.Check, err error) source.Check {
	c.Verdict, c.Came, c.Means = source.NotJudged, failure.Of(err).Message, failure.Of(err).Hint
	if c.Came == "" {
		c.Came = err.Error()
	}
	return c
}

// first reads the first contacts of an initial run.
func first(ctx context.Context, src bridge.Source, most int, options Options) (run bridge.Run, got reading, err error) {
	err = options.patiently(ctx, options.Read, func(ctx context.Context) (err error) {
		if run, err = src.Begin(ctx, ""); err != nil {
			return err
		}
		got = reading{}
		seen := map[string]bool{}
		got.complete, err = got.add(ctx, src, run, most, seen)
		return err
	})
	return run, got, err
}

// add reads on, up to a number of changes, and reports whether there are no more.
func (r *reading) add(ctx context.Context, src bridge.Source, run bridge.Run, limit int, seen map[string]bool) (complete bool, err error) {
	n := 0
	for change, err := range src.Read(ctx, run, r.at, limit) {
		if err != nil {
			return false, err
		}
		n++
		if len(change.Position) > 0 {
			r.at = slices.Clone(change.Position)
		}
		id := strings.Clone(change.Contact.ID)
		switch {
		case id == "" || change.Rejected != "":
		case seen[id] && !change.Again && !change.Deleted:
			r.again = append(r.again, id)
		case !seen[id]:
			seen[id] = true
			r.ids = append(r.ids, id)
		}
	}
	return n < limit, nil
}

// pieces reads a run in parts, up to a number of contacts.
func pieces(ctx context.Context, src bridge.Source, run bridge.Run, size, most int, options Options) (got reading, err error) {
	seen := map[string]bool{}
	for len(got.ids) < most && !got.complete {
		before := got.at
		err := options.patiently(ctx, options.Read, func(ctx context.Context) (err error) {
			got.complete, err = got.add(ctx, src, run, size, seen)
			return err
		})
		if err != nil {
			return got, err
		}
		if !got.complete && slices.Equal(before, got.at) {
			return got, errors.New("reading does not go on")
		}
	}
	return got, nil
}

// nextRun begins a run where the one before ended.
func nextRun(ctx context.Context, src bridge.Source, before bridge.Run, whole reading, options Options) source.Check {
	c := source.Check{
		Name: "next_run", Title: "the next run brings what has changed, and not everything", Keys: []string{"source"},
		Asked: "what has changed since all " + counted(len(whole.ids)) + " were read",
	}
	checkpoint := src.Checkpoint(before, whole.at, true)
	if checkpoint == "" {
		c.Verdict, c.Came, c.Means = source.NotJudged, "no checkpoint", "Each run reads everything: the source does not know when a contact was changed."
		return c
	}
	var got reading
	err := options.patiently(ctx, options.Read, func(ctx context.Context) error {
		run, err := src.Begin(ctx, checkpoint)
		if err != nil {
			return err
		}
		got = reading{}
		_, err = got.add(ctx, src, run, len(whole.ids)+1, map[string]bool{})
		return err
	})
	if err != nil {
		return unread(c, err)
	}
	c.Verdict, c.Came, c.Means = source.Passed, counted(len(got.ids)), "Runs can be made often."
	if len(got.ids) >= len(whole.ids) {
		c.Verdict, c.Means = source.NotJudged, "All of them came again: they were all changed lately, or each run reads everything."
	}
	return c
}

func counted(n int) string {
	switch n {
	case 0:
		return "no contact"
	case 1:
		return "1 contact"
	}
	return fmt.Sprintf("%d contacts", n)
}

func few(ids []string) string {
	const most = 3
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return strings.Join(ids, ", ")
}

// without returns what is in a list and not in another one.
func without(list, other []string) (left []string) {
	known := map[string]bool{}
	for _, id := range other {
		known[id] = true
	}
	for _, id := range list {
		if !known[id] {
			left = append(left, id)
		}
	}
	return left
}

// checks writes what was proved.
func (pr *printer) checks(checks []source.Check) {
	if checks == nil {
		return
	}
	pr.line("\n%s", pr.style.Bold("What was proved"))
	words := map[source.Verdict]string{source.Passed: "passed", source.Failed: "failed", source.NotJudged: "not judged"}
	paint := map[source.Verdict]func(string) string{source.Passed: pr.style.Dim, source.Failed: pr.style.Bad, source.NotJudged: pr.style.Warn}
	count := map[source.Verdict]int{}
	const indent = 14
	for _, c := range checks {
		count[c.Verdict]++
		pr.line("  %s  %s", paint[c.Verdict](pad(words[c.Verdict], indent-4)), pr.style.Bold(clean(c.Title)))
		for _, part := range []struct{ name, text string }{{"asked", c.Asked}, {"came", c.Came}, {"means", c.Means}, {"keys", strings.Join(c.Keys, ", ")}} {
			if part.text == "" || part.name == "keys" && c.Verdict == source.Passed {
				continue
			}
			name := part.name
			for _, text := range wrap(clean(part.text), pr.width-indent-7) {
				pr.line("%s%s  %s", strings.Repeat(" ", indent), pr.style.Dim(pad(name, 5)), text)
				name = ""
			}
		}
	}
	pr.line("\n%s", pr.style.Bold(fmt.Sprintf("%d checks: %d passed, %d failed, %d could not be judged.", len(checks), count[source.Passed], count[source.Failed], count[source.NotJudged])))
	pr.line("Nothing was written. What only writing or waiting could prove was not tried: how late changes become visible, how long")
	pr.line("deletions and tokens are kept, and how many more requests the service would take.")
}
