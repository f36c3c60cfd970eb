package record

import (
	"fmt"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// UnmarshalYAML reads one expression or a list of them.
func (e *Expressions) UnmarshalYAML(node *yaml.Node) error {
	node = resolve(node)
	if node.Kind == yaml.ScalarNode {
		text, err := expression(node)
		if err != nil || text == "" {
			*e = nil
			return err
		}
		*e = Expressions{text}
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		return strictyaml.At(node, "expected an expression or a list of expressions", "Write one, or several as [one, two].")
	}
	list := make(Expressions, 0, len(node.Content))
	for _, item := range node.Content {
		text, err := expression(resolve(item))
		if err != nil {
			return err
		}
		if text == "" {
			return strictyaml.At(item, "an expression in a list is empty", "Write it after the hyphen, or remove the hyphen.")
		}
		list = append(list, text)
	}
	*e = list
	return nil
}

// UnmarshalYAML reads a mapping of custom field keys to expressions and keeps its order.
func (c *CustomFields) UnmarshalYAML(node *yaml.Node) error {
	node = resolve(node)
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		*c = nil
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return strictyaml.At(node, "expected custom fields as \"key: expression\"", "Write them one a line, or as {Plan: plan}.")
	}
	list := make(CustomFields, 0, len(node.Content)/2)
	lines := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		field, err := customField(node.Content[i], node.Content[i+1])
		if err != nil {
			return err
		}
		if line, ok := lines[field.Key]; ok {
			return strictyaml.At(node.Content[i], fmt.Sprintf("custom field %q is already defined at line %d", field.Key, line), "Remove one of the two.")
		}
		lines[field.Key] = node.Content[i].Line
		list = append(list, field)
	}
	*c = list
	return nil
}

func customField(key, value *yaml.Node) (CustomField, error) {
	name := resolve(key)
	if name.Kind != yaml.ScalarNode || name.Value == "" {
		return CustomField{}, strictyaml.At(key, "the key of a custom field must be a text", "Put it in quotes.")
	}
	text, err := expression(resolve(value))
	if err != nil {
		return CustomField{}, err
	}
	if text == "" {
		return CustomField{}, strictyaml.At(key, fmt.Sprintf("custom field %q has no expression", name.Value), "Write it after the colon, or remove the key.")
	}
	return CustomField{Key: name.Value, Expression: text}, nil
}

// expression returns the text of a scalar as it is written, whatever YAML takes it for: 1 and true are expressions too.
func expression(node *yaml.Node) (string, error) {
	switch {
	case node.Kind != yaml.ScalarNode:
		return "", strictyaml.At(node, "expected an expression, written as a text", "Put a text that begins with { or [ in quotes.")
	case node.Tag == "!!null":
		return "", nil
	}
	return node.Value, nil
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

// JSONSchema describes an expression or a list of them.
func (Expressions) JSONSchema() *jsonschema.Schema {
	text := &jsonschema.Schema{Type: "string"}
	return &jsonschema.Schema{
		OneOf:       []*jsonschema.Schema{text, {Type: "array", Items: text}},
		Description: "One expression, or a list of them.",
	}
}

// JSONSchema describes a mapping of keys to expressions.
func (CustomFields) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:                 "object",
		AdditionalProperties: &jsonschema.Schema{Type: "string"},
		Description:          "Custom fields in the order in which they are sent: key to expression.",
	}
}
