// Package chart_test checks the chart with what Helm, Kubernetes and the Prometheus operator have for it.
package chart_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/contactbridge/contactbridge/deploy/internal/program"
)

func TestMain(m *testing.M) { program.Main(m) }

const chartFolder = "../../chart"

// types are the objects that the chart makes, by apiVersion and kind.
func types() map[string]func() any {
	return map[string]func() any{
		"apps/v1 Deployment":                      func() any { return &apps.Deployment{} },
		"v1 ConfigMap":                            func() any { return &core.ConfigMap{} },
		"v1 Secret":                               func() any { return &core.Secret{} },
		"v1 Service":                              func() any { return &core.Service{} },
		"v1 ServiceAccount":                       func() any { return &core.ServiceAccount{} },
		"policy/v1 PodDisruptionBudget":           func() any { return &policy.PodDisruptionBudget{} },
		"networking.k8s.io/v1 NetworkPolicy":      func() any { return &networking.NetworkPolicy{} },
		"networking.k8s.io/v1 Ingress":            func() any { return &networking.Ingress{} },
		"monitoring.coreos.com/v1 ServiceMonitor": func() any { return &monitoring.ServiceMonitor{} },
		"monitoring.coreos.com/v1 PrometheusRule": func() any { return &monitoring.PrometheusRule{} },
	}
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render returns the objects that values make, by kind and name.
func render(t *testing.T, values string) (map[string]any, error) {
	t.Helper()
	var given map[string]any
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	c := load(t)
	all, err := chartutil.ToRenderValues(c, given, chartutil.ReleaseOptions{Name: "acme", Namespace: "calls", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := (engine.Engine{Strict: true}).Render(c, all)
	if err != nil {
		return nil, err
	}
	objects := map[string]any{}
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for document := range strings.SplitSeq(text, "\n---\n") {
			if err := decode(document, objects); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
		}
	}
	return objects, nil
}

// decode adds an object: a key that its type does not know is an error.
func decode(document string, objects map[string]any) error {
	var header struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal([]byte(document), &header); err != nil || header.Kind == "" {
		return err
	}
	make, ok := types()[header.APIVersion+" "+header.Kind]
	if !ok {
		return fmt.Errorf("nobody knows %s %s", header.APIVersion, header.Kind)
	}
	object := make()
	if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
		return err
	}
	if header.Metadata.Namespace != "calls" {
		return fmt.Errorf("it is in the namespace %q", header.Metadata.Namespace)
	}
	objects[header.Kind+" "+header.Metadata.Name] = object
	return nil
}

const everything = `
secret: {database: "postgres://a:b@db/c", key: a2V5}
publicURL: https://contacts.example.com
extraEnvFrom: [{secretRef: {name: passwords}}]
image: {pullSecrets: [registry]}
ingress: {enabled: true, className: nginx, tlsSecret: tls, annotations: {a: b}}
networkPolicy: {ingressFrom: [{namespaceSelector: {}}], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
serviceMonitor: {enabled: true, tokenSecret: prometheus, labels: {release: p}}
prometheusRule: {enabled: true, labels: {release: p}}
serviceAccount: {annotations: {a: b}}
podAnnotations: {a: b}
nodeSelector: {a: b}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
config: {network: {allow: [10.0.0.0/8]}, accounts: {acme: {region: GB}}}
`

func TestTheChartIsLinted(t *testing.T) {
	for name, values := range map[string]string{"everything": everything, "little": "secret: {existing: hub}"} {
		var given map[string]any
		if err := yaml.Unmarshal([]byte(values), &given); err != nil {
			t.Fatal(err)
		}
		linter := lint.All(chartFolder, given, "calls", true)
		for _, m := range linter.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

// Every object is one that Kubernetes and the Prometheus operator take, and every role runs as it should.
func TestTheChartsObjectsAreWhatKubernetesTakes(t *testing.T) {
	objects, err := render(t, everything)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"Deployment acme-contactbridge-web", "Deployment acme-contactbridge-worker", "Secret acme-contactbridge", "ConfigMap acme-contactbridge",
		"PodDisruptionBudget acme-contactbridge-web", "PodDisruptionBudget acme-contactbridge-worker", "NetworkPolicy acme-contactbridge-web",
		"NetworkPolicy acme-contactbridge-worker", "Service acme-contactbridge-web", "Service acme-contactbridge-worker", "Ingress acme-contactbridge",
		"ServiceMonitor acme-contactbridge", "PrometheusRule acme-contactbridge", "ServiceAccount acme-contactbridge",
	} {
		if objects[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, role := range []string{"web", "worker"} {
		d := objects["Deployment acme-contactbridge-"+role].(*apps.Deployment)
		pod := d.Spec.Template.Spec
		c := pod.Containers[0]
		if strings.Join(c.Args, " ") != "hub -c /etc/contactbridge/hub.yaml --role "+role || *d.Spec.Replicas != 2 {
			t.Errorf("%s: %v, %d", role, c.Args, *d.Spec.Replicas)
		}
		if !*pod.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation || *pod.AutomountServiceAccountToken {
			t.Errorf("%s may do more than it needs", role)
		}
		if c.LivenessProbe == nil || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.StartupProbe == nil {
			t.Errorf("%s has no probes", role)
		}
		for key, value := range d.Spec.Selector.MatchLabels {
			if d.Spec.Template.Labels[key] != value || objects["Service acme-contactbridge-"+role].(*core.Service).Spec.Selector[key] != value {
				t.Errorf("%s: the selector does not find its pods by %s", role, key)
			}
		}
	}
	if rule := objects["PrometheusRule acme-contactbridge"].(*monitoring.PrometheusRule); len(rule.Spec.Groups) == 0 || len(rule.Spec.Groups[0].Rules) < 10 {
		t.Errorf("the rules are %+v", rule.Spec)
	}
}

// The configuration that the chart writes is one that the program takes.
func TestTheChartsConfigurationIsTaken(t *testing.T) {
	for name, values := range map[string]string{"everything": everything, "little": "secret: {existing: hub}"} {
		objects, err := render(t, values)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "hub.yaml")
		if err := os.WriteFile(file, []byte(objects["ConfigMap acme-contactbridge"].(*core.ConfigMap).Data["hub.yaml"]), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, role := range []string{"web", "worker"} {
			cmd := program.Command(t, "hub", "-c", file, "--role", role, "--check")
			cmd.Env = append(cmd.Environ(), "DATABASE=postgres://a@db/c", "KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s, %s: %v\n%s", name, role, err, out)
			}
		}
	}
}

func TestTheChartSaysWhatIsMissing(t *testing.T) {
	for values, want := range map[string]string{
		"{}": "secret.existing",
		"{secret: {existing: x}, config: {listen: ':1'}}":          "config.listen",
		"{secret: {existing: x}, serviceMonitor: {enabled: true}}": "tokenSecret",
	} {
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", values, err)
		}
	}
}
