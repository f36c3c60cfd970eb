package kinds_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/kinds"
)

const module = "github.com/contactbridge/contactbridge/"

// meansOther are the places where a kind's name in a text means something else, and what.
var meansOther = map[string]string{
	"source/kind.go: memory":                 "a family",
	"source/kind.go: rest":                   "a family",
	"cmd/contactbridge/serve.go: json":       "the format of the log",
	"cmd/contactbridge/preview.go: json":     "the format of the output",
	"cmd/contactbridge/describe.go: json":    "the format of the output",
	"internal/config/load.go: postgres":      "the scheme of the database that keeps certificates",
	"internal/hubconfig/phonebooks.go: ldap": "the key below which phonebooks are served over LDAP",
	"internal/hubconfig/load.go: postgres":   "the scheme of the hub's own database",
}

// Made once: each preset is read for it.
var (
	all    = kinds.All()
	naming = patternsOf(all)
)

// patternsOf returns what matches literals that name each kind.
func patternsOf(all []source.Kind) (list []*regexp.Regexp) {
	for _, k := range all {
		list = append(list, regexp.MustCompile("^[\"`]"+k.Name+"[\"`]$|\\bkind:? *[\"`]?"+k.Name+`\b|\bbridge-`+k.Name+`\b`))
	}
	return list
}

// A kind is described by its own package and listed by source/kinds. Any other package of the product that named one would have to be
// changed for every new kind. So none imports a kind's package, and where sources and their configuration are dealt with,
// no text names a kind. internal/demo is the exception: its CRM is a database of a certain kind.
func TestNobodyElseNamesAKind(t *testing.T) {
	for _, k := range all {
		where := filepath.Join("..", k.Name)
		if k.Preset != "" {
			where = filepath.Join("..", "rest", "presets", k.Name+".yaml")
		}
		if _, err := os.Stat(where); err != nil {
			t.Fatalf("the package of kind %s is not where this test looks: %v", k.Name, err)
		}
	}
	looked, met := 0, map[string]bool{}
	for path, file := range productFiles(t) {
		imports := imported(file)
		for _, k := range all {
			if slices.Contains(imports, module+"source/"+k.Name) {
				t.Errorf("%s imports the package of kind %s", path, k.Name)
			}
		}
		if !dealsWithSources(path, imports) {
			continue
		}
		looked++
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				name := kindNamed(literal.Value)
				place := path + ": " + name
				met[place] = true
				if name != "" && meansOther[place] == "" {
					t.Errorf("%s names kind %s: %s", path, name, literal.Value)
				}
			}
			return true
		})
	}
	if looked < 10 {
		t.Errorf("only %d files deal with sources: the test does not see them", looked)
	}
	reference, err := os.ReadFile("../../internal/config/reference.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(reference)) {
		for _, word := range append(strings.Split(line, "`"), line) {
			if name := kindNamed("`" + word + "`"); name != "" {
				t.Errorf("the template of the reference names kind %s: %s", name, line)
			}
		}
	}
	for place := range meansOther {
		if !met[place] {
			t.Errorf("%s is an exception that is no longer needed", place)
		}
	}
}

// productFiles returns the Go files of the product outside the kinds' own packages, source/kinds, and what serves only tests, by
// their path in the module.
func productFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		if entry.IsDir() {
			if elsewhere(relative) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(relative, ".go") && !strings.HasSuffix(relative, "_test.go") {
			files[relative], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// elsewhere reports whether a folder holds a kind's own package, or no package of the product.
func elsewhere(folder string) bool {
	switch folder {
	case "source/kinds", "source/sourcetest", "internal/test", "internal/demo", "tools", "examples":
		return true
	}
	return folder != "." && strings.HasPrefix(filepath.Base(folder), ".") ||
		slices.ContainsFunc(all, func(k source.Kind) bool { return folder == "source/"+k.Name })
}

func imported(file *ast.File) []string {
	var paths []string
	for _, spec := range file.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// dealsWithSources reports whether a file is about sources or the bridge's configuration.
func dealsWithSources(path string, imports []string) bool {
	return strings.HasPrefix(path, "source/") || slices.ContainsFunc(imports, func(path string) bool {
		return path == module+"source" || path == module+"source/kinds" || path == module+"internal/config"
	})
}

// kindNamed returns the kind that a string literal names: the literal is its name, or speaks of a kind of that name, or of its
// example. Words such as memory mean other things in other texts.
func kindNamed(literal string) string {
	for i, k := range all {
		if naming[i].MatchString(literal) {
			return k.Name
		}
	}
	return ""
}
