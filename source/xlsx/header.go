package xlsx

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source/file"
)

// sampleRows is how many rows with values decide which of them is the header.
const sampleRows = 100

// errNoRows says that a sheet has no row with a text in it.
var errNoRows = errors.New("the sheet is empty")

// findHeader finds the row that names the columns.
func (t *table) findHeader(a *archive, wanted []string, updated string) error {
	t.updated = -1
	sample, numbers, err := t.sample(a)
	if err != nil {
		return err
	}
	found, ok := file.FindHeader(sample, wanted)
	if !ok {
		found = belowTitles(sample)
	}
	if found >= len(sample) {
		return errNoRows
	}
	header := sample[found]
	for len(header) > 0 && header[len(header)-1] == "" {
		header = header[:len(header)-1]
	}
	t.header, t.titles, t.line = header, found, numbers[found]
	t.updated = slices.Index(header, strings.Trim(strings.TrimSpace(updated), "`"))
	if updated == "" {
		t.updated = -1
	}
	return nil
}

// sample reads the first rows, and their numbers.
func (t *table) sample(a *archive) (cells [][]string, numbers []int, err error) {
	rows, err := t.open(a)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for len(cells) < sampleRows {
		if err := rows.next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, err
		}
		row := make([]string, len(rows.values))
		for i, value := range rows.values {
			row[i] = file.Text(value)
		}
		cells, numbers = append(cells, row), append(numbers, rows.row)
	}
	return cells, numbers, nil
}

// belowTitles returns the first row that fills at least half of the columns, as titles do not.
func belowTitles(sample [][]string) int {
	filled := make([]int, len(sample))
	for i, row := range sample {
		for _, cell := range row {
			if file.HasText(cell) {
				filled[i]++
			}
		}
	}
	if len(sample) == 0 {
		return 0
	}
	widest := slices.Max(filled)
	return slices.IndexFunc(filled, func(n int) bool { return 2*n >= widest })
}
