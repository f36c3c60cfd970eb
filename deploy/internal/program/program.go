// Package program gives the tests of what deploys the program that is deployed.
package program

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// folder is for what is built.
var folder string

// build builds the program as a release has it, once.
var build = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "contactbridge")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version=v0.0.1", "-o", path, "./cmd/contactbridge")
	cmd.Dir, cmd.Env = filepath.Dir(strings.TrimSpace(string(root))), append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New("go build: " + err.Error() + "\n" + string(out))
	}
	return path, nil
})

// Release returns the path of the program as a release has it: static, of the version v0.0.1.
func Release(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Command returns a command line of the program: of the one that CONTACTBRIDGE_BINARY names, if it names one.
func Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path := os.Getenv("CONTACTBRIDGE_BINARY")
	if path == "" {
		path = Release(t)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

// Main runs the tests of a package, and removes what was built for them.
func Main(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "contactbridge"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(status)
}
