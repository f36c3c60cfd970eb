package inside

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/setup"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
	"github.com/contactbridge/contactbridge/source/record"
)

var _ hub.Catalogue = (*Sources)(nil)

// Offers implements [hub.Catalogue]: the kinds that somebody else than the operator may use, and that ask for what they need.
func (s *Sources) Offers() []hub.Offer { return offers() }

// offers describes the kinds once.
var offers = sync.OnceValue(func() (list []hub.Offer) {
	for _, k := range kinds.All() {
		if k.Setup == nil || k.Untrusted == nil {
			continue
		}
		o := hub.Offer{Kind: k.Name, Title: k.Title, Icon: k.Icon, Group: kinds.FamilyOf(k).Group, Summary: k.Summary, Fresh: k.Fresh, Looks: k.Setup.Look != nil, Client: k.SignInClient}
		questions := k.Setup.Questions(source.Answers{})
		o.Needs = needs(questions)
		if o.Client != "" { // what is secret comes last
			last := len(o.Needs) - 1
			o.Needs[last] = "Somebody who signs in there, or " + uncapitalized(o.Needs[last])
		}
		if i := slices.IndexFunc(questions, func(q source.Question) bool { return q.File }); i >= 0 {
			o.File, o.Needs = "source."+questions[i].Key, []string{"A file to upload"}
		}
		list = append(list, o)
	}
	return list
})

// needs are the titles of what must be given. Where there are several ways to sign in, the first one's credential is among them.
func needs(questions []source.Question) (titles []string) {
	secret := false
	for _, q := range questions {
		if !q.Optional && q.Default == "" {
			titles = append(titles, q.Title)
			secret = secret || q.Secret || q.Conceal != nil
		}
	}
	if i := slices.IndexFunc(questions, func(q source.Question) bool { return q.Secret }); i >= 0 && !secret {
		titles = append(titles, questions[i].Title)
	}
	return titles
}

// A slot is a field of a form, and where its value stands.
type slot struct {
	hub.SourceField
	question *source.Question // nil: no question of the kind
	plain    bool             // a number or truth value: written without quotes
}

// mask stands for a credential that is not shown.
const mask = "********"

// kindOf returns the kind of a source.
func (d document) kindOf() (source.Kind, error) {
	name := d.word("source.kind")
	k, ok := kinds.Named(name)
	if !ok {
		return k, &failure.Error{Code: failure.Invalid, Field: "source.kind", Message: fmt.Sprintf("there is no kind of source %q", name), Hint: "Choose one from the catalogue."}
	}
	return k, nil
}

// answers are the answers to the questions of a kind that a source has.
func (d document) answers(k source.Kind) source.Answers {
	answers := source.Answers{}
	for n := 0; k.Setup != nil; n++ { // a question may depend on an answer
		before := len(answers)
		for _, q := range k.Setup.Questions(answers) {
			if v := d.word("source." + q.Key); v != "" {
				answers[q.Key] = v
			}
		}
		if len(answers) == before || n == 10 {
			break
		}
	}
	return answers
}

// slots lists the fields of a source's form.
func (d document) slots(k source.Kind) (list []slot) {
	asked := map[string]bool{}
	if k.Setup != nil {
		for _, q := range k.Setup.Questions(d.answers(k)) {
			asked[q.Key] = true
			list = append(list, slot{question: &q, SourceField: hub.SourceField{
				Path: "source." + q.Key, Group: hub.GroupConnection, Title: q.Title, Help: q.Help, Example: q.Example, Default: q.Default, Choices: q.Choices,
				Secret: q.Secret, Required: !q.Optional && q.Default == "",
			}})
		}
	}
	for _, f := range strictyaml.Fields(reflect.TypeOf(k.Config())) {
		if !asked[f.Key] {
			list = append(list, ownSlots(k, f)...)
		}
	}
	list = append(list, described("phones", hub.GroupPhones, config.Phones{})...)
	list = append(list, described("page", hub.GroupMore, config.Page{})...)
	return list
}

// mappingKeys are the keys that say which values make a contact, whatever the kind.
var mappingKeys = []string{"table", "sheet", "id", "updated", "deleted"}

// ownSlots makes fields of a key of a kind's configuration: none of a key that a form has no place for.
func ownSlots(k source.Kind, f strictyaml.Field) []slot {
	switch {
	case f.Type == reflect.TypeFor[record.Fields]():
		return described("source."+f.Key, hub.GroupMapping, record.Fields{})
	case slices.Contains(mappingKeys, f.Key) && k.Preset == "":
		return slotOf("source", hub.GroupMapping, f)
	case f.Hidden:
		return nil
	}
	return slotOf("source", hub.GroupMore, f)
}

// described makes fields of the keys of a struct.
func described(path, group string, of any) (list []slot) {
	for _, f := range strictyaml.Fields(reflect.TypeOf(of)) {
		list = append(list, slotOf(path, group, f)...)
	}
	return list
}

// slotOf makes a field of a key that holds a word, a list of words or a mapping of words; none of any other.
func slotOf(path, group string, f strictyaml.Field) []slot {
	s := slot{SourceField: hub.SourceField{
		Path: path + "." + f.Key, Group: group, Title: titleOf(f.Key), Help: plainText(f.Description), Default: f.Default, Choices: f.Enum, Required: f.Required && f.Default == "",
	}}
	switch t := f.Type; {
	case t == reflect.TypeFor[record.CustomFields]():
		s.Many, s.Pairs = true, true
	case t == reflect.TypeFor[record.Expressions](), t == reflect.TypeFor[[]string]():
		s.Many = true
	case t == reflect.TypeFor[time.Duration](), t.Kind() == reflect.Bool, t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64:
		s.plain = true
		if t.Kind() == reflect.Bool {
			s.Choices = []string{"true", "false"}
		}
	case t.Kind() == reflect.String, t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()), reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
	default:
		return nil
	}
	return []slot{s}
}

// titleOf is a key as people read it: photo_url is "Photo URL".
func titleOf(key string) string {
	words := strings.Split(key, "_")
	for i, w := range words {
		switch w {
		case "url", "id", "sql", "dn":
			words[i] = strings.ToUpper(w)
		}
	}
	text := strings.Join(words, " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// plainText is the first sentence of a description, without the signs of Markdown.
func plainText(text string) string {
	first, _, more := strings.Cut(strings.ReplaceAll(text, "`", ""), ". ")
	if more {
		first += "."
	}
	return first
}

// Form implements [hub.Catalogue].
func (s *Sources) Form(text string) ([]hub.SourceField, error) {
	d, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	k, err := d.kindOf()
	if err != nil {
		return nil, err
	}
	var list []hub.SourceField
	for _, each := range d.slots(k) {
		if d.show(&each) {
			list = append(list, each.SourceField)
		}
	}
	return list, nil
}

// show fills in a field's value, as far as it may be shown; false: a form cannot hold what stands there.
func (d document) show(s *slot) bool {
	value, plain := linesOf(d.at(s.Path))
	if !plain {
		return false
	}
	switch {
	case s.Secret:
		s.Set = value != ""
		return true
	case s.question != nil && s.question.Conceal != nil && value != "":
		s.Value, s.Set = setup.Mask(*s.question, value, mask)
		return true
	}
	s.Value = value
	return true
}

// Fill implements [hub.Catalogue].
func (s *Sources) Fill(text string, values map[string][]string) (filled string, moved bool, err error) {
	d, err := parseDocument(text)
	if err != nil {
		return text, false, err
	}
	k, err := d.kindOf()
	if err != nil {
		return text, false, err
	}
	var wrong []error
	for _, each := range d.slots(k) {
		given, there := values[each.Path]
		if !there || !d.show(&each) {
			continue
		}
		changed, err := d.fill(&each, strings.Join(given, "\n"))
		if err != nil {
			wrong = append(wrong, err)
		}
		moved = moved || changed && (each.Group == hub.GroupConnection || each.Group == hub.GroupMore && strings.HasPrefix(each.Path, "source."))
	}
	if filled, err = d.text(); err != nil {
		return text, moved, err
	}
	return filled, moved, errors.Join(wrong...)
}

// fill puts a value into a field, and reports whether that changed it.
func (d document) fill(s *slot, given string) (changed bool, err error) {
	given = strings.TrimSpace(strings.ReplaceAll(given, "\r\n", "\n"))
	switch {
	case s.Secret && given == "", given == s.Value:
		return false, nil
	case given == s.Default && s.Value == "" && s.question == nil:
		return false, nil // what holds anyway is not written
	case given == "":
		d.set(s.Path, nil)
		return true, nil
	case strings.Contains(given, mask):
		return false, invalid(s.Path, "the password is not given", "Type it in place of "+mask+": what is kept stays only with the rest of it as it was.")
	case strings.Contains(given, "${"):
		return false, invalid(s.Path, "a source may hold a reference such as ${NAME} only in the hub's configuration file", "Write the value itself: it is sealed, and never shown.")
	}
	if s.question != nil {
		if given, err = answered(*s.question, given); err != nil {
			return false, err
		}
	}
	node, err := s.node(given)
	if err != nil {
		return false, err
	}
	d.set(s.Path, node)
	return true, nil
}

// answered returns an answer as the configuration has it: what is special in a password is escaped.
func answered(q source.Question, given string) (string, error) {
	resolved, _, err := setup.Resolve([]setup.Answer{{Question: q, Text: given}}, func(string) (string, bool) { return "", false })
	if err != nil {
		return "", below(err)
	}
	return resolved[q.Key], nil
}

// node is what a field's value is written as.
func (s *slot) node(given string) (*yaml.Node, error) {
	switch {
	case s.Pairs:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for line := range strings.SplitSeq(given, "\n") {
			if strings.TrimSpace(line) == "" {
				continue
			}
			key, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, invalid(s.Path, fmt.Sprintf("%q is not a key and a value", line), "Write each in a line of its own, as  Plan: plan")
			}
			n.Content = append(n.Content, scalarOf(strings.TrimSpace(key)), scalarOf(strings.TrimSpace(value)))
		}
		return n, nil
	case s.Many:
		var lines []string
		for line := range strings.SplitSeq(given, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
		return listOf(lines), nil
	case s.plain:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: given}, nil
	}
	return scalarOf(given), nil
}

func invalid(field, message, hint string) error {
	return &failure.Error{Code: failure.Invalid, Field: field, Message: message, Hint: hint}
}

// WithoutCredentials implements [hub.Catalogue]. What a form has no place for may hold a credential, too.
func (s *Sources) WithoutCredentials(text string) (string, []string, error) {
	d, err := parseDocument(text)
	if err != nil {
		return "", nil, err
	}
	k, err := d.kindOf()
	if err != nil {
		return "", nil, err
	}
	var lost []string
	known := map[string]bool{"kind": true}
	for _, each := range d.slots(k) {
		if rest, ok := strings.CutPrefix(each.Path, "source."); ok && d.show(&each) {
			top, _, _ := strings.Cut(rest, ".")
			known[top] = true
		}
		if each.Set {
			lost = append(lost, each.Path)
			d.set(each.Path, nil)
		}
	}
	own := d.at("source")
	for i := 0; i+1 < len(own.Content); {
		if key := own.Content[i].Value; !known[key] {
			put(own, key, nil)
			continue
		}
		i += 2
	}
	bare, err := d.text()
	return bare, lost, err
}

func uncapitalized(text string) string {
	if len(text) < 2 || text[1] < 'a' && text[1] != ' ' {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
