package sqltable

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A Config holds the keys that every kind of database has: which rows are read, in which order, and what becomes of them. A kind
// embeds it with the tag yaml:",inline", beside keys of its own: where the database is, and updated_as, whose values differ.
type Config struct {
	Table     string        `yaml:"table" jsonschema_description:"The table or view to read: name, schema.name or \"Schema\".\"Name\". Either this or query."`
	Query     string        `yaml:"query" jsonschema_description:"The SELECT to read instead of a table."`
	ID        string        `yaml:"id" jsonschema:"required" hint:"Name the column, or write the expression, that identifies a contact." jsonschema_description:"SQL expression of the contact's id."`
	Updated   string        `yaml:"updated" jsonschema_description:"SQL expression of the time, number or transaction of the contact's last change. Without it every change means that everything is sent."`
	TimeZone  string        `yaml:"time_zone" jsonschema_description:"The zone of an updated without one, such as Europe/Berlin. Default: the database's (of a file: this machine's) or UTC, whichever is earlier."`
	Overlap   time.Duration `yaml:"overlap" digest:"-" jsonschema_description:"How far back every run reads where the oldest open transaction cannot be known. Default: 5m."`
	ClockSkew time.Duration `yaml:"clock_skew" digest:"-" jsonschema_description:"How far the clocks that stamp contacts may be behind the database's (of a file: this machine's). Default: 1s."`
	Deleted   string        `yaml:"deleted" jsonschema_description:"SQL expression that says that the contact is gone: anything but null, empty, 0, false, f, n, no, off, none and times that stand for never."`
	Fields    record.Fields `yaml:"fields" jsonschema_description:"SQL expressions of the contact's fields. Default: the columns with the usual names."`
}

// defaults fills in what was left out.
func (c *Config) defaults() {
	if c.Overlap == 0 {
		c.Overlap = 5 * time.Minute
	}
	if c.ClockSkew == 0 {
		c.ClockSkew = time.Second
	}
	c.Query = strings.TrimRight(strings.TrimSpace(c.Query), "; \t\n")
}

// check finds what cannot work whatever the database holds: every problem at once. updatedAs is the key updated_as, and meanings
// are its allowed values besides auto.
func (c Config) check(updatedAs string, meanings []string) error {
	var errs source.ConfigErrors
	errs.If(c.Table == "" && c.Query == "", "table", "table is missing", "Name the table or view to read, or write a query.")
	errs.If(c.Table != "" && c.Query != "", "table", "table and query exclude each other", "Name the table, or write the query.")
	errs.If(c.ID == "", "id", "id is missing", "Name the column, or write the expression, that identifies a contact.")
	errs.If(updatedAs != stamp.Auto && !slices.Contains(meanings, updatedAs), "updated_as",
		fmt.Sprintf("updated_as cannot be %q", updatedAs), "Choose one of: "+stamp.Auto+", "+strings.Join(meanings, ", ")+".")
	errs.If(updatedAs != stamp.Auto && c.Updated == "", "updated_as", "updated_as is set, but updated is not", "Set updated, or leave updated_as out.")
	errs.If(c.Overlap < 0, "overlap", "overlap is negative", "Write a duration such as 5m.")
	errs.If(c.ClockSkew < 0, "clock_skew", "clock_skew is negative", "Write a duration such as 1s.")
	_, err := time.LoadLocation(c.TimeZone)
	errs.If(err != nil || c.TimeZone == "Local", "time_zone", fmt.Sprintf("time_zone %q is unknown", c.TimeZone), "Write a name such as Europe/Berlin or UTC.")
	return errs.Err()
}

// from is what to read from: the quoted table, or the query as a subquery.
func (c Config) from(d *Dialect) (string, error) {
	switch {
	case c.Query != "":
		return Wrap(c.Query) + " AS contacts", nil
	case c.Table == "": // check says so
		return "", nil
	}
	return d.QuoteName(c.Table)
}

// canonical writes what says which rows are read in the one spelling that stands for all of the same meaning (D10): the table's
// name quoted, the query without what may follow it, and nothing for the default of updated_as.
func canonical(s source.Settings, c Config, d *Dialect, updatedAs string) source.Settings {
	set := func(key, value string) {
		if value == "" {
			delete(s, key)
			return
		}
		s[key] = value
	}
	table := c.Table
	if quoted, err := d.QuoteName(table); err == nil {
		table = quoted
	}
	if updatedAs == stamp.Auto {
		updatedAs = ""
	}
	set("set.table", table)
	set("set.query", c.Query)
	set("set.updated_as", updatedAs)
	return s
}

// An expression is a piece of the configuration and its key.
type expression struct{ key, sql string }

// expressions lists what is described, and what fails by name: id, updated, deleted, the fields.
func (c Config) expressions(columns []record.Column) []expression {
	list := []expression{{"id", c.ID}}
	if c.Updated != "" {
		list = append(list, expression{"updated", c.Updated})
	}
	if c.Deleted != "" {
		list = append(list, expression{"deleted", c.Deleted})
	}
	for _, column := range columns {
		list = append(list, expression{column.Path, column.From})
	}
	return list
}
