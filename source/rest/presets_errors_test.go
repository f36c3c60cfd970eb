package rest_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

// TestEveryPresetSaysWhatIsWrong answers every request of every preset with the same failure: each says which one it is and what to do,
// names what its user has to look at, shows no credential, and is never taken for a service without contacts.
func TestEveryPresetSaysWhatIsWrong(t *testing.T) {
	rights := map[string]string{ // what a credential may lack
		"hubspot": "crm.objects.contacts.read", "salesforce": "right to read contacts", "salesforce_leads": "right to read leads", "zendesk": "administrator", "pipedrive": "contacts:read",
		"freshdesk": "global access", "microsoft_graph": "Contacts.Read", "microsoft_org_contacts": "OrgContact.Read.All", "google": "contacts.readonly", "dynamics365": "role",
		"zoho": "ZohoCRM.modules.contacts.READ", "espocrm": "role", "dolibarr": "right", "odoo": "right",
		"close": "see all leads", "freshsales": "sees all contacts", "intercom": "read and list users", "servicenow": "role", "shopify": "read_customers",
		"copper": "see all people", "kustomer": "org.permission.customer.read", "suitecrm": "list and view contacts", "sugarcrm": "list and view contacts",
	}
	all := transcripts()
	for _, k := range kinds() {
		if k.Name == "rest" {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				what          string
				status        int
				body          string
				code          bridge.Code
				message, hint string
			}{
				{"a wrong key", 401, `{}`, bridge.CodeUnauthorized, "the credentials are not valid", secretOf(all[k.Name].text)},
				{"a missing right", 403, `{"status": "error", "category": "MISSING_SCOPES"}`, bridge.CodeUnauthorized, "lack a right", rights[k.Name]},
				{"a wrong tenant", 404, `<html>No such account</html>`, bridge.CodeSourceBroken, "there is no such API at this address", "Check"},
				{"a service that moved", 301, ``, bridge.CodeSourceBroken, "there is no such API at this address", "redirect"},
				{"a service that throttles", 429, `{}`, bridge.CodeRateLimited, "too many requests", "Try again later"},
				{"a service that fails", 500, `oops`, bridge.CodeSourceUnavailable, "answered 500", "Try again later"},
				{"a service that cannot be reached", 0, ``, bridge.CodeSourceUnavailable, "cannot be reached", "Try again later"},
				{"a host that is not there", -1, ``, bridge.CodeSourceUnavailable, "there is no host", "Check the address"},
				{"a changed API: no list", 200, `{"unexpected": {"list": []}}`, bridge.CodeSourceBroken, "", "API may have changed"},
				{"a changed API: a refused request", 400, `{"message": "unknown parameter"}`, bridge.CodeSourceBroken, "does not understand the request", "API may have changed"},
				{"a page for people", 200, `<!DOCTYPE html><html><body>Sign in</body></html>`, bridge.CodeSourceBroken, "", "not that of the API"},
				{"no body", 200, ``, bridge.CodeSourceBroken, "", "API"},
			} {
				var transport roundTripperOf = func(r *http.Request) (*http.Response, error) {
					switch c.status {
					case 0:
						return nil, errors.New("connection refused")
					case -1:
						return nil, &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
					}
					if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "token") { // the next test is about that
						return roundTripper(func(*http.Request) (int, string) { return http.StatusOK, `{"access_token": "t"}` }).RoundTrip(r)
					}
					return roundTripper(func(*http.Request) (int, string) { return c.status, c.body }).RoundTrip(r)
				}
				s, err := open(t.Context(), k.Name, all[k.Name].text, transport, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				people, _, _, err := readAll(t.Context(), s, "")
				_ = s.Close()
				said := failure.Of(err)
				if err == nil || said.Code != c.code || !strings.Contains(said.Message, c.message) || !strings.Contains(said.Hint, c.hint) || len(people) > 0 {
					t.Errorf("%s: %d contacts, %v (%s), hint %q; want %s, %q, %q", c.what, len(people), err, said.Code, said.Hint, c.code, c.message, c.hint)
				}
			}
		})
	}
}

// secretOf returns the key of the credential in a configuration.
func secretOf(text string) string {
	for _, key := range []string{"access_token", "api_token", "api_key", "client_secret", "password"} {
		if strings.Contains(text, key+":") {
			return key
		}
	}
	panic(fmt.Sprintf("no credential in %q", text))
}

// TestATokenThatIsNotGivenSaysWhy answers every request for a token with the same failure.
func TestATokenThatIsNotGivenSaysWhy(t *testing.T) {
	for _, c := range []struct {
		what          string
		status        int
		body          string
		code          bridge.Code
		message, hint string
	}{
		{"wrong credentials", 401, `{"error": "invalid_client"}`, bridge.CodeUnauthorized, "gave no access token: it answered 401 (invalid_client)", "Check secret"},
		{"a wrong refresh token", 400, `{"error": "invalid_grant"}`, bridge.CodeUnauthorized, "it answered 400 (invalid_grant)", "made anew"},
		{"an error as if it were none", 200, `{"error": "invalid_code"}`, bridge.CodeUnauthorized, "it answered 200 (invalid_code)", "Check secret"},
		{"a wrong address", 404, `<html>`, bridge.CodeSourceBroken, "there is no such API at this address", "Check the address"},
		{"a service that moved", 301, ``, bridge.CodeSourceBroken, "there is no such API at this address", "redirect"},
		{"a service that throttles", 429, `{}`, bridge.CodeRateLimited, "too many requests", "Try again later"},
		{"a service that fails", 500, `oops`, bridge.CodeSourceUnavailable, "answered 500", "Try again later"},
		{"a changed API", 200, `{"token": "t"}`, bridge.CodeSourceBroken, "gave no access token at access_token", "API may have changed"},
		{"a page for people", 200, `<!DOCTYPE html><html></html>`, bridge.CodeSourceBroken, "not JSON", "not that of the API"},
		{"no body", 200, ``, bridge.CodeSourceBroken, "gave no access token", "API may have changed"},
	} {
		s := wayOf(t, `{by: client_credentials, token_url: /token, client_secret: "{{secret}}"}`, roundTripper(func(*http.Request) (int, string) { return c.status, c.body }))
		_, _, _, err := readAll(t.Context(), s, "")
		if said := failure.Of(err); err == nil || said.Code != c.code || !strings.Contains(said.Message, c.message) || !strings.Contains(said.Hint, c.hint) {
			t.Errorf("%s: %v (%s), hint %q; want %s, %q, %q", c.what, err, said.Code, said.Hint, c.code, c.message, c.hint)
		}
	}
}
