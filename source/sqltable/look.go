package sqltable

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A Catalog holds the questions to a database about what it holds, for [source.Setup]. Every answer is a list of rows with the
// columns that are named. A schema is empty where its tables can be named without it.
type Catalog struct {
	Tables     string // schema, table, "view" or "", estimated number of rows or -1
	Columns    string // schema, table, column, type, 1 where it may be null, 1 where the database stamps it with every change; in their order
	Keys       string // schema, table, name of the index, "primary", "unique" or "index", column; in the order of the columns
	References string // schema, table, name of the key, column, schema and table that it refers to, column there, which is empty for the primary key; in the order of the columns
	// Language writes expressions.
	Language Language
	// Loose says that types tell little, so that texts may be times.
	Loose bool
}

// Bounds of what is looked at, so that a database of thousands of tables does not take minutes.
const (
	mostSampled  = 200 // tables
	sampledRows  = 200 // of each
	countedRows  = 100_000
	lookTime     = 25 * time.Second
	lookTimeEach = 2 * time.Second
)

// Look says what a database holds. It closes the database. A database without tables is an inventory without things.
func Look(ctx context.Context, db Database, d *Dialect, c Catalog) (inv proposal.Inventory, err error) {
	known := &database{Database: db}
	s := &Source{factory: &Factory{dialect: d}, db: known}
	defer func() { _ = db.Close() }() // only reads
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	c.Language.dialect = d
	l := &looker{source: s, catalog: c, dialect: d, tables: map[string]int{}}
	err = s.session(ctx, func(conn Session) error { return l.catalogue(ctx, conn) })
	if err != nil {
		return inv, fmt.Errorf("look at the database: %w", err)
	}
	l.look(ctx)
	return proposal.Inventory{Noun: "table", Key: "table", Things: l.things, Language: c.Language, Problems: l.problems}, ctx.Err()
}

// A looker collects what a database holds.
type looker struct {
	source   *Source
	catalog  Catalog
	dialect  *Dialect
	things   []proposal.Thing
	tables   map[string]int // indexes of things by name
	problems []proposal.Problem
	last     struct{ table, reference string } // the foreign key that was met last
}

// rows asks a question and gives its rows as texts.
func rows(ctx context.Context, conn Session, sql string, row func(values []string)) error {
	return conn.Query(ctx, Statement{SQL: sql}, func(values []keyset.Value) (bool, error) {
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = textOf(v)
		}
		row(texts)
		return true, nil
	})
}

// textOf returns a value as a text of its own.
func textOf(v keyset.Value) string {
	switch v.Kind {
	case keyset.Text:
		return strings.Clone(v.Text)
	case keyset.Int:
		return fmt.Sprint(v.Int)
	case keyset.Real:
		return fmt.Sprint(v.Real)
	}
	return ""
}

// name returns a table's name, of its schema and its own, as the key table has it: quoted only where that is needed.
func (l *looker) name(v []string) string {
	part := func(name string) string {
		if strings.ContainsAny(name, ".`\"[]") {
			return l.dialect.Quote(name)
		}
		return name
	}
	if v[0] == "" {
		return part(v[1])
	}
	return part(v[0]) + "." + part(v[1])
}

func (l *looker) thing(name string) *proposal.Thing {
	if i, ok := l.tables[name]; ok {
		return &l.things[i]
	}
	return nil
}

// catalogue asks what there is.
func (l *looker) catalogue(ctx context.Context, conn Session) error {
	err := rows(ctx, conn, l.catalog.Tables, func(v []string) {
		t := proposal.Thing{Name: l.name(v), Sort: v[2], Rows: -1}
		_, _ = fmt.Sscan(v[3], &t.Rows)
		l.tables[t.Name] = len(l.things)
		l.things = append(l.things, t)
	})
	if err != nil {
		return err
	}
	err = rows(ctx, conn, l.catalog.Columns, func(v []string) {
		if t := l.thing(l.name(v)); t != nil {
			t.Columns = append(t.Columns, proposal.Column{Name: v[2], Type: v[3], Is: typeNamed(v[3]), Null: v[4] == "1", Stamped: v[5] == "1", Any: l.catalog.Loose})
		}
	})
	if err != nil {
		return err
	}
	if err := l.keys(ctx, conn); err != nil {
		return err
	}
	return l.references(ctx, conn)
}

func (l *looker) keys(ctx context.Context, conn Session) error {
	type key struct{ table, name, sort string }
	var order []key
	columns := map[key][]string{}
	err := rows(ctx, conn, l.catalog.Keys, func(v []string) {
		k := key{l.name(v), v[2], v[3]}
		if _, seen := columns[k]; !seen {
			order = append(order, k)
		}
		columns[k] = append(columns[k], v[4])
	})
	for _, k := range order {
		t, list := l.thing(k.table), columns[k]
		switch {
		case t == nil || slices.Contains(list, ""): // of an expression
		case k.sort == "primary":
			t.Primary = list
		case k.sort == "unique" && l.neverNull(t, list):
			t.Unique = append(t.Unique, list)
		default:
			t.Indexes = append(t.Indexes, list)
		}
	}
	return err
}

func (l *looker) neverNull(t *proposal.Thing, columns []string) bool {
	return !slices.ContainsFunc(t.Columns, func(c proposal.Column) bool { return c.Null && slices.Contains(columns, c.Name) })
}

func (l *looker) references(ctx context.Context, conn Session) error {
	return rows(ctx, conn, l.catalog.References, func(v []string) {
		name, toName := l.name(v), l.name(v[4:])
		t, to := l.thing(name), l.thing(toName)
		if t == nil || to == nil {
			return
		}
		if same := l.last.table == name && l.last.reference == v[2]; !same || len(t.References) == 0 {
			t.References = append(t.References, proposal.Reference{To: toName})
		}
		l.last.table, l.last.reference = name, v[2]
		r := &t.References[len(t.References)-1]
		column, place := v[6], len(r.Columns)
		if column == "" && place < len(to.Primary) {
			column = to.Primary[place]
		}
		r.Columns, r.ToColumns = append(r.Columns, v[3]), append(r.ToColumns, column)
	})
}

// look counts and samples the tables, each for a short time.
func (l *looker) look(ctx context.Context) {
	slow := 0
	for i := range l.things {
		t := &l.things[i]
		if i >= mostSampled || ctx.Err() != nil {
			l.problems = append(l.problems, proposal.Problem{
				Message: fmt.Sprintf("only the first %d of %d tables were looked into; of the others only the names are known", i, len(l.things)), Hint: "Name the table if another one is meant.",
			})
			break
		}
		if err := l.sample(ctx, t); err != nil {
			slow++
		}
		if l.catalog.Loose {
			loosen(t)
		}
	}
	if slow > 0 {
		l.problems = append(l.problems, proposal.Problem{
			Message: fmt.Sprintf("%d tables or views could not be looked into: the user may not read them, or they answer slowly", slow), Hint: "GRANT SELECT on the table that holds the contacts.",
		})
	}
}

// sample counts the rows of a table, as far as that is quick, and reads the first of them.
func (l *looker) sample(ctx context.Context, t *proposal.Thing) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeEach)
	defer cancel()
	return l.source.session(ctx, func(conn Session) error {
		from := l.catalog.Language.Thing(t.Name)
		if len(t.Columns) == 0 {
			return nil
		}
		n, err := One(ctx, conn, Statement{SQL: fmt.Sprintf("SELECT count(*) FROM (SELECT 1 AS one FROM %s LIMIT %d) AS counted", from, countedRows)})
		if err != nil {
			return err
		}
		if n.Int < countedRows || t.Rows < n.Int {
			t.Rows = n.Int
		}
		types, err := conn.Describe(ctx, "SELECT * FROM "+from)
		if err != nil {
			return err
		}
		list := make([]string, 0, len(types))
		for _, c := range t.Columns {
			at := slices.IndexFunc(types, func(typ Type) bool { return typ.Name == c.Name })
			if at < 0 || c.Is == proposal.Other {
				list = append(list, "NULL")
				continue
			}
			text, _ := l.dialect.value(Expression{SQL: "(" + l.dialect.Quote(c.Name) + ")", Type: types[at], Field: "name"})
			list = append(list, text)
		}
		return rows(ctx, conn, fmt.Sprintf("SELECT %s FROM %s LIMIT %d", strings.Join(list, ", "), from, sampledRows), func(v []string) { t.Samples = append(t.Samples, v) })
	})
}

var isoTime = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}|$)`)

// loosen takes columns for times whose values are.
func loosen(t *proposal.Thing) {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Is != proposal.Text && c.Is != proposal.Time && c.Is != proposal.Date {
			continue
		}
		seen, times := 0, 0
		for _, s := range t.Samples {
			if s[i] != "" {
				seen++
				if isoTime.MatchString(s[i]) {
					times++
				}
			}
		}
		if seen > 0 && times == seen {
			c.Is = proposal.Time
		}
	}
}

// typeNamed returns what the values of a type are, by its name in any database.
func typeNamed(name string) proposal.Type {
	name = strings.ToLower(name)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
	}
	switch {
	case has("bool", "tinyint(1)", "bit(1)") || name == "bit":
		return proposal.Bool
	case has("char", "text", "clob", "uuid", "enum", "string"):
		return proposal.Text
	case has("timestamp", "datetime"):
		return proposal.Time
	case strings.HasPrefix(name, "date"):
		return proposal.Date
	case has("interval", "point", "blob", "binary", "bytea", "geometry", "polygon", "xml", "tsvector") || strings.HasPrefix(name, "time"):
		return proposal.Other
	case has("int", "serial"):
		return proposal.Integer
	case has("numeric", "decimal", "float", "double", "real", "number", "money"):
		return proposal.Number
	}
	return proposal.Text
}

// A Language writes expressions of a database: see [proposal.SQL].
type Language struct {
	// Aggregate writes the values of an expression over several rows, in an order, with "; " between them.
	Aggregate func(expression, order string) string
	// AsText is the type that values are cast to as texts: "text".
	AsText string
	// Plain matches the names that need no quotes, reserved words left out.
	Plain *regexp.Regexp
	// Concatenate writes several texts one after the other; nil writes a || b.
	Concatenate func(expressions []string) string
	// Backslash says that \ in a text is written twice.
	Backslash bool

	dialect *Dialect
}

var _ proposal.SQL = Language{}

// Column implements [proposal.Language].
func (l Language) Column(name string) string {
	if l.Plain.MatchString(name) && !reserved[strings.ToLower(name)] {
		return name
	}
	return l.dialect.Quote(name)
}

// Join implements [proposal.Language]. What is empty is left out.
func (l Language) Join(separator string, expressions []string) string {
	values := make([]string, len(expressions))
	for i, e := range expressions {
		values[i] = "NULLIF(" + e + ", '')"
	}
	return l.dialect.join(separator, values)
}

// Thing implements [proposal.SQL].
func (l Language) Thing(name string) string {
	parts, err := l.dialect.SplitName(name)
	if err != nil {
		return l.dialect.Quote(name)
	}
	for i, part := range parts {
		parts[i] = l.Column(part)
	}
	return strings.Join(parts, ".")
}

// Of implements [proposal.SQL].
func (l Language) Of(thing, column string) string {
	if parts, err := l.dialect.SplitName(thing); err == nil {
		thing = parts[len(parts)-1]
	}
	return l.Column(thing) + "." + l.Column(column)
}

// List implements [proposal.SQL].
func (l Language) List(expression, order string) string { return l.Aggregate(expression, order) }

// Text implements [proposal.SQL].
func (l Language) Text(expression string) string {
	return "CAST(" + expression + " AS " + l.AsText + ")"
}

// Concat implements [proposal.SQL].
func (l Language) Concat(expressions []string) string {
	if l.Concatenate != nil {
		return l.Concatenate(expressions)
	}
	return strings.Join(expressions, " || ")
}

// Value implements [proposal.SQL].
func (l Language) Value(text string) string {
	if l.Backslash {
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// reserved are words that cannot be names in one of the databases, as far as columns and tables are called so.
var reserved = wordSet(`all alter analyze and any array as asc asymmetric authorization between both by call cascade case cast change character check
	collate column columns condition constraint continue convert create cross cube current_date current_role current_time current_timestamp current_user
	cursor database databases date_time dec decimal declare default deferrable delete desc describe deterministic distinct div do double drop each
	else elseif empty enclosed end escape escaped except exists exit explain false fetch float for force foreign freeze from full fulltext function
	generated get glob grant group grouping groups having if ignore ilike in index infile initially inner inout insert int integer intersect interval
	into is isnull iterate join key keys kill lag lateral lead leading leave left like limit linear lines load localtime localtimestamp lock long
	loop match maxvalue mod modifies natural not notnull null number numeric of offset on only open optimize option optionally or order out outer
	outfile over overlaps partition placing plan position precision primary procedure purge range rank read reads real recursive references regexp release
	rename repeat replace require resignal restrict return returning revoke right rlike role row row_number rows schema schemas select sensitive separator session_user
	set show signal similar smallint some spatial sql ssl starting stored straight_join symmetric system table tablesample terminated text then to
	trailing trigger true undo union unique unlock unsigned update usage use user using values varbinary varchar variadic varying verbose view virtual
	when where while window with write xor zerofill`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}
