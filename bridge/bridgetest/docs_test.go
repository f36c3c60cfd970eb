package bridgetest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
)

var update = flag.Bool("update", false, "write what is generated")

const (
	casesBegin = "<!-- cases -->\n"
	casesEnd   = "<!-- /cases -->\n"
)

func casesTable() string {
	var b strings.Builder
	b.WriteString("| case | rule | grade | holds when it passes |\n|---|---|---|---|\n")
	for _, c := range bridgetest.Cases() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.ID, c.Rule, c.Grade, c.Title)
	}
	return b.String()
}

// The page lists every case; -update writes the list.
func TestDocsListEveryCase(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "check.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), casesBegin)
	_, after, ok2 := strings.Cut(rest, casesEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of the list", path)
	}
	want := before + casesBegin + casesTable() + casesEnd + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: run go test ./bridge/bridgetest -run TestDocs -update", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
