package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	_ "github.com/goreleaser/nfpm/v2/rpm"

	"github.com/contactbridge/contactbridge/deploy/internal/program"
)

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// The units let the programs do little more than they have to.
func TestTheUnitsAreHardened(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("this machine has no systemd-analyze")
	}
	for _, part := range []string{"bridge", "hub"} {
		unit := "../packages/contactbridge-" + part + ".service"
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", unit).CombinedOutput()
		found := exposure.FindSubmatch(out)
		if err != nil || found == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level > 2.0 {
			t.Errorf("the exposure of %s is %s", part, found[1])
		}
		text, err := os.ReadFile(unit)
		if err != nil || !strings.Contains(string(text), "User=contactbridge-"+part+"\n") {
			t.Errorf("%s has no user of its own: %v", part, err)
		}
	}
}

// systemd makes the users that the units name.
func TestTheUsersAreMade(t *testing.T) {
	command, err := exec.LookPath("systemd-sysusers")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("this machine has no systemd-sysusers")
	}
	file, err := filepath.Abs("../packages/sysusers.conf")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), command, "--root="+root, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"bridge", "hub"} {
		if want := regexp.MustCompile(`(?m)^contactbridge-` + part + `:.*:/var/lib/contactbridge/` + part + `:\S*nologin$`); !want.Match(users) {
			t.Errorf("the user of the %s is not among\n%s", part, users)
		}
	}
}

// Both kinds of packages are made, and what stands in the configurations that they bring is good. The program in them is a short text
// here: ./scripts/packages installs the real one.
func TestPackagesAreMade(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"program": "x", "man/contactbridge.1.gz": "x", "contactbridge.bash": "x", "contactbridge.zsh": "x", "contactbridge.fish": "x"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	t.Setenv("STAGE", folder)
	t.Setenv("PROGRAM", filepath.Join(folder, "program"))
	t.Setenv("ARCH", "amd64")
	t.Setenv("VERSION", "0.0.1")
	t.Chdir("../packages")
	for _, kind := range []string{"deb", "rpm"} {
		config, err := nfpm.ParseFileWithEnvMapping("nfpm.yaml", os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		info, err := config.Get(kind)
		if err != nil {
			t.Fatal(err)
		}
		packager, err := nfpm.Get(kind)
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.Create(filepath.Join(folder, "package."+kind))
		if err != nil {
			t.Fatal(err)
		}
		if err := packager.Package(nfpm.WithDefaults(info), file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	list, err := exec.CommandContext(t.Context(), "dpkg-deb", "--contents", filepath.Join(folder, "package.deb")).CombinedOutput()
	for _, want := range []string{"./usr/bin/contactbridge", "./usr/lib/systemd/system/contactbridge-hub.service", "./usr/share/man/man1/contactbridge.1.gz", "./usr/share/bash-completion/completions/contactbridge"} {
		if err != nil || !strings.Contains(string(list), want) {
			t.Errorf("%s is missing: %v\n%s", want, err, list)
		}
	}
	for _, args := range [][]string{{"serve", "-c", "bridge.yaml", "--check"}, {"hub", "-c", "hub.yaml", "--check"}} {
		if out, err := program.Command(t, args...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
