package console_test

import (
	"strings"
	"testing"
)

func TestAFirstVisitMakesTheAdministratorAndTheFirstIntegration(t *testing.T) {
	s := newSite(t)
	v := s.visitor(t)
	if a := v.get("/contacts"); a.to() != "/sign-in?next=%2Fcontacts" {
		t.Fatal(a.StatusCode, a.to())
	}
	if a := v.get("/sign-in"); a.to() != "/setup" {
		t.Fatal(a.StatusCode, a.to())
	}
	v = s.administrator(t)
	if a := v.must("/"); !strings.Contains(a.text, "Connect your first external service") {
		t.Fatal(a.text)
	}
	if a := s.visitor(t).get("/setup"); a.to() != "/sign-in" {
		t.Fatal("a second first visit:", a.StatusCode, a.to())
	}
	a := v.goes("/integrations/new", "/integrations/new", "account", "acme", "region", "gb", "time_zone", "Europe/London",
		"bridge", s.bridge.url(), "when", "every", "every", "30m", "full", "7", "guard-share", "20", "guard-min", "10",
		"auth-0-name", "username", "auth-0-type", "text", "auth-0-value", "agent",
		"auth-1-name", "password", "auth-1-type", "password", "auth-1-value", "s3cret", "do", "save")
	if a.to() != "/integrations/acme/crm?done=added" {
		t.Fatal(a.to())
	}
	eventually(t, "the first run", func() bool {
		return strings.Contains(v.must("/integrations/acme/crm").text, "Up to date")
	})
	page := v.must("/integrations/acme/crm").text
	for _, want := range []string{"password and username", "every 30 minutes", "every week", ">96<", "Run now"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q in %s", want, page[strings.Index(page, "<main"):])
		}
	}
	if strings.Contains(page, "s3cret") {
		t.Error("the page shows the password")
	}
	if a := v.must("/contacts?account=acme&q=jane+do"); !strings.Contains(a.text, "Jane Doe") {
		t.Error("Jane is not found")
	}
	if a := v.must("/calling?account=acme&number=%2844%29+20+7946+0958"); !strings.Contains(a.text, "Jane Doe") {
		t.Error(a.text)
	}
}
