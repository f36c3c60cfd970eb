package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is a folder for what the tests build.
var built string

// static builds the program as a release has it, once.
var static = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "contactbridge")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version=v0.0.1", "-o", path, "./cmd/contactbridge")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New("go build: " + err.Error() + "\n" + string(out))
	}
	return path, nil
})

// release is the path of the program as a release has it: static.
func release(t *testing.T) string {
	t.Helper()
	path, err := static()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// program is a command line of the program: the one that CONTACTBRIDGE_BINARY names, if it names one.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path := os.Getenv("CONTACTBRIDGE_BINARY")
	if path == "" {
		path = release(t)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "contactbridge"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(status)
}
