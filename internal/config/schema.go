package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source/kinds"
)

const schemaID = "https://github.com/contactbridge/contactbridge/schema/bridge.schema.json"

// Schema returns the JSON Schema of the configuration, indented, with a line end.
func Schema() ([]byte, error) {
	schema := reflector().Reflect(&Config{})
	schema.ID, schema.Title = schemaID, "contactbridge: the bridge's configuration"
	loosen(schema)
	schema.Definitions = hiddenKeys()
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the JSON Schema: %w", err)
	}
	return append(text, '\n'), nil
}

// reflector reads the tags that strictyaml goes by, so that schema and loader agree.
func reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, DoNotReference: true, ExpandedStruct: true, Mapper: special,
	}
}

// special describes the types that have a form of their own.
func special(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^\s*([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+\s*$|^0$|\$\{`}
	case reflect.TypeFor[strictyaml.Raw]():
		return sourceSchema()
	case reflect.TypeFor[strictyaml.RawMap]():
		return sourcesSchema()
	}
	return nil
}

// sourceSchema is one schema for each kind, told apart by the key kind.
func sourceSchema() *jsonschema.Schema {
	union := &jsonschema.Schema{Type: "object", Required: []string{"kind"}}
	var names []any
	for _, kind := range kinds.All() {
		names = append(names, kind.Name)
		one := reflector().Reflect(kind.Config())
		one.Version = ""
		for _, f := range strictyaml.Fields(reflect.TypeOf(kind.Config())) {
			if f.Hidden {
				one.Properties.Set(f.Key, &jsonschema.Schema{Ref: "#/$defs/" + f.Key})
			}
		}
		one.Properties.Set("kind", &jsonschema.Schema{Const: kind.Name, Description: kind.Summary})
		_ = one.Properties.MoveToFront("kind") // it is there
		one.Required = append([]string{"kind"}, one.Required...)
		union.AllOf = append(union.AllOf, &jsonschema.Schema{If: kindIs(kind.Name), Then: one})
	}
	union.Properties = jsonschema.NewProperties()
	union.Properties.Set("kind", &jsonschema.Schema{Type: "string", Enum: names, Description: "Which external service this is."})
	return union
}

// hiddenKeys describes the keys that a preset's kind takes as well, once for all presets. What is written there changes what the preset
// says, so that no part of it is required.
func hiddenKeys() jsonschema.Definitions {
	definitions := jsonschema.Definitions{}
	for _, kind := range kinds.All() {
		whole := reflector().Reflect(kind.Config())
		for _, f := range strictyaml.Fields(reflect.TypeOf(kind.Config())) {
			described, ok := whole.Properties.Get(f.Key)
			if !f.Hidden || !ok || definitions[f.Key] != nil {
				continue
			}
			loosen(described)
			optional(described)
			definitions[f.Key] = described
		}
	}
	return definitions
}

// optional lets every key of a schema be missing.
func optional(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	s.Required = nil
	optional(s.Items)
	optional(s.AdditionalProperties)
	if s.Properties != nil {
		for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
			optional(pair.Value)
		}
	}
}

// kindIs holds for a source of one kind.
func kindIs(name string) *jsonschema.Schema {
	condition := &jsonschema.Schema{Properties: jsonschema.NewProperties(), Required: []string{"kind"}}
	condition.Properties.Set("kind", &jsonschema.Schema{Const: name})
	return condition
}

// loosen lets a schema take what the loader takes: any scalar where a text is due, and a reference (${NAME}) anywhere.
func loosen(s *jsonschema.Schema) {
	if s == nil || s.If != nil {
		if s != nil {
			loosen(s.Then)
		}
		return
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, inner := range list {
			loosen(inner)
		}
	}
	loosen(s.Items)
	loosen(s.AdditionalProperties)
	if s.Properties != nil {
		for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
			if pair.Key != "kind" {
				loosen(pair.Value)
			}
		}
	}
	loosenScalar(s)
}

func loosenScalar(s *jsonschema.Schema) {
	reference := &jsonschema.Schema{Type: "string", Pattern: `\$\{`}
	switch {
	case s.Type == "string" && s.Pattern == "" && len(s.Enum) == 0:
		s.Type, s.Extras = "", map[string]any{"type": []string{"string", "number", "boolean"}}
	case s.Type == "integer", s.Type == "number", s.Type == "boolean", s.Type == "string" && len(s.Enum) > 0:
		bare := &jsonschema.Schema{
			Type: s.Type, Enum: s.Enum, Minimum: s.Minimum, Maximum: s.Maximum,
		}
		s.Type, s.Enum, s.Minimum, s.Maximum = "", nil, "", ""
		s.AnyOf = []*jsonschema.Schema{bare, reference}
	}
}
