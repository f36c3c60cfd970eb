package hub_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Who may change an integration cannot read its password; neither may they have it sent to a place of their own.
func TestKeptValuesGoOnlyWhereTheyWereGivenFor(t *testing.T) {
	f := newHub(t)
	given := map[string]string{"site": "acme", "username": "agent", "password": "s3cret"}
	given["client_secret"] = "hush"
	first := registry.Integration{Bridge: "https://{{site}}.example.com/sync", Validation: "https://auth.example.com/check", Paused: true}
	for name, c := range map[string]struct {
		change func(i *registry.Integration)
		auth   map[string]string
		want   bool // that it may be changed so
	}{
		"another path":                  {func(i *registry.Integration) { i.Bridge = "https://{{site}}.example.com/other" }, nil, true},
		"a host that they went to":      {func(i *registry.Integration) { i.Bridge = "https://auth.example.com/sync" }, nil, true},
		"the same host and usual port":  {func(i *registry.Integration) { i.Bridge = "https://{{site}}.EXAMPLE.com:443/sync" }, nil, true},
		"another host":                  {func(i *registry.Integration) { i.Bridge = "https://evil.example/sync" }, nil, false},
		"another port":                  {func(i *registry.Integration) { i.Bridge = "https://{{site}}.example.com:8443/sync" }, nil, false},
		"without encryption":            {func(i *registry.Integration) { i.Bridge = "http://{{site}}.example.com/sync" }, nil, false},
		"another validation":            {func(i *registry.Integration) { i.Validation = "https://evil.example/check" }, nil, false},
		"a token URL of one's own":      {func(i *registry.Integration) { i.OAuth = clientOf("https://login.example/token") }, map[string]string{"client_secret": "x"}, true},
		"a token URL and a kept secret": {func(i *registry.Integration) { i.OAuth = clientOf("https://evil.example/token") }, nil, false},
		"a value that stands in it":     {func(*registry.Integration) {}, map[string]string{"site": "evil.example/?"}, false},
		"the other values not given":    {func(i *registry.Integration) { i.Bridge = "https://evil.example/sync" }, map[string]string{"password": "mine"}, false},
		"all values given again":        {func(i *registry.Integration) { i.Bridge = "https://new.example.com/sync" }, map[string]string{"site": "acme", "username": "a", "password": "b", "client_secret": "c"}, true},
		"all values given or taken off": {func(i *registry.Integration) { i.Bridge = "https://new.example.com/sync" }, map[string]string{"site": "", "username": "", "password": "b", "client_secret": ""}, true},
	} {
		t.Run(name, func(t *testing.T) {
			i := first
			i.Key = directory.Key{Account: "acme", Integration: "crm"}
			must(t, f.AddIntegration(t.Context(), i, given))
			c.change(&i)
			err := f.ChangeIntegration(t.Context(), i, c.auth)
			if e := failure.Of(err); (err == nil) != c.want || err != nil && (e.Code != failure.Invalid || e.Hint == "") {
				t.Errorf("%v", err)
			}
			must(t, f.RemoveIntegration(t.Context(), i.Key))
		})
	}
}

func clientOf(token string) *registry.OAuth {
	return &registry.OAuth{Grant: hub.ClientCredentials, TokenURL: token, ClientID: "hub"}
}

func TestAnAddressMayBeAskedByHTTPSFromNowOn(t *testing.T) {
	for to, want := range map[string]string{
		"https://crm.example.com/": "", "https://crm.example.com:80/": "", "https://crm.example.com:8443/": "crm.example.com:8443", "https://crm.example.org/": "crm.example.org:443",
	} {
		got := hub.NewDestination(registry.Integration{Bridge: "http://crm.example.com/"}, nil, registry.Integration{Bridge: to}, nil)
		if got != want {
			t.Errorf("%s: %q", to, got)
		}
	}
}

func TestATokenOfAProviderIsForgottenWithTheOldAddress(t *testing.T) {
	f := newHub(t)
	i := registry.Integration{Key: directory.Key{Account: "acme", Integration: "crm"}, Bridge: "https://crm.example.com/sync", Paused: true}
	must(t, f.AddIntegration(t.Context(), i, nil))
	kept := func() string {
		secret, err := f.Registry.Secret(t.Context(), registry.Owner(i.Key), "oauth")
		must(t, err)
		return string(secret)
	}
	must(t, f.Registry.SetSecret(t.Context(), registry.Owner(i.Key), "oauth", []byte(`{"access_token":"a"}`)))
	i.Bridge = "https://crm.example.com/other"
	must(t, f.ChangeIntegration(t.Context(), i, nil))
	if kept() == "" {
		t.Error("another path took it away")
	}
	i.Bridge = "https://evil.example/sync"
	must(t, f.ChangeIntegration(t.Context(), i, nil))
	if kept() != "" {
		t.Error("it would be sent to another host")
	}
}

func TestTheClientSecretGoesWithItsOAuth(t *testing.T) {
	f := newHub(t)
	i := registry.Integration{Key: directory.Key{Account: "acme", Integration: "crm"}, Bridge: "https://crm.example.com/sync", OAuth: clientOf("https://login.example/token"), Paused: true}
	must(t, f.AddIntegration(t.Context(), i, map[string]string{"client_secret": "hush", "username": "agent"}))
	i.OAuth = nil
	must(t, f.ChangeIntegration(t.Context(), i, nil))
	kept, err := f.Registry.Auth(t.Context(), i.Key)
	must(t, err)
	if _, there := kept["client_secret"]; there || kept["username"] != "agent" {
		t.Errorf("kept: %v", slices.Sorted(maps.Keys(kept)))
	}
}
