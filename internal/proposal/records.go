package proposal

import (
	"strconv"
	"strings"
)

// Records is the language of kinds without SQL: expressions over a record (package record).
type Records struct{}

var _ Language = Records{}

// Column implements [Language]: the name as it is. Only auto, which has another meaning, stands in backticks.
func (Records) Column(name string) string {
	if name == "auto" {
		return "`auto`"
	}
	return name
}

// Join implements [Language].
func (Records) Join(separator string, columns []string) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = "`" + strings.Trim(column, "`") + "`"
		if strings.Contains(strings.Trim(column, "`"), "`") {
			parts[i] = "record[" + strconv.Quote(column) + "]"
		}
	}
	return "join([" + strings.Join(parts, ", ") + "], " + strconv.Quote(separator) + ")"
}
