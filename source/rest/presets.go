package rest

import (
	"embed"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// A Preset is what is known about one service, in the language of this package.
type Preset struct {
	Name     string
	Text     string // as it is written
	Language Language
}

// presets reads the embedded presets once. What is wrong with one is a defect that any test finds.
var presets = sync.OnceValue(func() []Preset {
	names, err := fs.Glob(presetFiles, "presets/*.yaml")
	if err != nil {
		panic(err)
	}
	list := make([]Preset, 0, len(names))
	for _, file := range names {
		text, err := presetFiles.ReadFile(file)
		if err != nil {
			panic(err)
		}
		language, err := Parse(file, text)
		if err != nil {
			panic(fmt.Sprintf("preset: %v", err))
		}
		list = append(list, Preset{Name: strings.TrimSuffix(strings.TrimPrefix(file, "presets/"), ".yaml"), Text: string(text), Language: language})
	}
	return list
})

// Presets lists the presets by name.
func Presets() []Preset { return slices.Clone(presets()) }

// Parse reads a text in the language, strictly. file names it in the error, which tells everything that is wrong, with its line.
func Parse(file string, text []byte) (Language, error) {
	var language Language
	err := strictyaml.Read(file, text, strictyaml.Environment{Lookup: noVariable}, func(document *strictyaml.Document) []strictyaml.Problem {
		problems := strictyaml.Found(document.Decode(&language))
		for _, each := range failure.All(language.check()) {
			problems = append(problems, strictyaml.Problem{Path: dotted(each.Field), Message: each.Message, Hint: each.Hint})
		}
		return problems
	})
	return language, err
}

func noVariable(string) (string, bool) { return "", false }

// dotted returns a key as strictyaml has it.
func dotted(key string) string { return strings.NewReplacer("[", ".", "]", "").Replace(key) }

// valueOf finds a field of a configuration by its key.
func valueOf(cfg reflect.Value, key string) (reflect.Value, bool) {
	for i := range cfg.NumField() {
		if name, _, _ := strings.Cut(cfg.Type().Field(i).Tag.Get("yaml"), ","); name == key {
			return cfg.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// ownKeys are the keys of the language that a preset's kind does not have: what the preset says once and for all.
var ownKeys = []string{"language", "title", "icon", "connection", "url", "values", "sign_in"}

// configType makes the type of a preset's configuration: its connection's fields, then the language's keys.
func (p Preset) configType() reflect.Type {
	var fields []reflect.StructField
	for i, f := range p.Language.Connection {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("Field%d", i), Type: reflect.TypeFor[source.Template](), Tag: f.tag()})
	}
	language := reflect.TypeFor[Language]()
	for i := range language.NumField() {
		field := language.Field(i)
		if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); slices.Contains(ownKeys, key) {
			continue
		}
		field.Index, field.Offset, field.Tag = nil, 0, field.Tag+` docs:"-"`
		fields = append(fields, field)
	}
	return reflect.StructOf(fields)
}

// tag describes a field of the connection as strictyaml and the JSON Schema read it.
func (f Field) tag() reflect.StructTag {
	words := ""
	if f.isRequired() {
		words = "required"
	}
	description := f.Title + "."
	if f.Help != "" {
		description += " " + f.Help
	}
	if f.Default != "" {
		description += " Default: " + f.Default + "."
	}
	return reflect.StructTag(fmt.Sprintf(`yaml:%q digest:"-" jsonschema:%q jsonschema_description:%q hint:%q`, f.Name, words, description, f.hint()))
}

// isRequired reports whether a configuration without the field cannot work.
func (f Field) isRequired() bool { return !f.Optional && f.Default == "" }

// hint says what to do if the field is missing or wrong.
func (f Field) hint() string {
	hint := f.Help
	if hint == "" {
		hint = "Write " + f.Title + "."
	}
	if f.Example != "" {
		hint += " Example: " + f.Example + "."
	}
	return hint
}

// fill puts the preset into an empty configuration of its type.
func (p Preset) fill(cfg reflect.Value) {
	language := reflect.ValueOf(p.Language)
	for i := range language.NumField() {
		key, _, _ := strings.Cut(language.Type().Field(i).Tag.Get("yaml"), ",")
		if to, ok := valueOf(cfg, key); ok && !slices.Contains(ownKeys, key) {
			to.Set(language.Field(i))
			own(to)
		}
	}
}

// own gives a configuration mappings of its own, at every depth: decoding into them changes no preset.
func own(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				own(v.Field(i))
			}
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		copied := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, key := range v.MapKeys() {
			copied.SetMapIndex(key, v.MapIndex(key))
		}
		v.Set(copied)
	}
}

// language returns what a configuration says: the preset with the user's changes. A mapping that the user writes changes the keys that
// it names and no others.
func (p Preset) language(cfg reflect.Value) Language {
	merged := p.Language
	to := reflect.ValueOf(&merged).Elem()
	for i := range to.NumField() {
		key, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("yaml"), ",")
		if from, ok := valueOf(cfg, key); ok && !slices.Contains(ownKeys, key) {
			merge(from, to.Field(i))
			to.Field(i).Set(from)
		}
	}
	merged.Values = map[string]source.Template{}
	for i, f := range p.Language.Connection {
		merged.Values[f.Name] = cfg.Field(i).Interface().(source.Template)
	}
	return merged
}

// merge adds the entries of a preset's mappings to those of a configuration that have replaced them, at every depth.
func merge(cfg, preset reflect.Value) {
	switch cfg.Kind() {
	case reflect.Struct:
		for i := range cfg.NumField() {
			if cfg.Type().Field(i).IsExported() {
				merge(cfg.Field(i), preset.Field(i))
			}
		}
	case reflect.Map:
		if cfg.IsNil() || preset.IsNil() {
			return
		}
		for _, key := range preset.MapKeys() {
			if !cfg.MapIndex(key).IsValid() {
				cfg.SetMapIndex(key, preset.MapIndex(key))
			}
		}
	}
}
