// Command image makes the container image of a release without a container engine: the program, and nothing else but the users and
// folders that it needs. The image is an archive that docker load, podman load, ctr image import and skopeo read. Two of one
// program are equal byte for byte.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const (
	user       = 65532 // nonroot, as in other small images
	repository = "contactbridge"
)

func main() {
	program := flag.String("program", "", "static Linux program")
	architecture := flag.String("architecture", "amd64", "that it is for")
	version := flag.String("version", "", "of the release")
	output := flag.String("output", "", "file to write")
	flag.Parse()
	if err := write(*program, *architecture, *version, *output); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// write makes the image of a program.
func write(program, architecture, version, output string) error {
	files, err := layer(program)
	if err != nil {
		return err
	}
	contents, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
	if err != nil {
		return fmt.Errorf("make the layer: %w", err)
	}
	image, err := mutate.AppendLayers(empty.Image, contents)
	if err != nil {
		return fmt.Errorf("append the layer: %w", err)
	}
	if image, err = mutate.ConfigFile(image, configuration(image, architecture, version)); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	tag, err := name.NewTag(repository + ":" + version)
	if err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	return tarball.WriteToFile(output, tag, image)
}

// configuration says how a container runs: a hub with its data in /data, unless it is told otherwise.
func configuration(image v1.Image, architecture, version string) *v1.ConfigFile {
	cfg, err := image.ConfigFile()
	if err != nil {
		panic(err) // it is in memory
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture, cfg.Created = "linux", architecture, v1.Time{Time: time.Unix(0, 0)}
	cfg.History = nil
	cfg.Config = v1.Config{
		User: fmt.Sprint(user, ":", user), WorkingDir: "/data", Volumes: map[string]struct{}{"/data": {}},
		Entrypoint: []string{"/usr/bin/contactbridge"}, Cmd: []string{"hub", "--data", "/data", "--listen", "0.0.0.0:8090"},
		ExposedPorts: map[string]struct{}{"8090/tcp": {}}, Env: []string{"PATH=/usr/bin"}, StopSignal: "SIGTERM",
		// A bridge's container has another port: say  --health-cmd  for it, see compose.yaml.
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/usr/bin/contactbridge", "health"}, Interval: 30 * time.Second, Timeout: 6 * time.Second, StartPeriod: 20 * time.Second, Retries: 3},
		Labels: map[string]string{
			"org.opencontainers.image.title": "contactbridge", "org.opencontainers.image.version": version,
			"org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.source": "https://github.com/contactbridge/contactbridge",
		},
	}
	return cfg
}

// layer is the image's files as an archive.
func layer(program string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Clean(program))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(path string, kind byte, mode int64, owner int, content []byte) {
		if err == nil {
			err = w.WriteHeader(&tar.Header{Typeflag: kind, Name: path, Mode: mode, Uid: owner, Gid: owner, Size: int64(len(content)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
		}
		if err == nil {
			_, err = w.Write(content)
		}
	}
	for _, folder := range []string{"etc/", "etc/contactbridge/", "usr/", "usr/bin/"} {
		add(folder, tar.TypeDir, 0o755, 0, nil)
	}
	add("data/", tar.TypeDir, 0o700, user, nil)
	add("tmp/", tar.TypeDir, 0o1777, 0, nil)
	add("etc/passwd", tar.TypeReg, 0o644, 0, fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:%d:%d:contactbridge:/data:/sbin/nologin\n", user, user))
	add("etc/group", tar.TypeReg, 0o644, 0, fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", user))
	add("usr/bin/contactbridge", tar.TypeReg, 0o755, 0, text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("write the files: %w", err)
	}
	return b.Bytes(), nil
}
