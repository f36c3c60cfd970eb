package deploy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	compose "github.com/compose-spec/compose-go/v2/types"

	"github.com/contactbridge/contactbridge/deploy/internal/program"
)

// composed is the project of compose.yaml, as docker compose reads it.
func composed(t *testing.T, environment compose.Mapping) (*compose.Project, error) {
	t.Helper()
	folder, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), compose.ConfigDetails{
		WorkingDir: folder, ConfigFiles: []compose.ConfigFile{{Filename: filepath.Join(folder, "compose.yaml")}}, Environment: environment,
	})
}

// The file is one that docker compose takes, what it starts may do little, and the program takes the hub's configuration in it.
func TestTheComposeFileIsTaken(t *testing.T) {
	const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	project, err := composed(t, compose.Mapping{"VERSION": "v1.2.3", "POSTGRES_PASSWORD": "s3cr3t", "HUB_KEY": key})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bridge", "hub"} {
		s := project.Services[name]
		if s.Image != "contactbridge:v1.2.3" || !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: %+v", name, s)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: others than this machine reach the port %s", name, p.Published)
			}
		}
	}
	if len(project.Services["database"].Ports) > 0 {
		t.Error("others reach the database")
	}
	if check := project.Services["bridge"].HealthCheck.Test; len(check) < 2 || check[0] != "CMD" || check[1] != "/usr/bin/contactbridge" {
		t.Errorf("the bridge's health check is %q", check)
	}
	if s := project.Services["hub"]; len(s.Configs) != 1 || "hub -c "+s.Configs[0].Target != strings.Join(s.Command, " ") {
		t.Errorf("the hub's command is %q, its configuration %+v", s.Command, s.Configs)
	}
	file := filepath.Join(t.TempDir(), "hub.yaml")
	write(t, file, project.Configs["hub"].Content)
	cmd := program.Command(t, "hub", "-c", file, "--check")
	cmd.Env = os.Environ()
	for name, value := range project.Services["hub"].Environment {
		if name == "DATABASE" {
			*value = strings.Replace(*value, "@database/", "@127.0.0.1:1/", 1)
		}
		cmd.Env = append(cmd.Env, name+"="+*value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheComposeFileSaysWhatIsMissing(t *testing.T) {
	if _, err := composed(t, compose.Mapping{"VERSION": "v1.2.3", "HUB_KEY": "x"}); err == nil || !strings.Contains(err.Error(), "see the top of compose.yaml") {
		t.Error(err)
	}
}
