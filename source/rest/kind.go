package rest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

// revision is raised when the same configuration begins to make other contacts of the same records.
const revision = 1

// Kinds describes kind rest and the kinds of all presets.
func Kinds() []source.Kind {
	list := []source.Kind{Kind()}
	for _, p := range presets() {
		list = append(list, p.Kind())
	}
	return list
}

// Kind describes kind rest.
func Kind() source.Kind {
	kind := source.KindOf(source.Kind{
		Name:    "rest",
		Family:  source.FamilyREST,
		Title:   "Another HTTP API",
		Icon:    source.IconAPI,
		Fresh:   "Each run asks for what changed, as far as the API can be asked for that.",
		Summary: "Any HTTP API that answers in JSON, described in the configuration.",
		Docs: `Its keys are those of a preset: [the language](rest.md). ` + "`contactbridge config preset NAME`" + ` prints a preset to start from.

**Overlap.** What becomes visible later than ` + "`updated.overlap`" + ` after its stamp is missed. Of an API that gives records in the order of
their changes, or by a token, nothing else is.`,
		Example: `kind: rest
language: 1
url: https://api.example.com/v2
auth: [{by: bearer, token: "${API_TOKEN}"}]
id: id
updated: {path: updated_at}
changes:
  path: /people
  query: {updated_since: "{{since}}", sort: updated_at, per_page: "{{limit}}"}
  records: data
  order: updated
  page: {by: keyset, size: 100}
deletions: {by: none}
verify: {path: /me}
fields:
  name: name
  emails: email
  phones: [phone, mobile]
`,
		CallerExample: `auth: [{by: bearer, token: "{{auth.access_token}}"}]`,
		Untrusted:     source.Untrusted(untrusted),
	}, New)
	kind.NewAgents = source.KindOf(source.Kind{}, NewAgents).New
	return kind
}

// New makes the factory of an endpoint of kind rest.
func New(language Language, deps source.Deps) (source.Factory, error) {
	return newFactory("rest", language, deps)
}

// NewAgents makes the factory of the users of an endpoint of kind rest: of its request agents, or of the others if it has none.
func NewAgents(language Language, deps source.Deps) (source.Factory, error) {
	return newFactory("rest", language.users(), deps)
}

// Kind describes the kind of a preset.
func (p Preset) Kind() source.Kind {
	typ := p.configType()
	return source.Kind{
		Name:          p.Name,
		Family:        source.FamilyREST,
		Title:         p.Language.Title,
		Icon:          p.Language.icon(),
		Fresh:         p.fresh(),
		Summary:       p.Language.Title + ".",
		Docs:          p.docs(),
		Asked:         p.asked(),
		Example:       p.example(false),
		CallerExample: p.callerExample(),
		Preset:        p.Text,
		Setup:         p.setup(),
		Untrusted:     p.untrusted,
		SignIn:        p.signIn(),
		SignInClient:  p.Language.SignIn.Client,
		Config:        func() any { return reflect.New(typ).Interface() },
		New:           p.create(typ),
		NewAgents:     p.createAgents(typ),
	}
}

// create returns what makes the factory of a configuration.
func (p Preset) create(typ reflect.Type) func(decode func(into any) error, deps source.Deps) (source.Factory, error) {
	return p.createChecked(typ, func(*Language) error { return nil })
}

// createChecked is create where check has nothing against the language that the preset and the configuration make.
func (p Preset) createChecked(typ reflect.Type, check func(*Language) error) func(decode func(into any) error, deps source.Deps) (source.Factory, error) {
	return func(decode func(into any) error, deps source.Deps) (source.Factory, error) {
		cfg := reflect.New(typ)
		p.fill(cfg.Elem())
		if err := decode(cfg.Interface()); err != nil {
			return nil, err
		}
		language := p.language(cfg.Elem())
		if err := check(&language); err != nil {
			return nil, err
		}
		return newFactory(p.Name, language, deps.Defaults())
	}
}

// icon returns what a catalogue draws.
func (l *Language) icon() string { return cmp.Or(l.Icon, source.IconAPI) }

// fresh says what a run asks for.
func (p Preset) fresh() string {
	l := &p.Language
	text := "Each run reads everything."
	if l.Changes.Token != "" || l.Updated.Path != "" {
		text = "Each run asks only for what changed."
	}
	if l.Deletions.By == "none" || l.Deletions.By == "sweep" {
		text += " Deletions are seen when everything is read again."
	}
	return text
}

func (p Preset) docs() string {
	promise := "**Overlap.** What becomes visible later than " + text(p.Language.Updated.overlap()) + " after its stamp is missed."
	if p.Language.Changes.Token != "" {
		promise = "**Exact**, as far as the service's own tokens are."
	}
	agents := ""
	if !p.Language.Agents.IsZero() {
		agents = " Below `agents` it reads the users of the service."
	}
	return fmt.Sprintf(`A preset of [kind rest](rest.md), for [%s](vendors.md#%s). Any key of the language may stand here too, and changes the preset.%s

%s`, p.Language.Title, p.Name, agents, promise)
}

// asked says how the service is asked for a number; empty where it has no search.
func (p Preset) asked() string {
	if p.Language.Search.IsZero() {
		return ""
	}
	return "The service's own search is asked for the usual spellings of the number: a record with an unusual one is found by the next run. It counts for the service's limits."
}

// example returns a source of the kind, one key a line.
func (p Preset) example(caller bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kind: %s\n", p.Name)
	for _, f := range p.exampleFields() {
		value := f.Example
		switch {
		case f.Secret && caller:
			value = fmt.Sprintf("%q", "{{auth."+f.Name+"}}")
		case f.Secret:
			value = fmt.Sprintf("${%s_%s}", strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_")), strings.ToUpper(f.Name))
		}
		fmt.Fprintf(&b, "%s: %s\n", f.Name, value)
	}
	return b.String()
}

// exampleFields returns the fields that must have a value, and those of the way to authenticate that needs the fewest more.
func (p Preset) exampleFields() (list []Field) {
	var simplest []string
	for i := range p.Language.Auth {
		if needs := p.Language.needs(&p.Language.Auth[i]); i == 0 || len(needs) < len(simplest) {
			simplest = needs
		}
	}
	for _, f := range p.Language.Connection {
		if f.isRequired() || slices.Contains(simplest, f.Name) {
			list = append(list, f)
		}
	}
	return list
}

// callerExample returns the line of a secret that callers may send.
func (p Preset) callerExample() string {
	for _, f := range p.exampleFields() {
		if f.Secret {
			return fmt.Sprintf("%s: \"{{auth.%s}}\"", f.Name, f.Name)
		}
	}
	return fmt.Sprintf("%s: \"{{auth.%s}}\"", p.Language.Connection[0].Name, p.Language.Connection[0].Name)
}
