package vendors

import (
	"encoding/json"
	"strconv"
	"strings"
	tokens "text/scanner"
)

// A selection is a field of a GraphQL query: its arguments, with variables filled in, and what is selected of it.
type selection struct {
	name      string
	arguments map[string]any
	fields    []*selection
}

// An enum is a name that stands as a value in a query.
type enum string

// A graphQLReader reads a query: one operation without fragments, directives and aliases.
type graphQLReader struct {
	scanner   tokens.Scanner
	token     string
	kind      rune
	variables map[string]any
	declared  map[string]bool
	used      map[string]bool
}

// readGraphQL reads a query. Every variable that is sent must be declared, and every one that is declared used, as GraphQL asks.
func readGraphQL(text string, variables map[string]any) ([]*selection, error) {
	g := &graphQLReader{variables: variables, declared: map[string]bool{}, used: map[string]bool{}}
	g.scanner.Init(strings.NewReader(text))
	g.scanner.Mode = tokens.ScanIdents | tokens.ScanInts | tokens.ScanStrings
	g.scanner.Error = func(*tokens.Scanner, string) {}
	g.next()
	if g.is("query") {
		if g.kind == tokens.Ident {
			g.next()
		}
		if g.is("(") {
			if err := g.declarations(); err != nil {
				return nil, err
			}
		}
	}
	fields, err := g.selections()
	if err != nil {
		return nil, err
	}
	if g.kind != tokens.EOF {
		return nil, g.unexpected()
	}
	for name := range g.declared {
		if !g.used[name] {
			return nil, invalidf("variableNotUsed", "Variable $%s is declared by the query but not used", name)
		}
	}
	return fields, nil
}

func (g *graphQLReader) next() {
	g.kind = g.scanner.Scan()
	g.token = g.scanner.TokenText()
}

// is goes on if the next token is this one.
func (g *graphQLReader) is(token string) bool {
	if g.token != token || g.kind == tokens.String {
		return false
	}
	g.next()
	return true
}

func (g *graphQLReader) unexpected() error {
	return invalidf("", "syntax error, unexpected %q at [%s]", g.token, g.scanner.Position)
}

func (g *graphQLReader) name() (string, error) {
	name := g.token
	if g.kind != tokens.Ident {
		return "", g.unexpected()
	}
	g.next()
	return name, nil
}

// declarations reads ($name: Type!, …), after the parenthesis.
func (g *graphQLReader) declarations() error {
	for !g.is(")") {
		if !g.is("$") {
			return g.unexpected()
		}
		name, err := g.name()
		if err != nil {
			return err
		}
		if !g.is(":") {
			return g.unexpected()
		}
		if _, err := g.name(); err != nil {
			return err
		}
		if required := g.is("!"); required && g.variables[name] == nil {
			return invalidf("", "Variable $%s of a type that cannot be null was provided no value", name)
		}
		g.is(",")
		g.declared[name] = true
	}
	return nil
}

// selections reads { field … }.
func (g *graphQLReader) selections() ([]*selection, error) {
	if !g.is("{") {
		return nil, g.unexpected()
	}
	var fields []*selection
	for !g.is("}") {
		name, err := g.name()
		if err != nil {
			return nil, err
		}
		field := &selection{name: name, arguments: map[string]any{}}
		if g.is("(") {
			if err := g.arguments(field); err != nil {
				return nil, err
			}
		}
		if g.token == "{" {
			if field.fields, err = g.selections(); err != nil {
				return nil, err
			}
		}
		fields = append(fields, field)
	}
	if len(fields) == 0 {
		return nil, invalidf("", "syntax error, a selection is empty")
	}
	return fields, nil
}

// arguments reads (name: value, …), after the parenthesis.
func (g *graphQLReader) arguments(of *selection) error {
	for !g.is(")") {
		name, err := g.name()
		if err != nil {
			return err
		}
		if !g.is(":") {
			return g.unexpected()
		}
		value, err := g.value()
		if err != nil {
			return err
		}
		of.arguments[name] = value
		g.is(",")
	}
	return nil
}

// value reads a value, or what a variable holds.
func (g *graphQLReader) value() (any, error) {
	token, kind := g.token, g.kind
	g.next()
	switch {
	case kind == tokens.Int:
		return json.Number(token), nil
	case kind == tokens.String:
		text, err := strconv.Unquote(token)
		return text, err
	case token == "true", token == "false":
		return token == "true", nil
	case token == "null":
		return nil, nil
	case kind == tokens.Ident:
		return enum(token), nil
	case token == "$":
		name, err := g.name()
		if err == nil && !g.declared[name] {
			err = invalidf("", "Variable $%s is used by the query but not declared", name)
		}
		g.used[name] = true
		return g.variables[name], err
	}
	return nil, g.unexpected()
}

// selected returns the fields of a record that were selected. objects are the fields that have fields of their own, by their paths.
func selected(record map[string]any, fields []*selection, kind string, objects map[string]map[string][]string) (map[string]any, error) {
	shown := map[string]any{}
	for _, f := range fields {
		types := objects[kind]
		inner, known := types[f.name]
		switch {
		case !known:
			return nil, invalidf("undefinedField", "Field '%s' doesn't exist on type '%s'", f.name, kind)
		case inner == nil && len(f.fields) > 0:
			return nil, invalidf("selectionMismatch", "Selections can't be made on scalars (field '%s')", f.name)
		case inner != nil && len(f.fields) == 0:
			return nil, invalidf("selectionMismatch", "Field must have selections (field '%s' returns %s but has no selections)", f.name, inner[0])
		case inner == nil:
			shown[f.name] = record[f.name]
			continue
		}
		below, isObject := record[f.name].(map[string]any)
		object, err := selected(below, f.fields, inner[0], objects)
		if err != nil {
			return nil, err
		}
		if shown[f.name] = any(object); !isObject {
			shown[f.name] = nil
		}
	}
	return shown, nil
}
