// Package deploy_test checks what deploys contactbridge: packages, units, compose.yaml, alert rules and the dashboard. The tests of
// the chart and of the image are apart, since they take long to compile.
package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/contactbridge/contactbridge/deploy/internal/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// An expression is one of a rule or a panel.
type expression struct{ from, text string }

// expressions are all of the rules and the dashboard.
func expressions(t *testing.T) (all []expression) {
	t.Helper()
	text, err := os.ReadFile("../chart/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" || r.For == "" {
				t.Errorf("%s says too little", r.Alert)
			}
			all = append(all, expression{r.Alert, r.Expr})
		}
	}
	if text, err = os.ReadFile("../grafana/contactbridge.json"); err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range dashboard.Panels {
		if seen[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		seen[p.ID] = true
		for _, target := range p.Targets {
			all = append(all, expression{p.Title, strings.NewReplacer("$__rate_interval", "5m", "$job", ".*").Replace(target.Expr)})
		}
	}
	return all
}

// Every series that a rule or panel asks for is one that a running hub or bridge has, with these labels and values.
func TestRulesAndDashboardAskForWhatThereIs(t *testing.T) {
	series := running(t)
	all := expressions(t)
	if len(all) < 25 {
		t.Fatalf("there are %d expressions", len(all))
	}
	p := parser.NewParser(parser.Options{})
	for _, e := range all {
		parsed, err := p.ParseExpr(e.text)
		if err != nil {
			t.Errorf("%s: %v", e.from, err)
			continue
		}
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok && selector.Name != "contactbridge_certificate_expiry_timestamp_seconds" {
				if !found(selector, series) {
					t.Errorf("%s: nothing answers %s", e.from, selector)
				}
			}
			return nil
		})
	}
}

// found reports whether a series answers a selector. What is an error's or a trouble's must have its label only: there is no trouble.
func found(selector *parser.VectorSelector, series []model.Metric) bool {
	for _, s := range series {
		if string(s[model.MetricNameLabel]) != selector.Name {
			continue
		}
		fits := true
		for _, m := range selector.LabelMatchers {
			value, has := s[model.LabelName(m.Name)]
			switch m.Name {
			case labels.MetricName, "job", "instance":
			case "health", "status", "code":
				fits = fits && has
			default:
				fits = fits && has && m.Matches(string(value))
			}
		}
		if fits {
			return true
		}
	}
	return false
}

const bridgeFile = `
listen: 127.0.0.1:%d
endpoints:
  crm:
    auth: {username: agent, password: s3cr3t-P4ssw0rd}
    source: {kind: memory, contacts: [{id: 1, name: Jane, phones: +1 415 555 2671}]}
`

const hubFile = `
listen: 127.0.0.1:%d
data: ./data
accounts:
  acme:
    integrations:
      crm: {bridge: "http://127.0.0.1:%d/crm/contact_sync", auth: {username: agent, password: s3cr3t-P4ssw0rd}, every: 10s}
tokens:
  pbx: {account: acme, scopes: [callers:read], value: s3cr3t-t0ken-of-the-pbx}
network: {allow_private: true}
`

// running starts a bridge and a hub, lets the hub fetch and look up a caller, and returns the series of both.
func running(t *testing.T) []model.Metric {
	t.Helper()
	folder, bridge, hub := t.TempDir(), freePort(t), freePort(t)
	write(t, filepath.Join(folder, "bridge.yaml"), fmt.Sprintf(bridgeFile, bridge))
	write(t, filepath.Join(folder, "hub.yaml"), fmt.Sprintf(hubFile, hub, bridge))
	start(t, folder, "serve", "-c", "bridge.yaml")
	await(t, bridge, "/readyz", func(string) bool { return true })
	start(t, folder, "hub", "-c", "hub.yaml")
	await(t, hub, "/metrics", func(text string) bool { return strings.Contains(text, `contactbridge_integration_freshness_seconds{`) })
	await(t, hub, "/callerid?number=%2B14155552671", func(text string) bool { return strings.Contains(text, "Jane") })
	var all []model.Metric
	text := expfmt.NewTextParser(model.UTF8Validation)
	for _, port := range []int{bridge, hub} {
		families, err := text.TextToMetricFamilies(strings.NewReader(await(t, port, "/metrics", func(string) bool { return true })))
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, family)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				all = append(all, s.Metric)
			}
		}
	}
	return all
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs the program until the test ends.
func start(t *testing.T, folder string, args ...string) {
	t.Helper()
	cmd := program.Command(t, args...)
	cmd.Dir = folder
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
}

// await asks until an answer is good.
func await(t *testing.T, port int, path string, good func(string) bool) string {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer s3cr3t-t0ken-of-the-pbx")
		if path == "/metrics" {
			request.Header.Del("Authorization")
		}
		response, err := http.DefaultClient.Do(request)
		text := ""
		if err == nil {
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if text = string(body); response.StatusCode == http.StatusOK && good(text) {
				return text
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v\n%s", path, err, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// freePort returns a port as package internal/test/ports of the main module does, which this module cannot import, and claims it in the same
// way.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		claim, err := net.Listen("unix", fmt.Sprintf("@contactbridge-test-port-%d", port))
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = claim.Close() })
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port of loopback was found")
	return 0
}

// variable is how a query names one.
var variable = regexp.MustCompile(`\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)[^}]*\})`)

func TestTheDashboardsVariablesAreThere(t *testing.T) {
	text, err := os.ReadFile("../grafana/contactbridge.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"__rate_interval": true}
	for _, v := range dashboard.Templating.List {
		known[v.Name] = true
	}
	used := variable.FindAllStringSubmatch(string(text), -1)
	if len(used) == 0 {
		t.Error("it uses no variable")
	}
	for _, v := range used {
		if name := v[1] + v[2]; !known[name] {
			t.Errorf("nobody knows %s", v[0])
		}
	}
}
