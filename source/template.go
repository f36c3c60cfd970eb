package source

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// A Template is a text with {{auth.name}} in it, where the caller's credentials are put (P1). The zero Template is the
// empty text. It may be a field of a kind's configuration: it decodes itself from YAML.
type Template struct {
	text  string
	parts []part
}

// A part is a literal, or the name of a credential.
type part struct {
	literal string
	name    string
}

// An Escape makes a credential safe for the text that it is put into, or refuses it with a [*bridge.Error] or an error that
// does not hold the value.
type Escape func(value string) (string, error)

// ParseTemplate reads a template. Its errors name the place and never the text, which may hold a credential.
func ParseTemplate(text string) (Template, error) {
	t := Template{text: text}
	rest := text
	for rest != "" {
		before, after, found := strings.Cut(rest, "{{")
		if before != "" {
			t.parts = append(t.parts, part{literal: before})
		}
		if !found {
			break
		}
		inner, behind, closed := strings.Cut(after, "}}")
		name, isAuth := strings.CutPrefix(strings.TrimSpace(inner), "auth.")
		if !closed || !isAuth || !validName(name) {
			at := len([]rune(text[:len(text)-len(rest)+len(before)])) + 1
			return Template{}, &failure.Error{
				Code: failure.Invalid, Message: fmt.Sprintf("the \"{{\" at character %d does not begin a {{auth.name}}", at),
				Hint: "Write {{auth.name}}, where name is a field that callers send.",
			}
		}
		t.parts = append(t.parts, part{name: name})
		rest = behind
	}
	return t, nil
}

func validName(name string) bool {
	return name != "" && strings.Trim(name, "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// String returns the template as it was written. It may hold a credential: not for logs.
func (t Template) String() string { return t.text }

// Names lists the credentials that the template needs, each once, in the order of their first use.
func (t Template) Names() []string {
	var names []string
	for _, p := range t.parts {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Expand puts the credentials in, each through escape. A credential that the caller did not send, or sent empty, is
// [bridge.CodeUnauthorized].
func (t Template) Expand(auth bridge.Auth, escape Escape) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.literal)
			continue
		}
		value, ok := auth[p.name]
		if !ok || value == "" {
			return "", &bridge.Error{
				Code:    bridge.CodeUnauthorized,
				Message: fmt.Sprintf("auth.%s is missing", p.name),
				Hint:    fmt.Sprintf("Send %q in the request's auth object: the source's configuration uses {{auth.%s}}.", p.name, p.name),
			}
		}
		escaped, err := escape(value)
		if err != nil {
			return "", fmt.Errorf("use auth.%s: %w", p.name, err)
		}
		b.WriteString(escaped)
	}
	return b.String(), nil
}

// EscapeURL percent-encodes everything but the unreserved characters of RFC 3986: safe in any part of a URL.
func EscapeURL(value string) (string, error) {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if c == '-' || c == '.' || c == '_' || c == '~' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String(), nil
}

// UnmarshalText reads a template from a configuration.
func (t *Template) UnmarshalText(text []byte) error {
	parsed, err := ParseTemplate(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// MarshalText returns the template as it was written.
func (t Template) MarshalText() ([]byte, error) { return []byte(t.text), nil }

// JSONSchema describes a template: a text.
func (Template) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// A Templated is a text of a language of its own that may hold {{auth.name}}, and says so by a template with the same names.
type Templated interface{ Template() Template }

// Templates yields every template of a kind's configuration, a struct with yaml tags or a pointer to one, with its key such
// as "headers[0].value", in the order of the fields: empty ones as well. They are all that may hold {{auth.name}}.
func Templates(cfg any) iter.Seq2[string, Template] {
	return func(yield func(key string, t Template) bool) {
		templates("", reflect.ValueOf(cfg), yield)
	}
}

func templates(key string, v reflect.Value, yield func(string, Template) bool) bool {
	if t, ok := reflect.TypeAssert[Template](v); ok {
		return yield(key, t)
	}
	if t, ok := reflect.TypeAssert[Templated](v); ok {
		return yield(key, t.Template())
	}
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil() || templates(key, v.Elem(), yield)
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if v.Type().Field(i).IsExported() && name != "-" && !templates(strings.Trim(key+"."+name, "."), v.Field(i), yield) {
				return false
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if !templates(key+"["+strconv.Itoa(i)+"]", v.Index(i), yield) {
				return false
			}
		}
	case reflect.Map:
		for _, name := range v.MapKeys() {
			if !templates(strings.Trim(key+"."+name.String(), "."), v.MapIndex(name), yield) {
				return false
			}
		}
	}
	return true
}
