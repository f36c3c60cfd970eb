package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// Inspect implements [source.Inspector]. It reads all files.
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	o, err := s.files.open(ctx)
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	defer o.close()
	i := newInspector(o)
	if err := i.scan(ctx); err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	problems := i.problems()
	source.SortProblems(problems)
	return source.Inspection{Mapping: i.mapping(), Facts: i.facts(), Problems: problems, Unused: o.version.mapping.unused()}, nil
}

// An inspector counts what is wrong with the records of a version.
type inspector struct {
	o       *opened
	cfg     Config
	version *version
	stamps  *stamps
	cursor  *cursor

	rows      int
	failed    map[string]*places // by what is wrong: records that are not a contact by the configuration
	faults    flaws
	remarks   flaws
	noID      places
	duplicate places
	noStamp   places // empty
	badStamp  places // unreadable
	badStampA string // one of them
	encoded   places
	zero      places
	newest    int64
	scratch   record.Row
	stamped   record.Row // for updated
	seen      map[digestOfID]struct{}
}

// digestOfID stands for an id: 8 bytes are enough to count with.
type digestOfID [8]byte

func newInspector(o *opened) *inspector {
	i := &inspector{
		o: o, cfg: o.files.factory.cfg, version: o.version, stamps: o.files.factory.newStamps(), cursor: o.cursor(),
		newest: null, seen: map[digestOfID]struct{}{}, failed: map[string]*places{},
	}
	i.cursor.look = i.look
	return i
}

// look counts records that hold invalid text.
func (i *inspector) look(values [][]byte) {
	if slices.ContainsFunc(values, func(f []byte) bool { return !utf8.Valid(f) }) {
		i.encoded.add(i.cursor)
	}
	if slices.ContainsFunc(values, func(f []byte) bool { return slices.Contains(f, 0) }) {
		i.zero.add(i.cursor)
	}
}

// flaws lists what a format found, in the order of their first appearance.
type flaws []*flawed

type flawed struct {
	*Flaw
	places
}

func (f *flaws) add(flaw *Flaw, c *cursor) {
	i := slices.IndexFunc(*f, func(known *flawed) bool { return known.Flaw == flaw })
	if i < 0 {
		i = len(*f)
		*f = append(*f, &flawed{Flaw: flaw})
	}
	(*f)[i].add(c)
}

// places are where something was found: in how many records, and the first few.
type places struct {
	n      int
	traits Traits
	lines  []string
	alone  bool // there is one file only
}

func (p *places) add(c *cursor) {
	p.n++
	p.traits, p.alone = c.o.files.factory.traits, len(c.o.version.files) == 1
	if len(p.lines) < 5 {
		line := c.where()
		if p.alone {
			line = strconv.Itoa(c.Start.Line)
		}
		p.lines = append(p.lines, line)
	}
}

// that returns a sentence about the records. It begins with the verb, in the plural.
func (p *places) that(predicate string) string {
	verb, rest, _ := strings.Cut(predicate, " ")
	if one, ok := map[string]string{"have": "has", "are": "is", "hold": "holds"}[verb]; ok && p.n == 1 {
		verb = one
	}
	return p.String() + " " + verb + " " + rest
}

// String is "12 rows (lines 3, 8, 9, 10, 11 and more)", or "2 rows (line 3 of a.csv, line 8 of b.csv)".
func (p *places) String() string {
	rows, unit, more := p.traits.Record+"s", p.traits.Unit+"s ", ""
	if p.n == 1 {
		rows, unit = p.traits.Record, p.traits.Unit+" "
	}
	if !p.alone {
		unit = ""
	}
	if p.n > len(p.lines) {
		more = " and more"
	}
	return fmt.Sprintf("%d %s (%s%s%s)", p.n, rows, unit, strings.Join(p.lines, ", "), more)
}

// scan reads every record.
func (i *inspector) scan(ctx context.Context) error {
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := i.cursor.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return i.o.files.wrapReading(ctx, err)
		}
		if i.cursor.Fault != nil {
			i.faults.add(i.cursor.Fault, i.cursor)
			continue
		}
		i.row()
	}
}

func (i *inspector) row() {
	c, m := i.cursor, i.version.mapping
	i.rows++
	if c.Remark != nil {
		i.remarks.add(c.Remark, c)
	}
	i.scratch.Bare, i.stamped.Bare = c.Bare, c.Bare
	id, err := m.idOf(&i.scratch, c)
	stamp, stampErr := text(m.updated, &i.stamped, c.Values)
	if err = cmp.Or(err, stampErr); err == nil && !m.id.makes() {
		err = m.contact(&i.scratch, c.Values)
	}
	if err != nil {
		i.fail(err)
		return
	}
	sum := source.DigestOf(id)
	key := digestOfID(sum[:8])
	if _, twice := i.seen[key]; id == "" {
		i.noID.add(c)
	} else if twice {
		i.duplicate.add(c)
	}
	i.seen[key] = struct{}{}
	if m.updated != nil {
		i.stamp(stamp)
	}
}

// fail counts a record that the configuration cannot make a contact of.
func (i *inspector) fail(err error) {
	p := i.failed[err.Error()]
	if p == nil {
		if len(i.failed) == mostFailures {
			return
		}
		p = &places{}
		i.failed[err.Error()] = p
	}
	p.add(i.cursor)
}

// mostFailures is how many different failures are told.
const mostFailures = 10

func (i *inspector) stamp(stamp string) {
	key, ok := i.stamps.key(stamp)
	switch {
	case ok:
		i.newest = max(i.newest, key)
	case stamp == "":
		i.noStamp.add(i.cursor)
	default:
		i.badStamp.add(i.cursor)
		if i.badStampA == "" {
			i.badStampA = strings.Clone(stamp)
		}
	}
}

func (i *inspector) mapping() []record.Mapped {
	m := i.version.mapping
	list := record.Mapping(m.id.describe(), m.fields.Columns())
	list[0].Auto = m.id.chosen != "" && m.id.expression != nil
	if i.cfg.Updated != "" {
		list = append(list, record.Mapped{Field: "updated", From: i.cfg.Updated})
	}
	if i.cfg.Deleted != "" {
		list = append(list, record.Mapped{Field: "deleted", From: i.cfg.Deleted})
	}
	return list
}

func (i *inspector) facts() []source.Fact {
	v := i.version
	facts := []source.Fact{
		i.filesFact(),
		{Name: "format", Value: strings.Join(v.formats(), "; ")},
		{Name: "contacts", Value: strconv.Itoa(i.rows)},
	}
	if v.index == nil {
		return append(facts, source.Fact{Name: "order", Value: "as in the file; every new version is sent whole"})
	}
	zone := i.cfg.TimeZone
	switch {
	case !i.stamps.zoneless:
		zone = "as written in each stamp"
	case zone == "":
		zone = "unknown"
	}
	facts = append(facts,
		source.Fact{Name: "order", Value: "updated, id"},
		source.Fact{Name: "time zone", Value: zone},
		source.Fact{Name: "safe horizon", Value: keyset.Local.FormatStamp(keyset.IntValue(v.index.horizon))})
	if i.newest != null {
		facts = append(facts, source.Fact{Name: "newest contact", Value: keyset.Local.FormatStamp(keyset.IntValue(i.newest))})
	}
	return facts
}

// filesFact says what is read.
func (i *inspector) filesFact() source.Fact {
	v := i.version
	name, what := "file", i.o.files.name()
	if v.many {
		name, what = "files", fmt.Sprintf("%d of %s (%s)", len(v.files), i.o.files.name(), v.firstNames())
	}
	return source.Fact{Name: name, Value: fmt.Sprintf("%s, %d bytes, modified %s", what, v.size(), v.modified().UTC().Format(time.RFC3339))}
}

// firstNames lists the first files in their order.
func (v *version) firstNames() string {
	const most = 5
	var names []string
	for i, file := range v.files {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, file.name)
	}
	return strings.Join(names, ", ")
}

// formats lists the ways in which the files are written, each once.
func (v *version) formats() []string {
	var list []string
	for i := range v.parts {
		if !slices.Contains(list, v.parts[i].what) {
			list = append(list, v.parts[i].what)
		}
	}
	return list
}

// nothingDeleted says what follows from records of unknown contacts (D8).
const nothingDeleted = "until they are corrected, contacts that are missing are not deleted"

// describe says where ids come from.
func (i *identity) describe() string {
	const made = autoID + ": name, first e-mail address, first number"
	switch {
	case i.expression == nil:
		return made
	case i.fallback:
		return i.name + ", else " + made
	}
	return i.name
}

// problems returns the warnings about ids that the configuration leaves open, or has made.
func (i *identity) problems(noun string) []source.Problem {
	var list []source.Problem
	note := func(code, message, hint string) {
		list = append(list, source.Problem{Severity: source.Note, Code: code, Message: message, Hint: hint})
	}
	if i.chosen != "" && !i.fallback {
		set := i.name
		switch {
		case i.expression == nil:
			set = autoID
		case set == autoID:
			set = "`" + autoID + "`"
		}
		note("id_chosen", fmt.Sprintf("id is not set: %s is taken (%s)", i.label(), i.chosen),
			fmt.Sprintf("Set id: %s, so that another file cannot change it, which would delete every contact and create it anew.", set))
	}
	if i.expression == nil {
		note("id_made", "ids are made of name, first e-mail address and first number: a contact of which one of them changes is deleted and created anew",
			"Export a column that identifies the contacts, and set id to it, if there is one.")
	}
	if n := len(i.again); n > 0 {
		rows := "1 " + noun + " agrees with"
		if n > 1 {
			rows = fmt.Sprintf("%d %ss agree with", n, noun)
		}
		note("id_again", fmt.Sprintf("%s an earlier %s in name, first e-mail address and first number: ids end in -2, -3 in the order of the file then", rows, noun),
			"Remove the duplicates. Where one of them goes, the others' ids move up.")
	}
	return list
}

// label names what ids come from in a sentence.
func (i *identity) label() string {
	if i.expression == nil {
		return autoID
	}
	return fmt.Sprintf("the column %q", i.name)
}

// problems lists what was found.
func (i *inspector) problems() []source.Problem {
	noun := i.o.files.factory.traits.Record
	list := i.version.mapping.id.problems(noun)
	add := func(severity source.Severity, found bool, code, message, hint string) {
		if found {
			list = append(list, source.Problem{Severity: severity, Code: code, Message: message, Hint: hint})
		}
	}
	cfg, guess := i.cfg, i.version.mapping.fields.Guess
	for _, p := range i.version.parts {
		for _, problem := range p.problems {
			if !slices.Contains(list, problem) {
				list = append(list, problem)
			}
		}
	}
	add(source.Failure, i.rows == 0, "no_rows", "the file has no contacts", "Check that the export is complete.")
	for _, f := range i.faults {
		add(source.Failure, true, f.Code, f.that(f.Says+" and cannot be read: "+nothingDeleted), f.Hint)
	}
	for _, message := range slices.Sorted(maps.Keys(i.failed)) {
		add(source.Failure, true, "not_a_contact", i.failed[message].that("are not a contact by the configuration ("+message+"): "+nothingDeleted), "Correct the expression, or the values.")
	}
	add(source.Failure, i.noID.n > 0, "no_id", i.noID.that("have no id and cannot be sent: ")+nothingDeleted, "Give every contact an id.")
	add(source.Failure, i.badStamp.n > 0, "bad_updated",
		i.badStamp.that(fmt.Sprintf("have an unreadable %q, such as %q: every new version of the file sends them again", cfg.Updated, i.badStampA)),
		"Set updated_layout to how the column is written, such as 02.01.2006 15:04:05.")
	add(source.Warning, i.noStamp.n > 0, "null_updated", i.noStamp.that(fmt.Sprintf("have no %q: only initial runs deliver them", cfg.Updated)),
		"Fill the column for every contact.")
	add(source.Warning, i.duplicate.n > 0, "duplicate_id", i.duplicate.that("have the id of an earlier one: the later one replaces it, with an updated column the newer one"),
		"Use a column that is unique, or remove the duplicates.")
	add(source.Warning, i.encoded.n > 0, "bad_encoding", i.encoded.that("are not utf-8"), "Check the encoding of the file.")
	add(source.Warning, i.stamps.zoneless && cfg.TimeZone == "", "unknown_zone",
		fmt.Sprintf("%q names no time zone, so every new version sends the last 12 hours again, or more", cfg.Updated), "Set time_zone.")
	add(source.Warning, i.stamps.coarsest >= day, "coarse_updated", fmt.Sprintf("%q has no time of day, so every new version sends the last day again", cfg.Updated),
		"Export the time too.")
	for _, f := range i.remarks {
		add(source.Note, true, f.Code, f.that(f.Says), f.Hint)
	}
	add(source.Note, cfg.Updated == "" && guess.Updated != "", "updated_unused",
		fmt.Sprintf("the column %q looks like the time of the last change", guess.Updated),
		"Set updated: "+guess.Updated+" if every change moves it, and only what changed is sent.")
	add(source.Note, i.zero.n > 0, "zero_bytes", i.zero.that("hold zero bytes, which are removed"), "")
	if missing := i.version.missing(); len(missing) > 0 {
		add(source.Note, true, "missing_columns", "some files lack columns that others have: "+strings.Join(missing, ", "), "Check that all files are of one kind.")
	}
	return list
}

// missing lists the columns that are mapped and that some file lacks.
func (v *version) missing() []string {
	var list []string
	unused := v.mapping.fields.Unused()
	for i, name := range v.columns {
		if !slices.Contains(unused, i) && v.without(name) >= 0 && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
