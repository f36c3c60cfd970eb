package json_test

import (
	"encoding/json"
	"testing"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
	ours "github.com/contactbridge/contactbridge/source/json"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

func TestSource(t *testing.T)          { suite().Run(t) }
func TestSourceWholeFile(t *testing.T) { suite().RunUnsorted(t) }

func suite() sourcetest.File {
	return sourcetest.File{Extension: ".json", Write: write, New: func(cfg file.Config, deps source.Deps) (source.Factory, error) {
		cfg.Fields.Name = "name.full"
		cfg.Fields.Emails, cfg.Fields.Phones = record.Expressions{"map(emails, #)"}, record.Expressions{"map(phones, #)"}
		cfg.Fields.Websites = record.Expressions{"map(websites, #)"}
		return ours.New(ours.Config{Config: cfg, Records: "data.contacts"}, deps)
	}}
}

func write(columns []string, records [][]string) ([]byte, error) {
	objects := make([]map[string]any, len(records))
	for i, values := range records {
		objects[i] = filetest.Object(columns, values)
	}
	return json.MarshalIndent(map[string]any{"meta": map[string]any{"tags": []string{"x"}}, "data": map[string]any{"contacts": objects}}, "", "  ")
}
