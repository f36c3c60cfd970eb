package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/combined"
)

// sourceOrSources reads what an endpoint's contacts come from: one source, or several.
func (c *checker) sourceOrSources(path string, e Endpoint) Endpoint {
	given := !e.Source.IsZero() || c.failed(path+".source")
	several := e.Sources != nil || c.failed(path+".sources")
	switch {
	case given && several:
		c.problem(path+".sources", path+" has both source and sources", "Move what stands below source into sources, below a name of its own.")
	case several:
		return c.sources(path+".sources", e)
	case !given && !c.misspelt(path):
		c.problem(path, path+".source is missing", "Write  source:  and below it  kind:  and that kind's keys: see docs/configuration.md.")
	}
	return c.source(path+".source", e)
}

// misspelt reports whether an unknown key of an endpoint was probably meant to be its source.
func (c *checker) misspelt(path string) bool {
	return slices.ContainsFunc(c.problems, func(p strictyaml.Problem) bool {
		return p.In(path) && (p.Meant == "source" || p.Meant == "sources")
	})
}

// sources has each source checked as if it were the only one, and makes one of them.
func (c *checker) sources(path string, e Endpoint) Endpoint {
	if len(e.Sources) == 0 && !c.failed(path) {
		c.problem(path, path+" is empty", "Give each source a name, and below it write  kind:  and that kind's keys.")
	}
	if len(e.Sources) == 0 {
		return e
	}
	var parts []Endpoint
	var names []combined.Named
	for _, entry := range e.Sources {
		if !endpointName.MatchString(entry.Key) {
			c.problem(path+"."+entry.Key, fmt.Sprintf("%q cannot be a source's name: the ids of its contacts begin with it", entry.Key),
				"Use letters, digits, hyphen and underscore, at most 63, the first a letter or digit.")
		}
		prefix, ok := entry.Value.Text("prefix")
		if !ok {
			prefix = combined.DefaultPrefix(entry.Key)
		}
		names = append(names, combined.Named{Name: entry.Key, Prefix: prefix})
		part := e
		part.Source = entry.Value.Without("prefix")
		parts = append(parts, c.source(path+"."+entry.Key, part))
	}
	if err := combined.Check(names); err != nil {
		c.kindProblems(path, err)
	}
	return together(e, names, parts)
}

// together returns the endpoint over its parts.
func together(e Endpoint, names []combined.Named, parts []Endpoint) Endpoint {
	e.Kind = source.Kind{Name: "sources"}
	var titles, open []string
	for i, p := range parts {
		title := p.Kind.Name
		if p.Title != "" {
			title += ", " + p.Title
		}
		titles = append(titles, names[i].Name+" ("+title+")")
		e.SourceAuth = append(e.SourceAuth, p.SourceAuth...)
		if e.Kind.CallerExample == "" {
			e.Kind.CallerExample = p.Kind.CallerExample
		}
		if p.Kind.OpenTo != "" && len(p.SourceAuth) > 0 {
			open = append(open, p.Kind.OpenTo)
		}
	}
	slices.Sort(open)
	e.Title, e.Kind.OpenTo = strings.Join(titles, ", then "), strings.Join(slices.Compact(open), " or ")
	slices.Sort(e.SourceAuth)
	e.SourceAuth = slices.Compact(e.SourceAuth)
	if slices.ContainsFunc(parts, func(p Endpoint) bool { return p.New == nil }) {
		return e // a part's configuration is wrong
	}
	e.New = func(deps source.Deps) (source.Factory, error) { return newCombined(deps, names, parts) }
	return e
}

// newCombined makes the factory of all parts. Each logs with its name.
func newCombined(deps source.Deps, names []combined.Named, parts []Endpoint) (source.Factory, error) {
	var list []combined.Part
	for i, p := range parts {
		own := deps
		if deps.Logger != nil {
			own.Logger = deps.Logger.With("source", names[i].Name)
		}
		factory, err := p.New(own)
		if err != nil {
			_ = combined.New(list).Close() // nothing was opened
			return nil, fmt.Errorf("%s: %w", names[i].Name, err)
		}
		list = append(list, combined.Part{Name: names[i].Name, Prefix: names[i].Prefix, Factory: factory})
	}
	return combined.New(list), nil
}

// JSONSchemaExtend says that an endpoint has one source or several, and what agents may have besides a source's keys.
func (Endpoint) JSONSchemaExtend(schema *jsonschema.Schema) {
	withEmail(schema)
	schema.OneOf = []*jsonschema.Schema{{Required: []string{"source"}}, {Required: []string{"sources"}}}
}

// sourcesSchema describes several sources by their names.
func sourcesSchema() *jsonschema.Schema {
	one := sourceSchema()
	prefix := &jsonschema.Schema{Type: "string", Description: "What the ids of its contacts begin with. It may be empty for one of the sources. Default: the source's name and a colon."}
	one.Properties.Set("prefix", prefix)
	for _, kind := range one.AllOf {
		kind.Then.Properties.Set("prefix", prefix)
	}
	minimum := uint64(1)
	return &jsonschema.Schema{Type: "object", MinProperties: &minimum, AdditionalProperties: one}
}
