package keyset

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A Config is what the SQL kinds have in common: which rows are read, in which order, and what becomes of them.
type Config struct {
	Table, Query       string
	ID                 string
	Updated, UpdatedAs string
	TimeZone           string
	Overlap            time.Duration // 0 means 5 minutes
	ClockSkew          time.Duration // 0 means 1 second
	Deleted            string
	Fields             record.Fields
}

// Defaults fills in what was left out.
func (c *Config) Defaults() {
	if c.Overlap == 0 {
		c.Overlap = 5 * time.Minute
	}
	if c.ClockSkew == 0 {
		c.ClockSkew = time.Second
	}
	if c.UpdatedAs == "" {
		c.UpdatedAs = stamp.Auto
	}
	c.Query = strings.TrimRight(strings.TrimSpace(c.Query), "; \t\n")
}

// Canonical returns what says which rows are read in the one spelling that stands for all of the same meaning (D10): the
// table's name quoted, the query without what may follow it, and nothing for the default of updated_as.
func (c Config) Canonical() (table, query, updatedAs string) {
	table = c.Table
	if quoted, err := QuoteName(c.Table); err == nil {
		table = quoted
	}
	if c.UpdatedAs != stamp.Auto {
		updatedAs = c.UpdatedAs
	}
	return table, c.Query, updatedAs
}

// Check finds what cannot work whatever the database holds: every problem at once. as lists the allowed values of
// updated_as besides auto.
func (c Config) Check(as ...string) error {
	var errs source.ConfigErrors
	errs.If(c.Table == "" && c.Query == "", "table", "table is missing", "Name the table or view to read, or write a query.")
	errs.If(c.Table != "" && c.Query != "", "table", "table and query exclude each other", "Name the table, or write the query.")
	errs.If(c.ID == "", "id", "id is missing", "Name the column, or write the expression, that identifies a contact.")
	errs.If(c.UpdatedAs != stamp.Auto && !slices.Contains(as, c.UpdatedAs), "updated_as",
		fmt.Sprintf("updated_as cannot be %q", c.UpdatedAs), "Choose one of: "+stamp.Auto+", "+strings.Join(as, ", ")+".")
	errs.If(c.UpdatedAs != stamp.Auto && c.Updated == "", "updated_as", "updated_as is set, but updated is not", "Set updated, or leave updated_as out.")
	errs.If(c.Overlap < 0, "overlap", "overlap is negative", "Write a duration such as 5m.")
	errs.If(c.ClockSkew < 0, "clock_skew", "clock_skew is negative", "Write a duration such as 1s.")
	_, err := time.LoadLocation(c.TimeZone)
	errs.If(err != nil || c.TimeZone == "Local", "time_zone", fmt.Sprintf("time_zone %q is unknown", c.TimeZone), "Write a name such as Europe/Berlin or UTC.")
	return errs.Err()
}

// SplitName splits a table's name into its parts: schema.name, "Schema"."Table Name". Quotes are doubled inside quotes.
func SplitName(name string) ([]string, error) {
	var parts []string
	var part strings.Builder
	quoted := false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '"' && quoted && i+1 < len(name) && name[i+1] == '"':
			part.WriteByte(c)
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			parts = append(parts, part.String())
			part.Reset()
		case c == 0:
			return nil, &source.ConfigError{Key: "table", Message: "table holds a zero byte", Hint: "Remove it."}
		default:
			part.WriteByte(c)
		}
	}
	parts = append(parts, part.String())
	if quoted || slices.Contains(parts, "") {
		return nil, &source.ConfigError{
			Key: "table", Message: fmt.Sprintf("table cannot be %q: this is no table's name", name), Hint: `Write name, schema.name or "Schema"."Name".`,
		}
	}
	return parts, nil
}

// Quote quotes a name as SQL does.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteName quotes a table's name, part by part.
func QuoteName(name string) (string, error) {
	parts, err := SplitName(name)
	if err != nil {
		return "", err
	}
	for i, part := range parts {
		parts[i] = Quote(part)
	}
	return strings.Join(parts, "."), nil
}

// Wrap puts an expression in parentheses, so that a comment at its end ends there.
func Wrap(expression string) string {
	if strings.Contains(expression, "--") {
		expression += "\n"
	}
	return "(" + expression + ")"
}

// From is what to read from: the quoted table, or the query as a subquery.
func (c Config) From() (string, error) {
	if c.Query != "" {
		return Wrap(c.Query) + " AS contacts", nil
	}
	return QuoteName(c.Table)
}
