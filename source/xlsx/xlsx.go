// Package xlsx is a source of contacts in Excel workbooks (Office Open XML, ECMA-376). Package file is its engine.
//
// The rows are read here and not by excelize, which tells neither the types of cells (errors, dates) nor hidden columns and merged
// cells unless it has the whole sheet in memory. What a number format makes of a number is excelize's work: see look.
package xlsx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
)

// Config is the configuration of kind xlsx. Names of columns are those of the sheet's header.
type Config struct {
	file.Config `yaml:",inline"`
	Sheet       string `yaml:"sheet" jsonschema_description:"The name of the sheet, which may be hidden. Default: the first visible sheet with data."`
}

// revision is the kind's mapping revision: see [source.SettingsOf].
const revision = 1

// New makes the factory of one endpoint. It opens no file.
func New(cfg Config, deps source.Deps) (source.Factory, error) {
	return file.New(cfg.Config, format{sheet: strings.TrimSpace(cfg.Sheet), updated: cfg.Updated}, source.SettingsOf("xlsx", revision, cfg), deps)
}

// A format reads workbooks.
type format struct {
	sheet   string // "" for the first visible one with data
	updated string // the column whose dates are read with all their digits
}

var (
	_ file.Format  = format{}
	_ file.Chooser = (*table)(nil)
)

// Traits implements [file.Format].
func (format) Traits() file.Traits {
	return file.Traits{Name: "Excel", Extensions: []string{".xlsx", ".xlsm", ".xltx", ".xltm"}, Record: "row", Unit: "row"}
}

// Open implements [file.Format]. It reads the texts that cells share, and looks through the sheet for merged cells.
func (f format) Open(ctx context.Context, in file.Input) (file.Table, error) {
	a, err := openArchive(ctx, in)
	if err != nil {
		return nil, err
	}
	book, err := readWorkbook(a)
	if err != nil {
		return nil, err
	}
	candidates, err := book.candidates(f.sheet)
	if err != nil {
		return nil, err
	}
	for _, s := range candidates {
		t := &table{book: book, sheet: s, chosen: f.sheet != ""}
		if err := t.findHeader(a, in.Wanted, f.updated); errors.Is(err, errNoRows) {
			continue
		} else if err != nil {
			return nil, err
		}
		return t, t.findMerged(a)
	}
	if f.sheet != "" {
		return nil, file.Broken(fmt.Sprintf("sheet %q of %s is empty", f.sheet, in.Name), "Set sheet to the one with the contacts: "+book.sheetNames()+".")
	}
	return nil, file.Broken(in.Name+" has no visible sheet with data", "Set sheet to the one with the contacts: "+book.sheetNames()+".")
}

// A table holds the facts about the sheet of one workbook.
type table struct {
	book    *workbook
	sheet   sheet
	chosen  bool // the configuration names the sheet
	header  []string
	titles  int // rows with values above the header
	line    int // the row of the header
	updated int // the column whose dates are read with all their digits, or -1
	hidden  []span
	merged  []merge
}

// Columns implements [file.Table].
func (t *table) Columns() []string { return t.header }

// Describe implements [file.Table].
func (t *table) Describe() (string, []source.Problem) {
	what := fmt.Sprintf("sheet %q, %d columns", t.sheet.Name, len(t.header))
	if t.titles > 0 {
		what += fmt.Sprintf(", header in row %d", t.line)
	}
	var problems []source.Problem
	note := func(code, message, hint string) {
		problems = append(problems, source.Problem{Severity: source.Note, Code: code, Message: message, Hint: hint})
	}
	if others := t.book.otherSheets(t.sheet); !t.chosen && others != "" {
		note("other_sheets", fmt.Sprintf("sheet %q is read; the workbook has others: %s", t.sheet.Name, others), "Set sheet to the one with the contacts.")
	}
	if names := t.hiddenColumns(); names != "" {
		note("hidden_columns", "columns that are hidden in the workbook are read too: "+names, "")
	}
	return what, problems
}

// Others implements [file.Chooser].
func (t *table) Others() string {
	others := t.book.otherSheets(t.sheet)
	if t.chosen || others == "" {
		return ""
	}
	return fmt.Sprintf("Sheet %q was read: if it is not the one with the contacts, set sheet to one of %s.", t.sheet.Name, others)
}

// hiddenColumns lists the names of columns that people do not see.
func (t *table) hiddenColumns() string {
	var names []string
	for i, name := range t.header {
		for _, s := range t.hidden {
			if name != "" && s.Min <= i+1 && i+1 <= s.Max {
				names = append(names, name)
				break
			}
		}
	}
	return strings.Join(names, ", ")
}

// Records implements [file.Table]. The reader cannot seek, so that the engine keeps a spool.
func (t *table) Records(in file.Input) (file.Records, error) {
	a, err := openArchive(context.Background(), in)
	if err != nil {
		return nil, err
	}
	rows, err := t.open(a)
	if err != nil {
		return nil, err
	}
	for range t.titles + 1 {
		if err := rows.next(); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
	}
	rows.width, rows.merged = len(t.header), t.merged
	return &records{rows: rows}, nil
}

// records are the rows after the header.
type records struct {
	rows *rows
	end  error
}

var _ io.Closer = (*records)(nil)

// What is said of rows.
var (
	errorCells    = &file.Flaw{Code: "error_cells", Says: "have a cell with an error such as #N/A: it counts as empty", Hint: "Mend the formula in the workbook."}
	noResults     = &file.Flaw{Code: "formulas_without_results", Says: "have a formula whose result is not in the workbook: it counts as empty", Hint: "Open the workbook in Excel or LibreOffice and save it."}
	uncalculated  = &file.Flaw{Code: "formulas_not_calculated", Says: "have a formula, and the program that wrote the workbook did not calculate it: what it wrote as the result is read", Hint: "Open the workbook in Excel or LibreOffice and save it."}
	beyondHeader  = &file.Flaw{Code: "beyond_header", Says: "have values right of the last column that has a name: they are not read", Hint: "Give their columns names in the header."}
	hiddenRows    = &file.Flaw{Code: "hidden_rows", Says: "are hidden in the workbook, and are read too", Hint: "Delete rows that are not wanted: a filter only hides them."}
	unknownTexts  = &file.Flaw{Code: "unknown_texts", Says: "refer to a text that is not in the workbook", Hint: "Open the workbook in its program and save it again."}
	tooLongRow    = &file.Flaw{Code: "too_long", Says: "are longer than 4 MiB", Hint: "Remove data that is no contact's from the sheet."}
	faultReasons  = map[*file.Flaw]string{unknownTexts: "a cell refers to a text that is not in the workbook", tooLongRow: "it is longer than 4 MiB"}
	remarkUrgency = []*file.Flaw{errorCells, noResults, uncalculated, beyondHeader, hiddenRows}
)

// Next implements [file.Records].
func (r *records) Next(rec *file.Record) error {
	for r.end == nil {
		if r.end = r.rows.next(); r.end != nil {
			break
		}
		if r.rows.empty() && r.rows.fault == nil {
			continue
		}
		r.rows.fillMerged()
		*rec = file.Record{
			Values: r.rows.values, Start: file.Place{Line: r.rows.row}, Fault: r.rows.fault,
			Reason: faultReasons[r.rows.fault], Remark: r.rows.remark(),
		}
		return nil
	}
	return r.end
}

// Close implements [io.Closer].
func (r *records) Close() error { return r.rows.Close() }
