package file

import (
	"regexp"
	"strings"
)

// Names returns the names in texts of a configuration (see [Input.Wanted]) that may be those of columns, for a format in whose files a
// column is only there where it has a value: each text itself, or the names in it where it is an expression.
func Names(texts []string) []string {
	var list []string
	for _, text := range texts {
		if plain := plainName(text); name.MatchString(plain) {
			list = append(list, plain)
		} else {
			list = append(list, namesIn(text)...)
		}
	}
	return list
}

// name matches texts of the configuration that are names of columns, not expressions.
var name = regexp.MustCompile(`^[\pL_$][\pL\pN_$ .:/-]*$`)

// What stands in an expression: texts, names in backticks, and names, with the bracket of a function.
var parts = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|[.#]*[\\pL_][\\pL\\pN_]*\\s*\\(?")

// operators are the words of expressions that are not names.
var operators = map[string]bool{
	"true": true, "false": true, "nil": true, "and": true, "or": true, "not": true, "in": true, "contains": true, "matches": true,
	"startsWith": true, "endsWith": true, "let": true, "record": true, "if": true, "else": true,
}

// namesIn returns the names in an expression that may be columns.
func namesIn(expression string) []string {
	if strings.Contains(expression, "let ") {
		return nil // its names are not columns only
	}
	var list []string
	for _, part := range parts.FindAllString(expression, -1) {
		part = strings.TrimSpace(part)
		switch {
		case part[0] == '`':
			list = append(list, strings.Trim(part, "`"))
		case strings.ContainsAny(part[:1], "\"'.#") || strings.HasSuffix(part, "(") || operators[part]:
		default:
			list = append(list, part)
		}
	}
	return list
}

// plainName returns a column's name without the brackets or backticks that may be around it.
func plainName(name string) string {
	name = strings.TrimSpace(name)
	if len(name) > 1 && (name[0] == '`' && name[len(name)-1] == '`' || name[0] == '[' && name[len(name)-1] == ']') {
		return name[1 : len(name)-1]
	}
	return name
}
