package sourcetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// inspectCases are about what preview shows besides the contacts.
func inspectCases() []testCase {
	return []testCase{
		{
			name:  "InspectSaysWhereFieldsComeFrom",
			rule:  "an inspection names what each field comes from, in the order of bridge documents, or nothing where nothing is mapped",
			needs: needsInspector,
			run:   inspectSaysWhereFieldsComeFrom,
		},
		{
			name:  "InspectFindsNoFailureInGoodContacts",
			rule:  "an inspection says how a run works, calls nothing a failure that works, and says what to do about the rest, worst first",
			needs: needsInspector,
			run:   inspectFindsNoFailureInGoodContacts,
		},
		{
			name: "InspectCountsContactsWithoutAStamp",
			rule: "an inspection says how many contacts have no stamp: their changes are never brought (E9)",
			needs: func(target Target, service Service) string {
				if skip := sorted(target, service); skip != "" {
					return skip
				}
				if service.PutNull == nil {
					return "the target has no contacts without a stamp (PutNull)"
				}
				return needsInspector(target, service)
			},
			run: inspectCountsContactsWithoutAStamp,
		},
		{
			name:  "InspectEndsWithItsContext",
			rule:  "an inspection ends soon after its context is done, with its error",
			needs: needsInspector,
			run:   inspectEndsWithItsContext,
		},
	}
}

// needsInspector skips a case for targets with sources that cannot be inspected.
func needsInspector(_ Target, service Service) string {
	src, err := service.Open(context.Background())
	if err != nil {
		return "" // the case itself says so
	}
	_, ok := src.(source.Inspector)
	if err := src.Close(); err != nil || ok {
		return ""
	}
	return "the source is not a source.Inspector"
}

func (x *exam) inspect() source.Inspection {
	found, err := x.open().(source.Inspector).Inspect(x.ctx)
	x.must(err, "inspect the source")
	return found
}

// documentOrder lists the fields in the order of bridge documents.
var documentOrder = []string{
	record.FieldName, record.FieldTitle, record.FieldCompany, record.FieldEmails, record.FieldPhones, record.FieldWebsites, record.FieldPhotoURL,
	record.FieldAddress, record.FieldTwitter, record.FieldURL, record.FieldCountry, record.FieldCustom + ".Plan",
}

func inspectSaysWhereFieldsComeFrom(x *exam) {
	x.settle(6)
	mapping := x.inspect().Mapping
	if len(mapping) == 0 {
		return // contacts that are written as such
	}
	if mapping[0].Field != "id" {
		x.failf("the mapping begins with %s, want id", mapping[0].Field)
	}
	at := 0
	seen := map[string]bool{}
	for _, m := range mapping {
		if m.From == "" {
			x.failf("%s comes from nothing", m.Field)
		}
		place := slices.Index(documentOrder, m.Field)
		if place < 0 {
			continue // id, updated, deleted
		}
		if place < at {
			x.failf("%s comes after %s", m.Field, documentOrder[at])
		}
		at = place
		seen[m.Field] = true
	}
	for _, field := range documentOrder {
		if !seen[field] && field != record.FieldCountry { // the suite's contacts have none
			x.failf("the mapping does not say where %s comes from", field)
		}
	}
}

func inspectFindsNoFailureInGoodContacts(x *exam) {
	x.settle(25)
	found := x.inspect()
	for _, p := range found.Problems {
		if p.Severity == source.Failure {
			x.failf("a failure in good contacts: %s: %s", p.Code, p.Message)
		}
		x.problemIsComplete(p)
	}
	x.worstFirst(found.Problems)
	order := false
	for _, f := range found.Facts {
		if f.Name == "" || f.Value == "" {
			x.failf("the fact %q is %q", f.Name, f.Value)
		}
		order = order || f.Name == "order"
	}
	if !order {
		x.failf("no fact says in which order contacts are read: %v", found.Facts)
	}
}

// problemIsComplete checks what is said about a problem.
func (x *exam) problemIsComplete(p source.Problem) {
	if p.Code == "" || p.Message == "" || p.Hint == "" && p.Severity != source.Note {
		x.failf("the problem %q says %q and has the hint %q", p.Code, p.Message, p.Hint)
	}
	if !slices.Contains(severities, p.Severity) {
		x.failf("the problem %s is a %q", p.Code, p.Severity)
	}
}

var severities = []source.Severity{source.Failure, source.Warning, source.Note} // worst first

func (x *exam) worstFirst(problems []source.Problem) {
	order := func(p source.Problem) int { return slices.Index(severities, p.Severity) }
	if !slices.IsSortedFunc(problems, func(a, b source.Problem) int { return order(a) - order(b) }) {
		x.failf("the worst problem is not the first: %v", problems)
	}
}

func inspectCountsContactsWithoutAStamp(x *exam) {
	x.settle(6)
	for n := 1; n <= 3; n += 2 {
		for i := range n {
			x.must(x.service.PutNull(Full(40+i)), "put a contact without a stamp")
		}
		x.close()
		problems := x.inspect().Problems
		x.worstFirst(problems)
		at := slices.IndexFunc(problems, func(p source.Problem) bool { return p.Code == "null_updated" })
		if at < 0 {
			x.failf("no problem null_updated with %d contacts without a stamp: %v", n, problems)
			continue
		}
		x.problemIsComplete(problems[at])
		if !strings.Contains(problems[at].Message, fmt.Sprint(n)) {
			x.failf("null_updated of %d contacts says %q", n, problems[at].Message)
		}
	}
}

func inspectEndsWithItsContext(x *exam) {
	x.settle(6)
	src := x.open().(source.Inspector)
	cancelled, cancel := context.WithCancel(x.ctx)
	cancel()
	x.within("Inspect", func() error { _, err := src.Inspect(cancelled); return err })
	late, cancel := context.WithDeadline(x.ctx, time.Now().Add(-time.Second))
	defer cancel()
	if _, err := src.Inspect(late); err == nil {
		x.failf("an inspection found something although its time was over")
	}
}
