package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/hub/registry"
)

var codeBlock = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```\n")

func TestCommandsOfTheDocsDoWhatTheDocsSay(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is missing")
	}
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	environment := append(os.Environ(), "HUB="+f.server.URL, "ADMIN="+f.admin, "BRIDGE="+f.bridge, "TOKEN="+f.token(t, "acme",
		registry.ScopeCallers, registry.ScopeContacts, registry.ScopePurge, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite))
	output, ran, compared := "", 0, 0
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		switch kind, body := block[1], block[2]; {
		case kind == "sh" && strings.Contains(body, "curl"):
			command := exec.Command("bash", "-euo", "pipefail", "-c", body)
			command.Env = environment
			out, err := command.CombinedOutput()
			if output = string(out); err != nil {
				t.Errorf("%s\n%v: %s", body, err, out)
			}
			ran++
		case kind == "json":
			var want, have any
			if err := json.Unmarshal([]byte(body), &want); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if err := json.Unmarshal([]byte(output), &have); err != nil {
				t.Errorf("%v: %s", err, output)
			}
			if where := missing("", want, have); where != "" {
				t.Errorf("%s: the docs say %s, it is %s", where, body, output)
			}
			compared++
		case kind == "text":
			if output != strings.TrimSpace(body) {
				t.Errorf("the docs say %s, it is %s", body, output)
			}
			compared++
		}
	}
	if ran < 15 || compared < 10 {
		t.Errorf("only %d blocks ran, %d answers were compared", ran, compared)
	}
}

// missing is where something that is wanted is not; … stands for anything.
func missing(at string, want, have any) string {
	switch want := want.(type) {
	case map[string]any:
		object, _ := have.(map[string]any)
		for key, value := range want {
			if where := missing(at+"."+key, value, object[key]); where != "" {
				return where
			}
		}
		return ""
	case []any:
		list, _ := have.([]any)
		if len(list) != len(want) {
			return fmt.Sprintf("%s has %d entries", at, len(list))
		}
		for i := range want {
			if where := missing(fmt.Sprintf("%s[%d]", at, i), want[i], list[i]); where != "" {
				return where
			}
		}
		return ""
	}
	if want == "…" && have != nil || want == have {
		return ""
	}
	return at + " is " + fmt.Sprint(have)
}
