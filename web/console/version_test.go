package console_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// Two people who have the same form open do not take each other's change back: the second one is told.
func TestAFormThatIsOlderThanTheIntegrationIsNotSaved(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	const edit = "/integrations/acme/crm/edit"
	found := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(v.must(edit).text)
	if found == nil {
		t.Fatal("the form does not say what it is for")
	}
	i, err := s.hub.Integration(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	changed := i.Integration
	changed.Limits.Pages = 77
	if err := s.hub.ChangeIntegration(context.Background(), changed, nil); err != nil {
		t.Fatal(err)
	}
	again := v.post(edit, edit, "bridge", changed.Bridge, "when", "every", "every", "45m", "full", "7", "guard-share", "20", "guard-min", "10",
		"pages", "1000", "page-mib", "32", "timeout", "10", "version", found[1], "do", "save")
	if !strings.Contains(problemIn(again.text), "changed by another user") {
		t.Errorf("%d %s", again.StatusCode, problemIn(again.text))
	}
	if i, err := s.hub.Integration(context.Background(), key); err != nil || i.Limits.Pages != 77 {
		t.Errorf("%+v %v", i.Limits, err)
	}
}

// A change in the console keeps what its form does not show of a field, such as that its value is not kept, and changes the URL of agents.
func TestAFormKeepsWhatItDoesNotShow(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	const edit = "/integrations/acme/crm/edit"
	i, err := s.hub.Integration(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	changed := i.Integration
	changed.Validation = strings.Replace(changed.Bridge, "contact_sync", "auth_validation", 1)
	want := []registry.Field{
		{Name: "code", Store: registry.NotKept},
		{Name: "region", Source: registry.SourceDefault, Default: "eu"},
		{Name: "username", Type: "text"},
		{Name: "password", Type: "password"},
	}
	changed.Fields = want
	if err := s.hub.ChangeIntegration(context.Background(), changed, nil); err != nil {
		t.Fatal(err)
	}
	agents := strings.Replace(changed.Bridge, "contact_sync", "agent_sync", 1)
	v.must(edit)
	form := []string{
		"bridge", changed.Bridge, "validation", changed.Validation, "agents", agents, "when", "every", "every", "45m", "full", "7", "guard-share", "20", "guard-min", "10",
		"pages", "1000", "page-mib", "32", "timeout", "10", "do", "save",
	}
	for n, f := range want {
		at := fmt.Sprintf("auth-%d-", n)
		form = append(form, at+"name", f.Name, at+"type", f.Type, at+"value", "")
	}
	answer := v.post(edit, edit, form...)
	i, err = s.hub.Integration(context.Background(), key)
	if err != nil || !slices.Equal(i.Fields, want) || i.Agents != agents {
		t.Errorf("%d %s: %+v, agents %q, %v", answer.StatusCode, problemIn(answer.text), i.Fields, i.Agents, err)
	}
}
