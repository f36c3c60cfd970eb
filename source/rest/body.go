package rest

import (
	"encoding/json"
	"strconv"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// A Body is what a request sends: YAML that becomes JSON, in which texts may hold {{name}}. A text that is one name and nothing else
// becomes what the name stands for: a number stays a number, and one with the filter optional that is empty leaves its key out.
type Body struct {
	root *bodyNode
}

// A bodyNode is a value of a body.
type bodyNode struct {
	text   Text
	scalar any // a number, a truth value or nothing; nil where it is another kind of node
	null   bool
	list   []*bodyNode
	keys   []string // of an object, in their order
	values []*bodyNode
	kind   yaml.Kind
}

// IsZero reports whether there is no body.
func (b Body) IsZero() bool { return b.root == nil }

// UnmarshalYAML reads a body.
func (b *Body) UnmarshalYAML(node *yaml.Node) error {
	root, err := newBodyNode(node)
	if err != nil {
		return err
	}
	b.root = root
	return nil
}

// MarshalText returns the body as JSON with its names in it, for the digest of a configuration.
func (b Body) MarshalText() ([]byte, error) {
	if b.root == nil {
		return nil, nil
	}
	return json.Marshal(b.root.written())
}

// JSONSchema describes a body: anything.
func (Body) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{} }

func newBodyNode(node *yaml.Node) (*bodyNode, error) {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		node = node.Alias
	}
	made := &bodyNode{kind: node.Kind}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			value, err := newBodyNode(node.Content[i+1])
			if err != nil {
				return nil, err
			}
			made.keys, made.values = append(made.keys, node.Content[i].Value), append(made.values, value)
		}
	case yaml.SequenceNode:
		for _, item := range node.Content {
			value, err := newBodyNode(item)
			if err != nil {
				return nil, err
			}
			made.list = append(made.list, value)
		}
	case yaml.ScalarNode:
		return made, made.scan(node)
	}
	return made, nil
}

// scan reads a scalar.
func (n *bodyNode) scan(node *yaml.Node) error {
	switch node.Tag {
	case "!!null":
		n.null = true
		return nil
	case "!!bool":
		truth, err := strconv.ParseBool(node.Value)
		n.scalar = truth
		return err
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) {
			n.scalar = json.Number(node.Value)
			return nil
		}
	}
	var err error
	if n.text, err = parseText(node.Value); err != nil {
		said := failure.Of(err)
		return strictyaml.At(node, said.Message, said.Hint)
	}
	return nil
}

// texts yields the texts of a body.
func (n *bodyNode) texts(yield func(Text)) {
	if n == nil {
		return
	}
	for _, inner := range append(n.list, n.values...) {
		inner.texts(yield)
	}
	yield(n.text)
}

// fill returns the body with values in it, as encoding/json takes it.
func (n *bodyNode) fill(values scope) (any, error) {
	switch {
	case n.kind == yaml.MappingNode:
		object := make(map[string]any, len(n.keys))
		for i, key := range n.keys {
			value, err := n.values[i].fill(values)
			if err != nil {
				return nil, err
			}
			if _, none := value.(absent); !none {
				object[key] = value
			}
		}
		return object, nil
	case n.kind == yaml.SequenceNode:
		list := make([]any, 0, len(n.list))
		for _, item := range n.list {
			value, err := item.fill(values)
			if err != nil {
				return nil, err
			}
			if _, none := value.(absent); !none {
				list = append(list, value)
			}
		}
		return list, nil
	case n.null:
		return nil, nil
	case n.scalar != nil:
		return n.scalar, nil
	}
	if value, ok, err := n.text.single(values); ok || err != nil {
		if at, isTime := value.(moment); isTime {
			return textOf(at), err
		}
		return value, err
	}
	return n.text.expand(values, nil)
}

// written returns the node with its texts as they were written.
func (n *bodyNode) written() any {
	switch {
	case n.kind == yaml.MappingNode:
		object := map[string]any{}
		for i, key := range n.keys {
			object[key] = n.values[i].written()
		}
		return object
	case n.kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range n.list {
			list = append(list, item.written())
		}
		return list
	case n.null:
		return nil
	case n.scalar != nil:
		return n.scalar
	}
	return n.text.written
}
