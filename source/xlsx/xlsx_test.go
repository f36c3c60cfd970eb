package xlsx_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/xlsx"
)

func TestSource(t *testing.T) {
	t.Run("updated", suite(0).Run)
	t.Run("whole file", suite(0).RunUnsorted)
	t.Run("folder", suite(2).Run)
}

// suite is the suite of a CRM that exports its contacts to one workbook, or to several of a folder.
func suite(files int) sourcetest.File {
	return sourcetest.File{
		Extension: ".xlsx", Files: files, Write: write,
		New: func(cfg file.Config, deps source.Deps) (source.Factory, error) {
			return xlsx.New(xlsx.Config{Config: cfg, Sheet: "Contacts"}, deps)
		},
	}
}

// write writes a workbook with the sheet Contacts.
func write(columns []string, records [][]string) ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		return nil, err
	}
	for i, record := range append([][]string{columns}, records...) {
		cells := make([]any, len(record))
		for i, cell := range record {
			if cell != "" {
				cells[i] = cell
			}
		}
		at, wrong := excelize.CoordinatesToCellName(1, i+1)
		err = errors.Join(err, wrong, w.SetRow(at, cells))
	}
	if err := errors.Join(err, w.Flush(), f.SetSheetName("Sheet1", "Contacts")); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = f.WriteTo(&b)
	return b.Bytes(), err
}

// A cover in front of the contacts: the error names the other sheets, and the key that chooses one.
func TestTheErrorOfACoverNamesTheOtherSheets(t *testing.T) {
	f := excelize.NewFile()
	defer f.Close()
	wrong := errors.Join(
		f.SetSheetName("Sheet1", "Cover"), f.SetCellValue("Cover", "A1", "Customers of Acme"), f.SetCellValue("Cover", "A3", "Confidential"),
		f.SetCellValue("Cover", "A4", "Page 1"),
	)
	_, err := f.NewSheet("People")
	wrong = errors.Join(wrong, err, f.SetSheetRow("People", "A1", &[]any{"id", "name", "phone"}), f.SetSheetRow("People", "A2", &[]any{"1", "Ann", "+14155550100"}))
	folder := t.TempDir()
	if err := errors.Join(wrong, f.SaveAs(filepath.Join(folder, "a.xlsx"))); err != nil {
		t.Fatal(err)
	}
	path, err := source.ParseTemplate("a.xlsx")
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []file.Config{{Path: path}, {Path: path, ID: "id"}, {Path: path, ID: "id", Fields: record.Fields{Name: "name"}}} {
		factory, err := xlsx.New(xlsx.Config{Config: cfg}, source.Deps{Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		src, err := factory.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = src.Begin(t.Context(), "")
		if hint := failure.Of(err).Hint; err == nil || !strings.Contains(hint, `Sheet "Cover" was read`) || !strings.Contains(hint, `set sheet to one of "People"`) {
			t.Errorf("%+v: %v, hint %q", cfg, err, hint)
		}
		if err := errors.Join(src.Close(), factory.Close()); err != nil {
			t.Error(err)
		}
	}
}
