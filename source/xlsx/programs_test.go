package xlsx

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/source/file/filetest"
)

// Workbooks that other programs wrote are read.
func TestWorkbooksOfOtherProgramsAreRead(t *testing.T) {
	for _, test := range []struct {
		name, updated string
		want          []string
	}{
		{"libreoffice.xlsx", "", []string{
			"1|Jörg Müller|03055501000|Groß & Söhne|01.03.1984|j@example.com|1",
			"2|Zoë Groß|491515550101|Groß & Söhne||z@example.com|0|remark: error_cells",
		}},
		{"openpyxl.xlsx", "Last Modified", []string{
			"1001|Amelia|Hughes|Northwind Traders|amelia.hughes@example.com|02079460018|+44 7911 123456|TRUE|1234.5|01.03.1984|2024-03-01 09:12:44",
			"1002|Oliver|Patel||oliver.patel@example.org|447911123457||FALSE|||2024-03-04 16:40:02|remark: formulas_without_results",
			"1003|Sørine|Kjær|Havfisk ApS|soerine@example.net|+45 32 12 34 56||FALSE||31.12.1999|2024-04-11 08:00:00|remark: error_cells",
		}},
		{"xlsxwriter.xlsx", "", []string{
			"1001|Amelia|Hughes|Northwind Traders|amelia.hughes@example.com|02079460018|+44 7911 123456|TRUE|1234.5|1984-03-01|2024-03-01 09:12|remark: formulas_not_calculated",
			"1002|Oliver|Patel|Northwind Traders|oliver.patel@example.org|447911123457||FALSE|0||2024-03-04 16:40",
			"1003|Sørine|Kjær|Havfisk ApS|soerine@example.net|+45 32 12 34 56||FALSE|-3|1999-12-31|2024-04-11 08:00",
		}},
		{"xlsxwriter-1904.xlsx", "", []string{
			"1001|Amelia|||||+44 7911 123456||||2024-03-01 09:12:44",
			"1002|Oliver|||||||||2024-03-04 16:40:02",
			"1003|Sørine|||||||||2024-04-11 08:00:00",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			content := testFile(t, test.name)
			filetest.Run(t, format{}, content)
			if diff := cmp.Diff(test.want, read(t, format{updated: test.updated}, content)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
