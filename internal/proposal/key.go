package proposal

import "strings"

// Signs in the id of a key of several columns.
const (
	keySeparator = ":"
	keyEscape    = "~" // a part that is this alone is null
)

// key writes one text of the columns of a key: two keys never have the same one. The separator is escaped in every part but the
// last, and in the last too where null must be told from a text.
func (m *mapper) key(columns []string) string {
	sql := m.language().(SQL)
	var parts []string
	for i, name := range columns {
		c, part := m.thing.column(name), m.text(name)
		null := c == nil || c.Null
		if last := i == len(columns)-1; !isPlain(c) && (!last || null) {
			part = replaced(sql, replaced(sql, part, keyEscape, keyEscape+"0"), keySeparator, keyEscape+"1")
		}
		if null {
			part = "coalesce(" + part + ", " + sql.Value(keyEscape) + ")"
		}
		if i > 0 {
			parts = append(parts, sql.Value(keySeparator))
		}
		parts = append(parts, part)
	}
	return sql.Concat(parts)
}

func replaced(sql SQL, expression, from, to string) string {
	return "replace(" + expression + ", " + sql.Value(from) + ", " + sql.Value(to) + ")"
}

// isPlain reports whether the texts of a column's values can hold no sign of a key.
func isPlain(c *Column) bool {
	if c == nil || c.Any {
		return false
	}
	return c.Is == Integer || c.Is == Number || c.Is == Bool || c.Is == Date || strings.EqualFold(c.Type, "uuid")
}
