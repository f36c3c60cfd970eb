package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// What a configuration never comes near: a bound against files made to exhaust memory.
const (
	maxNodes = 100_000
	maxDepth = 64
)

// A Document is a parsed file: one mapping with its aliases followed and its references filled in.
type Document struct {
	File    string
	root    *yaml.Node
	written map[*yaml.Node]string // of scalars that hold a reference: the text in the file, which is safe to show
	places  map[string]place      // by dotted path
}

type place struct{ line, column int }

// Parse reads a YAML text. Its error is [*Problems]; the document is good for [Document.Decode] even so, unless it is nil,
// so that everything wrong can be told at once.
func Parse(file string, text []byte, env Environment) (*Document, error) {
	var top yaml.Node
	if err := yaml.Load(text, &top); err != nil {
		return nil, newProblems(file, []Problem{syntaxProblem(err)})
	}
	if top.Kind != yaml.DocumentNode || len(top.Content) != 1 || top.Content[0].Kind != yaml.MappingNode {
		return nil, newProblems(file, []Problem{{
			Line: 1, Column: 1, Message: "the file is not a mapping", Hint: "Write keys and values, such as  listen: 127.0.0.1:8080",
		}})
	}
	d := &Document{File: file, written: map[*yaml.Node]string{}, places: map[string]place{}}
	r := resolver{document: d, env: env, following: map[*yaml.Node]bool{}}
	d.root = r.resolve(top.Content[0], "", 0)
	return d, newProblems(file, r.problems)
}

// Read parses a text, has it decoded and checked, and returns everything that is wrong with it at once, as [*Problems]; nil if
// nothing is. check returns what decoding found (see [Found]) and what else is wrong. Where references are broken, only what is
// wrong elsewhere is reported besides: the remains of a broken one would only look wrong again.
func Read(file string, text []byte, env Environment, check func(*Document) []Problem) error {
	document, err := Parse(file, text, env)
	if document == nil {
		return err
	}
	return document.Join(err, Besides(Found(err), document.placed(check(document)))...)
}

// placed gives the problems without a line that of their path.
func (d *Document) placed(problems []Problem) []Problem {
	list := slices.Clone(problems)
	for i, p := range list {
		if p.Line == 0 {
			at := d.place(p.Path)
			list[i].Line, list[i].Column = at.line, at.column
		}
	}
	return list
}

// syntaxProblem says in our words where a text stops being YAML.
func syntaxProblem(err error) Problem {
	load, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return Problem{Message: "the file is not YAML: " + err.Error()}
	}
	p := Problem{Line: load.Mark.Line, Column: load.Mark.Column, Message: "the file is not YAML: " + strings.TrimPrefix(load.Message, "yaml: ")}
	switch {
	case strings.Contains(load.Message, "no documents"):
		p.Message, p.Hint = "the file is empty", "See docs/configuration.md, or the files in examples/."
	case strings.Contains(load.Message, "found multiple"):
		p.Message, p.Hint = "the file holds more than one document", "Remove the lines that are just ---"
	case strings.Contains(load.Message, "cannot start any token"):
		p.Hint = "Indent with spaces, not tabs, and put values that start with @, ` or % in quotes."
	case strings.Contains(load.Message, "mapping values are not allowed"):
		p.Hint = `Check the indentation, and put a value that holds ": " in quotes.`
	case load.ContextMsg != "":
		p.Message += " (" + load.ContextMsg + fmt.Sprintf(" that starts in line %d)", load.ContextMark.Line)
	}
	return p
}

// place is where a dotted path stands, or the nearest one above it that stands in the file.
func (d *Document) place(path string) place {
	for {
		if at, ok := d.places[path]; ok {
			return at
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return d.places[""]
		}
		path = path[:i]
	}
}

// Join makes one error of what [Parse], [Document.Decode] and a validation found: nil where they found nothing. Problems
// without a line get that of their path.
func (d *Document) Join(err error, more ...Problem) error {
	list := slices.Clone(Found(err))
	if err != nil && len(list) == 0 {
		list = append(list, Problem{Message: err.Error()})
	}
	return newProblems(d.File, append(list, d.placed(more)...))
}

// A resolver turns the parser's tree into one without aliases, merges and references.
type resolver struct {
	document  *Document
	env       Environment
	following map[*yaml.Node]bool // what aliases lead to and is under way: one that holds itself never ends
	nodes     int
	problems  []Problem
}

func (r *resolver) problem(at *yaml.Node, path, message, hint string) {
	r.problems = append(r.problems, Problem{Line: at.Line, Column: at.Column, Path: path, Message: message, Hint: hint})
}

// resolve copies a node; one that cannot be kept becomes a null.
func (r *resolver) resolve(n *yaml.Node, path string, depth int) *yaml.Node {
	if _, ok := r.document.places[path]; !ok {
		r.document.places[path] = place{n.Line, n.Column}
	}
	empty := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	if r.tooLarge(n, path, depth) {
		return empty
	}
	if n.Anchor != "" {
		r.following[n] = true
		defer delete(r.following, n)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.follow(n, path, depth, empty)
	case yaml.MappingNode:
		return r.mapping(n, path, depth)
	case yaml.SequenceNode:
		copied := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: n.Line, Column: n.Column}
		for i, item := range n.Content {
			copied.Content = append(copied.Content, r.resolve(item, fmt.Sprintf("%s.%d", path, i), depth+1))
		}
		return copied
	}
	return r.scalar(n, path)
}

// tooLarge counts a node and reports whether that is one too many. It says so once.
func (r *resolver) tooLarge(n *yaml.Node, path string, depth int) bool {
	r.nodes++
	if r.nodes <= maxNodes && depth <= maxDepth {
		return false
	}
	if r.nodes < 2*maxNodes {
		r.problem(n, path, "the file is too large or too deep for a configuration", "Look for an alias (*name) that is repeated.")
		r.nodes = 2 * maxNodes
	}
	return true
}

func (r *resolver) follow(n *yaml.Node, path string, depth int, empty *yaml.Node) *yaml.Node {
	if n.Alias == nil || r.following[n.Alias] {
		r.problem(n, path, fmt.Sprintf("the alias *%s holds itself", n.Value), "")
		return empty
	}
	return r.resolve(n.Alias, path, depth+1)
}

func (r *resolver) scalar(n *yaml.Node, path string) *yaml.Node {
	copied := &yaml.Node{Kind: yaml.ScalarNode, Tag: n.ShortTag(), Value: n.Value, Style: n.Style, Line: n.Line, Column: n.Column}
	if n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!str" {
		r.problem(n, path, fmt.Sprintf("the tag %s has no meaning here", n.Tag), "Remove it.")
	}
	if !strings.Contains(n.Value, "$") || copied.Tag == "!!null" {
		return copied
	}
	value, problems := r.env.expand(n.Value)
	for _, p := range problems {
		r.problem(n, path, p.Message, p.Hint)
	}
	if value != n.Value {
		copied.Value, copied.Tag = value, "!!str"
		r.document.written[copied] = n.Value
	}
	return copied
}

// mapping copies a mapping; what a merge key (<<) brings comes after its own keys, which win.
func (r *resolver) mapping(n *yaml.Node, path string, depth int) *yaml.Node {
	copied := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: n.Style, Line: n.Line, Column: n.Column}
	seen := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.problem(key, path, "a key must be a word", braces(n))
		case key.Value == "<<" && key.Style == 0:
			merged = append(merged, value)
		case seen[key.Value] != 0:
			r.problem(key, path, fmt.Sprintf("%q stands here twice, first in line %d", key.Value, seen[key.Value]), "Remove one of the two.")
		default:
			seen[key.Value] = key.Line
			r.entry(copied, key, value, path, depth)
		}
	}
	for _, value := range merged {
		r.merge(copied, value, path, depth, seen)
	}
	return copied
}

// braces explains what {{auth.name}} without quotes is to YAML.
func braces(n *yaml.Node) string {
	if n.Style&yaml.FlowStyle != 0 {
		return `Put a value that starts with { in quotes: "{{auth.name}}"`
	}
	return ""
}

func (r *resolver) entry(into, key, value *yaml.Node, path string, depth int) {
	below := key.Value
	if path != "" {
		below = path + "." + key.Value
	}
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key.Value, Line: key.Line, Column: key.Column}
	if value.Kind != yaml.ScalarNode || value.Line != key.Line {
		r.document.places[below] = place{key.Line, key.Column}
	}
	into.Content = append(into.Content, name, r.resolve(value, below, depth+1))
}

// merge adds the entries of a mapping, or of a list of mappings, that into does not have yet.
func (r *resolver) merge(into, from *yaml.Node, path string, depth int, seen map[string]int) {
	if r.tooLarge(from, path, depth) {
		return
	}
	if from.Kind == yaml.AliasNode && from.Alias != nil {
		from = from.Alias
	}
	switch from.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(from.Content); i += 2 {
			key, value := from.Content[i], from.Content[i+1]
			if key.Kind != yaml.ScalarNode || seen[key.Value] != 0 {
				continue
			}
			if key.Value == "<<" {
				r.merge(into, value, path, depth+1, seen)
				continue
			}
			seen[key.Value] = key.Line
			r.entry(into, key, value, path, depth)
		}
	case yaml.SequenceNode:
		for _, item := range from.Content {
			r.merge(into, item, path, depth+1, seen)
		}
	default:
		r.problem(from, path, "a merge key (<<) takes a mapping", "Write  <<: *name  where &name marks a mapping.")
	}
}
