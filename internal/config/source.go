package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

// source reads an endpoint's source as its kind describes it, and has the kind check it.
func (c *checker) source(path string, e Endpoint) Endpoint {
	kind, ok := c.kind(path, e.Source)
	if !ok {
		return e
	}
	cfg := kind.Config()
	err := c.document.DecodeRaw(e.Source, cfg, "kind")
	e.Kind, e.Title = kind, title(cfg)
	e.SourceAuth = c.credentials(path, e.Source, cfg)
	if err != nil {
		c.kindProblems(path, err)
		if !c.untrusted {
			c.rest(path, e)
		}
		return e
	}
	if c.untrusted {
		if err := untrusted(kind, cfg); err != nil { // before anything of this machine is looked at
			c.kindProblems(path, err)
			return e
		}
	}
	raw, folder, endpoint := e.Source, c.folder, e.Name
	create := kind.New
	if e.ofAgents && kind.NewAgents != nil {
		create = kind.NewAgents
	}
	e.New = func(deps source.Deps) (source.Factory, error) {
		deps.Folder, deps.Endpoint = folder, endpoint
		return create(func(into any) error { return c.document.DecodeRaw(raw, into, "kind") }, deps)
	}
	factory, err := e.New(source.Deps{Untrusted: c.untrusted})
	if err != nil {
		c.kindProblems(path, err)
		return e
	}
	if checker, ok := factory.(source.CallerChecker); ok && e.Auth.Mode == AuthSource {
		if err := checker.CheckCallers(); err != nil {
			c.kindProblems(path, err)
		}
	}
	_ = factory.Close() // nothing was opened
	return e
}

// untrusted says what of a kind's configuration only the operator may write.
func untrusted(kind source.Kind, cfg any) error {
	if kind.Untrusted == nil {
		return &source.ConfigError{
			Key: "kind", Message: fmt.Sprintf("a source of kind %s reads files of this machine: only the operator's own configuration file may have one", kind.Name),
			Hint: "Have the operator write it into the hub's configuration file, or run a bridge for it.",
		}
	}
	return kind.Untrusted(cfg)
}

// rest has the kind check what fits of a configuration of which something does not. What it misses may be what does not fit:
// only problems of other keys that stand in the file are taken over.
func (c *checker) rest(path string, e Endpoint) {
	factory, err := e.Kind.New(func(into any) error {
		_ = c.document.DecodeRaw(e.Source, into, "kind") // told already
		return nil
	}, source.Deps{Folder: c.folder, Endpoint: e.Name})
	if err == nil {
		_ = factory.Close() // nothing was opened
		return
	}
	more := &checker{}
	more.kindProblems(path, err)
	given := slices.DeleteFunc(more.problems, func(p strictyaml.Problem) bool { return !e.Source.Has(p.Path) })
	c.problems = append(c.problems, strictyaml.Besides(c.problems, given)...)
}

// kind finds the kind of a source.
func (c *checker) kind(path string, raw strictyaml.Raw) (kind source.Kind, ok bool) {
	if raw.IsZero() {
		return kind, false // said already: it is required
	}
	if !raw.IsMapping() {
		c.problem(path, path+" must be a mapping, not a single value or a list",
			"Write below it, one key a line,  kind:  and that kind's keys: see docs/configuration.md.")
		return kind, false
	}
	name, ok := raw.Text("kind")
	if !ok {
		c.problem(path, path+".kind is missing", choices())
		return kind, false
	}
	if kind, ok = kinds.Named(name); !ok {
		hint := choices()
		if near := strictyaml.Nearest(name, kindNames()); near != "" {
			hint = fmt.Sprintf("Did you mean %q? %s", near, hint)
		}
		c.problem(path+".kind", fmt.Sprintf("there is no kind of source %q", name), hint)
	}
	return kind, ok
}

func choices() string { return "Choose one of: " + strings.Join(kindNames(), ", ") + "." }

func kindNames() []string {
	var names []string
	for _, k := range kinds.All() {
		names = append(names, k.Name)
	}
	return names
}

// title returns the name of what a kind's configuration reads.
func title(cfg any) string {
	if titled, ok := cfg.(source.Titled); ok {
		return titled.Title()
	}
	return ""
}

var placeholder = regexp.MustCompile(`\{\{\s*auth\.[A-Za-z0-9_-]+\s*\}\}`)

// credentials returns the fields of the caller's auth that a source uses, sorted. Where {{auth.name}} stands in a key that the
// kind does not fill in, that is a problem.
func (c *checker) credentials(path string, raw strictyaml.Raw, cfg any) []string {
	var names, keys, paths []string
	for key, template := range source.Templates(cfg) {
		names = append(names, template.Names()...)
		keys, paths = append(keys, key), append(paths, below(path, key))
	}
	for at, text := range raw.Scalars {
		if found := placeholder.FindString(text); found != "" && !slices.Contains(paths, at) {
			c.problem(at, fmt.Sprintf("%s cannot stand here: nothing is filled in", found), mayHold(keys))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// mayHold says which keys of a kind callers' credentials may stand in.
func mayHold(keys []string) string {
	if len(keys) == 0 {
		return "No key of this kind may hold {{auth.name}}."
	}
	return "Of this kind's keys only " + strings.Join(keys, " and ") + " may hold {{auth.name}}."
}

// below returns the dotted path of a key of a source: "fields.phones[1]" is fields.phones.1 there.
func below(path, key string) string {
	if key == "" {
		return path
	}
	return path + "." + strings.NewReplacer("[", ".", "]", "").Replace(key)
}

// kindProblems takes over what a kind has to say about its configuration: one error, or several joined.
func (c *checker) kindProblems(path string, err error) {
	if found := strictyaml.Found(err); found != nil {
		c.problems = append(c.problems, found...)
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			c.kindProblems(path, each)
		}
		return
	}
	said := failure.Of(err)
	said.Message = cmp.Or(said.Message, err.Error())
	c.problem(below(path, said.Field), named(path, said), said.Hint)
}

// named returns a kind's message with the key's whole name where it begins with the key, and with the source's where it is about
// the source as a whole.
func named(path string, said failure.Error) string {
	switch {
	case said.Field == "":
		return path + ": " + said.Message
	case strings.HasPrefix(said.Message, said.Field):
		return below(path, said.Field) + strings.TrimPrefix(said.Message, said.Field)
	}
	return said.Message
}
