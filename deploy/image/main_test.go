package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/contactbridge/contactbridge/deploy/internal/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// makeImage makes the image of a release, and returns its file.
func makeImage(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := write(program.Release(t), "amd64", "v0.0.1", file); err != nil {
		t.Fatal(err)
	}
	return file
}

// unpack writes an image's files below a folder.
func unpack(t *testing.T, image v1.Image, folder string) {
	t.Helper()
	files := mutate.Extract(image)
	defer files.Close()
	r := tar.NewReader(files)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o755)
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, 0o600)
			}
		default:
			err = fmt.Errorf("%s has type %c", h.Name, h.Typeflag)
		}
		if err == nil {
			err = errors.Join(os.Chown(path, h.Uid, h.Gid), os.Chmod(path, os.FileMode(h.Mode&0o777)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// run is what an engine does with an image: its environment, user and working folder, a root file system that is read-only, a volume, and
// nothing that root may. Its arguments are the image's root, user, working folder, volume, health check and environment, a folder for
// what the programs say, and the command. The first health check that succeeds ends it.
const run = `
set -e
root=$1 user=$2 work=$3 volume=$4 check=$5 environment=$6 folder=$7; shift 7
ip link set lo up
mount --bind "$root" "$root"
mount -t tmpfs -o "uid=${user%:*},gid=${user#*:},mode=700" tmpfs "$root$volume"
mount -o remount,ro,bind "$root"
cd /
enter=(env -i $environment "$(command -v unshare)" --root="$root" --wd="$work" --setgid="${user#*:}" --setuid="${user%:*}" --)
"${enter[@]}" "$@" >"$folder/log" 2>&1 &
main=$!
healthy=
for i in $(seq 300); do
	if "${enter[@]}" $check >"$folder/check" 2>&1; then healthy=yes; break; fi
	kill -0 $main 2>/dev/null || break
	sleep 0.2
done
cat "$folder/log" "$folder/check"
grep -E '^(Uid|Gid|Groups|CapEff)' /proc/$main/status
"${enter[@]}" /usr/bin/contactbridge man /etc/contactbridge/man 2>&1 || true
status=0
kill -TERM $main
wait $main || status=$?
echo "ended with $status"
[ "$healthy" = yes ]
`

// The image holds what it says, and runs as its configuration says: as another user than root, on a root that is read-only.
func TestTheImageRuns(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a root file system to run the image in")
	}
	file := makeImage(t)
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := cfg.Config
	if c.User != "65532:65532" || c.Healthcheck == nil || c.Healthcheck.Test[0] != "CMD" || len(c.Volumes) != 1 {
		t.Fatalf("the configuration is %+v", c)
	}
	root, folder := t.TempDir(), t.TempDir()
	unpack(t, image, root)
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	var volumes []string
	for folder := range c.Volumes {
		volumes = append(volumes, folder)
	}
	args := append([]string{
		"--mount", "--mount-proc", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "bash", "-c", run, "run", root, c.User, c.WorkingDir,
		volumes[0], strings.Join(c.Healthcheck.Test[1:], " "), strings.Join(c.Env, " "), folder,
	}, append(c.Entrypoint, c.Cmd...)...)
	out, err := exec.CommandContext(t.Context(), "unshare", args...).CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		`(?m)^Uid:\s+65532\s+65532\s`, `(?m)^Gid:\s+65532\s+65532\s`, `(?m)^Groups:\s*$`, `(?m)^CapEff:\s+0+$`, "read-only file system", "(?m)^ended with 0$", "v0\\.0\\.1",
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("it does not say %s", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

func TestTwoImagesAreEqual(t *testing.T) {
	var sums [2][]byte
	for i := range sums {
		text, err := os.ReadFile(makeImage(t))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		sums[i] = sum[:]
	}
	if !bytes.Equal(sums[0], sums[1]) {
		t.Error("they are not")
	}
}
