package config

import (
	"bytes"
	_ "embed"
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"time"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
	"github.com/contactbridge/contactbridge/source/record"
)

//go:embed reference.md.tmpl
var reference string

// Markdown returns the reference of the configuration: every key, from the tags that the loader goes by.
func Markdown() ([]byte, error) {
	t, err := template.New("reference").Funcs(template.FuncMap{"table": Table, "lists": lists, "indent": indent, "kinds": kinds.All, "family": kinds.FamilyOf}).Parse(reference)
	if err != nil {
		return nil, fmt.Errorf("read the reference's template: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, map[string]any{
		"Config": &Config{}, "TLS": &TLS{}, "ACME": &ACME{}, "Log": &Log{}, "Endpoint": &Endpoint{}, "Page": &Page{}, "Phones": &Phones{},
		"Fields": &record.Fields{}, "Registration": &Registration{}, "AuthField": &AuthField{},
	}); err != nil {
		return nil, fmt.Errorf("write the reference: %w", err)
	}
	return out.Bytes(), nil
}

// Table lists the keys of a struct as a Markdown table.
func Table(of any) string {
	var b strings.Builder
	b.WriteString("| key | value | default | |\n|---|---|---|---|\n")
	for _, f := range strictyaml.Fields(reflect.TypeOf(of)) {
		if f.Hidden {
			continue
		}
		description, preset := f.Description, code(f.Default)
		if before, after, ok := strings.Cut(description, " Default: "); ok && preset == "" {
			description, preset = before, strings.TrimSuffix(after, ".")
		}
		if strings.HasPrefix(description, "Default: ") && preset == "" {
			description, preset = "", strings.TrimSuffix(strings.TrimPrefix(description, "Default: "), ".")
		}
		if f.Required {
			preset = "*required*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Key, value(f), escape(preset), escape(description))
	}
	return b.String()
}

// A list is a key that holds a list of mappings.
type list struct {
	Key string
	Of  any // pointer to an empty item
}

// lists returns the keys of a struct that hold lists of mappings, which have a table of their own.
func lists(of any) []list {
	var found []list
	for _, f := range strictyaml.Fields(reflect.TypeOf(of)) {
		if t := f.Type; !f.Hidden && t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
			if _, special := words[t]; !special {
				found = append(found, list{Key: f.Key, Of: reflect.New(t.Elem()).Interface()})
			}
		}
	}
	return found
}

// indent moves the lines of a text to the right, and drops the line end at its end.
func indent(spaces int, text string) string {
	margin := strings.Repeat(" ", spaces)
	return margin + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+margin)
}

// value says what may stand after a key.
func value(f strictyaml.Field) string {
	if len(f.Enum) > 0 {
		return "`" + strings.Join(f.Enum, "`, `") + "`"
	}
	if words, ok := words[f.Type]; ok {
		return words
	}
	if reflect.PointerTo(f.Type).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "text"
	}
	switch f.Type.Kind() {
	case reflect.Struct, reflect.Map:
		return "mapping"
	case reflect.Slice:
		return "list"
	case reflect.Bool:
		return "`true`, `false`"
	case reflect.Int, reflect.Int64:
		if f.Minimum != "" && f.Maximum != "" {
			return "number, " + f.Minimum + " to " + f.Maximum
		}
		return "number"
	}
	return "text"
}

// words say what the types with a form of their own are.
var words = map[reflect.Type]string{
	reflect.TypeFor[Auth]():                "mapping, `none` or `source`",
	reflect.TypeFor[Size]():                "size",
	reflect.TypeFor[time.Duration]():       "duration",
	reflect.TypeFor[strictyaml.Raw]():      "mapping",
	reflect.TypeFor[strictyaml.RawMap]():   "mapping of sources",
	reflect.TypeFor[source.Template]():     "text",
	reflect.TypeFor[record.Expressions]():  "text, or list of texts",
	reflect.TypeFor[record.CustomFields](): "mapping of texts",
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// escape keeps a text from ending a table's cell.
func escape(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
