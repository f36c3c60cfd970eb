package hub

import (
	"maps"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A setting that decides which tenant's contacts come changes the digest; a rotated credential, and how often it runs, does not.
func TestSettingsDigestChangesWithTheTenantOnly(t *testing.T) {
	key := []byte("key")
	integration := func() registry.Integration {
		return registry.Integration{
			Key: directory.Key{Account: "acme", Integration: "crm"}, Bridge: "https://{{tenant}}.example.com/{{api_key}}/contact_sync",
			Fields: []registry.Field{{Name: "code", Type: "password"}, {Name: "token_owner", Type: "text"}},
			OAuth:  &registry.OAuth{Grant: ClientCredentials, TokenURL: "https://login.example.com", ClientID: "hub", Scopes: []string{"b", "a"}},
		}
	}
	auth := map[string]string{
		"tenant": "north", "username": "agent", "password": "1", "api_key": "2", "code": "3", "token_owner": "jane", "client_secret": "4", "sessionToken": "5",
		"session_id": "6", "PHPSESSID-cookie": "7", "otp": "8",
	}
	digest := func(i registry.Integration, auth map[string]string, region string) string {
		t.Helper()
		d, err := settingsDigest(key, i, auth, region)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(integration(), auth, "GB")
	with := func(name, value string) map[string]string {
		other := maps.Clone(auth)
		other[name] = value
		return other
	}
	changed := func(change func(*registry.Integration)) registry.Integration {
		i := integration()
		change(&i)
		return i
	}
	for name, other := range map[string]string{
		"password":       digest(integration(), with("password", "x"), "GB"),
		"key in the URL": digest(integration(), with("api_key", "x"), "GB"),
		"described":      digest(integration(), with("code", "x"), "GB"),
		"camel case":     digest(integration(), with("sessionToken", "x"), "GB"),
		"session":        digest(integration(), with("session_id", "x"), "GB"),
		"cookie":         digest(integration(), with("PHPSESSID-cookie", "x"), "GB"),
		"one-time code":  digest(integration(), with("otp", "x"), "GB"),
		"client secret":  digest(integration(), with("client_secret", "x"), "GB"),
		"access token":   digest(integration(), with("access_token", "x"), "GB"),
		"region's case":  digest(integration(), auth, "gb"),
		"scopes' order":  digest(changed(func(i *registry.Integration) { i.OAuth.Scopes = []string{"a", "b"} }), auth, "GB"),
		"schedule":       digest(changed(func(i *registry.Integration) { i.Schedule.Every = time.Hour }), auth, "GB"),
		"limits":         digest(changed(func(i *registry.Integration) { i.Limits.Pages = 7 }), auth, "GB"),
		"guard":          digest(changed(func(i *registry.Integration) { i.Guard.Share = 0.5 }), auth, "GB"),
		"a label":        digest(changed(func(i *registry.Integration) { i.Fields[0].Display = "Code" }), auth, "GB"),
		"no value":       digest(integration(), with("empty", ""), "GB"),
	} {
		if other != want {
			t.Errorf("%s changed it", name)
		}
	}
	for name, other := range map[string]string{
		"bridge":      digest(changed(func(i *registry.Integration) { i.Bridge = "https://{{tenant}}.example.com/other" }), auth, "GB"),
		"placeholder": digest(integration(), with("tenant", "south"), "GB"),
		"username":    digest(integration(), with("username", "other"), "GB"),
		"described":   digest(integration(), with("token_owner", "joe"), "GB"),
		"another one": digest(integration(), with("account", "7"), "GB"),
		"a format":    digest(changed(func(i *registry.Integration) { i.Fields[1].Format = "{{token_owner}}@example.com" }), auth, "GB"),
		"a default": digest(changed(func(i *registry.Integration) {
			i.Fields = append(i.Fields, registry.Field{Name: "site", Default: "eu"})
		}), auth, "GB"),
		"region":       digest(integration(), auth, "US"),
		"token source": digest(changed(func(i *registry.Integration) { i.OAuth.TokenURL = "https://login.example.com/other" }), auth, "GB"),
		"client":       digest(changed(func(i *registry.Integration) { i.OAuth.ClientID = "other" }), auth, "GB"),
		"parameters":   digest(changed(func(i *registry.Integration) { i.OAuth.Params = map[string]string{"audience": "x"} }), auth, "GB"),
		"no OAuth":     digest(changed(func(i *registry.Integration) { i.OAuth = nil }), auth, "GB"),
	} {
		if other == want {
			t.Errorf("%s did not change it", name)
		}
	}
	if other, err := settingsDigest([]byte("another"), integration(), auth, "GB"); err != nil || other == want {
		t.Errorf("it can be computed without the key: %v", err)
	}
}
