package keyset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
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
	Fields             source.Fields
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
		c.UpdatedAs = Auto
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
	if c.UpdatedAs != Auto {
		updatedAs = c.UpdatedAs
	}
	return table, c.Query, updatedAs
}

// The values of updated_as.
const (
	Auto        = "auto"
	AsTimestamp = "timestamp"
	AsDate      = "date"
	AsSeconds   = "epoch_s"
	AsMillis    = "epoch_ms"
	AsMicros    = "epoch_us"
	AsSequence  = "sequence"
	AsXID       = "xid"
)

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
	problem(c.UpdatedAs != Auto && !slices.Contains(as, c.UpdatedAs), "updated_as is %q; expected %s or %s", c.UpdatedAs, Auto, strings.Join(as, ", "))
	problem(c.UpdatedAs != Auto && c.Updated == "", "updated_as is set, but updated is not")
	problem(c.Overlap < 0, "overlap is negative")
	problem(c.ClockSkew < 0, "clock_skew is negative")
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "Local" {
		problem(true, "time_zone %q is unknown; expected a name such as Europe/Berlin or UTC", c.TimeZone)
	}
	return errors.Join(errs...)
}

// Unit is how long one step of an integer stamp is.
func Unit(as string) time.Duration {
	switch as {
	case AsSeconds:
		return time.Second
	case AsMillis:
		return time.Millisecond
	case AsMicros:
		return time.Microsecond
	}
	return 0
}

// GuessInteger tells integer stamps from sequence numbers by the greatest one: a time between 2001 and 2100 and within 20
// years of now, in seconds, milliseconds or microseconds since 1970, or else a sequence.
func GuessInteger(greatest int64, now time.Time) string {
	from := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	to := time.Date(2101, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, as := range []string{AsSeconds, AsMillis, AsMicros} {
		t := time.UnixMicro(0)
		if per := int64(time.Second / Unit(as)); greatest/per < 1<<40 {
			t = time.Unix(greatest/per, 0)
		}
		if !t.Before(from) && t.Before(to) && t.After(now.AddDate(-20, 0, 0)) && t.Before(now.AddDate(20, 0, 0)) {
			return as
		}
	}
	return AsSequence
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
