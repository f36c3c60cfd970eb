package sourcetest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
)

// orderCases are about one run over contacts that do not change.
func orderCases() []testCase {
	return []testCase{
		{
			name: "ReadsEverythingOnce",
			rule: "an initial run yields every contact exactly once, with everything that it says (P5, P10)",
			run:  readsEverythingOnce,
		},
		{
			name: "EmptyServiceIsACompleteRun",
			rule: "an external service without contacts is a run without changes, not an error, and its checkpoint is accepted (T11)",
			run:  emptyServiceIsACompleteRun,
		},
		{
			name:  "AscendingOrder",
			rule:  "contacts come in the order (updated, id), so that everything before a page's end has been read (P9, E1)",
			needs: ordered,
			run:   ascendingOrder,
		},
		{
			name:  "IdsInTheOrderOfTheService",
			rule:  "contacts of one stamp come in the order that the external service gives their ids, and no contact is lost or repeated at a page's end (E1)",
			needs: ordered,
			run:   idsInTheOrderOfTheService,
		},
		{
			name: "ResumesAnywhere",
			rule: "reading goes on after any position, by any process, as if it had never stopped (E4)",
			run:  resumesAnywhere,
		},
		{
			name: "HalvesAreThePage",
			rule: "a Splitter's halves of a page are the page, from every position and of every size (P10, E4)",
			run:  halvesAreThePage,
		},
		{
			name: "EncodedIsTheContact",
			rule: "what an Encoder writes of a contact is what is sent of it otherwise, from every position (P10)",
			run:  encodedIsTheContact,
		},
		{
			name:  "TiesAcrossPages",
			rule:  "contacts with one stamp are neither lost nor repeated where a page ends among them (T1, E1)",
			needs: sorted,
			run:   tiesAcrossPages,
		},
		{
			name: "EveryPagesCheckpointIsSafe",
			rule: "a run from the checkpoint of any page brings everything that the pages so far did not (P7, P9, D3)",
			run:  everyPagesCheckpointIsSafe,
		},
		{
			name: "SpecialCharactersSurvive",
			rule: "texts and ids come as they are in the external service, and positions and checkpoints survive them",
			run:  specialCharactersSurvive,
		},
		{
			name: "ConcurrentReads",
			rule: "a source is used by many requests at once, and they do not share a change's memory",
			run:  concurrentReads,
		},
		{
			name: "CountIsRight",
			rule: "a Counter says how many contacts an initial run would yield, or -1",
			run:  countIsRight,
		},
	}
}

func readsEverythingOnce(x *exam) {
	want := x.settle(25)
	_, changes, _ := x.all(x.open(), "")
	seen := map[string]int{}
	for _, c := range first(changes) {
		seen[c.Contact.ID]++
	}
	for id, n := range seen {
		if n > 1 {
			x.failf("contact %s came %d times", show(id), n)
		}
	}
	r := newReplica()
	r.apply(changes)
	x.equal(r, want, "after an initial run")
}

func emptyServiceIsACompleteRun(x *exam) {
	src := x.open()
	_, changes, checkpoint := x.all(src, "")
	if len(changes) > 0 {
		x.failf("read %s", ids(changes))
	}
	r := newReplica()
	r.checkpoint = checkpoint
	x.put(x.service.Now(), Full(7))
	x.mustSync(r, 10, nil)
	if _, ok := r.contacts[Full(7).ID]; !ok {
		x.failf("a contact that was added after the empty run from %s did not come", show(checkpoint))
	}
}

func ascendingOrder(x *exam) {
	want := x.settle(25)
	slices.SortFunc(want, func(a, b contact.Contact) int { return x.target.order(a.ID, b.ID) }) // settle's stamps ascend with the ids
	_, changes, _ := x.all(x.open(), "")
	if got, want := ids(x.byIDs(first(changes))), x.inParts(want); got != want { // some have one stamp
		x.failf("read %s, want %s", got, want)
	}
	// The same stamps, the other way round.
	x.service = x.target.New(x.t)
	newest := x.long(10) // once: the clock goes on between the contacts
	for i := range 6 {
		x.put(newest.Add(-time.Duration(i/2)*time.Second), Full(i))
	}
	_, changes, _ = x.all(x.reopen(), "")
	if got, want := ids(first(changes)), x.inParts([]contact.Contact{Full(4), Full(5), Full(2), Full(3), Full(0), Full(1)}); got != want {
		x.failf("read %s, want %s", got, want)
	}
}

// inParts lists the ids of contacts that have the order of one source in the order of the target.
func (x *exam) inParts(contacts []contact.Contact) string {
	if part := x.target.Part; part != nil {
		slices.SortStableFunc(contacts, func(a, b contact.Contact) int { return cmp.Compare(part(a.ID), part(b.ID)) })
	}
	var order []bridge.Change
	for _, c := range contacts {
		order = append(order, bridge.Change{Contact: c})
	}
	return ids(order)
}

// mixedIDs are ids that collations sort differently. Those that differ by case are two contacts.
var mixedIDs = []string{
	"a", "A", "b", "B", "Z", "z", "_", "10", "9", "1", "a b", "a-b", "ab", "aB", "\u00e4", "\u00c4", "ae", "\u00e9", "e", "f", "\u00df", "ss", "\u65e5\u672c", "a.b", "~",
}

// byIDs returns changes in the order of their ids where the target gives those of one stamp in an order of its own.
func (x *exam) byIDs(changes []bridge.Change) []bridge.Change {
	if !x.target.OwnTies {
		return changes
	}
	sorted := slices.Clone(changes)
	slices.SortFunc(sorted, func(a, b bridge.Change) int { return x.target.order(a.Contact.ID, b.Contact.ID) })
	return sorted
}

func idsInTheOrderOfTheService(x *exam) {
	var want []contact.Contact
	for i, id := range mixedIDs {
		c := Full(i)
		c.ID = id
		want = append(want, c)
	}
	x.put(x.long(0), want...)
	slices.SortFunc(want, func(a, b contact.Contact) int { return x.target.order(a.ID, b.ID) })
	run, straight, _ := x.all(x.open(), "")
	if got, want := ids(x.byIDs(first(straight))), x.inParts(want); got != want {
		x.failf("read %s, want %s", got, want)
	}
	for _, size := range []int{1, 2, 7} {
		x.sameChanges(x.inPages(run, size, len(straight)), straight, fmt.Sprintf("in pages of %d", size))
	}
	r := newReplica()
	x.mustSync(r, 3, func(int) {
		other := r.clone()
		x.mustSync(other, 5, nil)
		x.equal(other, want, "from a page's checkpoint "+show(r.checkpoint))
	})
	x.equal(r, want, "in pages of 3")
}

func resumesAnywhere(x *exam) {
	x.settle(25)
	run, straight, _ := x.all(x.open(), "")
	for cut, change := range straight {
		if len(change.Position) == 0 {
			x.failf("change %d has no position", cut)
			continue
		}
		rest, err := x.read(x.reopen(), run, change.Position, 0)
		x.must(err, fmt.Sprintf("read after change %d", cut))
		x.sameChanges(rest, straight[cut+1:], fmt.Sprintf("after change %d", cut))
	}
	for _, size := range []int{1, 2, 3, 10, 24, 25, 26} {
		x.sameChanges(x.inPages(run, size, len(straight)), straight, fmt.Sprintf("in pages of %d", size))
	}
	x.stopsInTheMiddle(run, straight)
}

// inPages reads a run in pages, by two sources in turn: neither has read the page before, as where two processes answer. A run with more than most
// changes does not end, without those that it shows once more.
func (x *exam) inPages(run bridge.Run, size, most int) []bridge.Change {
	var pieces []bridge.Change
	var at bridge.Position
	next, other := x.reopen(), x.open()
	for {
		page, err := x.read(next, run, at, size)
		x.must(err, fmt.Sprintf("read a page of %d", size))
		pieces, at = append(pieces, page...), last(page, at)
		if len(page) < size || len(first(pieces)) > most {
			return pieces
		}
		next, other = other, next
	}
}

// stopsInTheMiddle reads 10 without saying so before, acknowledges 5, closes, and goes on after those.
func (x *exam) stopsInTheMiddle(run bridge.Run, straight []bridge.Change) {
	src := x.reopen()
	var read []bridge.Change
	for change, err := range src.Read(x.ctx, run, nil, 0) {
		x.must(err, "read without a limit")
		if read = append(read, keep(change)); len(read) == 10 {
			break
		}
	}
	rest, err := x.read(x.reopen(), run, read[4].Position, 0)
	x.must(err, "go on after 5 of 10")
	x.sameChanges(append(read[:5:5], rest...), straight, "10 read, 5 acknowledged, then the rest")
}

func halvesAreThePage(x *exam) {
	x.settle(25)
	src := x.open()
	splitter, ok := src.(bridge.Splitter)
	if !ok {
		return // not every source finds the middle of a page
	}
	run, straight, _ := x.all(src, "")
	for start := range len(straight) {
		at := last(straight[:start], nil)
		for _, size := range []int{1, 2, 3, 7, 24, 25, 26} {
			middle, n := splitter.Split(x.ctx, run, at, size)
			if n == 0 {
				continue
			}
			half, err := x.read(src, run, at, n)
			x.must(err, "read the first half")
			rest, err := x.read(src, run, middle, size-n)
			x.must(err, "read the second half")
			x.sameChanges(append(half, rest...), straight[start:min(start+size, len(straight))], fmt.Sprintf("%d after change %d, in halves", size, start))
		}
	}
}

func encodedIsTheContact(x *exam) {
	x.settle(25)
	src := x.open()
	encoder, ok := src.(bridge.Encoder)
	if !ok {
		return // most sources leave that to the handler
	}
	run, straight, _ := x.all(src, "")
	for start := range len(straight) {
		sent := func(*contact.Contact) bool { return start%2 == 0 }
		n := start
		for change, err := range encoder.ReadEncoded(x.ctx, run, last(straight[:start], nil), 0, bridge.Encoding{Sent: sent}) {
			x.must(err, "read encoded")
			if n == len(straight) {
				x.failf("after change %d, more is read encoded than otherwise", start)
				return
			}
			x.sameEncoded(change, straight[n])
			n++
		}
		if n < len(straight) {
			x.failf("after change %d, %d changes are read encoded, want %d", start, n-start, len(straight)-start)
		}
	}
}

// sameEncoded compares a change that may be encoded with the same one that is not.
func (x *exam) sameEncoded(got, want bridge.Change) {
	json := string(got.JSON)
	if json == "" {
		json = string(got.Contact.AppendJSON(nil))
	}
	if wanted := string(want.Contact.AppendJSON(nil)); json != wanted {
		x.failf("contact %s is encoded as\n%s, want\n%s", show(want.Contact.ID), json, wanted)
	}
	if got.Deleted != want.Deleted || got.Rejected != want.Rejected || got.Again != want.Again || !bytes.Equal(got.Position, want.Position) {
		x.failf("contact %s is deleted, rejected, shown again or placed otherwise where it is encoded", show(want.Contact.ID))
	}
}

func tiesAcrossPages(x *exam) {
	var want []contact.Contact
	for i := range 40 {
		want = append(want, Full(i))
	}
	x.put(x.long(0), want...)
	for _, size := range []int{1, 7, 39, 40} {
		r := newReplica()
		x.mustSync(r, size, func(int) {
			// A run from a page's checkpoint in the middle of the tie gets the rest of it.
			other := r.clone()
			x.mustSync(other, 11, nil)
			x.equal(other, want, fmt.Sprintf("pages of %d, from the checkpoint %s", size, show(other.checkpoint)))
		})
		x.equal(r, want, fmt.Sprintf("pages of %d", size))
		x.close()
	}
}

func everyPagesCheckpointIsSafe(x *exam) {
	want := x.settle(20)
	src := x.open()
	run, straight, _ := x.all(src, "")
	for cut := range straight {
		r := newReplica()
		r.apply(straight[:cut+1])
		r.checkpoint = src.Checkpoint(run, straight[cut].Position, false)
		x.mustSync(r, 6, nil)
		x.equal(r, want, fmt.Sprintf("%d contacts and then a run from their checkpoint %s", cut+1, show(src.Checkpoint(run, straight[cut].Position, false))))
	}
}

func specialCharactersSurvive(x *exam) {
	texts := []string{
		`quotes ' " ` + "`" + ` and ''`, `back\slash \n \x00 %s %d`, "comma, semicolon; tab\tpipe|", "two\nlines", "emoji 👩‍👩‍👧 🇵🇹",
		"עברית العربية \u202eabc", "e\u0301 é ﬁ ＡＢＣ", "zero\u200bwidth\ufeff", "; DROP TABLE contacts; --", "=cmd|' /C calc'!A0",
		"null", "NULL", "0", "-1", "1e5", "true", "{{auth.password}}", "${HOME}", "<script>&amp;", strings.Repeat("long ", 4000) + "end",
	}
	var want []contact.Contact
	for i, text := range texts {
		if x.target.MaxText > 0 && len(text) > x.target.MaxText {
			continue
		}
		if x.target.Kept != nil {
			text = x.target.Kept(text)
		}
		c := Full(i)
		c.ID = fmt.Sprintf("%s-%02d", text[:min(len(text), 200)], i)
		c.Name, c.Company, c.Address, c.Title = text, text, text, text
		c.CustomFields = []contact.CustomField{{Key: "Plan", Value: text}}
		want = append(want, c)
		x.put(x.long(i/2), c)
	}
	for _, size := range []int{1, 7, 100} {
		r := newReplica()
		x.mustSync(r, size, func(page int) {
			if page%5 == 0 { // checkpoints with such ids are read back too
				other := r.clone()
				x.mustSync(other, 50, nil)
				x.equal(other, want, "from a page's checkpoint "+show(r.checkpoint))
			}
		})
		x.equal(r, want, fmt.Sprintf("pages of %d", size))
		x.close()
	}
}

func concurrentReads(x *exam) {
	x.settle(60)
	src := x.open()
	run, straight, _ := x.all(src, "")
	type result struct {
		changes []bridge.Change
		err     error
	}
	results := make(chan result)
	for worker := range 6 {
		go func() {
			var got result
			var at bridge.Position
			size := 5 + worker*7
			for got.err == nil {
				var page []bridge.Change
				page, got.err = x.read(src, run, at, size)
				got.changes, at = append(got.changes, page...), last(page, at)
				if len(page) < size {
					break
				}
			}
			results <- got
		}()
	}
	var got []result
	for range 6 {
		got = append(got, <-results)
	}
	for _, r := range got {
		x.must(r.err, "read at the same time as others")
		x.sameChanges(r.changes, straight, "read at the same time as others")
	}
}

func countIsRight(x *exam) {
	x.settle(12)
	src := x.open()
	counter, ok := src.(source.Counter)
	if !ok {
		return
	}
	n, err := counter.Count(x.ctx)
	x.must(err, "count")
	if n != 12 && n != -1 {
		x.failf("counted %d contacts of 12", n)
	}
}
