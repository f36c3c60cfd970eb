package rest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/jsonrecord"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/record"
)

// A factory opens the sources of one endpoint.
type factory struct {
	name     string // of the kind
	language *Language
	settings source.Settings
	deps     source.Deps
	columns  *jsonrecord.Columns
	step     time.Duration // the smallest time that requests tell apart
	told     []string      // the paths that every whole record has; none where all records are whole
	mapping  mapping
	patterns map[string]*regexp.Regexp // of the connection's fields
	clients  *source.Pool[*client]
}

// A mapping is what is made of a record.
type mapping struct {
	fields                                                *record.Mapper
	id, updated, deleted, keep, merged, gone, at, created *record.Expression // nil where the language does not say it
}

// maxClients is how many credentials are known at a time.
const maxClients = 10_000

// newFactory checks a configuration and makes its factory.
func newFactory(name string, language Language, deps source.Deps) (source.Factory, error) {
	f := &factory{name: name, language: &language, deps: deps, patterns: map[string]*regexp.Regexp{}}
	if f.language.Base.IsZero() {
		f.language.Base, _ = parseText("{{url}}")
	}
	var errs source.ConfigErrors
	errs.Add(language.check())
	f.checkValues(&errs)
	f.compile(&errs)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	f.step = language.step()
	f.settings = source.SettingsOf(name, revision, language)
	f.clients = source.NewPool(source.PoolOptions{Max: maxClients, Clock: deps.Clock}, func(c *client) error { return c.close() })
	return f, nil
}

// recordPrefix begins the names of a record's values in link.
const recordPrefix = "record."

// paths lists the paths in a record that the language uses.
func (l *Language) paths() []string {
	texts := []string{l.ID, l.Updated.Path, l.Deleted, l.Keep, l.Merged, l.Deletions.ID, l.Deletions.At, l.ByID.Created}
	for _, m := range l.Fields.Mapped() {
		texts = append(texts, m.From)
	}
	for _, name := range l.Link.names() {
		if path, ok := strings.CutPrefix(name, recordPrefix); ok {
			texts = append(texts, path)
		}
	}
	texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" })
	names := file.Names(texts)
	slices.Sort(names)
	return slices.Compact(names)
}

// compile makes the mapping.
func (f *factory) compile(errs *source.ConfigErrors) {
	l := f.language
	paths := l.paths()
	f.columns = jsonrecord.Of(paths)
	f.told = l.told()
	if l.Nothing != "" {
		f.columns.StandsForNothing(l.Nothing, l.Truths)
	}
	compiler := record.Compiler{Lists: true}
	var err error
	if !l.Fields.Empty() {
		f.mapping.fields, err = compiler.Mapper(l.Fields, paths)
		addFieldErrors(errs, err)
	}
	for _, e := range []struct {
		key, text string
		to        **record.Expression
	}{
		{"id", l.ID, &f.mapping.id},
		{"updated.path", l.Updated.Path, &f.mapping.updated},
		{"deleted", l.Deleted, &f.mapping.deleted},
		{"keep", l.Keep, &f.mapping.keep},
		{"merged", l.Merged, &f.mapping.merged},
		{"deletions.id", l.Deletions.ID, &f.mapping.gone},
		{"deletions.at", l.Deletions.At, &f.mapping.at},
		{"by_id.created", l.ByID.Created, &f.mapping.created},
	} {
		if e.text == "" {
			continue
		}
		*e.to, err = compiler.Expression(e.key, e.text, paths)
		addFieldErrors(errs, err)
	}
	if f.mapping.gone == nil {
		f.mapping.gone = f.mapping.id
	}
}

// addFieldErrors adds the mistakes in a mapping.
func addFieldErrors(errs *source.ConfigErrors, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			addFieldErrors(errs, each)
		}
		return
	}
	found, ok := errors.AsType[*record.FieldError](err)
	if !ok {
		errs.Add(err)
		return
	}
	errs.Add(&source.ConfigError{Key: found.Path, Message: found.Message, Hint: found.Hint, Err: err})
}

// value returns what the configuration says of a field of the connection.
func (f *factory) value(field Field) source.Template {
	if field.Name == "url" && f.language.URL.String() != "" {
		return f.language.URL
	}
	return f.language.Values[field.Name]
}

// checkValues checks the values of the connection's fields.
func (f *factory) checkValues(errs *source.ConfigErrors) {
	prefix := ""
	if f.name == "rest" {
		prefix = "values."
	}
	known := map[string]bool{}
	for _, field := range f.language.Connection {
		known[field.Name] = true
		value := f.value(field)
		key := prefix + field.Name
		if value.String() == "" {
			errs.If(field.isRequired(), key, field.Name+" is missing", field.hint())
			continue
		}
		if field.Pattern == "" {
			continue
		}
		pattern, err := regexp.Compile(field.Pattern)
		if err != nil {
			continue // told already
		}
		f.patterns[field.Name] = pattern
		errs.If(len(value.Names()) == 0 && !pattern.MatchString(value.String()), key, field.Name+" is not valid", field.hint())
	}
	for name := range f.language.Values {
		errs.If(!known[name], "values."+name, fmt.Sprintf("connection has no field %q", name), "Add it to connection, or remove it here.")
	}
	errs.If(slices.Contains(f.language.Base.names(), "url") && !known["url"] && f.language.URL.String() == "", "url", "url is missing", "Write the API's address.")
	if len(f.language.Auth) > 0 && !slices.ContainsFunc(f.language.Auth, f.mayBeComplete) {
		missing := f.missing(&f.language.Auth[0])
		errs.If(true, prefix+missing[0], "no way to authenticate has all of its credentials", "Write "+f.language.ways()+".")
	}
	f.checkHosts(errs)
}

// mayBeComplete reports whether every field that a way to authenticate uses is written, or has a default.
func (f *factory) mayBeComplete(way Auth) bool { return len(f.missing(&way)) == 0 }

// missing returns the fields that a way to authenticate uses, and that are neither written nor have a default.
func (f *factory) missing(way *Auth) (names []string) {
	needs := f.language.needs(way)
	for _, field := range f.language.Connection {
		if slices.Contains(needs, field.Name) && f.value(field).String() == "" {
			names = append(names, field.Name)
		}
	}
	return names
}

// needs returns the fields that a way to authenticate uses and that have no default, in the order of connection.
func (l *Language) needs(way *Auth) (names []string) {
	used := map[string]bool{}
	way.texts(func(key string, t Text) {
		for _, name := range t.names() {
			if key != "value" || name != "access_token" || !way.fetches() { // else it is the fetched one
				used[name] = true
			}
		}
	})
	for _, field := range l.Connection {
		if used[field.Name] && field.Default == "" {
			names = append(names, field.Name)
		}
	}
	return names
}

// ways says for people what each way to authenticate needs: "api_token, or client_id and client_secret".
func (l *Language) ways() string {
	var ways []string
	for i := range l.Auth {
		ways = append(ways, strings.Join(l.needs(&l.Auth[i]), " and "))
	}
	return strings.Join(ways, ", or ")
}

// dangerous are values that would lead a request to another host than the one that is meant.
var dangerous = []string{"evil.example", "evil/", "evil?", "evil#", "evil@", "evil:1", `evil\`, "https://evil.example"}

// checkHosts makes sure that no caller decides which host is asked: a credential may stand in the address only as a field with a pattern that
// fits no host.
func (f *factory) checkHosts(errs *source.ConfigErrors) {
	texts := map[string]Text{"base": f.language.Base}
	for i, a := range f.language.Auth {
		texts[fmt.Sprintf("auth[%d].token_url", i)] = a.TokenURL
	}
	for key, t := range texts {
		for _, name := range t.names() {
			if strings.HasPrefix(name, "auth.") {
				errs.If(true, key, "{{"+name+"}} cannot stand in an address", "Add a field with a pattern to connection, and let it hold the credential.")
				continue
			}
			value := f.language.Values[name]
			if name == "url" && f.language.URL.String() != "" {
				value = f.language.URL
			}
			if len(value.Names()) == 0 {
				continue
			}
			pattern := f.patterns[name]
			open := pattern == nil || slices.ContainsFunc(dangerous, pattern.MatchString)
			errs.If(open, name, name+" cannot come from callers: it decides which host is asked", "Write it in the configuration.")
		}
	}
}

// CheckCallers implements [source.CallerChecker].
func (f *factory) CheckCallers() error {
	for _, value := range source.Templates(*f.language) {
		if len(value.Names()) > 0 {
			return nil
		}
	}
	return &source.ConfigError{
		Message: "no credential of a caller is used, so the service would let in anyone",
		Hint:    "Let a credential be {{auth.name}}, or set the endpoint's auth to what callers must send.",
	}
}

// Open implements [source.Factory].
func (f *factory) Open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	values, err := f.expand(auth)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	c, release, err := f.clients.Get(ctx, values.digest(), func(context.Context) (*client, error) { return f.newClient(values) })
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	return &Source{factory: f, client: c, release: release}, nil
}

// Close implements [source.Factory].
func (f *factory) Close() error { return f.clients.Close() }

// asIs is the escape of values that are escaped where they are used.
func asIs(value string) (string, error) { return value, nil }

// expand returns the values that a caller's credentials give.
func (f *factory) expand(auth bridge.Auth) (scope, error) {
	values := scope{}
	for name, value := range auth {
		values["auth."+name] = value
	}
	for _, field := range f.language.Connection {
		template := f.value(field)
		if template.String() == "" {
			values[field.Name] = field.Default
			continue
		}
		text, err := template.Expand(auth, asIs)
		if err != nil {
			return nil, err
		}
		if pattern := f.patterns[field.Name]; pattern != nil && !pattern.MatchString(text) {
			return nil, &bridge.Error{Code: bridge.CodeUnauthorized, Message: field.Name + " is not valid", Hint: field.hint()}
		}
		values[field.Name] = text
	}
	if _, ok := values["url"]; !ok {
		values["url"] = f.language.URL.String()
	}
	if address, ok := values["url"].(string); ok {
		values["url"] = strings.TrimRight(address, "/")
	}
	return values, nil
}

// digest stands for all values.
func (s scope) digest() source.Digest {
	names := make([]string, 0, 2*len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	texts := make([]string, 0, 2*len(names))
	for _, name := range names {
		texts = append(texts, name, textOf(s[name]))
	}
	return source.DigestOf(texts...)
}

// with returns the values with others.
func (s scope) with(others scope) scope {
	all := make(scope, len(s)+len(others))
	for name, value := range s {
		all[name] = value
	}
	for name, value := range others {
		all[name] = value
	}
	return all
}

// tenant returns what names the tenant without a credential: where it is, and the values that are not secret.
func (f *factory) tenant(values scope, base *url.URL) source.Settings {
	settings := source.Settings{"base": base.String()}
	for _, field := range f.language.Connection {
		if !field.Secret {
			settings["connection."+field.Name] = textOf(values[field.Name])
		}
	}
	return settings
}

// zones returns the zones of times that name none: the one that they are asked for in, and that of answers.
func (f *factory) zones(values scope) (asked, read *time.Location, err error) {
	u := f.language.Updated
	if asked, err = zoneOf(u.Zone, values); err != nil || u.ReadZone.IsZero() {
		return asked, asked, err
	}
	read, err = zoneOf(u.ReadZone, values)
	return asked, read, err
}

// zoneOf returns the zone that a text names; UTC if it is empty.
func zoneOf(t Text, values scope) (*time.Location, error) {
	name, err := t.expand(values, nil)
	if err != nil || name == "" {
		return time.UTC, err
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, &bridge.Error{Code: bridge.CodeSourceBroken, Message: "the time zone is unknown", Hint: "Write a name such as Europe/Paris.", Err: err}
	}
	return zone, nil
}
