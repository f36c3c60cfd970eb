package jsonl_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file/filetest"
	ours "github.com/contactbridge/contactbridge/source/jsonl"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

const suiteConfig = `
path: '{{auth.tenant}}.jsonl'
id: id
deleted: gone
fields:
  name: name.full
  title: title
  company: company
  emails: "map(emails, #)"
  phones: "map(phones, #)"
  websites: "map(websites, #)"
  photo_url: photo
  address: address
  twitter: twitter
  url: url
  custom_fields: {Plan: plan}
`

func TestSource(t *testing.T) {
	t.Run("updated", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Target{New: service(t, suiteConfig+"updated: updated\n"), Restarts: true, HistoryTime: time.Second})
	})
	t.Run("whole file", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Target{New: service(t, suiteConfig), Restarts: true, Unsorted: true, HistoryTime: time.Second})
	})
}

func service(t *testing.T, config string) func(testing.TB) sourcetest.Service {
	return filetest.Service("jsonl", encode, func(deps source.Deps) (source.Factory, error) { return newFactory(t, config, deps) })
}

func newFactory(t testing.TB, config string, deps source.Deps) (source.Factory, error) {
	t.Helper()
	var cfg ours.Config
	if err := yaml.Load([]byte(config), &cfg, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	return ours.New(cfg, deps)
}

func encode(list []filetest.Exported) []byte {
	var b bytes.Buffer
	for _, c := range list {
		line, err := json.Marshal(filetest.Object(c))
		if err != nil {
			panic(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}
