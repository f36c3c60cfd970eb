package support_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/support"
)

const secret = "s3cr3t"

func TestNoSecretOfAConfigurationIsShown(t *testing.T) {
	text := `
# password: s3cr3t
listen: 127.0.0.1:8090 # s3cr3t
database: postgres://user:s3cr3t@db.example.com:5432/s3cr3t?password=s3cr3t
tls: {acme: {domains: [a.example.com], seal_key: s3cr3t}}
metrics: {access: any, token: s3cr3t}
endpoints:
  crm:
    auth: {username: s3cr3t, password: &p s3cr3t, listen: s3cr3t, kind: s3cr3t}
    source: {kind: postgres, dsn: "${CRM_DSN}", table: customers, fields: {name: first || last}, query: "select 's3cr3t'"}
  mem:
    auth: none
    source: {kind: memory, contacts: [{id: s3cr3t, name: s3cr3t, phones: [s3cr3t]}]}
    page: {contacts: 500}
  new:
    source: {kind: crm, api_key: 12345678, something: {kind: s3cr3t_is_not_here, other: s3cr3t}, password: *p, dsn: "user:s3cr3t@tcp(db)/crm"}
webhooks:
  chat: {url: "https://hooks.example.com/services/s3cr3t", secret: s3cr3t}
secrets: {key_command: [vault, s3cr3t]}
accounts: {acme: {integrations: {crm: {bridge: "https://a:s3cr3t@bridge.example.com/crm/contact_sync?key=s3cr3t", every: 30m}}}}
`
	out, err := support.Redact([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Join(strings.Fields(strings.ReplaceAll(string(out), "s3cr3t_is_not_here", "")), " ") // lines are wrapped
	if strings.Contains(have, secret) || strings.Contains(have, "12345678") {
		t.Errorf("a secret is shown:\n%s", have)
	}
	for _, want := range []string{
		"listen: 127.0.0.1:8090", "postgres://db.example.com:5432/", "${CRM_DSN}", "table: customers", "first || last", "contacts: 500", "a.example.com",
		"https://hooks.example.com/", "https://bridge.example.com/", "every: 30m", "kind: memory", "auth: none", "username: ",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("%q is not shown:\n%s", want, have)
		}
	}
	if _, err := support.Redact([]byte("a: [s3cr3t")); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("broken YAML: %v", err)
	}
}
