// Package vcard is a source of contacts in vCard files of versions 2.1 (versit), 3.0 (RFC 2426) and 4.0 (RFC 6350). Package file is its
// engine. It reads the lines itself: libraries lose cards without an end, numbers of version 2.1 and lines that they do not
// understand.
package vcard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
	"github.com/contactbridge/contactbridge/source/record"
)

// Config is the configuration of kind vcard. Names of columns are those of properties, in any case.
type Config struct {
	file.Config `yaml:",inline"`
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 2

// New makes the factory of one endpoint. It opens no file.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	return file.New(cfg.Config, format{}, source.SettingsOf("vcard", revision, cfg), deps)
}

// A format reads vCard files.
type format struct{}

var _ file.Format = format{}

// Traits implements [file.Format].
func (format) Traits() file.Traits {
	return file.Traits{Name: "vCard", Extensions: []string{".vcf", ".vcard"}, Record: "card", Unit: "line", Lists: true}
}

// Open implements [file.Format]. It counts the cards and the groups, which are left out.
func (format) Open(ctx context.Context, in file.Input) (file.Table, error) {
	t := newTable(in.Wanted)
	if err := t.findStart(in); err != nil {
		return nil, err
	}
	empty, err := t.count(ctx, in)
	if err != nil {
		return nil, err
	}
	if t.cards == 0 && !empty {
		return nil, file.Broken(in.Name+" has no card: no line of it is BEGIN:VCARD", "Check that path names the right file.")
	}
	return t, nil
}

// A table holds the facts about one file.
type table struct {
	columns  []string
	extra    map[string]int // properties that the configuration names, by their names in upper case
	encoding lines.Encoding
	start    file.Place
	cards    int // with groups
	groups   int
	versions map[string]int
}

var _ file.Mapper = (*table)(nil)

// newTable returns a table with the columns that every card has, and those that the configuration names.
func newTable(wanted []string) *table {
	t := &table{columns: slices.Clone(columnNames[:]), extra: map[string]int{}, versions: map[string]int{}, start: file.Place{Line: 1}}
	t.addWanted(wanted)
	return t
}

// addWanted makes columns of properties that the configuration names.
func (t *table) addWanted(wanted []string) {
	for _, name := range file.Names(wanted) {
		property := known([]byte(name))
		if _, there := t.extra[property]; there || property == "" || slices.Contains(t.columns, name) {
			continue
		}
		t.extra[property] = len(t.columns)
		t.columns = append(t.columns, name)
	}
}

// findStart passes over a byte order mark, and refuses what is another format.
func (t *table) findStart(in file.Input) error {
	head := make([]byte, 4<<10)
	n, err := in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		t.start.Offset = 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		t.start.Offset, t.encoding = 2, lines.UTF16LE
		return nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		t.start.Offset, t.encoding = 2, lines.UTF16BE
		return nil
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		return file.Broken("the lines of "+in.Name+" end with CR only", "Save it with the line ends of Windows or Unix.")
	}
	_, isCard := cutFold(bytes.TrimSpace(head[t.start.Offset:]), begin)
	if other, known := source.FormatOf(head[:min(len(head), source.FormatBytes)], in.Formats); known && !isCard {
		return file.Broken(fmt.Sprintf("%s is %s, not vCard", in.Name, other.Name), other.Hint)
	}
	return nil
}

// count counts the cards. empty says that the file holds nothing but white space.
func (t *table) count(ctx context.Context, in file.Input) (empty bool, err error) {
	l := lines.New(in, t.encoding)
	l.GoTo(t.start.Offset)
	empty = true
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		line, _, err := l.Read()
		if errors.Is(err, io.EOF) {
			return empty, nil
		} else if err != nil {
			return false, err
		}
		if len(line) == 0 {
			continue
		}
		empty = empty && len(bytes.TrimSpace(line)) == 0
		switch line[0] | 0x20 {
		case 'b':
			if isLine(line, begin) {
				t.cards++
			}
		case 'v':
			if version, ok := cutFold(line, "VERSION:"); ok && len(version) < 8 {
				t.versions[string(bytes.TrimSpace(version))]++
			}
		case 'k', 'x':
			if isLine(line, "KIND:GROUP") || isLine(line, "X-ADDRESSBOOKSERVER-KIND:GROUP") {
				t.groups++
			}
		}
	}
}

// Columns implements [file.Table].
func (t *table) Columns() []string { return t.columns }

// Usual implements [file.Mapper].
func (t *table) Usual() record.Guess {
	g := record.Guess{ID: columnNames[columnUID], Updated: columnNames[columnUpdated], Country: columnNames[columnCountry]}
	for _, of := range []struct {
		field  string
		column int
	}{
		{record.FieldName, columnName},
		{record.FieldTitle, columnTitle},
		{record.FieldCompany, columnCompany},
		{record.FieldEmails, columnEmail},
		{record.FieldPhones, columnPhone},
		{record.FieldWebsites, columnURL},
		{record.FieldPhotoURL, columnPhoto},
		{record.FieldAddress, columnAddress},
		{record.FieldTwitter, columnTwitter},
	} {
		g.Fields = append(g.Fields, record.Guessed{Field: of.field, Columns: []string{columnNames[of.column]}})
	}
	return g
}

// Describe implements [file.Table].
func (t *table) Describe() (string, []source.Problem) {
	cards := "1 card"
	if t.cards != 1 {
		cards = fmt.Sprintf("%d cards", t.cards)
	}
	var versions []string
	for version := range t.versions {
		versions = append(versions, version)
	}
	slices.Sort(versions)
	what := cards
	if len(versions) > 0 {
		what += " of version " + strings.Join(versions, ", ")
	}
	if t.groups == 0 {
		return what, nil
	}
	said := "1 card is a group of others and is left out"
	if t.groups > 1 {
		said = fmt.Sprintf("%d cards are groups of others and are left out", t.groups)
	}
	return what, []source.Problem{{Severity: source.Note, Code: "groups_left_out", Message: said, Hint: "Nothing: the members of a group are cards of their own."}}
}

// Records implements [file.Table].
func (t *table) Records(in file.Input) (file.Records, error) {
	r := &records{lines: lines.New(in, t.encoding), first: t.start, extra: t.extra, values: make([][]byte, len(t.columns))}
	r.Seek(file.Place{})
	return r, nil
}
