package record_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/source/record"
)

// TestDocumentedExpressions runs every example of the page.
func TestDocumentedExpressions(t *testing.T) {
	page, err := os.ReadFile("../../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```")
	var columns []string
	var values [][]byte
	examples := 0
	for i := 1; i < len(blocks); i += 2 {
		if text, ok := strings.CutPrefix(blocks[i], "yaml record\n"); ok {
			columns, values = documentedRecord(t, text)
		}
		for line := range strings.Lines(blocks[i]) {
			text, want, ok := strings.Cut(line, "→")
			if !ok {
				continue
			}
			examples++
			if got, err := evaluated(strings.TrimSpace(text), columns, values); err != nil || got != strings.TrimSpace(want) {
				t.Errorf("%s = %q, %v; the page says %q", strings.TrimSpace(text), got, err, strings.TrimSpace(want))
			}
		}
	}
	if examples < 30 {
		t.Errorf("the page has %d examples", examples)
	}
}

// documentedRecord reads the record that the examples are about.
func documentedRecord(t *testing.T, text string) (columns []string, values [][]byte) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	nodes := document.Content[0].Content
	for i := 0; i+1 < len(nodes); i += 2 {
		columns = append(columns, nodes[i].Value)
		values = append(values, []byte(nodes[i+1].Value))
	}
	return columns, values
}

// evaluated returns the value of a field.
func evaluated(text string, columns []string, values [][]byte) (string, error) {
	m, err := record.Compile(record.Fields{Name: text}, columns)
	if err != nil {
		return "", err
	}
	var row record.Row
	row.Start("1", false)
	err = m.Fill(&row, values)
	return row.Contact.Name, err
}
