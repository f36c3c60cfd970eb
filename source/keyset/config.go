package keyset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(c.Table == "" && c.Query == "", "table is missing: the name of the table or view to read (or query: SELECT …)")
	problem(c.Table != "" && c.Query != "", "table and query exclude each other: name the table, or write the query")
	problem(c.ID == "", "id is missing: the column, or the expression, that identifies a contact")
	problem(c.UpdatedAs != stamp.Auto && !slices.Contains(as, c.UpdatedAs), "updated_as is %q; expected %s or %s", c.UpdatedAs, stamp.Auto, strings.Join(as, ", "))
	problem(c.UpdatedAs != stamp.Auto && c.Updated == "", "updated_as is set, but updated is not")
	problem(c.Overlap < 0, "overlap is negative")
	problem(c.ClockSkew < 0, "clock_skew is negative")
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "Local" {
		problem(true, "time_zone %q is unknown; expected a name such as Europe/Berlin or UTC", c.TimeZone)
	}
	return errors.Join(errs...)
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
			return nil, errors.New("a name cannot hold a zero byte")
		default:
			part.WriteByte(c)
		}
	}
	parts = append(parts, part.String())
	if quoted || slices.Contains(parts, "") {
		return nil, fmt.Errorf("%q is no table's name; expected name, schema.name or \"Schema\".\"Name\"", name)
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
