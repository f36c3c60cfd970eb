package synchronizer_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/synchronizer"
)

func TestSettingsChangeWithWhatARunDependsOn(t *testing.T) {
	base := synchronizer.SettingsDigest("https://a.test/x", "DE", map[string]string{"username": "jane", "host": "db1"})
	if same := synchronizer.SettingsDigest("https://a.test/x", "de", map[string]string{"host": "db1", "username": "jane"}); same != base {
		t.Error("order or case of the region changed the settings")
	}
	for name, other := range map[string]string{
		"url":    synchronizer.SettingsDigest("https://a.test/y", "DE", map[string]string{"username": "jane", "host": "db1"}),
		"region": synchronizer.SettingsDigest("https://a.test/x", "AT", map[string]string{"username": "jane", "host": "db1"}),
		"value":  synchronizer.SettingsDigest("https://a.test/x", "DE", map[string]string{"username": "joe", "host": "db1"}),
		"names":  synchronizer.SettingsDigest("https://a.test/x", "DE", map[string]string{"usernam": "ejane", "host": "db1"}),
		"absent": synchronizer.SettingsDigest("https://a.test/x", "DE", map[string]string{"username": "jane"}),
	} {
		if other == base {
			t.Errorf("another %s is the same setting", name)
		}
	}
}

// A digest without a key takes only what identifies and is surely no secret; one with a key takes all but credentials.
func TestNamesTellTenantsFromCredentials(t *testing.T) {
	for field, want := range map[string]struct{ identifies, credential bool }{
		"username": {true, false}, "Account_ID": {true, false}, "subdomain": {true, false}, "password": {false, true}, "user_token": {false, true},
		"account_key": {false, true}, "client_secret": {false, true}, "x": {}, "apiKey": {false, true}, "API-KEY": {false, true},
		"userpassword": {}, "company_code": {}, "compass_id": {}, "shipping": {}, "tenantAuth": {false, true},
	} {
		if got := synchronizer.Identifies(field); got != want.identifies {
			t.Errorf("%s identifies: %v", field, got)
		}
		if got := synchronizer.IsCredential(field); got != want.credential {
			t.Errorf("%s is a credential: %v", field, got)
		}
	}
}
