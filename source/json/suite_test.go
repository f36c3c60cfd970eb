package json_test

import (
	"encoding/json"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/file/filetest"
	ours "github.com/contactbridge/contactbridge/source/json"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

const suiteConfig = `
path: '{{auth.tenant}}.json'
records: data.contacts
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
	return filetest.Service("json", encode, func(deps source.Deps) (source.Factory, error) { return newFactory(t, config, deps) })
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
	objects := make([]map[string]any, 0, len(list))
	for _, c := range list {
		objects = append(objects, filetest.Object(c))
	}
	b, err := json.MarshalIndent(map[string]any{"meta": map[string]any{"tags": []string{"x"}}, "data": map[string]any{"contacts": objects}}, "", "  ")
	if err != nil {
		panic(err)
	}
	return b
}
