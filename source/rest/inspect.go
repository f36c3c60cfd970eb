package rest

import (
	"context"
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// Inspect implements [source.Inspector]: it sends the request that verifies the credentials, and the first one of an initial run.
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	found, err := s.inspect(ctx)
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	return found, nil
}

func (s *Source) inspect(ctx context.Context) (source.Inspection, error) {
	run, err := s.begin(ctx, "")
	if err != nil {
		return source.Inspection{}, err
	}
	st, err := parseState(run.State)
	if err != nil {
		return source.Inspection{}, err
	}
	l := s.factory.language
	found := source.Inspection{Mapping: record.Mapping(l.ID, s.factory.mapping.fields.Columns())}
	fact := func(name, value string) { found.Facts = append(found.Facts, source.Fact{Name: name, Value: value}) }
	fact("asked", s.client.base.String())
	fact("order", l.orderFact())
	if l.Changes.Token == "" {
		fact("safe horizon", fmt.Sprintf("the service's clock less %s, now %s", text(l.Updated.overlap()), keyset.Instant.FormatStamp(keyset.IntValue(st.horizon+1))))
	}
	if l.Updated.As != asUnix && l.Updated.As != asUnixMS && l.Updated.Path != "" {
		fact("time zone", s.client.zonesFact())
	}
	fact("deletions", l.deletionsFact())
	if skewed := st.began - stamp.Microseconds(s.factory.deps.Clock.Now()); skewed > 60e6 || skewed < -60e6 {
		fact("the service's clock", keyset.Instant.FormatStamp(keyset.IntValue(st.began)))
	}
	found.Problems = l.problems()
	for change, err := range s.Read(ctx, run, nil, inspected) {
		if err != nil {
			return found, err
		}
		if change.Rejected != "" {
			found.Problems = append(found.Problems, rejectedProblem(change))
			break
		}
	}
	source.SortProblems(found.Problems)
	return found, ctx.Err()
}

// inspected is how many records an inspection reads.
const inspected = 50

// zonesFact says in which zone times are.
func (c *client) zonesFact() string {
	if c.readZone == c.zone || c.readZone.String() == c.zone.String() {
		return c.zone.String()
	}
	return fmt.Sprintf("%s asked for, %s read", c.zone, c.readZone)
}

// orderFact says in which order contacts are read.
func (l *Language) orderFact() string {
	switch {
	case l.Changes.Token != "":
		return "the service's own, after its token"
	case l.isSorted():
		return l.Updated.Path + ", " + l.ID
	case l.isAscending():
		return l.Updated.Path
	case l.Changes.Order == orderNewest:
		return l.Updated.Path + ", the newest first"
	}
	return "the service's own"
}

// deletionsFact says how deletions become known.
func (l *Language) deletionsFact() string {
	switch l.Deletions.By {
	case "inline":
		return "with the contacts"
	case "request":
		if l.Deletions.sweeps() {
			return "listed by the service, and by a run over all contacts, every " + text(l.Deletions.every())
		}
		return "listed by the service"
	case "sweep":
		return "by a run over all contacts, every " + text(l.Deletions.every())
	}
	return "not known: deleted contacts stay"
}

// problems are what is known of the service before it is asked.
func (l *Language) problems() []source.Problem {
	if l.Deletions.By != "none" {
		return nil
	}
	return []source.Problem{{
		Severity: source.Warning, Code: "no_deletions", Message: "contacts that are deleted in the service stay",
		Hint: "Set deletions to how the service tells of them, or to  {by: sweep}  for a run over all contacts every day.",
	}}
}

func rejectedProblem(c bridge.Change) source.Problem {
	return source.Problem{
		Severity: source.Warning, Code: "rejected_records", Message: strings.TrimSpace("a record cannot be read: " + c.Contact.ID + " " + c.Rejected),
		Hint: "Check the mapping (id, updated, fields) against an answer of the service.",
	}
}

// Count implements [source.Counter]: services do not say how many contacts they have.
func (s *Source) Count(ctx context.Context) (int64, error) { return -1, ctx.Err() }
