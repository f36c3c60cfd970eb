// Package setup makes a bridge's configuration of answers and a proposal, for contactbridge init.
package setup

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// An Answer is one answer to a kind's question.
type Answer struct {
	Question source.Question
	Text     string // with references
}

// A Draft is a configuration that is being made.
type Draft struct {
	Kind     source.Kind
	Endpoint string // the endpoint's name
	Listen   string // empty for the default
	Region   string // phones.region; empty for none
	Answers  []Answer
	Proposal proposal.Proposal
	// File is where the configuration is going to be: names of files are relative to its folder.
	File string
}

// A Variable is an environment variable that a configuration refers to.
type Variable struct {
	Name  string
	For   string // what it holds, for people
	Value string // empty where init does not know it
}

// CallersToken is the variable that holds what callers must send.
func (d *Draft) CallersToken() string { return variable(d.Endpoint, "bridge_token") }

// Secrets returns the variables that hold the credentials in the answers.
func (d *Draft) Secrets() []Variable {
	var list []Variable
	for _, a := range d.Answers {
		_, secrets := d.written(a)
		list = append(list, secrets...)
	}
	return list
}

// Environment returns where the references of the draft's text lead: to the secrets in the answers, and then to lookup.
func (d *Draft) Environment(lookup func(string) (string, bool)) strictyaml.Environment {
	known := map[string]string{d.CallersToken(): "token"}
	for _, v := range d.Secrets() {
		known[v.Name] = v.Value
	}
	return strictyaml.Environment{
		Lookup: func(name string) (string, bool) {
			if value, ok := known[name]; ok {
				return value, true
			}
			return lookup(name)
		},
		ReadFile: strictyaml.ReadFile, Folder: filepath.Dir(d.File),
	}
}

// Resolve returns the answers as the kind needs them: with references filled in, and a credential escaped as its place in a
// URL demands. Names of files are as they were given. Notes say what was corrected. The error is that of an answer, without its
// credential.
func Resolve(answers []Answer, lookup func(string) (string, bool)) (source.Answers, []string, error) {
	resolved, notes := source.Answers{}, []string(nil)
	for _, a := range answers {
		if a.Text == "" {
			continue
		}
		known := map[string]string{}
		text, secrets, said := conceal(a, "ANSWER")
		notes = append(notes, said...)
		for _, v := range secrets {
			known[v.Name] = v.Value
		}
		env := strictyaml.Environment{ReadFile: strictyaml.ReadFile, Lookup: func(name string) (string, bool) {
			if secret, ok := known[name]; ok {
				return secret, true
			}
			return lookup(name)
		}}
		value, err := env.Expand(text)
		if err != nil {
			return nil, notes, strictyaml.Found(err)[0]
		}
		if a.Question.Check != nil {
			if err := a.Question.Check(value); err != nil {
				return nil, notes, err
			}
		}
		resolved[a.Question.Key] = value
	}
	return resolved, notes, nil
}

// conceal returns an answer with references for the credentials in it, and the variables that hold them: name, name_2 and so on.
func conceal(a Answer, name string) (text string, secrets []Variable, notes []string) {
	switch {
	case a.Text == "", a.Question.Secret && strings.Contains(a.Text, "${"): // left out, or a reference already
		return a.Text, nil, nil
	case a.Question.Secret:
		return "${" + name + "}", []Variable{{Name: name, For: a.Question.Title, Value: a.Text}}, nil
	case a.Question.Conceal == nil:
		return a.Text, nil, nil
	}
	text = a.Text
	for n := 1; ; n++ {
		v := Variable{Name: name, For: "the password in " + a.Question.Key + ", as it is, without percent-encoding"}
		if n > 1 {
			v.Name, v.For = fmt.Sprintf("%s_%d", name, n), fmt.Sprintf("password %d in %s, as it is, without percent-encoding", n, a.Question.Key)
		}
		concealed, secret, note := a.Question.Conceal(text, "${"+v.Name+"}")
		if secret == "" {
			return concealed, secrets, notes
		}
		v.Value = secret
		text, secrets = concealed, append(secrets, v)
		if note != "" {
			notes = append(notes, note)
		}
	}
}

// written returns an answer as the configuration has it, and the variables that hold the credentials in it.
func (d *Draft) written(a Answer) (string, []Variable) {
	what := "password"
	if a.Question.Secret {
		what = a.Question.Key
	}
	text, secrets, _ := conceal(a, variable(d.Endpoint, what))
	if a.Question.File {
		text = d.relative(text)
	}
	return text, secrets
}

// Mask returns an answer with mask in the place of every credential, and whether there are any.
func Mask(q source.Question, answer, mask string) (text string, any bool) {
	text, secrets, _ := conceal(Answer{Question: q, Text: answer}, "SECRET")
	for _, v := range secrets {
		text = strings.ReplaceAll(text, "${"+v.Name+"}", mask)
	}
	return text, len(secrets) > 0
}

// relative returns the name of a file as seen from the configuration's folder.
func (d *Draft) relative(name string) string {
	folder := filepath.Dir(d.File)
	if filepath.IsAbs(name) || strings.Contains(name, ":") || folder == "." {
		return name
	}
	from, err1 := filepath.Abs(folder)
	to, err2 := filepath.Abs(name)
	if err1 != nil || err2 != nil {
		return name
	}
	relative, err := filepath.Rel(from, to)
	if err != nil {
		return to
	}
	return filepath.ToSlash(relative)
}

var notInVariables = regexp.MustCompile(`[^A-Z0-9]+`)

// variable returns the name of an environment variable: CRM_PASSWORD.
func variable(endpoint, what string) string {
	name := notInVariables.ReplaceAllString(strings.ToUpper(endpoint+"_"+what), "_")
	if name[0] >= '0' && name[0] <= '9' {
		name = "BRIDGE_" + name
	}
	return name
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// EndpointName makes the name of an endpoint, which stands in a URL, of what is read; fallback is taken where nothing is left of it.
func EndpointName(text, fallback string) string {
	name := strings.Trim(notInNames.ReplaceAllString(text, "-"), "-_")
	if len(name) > 40 {
		name = strings.Trim(name[:40], "-_")
	}
	switch strings.ToLower(name) {
	case "", "healthz", "readyz", "metrics":
		return fallback
	}
	return strings.ToLower(name)
}

// Text returns the configuration as YAML, with the reasons as comments. It holds no credential.
func (d *Draft) Text() string {
	var b strings.Builder
	b.WriteString(d.head())
	listen := d.Listen
	if listen == "" {
		listen = "127.0.0.1:8080"
	}
	fmt.Fprintf(&b, "listen: %s\nendpoints:\n  %s:\n    auth:\n      token: ${%s}\n    source:\n", scalar(listen), scalar(d.Endpoint), d.CallersToken())
	fmt.Fprintf(&b, "      kind: %s\n", d.Kind.Name)
	var source []proposal.Setting
	for _, a := range d.Answers {
		if text, _ := d.written(a); text != "" {
			source = append(source, proposal.Setting{Key: a.Question.Key, Value: literal(text)})
		}
	}
	writeSettings(&b, "      ", nest(append(source, d.Proposal.Settings...)))
	phones := "format: e164"
	if d.Region != "" {
		phones = "region: " + scalar(d.Region) + ", " + phones
	}
	fmt.Fprintf(&b, "    phones: {%s}\n", phones)
	return b.String()
}

// head is the comment at the start.
func (d *Draft) head() string {
	var b strings.Builder
	b.WriteString("# Written by contactbridge init. What every key means: contactbridge config docs\n#\n")
	fmt.Fprintf(&b, "#   contactbridge preview -c %s\n#   contactbridge serve -c %s\n#\n# It needs these environment variables:\n#\n", shown(d.File), shown(d.File))
	for _, v := range d.Secrets() {
		fmt.Fprintf(&b, "#   %s: %s\n", v.Name, v.For)
	}
	fmt.Fprintf(&b, "#   %s: what callers must send as token; make one with  openssl rand -hex 24\n", d.CallersToken())
	return b.String()
}

func shown(file string) string {
	if file == "" || file == "-" {
		return "bridge.yaml"
	}
	return file
}

// literal is a text whose references are references; any other text of a proposal means itself.
type literal string

// nest puts settings with dotted keys below one another.
func nest(settings []proposal.Setting) []proposal.Setting {
	var list []proposal.Setting
	for _, s := range settings {
		top, rest, dotted := strings.Cut(s.Key, ".")
		if !dotted {
			list = append(list, s)
			continue
		}
		at := slices.IndexFunc(list, func(has proposal.Setting) bool { return has.Key == top })
		if at < 0 {
			at = len(list)
			list = append(list, proposal.Setting{Key: top, Value: []proposal.Setting{}})
		}
		below, _ := list[at].Value.([]proposal.Setting)
		list[at].Value = append(below, proposal.Setting{Key: rest, Value: s.Value, Why: s.Why})
	}
	for i, s := range list {
		if below, ok := s.Value.([]proposal.Setting); ok {
			list[i].Value = nest(below)
		}
	}
	return list
}

func writeSettings(b *strings.Builder, indent string, settings []proposal.Setting) {
	for _, s := range settings {
		if below, ok := s.Value.([]proposal.Setting); ok {
			fmt.Fprintf(b, "%s%s:\n", indent, scalar(s.Key))
			writeSettings(b, indent+"  ", below)
			continue
		}
		writeSetting(b, indent, s)
	}
}

func writeSetting(b *strings.Builder, indent string, s proposal.Setting) {
	line, why := indent+scalar(s.Key)+": "+value(s.Value), comment(s.Why)
	list, isList := s.Value.([]string)
	block := isList && len(line) > 100
	switch {
	case why == "":
	case len(line) < 60 && len(line)+len(why) < 130:
		line = fmt.Sprintf("%-*s  %s", 38, line, why)
	default:
		b.WriteString(indent + why + "\n")
	}
	if !block {
		b.WriteString(line + "\n")
		return
	}
	b.WriteString(indent + scalar(s.Key) + ":\n")
	for _, element := range list {
		fmt.Fprintf(b, "%s  - %s\n", indent, scalar(escape(element)))
	}
}

func comment(why string) string {
	if why == "" {
		return ""
	}
	return "# " + strings.Join(strings.Fields(why), " ")
}

// value writes a value in one line.
func value(v any) string {
	switch v := v.(type) {
	case literal:
		return scalar(string(v))
	case string:
		return scalar(escape(v))
	case []string:
		parts := make([]string, len(v))
		for i, element := range v {
			parts[i] = scalarInList(escape(element))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// escape writes a dollar sign so that it is no reference.
func escape(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// scalar writes a text as YAML, in one line.
func scalar(text string) string {
	if text == "" || strings.ContainsAny(text, "\n\r\t") {
		return quoted(text)
	}
	var back any
	if err := yaml.Load([]byte(text), &back); err == nil && back == text && !strings.Contains(text, " #") {
		return text
	}
	return quoted(text)
}

// scalarInList is scalar for a text between brackets.
func scalarInList(text string) string {
	if strings.ContainsAny(text, ",[]{}") {
		return quoted(text)
	}
	return scalar(text)
}

// quoted writes a text in the quotes that need fewer escapes.
func quoted(text string) string {
	if !strings.ContainsAny(text, "'\n\r\t") {
		return "'" + text + "'"
	}
	out := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text)
	return `"` + out + `"`
}
