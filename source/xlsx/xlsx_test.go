package xlsx_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
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
