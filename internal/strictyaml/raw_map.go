package strictyaml

import (
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

// A RawMap is a mapping with values that are decoded later, in the order of the file.
type RawMap []RawEntry

// A RawEntry is one key of a [RawMap].
type RawEntry struct {
	Key   string
	Value Raw
}

// Raw returns the mapping as one part.
func (m RawMap) Raw() Raw {
	whole := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range m {
		whole.Content = append(whole.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: e.Key}, e.Value.node)
	}
	return Raw{node: whole}
}

var rawMapType = reflect.TypeFor[RawMap]()

// rawMap decodes a [RawMap].
func (d *decoder) rawMap(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, label(path)+" must be a mapping, not "+article(n), "")
		return
	}
	list := make(RawMap, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		list = append(list, RawEntry{Key: key, Value: Raw{node: n.Content[i+1], path: join(path, key)}})
	}
	v.Set(reflect.ValueOf(list))
}

// Without returns the part without some of its keys.
func (r Raw) Without(keys ...string) Raw {
	if !r.IsMapping() {
		return r
	}
	node := *r.node
	node.Content = nil
	for i := 0; i+1 < len(r.node.Content); i += 2 {
		if !slices.Contains(keys, r.node.Content[i].Value) {
			node.Content = append(node.Content, r.node.Content[i], r.node.Content[i+1])
		}
	}
	return Raw{node: &node, path: r.path}
}

// Renamed returns the part with a key below one of its keys under another name, unless there is one of that name already.
func (r Raw) Renamed(below, from, to string) Raw {
	at := valueOf(r.node, below)
	if inner := valueOf(at, from); inner == nil || valueOf(at, to) != nil {
		return r
	}
	renamed := *at
	renamed.Content = slices.Clone(at.Content)
	for i := 0; i+1 < len(renamed.Content); i += 2 {
		if renamed.Content[i].Value == from {
			key := *renamed.Content[i]
			key.Value = to
			renamed.Content[i] = &key
		}
	}
	node := *r.node
	node.Content = slices.Clone(r.node.Content)
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i+1] == at {
			node.Content[i+1] = &renamed
		}
	}
	return Raw{node: &node, path: r.path}
}

// valueOf returns what stands after a key of a mapping; nil where there is no mapping or no such key.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
