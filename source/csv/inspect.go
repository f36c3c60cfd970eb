package csv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// Inspect implements [source.Inspector]. It reads the whole file.
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	opened, v, err := s.file.open(ctx)
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	defer func() { _ = opened.Close() }() // it was only read
	i := &inspector{file: s.file, version: v, stamps: s.file.factory.newStamps()}
	if err := i.scan(ctx, opened); err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	problems := i.problems()
	source.SortProblems(problems)
	return source.Inspection{Mapping: i.mapping(), Facts: i.facts(), Problems: problems, Unused: v.mapping.unused}, nil
}

// An inspector counts what is wrong with the rows of a version.
type inspector struct {
	file    *file
	version *version
	stamps  *stamps

	rows      int
	faulty    map[fault]*places
	short     places
	noID      places
	duplicate places
	noStamp   places // empty
	badStamp  places // unreadable
	badStampA string // one of them
	encoded   places
	zero      places
	newest    int64
	scratch   record.Row
}

// places are the lines where something was found: how many there are, and the first few.
type places struct {
	n     int
	lines []int
}

func (p *places) add(line int) {
	p.n++
	if len(p.lines) < 5 {
		p.lines = append(p.lines, line)
	}
}

// that is a sentence about the rows. It begins with the verb, in the plural.
func (p *places) that(predicate string) string {
	verb, rest, _ := strings.Cut(predicate, " ")
	if one, ok := map[string]string{"have": "has", "are": "is", "hold": "holds"}[verb]; ok && p.n == 1 {
		verb = one
	}
	return p.String() + " " + verb + " " + rest
}

// String is "12 rows (lines 3, 8, 9, 10, 11 and more)".
func (p *places) String() string {
	list := make([]string, len(p.lines))
	for i, line := range p.lines {
		list[i] = strconv.Itoa(line)
	}
	rows, lines, more := "rows", "lines", ""
	if p.n == 1 {
		rows, lines = "row", "line"
	}
	if p.n > len(p.lines) {
		more = " and more"
	}
	return fmt.Sprintf("%d %s (%s %s%s)", p.n, rows, lines, strings.Join(list, ", "), more)
}

// scan reads every row.
func (i *inspector) scan(ctx context.Context, opened *os.File) error {
	i.faulty = map[fault]*places{ragged: {}, unclosed: {}, tooLong: {}}
	i.newest = null
	seen := map[digestOfID]struct{}{}
	r := i.version.records(opened)
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		fault, err := r.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return i.file.wrap(err)
		}
		switch fault {
		case good:
			i.row(r, seen)
		case emptyRow:
		default:
			i.faulty[fault].add(r.line)
		}
	}
}

// digestOfID stands for an id: 8 bytes are enough to count with.
type digestOfID [8]byte

func (i *inspector) row(r *records, seen map[digestOfID]struct{}) {
	i.rows++
	if r.short {
		i.short.add(r.line)
	}
	id := i.version.idOf(&i.scratch, r)
	sum := source.DigestOf(id)
	key := digestOfID(sum[:8])
	if _, twice := seen[key]; id == "" {
		i.noID.add(r.line)
	} else if twice {
		i.duplicate.add(r.line)
	}
	seen[key] = struct{}{}
	if at := i.version.mapping.updated; at >= 0 {
		i.stamp(text(r.fields[at]), r.line)
	}
	if slices.ContainsFunc(r.fields, func(f []byte) bool { return !utf8.Valid(f) }) {
		i.encoded.add(r.line)
	}
	if slices.ContainsFunc(r.fields, func(f []byte) bool { return slices.Contains(f, 0) }) {
		i.zero.add(r.line)
	}
}

func (i *inspector) stamp(stamp string, line int) {
	key, ok := i.stamps.key(stamp)
	switch {
	case ok:
		i.newest = max(i.newest, key)
	case stamp == "":
		i.noStamp.add(line)
	default:
		i.badStamp.add(line)
		if i.badStampA == "" {
			i.badStampA = stamp
		}
	}
}

func (i *inspector) mapping() []record.Mapped {
	cfg, m := i.file.factory.cfg, i.version.mapping
	columns := make([]record.Column, len(m.fields))
	for n, f := range m.fields {
		columns[n] = f.column
	}
	list := record.Mapping(m.id.describe(), columns)
	list[0].Auto = m.id.chosen != "" && m.id.column >= 0
	if cfg.Updated != "" {
		list = append(list, record.Mapped{Field: "updated", From: cfg.Updated})
	}
	if cfg.Deleted != "" {
		list = append(list, record.Mapped{Field: "deleted", From: cfg.Deleted})
	}
	return list
}

func (i *inspector) facts() []source.Fact {
	v := i.version
	encodings := map[encoding]string{encodeUTF8: utf8Encoding, encodeWindows: windowsEncoding, encodeUTF16LE: utf16Encoding, encodeUTF16BE: utf16Encoding}
	facts := []source.Fact{
		{Name: "file", Value: fmt.Sprintf("%s, %d bytes, modified %s", i.file.name(), v.info.Size(), v.info.ModTime().UTC().Format(time.RFC3339))},
		{Name: "format", Value: fmt.Sprintf("%s, %d columns separated by %q", encodings[v.encoding], len(v.mapping.header), string(rune(v.delimiter)))},
		{Name: "contacts", Value: strconv.Itoa(i.rows)},
	}
	if v.index == nil {
		return append(facts, source.Fact{Name: "order", Value: "as in the file; every new version is sent whole"})
	}
	zone := i.file.factory.cfg.TimeZone
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

// nobodyGoes says what follows from records whose contacts are unknown (D8).
const nobodyGoes = "until they are corrected, contacts that are missing are not deleted"

// describe says where ids come from.
func (i *identity) describe() string {
	if i.column < 0 {
		return autoID + ": name, first e-mail address, first number"
	}
	return i.name
}

// problems returns the warnings about ids that the configuration leaves open, or has made.
func (i *identity) problems() []source.Problem {
	var list []source.Problem
	if i.chosen != "" {
		set := i.name
		switch {
		case i.column < 0:
			set = autoID
		case set == autoID:
			set = "`" + autoID + "`"
		}
		list = append(list, source.Problem{
			Severity: source.Note, Code: "id_chosen", Message: fmt.Sprintf("id is not set: %s is taken (%s)", i.label(), i.chosen),
			Hint: fmt.Sprintf("set id: %s, so that another file cannot change it, which would delete every contact and create it anew", set),
		})
	}
	if i.column < 0 {
		list = append(list, source.Problem{
			Severity: source.Note, Code: "id_made", Message: "ids are made of name, first e-mail address and first number: a contact of which one of them changes is deleted and created anew",
			Hint: "export a column that identifies the contacts, and set id to it, if there is one",
		})
	}
	if n := len(i.again); n > 0 {
		rows := "1 row agrees with"
		if n > 1 {
			rows = fmt.Sprintf("%d rows agree with", n)
		}
		list = append(list, source.Problem{
			Severity: source.Note, Code: "id_again", Message: rows + " an earlier row in name, first e-mail address and first number: ids end in -2, -3 in the order of the file then",
			Hint: "remove the duplicates; where one of them goes, the others' ids move up",
		})
	}
	return list
}

// label names what ids come from in a sentence.
func (i *identity) label() string {
	if i.column < 0 {
		return autoID
	}
	return fmt.Sprintf("the column %q", i.name)
}

// problems lists what was found, worst first.
func (i *inspector) problems() []source.Problem {
	var list []source.Problem
	add := func(severity source.Severity, found bool, code, message, hint string) {
		if found {
			list = append(list, source.Problem{Severity: severity, Code: code, Message: message, Hint: hint})
		}
	}
	cfg, guess := i.file.factory.cfg, i.version.mapping.guess
	list = i.version.mapping.id.problems()
	add(source.Failure, i.rows == 0, "no_rows", "the file has no contacts", "check that the export is complete")
	for _, f := range []struct {
		fault         fault
		message, hint string
	}{
		{ragged, "have more columns than the first row and cannot be read: " + nobodyGoes, "quote values that hold the delimiter or a line break"},
		{unclosed, "have a quote that is not closed and cannot be read: " + nobodyGoes, "double quotes that are part of a value"},
		{tooLong, "are longer than 1 MiB and cannot be read: " + nobodyGoes, "check that the quotes and line ends are right"},
	} {
		p := i.faulty[f.fault]
		add(source.Failure, p.n > 0, string(f.fault), p.that(f.message), f.hint)
	}
	add(source.Failure, i.noID.n > 0, "no_id", i.noID.that("have no id and cannot be sent: ")+nobodyGoes, "give every contact an id")
	add(source.Failure, i.badStamp.n > 0, "bad_updated",
		i.badStamp.that(fmt.Sprintf("have an unreadable %q, such as %q: every new version of the file sends them again", cfg.Updated, i.badStampA)),
		"set updated_layout to how the column is written, such as 02.01.2006 15:04:05")
	add(source.Warning, i.noStamp.n > 0, "null_updated", i.noStamp.that(fmt.Sprintf("have no %q: only initial runs deliver them", cfg.Updated)),
		"fill the column for every contact")
	add(source.Warning, i.duplicate.n > 0, "duplicate_id", i.duplicate.that("have the id of an earlier one: the later one replaces it, with an updated column the newer one"),
		"use a column that is unique, or remove the duplicates")
	add(source.Warning, i.encoded.n > 0, "bad_encoding", i.encoded.that("are not ")+utf8Encoding, "set encoding: "+windowsEncoding+", if that is what it is")
	add(source.Warning, i.stamps.zoneless && cfg.TimeZone == "", "unknown_zone",
		fmt.Sprintf("%q names no time zone, so every new version sends the last 12 hours again, or more", cfg.Updated), "set time_zone")
	add(source.Warning, i.stamps.coarsest >= day, "coarse_updated", fmt.Sprintf("%q has no time of day, so every new version sends the last day again", cfg.Updated),
		"export the time too")
	add(source.Note, i.short.n > 0, "short_rows", i.short.that("have fewer columns than the first row: what is missing counts as empty"), "")
	add(source.Note, cfg.Updated == "" && guess.Updated != "", "updated_unused",
		fmt.Sprintf("the column %q looks like the time of the last change", guess.Updated),
		"set updated: "+guess.Updated+" if every change moves it, and only what changed is sent")
	add(source.Note, i.zero.n > 0, "zero_bytes", i.zero.that("hold zero bytes, which are removed"), "")
	return list
}
