package setup_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/internal/setup"
	"github.com/contactbridge/contactbridge/source"
)

// A credential that was not given has no place in the configuration: a reference to a variable that nobody sets would stop the bridge.
func TestACredentialThatIsNotGivenIsLeftOut(t *testing.T) {
	optional := source.Question{Key: "client_secret", Title: "Client secret", Secret: true, Optional: true}
	given := source.Question{Key: "access_token", Title: "Access token", Secret: true, Optional: true}
	d := setup.Draft{
		Endpoint: "crm", Kind: source.Kind{Name: "hubspot"}, File: "bridge.yaml",
		Answers: []setup.Answer{{Question: given, Text: "s3cr3t"}, {Question: optional}},
	}
	text := d.Text()
	if strings.Contains(text, "client_secret") || !strings.Contains(text, "access_token: ${CRM_ACCESS_TOKEN}") || strings.Contains(text, "s3cr3t") {
		t.Error(text)
	}
	if secrets := d.Secrets(); len(secrets) != 1 || secrets[0].Name != "CRM_ACCESS_TOKEN" || secrets[0].Value != "s3cr3t" {
		t.Errorf("%+v", secrets)
	}
}
