package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/registration"
)

func TestAgentsAreASourceOfTheirOwn(t *testing.T) {
	cfg, err := parse(t, "good/agents.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crm, tenants := cfg.Endpoints["crm"], cfg.Endpoints["tenants"]
	if crm.NewAgents == nil || crm.AgentsKind.Name != "sqlite" || crm.AgentsTitle != "table users" || crm.Kind.Name != "memory" {
		t.Errorf("%q, %q", crm.AgentsKind.Name, crm.AgentsTitle)
	}
	if want := []string{"branch", "tenant"}; !cmp.Equal(tenants.SourceAuth, want) {
		t.Errorf("tenants ask for %v", tenants.SourceAuth)
	}
	without := crm
	without.NewAgents = nil
	if crm.Digest() != without.Digest() {
		t.Error("checkpoints depend on the agents")
	}
}

func TestWhatIsRegistered(t *testing.T) {
	cfg, err := parse(t, "good/agents.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := registration.Integration{
		Name: "crm", DisplayName: "Example CRM", Description: "Customers", LogoURL: "https://example.com/logo.png", IconURL: "https://example.com/icon.png",
		AuthenticationType: "custom",
		Fields: []registration.Field{
			{Name: "username", Source: "input", Display: "User", Mandatory: true, Type: "input", Store: true, Help: "Yours", Format: "{{username}}@example.com"},
			{Name: "region", Source: "default", Display: "Region", Type: "input", Store: true, Default: "eu"},
			{Name: "password", Source: "input", Display: "Password", Mandatory: true, Type: "input", Store: true},
		},
		AuthValidation: "https://b.example.com/x/crm/auth_validation", ContactSync: "https://b.example.com/x/crm/contact_sync",
		AgentSync: "https://b.example.com/x/crm/agent_sync",
	}
	if diff := cmp.Diff(want, cfg.Endpoints["crm"].Registered("https://b.example.com/x/")); diff != "" {
		t.Error(diff)
	}
	open := config.Endpoint{Name: "open", Auth: config.Auth{Mode: config.AuthNone}}
	want = registration.Integration{Name: "open", DisplayName: "open", AuthenticationType: "none", ContactSync: "https://b.example.com/open/contact_sync"}
	if diff := cmp.Diff(want, open.Registered("https://b.example.com")); diff != "" {
		t.Error(diff)
	}
}
