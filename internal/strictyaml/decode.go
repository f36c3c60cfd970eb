package strictyaml

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/failure"
)

// A Raw is a part of a document to be decoded later, when it is known into what: see [Document.DecodeRaw].
type Raw struct {
	node *yaml.Node
	path string
}

// IsZero reports whether the part does not stand in the document.
func (r Raw) IsZero() bool { return r.node == nil }

// Path is where the part stands, dotted.
func (r Raw) Path() string { return r.path }

// Text returns the scalar below a key of the part; ok is false if the key is missing.
func (r Raw) Text(key string) (value string, ok bool) {
	if !r.IsMapping() {
		return "", false
	}
	for i := 0; i+1 < len(r.node.Content); i += 2 {
		if value := r.node.Content[i+1]; r.node.Content[i].Value == key && value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
			return value.Value, true
		}
	}
	return "", false
}

// IsMapping reports whether the part has keys.
func (r Raw) IsMapping() bool { return r.node != nil && r.node.Kind == yaml.MappingNode }

// Compose returns parts below keys as a document of its own, without those that do not stand in theirs. References in them have been
// filled in: a $ in it is a $.
func Compose(parts map[string]Raw) (string, error) {
	whole := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range slices.Sorted(maps.Keys(parts)) {
		if node := parts[key].node; node != nil {
			whole.Content = append(whole.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, node)
		}
	}
	text, err := yaml.Marshal(whole)
	return string(text), err
}

// Has reports whether a key with a value stands in the part, by its dotted path in the document.
func (r Raw) Has(path string) bool {
	for at := range r.Scalars {
		if (Problem{Path: at}).In(path) {
			return true
		}
	}
	return false
}

// Scalars yields every text of the part with its dotted path, in the order of the file.
func (r Raw) Scalars(yield func(path, text string) bool) {
	if r.node != nil {
		scalars(r.node, r.path, yield)
	}
}

func scalars(n *yaml.Node, path string, yield func(path, text string) bool) bool {
	switch n.Kind {
	case yaml.ScalarNode:
		return yield(path, n.Value)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !scalars(n.Content[i+1], path+"."+n.Content[i].Value, yield) {
				return false
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if !scalars(item, fmt.Sprintf("%s.%d", path, i), yield) {
				return false
			}
		}
	}
	return true
}

// Decode fills a struct from the document. Keys are the fields' yaml tags. Its error is [*Problems] and holds everything
// that does not fit; what fits is filled in even so.
//
// The words of a field's jsonschema tag are kept: default (taken where the key is left out or has no value), required,
// enum, minimum and maximum. A number or truth value where a text is due keeps its written form: 0151234 stays that.
// A type may decode itself: yaml.Unmarshaler, encoding.TextUnmarshaler.
func (d *Document) Decode(into any) error {
	return d.decode(d.root, "", into)
}

// DecodeRaw is [Document.Decode] for a part of the document. Keys in without are left out.
func (d *Document) DecodeRaw(raw Raw, into any, without ...string) error {
	if !raw.IsMapping() {
		return d.decode(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, raw.path, into)
	}
	return d.decode(raw.Without(without...).node, raw.path, into)
}

func (d *Document) decode(node *yaml.Node, path string, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("decode into %T: not a pointer", into)
	}
	dec := decoder{document: d}
	dec.defaults(path, v.Elem())
	dec.value(node, path, v.Elem())
	return newProblems(d.File, dec.problems)
}

type decoder struct {
	document *Document
	problems []Problem
}

func (d *decoder) problem(at *yaml.Node, path, message, hint string) {
	line, column := at.Line, at.Column
	if line == 0 {
		p := d.document.place(path)
		line, column = p.line, p.column
	}
	d.problems = append(d.problems, Problem{Line: line, Column: column, Path: path, Message: message, Hint: hint})
}

// quoted returns a scalar as it stands in the file: a reference is not shown filled in.
func (d *decoder) quoted(n *yaml.Node) string {
	if written, ok := d.document.written[n]; ok {
		return strconv.Quote(written)
	}
	return strconv.Quote(n.Value)
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	rawType      = reflect.TypeFor[Raw]()
)

// value decodes one node. A null leaves what is there.
func (d *decoder) value(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	if v.Type() == rawType {
		v.Set(reflect.ValueOf(Raw{node: n, path: path}))
		return
	}
	if v.Type() == rawMapType {
		d.rawMap(n, path, v)
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			d.defaults(path, v.Elem())
		}
		d.value(n, path, v.Elem())
		return
	}
	if d.custom(n, path, v) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, path, v)
	case reflect.Map:
		d.mapping(n, path, v)
	case reflect.Slice:
		d.list(n, path, v)
	default:
		d.scalar(n, path, v)
	}
}

// A nodeError is an error that is about a node.
type nodeError struct {
	node *yaml.Node
	said failure.Error
}

// At returns an error about a node, for a type that decodes itself (yaml.Unmarshaler). hint may be empty.
func At(node *yaml.Node, message, hint string) error {
	return &nodeError{node: node, said: failure.Error{Code: failure.Invalid, Message: message, Hint: hint}}
}

// Error names the line as well, for readers of plain YAML.
func (e *nodeError) Error() string { return fmt.Sprintf("line %d: %s", e.node.Line, e.said.Message) }

// Explain implements [failure.Explainer].
func (e *nodeError) Explain() failure.Error { return e.said }

// custom lets a type decode itself; it reports whether the type does so.
func (d *decoder) custom(n *yaml.Node, path string, v reflect.Value) bool {
	var err error
	switch u := v.Addr().Interface().(type) {
	case yaml.Unmarshaler:
		err = u.UnmarshalYAML(n)
	case encoding.TextUnmarshaler:
		if n.Kind != yaml.ScalarNode {
			d.problem(n, path, label(path)+" must be a text, not "+article(n), "")
			return true
		}
		err = u.UnmarshalText([]byte(n.Value))
	default:
		return false
	}
	if err == nil {
		return true
	}
	at := n
	if placed, ok := errors.AsType[*nodeError](err); ok {
		at = placed.node
	}
	said := failure.Of(err)
	d.problem(at, path, label(path)+": "+cmp.Or(said.Message, err.Error()), said.Hint)
	return true
}

// article says what a node is.
func article(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// label returns the last part of a path, as messages name a key: "page", "item 2 of tags".
func label(path string) string {
	i := strings.LastIndexByte(path, '.')
	if n, err := strconv.Atoi(path[i+1:]); err == nil && i > 0 {
		return fmt.Sprintf("item %d of %s", n+1, label(path[:i]))
	}
	return path[i+1:]
}

func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value) {
	fields := fieldsOf(v.Type())
	if n.Kind != yaml.MappingNode {
		hint := "Known keys: " + strings.Join(keysOf(fields), ", ") + "."
		d.problem(n, path, label(path)+" must be a mapping, not "+article(n), hint)
		return
	}
	given := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(f Field) bool { return f.Key == key.Value })
		if at < 0 {
			meant := Nearest(key.Value, keysOf(fields))
			d.problem(key, join(path, key.Value), fmt.Sprintf("unknown key %q", key.Value), unknownHint(key.Value, meant, fields))
			d.problems[len(d.problems)-1].Meant = meant
			given[meant] = true
			continue
		}
		given[key.Value] = value.Tag != "!!null"
		before := len(d.problems)
		d.value(value, join(path, key.Value), v.FieldByIndex(fields[at].Index))
		if len(d.problems) == before && value.Tag != "!!null" {
			d.limits(value, join(path, key.Value), fields[at], v.FieldByIndex(fields[at].Index))
		}
	}
	for _, f := range fields {
		if f.Required && !given[f.Key] {
			missing := join(path, f.Key)
			d.problem(&yaml.Node{}, missing, missing+" is missing", cmp.Or(f.Hint, f.Description))
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// defaults fills in what the fields' tags say is taken where a key is left out, at every depth.
func (d *decoder) defaults(path string, v reflect.Value) {
	if v.Kind() != reflect.Struct || decodesItself(v.Type()) {
		return
	}
	for _, f := range fieldsOf(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if f.Default != "" && field.IsZero() {
			d.value(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Default}, join(path, f.Key), field)
			continue
		}
		d.defaults(join(path, f.Key), field)
	}
}

var (
	yamlUnmarshaler = reflect.TypeFor[yaml.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t == rawType || t == rawMapType || p.Implements(yamlUnmarshaler) || p.Implements(textUnmarshaler)
}

// unknownHint says where a key may have been meant to go. meant is the known key that is near it, if one is.
func unknownHint(key, meant string, fields []Field) string {
	if meant != "" {
		return fmt.Sprintf("Did you mean %q?", meant)
	}
	for _, f := range fields {
		if t := f.Type; t.Kind() == reflect.Struct && !decodesItself(t) && slices.Contains(keysOf(fieldsOf(t)), key) {
			return fmt.Sprintf("%q belongs under %q.", key, f.Key)
		}
	}
	return "Known keys here: " + strings.Join(keysOf(fields), ", ") + "."
}

func keysOf(fields []Field) []string {
	keys := make([]string, 0, len(fields))
	for _, f := range fields {
		keys = append(keys, f.Key)
	}
	return keys
}

// limits checks a value against its field's tag.
func (d *decoder) limits(n *yaml.Node, path string, f Field, v reflect.Value) {
	if len(f.Enum) > 0 && v.Kind() == reflect.String && !slices.Contains(f.Enum, v.String()) {
		hint := "Choose one of: " + strings.Join(f.Enum, ", ") + "."
		if near := Nearest(v.String(), f.Enum); near != "" {
			hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
		}
		d.problem(n, path, fmt.Sprintf("%s cannot be %s", label(path), d.quoted(n)), hint)
	}
	if !v.CanInt() || v.Type() == durationType {
		return
	}
	if f.Minimum != "" || f.Maximum != "" {
		low, errLow := strconv.ParseInt(f.Minimum, 10, 64)
		high, errHigh := strconv.ParseInt(f.Maximum, 10, 64)
		switch {
		case errLow == nil && v.Int() < low:
			d.problem(n, path, fmt.Sprintf("%s is too small: %s", label(path), d.quoted(n)), fmt.Sprintf("The least is %d.", low))
		case errHigh == nil && v.Int() > high:
			d.problem(n, path, fmt.Sprintf("%s is too large: %s", label(path), d.quoted(n)), fmt.Sprintf("The most is %d.", high))
		}
	}
}

// mapping decodes a map with text keys.
func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, label(path)+" must be a mapping, not "+article(n), "")
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		item := reflect.New(v.Type().Elem()).Elem()
		d.defaults("", item)
		below := join(path, n.Content[i].Value)
		if n.Content[i+1].Tag == "!!null" && item.Kind() == reflect.Struct {
			d.structure(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, below, item)
		} else {
			d.value(n.Content[i+1], below, item)
		}
		m.SetMapIndex(reflect.ValueOf(n.Content[i].Value).Convert(v.Type().Key()), item)
	}
	v.Set(m)
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, path, label(path)+" must be a list, not "+article(n), "Write [one, two], or each on its own line after a hyphen.")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.defaults("", list.Index(i))
		d.value(item, fmt.Sprintf("%s.%d", path, i), list.Index(i))
	}
	v.Set(list)
}

// scalar decodes one text.
func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, path, label(path)+" must be a single value, not "+article(n), braces(n))
		return
	}
	wrong := func(expected, hint string) {
		d.problem(n, path, fmt.Sprintf("%s must be %s, not %s", label(path), expected, d.quoted(n)), hint)
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
	case v.Type() == durationType:
		duration, err := time.ParseDuration(strings.TrimSpace(n.Value))
		if err != nil {
			wrong("a duration", "Write a number with its unit: 500ms, 7s, 5m, 1h30m.")
		}
		v.SetInt(int64(duration))
	case v.CanInt():
		number, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 10, v.Type().Bits())
		if err != nil {
			wrong("a whole number", "")
		}
		v.SetInt(number)
	case v.CanFloat():
		number, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			wrong("a number", "")
		}
		v.SetFloat(number)
	case v.Kind() == reflect.Bool:
		truth, ok := truths[n.Value]
		if !ok {
			wrong("true or false", "")
		}
		v.SetBool(truth)
	default:
		d.problem(n, path, fmt.Sprintf("%s cannot be configured (%s)", path, v.Type()), "This is a fault of contactbridge; please report it.")
	}
}

var truths = map[string]bool{"true": true, "false": false, "True": true, "False": false, "TRUE": true, "FALSE": false}

// A Field is one key of a struct as its tags describe it.
type Field struct {
	Key         string
	Type        reflect.Type
	Index       []int
	Description string
	Hint        string // what to do where the key is missing; from the tag hint
	Default     string
	Enum        []string
	Minimum     string
	Maximum     string
	Required    bool
	Hidden      bool // not part of a reference: the tag docs is "-"
}

// Fields lists the keys of a struct type, or of what a pointer points to, in their order.
func Fields(t reflect.Type) []Field {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return slices.Clone(fieldsOf(t))
}

// known keeps what the tags of each type say: []Field by reflect.Type, not to be changed.
var known sync.Map

func fieldsOf(t reflect.Type) []Field {
	fields, ok := known.Load(t)
	if !ok {
		fields, _ = known.LoadOrStore(t, readFields(t))
	}
	return fields.([]Field)
}

func readFields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		sf := t.Field(i)
		key, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case options == "inline" || sf.Anonymous && key == "":
			for _, inner := range fieldsOf(sf.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				fields = append(fields, inner)
			}
		case key != "" && key != "-" && sf.IsExported():
			f := Field{Key: key, Type: sf.Type, Index: []int{i}, Description: sf.Tag.Get("jsonschema_description"), Hint: sf.Tag.Get("hint"), Hidden: sf.Tag.Get("docs") == "-"}
			f.words(sf.Tag.Get("jsonschema"))
			fields = append(fields, f)
		}
	}
	return fields
}

// words reads a jsonschema tag.
func (f *Field) words(tag string) {
	for word := range strings.SplitSeq(tag, ",") {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "required":
			f.Required = true
		case "default":
			f.Default = value
		case "enum":
			f.Enum = append(f.Enum, value)
		case "minimum":
			f.Minimum = value
		case "maximum":
			f.Maximum = value
		case "description":
			f.Description = value
		}
	}
}
