package csv_test

import (
	"bytes"
	"encoding/csv"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/source"
	ours "github.com/contactbridge/contactbridge/source/csv"
	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

func TestSource(t *testing.T) {
	t.Run("updated", suite(time.Second, 0).Run)
	t.Run("whole file", suite(time.Second, 0).RunUnsorted)
}

// suite is the suite of a CRM that exports its contacts to one file, or to several of a folder.
func suite(history time.Duration, files int) sourcetest.File {
	return sourcetest.File{
		Extension: ".csv", Files: files, HistoryTime: history,
		Write: func(columns []string, records [][]string) ([]byte, error) {
			var b bytes.Buffer
			err := csv.NewWriter(&b).WriteAll(append([][]string{columns}, records...))
			return b.Bytes(), err
		},
		New: func(cfg file.Config, deps source.Deps) (source.Factory, error) { return ours.New(ours.Config{Config: cfg}, deps) },
	}
}

func newFactory(t testing.TB, config string, deps source.Deps) source.Factory {
	t.Helper()
	factory, err := tryFactory(config, deps)
	if err != nil {
		t.Fatal(err)
	}
	return factory
}

func tryFactory(config string, deps source.Deps) (source.Factory, error) {
	var cfg ours.Config
	if err := yaml.Load([]byte(config), &cfg, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	return ours.New(cfg, deps)
}
