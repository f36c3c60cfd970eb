package registration_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/internal/registration"
)

func whole() registration.Integration {
	return registration.Integration{
		Name: "crm", DisplayName: "Example CRM", Description: "Customers & <leads>", LogoURL: "https://example.com/logo.png", IconURL: "https://example.com/icon.png",
		AuthenticationType: registration.Custom,
		Fields: []registration.Field{
			{Name: "account", Source: "input", Display: "Account", Mandatory: true, Type: "input", Store: true, Format: "https://{{account}}.example.com"},
			{Name: "password", Source: "input", Display: "Password", Mandatory: true, Type: "input", Help: "Settings | Users"},
			{Name: "token", Source: "auth_validation", Display: "Token", Type: "input", Store: true},
			{Name: "region", Source: "default", Display: "Region", Type: "input", Store: true, Default: "eu"},
		},
		AuthValidation: "https://b.example.com/crm/auth_validation", ContactSync: "https://b.example.com/crm/contact_sync",
		AgentSync: "https://b.example.com/crm/agent_sync", Interactions: "https://b.example.com/crm/activity", InteractionTypes: []string{"ticket"},
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	text := whole().JSON()
	for _, part := range []string{
		`"description": "Customers & <leads>"`, "    {\n      \"account\": {\n        \"source\": \"input\",", `"store": false`,
		`"agent_synchronization_endpoint": "https://b.example.com/crm/agent_sync"`,
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is not in\n%s", part, text)
		}
	}
	got, err := registration.Parse(text)
	if diff := cmp.Diff(whole(), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// The fields as a list with names, as one object, and the spellings of the older reference.
func TestEveryFormIsRead(t *testing.T) {
	want := []registration.Field{
		{Name: "a", Source: "input", Display: "a", Type: "input", Store: true}, {Name: "b", Source: "input", Display: "B", Type: "input", Mandatory: true},
	}
	for _, text := range []string{
		`{"name":"x","authentication_configuration":[{"a":{}},{"b":{"display":"B","mandatory":true,"store":false}}],"contact_synchronization_url":"https://x"}`,
		`{"name":"x","authentication_configuration":[{"name":"a"},{"name":"b","display":"B","mandatory":true,"store":false}],"contact_synchronization_endpoint":"https://x","more":1}`,
		"\xef\xbb\xbf" + `{"name":"x","authentication_type":"custom","authentication_fields":{"b":{"display":"B","mandatory":true,"store":false},"a":{}},"contact_synchronization_url":"https://x"}`,
	} {
		i, err := registration.Parse([]byte(text))
		if diff := cmp.Diff(want, i.Fields); diff != "" || err != nil || i.ContactSync != "https://x" || i.AuthenticationType != "custom" {
			t.Errorf("%s: %s %v %+v", text, diff, err, i)
		}
	}
	i, err := registration.Parse([]byte(`{"name":"x"}`))
	if err != nil || i.AuthenticationType != "none" || i.Fields != nil {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestWhatIsNoRegistrationIsRefused(t *testing.T) {
	for text, said := range map[string]string{
		`[]`: "not the JSON", `{"name":1}`: "not the JSON", `{"authentication_type":"basic"}`: "unknown authentication_type",
		`{"authentication_configuration":7}`: "not a list", `{"authentication_configuration":[{}]}`: "not an object", `{"authentication_configuration":[{"a":7}]}`: "not an object",
		`{"authentication_configuration":[{"a":{"source":"moon"}}]}`: "unknown source", `{"authentication_configuration":[{"a":{"type":"moon"}}]}`: "unknown type",
		`{"authentication_configuration":[{"a":{}},{"a":{}}]}`: "two fields",
	} {
		if _, err := registration.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTables(t *testing.T) {
	i := whole()
	i.LogoURL = ""
	text := string(i.Markdown())
	for _, line := range []string{
		"| `logo_url` | **to be filled in** |\n", "| `password` | input | Password | yes | input | no | Settings \\| Users |  |  |\n",
		"| `agent_synchronization_endpoint` | https://b.example.com/crm/agent_sync |\n", "| `interaction_types` | ticket |\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	if missing := i.Missing(); !cmp.Equal(missing, []string{"logo_url"}) {
		t.Error(missing)
	}
}
