package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var updateRecordings = flag.Bool("update-recordings", false, "write what the recordings give anew")

// Every recording below testdata/recordings gives the same preview as ever. To add one of a report, copy its folder there, and write its
// want.txt:  go test ./cmd/contactbridge -run TestRecordings -update-recordings
func TestRecordingsGiveTheSamePreview(t *testing.T) {
	t.Setenv("COLUMNS", "120")
	folders, err := filepath.Glob(filepath.Join("testdata", "recordings", "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("%d recordings: %v", len(folders), err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			_, stdout, stderr := inProcess(t, "preview", "--replay", folder)
			name := filepath.Join(folder, "want.txt")
			if *updateRecordings {
				if err := os.WriteFile(name, []byte(stdout), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if stdout != string(want) || stderr != "" {
				t.Errorf("printed:\n%s%s\nwant:\n%s", stdout, stderr, want)
			}
		})
	}
}
