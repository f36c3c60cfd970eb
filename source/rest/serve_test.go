package rest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
)

// sent takes the credential out of a tenant's configuration: a caller sends it.
func sent(v tenant) (text, key, value string) {
	var lines []string
	for line := range strings.Lines(credentialsOf(v)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "" && (name == "access_token" || name == "api_token" || name == "api_key" || name == "client_secret" || name == "password") {
			key, value = name, rest
			line = fmt.Sprintf("%s: \"{{auth.%[1]s}}\"\n", name)
		}
		lines = append(lines, "      "+line)
	}
	return strings.Join(lines, "") + "      " + fast, key, value // the check asks more often than a synchronizer
}

// leastOf returns the fields of a vendor's record with as little as it allows.
func leastOf(v tenant, n int) vendors.Fields {
	if s, ok := specimens()[v.kind]; ok {
		return s.least
	}
	return v.fields(person("Doe", n))
}

// TestEveryPresetIsServedStrictly serves every preset's vendor as the program does, and checks the bridge as contactbridge check --strict.
func TestEveryPresetIsServedStrictly(t *testing.T) {
	const contacts = 60
	for _, v := range append(ofVendors(), espoCRM(), dolibarr(), odoo()) {
		t.Run(v.kind, func(t *testing.T) {
			t.Parallel()
			clock := new(vendors.Clock)
			simulator, store := v.new(clock.Now)
			for i := range contacts {
				store.Put(clock.Now().Add(-90*24*time.Hour+time.Duration(i/7)*time.Minute), store.NewID(i+1), leastOf(v, i))
			}
			clock.Advance(20 * time.Minute)
			cloud := new(vendors.Cloud)
			cloud.Add(simulator)
			text, key, value := sent(v)
			cfg, err := config.Parse("bridge.yaml", []byte("endpoints:\n  crm:\n    auth: source\n    page: {contacts: 20}\n    source:\n      kind: "+v.kind+"\n"+text), strictyaml.Environment{})
			if err != nil {
				t.Fatal(err)
			}
			server, err := bridgeserver.New(cfg, bridgeserver.Options{Clock: clock, Transport: cloud})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			listening := httptest.NewServer(server)
			defer listening.Close()
			bridgetest.Run(t, bridgetest.Target{
				URL: listening.URL + "/crm/contact_sync", Auth: map[string]string{key: value}, Contacts: contacts,
				Restart: func(context.Context) error { return nil }, // it keeps nothing between requests
			}, bridgetest.Options{Pause: 20 * time.Millisecond})
			if traffic := simulator.Common().Traffic(); traffic.Refused > 0 && v.kind != "dolibarr" { // which answers so where there is nothing
				t.Errorf("%d of %d requests were refused", traffic.Refused, traffic.Requests)
			}
		})
	}
}
