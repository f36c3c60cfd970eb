package phonebooks

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"strings"

	"github.com/contactbridge/contactbridge/phonebook"
)

// csvNumbers is how many numbers of a kind have a column of their own.
const csvNumbers = 3

func writeCSV(ctx context.Context, r *request, w io.Writer) error {
	buffer := bufio.NewWriterSize(w, 64<<10)
	rows := csv.NewWriter(buffer)
	header := []string{"Name", "First name", "Last name", "Company", "Title", "Phone", "Phone 2", "Phone 3", "Mobile", "Mobile 2", "Mobile 3", "E-mail", "Address", "URL"}
	if err := rows.Write(header); err != nil {
		return err
	}
	err := r.view.All(ctx, func(e *phonebook.Entry) error {
		row := []string{e.Name, e.Given, e.Family, e.Company, e.Title}
		for _, kind := range []phonebook.Kind{phonebook.Work, phonebook.Mobile} {
			var numbers [csvNumbers]string
			at := 0
			for _, n := range e.Numbers {
				if n.Kind == kind && at < csvNumbers {
					numbers[at] = n.Dial
					at++
				}
			}
			row = append(row, numbers[:]...)
		}
		email := ""
		if len(e.Emails) > 0 {
			email = e.Emails[0]
		}
		row = append(row, email, e.Address, e.URL)
		for i := range row {
			row[i] = harmless(row[i])
		}
		return rows.Write(row)
	})
	if err != nil {
		return err
	}
	rows.Flush()
	if err := rows.Error(); err != nil {
		return err
	}
	return buffer.Flush()
}

// harmless is a cell that no spreadsheet takes for a formula. A number with + in front is none, nor are groups of digits.
func harmless(cell string) string {
	if cell == "" || !strings.ContainsRune("=@\t+-", rune(cell[0])) || cell[0] == '+' && strings.Trim(cell[1:], "0123456789 ") == "" {
		return cell
	}
	return "'" + cell
}
