package strictyaml_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

type server struct {
	Name     string            `yaml:"name" jsonschema:"required" hint:"Give it one."`
	Port     int               `yaml:"port" jsonschema:"default=8080,minimum=1,maximum=65535"`
	Wait     time.Duration     `yaml:"wait" jsonschema:"default=7s"`
	Mode     string            `yaml:"mode" jsonschema:"default=fast,enum=fast,enum=safe"`
	On       bool              `yaml:"on"`
	Share    float64           `yaml:"share"`
	Tags     []string          `yaml:"tags"`
	Labels   map[string]string `yaml:"labels"`
	Nested   nested            `yaml:"nested"`
	Optional *nested           `yaml:"optional"`
	Several  map[string]nested `yaml:"several"`
	Part     strictyaml.Raw    `yaml:"part"`
	Address  ip                `yaml:"address"`
}

type nested struct {
	Depth int `yaml:"depth" jsonschema:"default=3"`
}

type ip string

func (a *ip) UnmarshalText(text []byte) error {
	if !strings.Contains(string(text), ".") {
		return errors.New("no address")
	}
	*a = ip(text)
	return nil
}

// world returns an environment with a variable and a file of each sort.
func world() strictyaml.Environment {
	variables := map[string]string{"SET": "value", "EMPTY": "", "PORT": "99", "WILD": "a: b # {[\"'\n- x", "DOLLAR": "${SET}"}
	files := map[string]string{"/etc/app/secret": "s3cret\n", "/run/two": "one\r\ntwo\r\n", "/etc/app/binary": "\xff\xfe"}
	return strictyaml.Environment{
		Folder: "/etc/app",
		Lookup: func(name string) (string, bool) { v, ok := variables[name]; return v, ok },
		ReadFile: func(name string) ([]byte, error) {
			if name == "/etc/app/locked" {
				return nil, fs.ErrPermission
			}
			text, ok := files[name]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		},
	}
}

// read returns a document decoded, and everything that is wrong with it.
func read(text string) (server, string) {
	var s server
	document, err := strictyaml.Parse("f.yaml", []byte(text), world())
	if document == nil {
		return s, err.Error()
	}
	problems := []strictyaml.Problem{}
	for _, err := range []error{err, document.Decode(&s)} {
		if p, ok := errors.AsType[*strictyaml.Problems](err); ok {
			problems = append(problems, p.List...)
		}
	}
	if err := document.Join(nil, problems...); err != nil {
		return s, err.Error()
	}
	return s, ""
}

func TestDefaultsAreTakenAtEveryDepth(t *testing.T) {
	got, problems := read("name: a\noptional: {}\nseveral: {x: , y: {depth: 5}}\n")
	want := server{
		Name: "a", Port: 8080, Wait: 7 * time.Second, Mode: "fast", Nested: nested{3}, Optional: &nested{3},
		Several: map[string]nested{"x": {3}, "y": {5}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(strictyaml.Raw{})); problems != "" || diff != "" {
		t.Errorf("problems %q, difference (-want +got):\n%s", problems, diff)
	}
}

func TestTextKeepsItsWrittenForm(t *testing.T) {
	got, problems := read("name: 0151234\nlabels: {a: 012, b: 1e3, c: true, d: 2026-01-02, e: 1_000, f: 0x1F, g: yes}\n")
	want := map[string]string{"a": "012", "b": "1e3", "c": "true", "d": "2026-01-02", "e": "1_000", "f": "0x1F", "g": "yes"}
	if problems != "" || got.Name != "0151234" || !cmp.Equal(got.Labels, want) {
		t.Errorf("got %q and %v, problems %q", got.Name, got.Labels, problems)
	}
}

func TestReferencesAreFilledInAfterParsing(t *testing.T) {
	for written, want := range map[string]string{
		`${SET}`:                  "value",
		`a${SET}b${SET}c`:         "avaluebvaluec",
		`"quoted ${SET}"`:         "quoted value",
		`'${SET}'`:                "value",
		`${NOT:-default: 1}`:      "default: 1",
		`${EMPTY:-default}`:       "default",
		`"${EMPTY}"`:              "",
		`${SET:-default}`:         "value",
		`${file:secret}`:          "s3cret",
		`${file:/etc/app/secret}`: "s3cret",
		`${file:/run/two}`:        "one\r\ntwo",
		`${WILD}`:                 "a: b # {[\"'\n- x",
		`${DOLLAR}`:               "${SET}",
		`$${SET}`:                 "${SET}",
		`$1 $$ $`:                 "$1 $ $",
	} {
		if strings.Contains(written, ": ") && !strings.HasPrefix(written, `"`) {
			written = "'" + written + "'"
		}
		got, problems := read("name: " + written + "\n")
		if problems != "" || got.Name != want {
			t.Errorf("%s: got %q, want %q; problems: %s", written, got.Name, want, problems)
		}
	}
	if got, problems := read("name: a\nport: ${PORT}\n"); got.Port != 99 || problems != "" {
		t.Errorf("a number by reference: %d, problems %q", got.Port, problems)
	}
}

func TestAliasesAndMergesAreFollowed(t *testing.T) {
	got, problems := read("name: a\nnested: &n {depth: 9}\nseveral:\n  x: *n\n  y: {<<: *n}\n  z:\n    <<: [*n]\n    depth: 1\n")
	want := map[string]nested{"x": {9}, "y": {9}, "z": {1}}
	if problems != "" || !cmp.Equal(got.Several, want) {
		t.Errorf("got %v, problems %q", got.Several, problems)
	}
}

func TestEveryProblemIsToldWithItsPlace(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"several at once": {
			"namee: a\nport: many\nwait: 7\nmode: fsat\non: maybe\nshare: half\ntags: one\nlabels: [x]\nnested: 5\naddress: x\n",
			"f.yaml:1:1: unknown key \"namee\"\n    Did you mean \"name\"?\n" +
				"f.yaml:2:7: port must be a whole number, not \"many\"\n" +
				"f.yaml:3:7: wait must be a duration, not \"7\"\n    Write a number with its unit: 500ms, 7s, 5m, 1h30m.\n" +
				"f.yaml:4:7: mode cannot be \"fsat\"\n    Did you mean \"fast\"? Choose one of: fast, safe.\n" +
				"f.yaml:5:5: on must be true or false, not \"maybe\"\n" +
				"f.yaml:6:8: share must be a number, not \"half\"\n" +
				"f.yaml:7:7: tags must be a list, not a single value\n    Write [one, two], or each on its own line after a hyphen.\n" +
				"f.yaml:8:9: labels must be a mapping, not a list\n" +
				"f.yaml:9:9: nested must be a mapping, not a single value\n    Known keys: depth.\n" +
				"f.yaml:10:10: address: no address",
		},
		"limits": {
			"port: 0\nseveral:\n  x: {depht: 1}\n",
			"f.yaml:1:1: name is missing\n    Give it one.\n" +
				"f.yaml:1:7: port is too small: \"0\"\n    The least is 1.\n" +
				"f.yaml:3:7: unknown key \"depht\"\n    Did you mean \"depth\"?",
		},
		"a key of another place": {
			"name: a\ndepth: 1\n",
			"f.yaml:2:1: unknown key \"depth\"\n    \"depth\" belongs under \"nested\".",
		},
		"a key that is like no other": {
			"name: a\nnested: {zzzzzzzzzz: 1}\n",
			"f.yaml:2:10: unknown key \"zzzzzzzzzz\"\n    Known keys here: depth.",
		},
		"twice": {
			"name: a\nname: b\n",
			"f.yaml:2:1: \"name\" stands here twice, first in line 1\n    Remove one of the two.",
		},
		"references that lead nowhere": {
			"name: ${NOT} ${file:nope} ${file:locked} ${file:binary} ${a b} ${file:}\ntags: [\"${SET\"]\n",
			"f.yaml:1:7: the environment variable NOT is not set\n    Set NOT before starting, or write ${NOT:-default}.\n" +
				"f.yaml:1:7: the file /etc/app/nope of ${file:nope} does not exist\n    A path is relative to the configuration file's folder unless it starts with /.\n" +
				"f.yaml:1:7: the file /etc/app/locked of ${file:locked} cannot be read\n    Let the user that contactbridge runs as read it, and no other.\n" +
				"f.yaml:1:7: the file /etc/app/binary is not UTF-8 text\n    Name a file that holds only the value.\n" +
				"f.yaml:1:7: ${a b} is not a reference\n    Write ${NAME}, ${NAME:-default} or ${file:PATH}, or $$ where a dollar sign is meant.\n" +
				"f.yaml:1:7: ${file:} names no file\n    Write ${file:PATH}.\n" +
				"f.yaml:2:8: a ${ is never closed\n    Write ${NAME}, or $${ where the text itself is meant.",
		},
		"a reference is not shown filled in": {
			"name: a\nport: ${SET}\nmode: ${file:secret}\n",
			"f.yaml:2:7: port must be a whole number, not \"${SET}\"\n" +
				"f.yaml:3:7: mode cannot be \"${file:secret}\"\n    Choose one of: fast, safe.",
		},
		"a placeholder without quotes": {
			"name: {{auth.name}}\n",
			"f.yaml:1:7: name must be a single value, not a mapping\n    Put a value that starts with { in quotes: \"{{auth.name}}\"\n" +
				"f.yaml:1:8: a key must be a word\n    Put a value that starts with { in quotes: \"{{auth.name}}\"",
		},
		"an alias that holds itself": {
			"name: a\ntags: &t [*t]\n",
			"f.yaml:2:11: the alias *t holds itself",
		},
		"items of a list": {
			"name: a\ntags: [x, [y]]\n",
			"f.yaml:2:11: item 2 of tags must be a single value, not a list",
		},
		"a merge of nothing": {
			"name: a\nnested: {<<: 5}\n",
			"f.yaml:2:14: a merge key (<<) takes a mapping\n    Write  <<: *name  where &name marks a mapping.",
		},
		"tabs": {
			"name:\n\t- a\n",
			"f.yaml:2:1: the file is not YAML: found character that cannot start any token\n    Indent with spaces, not tabs, and put values that start with @, ` or % in quotes.",
		},
		"a colon":       {"name: a: b\n", "f.yaml:1:8: the file is not YAML: mapping values are not allowed in this context\n    Check the indentation, and put a value that holds \": \" in quotes."},
		"an open list":  {"tags: [a\nname: b\n", "f.yaml:2:5: the file is not YAML: did not find expected ',' or ']' (while parsing a flow sequence that starts in line 1)"},
		"empty":         {"# nothing\n", "f.yaml: the file is empty\n    See docs/configuration.md, or the files in examples/."},
		"a list":        {"- a\n", "f.yaml:1:1: the file is not a mapping\n    Write keys and values, such as  listen: 127.0.0.1:8080"},
		"two documents": {"name: a\n---\nname: b\n", "f.yaml: the file holds more than one document\n    Remove the lines that are just ---"},
		"a tag":         {"name: !!binary aGk=\n", "f.yaml:1:7: the tag !!binary has no meaning here\n    Remove it."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, got := read(c.text); got != c.want {
				t.Errorf("difference (-want +got):\n%s", cmp.Diff(c.want, got))
			}
		})
	}
}

func TestAPartIsDecodedWhenItIsKnownIntoWhat(t *testing.T) {
	document, err := strictyaml.Parse("f.yaml", []byte("name: a\npart:\n  kind: nested\n  depth: 4\n  more: {x: ['{{auth.u}}']}\n"), world())
	if err != nil {
		t.Fatal(err)
	}
	var s server
	if err := document.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if kind, ok := s.Part.Text("kind"); !ok || kind != "nested" {
		t.Errorf("kind is %q, %v", kind, ok)
	}
	texts := map[string]string{}
	for path, text := range s.Part.Scalars {
		texts[path] = text
	}
	if want := map[string]string{"part.kind": "nested", "part.depth": "4", "part.more.x.0": "{{auth.u}}"}; !cmp.Equal(texts, want) {
		t.Errorf("texts are %v", texts)
	}
	var n nested
	err = document.DecodeRaw(s.Part, &n, "kind")
	want := "f.yaml:5:3: unknown key \"more\"\n    Known keys here: depth."
	if n.Depth != 4 || err == nil || err.Error() != want {
		t.Errorf("got %+v and %v", n, err)
	}
}

func TestAliasBombsEnd(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: a\nlabels:\n  l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		name := string(rune('0' + i))
		next := string(rune('1' + i))
		b.WriteString("  l" + next + ": &l" + next + " [" + strings.Repeat("*l"+name+", ", 9) + "*l" + name + "]\n")
	}
	_, problems := read(b.String())
	if !strings.Contains(problems, "too large or too deep") {
		t.Errorf("problems: %.300s", problems)
	}
	if _, problems = read("name: a\nlabels: &l\n  <<: &m [*m, *m, *l, *l]\n"); problems == "" {
		t.Error("a merge of itself is not reported")
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"contacts", "bytes", "time", "custom_fields", "postgres", "sqlite"}
	for word, want := range map[string]string{
		"contact": "contacts", "Bytes": "bytes", "tmie": "time", "custom-fields": "custom_fields", "customfields": "custom_fields",
		"postgresql": "postgres", "sqlite3": "sqlite", "xyz": "", "": "", "by": "",
	} {
		if got := strictyaml.Nearest(word, keys); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("name: a\nport: ${PORT}\nnested: &n {depth: 1}\nseveral: {x: *n, y: {<<: [*n, *n]}}\n")
	f.Add("a: &a [*a]\n<<: *a\n? {b: c}\n: d\n")
	f.Add("name: !!str ${file:secret}$${\ntags: [${NOT:-}]\npart: |\n  x\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, problems := read(text)
		if problems == "" && s.Name == "" && !strings.Contains(text, "$") && !strings.ContainsAny(text, `"'|>!`) {
			t.Errorf("accepted %q without its required key", text)
		}
		if strings.Contains(problems, "s3cret") && !strings.Contains(text, "s3cret") {
			t.Errorf("a secret shows: %s", problems)
		}
	})
}
