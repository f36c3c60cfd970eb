package rest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// A Text is a text in which {{name}} stands for a value: a field of the connection, a caller's credential ({{auth.name}}), or
// something that a request is about ({{since}}). What follows a bar says how it is written: {{since|unix}}. The zero Text is empty.
type Text struct {
	written string
	parts   []textPart
}

// A textPart is a literal, or a name with filters.
type textPart struct {
	literal string
	name    string
	filters []filter
}

// A filter changes how a value is written.
type filter struct {
	name     string
	duration time.Duration // of minus
	prefix   string        // of below
	between  string        // of join
}

// variables are the names that requests are about, besides the fields of the connection.
var variables = []string{
	"access_token", "after_id", "before", "columns", "cursor", "direction", "from", "limit", "now", "offset", "page", "since", "token", "url",
}

// filters are the names of filters, but for minus.
var filters = []string{"date", "datetime", "double", "graphql", "iso", "number", "optional", "path", "quote", "rfc3339", "rfc3339_ms", "rfc3339_us", "text", "top", "unix", "unix_ms"}

// parseText reads a text. Its errors do not hold it, as there may be a credential in it.
func parseText(written string) (Text, error) {
	t := Text{written: written}
	rest := written
	for rest != "" {
		before, after, found := strings.Cut(rest, "{{")
		if before != "" {
			t.parts = append(t.parts, textPart{literal: before})
		}
		if !found {
			return t, nil
		}
		inner, next, closed := strings.Cut(after, "}}")
		if !closed {
			return Text{}, &failure.Error{Code: failure.Invalid, Message: "a {{ is not closed", Hint: "Write {{name}}."}
		}
		part, err := parsePart(inner)
		if err != nil {
			return Text{}, err
		}
		t.parts = append(t.parts, part)
		rest = next
	}
	return t, nil
}

func parsePart(inner string) (textPart, error) {
	words := strings.Split(inner, "|")
	part := textPart{name: strings.TrimSpace(words[0])}
	if part.name == "" || strings.Trim(part.name, "_.-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return part, &failure.Error{Code: failure.Invalid, Message: "a {{ is not followed by a name", Hint: "Write {{name}}, or {{name|filter}}."}
	}
	for _, word := range words[1:] {
		name, argument, _ := strings.Cut(strings.TrimSpace(word), ":")
		f := filter{name: name, prefix: argument + ".", between: argument}
		if name == "minus" {
			var err error
			if f.duration, err = time.ParseDuration(argument); err != nil {
				return part, &failure.Error{Code: failure.Invalid, Message: "minus needs a duration", Hint: "Write {{since|minus:48h}}."}
			}
		} else if name == "below" {
			if argument == "" {
				return part, &failure.Error{Code: failure.Invalid, Message: "below needs a path", Hint: "Write {{columns|below:properties}}."}
			}
		} else if name == "join" {
			if argument == "" {
				return part, &failure.Error{Code: failure.Invalid, Message: "join needs a text", Hint: "Write {{spellings|join:','}}."}
			}
		} else if !slices.Contains(filters, name) {
			hint := "The filters are minus:DURATION, below:PATH, join:TEXT, " + strings.Join(filters, ", ") + "."
			if near := strictyaml.Nearest(name, filters); near != "" {
				hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
			}
			return part, &failure.Error{Code: failure.Invalid, Message: fmt.Sprintf("there is no filter %q", name), Hint: hint}
		}
		part.filters = append(part.filters, f)
	}
	return part, nil
}

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.written == "" }

// names lists the names in the text.
func (t Text) names() []string {
	var names []string
	for _, p := range t.parts {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// Template returns the callers' credentials that stand in the text, as [source.Templates] wants them.
func (t Text) Template() source.Template {
	var credentials strings.Builder
	for _, name := range t.names() {
		if strings.HasPrefix(name, "auth.") {
			credentials.WriteString("{{" + name + "}}")
		}
	}
	template, err := source.ParseTemplate(credentials.String())
	if err != nil {
		return source.Template{} // a name that no credential has, which is told elsewhere
	}
	return template
}

// UnmarshalText reads a text from a configuration.
func (t *Text) UnmarshalText(text []byte) error {
	parsed, err := parseText(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// MarshalText returns the text as it was written.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.written), nil }

// JSONSchema describes a text.
func (Text) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// A moment is a time as a request asks for it: filters say in which form.
type moment struct {
	time.Time
	zone *time.Location
}

// A scope holds the values that stand for the names in a text: string, int64, moment, or []string.
type scope map[string]any

// escapeText makes a value safe for the place where it is put.
type escapeText func(string) (string, error)

// expand puts values in, each through escape.
func (t Text) expand(values scope, escape escapeText) (string, error) {
	if len(t.parts) == 1 && t.parts[0].name == "" {
		return t.parts[0].literal, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.literal)
			continue
		}
		value, err := p.value(values)
		if err != nil {
			return "", err
		}
		text := textOf(value)
		if _, isPath := value.(escapedPath); escape != nil && !isPath {
			if text, err = escape(text); err != nil {
				return "", err
			}
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// single returns the value of a text that is one name and nothing else, with its type.
func (t Text) single(values scope) (value any, ok bool, err error) {
	if len(t.parts) != 1 || t.parts[0].name == "" {
		return nil, false, nil
	}
	value, err = t.parts[0].value(values)
	return value, true, err
}

// value returns what a name stands for, filtered.
func (p textPart) value(values scope) (any, error) {
	value, ok := values[p.name]
	if credential, isAuth := strings.CutPrefix(p.name, "auth."); isAuth && (!ok || value == "") {
		return nil, &bridge.Error{
			Code: bridge.CodeUnauthorized, Message: fmt.Sprintf("auth.%s is missing", credential),
			Hint: fmt.Sprintf("Send %q in the request's auth object.", credential),
		}
	}
	if !ok {
		return nil, &failure.Error{
			Code: failure.Invalid, Message: fmt.Sprintf("{{%s}} has no value in this request", p.name),
			Hint: "Use it only in the request that it belongs to: see docs/rest.md.",
		}
	}
	for _, f := range p.filters {
		value = f.apply(value)
	}
	return value, nil
}

// apply returns a value as the filter writes it. A filter of times leaves every other value as it is.
func (f filter) apply(value any) any {
	if at, ok := value.(moment); ok {
		return f.time(at)
	}
	if list, ok := value.([]string); ok {
		return f.columns(list)
	}
	switch f.name {
	case "path":
		return pathOf(textOf(value))
	case "optional":
		if textOf(value) == "" {
			return absent{}
		}
	case "text":
		return textOf(value)
	case "quote":
		return quoteReplacer.Replace(textOf(value))
	case "number":
		if n, err := strconv.ParseInt(textOf(value), 10, 64); err == nil {
			return n
		}
		return value
	case "double":
		return strings.ReplaceAll(textOf(value), "'", "''")
	}
	return value
}

// columns returns a list as a filter writes it: the paths that it leaves: those below one, or the keys with which they begin.
func (f filter) columns(paths []string) any {
	if f.name == "join" {
		return strings.Join(paths, f.between)
	}
	var kept []string
	for _, path := range paths {
		switch f.name {
		case "below":
			below, ok := strings.CutPrefix(path, f.prefix)
			if !ok {
				continue
			}
			path = below
		case "top":
			path, _, _ = strings.Cut(path, ".")
		}
		if !slices.Contains(kept, path) {
			kept = append(kept, path)
		}
	}
	switch f.name {
	case "text":
		return strings.Join(kept, ",")
	case "graphql":
		return selectionOf(kept)
	}
	return kept
}

// selectionOf writes paths as GraphQL selects them: name address { city zip }.
func selectionOf(paths []string) string {
	var names []string
	below := map[string][]string{}
	for _, path := range paths {
		name, rest, deeper := strings.Cut(path, ".")
		if _, known := below[name]; !known {
			names = append(names, name)
			below[name] = nil
		}
		if deeper {
			below[name] = append(below[name], rest)
		}
	}
	for i, name := range names {
		if inner := below[name]; len(inner) > 0 {
			names[i] += " { " + selectionOf(inner) + " }"
		}
	}
	return strings.Join(names, " ")
}

// absent stands for an empty value that a body does not have. In other texts it is empty.
type absent struct{}

// An escapedPath is a part of a URL's path whose slashes stay slashes.
type escapedPath string

// pathOf escapes everything in a path but its slashes.
func pathOf(text string) escapedPath {
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return escapedPath(strings.Join(segments, "/"))
}

// quoteReplacer makes a text safe within quotes of languages that escape with a backslash.
var quoteReplacer = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`)

func (f filter) time(at moment) any {
	switch f.name {
	case "minus":
		return moment{at.Add(-f.duration), at.zone}
	case "unix":
		return at.Unix()
	case "unix_ms":
		return at.UnixMilli()
	case "date":
		return at.In(at.zone).Format(time.DateOnly)
	case "datetime":
		return at.In(at.zone).Format(time.DateTime)
	case "iso":
		return at.In(at.zone).Format("2006-01-02T15:04:05-07:00")
	case "rfc3339_ms":
		return at.UTC().Format("2006-01-02T15:04:05.000Z")
	case "rfc3339_us":
		return at.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	return at.UTC().Format("2006-01-02T15:04:05Z")
}

// textOf returns a value as text.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case escapedPath:
		return string(value)
	case int64:
		return strconv.FormatInt(value, 10)
	case moment:
		return textOf(filter{}.time(value))
	case []string:
		return strings.Join(value, ",")
	}
	return ""
}
