package rest

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source/record"
)

// Reference returns the reference of the language in Markdown: a table for each type, from the tags that the loader goes by.
func Reference() string {
	var b strings.Builder
	b.WriteString("### The keys of a preset\n\n" + table(reflect.TypeFor[Language]()))
	for _, part := range []struct {
		title, says string
		of          reflect.Type
	}{
		{"`connection`", "A list. Each has these keys.", reflect.TypeFor[Field]()},
		{"`auth`", "A list. Each has these keys.", reflect.TypeFor[Auth]()},
		{"`verify`", "One request.", reflect.TypeFor[Request]()},
		{"`changes`, `by_id`, `list`", "A request, and what is known about its answers.", reflect.TypeFor[Reading]()},
		{"`since`", "Of a request for records.", reflect.TypeFor[Since]()},
		{"`page`", "Of a request for records.", reflect.TypeFor[Paging]()},
		{"`updated`", "The time of a record's last change.", reflect.TypeFor[Stamp]()},
		{"`deletions`", "With `by: request` it has the keys of a request for records too.", reflect.TypeFor[Deletions]()},
		{"`agents`", "It has the keys of a request for records too; order is none if it is left out.", reflect.TypeFor[Agents]()},
		{"`search`", "A request, and where its answer has the records.", reflect.TypeFor[Search]()},
		{"`throttle`", "Without it only what the service answers counts.", reflect.TypeFor[Throttle]()},
		{"`points`", "Of `throttle`: all three.", reflect.TypeFor[Points]()},
		{"`errors`", "A list. Each has these keys. After them the statuses mean what they mean everywhere.", reflect.TypeFor[Reaction]()},
	} {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n%s", part.title, part.says, table(part.of))
	}
	return b.String()
}

// table lists the keys of a type; those of a request for records have a table of their own.
func table(of reflect.Type) string {
	var b strings.Builder
	b.WriteString("| key | value | |\n|---|---|---|\n")
	for _, f := range strictyaml.Fields(of) {
		if (of == reflect.TypeFor[Deletions]() || of == reflect.TypeFor[Agents]()) && f.Index[0] == 0 { // of its Reading
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Key, kindOf(f), strings.ReplaceAll(f.Description, "|", `\|`))
	}
	return b.String()
}

// kindOf says what may stand after a key.
func kindOf(f strictyaml.Field) string {
	t := f.Type
	switch {
	case len(f.Enum) > 0:
		return "`" + strings.Join(f.Enum, "`, `") + "`"
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[Body]():
		return "any"
	case t == reflect.TypeFor[record.Fields]():
		return "[mapping](configuration.md#fields)"
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "`true`, `false`"
	case reflect.Int:
		return "number"
	case reflect.Struct, reflect.Map:
		return "mapping"
	case reflect.Slice:
		return "list"
	}
	return "text"
}
