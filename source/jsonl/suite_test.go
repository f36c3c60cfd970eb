package jsonl_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/filetest"
	ours "github.com/contactbridge/contactbridge/source/jsonl"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

func TestSource(t *testing.T)          { suite().Run(t) }
func TestSourceWholeFile(t *testing.T) { suite().RunUnsorted(t) }

func suite() sourcetest.File {
	return sourcetest.File{Extension: ".jsonl", Write: write, New: func(cfg file.Config, deps source.Deps) (source.Factory, error) {
		cfg.Fields.Name = "name.full"
		cfg.Fields.Emails, cfg.Fields.Phones = record.Expressions{"map(emails, #)"}, record.Expressions{"map(phones, #)"}
		cfg.Fields.Websites = record.Expressions{"map(websites, #)"}
		return ours.New(ours.Config{Config: cfg}, deps)
	}}
}

func write(columns []string, records [][]string) ([]byte, error) {
	var b bytes.Buffer
	for _, values := range records {
		if err := json.NewEncoder(&b).Encode(filetest.Object(columns, values)); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
