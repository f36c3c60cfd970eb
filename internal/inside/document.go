package inside

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/proposal"
)

// A document is the text of a source, whose values are read and written by dotted paths: source.fields.phones.
type document struct{ root *yaml.Node }

// parseDocument reads the text of a source.
func parseDocument(text string) (document, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil || node.Kind != yaml.DocumentNode || node.Content[0].Kind != yaml.MappingNode {
		return document{}, &failure.Error{Code: failure.Invalid, Field: "source", Message: "the source cannot be read", Hint: "Write it as an object with kind, and that kind's keys.", Err: err}
	}
	return document{node.Content[0]}, nil
}

// text writes the document.
func (d document) text() (string, error) {
	text, err := yaml.Marshal(d.root)
	return string(text), err
}

// at returns the value at a path; nil if there is none.
func (d document) at(path string) *yaml.Node {
	n := d.root
	for key := range strings.SplitSeq(path, ".") {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		n = child(n, key)
	}
	return n
}

func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// word returns the scalar at a path.
func (d document) word(path string) string {
	if n := d.at(path); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}

// set puts a value at a path, and takes away what is there if the value is nil.
func (d document) set(path string, value *yaml.Node) {
	n, rest := d.root, path
	for {
		key, more, below := strings.Cut(rest, ".")
		if !below {
			put(n, key, value)
			d.prune(path)
			return
		}
		next := child(n, key)
		if next == nil || next.Kind != yaml.MappingNode {
			if value == nil {
				return
			}
			next = &yaml.Node{Kind: yaml.MappingNode}
			put(n, key, next)
		}
		n, rest = next, more
	}
}

// prune takes away the mappings above a path that are empty.
func (d document) prune(path string) {
	for at := strings.LastIndexByte(path, '.'); at > 0; at = strings.LastIndexByte(path, '.') {
		path = path[:at]
		if n := d.at(path); n == nil || n.Kind != yaml.MappingNode || len(n.Content) > 0 || path == "source" {
			return
		}
		parent, key := d.root, path
		if dot := strings.LastIndexByte(path, '.'); dot > 0 {
			parent, key = d.at(path[:dot]), path[dot+1:]
		}
		put(parent, key, nil)
	}
}

func put(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		if value == nil {
			n.Content = append(n.Content[:i], n.Content[i+2:]...)
		} else {
			n.Content[i+1] = value
		}
		return
	}
	if value != nil {
		n.Content = append(n.Content, scalarOf(key), value)
	}
}

// scalarOf returns a text that is read as a text.
func scalarOf(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// nodeOf returns a value of a proposal.
func nodeOf(value any) (*yaml.Node, error) {
	switch v := value.(type) {
	case string:
		return scalarOf(v), nil
	case []string:
		return listOf(v), nil
	case []proposal.Setting:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, s := range v {
			below, err := nodeOf(s.Value)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, scalarOf(s.Key), below)
		}
		return n, nil
	}
	n := &yaml.Node{}
	return n, n.Encode(value)
}

func listOf(values []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, v := range values {
		n.Content = append(n.Content, scalarOf(v))
	}
	return n
}

// linesOf writes a list or a mapping of words, one a line; plain is false for anything else.
func linesOf(n *yaml.Node) (text string, plain bool) {
	var lines []string
	switch {
	case n == nil:
		return "", true
	case n.Kind == yaml.ScalarNode:
		return n.Value, true
	case n.Kind == yaml.SequenceNode:
		for _, each := range n.Content {
			if each.Kind != yaml.ScalarNode {
				return "", false
			}
			lines = append(lines, each.Value)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i+1].Kind != yaml.ScalarNode {
				return "", false
			}
			lines = append(lines, n.Content[i].Value+": "+n.Content[i+1].Value)
		}
	}
	return strings.Join(lines, "\n"), true
}
