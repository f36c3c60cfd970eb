package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source/stamp"
)

// asksSince returns the samples of requests that have {{since}}, deletions among them.
func (p *prover) asksSince() (list []*sample) {
	for _, s := range append(p.samples(), p.gone) {
		if s != nil && s.err == nil && s.reading.uses("since") {
			list = append(list, s)
		}
	}
	return list
}

// farFuture asks for what will be changed in ten years: a parameter that is misspelt brings everything instead.
func (p *prover) farFuture() {
	for _, s := range p.asksSince() {
		const name, title = "far_future", "nothing has changed in the far future"
		keys := []string{s.name + ".query", s.name + ".since"}
		at := p.walk.bound(s.reading, p.began+forever.Microseconds())
		asked := says(s.name, &s.reading.Request) + " since " + at.UTC().Format(time.RFC3339)
		got, a, err := p.get(s.name, scope{"since": at}, s.size, "")
		switch {
		case err != nil && isPassing(err):
			p.broke(name, title, keys, asked, err)
		case len(s.items) == 0:
			p.open(name, title, keys, asked, records(len(got.itemsOrNone())), "There is none at any time, so that this proves nothing.")
		case err != nil:
			p.passed(name, title, keys, asked, said(err), "The service takes the time to be one: it refuses one in the future.")
		case got.count == 0:
			p.passed(name, title, keys, asked, "no record", "The service looks at the time.")
		case slices.ContainsFunc(got.items, func(i item) bool { return i.noTime || i.stamp < p.began }):
			p.failed(name, title, keys, asked, records(got.count)+" ("+fmt.Sprint(a.status)+")",
				"The service does not look at the time that it is asked for: each run would read everything. Compare the name and the form of the parameter with its documentation.")
		default:
			p.open(name, title, keys, asked, records(got.count), "They are stamped in the future: see the check of the clock.")
		}
	}
}

// itemsOrNone returns the records of a page that may be missing.
func (p *page) itemsOrNone() []item {
	if p == nil {
		return nil
	}
	return p.items
}

// bounds asks for what was changed from the time of a record on, as a run does that goes on there.
func (p *prover) bounds() {
	for _, s := range p.asksSince() {
		p.bound(s)
	}
}

func (p *prover) bound(s *sample) {
	const name, title = "since", "the time that is asked for is taken as declared, and its own records come"
	r := s.reading
	keys := []string{s.name + ".since", s.name + ".query", "updated"}
	stamps := s.stamps()
	if len(stamps) < 2 {
		p.open(name, title, keys, says(s.name, &r.Request), s.count()+", of "+times(len(stamps)), "It takes records of two different times.")
		return
	}
	at := telling(stamps)
	if !s.whole && r.Order != orderUpdated {
		at = stamps[len(stamps)-1]
	}
	wanted := s.ids(func(i item) bool { return !i.noTime && i.stamp == at })
	asked := p.walk.bound(r, at)
	question := fmt.Sprintf("%s since %s, the time of %s", says(s.name, &r.Request), asked.UTC().Format(time.RFC3339Nano), someOf(wanted))
	got := p.read(s.name, scope{"since": asked}, s.size, len(s.items)+s.size)
	if got.err != nil {
		p.broke(name, title, keys, question, got.err)
		return
	}
	came := got.count()
	if left := missing(wanted, got.ids(func(item) bool { return true })); len(left) > 0 {
		p.failed(name, title, keys, question, came+", without "+someOf(left),
			"Records would be lost where a run goes on. The service leaves out those of the time itself (set "+s.name+".since to  {exclusive: true} ), takes it coarser ( {granularity: 24h} ), or in another zone or form (updated.zone, the filter of {{since}}).")
		return
	}
	if older := p.older(got, asked); len(older) > 0 && p.l.Changes.Token == "" {
		p.failed(name, title, keys, question, came+", of which "+someOf(older)+" were changed before",
			"The service takes the time coarser than declared, or in another zone: set "+s.name+".since to  {granularity: 24h}  or what it is, and updated.zone to the service's.")
		return
	}
	means := "A run that goes on there misses nothing."
	if p.l.Changes.Token != "" {
		means += " Whether older ones come too does not matter: the service's token goes on from there."
	}
	if r.Since.Exclusive {
		means += p.inclusive(s, at, wanted)
	}
	p.passed(name, title, keys, question, came, means)
}

// telling returns the time to ask from: one that is soon after another one of its day, so that what comes tells whether the service takes
// it exactly.
func telling(stamps []int64) int64 {
	const day = int64(24 * time.Hour / time.Microsecond)
	best := max(1, len(stamps)*2/3)
	for i := max(1, len(stamps)/3); i < len(stamps); i++ {
		sameDay := floorDiv(stamps[i], day) == floorDiv(stamps[i-1], day)
		if bestSame := floorDiv(stamps[best], day) == floorDiv(stamps[best-1], day); sameDay && (!bestSame || stamps[i]-stamps[i-1] < stamps[best]-stamps[best-1]) {
			best = i
		}
	}
	return stamps[best]
}

// older returns the records that were changed before what was asked for.
func (p *prover) older(s *sample, asked moment) []string {
	least := stamp.Microseconds(asked.Add(-p.l.Updated.precision()).Add(-s.reading.Since.Granularity))
	return s.ids(func(i item) bool { return !i.noTime && i.stamp <= least })
}

// inclusive says whether a request that is declared to leave out its own time does.
func (p *prover) inclusive(s *sample, at int64, wanted []string) string {
	from, _ := p.walk.unit(at)
	got := p.read(s.name, scope{"since": p.walk.moment(from)}, s.size, len(s.items)+s.size)
	if got.err != nil || len(missing(wanted, got.ids(func(item) bool { return true }))) > 0 {
		return " The time itself is left out, as declared."
	}
	return " The time itself comes too, although " + s.name + ".since.exclusive says that it does not: that is harmless."
}

// orders checks in which order records come.
func (p *prover) orders() {
	for _, s := range p.samples() {
		r := s.reading
		if r.Order == "" || r.Order == "none" || s.err != nil {
			continue
		}
		const name, title = "order", "records come in the order that is declared"
		keys := []string{s.name + ".order", "updated"}
		asked := says(s.name, &r.Request) + ", " + pages(len(s.pages))
		if r.Order != orderID && len(s.stamps()) < 2 {
			verdict, came := p.open, s.count()+", of "+times(len(s.stamps()))
			if len(s.stamps()) == 0 {
				p.failed(name, title, keys, asked, s.count()+" without a time at "+p.l.Updated.Path, "Correct updated.path and updated.as: without a time no run can go on from a record.")
				continue
			}
			verdict(name, title, keys, asked, came, "It takes records of two different times.")
			continue
		}
		if before, after, wrong := p.disordered(s); wrong {
			p.failed(name, title, keys, asked, fmt.Sprintf("%s came before %s", before, after),
				"A run ends with an error, or loses records. Add the parameter that sorts them, or set "+s.name+".order to none.")
			continue
		}
		p.passed(name, title, keys, asked, s.count()+" in the order of "+p.orderOf(r), "A run can go on from any of them.")
	}
}

func (p *prover) orderOf(r *Reading) string {
	switch r.Order {
	case orderID:
		return "their ids"
	case orderNewest:
		return p.l.Updated.Path + ", the newest first"
	}
	return p.l.Updated.Path
}

// disordered returns two records that came in the wrong order.
func (p *prover) disordered(s *sample) (before, after string, wrong bool) {
	step := p.l.Updated.precision().Microseconds()
	for _, of := range s.pages {
		for n := 1; n < len(of.items); n++ {
			a, b := of.items[n-1], of.items[n]
			switch s.reading.Order {
			case orderUpdated:
				wrong = !a.noTime && !b.noTime && b.stamp <= a.stamp-step
			case orderNewest:
				wrong = !a.noTime && !b.noTime && a.stamp <= b.stamp-step
			case orderID:
				wrong = a.id != "" && b.id != "" && s.reading.IDs != "" && !s.reading.comesAfter(b.id, a.id)
			case orderCreated:
				wrong = b.made < a.made
			}
			if wrong {
				return a.id, b.id, true
			}
		}
	}
	return "", "", false
}

// sizes asks for few records, and looks whether a page that is not full was the last.
func (p *prover) sizes() {
	for _, s := range append(p.samples(), p.gone) {
		if s == nil || s.err != nil || len(s.items) == 0 {
			continue
		}
		p.size(s)
	}
}

func (p *prover) size(s *sample) {
	const name, title = "page_size", "a page has as many records as are asked for"
	r := s.reading
	if r.Page.By == "none" || s.size == 0 && len(s.pages) < 2 {
		return // nothing of it is declared
	}
	keys := []string{s.name + ".page.size", s.name + ".query"}
	asked := says(s.name, &r.Request)
	if s.size > 0 {
		asked += fmt.Sprintf(" with pages of %d", s.size)
	}
	first := s.pages[0].count
	const few = 2
	variable := r.uses("limit") && s.size > few
	if variable && len(s.items) > few {
		asked += fmt.Sprintf(", and of %d", few)
		got, _, err := p.get(s.name, p.begins(s), few, "")
		if err != nil {
			p.broke(name, title, keys, asked, err)
			return
		}
		if got.count != few {
			p.failed(name, title, keys, asked, fmt.Sprintf("%s where %d were asked for", records(got.count), few), "The service does not look at how many are asked for. Compare the parameter that has {{limit}} with its documentation.")
			return
		}
		if !got.more && len(s.items) > few {
			p.failed(name, title, append(keys, s.name+".page.next", s.name+".page.more"), asked, "2 records, and nothing that says that there are more",
				"A run would end after its first page. Correct "+s.name+".page.next, or .more, to where an answer says how it goes on.")
			return
		}
	}
	if s.size > 0 && first > s.size {
		p.failed(name, title, keys, asked, records(first), "The service gives more than it is asked for: page.size, or the parameter that has {{limit}}, is wrong.")
		return
	}
	if left := p.beyond(s); left > 0 {
		p.failed(name, title, keys, asked, fmt.Sprintf("%s in the last page, and %d more after it", records(s.pages[len(s.pages)-1].count), left),
			"A page that is not full counts as the last one, so that these would be lost. Set "+s.name+".page.size to what the service gives at most.")
		return
	}
	switch {
	case first == s.size:
		p.passed(name, title, keys, asked, fmt.Sprintf("%s in the first page, and nothing after the last one", records(first)), "The size is one that the service gives.")
	case s.size == 0 && len(s.pages) > 1:
		p.passed(name, title, keys, asked, records(first)+" in the first page", "The service goes on as declared.")
	default:
		p.open(name, title, keys, asked, s.count(), "It takes more records than a page has to see whether the service gives as many. That nothing comes after them was checked.")
	}
}

// begins returns the values of a sample's first request.
func (p *prover) begins(s *sample) scope {
	if s == p.gone {
		return scope{"since": p.goneSince()}
	}
	if s.reading.uses("since") {
		return scope{"since": p.walk.bound(s.reading, beginning)}
	}
	return scope{}
}

// beyond asks for what comes after a page that counted as the last for its size, and returns how many records there are.
func (p *prover) beyond(s *sample) int {
	r := s.reading
	if !s.whole || r.Page.More != "" || r.Done != "" {
		return 0
	}
	values := p.begins(s)
	last := s.pages[len(s.pages)-1]
	switch r.Page.By {
	case "keyset":
		if len(last.items) == 0 || r.Order == orderID || !p.turnKeyset(r, values, last) {
			return 0
		}
	case "number":
		values["page"] = int64(r.firstPage() + len(s.pages))
	case "offset":
		values["offset"] = int64(len(s.items))
	default:
		return 0
	}
	got, _, err := p.get(s.name, values, s.size, "")
	if err != nil {
		return 0 // a page after the last may be refused
	}
	horizon := p.began - p.l.Updated.overlap().Microseconds()
	count := 0
	for _, i := range got.items {
		if i.id != "" && !s.seen[i.id] && (i.noTime || i.stamp < horizon) { // else it was changed meanwhile
			count++
		}
	}
	return count
}

// nextPages reads several small pages: they must bring what larger ones did, and nothing twice.
func (p *prover) nextPages() {
	for _, s := range append(p.samples(), p.gone) {
		if s == nil || s.err != nil || s.reading.Page.By == "none" || len(s.items) == 0 {
			continue
		}
		p.nextPage(s)
	}
}

func (p *prover) nextPage(s *sample) {
	const name, title = "next_page", "one page goes on where the one before ended"
	r := s.reading
	keys := []string{s.name + ".page"}
	asked := says(s.name, &r.Request)
	if where := continues(s); where != "" {
		p.failed(name, title, append(keys, s.name+".page.next", s.name+".page.more"), asked, "an end, and yet a value at "+where+" of the last answer",
			"The service may have more records than a run would read. Correct "+s.name+".page: next, more, or done.")
		return
	}
	small := s
	if r.uses("limit") && s.size > 0 {
		size := max(2, (len(s.items)+2)/3)
		if r.Page.By == "keyset" {
			size = max(size, p.mostOfOneTime(s)+2)
		}
		if size < s.size {
			if small = p.read(s.name, p.begins(s), size, len(s.items)); small.err != nil {
				p.broke(name, title, keys, asked, small.err)
				return
			}
		}
	}
	asked += ", " + pages(len(small.pages)) + " of " + fmt.Sprint(small.size)
	if small.size == 0 {
		asked = says(s.name, &r.Request) + ", " + pages(len(small.pages))
	}
	if len(small.pages) < 2 || small.whole && len(small.pages) == 2 && small.pages[1].count == 0 {
		p.open(name, title, keys, asked, small.count(), "There are fewer records than two pages have.")
		return
	}
	if again := repeats(small); len(again) > 0 {
		p.failed(name, title, keys, asked, "in a later page again: "+someOf(again), "A later page must not be an earlier one. Check that the request has {{page}}, {{offset}}, {{cursor}}, {{since}} or {{after_id}}, as page.by says.")
		return
	}
	end := p.began - p.l.Updated.overlap().Microseconds()
	settled := func(i item) bool { return i.noTime || i.stamp < end }
	reached := func(i item) bool { return true }
	if !small.whole && r.Order == orderUpdated {
		stamps := small.stamps()
		reached = func(i item) bool { return !i.noTime && i.stamp < stamps[len(stamps)-1] }
	}
	lost := missing(s.ids(func(i item) bool { return settled(i) && reached(i) }), small.ids(func(item) bool { return true }))
	if len(lost) > 0 && (small.whole || r.Order == orderUpdated) {
		p.failed(name, title, keys, asked, "not in small pages, but in larger ones: "+someOf(lost), "Records would be lost between two pages. Check "+s.name+".page against the API's documentation.")
		return
	}
	p.passed(name, title, keys, asked, records(len(small.items))+", each of them once", "A run reads on from page to page.")
}

// repeats returns the records that came in a page after that of their first time. The record with which a page ends may begin the next
// one, and those of the last time of a page of a keyset come again.
func repeats(s *sample) (again []string) {
	seen := map[string]bool{}
	bound := int64(-1 << 62)
	last := ""
	for _, of := range s.pages {
		fresh := 0
		var here []string
		for _, i := range of.items {
			switch {
			case i.id == "":
			case !seen[i.id]:
				fresh++
			case i.id != last && (s.reading.Page.By != "keyset" || i.noTime || i.stamp < bound):
				here = append(here, i.id)
			}
		}
		if len(here) > 0 && (fresh == 0 || len(here) > 1) {
			again = append(again, here...)
		}
		for _, i := range of.items {
			seen[i.id] = true
			last = i.id
			if !i.noTime {
				bound = max(bound, i.stamp-time.Second.Microseconds())
			}
		}
	}
	return again
}

// mostOfOneTime returns how many records have the same time at most.
func (p *prover) mostOfOneTime(s *sample) int {
	_, most := p.mostTied(s)
	return most
}

// mostTied returns a time that as many records have as no other has.
func (p *prover) mostTied(s *sample) (at int64, most int) {
	count := map[int64]int{}
	for _, i := range s.items {
		if i.noTime {
			continue
		}
		from, _ := p.walk.unit(i.stamp)
		if count[from]++; count[from] > most {
			at, most = from, count[from]
		}
	}
	return at, most
}

// continuation fits the names under which answers say that there is more.
var continuation = regexp.MustCompile(`(?i)(next|more|cursor|continuation|skiptoken)`)

// past fits those of them that say something else.
var past = regexp.MustCompile(`(?i)(prev|before|sync|delta)`)

// continues returns where the last answer of a sample says that there is more, though its end was taken for that of all records.
func continues(s *sample) string {
	if !s.whole {
		return ""
	}
	r, a := s.reading, s.answers[len(s.answers)-1]
	if _, known := a.find(r.Page.More); known && r.Page.More != "" {
		return "" // it said so itself
	}
	if said, known := a.find(r.Done); known && r.Done != "" {
		if string(said) == "false" {
			return r.Done
		}
		return ""
	}
	if _, linked := a.find("header:Link"); linked {
		return "the header Link"
	}
	var body any
	if json.Unmarshal(a.body, &body) != nil {
		return ""
	}
	return continuesAt(body, "", []string{r.Records, r.Token, "@odata.deltaLink"})
}

// continuesAt looks for such a value at any depth but in lists.
func continuesAt(value any, at string, but []string) string {
	object, ok := value.(map[string]any)
	if !ok {
		return ""
	}
	for key, inner := range object {
		path := strings.TrimPrefix(at+"."+key, ".")
		if slices.Contains(but, path) {
			continue
		}
		if found := continuesAt(inner, path, but); found != "" {
			return found
		}
		says := inner == true
		if text, isText := inner.(string); isText {
			says = text != "" && text != "false"
		}
		if says && continuation.MatchString(path) && !past.MatchString(path) {
			return path
		}
	}
	return ""
}

func times(n int) string {
	if n == 1 {
		return "1 time"
	}
	return fmt.Sprintf("%d times", n)
}

func pages(n int) string {
	if n == 1 {
		return "1 page"
	}
	return fmt.Sprintf("%d pages", n)
}

// byIDs asks for the records of some times by their ids: the same as by their times.
func (p *prover) byIDs() {
	s := p.main
	if p.l.ByID.IsZero() || s == nil || s.err != nil || len(s.items) == 0 {
		return
	}
	const name, title = "by_id", "records can be read by their ids"
	keys := []string{"by_id", "updated.precision"}
	asked := says("by_id", &p.l.ByID.Request)
	from, before, wanted := p.interval(s)
	if len(wanted) < 2 {
		p.open(name, title, keys, asked, s.count(), "It takes two records with a time.")
		return
	}
	asked += fmt.Sprintf(" from %s up to before %s", readable(from), readable(before))
	values := scope{"from": p.walk.moment(p.walk.clear(from)), "before": p.walk.moment(before), "after_id": p.l.ByID.FirstID, "direction": p.walk.direction(0)}
	size := p.l.ByID.Page.Size
	if p.l.ByID.uses("limit") {
		size = min(size, max(2, len(wanted)/3))
	}
	got := p.read("by_id", values, size, len(wanted)+p.records)
	if got.err != nil {
		p.broke(name, title, keys, asked, got.err)
		return
	}
	came := records(len(got.items)) + " in " + pages(len(got.pages))
	within := func(i item) bool { return i.noTime || i.stamp >= from && i.stamp < before }
	ids := got.ids(within)
	if before, after, wrong := p.disordered(got); wrong {
		p.failed(name, title, append(keys, "by_id.ids", "by_id.order"), asked, fmt.Sprintf("%s came before %s", before, after), "Correct by_id.ids (number, bytes) or by_id.created, or the parameter that sorts by it.")
		return
	}
	if lost := missing(wanted, ids); len(lost) > 0 {
		p.failed(name, title, append(keys, "by_id.query", "by_id.page"), asked, came+", without "+someOf(lost), "Records of one time would be lost where there are more of them than a page has. Compare the request with the API's documentation: from must include its time, and {{after_id}} leave out its id.")
		return
	}
	if foreign := got.ids(func(i item) bool { return !within(i) }); len(foreign) > 0 {
		p.failed(name, title, append(keys, "by_id.query"), asked, came+", of other times too: "+someOf(foreign), "The service does not look at {{from}} or {{before}}: runs would read everything again. Compare the request with the API's documentation.")
		return
	}
	if again := repeats(got); len(again) > 0 {
		p.failed(name, title, append(keys, "by_id.query"), asked, "again in a later page: "+someOf(again), "The service does not look at {{after_id}}, or includes its id.")
		return
	}
	if few := p.fullByID(s); few != "" {
		p.failed(name, title, append(keys, "by_id.page.size"), asked, few, "A page that is not full counts as the last one, so that records would be lost. Set by_id.page.size to what the service gives at most.")
		return
	}
	if wrong := p.afterID(values, ids, size); wrong != "" {
		p.failed(name, title, append(keys, "by_id.query", "by_id.first_id"), asked, wrong, "Compare {{after_id}} in the request with the API's documentation.")
		return
	}
	if wrong := p.backwards(values, ids); wrong != "" {
		p.failed(name, title, append(keys, "by_id.directions"), asked+", backwards", wrong, "Correct by_id.directions: what stands for ascending, then for descending.")
		return
	}
	p.passed(name, title, keys, asked, came, "The same records as by their times.")
}

// interval returns a part of a sample's times, with about fifty records and with others before and after it where there are, and the
// ids in it. The time that most records have is within.
func (p *prover) interval(s *sample) (from, before int64, ids []string) {
	stamps := s.stamps()
	end := p.began - p.l.Updated.overlap().Microseconds()
	stamps = slices.DeleteFunc(stamps, func(at int64) bool { return at >= end })
	if len(stamps) == 0 {
		return 0, 0, nil
	}
	if !s.whole && len(stamps) > 1 {
		stamps = stamps[:len(stamps)-1] // of the last time there may be more
	}
	tied, _ := p.mostTied(s)
	low, _ := slices.BinarySearch(stamps, tied)
	low = min(low, len(stamps)-1)
	if low == 0 && len(stamps) > 3 {
		low = 1
	}
	low = max(1, low-10)
	if len(stamps) <= 3 {
		low = 0
	}
	high := min(low+50, len(stamps)-1)
	if high == len(stamps)-1 && high > low+1 {
		high--
	}
	from, _ = p.walk.unit(stamps[low])
	_, before = p.walk.unit(stamps[high])
	// A unit may hold other times as well, such as the hour that autumn repeats.
	for ; stamps[0] >= from && low+1 < high; low++ {
		from, _ = p.walk.unit(stamps[low+1])
	}
	for ; stamps[len(stamps)-1] < before && high-1 > low; high-- {
		_, before = p.walk.unit(stamps[high-1])
	}
	return from, before, s.ids(func(i item) bool { return !i.noTime && i.stamp >= from && i.stamp < before })
}

// fullByID asks for a whole page of all records that are settled, and says so if fewer come.
func (p *prover) fullByID(s *sample) string {
	r := &p.l.ByID
	if r.Page.Size == 0 || r.Page.Next != "" || r.Page.More != "" {
		return ""
	}
	before := p.began - p.l.Updated.overlap().Microseconds()
	wanted := len(s.ids(func(i item) bool { return !i.noTime && i.stamp < before }))
	got, _, err := p.get("by_id", scope{"from": p.walk.moment(beginning), "before": p.walk.moment(before), "after_id": r.FirstID, "direction": p.walk.direction(0)}, r.Page.Size, "")
	if err != nil {
		return said(err)
	}
	if least := min(wanted, r.Page.Size); got.count < least {
		return fmt.Sprintf("%s in a page of %d, and there are %d", records(got.count), r.Page.Size, wanted)
	}
	return ""
}

// afterID asks for what comes after an id in the middle.
func (p *prover) afterID(values scope, ids []string, size int) (wrong string) {
	if !p.l.ByID.uses("after_id") || len(ids) < 3 {
		return ""
	}
	middle := ids[len(ids)/2]
	got, _, err := p.get("by_id", values.with(scope{"after_id": middle}), size, "")
	if err != nil {
		return said(err)
	}
	earlier := ids[:len(ids)/2+1]
	for _, i := range got.items {
		if slices.Contains(earlier, i.id) {
			return i.id + " came after " + middle
		}
	}
	if len(got.items) == 0 {
		return "nothing came after " + middle
	}
	return ""
}

// backwards asks for the records in the other direction: the greatest id comes first.
func (p *prover) backwards(values scope, ids []string) (wrong string) {
	r := &p.l.ByID
	if !r.isBounded() || len(ids) < 2 {
		return ""
	}
	got, _, err := p.get("by_id", values.with(scope{"direction": p.walk.direction(1), "after_id": r.FirstID}), r.Page.Size, "")
	if err != nil {
		return said(err)
	}
	greatest := ids[0]
	for _, id := range ids {
		if r.comesAfter(id, greatest) {
			greatest = id
		}
	}
	if len(got.items) == 0 || r.comesAfter(greatest, got.items[0].id) {
		return "the first one is not " + greatest + ", the greatest id"
	}
	return ""
}

// ties asks for the records of the time that most records have.
func (p *prover) ties() {
	s := p.main
	if s == nil || s.err != nil || !p.l.isSorted() || len(s.items) == 0 {
		return
	}
	const name, title = "ties", "records of one time are read once each"
	keys := []string{"changes.page.size", "by_id", "updated.precision"}
	at, most := p.mostTied(s)
	wanted := s.ids(func(i item) bool {
		from, _ := p.walk.unit(i.stamp)
		return !i.noTime && from == at
	})
	asked := fmt.Sprintf("what has the time %s, of %s", readable(at), s.count())
	if p.l.ByID.IsZero() {
		switch {
		case most < p.l.Changes.Page.Size:
			p.passed(name, title, keys, asked, records(most), "A page holds them. More of one time than a page holds would end a run with an error: there is no by_id.")
		default:
			p.failed(name, title, keys, asked, records(most), "There are more than a page holds, which ends a run with an error. Set changes.page.size to more, or add by_id.")
		}
		return
	}
	from, before := p.walk.unit(at)
	values := scope{"from": p.walk.moment(p.walk.clear(from)), "before": p.walk.moment(before), "after_id": p.l.ByID.FirstID, "direction": p.walk.direction(0)}
	size := p.l.ByID.Page.Size
	if p.l.ByID.uses("limit") {
		size = min(size, max(2, most/2))
	}
	got := p.read("by_id", values, size, most+p.records)
	if got.err != nil {
		p.broke(name, title, keys, asked, got.err)
		return
	}
	ids := got.ids(func(i item) bool { return i.noTime || i.stamp >= from && i.stamp < before })
	if lost := missing(wanted, ids); len(lost) > 0 {
		p.failed(name, title, keys, asked+", by id", records(len(ids))+", without "+someOf(lost), "They would be lost where a page is full of one time. Check updated.precision, and {{from}} and {{before}} of by_id.")
		return
	}
	means := fmt.Sprintf("%s of one time come by their ids.", records(most))
	if most == 1 {
		means = "No two of the records have the same time; the one that was asked for comes by its time."
	}
	p.passed(name, title, keys, asked+", by id", records(len(ids)), means)
}

// tokens reads on after the service's own token, and sends one that is wrong.
func (p *prover) tokens() {
	r := &p.l.Changes
	if r.Token == "" {
		return
	}
	const name, title = "token", "the service's token is where the next run goes on"
	keys := []string{"changes.token", "list.token", "changes.page.next"}
	s := p.list
	if s == nil || s.reading.Token == "" {
		s = p.main
	}
	if s == nil || s.err != nil || len(s.items) == 0 {
		return
	}
	asked := says("changes", &r.Request) + " with the token of the last page of " + s.name
	if !s.whole {
		p.open(name, title, keys, asked, s.count(), "The token comes with the last page, and there are more records than --examine permits to read.")
		return
	}
	token := s.pages[len(s.pages)-1].token
	if token == "" {
		p.failed(name, title, keys, asked, "no token at "+s.reading.Token, "Correct "+s.name+".token: without it each run reads everything.")
		return
	}
	got := p.read("changes", p.afterToken(token), r.Page.Size, len(s.items))
	if got.err != nil {
		p.broke(name, title, keys, asked, got.err)
		return
	}
	if n := len(got.items); n > 0 && n >= len(s.items) {
		p.failed(name, title, keys, asked, records(n), "The token is ignored: every record comes again. Check that the request sends {{token}}.")
		return
	}
	p.passed(name, title, keys, asked, got.count(), "A run brings what has changed since the one before.")
	p.wrongToken(token)
}

// afterToken returns the values of a request that goes on after a token.
func (p *prover) afterToken(token string) scope {
	values := scope{"token": token, "since": "", "page": int64(p.l.Changes.firstPage())}
	if p.l.Changes.Page.By == "link" && p.l.Changes.Path.written == tokenPath {
		values["link"] = token // the token is an address
	}
	return values
}

// wrongToken sends a token with other characters at its end.
func (p *prover) wrongToken(token string) {
	const name, title = "wrong_token", "a token that is of no use any more begins a new run"
	keys := []string{"errors"}
	asked := says("changes", &p.l.Changes.Request) + " with its token changed"
	wrong := spoil(token)
	if !strings.Contains(token, "://") {
		wrong = spoilLast(token, len(token))
	}
	values := p.afterToken(wrong)
	link, _ := values["link"].(string)
	one := call{request: &p.l.Changes.Request, address: link, values: scope{"limit": int64(p.l.Changes.Page.Size), "columns": p.l.paths(), "cursor": "", "offset": int64(0)}.with(values)}
	var a *answer
	err := p.patiently(func() (err error) {
		a, err = p.client.send(p.ctx, one)
		return err
	})
	if err != nil {
		p.broke(name, title, keys, asked, err)
		return
	}
	reaction := p.l.react(a).Then
	came := fmt.Sprintf("%d, which is understood as %s", a.status, orRecords(reaction))
	switch reaction {
	case reactRestart:
		p.passed(name, title, keys, asked, came, "A token that has expired gives a run over everything.")
	case "", reactEmpty:
		p.open(name, title, keys, asked, came, "The service takes it all the same, so that what it says of one that has expired is not known.")
	default:
		p.open(name, title, keys, asked, came, "The service may say of a token that has expired what errors expects, and something else of one that it never gave. If runs fail some days after the last one, add what it answers to errors, with  then: restart .")
	}
}

func orRecords(reaction string) string {
	if reaction == "" {
		return "an answer with records"
	}
	return reaction
}

// limits looks at what the answers to all of these requests said of limits.
func (p *prover) limits() {
	const name, title = "limits", "the service takes as many requests as declared"
	t := p.l.Throttle
	asked := fmt.Sprintf("the %d requests of these checks", p.sent.requests.Load())
	if many := p.sent.many.Load(); many > 0 {
		p.failed(name, title, []string{"throttle.requests"}, asked, fmt.Sprintf("%d were answered 429", many), "Set throttle.requests to less, or something else asks with the same credentials.")
		return
	}
	for _, header := range p.sent.headersOfClient {
		if !p.sent.headers[header] {
			key := "throttle.left"
			if header == t.Reset {
				key = "throttle.reset"
			}
			if t.Left == "" { // when there is more is of interest only where there is no more
				p.open(name, title, []string{key}, asked, "no answer has the header "+header, "It may come only where requests are limited, or with one that is refused. Compare "+key+" with the documentation.")
				return
			}
			p.failed(name, title, []string{key}, asked, "no answer has the header "+header, "Correct "+key+", or remove it.")
			return
		}
	}
	p.passed(name, title, []string{"throttle"}, asked, "none was refused for there being too many", "They were sent as throttle says. How many more the service would take is not tried.")
}

// isNull reports whether JSON says that there is no value.
func isNull(raw []byte) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }
