package web_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// levelOne is how many requirements ASVS 4.0.3 has at level 1.
const levelOne = 128

var (
	requirement = regexp.MustCompile(`(?m)^\| (\d+\.\d+\.\d+) \| [^|]+ \| (met|n/a|open) \| ([^|]+) \|$`)
	provingTest = regexp.MustCompile(`\bTest[A-Z]\w+`)
	codePath    = regexp.MustCompile("`((?:web|hub|internal|directory)[/\\w.-]*)`")
)

// A page that says "met" names a test that is there.
func TestTheSecurityPageNamesWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	err = filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			tests[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range requirement.FindAllStringSubmatch(string(text), -1) {
		if seen[row[1]] {
			t.Errorf("%s stands there twice", row[1])
		}
		seen[row[1]] = true
	}
	if len(seen) != levelOne {
		t.Errorf("%d requirements, want %d", len(seen), levelOne)
	}
	for _, name := range provingTest.FindAllString(string(text), -1) {
		if !tests[name] {
			t.Errorf("there is no %s", name)
		}
	}
	for _, path := range codePath.FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join("..", path[1])); err != nil {
			t.Error(err)
		}
	}
}
