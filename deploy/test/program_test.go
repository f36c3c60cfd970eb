package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// static builds the program as a release has it, once.
var static = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "contactbridge")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "contactbridge")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version=v0.0.1", "-o", path, "./cmd/contactbridge")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: "go build", Err: errorOf(out)}
	}
	return path, nil
})

type errorOf []byte

func (e errorOf) Error() string { return string(e) }

// binary is the path of the program: static, as in a release.
func binary(t *testing.T) string {
	t.Helper()
	path, err := static()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// program is a command line of the program.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), binary(t), args...)
}

func TestMain(m *testing.M) {
	status := m.Run()
	if path, err := static(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(status)
}
