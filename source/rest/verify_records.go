package rest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// times checks how fine the records' times are, and that none is later than the service's clock.
func (p *prover) times() {
	s := p.main
	if s == nil || p.l.Updated.Path == "" || len(s.items) == 0 {
		return
	}
	stamps := s.stamps()
	if len(stamps) > 0 {
		p.clock(s, stamps)
	}
	if p.l.Changes.Token != "" {
		return // nothing is asked for by them
	}
	const name, title = "precision", "times are kept as finely as declared"
	keys := []string{"updated.precision", "updated.as"}
	asked := fmt.Sprintf("%s of %s", p.l.Updated.Path, s.count())
	if len(stamps) == 0 {
		p.failed(name, title, append(keys, "updated.path"), asked, "none has a time", "Correct updated.path and updated.as: no run could go on from a record.")
		return
	}
	declared := p.l.Updated.precision()
	found := finest(stamps)
	came := fmt.Sprintf("%s, of which the finest is kept to %s", times(len(stamps)), text(found))
	const enough = 20 // times, to conclude from what none of them has
	switch {
	case found < declared:
		p.failed(name, title, keys, asked, came, "updated.precision is "+text(declared)+": set it to "+text(found)+", or records of one "+text(declared)+" are taken for ones of the same time.")
	case found == declared:
		p.passed(name, title, keys, asked, came, "As declared.")
	case len(stamps) < enough:
		p.open(name, title, keys, asked, came, fmt.Sprintf("It takes %d different times to conclude that there are none of %s.", enough, text(declared)))
	case found > declared && found >= 10*declared:
		p.failed(name, title, keys, asked, came, "updated.precision is "+text(declared)+": set it to "+text(found)+", or what is asked for by_id, or with since.exclusive, comes out as nothing.")
	default:
		p.passed(name, title, keys, asked, came, "As declared.")
	}
}

// units are how finely services keep times.
var units = []time.Duration{time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour}

// finest returns the coarsest unit of which all times are multiples.
func finest(stamps []int64) time.Duration {
	found := units[0]
	for _, unit := range units[1:] {
		if slices.ContainsFunc(stamps, func(at int64) bool { return !stamp.Moment(at).Truncate(unit).Equal(stamp.Moment(at)) }) {
			break
		}
		found = unit
	}
	return found
}

// clock checks that no record is later than the service's own clock: else its zone is another one.
func (p *prover) clock(s *sample, stamps []int64) {
	const name, title = "clock", "no record was changed later than now"
	keys := []string{"updated.zone", "updated.as"}
	asked := fmt.Sprintf("%s of %s", p.l.Updated.Path, s.count())
	newest := stamps[len(stamps)-1]
	const tolerated = time.Minute
	came := fmt.Sprintf("the newest is of %s, and the service's clock says %s", readable(newest), readable(p.began))
	if newest <= p.began+tolerated.Microseconds() {
		p.passed(name, title, keys, asked, came, "Times are in the zone that they are taken to be in, as far as that can be seen.")
		return
	}
	late := s.ids(func(i item) bool { return !i.noTime && i.stamp > p.began+tolerated.Microseconds() })
	p.failed(name, title, keys, asked, came+": "+someOf(late), "Set updated.zone to that of the service's times, and updated.as to their form. Records of the future are read by each run again.")
}

// goneSince returns since when deletions are asked for: services keep them for a while.
func (p *prover) goneSince() moment {
	const back = 14 * 24 * time.Hour
	return p.walk.bound(&p.l.Deletions.Reading, p.began-back.Microseconds())
}

// deletions checks that deleted contacts can be told from others.
func (p *prover) deletions() {
	const name, title = "deletions", "deleted contacts become known as declared"
	keys := []string{"deletions.by"}
	switch p.l.Deletions.By {
	case "inline":
		p.inlineDeletions(name, title, append(keys, "deleted"))
	case "request":
		p.listedDeletions(name, title, append(keys, "deletions.path", "deletions.query", "deletions.at"))
	case "none":
		p.open(name, title, keys, "nothing", "nothing", "The configuration says that the service does not tell of deletions: deleted contacts stay. With  {by: sweep}  a run over all contacts finds them.")
	case "sweep":
		p.passed(name, title, keys, "nothing", "nothing", "A run over all contacts finds what is gone, whatever the service tells, every "+text(p.l.Deletions.every())+".")
	}
	p.unnoticed()
}

// inlineDeletions looks for deleted records among the others.
func (p *prover) inlineDeletions(name, title string, keys []string) {
	gone := 0
	var s *sample
	for _, s = range p.samples() {
		gone += len(s.ids(p.isDeleted))
	}
	if s == nil {
		return
	}
	after := 0
	if p.l.Changes.Token != "" && s.whole {
		if token := s.pages[len(s.pages)-1].token; token != "" {
			after = 1
		}
	}
	asked := says(s.name, &s.reading.Request)
	came := fmt.Sprintf("%s, of which %d are deleted", s.count(), gone)
	switch {
	case gone > 0:
		p.passed(name, title, keys, asked, came, "They are told as deleted.")
	case after > 0:
		p.open(name, title, keys, asked, came, "The list of all contacts has none that are deleted; the changes after it do. Delete a contact after a run, and look whether the next one tells of it.")
	default:
		p.open(name, title, keys, asked, came, "None came. Delete a contact in the service, and check again.")
	}
}

// isDeleted reports whether a record says of itself that it is deleted.
func (p *prover) isDeleted(i item) bool {
	if p.f.mapping.deleted == nil || i.values == nil {
		return false
	}
	row := record.Row{Bare: i.bare}
	text, err := p.f.mapping.deleted.Text(&row, i.values)
	return err == nil && source.IsGone(text)
}

// listedDeletions reads the list of what was deleted: it must have nobody who is there.
func (p *prover) listedDeletions(name, title string, keys []string) {
	s := p.gone
	if s == nil {
		return
	}
	asked := says("deletions", &s.reading.Request)
	if s.err != nil {
		p.broke(name, title, keys, asked, s.err)
		return
	}
	if p.main != nil {
		there := map[string]bool{}
		for _, id := range p.main.ids(func(i item) bool { return !p.isDeleted(i) }) {
			there[id] = true
		}
		if both := s.ids(func(i item) bool { return there[i.id] }); len(both) > 0 {
			p.failed(name, title, append(keys, "deletions.id"), asked, fmt.Sprintf("%s, who are there: %s", s.count(), someOf(both)), "The list has contacts that are not deleted, and they would be deleted. Compare the request with the API's documentation.")
			return
		}
	}
	if len(s.items) == 0 {
		p.open(name, title, keys, asked, "no record", "Nothing was deleted lately. Delete a contact in the service, and check again.")
		return
	}
	if named := s.ids(func(item) bool { return true }); len(named) < len(s.items) {
		p.failed(name, title, []string{"deletions.id"}, asked, fmt.Sprintf("%s, %d of them without an id", s.count(), len(s.items)-len(named)), "Correct deletions.id: whom the list names cannot be told.")
		return
	}
	if p.l.Deletions.At != "" {
		if without := s.ids(func(i item) bool { return i.noTime }); len(without) > 0 {
			p.failed(name, title, keys, asked, fmt.Sprintf("%s, without a time at %s: %s", s.count(), p.l.Deletions.At, someOf(without)), "Correct deletions.at and deletions.as: what was deleted before the last run cannot be told from what was deleted since.")
			return
		}
	}
	p.passed(name, title, keys, asked, s.count()+", none of whom is there", "They are told as deleted.")
}

// goneKey fits the keys with which records say that they are deleted.
var goneKey = regexp.MustCompile(`(?i)^(is[_-]?)?(deleted|archived|trashed|removed|in[_-]?recycle[_-]?bin)([_-]?at)?$`)

// unnoticed looks for records that say that they are deleted and would be sent.
func (p *prover) unnoticed() {
	const name, title = "unnoticed_deletions", "no record that says that it is deleted counts as a contact"
	for _, s := range p.samples() {
		for n, i := range s.items {
			if n >= len(s.raw) || i.id == "" || !p.isSent(i) {
				continue
			}
			var object map[string]any
			if json.Unmarshal(s.raw[n], &object) != nil {
				continue
			}
			for key, value := range object {
				if goneKey.MatchString(key) && value != nil && source.IsGone(fmt.Sprint(value)) {
					p.failed(name, title, []string{"deleted", "keep"}, says(s.name, &s.reading.Request), fmt.Sprintf("%s of %s is %v, and it counts as a contact", key, i.id, value),
						"Set deleted to that key, or leave such records out with keep.")
					return
				}
			}
		}
	}
}

// isSent reports whether a record becomes a contact.
func (p *prover) isSent(i item) bool {
	if i.values == nil {
		return false
	}
	w := &walk{f: p.f, l: p.l, client: p.client}
	w.row.Start(i.id, false)
	gone, _, err := w.judge(i)
	return err == nil && !gone
}

// fields checks that what the mapping uses is there.
func (p *prover) fields() {
	const name, title = "fields", "what the mapping uses is in the records"
	s := p.main
	if s == nil || len(s.raw) == 0 {
		return
	}
	asked := fmt.Sprintf("the keys of %s", s.count())
	var absent, unsure []string
	for _, path := range p.l.paths() {
		if p.isOptional(path) {
			continue
		}
		switch found, certain := p.has(s.raw, path); {
		case found:
		case certain:
			absent = append(absent, path)
		default:
			unsure = append(unsure, path)
		}
	}
	keys := make([]string, 0, len(absent)+len(unsure))
	for _, path := range slices.Concat(absent, unsure) {
		keys = append(keys, p.usedBy(path)...)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	switch {
	case len(absent) > 0:
		p.failed(name, title, keys, asked, "none has "+strings.Join(absent, ", "), "The records list what is empty too, so that these keys have other names, or may not be seen with these credentials. Correct the mapping, or leave them out.")
	case len(unsure) > 0:
		p.open(name, title, keys, asked, "none has "+strings.Join(unsure, ", "), "Either no contact has such a value, or the key has another name. Look at a contact that has it.")
	default:
		p.passed(name, title, []string{"fields", "id", "updated"}, asked, "all of them", "")
	}
}

// isOptional reports whether records need not have a path: it stands beside others of which any will do, or in what only deletions have.
func (p *prover) isOptional(path string) bool {
	needed := []string{p.l.Updated.Path, p.l.Keep, p.l.Merged}
	if p.l.Changes.Token == "" { // else a list has none that is deleted
		needed = append(needed, p.l.Deleted)
	}
	for _, m := range p.l.Fields.Mapped() {
		needed = append(needed, m.From)
	}
	for _, name := range p.l.Link.names() {
		needed = append(needed, strings.TrimPrefix(name, recordPrefix))
	}
	return !slices.ContainsFunc(needed, func(text string) bool { return strings.Contains(text, path) && !strings.Contains(text, "??") })
}

// usedBy returns the keys of the configuration in which a path stands.
func (p *prover) usedBy(path string) (keys []string) {
	for _, m := range p.l.Fields.Mapped() {
		if strings.Contains(m.From, path) {
			keys = append(keys, "fields."+m.Field)
		}
	}
	for key, text := range map[string]string{"id": p.l.ID, "updated.path": p.l.Updated.Path, "deleted": p.l.Deleted, "keep": p.l.Keep, "merged": p.l.Merged, "link": p.l.Link.written} {
		if strings.Contains(text, path) {
			keys = append(keys, key)
		}
	}
	return keys
}

// has reports whether any record has a path, with a value or without one. Where none has, it is certain that the path is wrong if all
// records have the same keys at its place, so that they list what is empty.
func (p *prover) has(raw [][]byte, path string) (found, certain bool) {
	var first map[string]any
	alike := 0
	for _, record := range raw {
		if _, ok := find(record, path); ok {
			return true, false
		}
		parent := record
		if at := strings.LastIndexByte(path, '.'); at > 0 {
			inner, ok := find(record, path[:at])
			if !ok || isNull(inner) {
				continue
			}
			parent = inner
		}
		var object map[string]any
		if json.Unmarshal(parent, &object) != nil {
			return false, false
		}
		if first == nil {
			first = object
		}
		if len(object) != len(first) {
			return false, false
		}
		for key := range object {
			if _, ok := first[key]; !ok {
				return false, false
			}
		}
		alike++
	}
	const enough = 10 // records
	return false, alike >= enough
}

// values checks that values are what the mapping takes them for.
func (p *prover) values() {
	const name, title = "values", "the values are what the mapping takes them for"
	s := p.main
	if s == nil || len(s.items) == 0 {
		return
	}
	asked := "the contacts of " + s.count()
	sent, w := 0, &walk{f: p.f, l: p.l, client: p.client}
	for _, i := range s.items {
		if i.id == "" || !p.isSent(i) {
			continue
		}
		w.row.Bare = i.bare
		w.row.Start(i.id, false)
		if err := p.f.mapping.fields.Fill(&w.row, i.values); err != nil {
			p.failed(name, title, []string{"fields"}, asked, i.id+": "+said(err), "Correct the mapping.")
			return
		}
		sent++
		for _, email := range w.row.Contact.Emails {
			if strings.Count(email, "@") > 1 {
				p.failed(name, title, []string{"fields.emails"}, asked, "several e-mail addresses in one value of "+i.id, "Split them:  'split(path, \";\")' .")
				return
			}
		}
	}
	if sent == 0 {
		p.failed(name, title, []string{"keep", "deleted"}, asked, "none counts as a contact", "Check keep and deleted: what they say makes each record one that is no contact.")
		return
	}
	p.passed(name, title, []string{"fields", "keep"}, asked, fmt.Sprintf("%s count as contacts", records(sent)), "")
}

// merged checks that what is taken for the ids of merged records can be ones, and that none of them is there.
func (p *prover) merged() {
	if p.f.mapping.merged == nil || p.main == nil || len(p.main.items) == 0 {
		return
	}
	const name, title = "merged", "merged records are told as deleted"
	keys := []string{"merged"}
	asked := p.l.Merged + " of " + p.main.count()
	digits := !slices.ContainsFunc(p.main.items, func(i item) bool { return i.id != "" && !isDigits(i.id) })
	w := &walk{f: p.f, l: p.l, client: p.client, run: bridge.Run{Since: "later"}} // an initial run tells of none
	found := 0
	for _, i := range p.main.items {
		if i.id == "" || !p.isSent(i) {
			continue
		}
		w.row.Start(i.id, false)
		_, ids, err := w.judge(i)
		if err != nil {
			p.failed(name, title, keys, asked, said(err), "Correct merged.")
			return
		}
		for _, id := range ids {
			if id == i.id {
				continue
			}
			found++
			if digits && !isDigits(id) {
				p.failed(name, title, keys, asked, fmt.Sprintf("a value of %s that is not the id of a record", i.id), "The ids are separated by something else than commas, semicolons and spaces: set merged to an expression that separates them.")
				return
			}
			if p.main.seen[id] {
				p.failed(name, title, keys, asked, fmt.Sprintf("%s of %s, which is there", id, i.id), "A contact that is there would be deleted. Set merged to what has the ids of records that are gone.")
				return
			}
		}
	}
	if found == 0 {
		p.open(name, title, keys, asked, "none", "No record has taken in another one. Merge two contacts in the service, and check again.")
		return
	}
	p.passed(name, title, keys, asked, fmt.Sprintf("%d ids, of nobody who is there", found), "They are told as deleted.")
}
